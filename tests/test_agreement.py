"""The same data, start and loss give the same numbers in every framework."""

import os
import re

import nbformat
import numpy as np
import pytest

from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen, why_missing
from tools.quality.agreement import DATA_SETS, LESSON, computed, shown_apart
from tools.quality.in_process import run_lesson

# Relative and absolute tolerances by the name of the variable. float32 has
# seven digits. With the book's narrow kernel an error in a score weighs more,
# and the slope is a difference of two nearly equal losses.
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
CHOICE = chosen(os.environ.get("LESSON_FRAMEWORKS", "")) or FRAMEWORKS
OTHERS = [n for n in CHOICE if n != "numpy" and not why_missing(n)]
lessons = pytest.mark.parametrize("name", sources.names())


@lessons
def test_notebooks_show_the_same_in_every_framework(name):
    """Texts, and all numbers that are printed or drawn."""
    for other in OTHERS:
        assert shown_apart(name, other) == []
        cells = read("numpy", name), read(other, name)
        for left, right in zip(*cells, strict=True):
            assert (left.id, left.cell_type) == (right.id, right.cell_type)
            if left.cell_type == "markdown":
                assert without_code(left) == without_code(right)


@lessons
def test_every_exercise_of_a_notebook_is_still_to_do(framework, name):
    said = [
        cell.outputs[0].text
        for cell in read(framework, name)
        if "check" in cell.metadata.get("tags", [])
    ]
    for number, line in enumerate(said, 1):
        to_do = rf"Exercise {number}: not yet\. .* is still to do\.\n"
        assert re.fullmatch(to_do, line), line
    assert len(said) >= 3


@pytest.mark.slow
@lessons
def test_every_number_of_a_lesson_agrees_with_numpys(name):
    for other in OTHERS:
        assert {"weights", "y_hat"} <= agreeing(other, name)


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA_SETS[1:], ids=str)
def test_the_numbers_agree_on_other_data_too(data):
    for other in OTHERS:
        found = agreeing(other, LESSON, **data)
        assert {"loss", "losses", "w_good", "w_book", "y_good"} <= found


@pytest.mark.slow
@lessons
def test_every_solution_is_right_by_its_own_check(framework, name):
    printed = "".join(ran.printed for ran in run_lesson(name, framework))
    said = re.findall("^Exercise .*$", printed, re.MULTILINE)
    assert said == [f"Exercise {n + 1}: right." for n in range(len(said))]
    assert len(said) >= 3


def agreeing(other, name, **data):
    """Compare all that a lesson computes; return the variables' names."""
    compared = set()
    for cell, variable, found, right in computed(name, other, **data):
        rtol, atol = TOLERANCES.get(variable, DEFAULT)
        where = f"{other}: {variable}, after cell {cell}"
        np.testing.assert_allclose(found, right, rtol, atol, err_msg=where)
        compared.add(variable)
    return compared


def without_code(cell):
    """Return prose without links to siblings and folded solutions' code."""
    links = re.escape(sources.SIBLINGS) + r".*\n"
    code = r"```python\n(?s:.*?)```"
    return re.sub(f"{links}|{code}", "", cell.source)


def read(framework, name):
    path = sources.NOTEBOOKS / framework / f"{name}.ipynb"
    return nbformat.read(path, as_version=4).cells
