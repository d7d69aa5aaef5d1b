"""Prove that the notebooks are what the sources give: `make check`.

Nothing is executed here. The cells, ids and order of each notebook must be
those that its source gives now, and the notebook must have been executed
completely: counts 1..n, no error, nothing on stderr, a figure where one is
described. Whether outputs are right is for the re-execution (`make nbval`).
"""

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.author import house_rules, sources
from tools.author.notebooks import named
from tools.frameworks import FRAMEWORKS

MOST_BYTES = 300_000
AGAIN = "run: make notebooks"


def compare_cells(
    notebook: NotebookNode, generated: NotebookNode
) -> Iterator[str]:
    """Yield where a notebook's cells are not those that the source gives."""
    for found, right in zip(notebook.cells, generated.cells, strict=False):
        for what in ("cell_type", "id", "source", "metadata"):
            if found.get(what) != right.get(what):
                changed = f"its {what} is not what the source gives"
                yield f"{named(right)}: {changed}; {AGAIN}"
                return  # what follows is mostly the same fault again
    counts = len(notebook.cells), len(generated.cells)
    if counts[0] != counts[1]:
        yield f"{counts[0]} cells, the source gives {counts[1]}; {AGAIN}"
    for what, given in generated.metadata.items():
        # Jupyter adds what it knows of the language, as its version.
        if not given.items() <= notebook.metadata.get(what, {}).items():
            yield f"its {what} is not what the source gives; {AGAIN}"


def executed(
    notebook: NotebookNode, told: Set[str] | None = None
) -> Iterator[str]:
    """Yield where a notebook was not executed completely, and cleanly.

    Figures must be in the cells whose ids are told, and in no others; None:
    in any.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        place = named(cell)
        if cell.execution_count != count:
            yield (
                f"{place}: execution count {cell.execution_count}, expected "
                f"{count}: not executed once from top to bottom; {AGAIN}"
            )
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{place}: holds an error; mend the source, then {AGAIN}"
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"{place}: printed on stderr; mend the source, then {AGAIN}"
        drawn = any(
            "image/svg+xml" in output.get("data", {})
            for output in cell.outputs
        )
        described = drawn if told is None else cell.id in told
        if drawn and not described:
            yield (
                f'{place}: say in its option "alt" what the figure shows, for '
                "those who do not see it"
            )
        if described and not drawn:
            yield f"{place}: its figure is missing; {AGAIN}"


def check_notebook(
    lesson: sources.Lesson, framework: str, path: Path
) -> Iterator[str]:
    """Yield what is wrong with one notebook, each with its remedy."""
    if not path.exists():
        yield f"missing; {AGAIN} FRAMEWORK={framework}"
        return
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # not JSON, not a notebook, not valid
        reason = (str(error).splitlines() or ["?"])[0]
        yield f"not a readable notebook ({reason}); {AGAIN} FORCE=1"
        return
    told = {cell.id for cell in lesson.cells_of(framework) if cell.alt}
    differences = list(compare_cells(notebook, lesson.notebook(framework)))
    yield from differences or executed(notebook, told)
    if path.stat().st_size > MOST_BYTES:
        yield f"{path.stat().st_size} bytes, expected at most {MOST_BYTES}"


def check(folder: Path, frameworks: Iterable[str]) -> list[str]:
    """List everything that is wrong with the sources and the notebooks.

    The folder holds ``source`` and the frameworks' folders. Each message names
    the lesson or notebook, the cell, and the remedy.
    """
    lessons, found = house_rules.sound(folder / "source")
    for lesson in lessons:
        for framework in frameworks:
            path = folder / framework / f"{lesson.name}.ipynb"
            found += [
                f"{folder.name}/{framework}/{path.name}: {problem}"
                for problem in check_notebook(lesson, framework, path)
            ]
    names = [f"{name}.ipynb" for name in sources.names(folder / "source")]
    known = {folder / lang / name for lang in FRAMEWORKS for name in names}
    for path in sorted({*folder.rglob("*.ipynb")} - known):
        if ".ipynb_checkpoints" not in path.parts:
            found.append(
                f"{path.relative_to(folder.parent).as_posix()}: belongs to no "
                f"lesson in {folder.name}/source; move it away or delete it"
            )
    return found
