"""Make a kit for a class: `make class` runs this file.

``build/class/<framework>`` gets a folder to hand out (notebooks that were not
run and hold no solution, and all that they need), the same as a zip, a folder
to keep (solved and run, with answers and times) and the slides. All of it is
derived from the sources. A kit is put in its place as a whole; one in which
somebody changed a file is left as it is.
"""

import argparse
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import nbformat
from nbsight.execute import execute

from tools.author import sources, trust
from tools.author.notebooks import content_hash, dumps, explain, tidy
from tools.book import slides
from tools.book.__main__ import INSTALL, archive, write, zipped
from tools.book.pages import MINUTES
from tools.frameworks import FRAMEWORKS, chosen, why_missing

BUILD = sources.ROOT / "build"
MADE = ".made.json"  # {path: hash} of what this file wrote, in each kit
RIGHT = ": right.\n"  # what a self-check prints at last
PROMISE = re.compile(r"\s*The solution is folded below\.")
LABEL = re.compile(r"\*\*[A-Z][\w ]*\.\*\*")  # as in **Predict.**
EXERCISE = re.compile(r"^### (Exercise .*)$", re.M)
SAW = "**What you saw.**"
VEIL = """\
<details>
<summary>After the cell has run</summary>

{}

</details>"""
NOT_RUN = """\
*This copy has not been run, on purpose: predict, write your guess down, run
the cell, and then open what is folded below it.*"""
README = """\
# {title}

{install}
The notebooks have not been run, on purpose. At each *Predict*, write down a
guess; then run the cell, and open what is folded below it.

In an exercise, put your answer where `...` stands, run the cell and the one
below it: it says what is still wrong, until it says "right." Two hints are
folded below it.
"""
TEACHER = """\
# For the teacher: {title}

Not to be handed out. The notebooks beside this file are solved, and were run
on {day}. To open them: `.venv/bin/jupyter lab {kit}/teacher`
in the project, or Jupyter wherever the handout is installed.

"Run" is how long the computer took for the cells, in seconds, on that day
(notebooks at a time: {workers}); imports are in the first section. "Ask"
counts the questions that the class answers before a cell runs. The minutes are
those that the lesson names at its beginning; what a class discusses comes on
top."""
CHANGED = """\
{kit}: left as it is, because these were changed by hand: {paths}
  to keep the changes: move {kit} elsewhere
  to drop them: make class FORCE=1 FRAMEWORK={framework}"""


class KitError(Exception):
    """A kit that cannot be made; the message says why, and the remedy."""


def handed_out(lesson, framework):
    """Return a lesson's notebook for the class: not run, nothing solved.

    What a cell shows is told below it, and would spoil the question above:
    so it is folded.
    """
    notebook = lesson.notebook(framework, linked=False)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "solution" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = veiled(PROMISE.sub("", cell.source))
    # Without the links to other frameworks, which are not handed out.
    title, rest = lesson.cells[0].source.split("\n", 1)
    notebook.cells[0].source = f"{title}\n\n{NOT_RUN}\n{rest}"
    return notebook


def veiled(prose):
    """Return a prose cell in which what was seen is folded.

    That is what stands above a first heading, and what follows the words
    "What you saw." up to the next heading or label; a last line that leads to
    the next cell (it ends with a colon) stays.
    """
    paragraphs = re.split(r"\n{2,}", prose.strip())
    seen, marks = not prose.startswith("#"), []
    seen = seen and any(text.startswith("#") for text in paragraphs)
    for text in paragraphs:
        if text.startswith("#") or LABEL.match(text):
            seen = text.startswith(SAW)
        marks.append(seen)
    marks[-1] = marks[-1] and not paragraphs[-1].endswith(":")
    found = []
    pairs = zip(marks, paragraphs, strict=True)
    for folded, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
        text = "\n\n".join(text for _, text in group)
        found.append(VEIL.format(text) if folded else text)
    return "\n\n".join(found)


def solved(lesson, framework):
    """Return a lesson's notebook for the teacher, not yet run."""
    notebook = lesson.notebook(framework, linked=False)
    cells = {cell.id: cell for cell in lesson.cells_of(framework)}
    for made in notebook.cells:
        cell = cells.get(made.id)
        if cell is None:  # of the notebook only
            continue
        made.source = PROMISE.sub("", cell.source)
        for tag in {"hint", "answer"} & set(cell.tags):
            made.source = f"**{tag.capitalize()}.** {cell.source.strip()}"
        if cell.tags:
            made.metadata["tags"] = cell.tags
    return notebook


