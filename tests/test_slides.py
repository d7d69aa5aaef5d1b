"""A deck's text, of a small lesson and outputs that were not executed."""

import re

import pytest
from nbformat.v4 import new_output

from tools.author.sources import LessonError, parse
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


def test_first_slide_names_lesson_framework_and_minutes(parted):
    shown = parted[0]["09 A small lesson (PyTorch)"]
    assert "about 5 minutes" in shown


def test_marked_cells_are_shown_and_others_are_not(deck, parted):
    seen, _ = parted
    assert "print(np.mean(unmarked))" in seen["A mean"]
    assert "mean 1.5" in seen["A mean"]
    for hidden in ("unmarked = [1, 2]", "import numpy", "hidden_code"):
        assert hidden not in deck.text
    assert "solved" not in deck.text
    assert "The tools" not in seen


def test_questions_stand_before_the_code_and_the_output_waits(parted):
    shown = parted[0]["A mean"]
    order = "Which number", "what sign", "np.mean", "fragment", "mean 1.5"
    places = [shown.index(part) for part in order]
    assert places == sorted(places)


def test_question_that_no_marked_cell_answers_is_in_the_notes_only(parted):
    seen, notes = parted
    assert "without an answer" not in "".join(seen.values())
    assert "without an answer" in notes["A mean"]


def test_formulas_are_kept_on_slides_and_as_tex_in_notes(parted):
    seen, notes = parted
    assert r"$$m = \frac{1}{n} \sum_i x_i $$" in seen["A mean"]
    assert r"m = \frac{1}{n} \sum_i x_i." in notes["A mean"]
    assert '<span class="math inline">n</span> values' in notes["A mean"]


def test_prose_is_in_the_notes_without_comments(deck, parted):
    seen, notes = parted
    assert "The prose" in notes["A mean"]
    assert "After it" in notes["A mean"]
    assert "The prose" not in seen["A mean"]
    assert "hidden" not in deck.text


def test_what_a_last_line_returns_is_left_out_beside_a_print(deck):
    assert "Text(0" not in deck.text


def test_figure_has_its_text(deck, parted):
    shown = parted[0]["A picture of it"]
    assert ":alt: A line from 1 to 2." in shown
    assert list(deck.pictures.values()) == ["<svg/>"]


def test_summary_is_a_list_and_exercises_are_titles_only(parted):
    seen, notes = parted
    assert "spoiler" not in notes["Exercises"]
    assert "- First point.\n\n- Second point." in seen["What you saw"]
    assert seen["Exercises"].strip() == "1. The sum"


def test_lesson_that_says_no_minutes_is_refused():
    text = LESSON.replace("about 5 minutes", "a while")
    with pytest.raises(LessonError, match="'about N minutes' is missing"):
        slides.deck(parse("09_small", text), "numpy", {})


def test_blocks_that_do_not_fit_go_to_the_next_slide():
    half, figure, output = (
        slides.Block(kind, "", height)
        for kind, height in (
            ("code", slides.ROOM // 2),
            ("figure", 1),
            ("output", slides.ROOM // 2),
        )
    )
    packed = slides.pack(
        [half, half, half, output, half, figure, output, half]
    )
    assert [len(blocks) for blocks in packed] == [2, 2, 1, 2, 1]
