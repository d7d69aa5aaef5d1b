"""The same data, start and loss give the same numbers in every framework."""

import re

import nbformat
import numpy as np
import pytest
from printed import printed_numbers

from tools.author import sources
from tools.quality.agreement import DATA_SETS, LESSON, pairs, trace

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
    # A width that runs away; what noise there is grows with it.
    "w_own": (1e-4, 0),
    "curve": (0, 1e-3),  # at w = 100, where rounding picks among near keys
}
DEFAULT = (1e-5, 1e-5)


@pytest.mark.parametrize("data", DATA_SETS, ids=str)
def test_the_numbers_agree_on_other_data_too(framework, data):
    compared = compare(LESSON, framework, data)
    assert {"loss", "losses", "w_good", "w_book", "y_good"} <= compared


@pytest.mark.parametrize("name", sources.names())
def test_every_number_of_a_lesson_agrees_with_numpy(framework, name):
    assert {"weights", "y_hat"} <= compare(name, framework, {})


@pytest.mark.parametrize("name", sources.names())
def test_every_solution_is_right_by_its_own_check(framework, name):
    said = [
        line
        for ran in trace(name, framework)
        for line in ran.printed.splitlines()
        if line.startswith("Exercise ")
    ]
    assert said == [f"Exercise {n + 1}: right." for n in range(len(said))]
    assert len(said) >= 3


@pytest.mark.parametrize("name", sources.names())
def test_every_exercise_of_a_notebook_is_still_to_do(framework, name):
    said = [
        printed(cell)
        for cell in read(framework, name).cells
        if "check" in cell.metadata.get("tags", [])
    ]
    for number, line in enumerate(said, 1):
        assert line.startswith(f"Exercise {number}: not yet. "), line
        assert line.endswith(" is still to do.\n"), line
    assert len(said) >= 3


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
    return compared


def test_the_working_recipe_ends_at_the_minimum_in_every_framework(framework):
    numbers = trace(LESSON, framework)[-1].numbers
    assert abs(numbers["w_good"] - 4.1231) < 1e-3
    assert abs(numbers["w_book"] - 23.297) < 1e-2
    assert numbers["mse_good"] < numbers["mse_book"] / 4


@pytest.mark.parametrize("name", sources.names())
def test_notebooks_say_the_same_in_every_framework(framework, name):
    """Headings, prose and words are equal, printed numbers nearly so."""
    first = read("numpy", name)
    other = read(framework, name)
    for left, right in zip(first.cells, other.cells, strict=True):
        assert (left.id, left.cell_type) == (right.id, right.cell_type)
        if left.cell_type == "markdown":
            assert without_code(left) == without_code(right)
            continue
        assert kinds(left) == kinds(right), left.id
        left_words, left_values = printed_numbers(printed(left))
        right_words, right_values = printed_numbers(printed(right))
        assert left_words == right_words, left.id
        assert left_values == pytest.approx(right_values, rel=1e-3, abs=1e-3)


def without_code(cell):
    """Return prose without links to siblings and folded solutions' code."""
    links = re.escape(sources.SIBLINGS) + r".*\n"
    code = r"```python\n(?s:.*?)```"
    return re.sub(f"{links}|{code}", "", cell.source)


def read(framework, name):
    path = sources.NOTEBOOKS / framework / f"{name}.ipynb"
    return nbformat.read(path, as_version=4)


def kinds(cell):
    return [output.output_type for output in cell.outputs]


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)