def run(notebook, folder, name):
    """Execute a solved notebook in place.

    Returns:
        {cell id: seconds}, of the code cells.

    Raises:
        KitError: a cell failed, or a self-check was not content.
    """
    metadata = notebook.metadata.copy()
    try:
        execute(notebook, folder, record_timing=True)
    except Exception as error:  # whatever stops a cell
        raise KitError(f"{name}: {explain(error, notebook)}") from error
    notebook.metadata = metadata  # the kernel adds its exact version
    tidy(notebook)
    seconds = {}
    for cell in notebook.cells:
        said = printed(cell)
        if "check" in cell.metadata.get("tags", []) and RIGHT not in said:
            raise KitError(f"{name}: the solution does not pass: {said}")
        if cell.cell_type == "code":
            times = cell.metadata.pop("execution")
            start, end = (
                datetime.fromisoformat(times[key])
                for key in ("iopub.status.busy", "shell.execute_reply")
            )
            seconds[cell.id] = (end - start).total_seconds()
    return seconds


def printed(cell):
    """Return what a cell has printed."""
    return "".join(
        output.text
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


def plan(lesson, notebook, seconds):
    """Return a lesson's times as Markdown: minutes, and each section's run.

    Args:
        lesson: a `tools.lesson.Lesson`.
        notebook: its solved notebook, run.
        seconds: what `run` returned for it.
    """
    rows, title = {}, "(before the first section)"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            # Questions below a heading are that section's.
            for part in re.split(r"^(?=## )", cell.source, flags=re.M):
                title = title_of(part) if part.startswith("## ") else title
                row = rows.setdefault(title, [0, 0, 0.0])
                row[0] += part.count("**Predict.**")
        else:
            rows[title][1] += 1
            rows[title][2] += seconds[cell.id]
    rows = {name: row for name, row in rows.items() if any(row)}
    opening = " ".join(lesson.cells[0].source.split())
    text = [
        f"## {title_of(lesson.cells[0].source)}",
        f"About {MINUTES.search(opening)[1]} minutes; "
        f"run in {sum(seconds.values()):.1f} s.",
        "| section | ask | code cells | run, s |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {name} | {ask} | {cells} | {time:.1f} |"
            for name, (ask, cells, time) in rows.items()
        ),
        "### Answers",
    ]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        asked = EXERCISE.search(cell.source)
        if cell.cell_type == "markdown" and asked:
            text.append(f"#### {asked[1]}")
        elif "solution" in tags and printed(cell):
            text.append(f"```\n{printed(cell).rstrip()}\n```")
        elif "answer" in tags:
            text.append(cell.source)
    return "\n\n".join(text)


def title_of(prose):
    """Return the heading that a text begins with."""
    return prose.splitlines()[0].lstrip("#").strip()


def handout(made, framework):
    """Return what is handed out: {path: bytes}.

    It is what the book offers for download, with other notebooks and a README
    of its own.
    """
    packed = zipfile.ZipFile(io.BytesIO(archive(framework)))
    inside = {
        name.partition("/")[2]: packed.read(name)
        for name in packed.namelist()
        if not name.endswith((".ipynb", "INSTALL.txt"))
    }
    install = INSTALL.format(title=FRAMEWORKS[framework].title, name=framework)
    title, _, install = install.partition(". ")
    inside["README.md"] = README.format(title=title, install=install).encode()
    for lesson in made:
        notebook = dumps(handed_out(lesson, framework))
        inside[f"notebooks/{lesson.name}.ipynb"] = notebook.encode()
    return inside


def digest(name, content):
    """Hash a file; of a notebook only what a person edits (see build.py)."""
    if name.endswith(".ipynb"):
        try:
            return content_hash(nbformat.reads(content.decode(), 4))
        except Exception:  # not a notebook any more
            return ""
    return hashlib.sha256(content).hexdigest()


