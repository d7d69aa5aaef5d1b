"""Run a lesson's own cells in this process and keep what they compute.

Agreement is measured on the lessons themselves, not on a twin of them: the
cells are those of the notebook, with only a few constants of the data changed.
"""

import contextlib
import io
import warnings
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt

from anyarray import to_numpy
from tools.author import sources


class Ran(NamedTuple):
    """What one code cell left behind."""

    id: str
    numbers: dict  # every numeric variable, as a float64 array
    printed: str


def run_lesson(name, framework, **constants):
    """Execute the code cells of a lesson, with its exercises solved.

    Args:
        name: a lesson's name.
        framework: whose cells to take.
        constants: other values for names that a cell assigns, e.g. ``seed``.

    Returns:
        A list of `Ran`, one for each cell.
    """
    trace, namespace = [], {"__name__": "lesson"}
    for cell in sources.read(name).cells_of(framework):
        if cell.kind != "code":
            continue
        source = cell.source
        if "n_train, n_test, seed =" in source:
            source = source.replace("\n\n", f"\n{assignments(constants)}\n", 1)
        printed = execute(source, namespace, f"{name}:{cell.id}")
        trace.append(Ran(cell.id, numbers(namespace), printed))
    return trace


def execute(source, namespace, name):
    """Execute code, close its figures, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(source, name, "exec"), namespace)
    plt.close("all")
    return said.getvalue()


def assignments(constants):
    """Write constants as Python lines."""
    return "\n".join(f"{key} = {value!r}" for key, value in constants.items())


def numbers(namespace):
    """Return the numeric variables of a namespace as float64 arrays."""
    found = {}
    for key, value in namespace.items():
        if key.startswith("_") or callable(value) or isinstance(value, str):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                array = np.asarray(to_numpy(value), dtype=float)
        except Exception:  # modules, models, lists of words
            continue
        found[key] = array
    return found
