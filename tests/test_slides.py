"""A deck's text, of a small lesson and outputs that were not executed."""

import re

import pytest
from nbformat.v4 import new_output

from tools.author.sources import parse
from tools.book import slides

LESSON = r"""# 09 A small lesson

**What you need.** No more than about 5 minutes.

## The tools

Not for a slide.

```{code-cell} ipython3
import numpy as np
```

## A mean

**Why.** The prose, with $n$ values. <!-- unmeasured: 7 (hidden) -->

$$m = \frac{1}{n} \sum_i x_i.$$

**Predict.** Which number will come?

```{code-cell} ipython3
unmarked = [1, 2]
```

**Predict.** And with what sign?

```{code-cell} ipython3
:tags: [slide]

print(np.mean(unmarked))
```

**What you saw.** After it.

**Predict.** A question without an answer.

### A picture of it

```{code-cell} ipython3
---
alt: A line from 1 to 2.
tags: [slide-output]
---
draw(hidden_code)
```

## What you saw

- First point.
- Second point.

## Exercises

### Exercise 1: The sum

$$s = n\,m$$

```{code-cell} ipython3
:tags: [solution, slide]

solved = 3
```

+++ {"tags": ["hint"]}

A spoiler.
"""
SVG = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}


@pytest.fixture(scope="module")
def deck():
    """Make a deck of what the notebook would hold."""
    lesson = parse("09_small", LESSON)
    outputs = {}
    for cell in lesson.cells:
        if "np.mean" in cell.source:
            outputs[cell.id] = [
                new_output("stream", text="mean 1.5\n"),
                new_output("execute_result", {"text/plain": "Text(0, 0.5)"}),
            ]
        elif "draw" in cell.source:
            outputs[cell.id] = [new_output("display_data", SVG)]
    return slides.deck(lesson, "pytorch", outputs)


@pytest.fixture(scope="module")
def parted(deck):
    """Return what the room sees, and the notes, as {heading: text} each."""
    seen, notes = {}, {}
    for slide in re.split(r"\n##? ", deck.text.split("---\n", 2)[2])[1:]:
        heading, _, rest = slide.partition("\n")
        shown, _, aside = rest.partition("```{raw} html")
        seen[heading] = seen.get(heading, "") + shown
        notes[heading] = notes.get(heading, "") + aside
    return seen, notes


def test_the_room_sees_what_is_marked_in_the_order_of_the_lesson(parted):
    seen, _ = parted
    assert [*seen] == [
        "09 A small lesson (PyTorch)",
        "A mean",
        "A picture of it",
        "What you saw",
        "Exercises",
    ]
    opening, mean, picture, summary, exercises = seen.values()
    assert "about 5 minutes" in opening
    order = r"\sum_i x_i $$", "Which number", "what sign", "print(np.mean("
    order += "fragment", "mean 1.5"  # the output waits for the next step
    places = [mean.index(part) for part in order]
    assert places == sorted(places)
    assert ":alt: A line from 1 to 2." in picture
    assert "- First point.\n\n- Second point." in summary
    assert exercises.strip() == "1. The sum"


def test_prose_and_questions_without_an_answer_are_in_the_notes_only(parted):
    seen, notes = parted
    for text in "The prose", "After it", "without an answer":
        assert text in notes["A mean"]
        assert text not in "".join(seen.values())
    assert r"m = \frac{1}{n} \sum_i x_i." in notes["A mean"]
    assert '<span class="math inline">n</span> values' in notes["A mean"]


def test_what_is_for_nobody_in_the_room_is_nowhere(deck):
    for text in (
        *("unmarked = [1, 2]", "import numpy", "hidden_code"),  # unmarked
        *("solved", "spoiler"),  # the exercise's
        "Text(0",  # which a last line returns, beside what is printed
        "(hidden)",  # a comment's
    ):
        assert text not in deck.text
    assert list(deck.pictures.values()) == ["<svg/>"]


def test_blocks_that_do_not_fit_go_to_the_next_slide():
    half = slides.ROOM // 2
    code, output = (slides.Block(k, "", half) for k in ("code", "output"))
    figure = slides.Block("figure", "", 1)
    blocks = [code, code, code, output, code, figure, output, code]
    packed = slides.pack(blocks)
    assert [len(blocks) for blocks in packed] == [2, 2, 1, 2, 1]