def changed(kit):
    """Return the paths in a kit that `make class` did not write so.

    Running a notebook is no change; hidden files are nobody's work.
    """
    try:
        made = json.loads((kit / MADE).read_text("utf-8"))
    except (OSError, ValueError):
        made = {}
    found = []
    for path in sorted(kit.rglob("*")):
        inside = path.relative_to(kit)
        hidden = any(p.startswith((".", "__pycache__")) for p in inside.parts)
        if path.is_file() and not hidden:
            name = inside.as_posix()
            if made.get(name) != digest(name, path.read_bytes()):
                found.append(name)
    return found


def put_in_place(files, kit):
    """Make a kit of files: written beside it, then moved as a whole."""
    new, old = (kit.with_name(f"{kit.name}.{end}") for end in ("new", "old"))
    made = {name: digest(name, content) for name, content in files.items()}
    files = files | {MADE: json.dumps(made, indent=1).encode()}
    shutil.rmtree(new, ignore_errors=True)
    write(files, new)
    if kit.exists():
        kit.replace(old)
    new.replace(kit)
    shutil.rmtree(old, ignore_errors=True)


def recover(kit):
    """Bring a kit back that a killed run had only just moved away."""
    old = kit.with_name(f"{kit.name}.old")
    if old.exists() and not kit.exists():
        old.replace(kit)
    shutil.rmtree(old, ignore_errors=True)


def build(names, framework, folder=BUILD, force=False):
    """Make the kit of one framework, in ``folder/class``.

    Args:
        names: of lessons.
        framework: a key of ``FRAMEWORKS``.
        folder: where other builds are too.
        force: drop what was changed by hand.

    Returns:
        The kit's folder.

    Raises:
        KitError: a notebook does not run, or the kit was changed by hand.
    """
    kit = folder / "class" / framework
    recover(kit)
    by_hand = [] if force else changed(kit)
    if by_hand:
        more = f" and {len(by_hand) - 3} more" if len(by_hand) > 3 else ""
        paths = ", ".join(by_hand[:3]) + more
        raise KitError(
            CHANGED.format(
                kit=os.path.relpath(kit), paths=paths, framework=framework
            )
        )
    made = [sources.read(name) for name in names]
    work = folder / "class-work" / framework
    work.mkdir(parents=True, exist_ok=True)
    notebooks = [solved(lesson, framework) for lesson in made]
    workers = min(os.cpu_count(), len(made))
    with ThreadPoolExecutor(workers) as pool:
        seconds = list(pool.map(run, notebooks, itertools.repeat(work), names))
    files = {}
    ran = [dumps(notebook).encode() for notebook in notebooks]
    for lesson, notebook in zip(made, ran, strict=True):
        files[f"teacher/{lesson.name}.ipynb"] = notebook
    head = TEACHER.format(
        title=FRAMEWORKS[framework].title,
        day=datetime.now().date(),
        kit=os.path.relpath(kit),
        workers=workers,
    )
    plans = map(plan, made, notebooks, seconds)
    files["teacher/README.md"] = "\n\n".join([head, *plans]).encode() + b"\n"
    inside = handout(made, framework)
    files |= {f"handout/{name}": text for name, text in inside.items()}
    name = f"attention-pooling-{framework}-handout"
    files[f"{name}.zip"] = zipped(inside, name)
    slides.build(work, names, [framework])
    decks = work / "slides"
    for path in [path for path in decks.rglob("*") if path.is_file()]:
        name = path.relative_to(decks).as_posix()
        files[f"slides/{name}"] = path.read_bytes()
    put_in_place(files, kit)
    trust.sign(ran)
    return kit


def main():
    """Make the kits that are asked for; end with 1 if one was not made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--lesson", default="", help="e.g. 02")
    parser.add_argument(
        "--force", action="store_true", help="drop changes by hand"
    )
    parser.add_argument("--folder", type=Path, default=BUILD)
    given = parser.parse_args()
    names = [n for n in sources.names() if n.startswith(given.lesson)]
    if not names:
        sys.exit(f"--lesson: no lesson begins with '{given.lesson}'")
    failures = []
    for framework in chosen(given.frameworks) or list(FRAMEWORKS):
        reason = why_missing(framework)
        if reason:
            failures.append(f"No kit: {reason}")
            continue
        started = datetime.now()
        try:
            kit = build(names, framework, given.folder, given.force)
        except KitError as error:
            failures.append(str(error))
            continue
        took = (datetime.now() - started).total_seconds()
        print(f"The kit: {kit} (in {took:.0f} s)")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    try:
        main()
    except sources.LessonError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; the last kit is as it was")
