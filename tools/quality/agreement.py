"""Measure how far the frameworks' numbers lie apart: `make agreement`.

Every numeric variable that a lesson's cells define is compared with NumPy's,
after each cell, for the lesson's data and for other seeds and sizes.
"""

import argparse
import os
from collections import defaultdict
from functools import cache

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np

from tools.frameworks import FRAMEWORKS, chosen, why_missing
from tools.quality.in_process import run_lesson

LESSON = "02_attention_pooling"
DATA_SETS = [
    {},  # the lesson's own
    {"seed": 0},
    {"seed": 5, "n_train": 30, "n_test": 60},
    {"seed": 7, "n_train": 120, "n_test": 240},
]


@cache
def trace(name, framework, data=()):
    """Run a lesson, once for each framework and data set (as its items)."""
    return run_lesson(name, framework, **dict(data))


def pairs(name, framework, data):
    """Yield what a framework and NumPy compute, side by side.

    Args:
        name: a lesson's name.
        framework: whose cells to run.
        data: constants of the data, see `DATA_SETS`.

    Yields:
        (cell id, variable, framework's array, NumPy's array) for each
        variable that both have, after each cell.

    Raises:
        ValueError: when the two have different cells.
    """
    right = trace(name, "numpy", tuple(data.items()))
    run = trace(name, framework, tuple(data.items()))
    if [ran.id for ran in run] != [ran.id for ran in right]:
        raise ValueError(f"{name}: {framework} has other cells than numpy")
    for ran, reference in zip(run, right, strict=True):
        found, expected = ran.numbers, reference.numbers
        for variable in sorted(found.keys() & expected.keys()):
            yield ran.id, variable, found[variable], expected[variable]


def largest(framework):
    """Return the largest difference of each variable, over all data sets.

    Returns:
        {variable: (absolute, relative to the largest number of the array)}.
    """
    worst = defaultdict(lambda: (0.0, 0.0))
    for data in DATA_SETS:
        for _, variable, found, expected in pairs(LESSON, framework, data):
            absolute = float(np.max(np.abs(found - expected), initial=0))
            scale = float(np.max(np.abs(expected), initial=0)) or 1.0
            before = worst[variable]
            worst[variable] = (
                max(before[0], absolute),
                max(before[1], absolute / scale),
            )
    return worst


def main():
    """Print a table: a row per variable, the largest difference of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    names = chosen(parser.parse_args().frameworks) or list(FRAMEWORKS)
    names = [n for n in names if n != "numpy" and not why_missing(n)]
    results = {name: largest(name) for name in names}
    print(f"{LESSON}, {len(DATA_SETS)} data sets: absolute (relative)")
    print(f"{'':16}" + "".join(f"{name:>20}" for name in names))
    for variable in sorted({v for found in results.values() for v in found}):
        row = [results[name].get(variable, (0.0, 0.0)) for name in names]
        if any(absolute > 0 for absolute, _ in row):
            cells = [f"{a:.1e} ({r:.1e})" for a, r in row]
            print(f"{variable:16}" + "".join(f"{c:>20}" for c in cells))


if __name__ == "__main__":
    main()
