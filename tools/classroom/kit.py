"""Make a kit for a class: what `python -m tools.classroom kit` does.

``build/class/<framework>`` gets a folder to hand out (notebooks that were not
run and hold no solution, and all that they need), the same as a zip, a folder
to keep (solved and run, with answers and times) and the slides. A kit is put
in its place as a whole; one in which somebody changed a file is left alone.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
from nbsight.execute import execute

from tools.author import sources, trust
from tools.author.exercises import folded
from tools.author.notebooks import content_hash, dumps, explain, tidy
from tools.author.sources import ROOT, Lesson, LessonError
from tools.book import slides
from tools.book.files import needed, write, zipped
from tools.frameworks import FRAMEWORKS, chosen, why_missing

MADE = ".made.json"  # in each kit, {path: hash} of what was written
# Jupyter, Python and macOS make these; all else is somebody's work.
NOBODYS = {MADE, ".ipynb_checkpoints", "__pycache__", ".DS_Store"}
PROMISE = re.compile(r"\s*The solution is folded below\.")
LABEL = r"(?:#|\*\*[A-Z][\w ]*\.\*\*)"  # a heading; as in **Predict.**
SAW = "**What you saw.**"
NOT_RUN = """\
*This copy has not been run, on purpose: predict, write your guess down, run
the cell, and then open what is folded below it.*"""
TEACHER = """\
# For the teacher: {title}

Not to be handed out. The notebooks beside this page are solved, and were run
on {day}.
"""


def handed_out(lesson: Lesson, framework: str) -> Any:
    """Return a lesson's notebook for the class: not run, nothing solved."""
    notebook = lesson.notebook(framework, linked=False)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "solution" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = veiled(PROMISE.sub("", cell.source))
    opening = notebook.cells[0]
    opening.source = opening.source.replace("\n", f"\n\n{NOT_RUN}\n", 1)
    return notebook


def veiled(prose: str) -> str:
    """Return prose in which is folded what would spoil the question above.

    That is what stands above a first heading, and what follows the words
    "What you saw." up to the next heading or label; a last line that leads to
    the next cell (it ends with a colon) stays.
    """
    parts = re.split(rf"\n{{2,}}(?={LABEL})", prose.strip())
    said, _, lead = parts[-1].rpartition("\n\n")
    headed = any(part.startswith("#") for part in parts)
    if said and lead.endswith(":"):
        parts[-1:] = [said, lead]
    for i, part in enumerate(parts):
        above = i == 0 and headed and not re.match(LABEL, part)
        if above or part.startswith(SAW):
            parts[i] = folded("After the cell has run", part)
    return "\n\n".join(parts)


def solved(lesson: Lesson, framework: str) -> Any:
    """Return a lesson's notebook with its solutions filled in, not yet run."""
    notebook = lesson.notebook(framework, linked=False)
    made = {cell.id: cell for cell in notebook.cells}
    for cell in lesson.cells_of(framework):
        if "solution" in cell.tags:
            made[cell.id].source = cell.source
    return notebook


def run(notebook: Any, folder: Path, name: str) -> float:
    """Execute a solved notebook in place; return the seconds that it took."""
    started = time.perf_counter()
    try:
        execute(notebook, folder)
    except Exception as error:  # whatever stops a cell
        raise LessonError(f"{name}: {explain(error, notebook)}") from error
    tidy(notebook)
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []):
            said = "".join(output.get("text", "") for output in cell.outputs)
            if not said.endswith(": right.\n"):
                message = f"{name}: the solution does not pass: {said}"
                raise LessonError(message)
    return time.perf_counter() - started


def handout(lessons: list[Lesson], framework: str) -> dict[str, bytes]:
    """Return the class's notebooks, and all that they need."""
    inside = needed(framework)
    for lesson in lessons:
        notebook = dumps(handed_out(lesson, framework)).encode()
        inside[f"notebooks/{lesson.name}.ipynb"] = notebook
    return inside


