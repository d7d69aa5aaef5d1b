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


print(pooled(weights, values))
'''
STUB = '''\
from zlib import crc32
weights = ...  # (5,)
low, high = ..., ...


def pooled(weights, values):
    """Return the weighted average."""
    return ...'''
SOURCE = """\
# 01 Title

### Exercise 1: One

Question.

```{code-cell} ipython3
:tags: [solution]

secret = 42  # ()
```

```{code-cell} ipython3
:tags: [check]

@check
def exercise_1(secret):
    assert secret > 41, "more"
```

+++ {"tags": ["hint"]}

Look there.

+++ {"tags": ["hint"]}

Do that.

+++ {"tags": ["answer"]}

Because.
"""


def test_an_exercise_with_all_its_parts_is_in_order():
    assert house_rules.problems(sources.parse("01_x", SOURCE)) == []


def test_a_stub_keeps_names_shapes_and_signatures_only():
    assert exercises.stub(SOLUTION) == STUB


def test_a_notebook_shows_the_stub_and_folds_hints_and_solution():
    twice = SOURCE + SOURCE.partition("\n\n")[2]  # the second one is seen
    notebook = sources.parse("01_x", twice).notebook("jax")
    *_, stub, check, first, second, folded = notebook.cells
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


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (":tags: [check]\n", "", "out of place"),
        ('+++ {"tags": ["answer"]}\n', "+++\n", "has no answer"),
        ("### Exercise 1: One", "### One", "stands under no exercise"),
        ("secret = 42  # ()", "print(42)", "nothing to do"),
        (
            '+++ {"tags": ["hint"]}\n\nDo that.',
            "",
            "expected solution, check, two",
        ),
    ],
)
def test_a_broken_exercise_is_named(before, after, message):
    assert before in SOURCE
    lesson = sources.parse("01_x", SOURCE.replace(before, after))
    found = house_rules.problems(lesson)
    assert any(message in line for line in found), found
