"""Generate and execute the notebooks: `make notebooks` runs this file.

Each notebook is made from its lesson's source, executed in a fresh kernel and
put in its place in one move, so a build that is killed leaves either the old
notebook or the new one. A notebook that somebody changed by hand is left as it
is, and named.
"""

import argparse
import copy
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from decimal import Decimal
from pathlib import Path

import nbformat
from nbsight.compare import WIDGET
from nbsight.execute import execute

from tools.author import sources, trust
from tools.frameworks import FRAMEWORKS, chosen, why_missing

BUILD = sources.ROOT / "build"
CHANGED_BY_HAND = """\
{path}: changed by hand, so it is left as it is.
  to keep the change: put it into {source}
      (or save the notebook under another name, outside notebooks/)
  to drop the change: make notebooks FORCE=1 {only}"""


def content_hash(notebook):
    """Hash what a person edits in a notebook: cells, their order, their tags.

    Outputs are not part of it: running a notebook is no edit.
    """
    cells = [
        [
            cell.cell_type,
            cell.source,
            cell.metadata.get("tags", []),
            cell.get("attachments", {}),
        ]
        for cell in notebook.cells
    ]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def committed(path):
    """Return the text that git's last commit holds at a path, or None."""
    try:
        answer = subprocess.run(
            ["git", "show", f"HEAD:./{path.name}"],
            cwd=path.parent,
            capture_output=True,
        )
    except OSError:  # no git here
        return None
    return answer.stdout.decode() if answer.returncode == 0 else None


def changed_by_hand(path, generated, build=BUILD):
    """Tell whether a notebook holds work that a new build would destroy.

    It does not when its cells are those of the source now, those of the last
    commit, or those that an earlier build wrote here.

    Args:
        path: the notebook on disk, or a place where none is yet.
        generated: the notebook that the source gives now.
        build: folder where earlier builds left their marks.
    """
    if not path.exists():
        return False
    try:
        found = content_hash(nbformat.read(path, as_version=4))
    except Exception:  # not a notebook any more: surely not our own writing
        return True
    if found == content_hash(generated):
        return False
    if (build / "written" / found).exists():
        return False
    try:
        before = nbformat.reads(committed(path) or "", as_version=4)
    except Exception:  # not in git, or not a notebook there
        return True
    return found != content_hash(before)


def number(text):
    """Return a JSON number as JavaScript writes it: 100, and not 100.0."""
    value = float(text)
    whole = value.is_integer() and abs(value) < 1e21
    return int(Decimal(text)) if whole else value


def dumps(notebook):
    """Write a notebook the one way: sorted, indented, with a last newline.

    Numbers are written so that saving it in JupyterLab changes none.
    """
    plain = json.loads(json.dumps(notebook), parse_float=number)
    return nbformat.writes(nbformat.from_dict(plain)).rstrip("\n") + "\n"


def put_in_place(notebook, path, build=BUILD, before=None):
    """Write a notebook in one move; the mark goes first (see above).

    It was executed here, so Jupyter may show its figures here; of what is
    kept from ``before`` (a text), it may if it did already.
    """
    text = dumps(notebook)
    (build / "written").mkdir(parents=True, exist_ok=True)
    (build / "written" / content_hash(notebook)).touch()
    partial = build / f"{path.parent.name}-{path.stem}-{os.getpid()}.partial"
    partial.write_text(text, encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(path)
    trust.sign([text], before)


def explain(error, notebook):
    """Say in a few lines which cell failed, and how."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                first = cell.source.splitlines()[0]
                message = f"{output.ename}: {output.evalue}"
                return f'cell {cell.id} ("{first}"): {message}'
    return f"{type(error).__name__}: {error}"


def tidy(notebook):
    """Take out of the outputs, in place, what no reader and no check needs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)


def build_one(lesson, framework, folder=sources.NOTEBOOKS, build=BUILD):
    """Generate, execute and store one notebook.

    Returns:
        What went wrong, or None.
    """
    notebook = lesson.notebook(framework)
    path = folder / framework / f"{lesson.name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    ran = copy.deepcopy(notebook)
    try:
        execute(ran, path.parent)
    except Exception as error:  # anything: the other notebooks go on
        return explain(error, ran)
    ran.metadata = notebook.metadata  # the kernel adds its exact version
    for cell in ran.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                return f"cell {cell.id} printed on stderr: {output.text}"
    tidy(ran)
    put_in_place(ran, path, build)
    return None


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--lesson", default="", help="e.g. 02")
    parser.add_argument(
        "--force", action="store_true", help="overwrite changes by hand too"
    )
    parser.add_argument("--folder", type=Path, default=sources.NOTEBOOKS)
    return parser.parse_args()


def main():
    """Build what is asked for, on all cores; exit with 1 if any failed."""
    arguments = parse_arguments()
    folder = arguments.folder.absolute()
    source, build = folder / "source", folder.parent / "build"
    jobs, failures = [], []
    frameworks = chosen(arguments.frameworks) or list(FRAMEWORKS)
    for framework in list(frameworks):
        reason = why_missing(framework)
        if reason:
            print(f"skipped: {reason}")
            frameworks.remove(framework)
    names = [
        name
        for name in sources.names(source)
        if name.startswith(arguments.lesson)
    ]
    if not names:
        sys.exit(f"No lesson begins with '{arguments.lesson}' in {source}")
    for name in names:
        lesson = sources.read(name, source)
        broken = sources.problems(lesson)
        failures += broken
        if broken:
            continue
        for framework in frameworks:
            path = folder / framework / f"{name}.ipynb"
            if not arguments.force and changed_by_hand(
                path, lesson.notebook(framework), build
            ):
                failures.append(
                    CHANGED_BY_HAND.format(
                        path=path.relative_to(folder.parent),
                        source=f"{folder.name}/source/{name}.md",
                        only=f"FRAMEWORK={framework} LESSON={name[:2]}",
                    )
                )
            else:
                jobs.append((lesson, framework))
    failures += run(jobs, folder, build)
    if failures:
        sys.exit("\n".join(["", *failures]))


def run(jobs, folder, build):
    """Build all jobs, one per core at a time; return what went wrong."""
    failures = []
    # The longest first, so that no core waits for it at the end.
    jobs = sorted(jobs, key=lambda job: -len(job[0].cells))
    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {
            pool.submit(build_one, lesson, framework, folder, build): (
                f"{framework}/{lesson.name}"
            )
            for lesson, framework in jobs
        }
        for count, future in enumerate(as_completed(futures), 1):
            name, failure = futures[future], future.result()
            at = time.perf_counter() - started
            state = "FAILED" if failure else "done"
            print(f"[{count}/{len(jobs)}] {at:5.0f} s  {name}  {state}")
            if failure:
                failures.append(f"notebooks/{name}: {failure}")
    return failures


if __name__ == "__main__":
    try:
        main()
    except sources.LessonError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; what is written so far is whole")
