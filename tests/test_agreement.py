"""The same data, start and loss give the same numbers in every framework."""

import os
import re

import nbformat
import numpy as np
import pytest

from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen, why_missing
from tools.quality.agreement import shown_apart
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
LESSON = "02_attention_pooling"
RUNS = [(name, {}) for name in sources.names()]
RUNS += [
    (LESSON, {"seed": 5, "n_train": 30, "n_test": 60}),
    (LESSON, {"seed": 7, "n_train": 120, "n_test": 240}),
]
lessons = pytest.mark.parametrize("name", sources.names())


@lessons
def test_notebooks_show_the_same_in_every_framework(name):
    for other in OTHERS:
        assert shown_apart(path("numpy", name), path(other, name)) == []
        cells = read("numpy", name), read(other, name)
        for left, right in zip(*cells, strict=True):
            assert (left.id, left.cell_type) == (right.id, right.cell_type)
            if left.cell_type == "markdown":
                assert without_code(left) == without_code(right)


def test_a_printed_digit_that_is_wrong_is_shown_apart(tmp_path):
    right, other = path("numpy", LESSON), tmp_path / "other.ipynb"
    text = right.read_text("utf-8")
    text = text.replace("30, test MSE 0.1235", "30, test MSE 0.1237")
    other.write_text(text, "utf-8")
    (line,) = shown_apart(right, other)
    assert "stored 0.1235, now 0.1237" in line


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
@pytest.mark.parametrize(("name", "data"), RUNS, ids=str)
def test_every_number_agrees_on_the_lessons_data_and_on_others(name, data):
    first = run_lesson(name, "numpy", **data)
    for other in OTHERS:
        compared = set()
        second = run_lesson(name, other, **data)
        for left, right in zip(first, second, strict=True):
            assert left.id == right.id
            for key in left.numbers.keys() & right.numbers:
                np.testing.assert_allclose(
                    right.numbers[key],
                    left.numbers[key],
                    *TOLERANCES.get(key, DEFAULT),
                    err_msg=f"{other}: {key}, after cell {left.id}",
                )
                compared.add(key)
        assert {"weights", "y_hat"} <= compared


@pytest.mark.slow
@lessons
def test_every_solution_is_right_by_its_own_check(framework, name):
    printed = "".join(ran.printed for ran in run_lesson(name, framework))
    said = re.findall("^Exercise .*$", printed, re.MULTILINE)
    assert said == [f"Exercise {n + 1}: right." for n in range(len(said))]
    assert len(said) >= 3


def without_code(cell):
    """Return prose without links to siblings and folded solutions' code."""
    links = re.escape(sources.SIBLINGS) + r".*\n"
    code = r"```python\n(?s:.*?)```"
    return re.sub(f"{links}|{code}", "", cell.source)


def path(framework, name):
    return sources.NOTEBOOKS / framework / f"{name}.ipynb"


def read(framework, name):
    return nbformat.read(path(framework, name), as_version=4).cells
