"""Run a lesson's own cells in this process and keep what they compute.

Agreement is measured on the lessons themselves, not on a twin of them: the
cells are those of the notebook, with only a few constants of the data changed.
"""

import contextlib
import io
import os
import warnings
from functools import cache
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
from matplotlib import pyplot as plt

from anyarray import to_numpy
from tools.author import sources

# What makes a framework's array of NumPy's.
ARRAYS = {
    "numpy": "numpy:array",
    "pytorch": "torch:tensor",
    "tensorflow": "tensorflow:constant",
    "mxnet": "mxnet.numpy:array",
    "jax": "jax.numpy:array",
}


class Ran(NamedTuple):
    """What one code cell left behind."""

    id: str
    numbers: dict[str, np.ndarray]  # every numeric variable, in float64
    printed: str


@cache
def run_lesson(name: str, framework: str, **constants: int) -> list[Ran]:
    """Execute the code cells of a lesson once, with its exercises solved.

    Constants are other values for what its data are made of, such as `seed`.
    """
    trace: list[Ran] = []
    namespace: dict[str, Any] = {"__name__": "lesson"}
    lines = [f"{key} = {value!r}\n" for key, value in constants.items()]
    for cell in sources.read(name).cells_of(framework):
        if cell.kind == "code":
            source = cell.source
            if "n_train, n_test, seed =" in source:
                source = source.replace("\n\n", "\n" + "".join(lines), 1)
            printed = execute(source, namespace, f"{name}:{cell.id}")
            trace.append(Ran(cell.id, numbers(namespace), printed))
    return trace


def execute(source: str, namespace: dict[str, Any], name: str) -> str:
    """Execute code, close its figures, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(source, name, "exec"), namespace)
    plt.close("all")
    return said.getvalue()


def numbers(namespace: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the numeric variables of a namespace as float64 arrays."""
    found = {}
    for key, value in namespace.items():
        if key.startswith("_") or callable(value) or isinstance(value, str):
            continue
        # Modules, models and lists of words are none, and some warn, too.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[key] = np.asarray(to_numpy(value), dtype=float)
    return found
