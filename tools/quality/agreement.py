"""Find where the frameworks' numbers lie apart.

The executed notebooks are compared as the check compares a new run: whatever
a framework's notebook prints and draws with what NumPy's does. For numbers
that are not shown, and for other data, the cells are run (by the tests).
"""

from collections.abc import Iterator

import nbformat
import numpy as np

from nbsight import compare
from tools.author import sources
from tools.quality.in_process import run_lesson

LESSON = "02_attention_pooling"
DATA_SETS: list[dict[str, int]] = [
    {},  # the lesson's own
    {"seed": 5, "n_train": 30, "n_test": 60},
    {"seed": 7, "n_train": 120, "n_test": 240},
]


def shown_apart(name: str, framework: str) -> list[str]:
    """Return where a framework's notebook shows something else than NumPy's.

    The tick at the very end of an axis is left out: a largest weight of
    0.9999999 has none at 1.0.
    """
    one, other = (
        nbformat.read(sources.NOTEBOOKS / folder / f"{name}.ipynb", 4).cells
        for folder in ("numpy", framework)
    )
    return [
        f"{framework}/{name}, {left.id}: {line}"
        for left, right in zip(one, other, strict=True)
        if left.cell_type == "code"
        for line in compare.output_differences(left.outputs, right.outputs)
        if "ticks" not in line
    ]


def computed(
    name: str, framework: str, **data: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield what a framework and NumPy compute, side by side.

    Args:
        name: a lesson's name.
        framework: whose cells to run.
        data: constants of the data, see `DATA_SETS`.

    Yields:
        (cell id, variable, framework's array, NumPy's array) for each
        variable that both have, after each cell.
    """
    first = run_lesson(name, "numpy", **data)
    other = run_lesson(name, framework, **data)
    for left, right in zip(first, other, strict=True):
        if left.id != right.id:
            raise ValueError(f"{name}: {framework} has other cells than numpy")
        for variable, expected in left.numbers.items():
            if variable in right.numbers:
                yield left.id, variable, right.numbers[variable], expected


def main(frameworks: list[str]) -> bool:
    """Print what the notebooks show differently; tell whether they do."""
    others = [framework for framework in frameworks if framework != "numpy"]
    names = sources.names()
    lines = [x for f in others for n in names for x in shown_apart(n, f)]
    print(*lines, f"{len(lines)} differences", sep="\n")
    return bool(lines)
