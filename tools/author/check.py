"""Prove that the notebooks are what the sources give: `make check`.

Nothing is executed here. The cells, ids and order of each notebook must be
those that its source gives now, and the notebook must have been executed
completely: counts 1..n, outputs there, no error, nothing on stderr. Whether
the outputs are still *right* is for the re-execution (`make nbval`).
"""

import argparse
import ast
import sys
from pathlib import Path

import nbformat

from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen

MOST_BYTES = 300_000
PLOTTERS = {"plot", "plot_kernel_reg", "show_heatmaps", "Animator"}


def outputs_expected(source):
    """Tell which outputs a cell must have, from its text alone.

    Args:
        source: a code cell's source.

    Returns:
        A set out of "stream" (it prints), "display_data" (it calls a plotting
        function of d2lmini) and "execute_result" (it ends in a bare value).
    """
    tree = ast.parse(source)
    expected = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for decorator in statement.decorator_list:
                if ast.unparse(decorator) == "check":
                    expected.add("stream")  # an exercise's self-check
            continue  # defined here, called elsewhere
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id == "print":
                expected.add("stream")
            if (
                isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "d2l"
                and node.func.attr in PLOTTERS
            ):
                expected.add("display_data")
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call):
        expected.add("execute_result")
    return expected


def completed(found, given):
    """Tell whether metadata are those given, or what Jupyter made of them.

    Saving adds what it knows of the kernel's language, as its version.
    """
    language = found.get("language_info", {})
    return given.language_info.items() <= language.items() and given == {
        **found,
        "language_info": given.language_info,
    }


def compare_cells(notebook, generated):
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


def executed(notebook):
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
        elif cell.id == sources.ALONE_ID:
            continue  # silent here, where nothing is missing
        elif outputs_expected(cell.source) - kinds:
            missing = ", ".join(sorted(outputs_expected(cell.source) - kinds))
            yield f"{place}: its output is missing ({missing}); {again}"


def undescribed(notebook, lesson, framework):
    """Yield where a figure has no text for those who do not see it."""
    alts = {cell.id: cell.alt for cell in lesson.cells_of(framework)}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            drawn = "image/svg+xml" in output.get("data", {})
            if drawn and not alts[cell.id]:
                first = cell.source.splitlines()[0]
                yield (
                    f'cell {cell.id} ("{first}"): say in its option "alt" '
                    "what the figure shows, for those who do not see it"
                )


def check_notebook(lesson, framework, folder):
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
    differences = list(compare_cells(notebook, generated))
    yield from differences or executed(notebook)
    if not differences:
        yield from undescribed(notebook, lesson, framework)
    if path.stat().st_size > MOST_BYTES:
        yield f"{path.stat().st_size} bytes, expected at most {MOST_BYTES}"


def strangers(folder):
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


def check(folder=sources.NOTEBOOKS, frameworks=tuple(FRAMEWORKS)):
    """List everything that is wrong with the sources and the notebooks.

    Args:
        folder: the folder that holds ``source`` and the frameworks' folders.
        frameworks: names of those to look at.

    Returns:
        Messages, empty when all is well; each names the lesson or notebook,
        the cell, and the remedy.
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
        found += sources.problems(lesson)
        for framework in frameworks:
            found += [
                f"{folder.name}/{framework}/{name}.ipynb: {problem}"
                for problem in check_notebook(lesson, framework, folder)
            ]
    return found + list(strangers(folder))


def main():
    """Print what is wrong and exit with 1, or say how much is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--folder", type=Path, default=sources.NOTEBOOKS)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    frameworks = chosen(arguments.frameworks) or list(FRAMEWORKS)
    found = check(folder, frameworks)
    if found:
        sys.exit("\n".join(found))
    names = sources.names(folder / "source")
    print(
        f"{len(names) * len(frameworks)} notebooks are what "
        f"{len(names)} lessons give"
    )


if __name__ == "__main__":
    main()
