"""The same data, start and loss give the same numbers in every framework."""

import nbformat
import numpy as np
import pytest
from printed import printed_numbers

from tools import lesson as lessons
from tools.agreement import DATA_SETS, pairs
from tools.in_process import run_lesson

# Relative and absolute tolerances by the name of the variable; `make
# agreement` prints what is measured. float32 has seven digits. With the book's
# narrow kernel an error in a score weighs more, and the slope is a difference
# of two nearly equal losses.
TOLERANCES = {
    "loss": (1e-4, 0),
    "losses": (1e-4, 0),
    "w_good": (0, 1e-4),
    "w_book": (0, 1e-4),
    "y_book": (0, 1e-4),
    "weights_book": (0, 1e-4),
    "slope": (1e-3, 0),
}
DEFAULT = (1e-5, 1e-5)


@pytest.mark.parametrize("data", DATA_SETS, ids=str)
def test_every_number_of_lesson_02_agrees_with_numpy(framework, data):
    compared = compare("02_attention_pooling", framework, data)
    assert {"loss", "losses", "w_good", "w_book", "y_good"} <= compared


def test_every_number_of_lesson_01_agrees_with_numpy(framework):
    compare("01_attention_cues", framework, {})


def compare(name, framework, data):
    compared = set()
    for cell, variable, found, expected in pairs(name, framework, data):
        rtol, atol = TOLERANCES.get(variable, DEFAULT)
        np.testing.assert_allclose(
            found,
            expected,
            rtol=rtol,
            atol=atol,
            err_msg=f"{variable}, after cell {cell}",
        )
        compared.add(variable)
    assert {"weights", "y_hat"} <= compared
    return compared


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
