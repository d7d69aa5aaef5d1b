"""Stubs hide solutions, hints are folded, and self-checks judge fairly."""

from functools import cache

import pytest

from tools.author import exercises, sources
from tools.frameworks import FRAMEWORKS, why_missing
from tools.quality import wrong_answers
from tools.quality.in_process import execute

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


def test_a_stub_keeps_names_shapes_and_signatures_only():
    assert exercises.stub(SOLUTION) == STUB


def test_a_notebook_shows_the_stub_and_folds_hints_and_solution(framework):
    notebook = sources.parse("01_x", SOURCE).notebook(framework)
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
    assert "secret = 42" in folded.source and "Because." in folded.source


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
    found = sources.problems(
        sources.parse("01_x", SOURCE.replace(before, after))
    )
    assert any(message in line for line in found), found


@pytest.mark.parametrize("name", sources.names())
def test_the_first_exercise_of_a_lesson_takes_two_minutes(name):
    cells = sources.read(name).cells
    asked = [cell.source for cell in cells if "### Exercise" in cell.source]
    first = asked[0].partition("### Exercise 1: ")[2]
    assert "About two minutes" in first and "Change one" in " ".join(
        first.split()
    )


@cache
def judged(name):
    """What a lesson's checks say of answers; NumPy's cells, all arrays."""
    installed = [other for other in FRAMEWORKS if not why_missing(other)]
    families = "form", "nonsense"
    return list(wrong_answers.judge(name, "numpy", families, installed))


@pytest.mark.parametrize("name", sources.names())
@pytest.mark.parametrize("family", ["form", "nonsense"])
def test_checks_take_right_answers_in_any_form_and_tell_others_in_words(
    name, family
):
    mine = [one for one in judged(name) if one.family == family]
    wrong = [one for one in mine if not one.is_just()]
    assert not wrong
    asked = {one.exercise for one in mine}
    assert len(asked) == len(
        [c for c in sources.read(name).cells if "check" in c.tags]
    )


def test_a_fault_in_a_solution_is_planted_and_refused():
    name, *_ = sources.names()
    found = list(wrong_answers.judge(name, "numpy", ["changed"]))
    assert len(found) > 5 and all(one.is_just() for one in found)


PLANTED = {  # right numbers, or nearly, by another way than is asked for
    ("02", 5): """
def my_loss(w):  # the own pair is kept
    y_hat = my_weights(keys, keys, w) @ values
    return np.mean((y_hat - values) ** 2)


w_mine = min(np.geomspace(1, 100, 100), key=my_loss)
""",
    ("03", 2): """
def choose_width(loss):  # more than twenty
    widths = np.geomspace(1, 20, 21)
    return widths[np.argmin(loss(widths))]
""",
    ("04", 3): """
h_own, loss_own, h_loo, loss_loo = 0.0219, 0.00557, 0.0864, 0.01457


def learn_width(keys, values, steps):  # no gradient
    return (h_own, loss_own) if keys.ndim == 1 else (h_loo, loss_loo)
""",
    ("04", 4): """
distance = ((ball_queries[:, None] - long_keys) ** 2).sum(axis=2)
dot_weights = softmax(-distance / 2 / 0.5**2)
per_key = np.zeros(10)
""",
    ("04", 6): """
losses_500 = [np.mean((predict(x_500, w) - y_500) ** 2) for w in ws]
""",
    ("05", 3): """
def pool_by_keys(x_q, x_k, y, w, size):  # all scores at once
    return softmax(-((w * (x_q[:, None] - x_k)) ** 2) / 2) @ y
""",
    ("05", 3, "rows"): """
def pool_by_keys(x_q, x_k, y, w, size):  # a whole row of scores at once
    return [softmax(-((w * (q - x_k)) ** 2) / 2) @ y for q in x_q]
""",
}


@cache
def exercises_of(number):
    """The exercises of a lesson in NumPy, each with the names before it."""
    name = next(n for n in sources.names() if n.startswith(number))
    return list(wrong_answers.exercises_of(name, "numpy"))


@pytest.mark.parametrize("where", PLANTED, ids=str)
def test_a_check_that_names_a_method_tests_for_it(where):
    number = where[1]
    title, solutions, check, names = exercises_of(where[0])[number - 1]
    names = dict(names)
    assert title.startswith(f"Exercise {number}:")
    for source in solutions:
        execute(source, names, "answer")
    assert wrong_answers.said_of(check, names).endswith(": right.\n")
    execute(PLANTED[where], names, "planted")
    said = wrong_answers.said_of(check, names)
    assert ": not yet. " in said and "raised" not in said
