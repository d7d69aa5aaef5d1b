"""Generate and execute the notebooks: `make notebooks`.

Each notebook is made from its lesson's source, executed in a fresh kernel and
put in its place in one move, so a build that is killed leaves either the old
notebook or the new one. A notebook that somebody changed by hand is left as it
is, and named.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbsight.execute import execute

from tools.author import house_rules, notebooks, sources
from tools.frameworks import why_missing

Job = tuple[sources.Lesson, Path]  # what to build, and where it goes


def build_one(job: Job) -> str | None:
    """Generate, execute and store one notebook; return what went wrong."""
    lesson, path = job
    notebook = lesson.notebook(path.parent.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        execute(notebook, path.parent)
    except Exception as error:  # anything: the other notebooks go on
        return notebooks.explain(error, notebook)
    notebook.metadata = sources.METADATA  # a kernel adds its exact version
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                named = notebooks.named(cell)
                return f"{named} printed on stderr: {output.text}"
    notebooks.tidy(notebook)
    notebooks.put_in_place(notebook, path)
    return None


def build(
    frameworks: list[str], beginning: str, force: bool, folder: Path
) -> list[str]:
    """Build the notebooks of frameworks, one per core at a time.

    Of all lessons whose names begin so; what was changed by hand is only
    overwritten by force. The folder holds ``source``, too. Returned is what
    went wrong.
    """
    lessons, failures = house_rules.sound(folder / "source", beginning)
    jobs: list[Job] = []
    for framework in frameworks:
        missing = why_missing(framework)
        if missing:
            print(f"skipped: {missing}")
            continue
        for lesson in lessons:
            path = folder / framework / f"{lesson.name}.ipynb"
            new = lesson.notebook(framework)
            by_hand = notebooks.changed_by_hand(path, new)
            if by_hand and not force:
                failures.append(by_hand)
            else:
                jobs.append((lesson, path))
    # The longest first, so that no core waits for it at the end.
    jobs.sort(key=lambda job: -len(job[0].cells))
    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = zip(jobs, pool.map(build_one, jobs), strict=True)
        for count, ((_, path), failure) in enumerate(done, 1):
            name = f"{path.parent.name}/{path.stem}"
            at = time.perf_counter() - started
            state = "FAILED" if failure else "done"
            print(f"[{count}/{len(jobs)}] {at:5.0f} s  {name}  {state}")
            if failure:
                failures.append(f"notebooks/{name}: {failure}")
    return failures
