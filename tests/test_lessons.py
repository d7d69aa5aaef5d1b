"""What the prose of the lessons promises."""

import re

import nbformat
import pytest
from printed import printed_numbers

from tools import lesson as lessons

DECIMAL = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?![\w.]*\d)")


@pytest.mark.parametrize("name", lessons.names())
def test_every_decimal_in_the_prose_is_printed_or_used_by_a_cell(name):
    path = lessons.NOTEBOOKS / "numpy" / f"{name}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    vouched = []
    for cell in cells:
        if cell.cell_type == "code":
            texts = [output.get("text", "") for output in cell.outputs]
            vouched += printed_numbers("\n".join([cell.source, *texts]))[1]
    for cell in cells:
        if cell.cell_type == "markdown":
            for number in DECIMAL.findall(cell.source):
                digits = len(number.split(".")[1])
                assert any(
                    round(value, digits) == float(number) for value in vouched
                ), f"{number} in cell {cell.id}: no cell prints or uses it"


@pytest.mark.parametrize("name", lessons.names())
def test_a_lesson_opens_and_ends_as_readers_expect(name):
    text = (lessons.SOURCE / f"{name}.md").read_text()
    for words in (
        "**What you will do.**",
        "**What you will learn.**",
        "**What you need.**",
        "minutes",
        "## What you saw",
        "## Exercises",
    ):
        assert words in text
    assert text.count("**Predict.**") >= 5
    assert text.index("## What you saw") < text.index("## Exercises")
