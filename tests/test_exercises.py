"""Stubs hide solutions, hints are folded, and each exercise has its parts."""

import pytest

from tools.author import exercises, house_rules, sources

SOLUTION = '''\
from zlib import crc32

weights = softmax(3 * scores)  # (5,)
low, high = weights.min(), weights.max()
for w in weights:
    print(w)


def pooled(weights, values):
    """Return the weighted average."""
    return weights @ values


answer = pooled(weights, values)
'''
STUB = '''\
from zlib import crc32
weights = ...  # (5,)
low, high = ..., ...


def pooled(weights, values):
    """Return the weighted average."""
    return ...


answer = ...'''


def code(tag, source):
    return f"```{{code-cell}} ipython3\n:tags: [{tag}]\n\n{source}\n```\n\n"


def prose(tag, words):
    return f'+++ {{"tags": ["{tag}"]}}\n\n{words}\n\n'


SOURCE = (
    "# 01 Title\n\n### Exercise 1: One\n\nQuestion.\n\n"
    + code("solution", "secret = 42  # ()")
    + code("check", "@check\ndef exercise_1(secret):\n    assert secret > 41")
    + prose("hint", "Look there.")
    + prose("hint", "Do that.")
    + prose("answer", "Because.")
)


def test_a_stub_keeps_names_shapes_and_signatures_only():
    assert exercises.stub(SOLUTION) == STUB


def test_a_notebook_shows_the_stub_and_folds_hints_and_solution():
    twice = SOURCE + SOURCE.partition("\n\n")[2]  # the second one is seen
    lesson = sources.parse("01_x", twice)
    assert house_rules.problems(lesson) == []
    *_, stub, check, first, second, folded = lesson.notebook("jax").cells
    assert stub.source == "secret = ...  # ()"
    assert "@check" in check.source
    for hint, title, words in [
        (first, "A first hint", "Look there."),
        (second, "A second hint", "Do that."),
    ]:
        assert hint.source.startswith(f"<details>\n<summary>{title}<")
        assert words in hint.source and "secret" not in hint.source
    assert folded.cell_type == "markdown"
    assert folded.source.startswith("<details>")
    assert folded.source.count("secret = 42") == 1
    assert "Because." in folded.source


BROKEN = {  # what is said: what stands instead of a part
    "out of place": (":tags: [check]\n", ""),
    "has no answer": ('+++ {"tags": ["answer"]}\n', "+++\n"),
    "stands under no exercise": ("### Exercise 1: One", "### One"),
    "nothing to do": ("secret = 42  # ()", "print(42)"),
    "a prose cell tagged 'hint'": ("Look there.", "```{code-cell}\n1\n```"),
    "expected solution, check, two": (prose("hint", "Do that."), ""),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_exercise_is_named(message):
    before, after = BROKEN[message]
    assert before in SOURCE
    lesson = sources.parse("01_x", SOURCE.replace(before, after))
    found = house_rules.problems(lesson)
    assert any(message in line for line in found), found
