"""The same data, start and loss give the same numbers in every framework."""

from functools import cache

import nbformat
import numpy as np
import pytest
from lesson_runs import printed_numbers, run_lesson

from tools import lesson as lessons

# Relative and absolute tolerances by the name of the variable. float32 has
# seven digits; a sum of 50 squares keeps about five of them. The book's
# recipe multiplies an error of the first slope by its learning rate, so what
# it ends with is known to three decimals only (see lesson 02).
TOLERANCES = {
    "weights": (0, 1e-5),
    "y_hat": (0, 1e-5),
    "loss": (1e-4, 0),
    "losses": (1e-4, 0),
    "w_good": (0, 1e-4),
    "log_w": (0, 1e-4),
    "w_book": (0, 5e-3),
    "y_book": (0, 2e-3),
    "weights_book": (0, 2e-3),
    "ends": (1e-3, 0),
    "mse_book": (5e-3, 0),
    "gradient": (1e-4, 1e-4),
    "slope": (2e-3, 0),
}
DEFAULT = (1e-5, 1e-5)
CHANGES = [
    {},
    {"seed": 0},
    {"seed": 5, "n_train": 30, "n_test": 60},
    {"seed": 7, "n_train": 120, "n_test": 240},
]


@cache
def reference(name, changes):
    return run_lesson(name, "numpy", **dict(changes))


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_every_number_of_lesson_02_agrees_with_numpy(framework, changes):
    compare("02_attention_pooling", framework, changes)


def test_every_number_of_lesson_01_agrees_with_numpy(framework):
    compare("01_attention_cues", framework, {})


def compare(name, framework, changes):
    trace = run_lesson(name, framework, **changes)
    right = reference(name, tuple(changes.items()))
    assert [cell for cell, _ in trace] == [cell for cell, _ in right]
    compared = set()
    for (cell, found), (_, expected) in zip(trace, right, strict=True):
        for variable in found.keys() & expected.keys():
            rtol, atol = TOLERANCES.get(variable, DEFAULT)
            np.testing.assert_allclose(
                found[variable],
                expected[variable],
                rtol=rtol,
                atol=atol,
                err_msg=f"{variable}, after cell {cell}",
            )
            compared.add(variable)
    assert {"weights", "y_hat"} <= compared
    if name.startswith("02"):
        assert {"loss", "losses", "w_good", "w_book", "y_good"} <= compared


def test_the_working_recipe_ends_at_the_minimum_in_every_framework(framework):
    _, numbers = run_lesson("02_attention_pooling", framework)[-1]
    assert abs(numbers["w_good"] - 4.1231) < 1e-3
    assert abs(numbers["w_book"] - 23.297) < 1e-2
    assert numbers["mse_good"] < numbers["mse_book"] / 4


@pytest.mark.parametrize("name", lessons.names())
def test_notebooks_say_the_same_in_every_framework(framework, name):
    """Headings, prose and words are equal, printed numbers nearly so."""
    first = read("numpy", name)
    other = read(framework, name)
    for left, right in zip(first.cells, other.cells, strict=True):
        assert (left.id, left.cell_type) == (right.id, right.cell_type)
        if left.cell_type == "markdown":
            assert left.source == right.source
            continue
        assert kinds(left) == kinds(right), left.id
        left_words, left_values = printed_numbers(printed(left))
        right_words, right_values = printed_numbers(printed(right))
        assert left_words == right_words, left.id
        assert left_values == pytest.approx(right_values, rel=1e-3, abs=1e-3)


def read(framework, name):
    path = lessons.NOTEBOOKS / framework / f"{name}.ipynb"
    return nbformat.read(path, as_version=4)


def kinds(cell):
    return [output.output_type for output in cell.outputs]


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)