def digests(kit: Path) -> dict[str, str]:
    """Hash a kit's files; of a notebook what a person edits, not outputs."""
    found = {}
    for path in sorted(kit.rglob("*")):
        name = path.relative_to(kit)
        if path.is_file() and not NOBODYS.intersection(name.parts):
            hashed = hashlib.sha256(path.read_bytes()).hexdigest()
            if path.suffix == ".ipynb":
                with suppress(Exception):  # it may be no notebook any more
                    hashed = content_hash(nbformat.read(path, 4))
            found[name.as_posix()] = hashed
    return found


def refuse_changes(kit: Path) -> None:
    """Raise a `LessonError` that names what in a kit was not written here."""
    made = {}
    with suppress(OSError, ValueError):
        made = json.loads((kit / MADE).read_text("utf-8"))
    names = [n for n, found in digests(kit).items() if made.get(n) != found]
    if names:
        where, some = os.path.relpath(kit), ", ".join(names[:3])
        raise LessonError(
            f"{where}: left as it is; changed by hand ({len(names)}): {some}\n"
            f"  to keep the changes: move {where} elsewhere\n"
            f"  to drop them: make class FORCE=1 FRAMEWORK={kit.name}"
        )


def teacher(
    lessons: list[Lesson], framework: str, work: Path
) -> dict[str, bytes]:
    """Return what the teacher keeps; ``work`` is a folder to run it in."""
    title = FRAMEWORKS[framework].title
    page = TEACHER.format(title=title, day=date.today())
    inside = {}
    for lesson in lessons:
        notebook = solved(lesson, framework)
        took = run(notebook, work, lesson.name)
        opening = lesson.cells[0].source.partition("\n## ")[0]
        page += f"\n#{opening}\nThe computer needed {took:.0f} s. Answers:\n"
        for cell in lesson.cells_of(framework):
            if "answer" in cell.tags:
                page += f"\n### {cell.heading}\n\n{cell.source}\n"
        inside[f"{lesson.name}.ipynb"] = dumps(notebook).encode()
    trust.sign(inside.values())  # Jupyter may show their figures here
    return inside | {"README.md": page.encode()}


def build(names: list[str], framework: str, folder: Path, force: bool) -> Path:
    """Make a framework's kit of some lessons in ``folder/class``.

    Raises:
        LessonError: a notebook does not run, or the kit was changed by hand
            and there is no ``force``.
    """
    reason = why_missing(framework)
    if reason:
        raise LessonError(f"No kit: {reason}")
    kit = folder / "class" / framework
    new, old = (kit.with_name(f"{framework}.{end}") for end in ("new", "old"))
    if old.exists() and not kit.exists():
        old.replace(kit)  # a killed run had only just moved it away
    if not force:
        refuse_changes(kit)
    work = folder / "class-work" / framework
    work.mkdir(parents=True, exist_ok=True)
    lessons = [sources.read(name) for name in names]
    handed = handout(lessons, framework)
    kept = teacher(lessons, framework, work)
    slides.build(work, names, [framework])
    shutil.rmtree(new, ignore_errors=True)
    write(handed, new / "handout")
    write(kept, new / "teacher")
    shutil.copytree(work / "slides", new / "slides")
    name = f"attention-pooling-{framework}-handout"
    (new / f"{name}.zip").write_bytes(zipped(handed, name))
    (new / MADE).write_text(json.dumps(digests(new), indent=1), "utf-8")
    if not force:
        refuse_changes(kit)  # those that were made in the meantime
    shutil.rmtree(old, ignore_errors=True)
    if kit.exists():
        kit.replace(old)
    new.replace(kit)
    shutil.rmtree(old, ignore_errors=True)
    return kit


def make(
    frameworks: str, lesson: str, force: bool, folder: Path = ROOT / "build"
) -> None:
    """Make the kits that the command line asks for; say where they are."""
    names = [name for name in sources.names() if name.startswith(lesson)]
    if not names:
        sys.exit(f"--lesson: no lesson begins with '{lesson}'")
    failures = []
    for framework in chosen(frameworks) or FRAMEWORKS:
        try:
            print(f"The kit: {build(names, framework, folder, force)}")
        except LessonError as error:
            failures.append(str(error))
    if failures:
        sys.exit("\n".join(failures))
