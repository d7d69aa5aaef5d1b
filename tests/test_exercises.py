"""Stubs are made from solutions, and hide them."""

import pytest

from tools import exercises, lesson

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

@d2l.check(secret)
def exercise_1(secret):
    assert secret > 41, "more"
```

+++ {"tags": ["answer"]}

Because.
"""


def test_a_stub_keeps_names_shapes_and_signatures_only():
    assert exercises.stub(SOLUTION) == STUB


def test_a_notebook_shows_the_stub_and_folds_the_solution(framework):
    notebook = lesson.parse("01_x", SOURCE).notebook(framework)
    *_, stub, check, folded = notebook.cells
    assert stub.source == "secret = ...  # ()"
    assert "d2l.check" in check.source
    assert folded.cell_type == "markdown"
    assert folded.source.startswith("<details>")
    assert "secret = 42" in folded.source and "Because." in folded.source


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (":tags: [check]\n", "", "out of place"),
        ('+++ {"tags": ["answer"]}\n', "+++\n", "has no answer"),
        ("### Exercise 1: One", "### One", "stands under no exercise"),
        ("secret = 42  # ()", "print(42)", "nothing to do"),
    ],
)
def test_a_broken_exercise_is_named(before, after, message):
    assert before in SOURCE
    found = lesson.problems(
        lesson.parse("01_x", SOURCE.replace(before, after))
    )
    assert any(message in line for line in found), found
