"""All that a project may use of nbsight, used with strict types.

noxfile.py runs this, and mypy over it, against the installed package.
"""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from nbsight.accept import Store, accept
from nbsight.compare import output_differences
from nbsight.execute import CellFailed, execute

from nbsight import MIME, artists, startup_code

PATH = Path("client.ipynb")


class Generated(Store):
    """Where notebooks are made from something else."""

    def objection(self, path: Path) -> str | None:
        """Have only one of them stored."""
        return None if path.name == PATH.name else "it is not ours"


def main() -> None:
    """Execute a notebook, compare what it gives, store it."""
    notebook = new_notebook(cells=[new_code_cell("print(2.5)", id="one")])
    nbformat.write(notebook, PATH)
    first, second = (
        execute(notebook, ".", timeout=60).cells[0].outputs.copy()
        for _ in range(2)
    )
    same: list[str] = output_differences(first, second)
    assert same == [], same
    assert output_differences(first, []) != []
    status: int = accept([PATH], yes=True, store=Generated())
    assert status == 0, status
    lines: list[str] = artists({MIME: "", "artists": ["axes[0]\t{}"]})
    assert lines and "figure" in startup_code()
    try:
        execute(new_notebook(cells=[new_code_cell("1 / 0")]), ".")
    except CellFailed as failed:
        where: int | None = failed.index
        assert where == 0


if __name__ == "__main__":
    main()
