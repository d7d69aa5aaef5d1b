"""Prove that the notebooks are what the sources give: `make check`.

Nothing is executed here. The cells, ids and order of each notebook must be
those that its source gives now, and the notebook must have been executed
completely: counts 1..n, outputs there, no error, nothing on stderr. Whether
the outputs are still *right* is for the re-execution (`make nbval`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.author import house_rules, sources
from tools.author.house_rules import outputs_expected
from tools.frameworks import FRAMEWORKS

MOST_BYTES = 300_000


def completed(found: NotebookNode, given: NotebookNode) -> bool:
    """Tell whether metadata are those given, or what Jupyter made of them.

    Saving adds what it knows of the kernel's language, as its version.
    """
    language = found.get("language_info", {})
    return given.language_info.items() <= language.items() and given == {
        **found,
        "language_info": given.language_info,
    }


def compare_cells(
    notebook: NotebookNode, generated: NotebookNode
) -> Iterator[str]:
    """Yield where a notebook's cells are not those that the source gives."""
    for number, (found, right) in enumerate(
        zip(notebook.cells, generated.cells, strict=False), 1
    ):
        for what in ("cell_type", "id", "source", "metadata"):
            if found.get(what) != right.get(what):
                first = (right.source.splitlines() or [""])[0]
                yield (
                    f'cell {number} ({right.id}, "{first}"): its {what} is '
                    "not what the source gives; run: make notebooks"
                )
                return  # what follows is mostly the same fault again
    if len(notebook.cells) != len(generated.cells):
        yield (
            f"{len(notebook.cells)} cells, the source gives "
            f"{len(generated.cells)}; run: make notebooks"
        )
    elif not completed(notebook.metadata, generated.metadata):
        yield "its metadata are not what the source gives; run: make notebooks"


def executed(notebook: NotebookNode) -> Iterator[str]:
    """Yield where a notebook was not executed completely, and cleanly."""
    again = "run: make notebooks"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        first = (cell.source.splitlines() or [""])[0]
        place = f'cell {cell.get("id")} ("{first}")'
        if cell.execution_count != count:
            yield (
                f"{place}: execution count {cell.execution_count}, expected "
                f"{count}: not executed once from top to bottom; {again}"
            )
        kinds = {output.output_type for output in cell.outputs}
        if "error" in kinds:
            yield f"{place}: holds an error; mend the source, then {again}"
        elif any(out.get("name") == "stderr" for out in cell.outputs):
            yield f"{place}: printed on stderr; mend the source, then {again}"
        missing = ", ".join(sorted(outputs_expected(cell.source) - kinds))
        if missing and cell.id != sources.ALONE_ID:  # which is silent here
            yield f"{place}: its output is missing ({missing}); {again}"


def check_notebook(
    lesson: sources.Lesson, framework: str, folder: Path
) -> Iterator[str]:
    """Yield what is wrong with one notebook, each with its remedy."""
    path = folder / framework / f"{lesson.name}.ipynb"
    if not path.exists():
        yield f"missing; run: make notebooks FRAMEWORK={framework}"
        return
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # not JSON, not a notebook, not valid
        reason = (str(error).splitlines() or ["?"])[0]
        yield (
            f"not a readable notebook ({reason}); run: make notebooks FORCE=1"
        )
        return
    generated = lesson.notebook(framework)
    yield from list(compare_cells(notebook, generated)) or executed(notebook)
    if path.stat().st_size > MOST_BYTES:
        yield f"{path.stat().st_size} bytes, expected at most {MOST_BYTES}"


def strangers(folder: Path) -> Iterator[str]:
    """Yield notebooks that belong to no lesson, and half-written files."""
    known = {
        folder / framework / f"{name}.ipynb"
        for framework in FRAMEWORKS
        for name in sources.names(folder / "source")
    }
    for path in sorted(folder.rglob("*.ipynb")):
        hidden = ".ipynb_checkpoints" in path.parts
        if path not in known and not hidden:
            yield (
                f"{path.relative_to(folder.parent)}: belongs to no lesson in "
                f"{folder.name}/source; move it elsewhere or delete it"
            )


def check(
    folder: Path = sources.NOTEBOOKS, frameworks: Iterable[str] = FRAMEWORKS
) -> list[str]:
    """List everything that is wrong with the sources and the notebooks.

    Each message names the lesson or notebook, the cell, and the remedy.

    Args:
        folder: holds ``source`` and the frameworks' folders.
        frameworks: names of those to look at.
    """
    found = []
    names = sources.names(folder / "source")
    if not names:
        found.append(f"{folder / 'source'}: holds no lesson (NN_name.md)")
    for name in names:
        try:
            lesson = sources.read(name, folder / "source")
        except sources.LessonError as error:
            found.append(str(error))
            continue
        found += house_rules.problems(lesson)
        for framework in frameworks:
            found += [
                f"{folder.name}/{framework}/{name}.ipynb: {problem}"
                for problem in check_notebook(lesson, framework, folder)
            ]
    return found + list(strangers(folder))
