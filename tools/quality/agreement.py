"""Measure how far the frameworks' numbers lie apart.

The executed notebooks are compared as the check compares a new run: whatever
a framework's notebook prints and draws with NumPy's. For what they do not
show, and for other data, the cells are run.
"""

from collections.abc import Iterator

import nbformat
import numpy as np

from nbsight import compare
from tools.author import sources
from tools.frameworks import why_missing
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


def largest(framework: str) -> dict[str, float]:
    """Return each variable's largest difference, over all data sets."""
    worst: dict[str, float] = {}
    for data in DATA_SETS:
        for _, name, found, right in computed(LESSON, framework, **data):
            apart = float(np.max(np.abs(found - right), initial=0))
            worst[name] = max(worst.get(name, 0), apart)
    return worst


def main(frameworks: list[str]) -> bool:
    """Print what differs; tell whether a notebook shows a difference."""
    others = [n for n in frameworks if n != "numpy" and not why_missing(n)]
    lines = []
    for name in sources.names():
        for framework in others:
            lines += shown_apart(name, framework)
    print(*lines, f"notebooks show {len(lines)} differences", sep="\n")
    print(f"{LESSON}, {len(DATA_SETS)} data sets: largest differences")
    worst = {framework: largest(framework) for framework in others}
    print(f"{'':16}" + "".join(f"{framework:>12}" for framework in others))
    for name in sorted(set().union(*worst.values())):
        row = [found.get(name, 0) for found in worst.values()]
        if any(row):
            print(f"{name:16}" + "".join(f"{apart:12.1e}" for apart in row))
    return bool(lines)
