"""Find where the frameworks' executed notebooks show other things.

They are compared as the check compares a new run: whatever a framework's
notebook prints and draws with what NumPy's does.
"""

from pathlib import Path

import nbformat

from nbsight import compare
from tools.author import sources


def shown_apart(one: Path, other: Path) -> list[str]:
    """Return where two frameworks' notebooks of a lesson show other things.

    The tick at the very end of an axis is left out: a largest weight of
    0.9999999 has none at 1.0.
    """
    cells = (nbformat.read(path, as_version=4).cells for path in (one, other))
    return [
        f"{other}, {left.id}: {line}"
        for left, right in zip(*cells, strict=True)
        if left.cell_type == "code"
        for line in compare.output_differences(left.outputs, right.outputs)
        if "ticks" not in line
    ]


def compare_all(frameworks: list[str]) -> bool:
    """Print what the notebooks show differently; tell whether they do."""
    lines = [
        line
        for one in sorted((sources.NOTEBOOKS / "numpy").glob("*.ipynb"))
        for name in frameworks
        for line in shown_apart(one, sources.NOTEBOOKS / name / one.name)
    ]
    print(*lines, f"{len(lines)} differences", sep="\n")
    return bool(lines)
