"""A deck's text, of a small lesson and outputs that were not executed."""

import re

import pytest
from nbformat.v4 import new_output

from tools.author.sources import LessonError, parse
from tools.book import slides
from tools.frameworks import FRAMEWORKS

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
"""
SVG = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}


def outputs(lesson, picture="<svg/>"):
    """Return what the notebooks would hold: {framework: {id: outputs}}."""
    made = {}
    for cell in lesson.cells:
        if "np.mean" in cell.source:
            made[cell.id] = [
                new_output("stream", text="mean 1.5\n"),
                new_output("execute_result", {"text/plain": "Text(0, 0.5)"}),
            ]
        elif "draw" in cell.source:
            shown = SVG | {"image/svg+xml": picture}
            made[cell.id] = [new_output("display_data", shown)]
    return {name: dict(made) for name in FRAMEWORKS}


@pytest.fixture(scope="module")
def lesson():
    return parse("09_small", LESSON)


@pytest.fixture(scope="module")
def deck(lesson):
    return slides.deck(lesson, "pytorch", outputs(lesson))


def parted(text):
    """Return what the room sees, and the notes, as {heading: text} each."""
    seen, notes = {}, {}
    for slide in re.split(r"\n##? ", text.split("---\n", 2)[2])[1:]:
        heading, _, rest = slide.partition("\n")
        shown, _, aside = rest.partition("```{raw} html")
        seen[heading] = seen.get(heading, "") + shown
        notes[heading] = notes.get(heading, "") + aside
    return seen, notes


def test_marked_cells_are_shown_and_others_are_not(deck):
    seen, _ = parted(deck.text)
    assert "print(np.mean(unmarked))" in seen["A mean"]
    assert "mean 1.5" in seen["A mean"]
    for hidden in ("unmarked = [1, 2]", "import numpy", "hidden_code"):
        assert hidden not in deck.text
    assert "solved" not in deck.text
    assert "The tools" not in seen


def test_questions_stand_before_the_code_and_the_output_waits(deck):
    shown = parted(deck.text)[0]["A mean"]
    places = [
        shown.index(part)
        for part in ("Which number", "what sign", "np.mean", "fragment")
    ]
    assert places == sorted(places)
    assert places[-1] < shown.index("mean 1.5")


def test_question_that_no_marked_cell_answers_is_in_the_notes_only(deck):
    seen, notes = parted(deck.text)
    assert "without an answer" not in "".join(seen.values())
    assert "without an answer" in notes["A mean"]


def test_question_is_shown_again_above_an_output_that_would_stand_alone():
    question = [slides.Block("predict", "", 100)]
    output = slides.Block("output", "", 100)
    figure = slides.Block("figure", "", 100)
    again = slides.recalled(question, [output])
    assert [block.kind for block in again] == ["again", "output"]
    assert slides.recalled(question, [figure, output]) == [figure, output]
    tall = slides.Block("output", "", slides.ROOM)
    assert slides.recalled(question, [tall]) == [tall]


def test_formulas_are_kept_on_slides_and_as_tex_in_notes(deck):
    seen, notes = parted(deck.text)
    assert r"$$m = \frac{1}{n} \sum_i x_i $$" in seen["A mean"]
    assert r"<code>m = \frac{1}{n} \sum_i x_i.</code>" in notes["A mean"]
    assert "<code>n</code> values" in notes["A mean"]


def test_prose_is_in_the_notes_without_comments(deck):
    seen, notes = parted(deck.text)
    assert "The prose" in notes["A mean"]
    assert "After it" in notes["A mean"]
    assert "The prose" not in seen["A mean"]
    assert "hidden" not in deck.text


def test_what_a_last_line_returns_is_left_out_beside_a_print(deck):
    assert "Text(0" not in deck.text


def test_figure_has_its_text_and_its_heading_names_the_one_above(deck):
    shown = parted(deck.text)[0]["A picture of it"]
    assert ":alt: A line from 1 to 2." in shown
    assert re.search(r"container\} above\nA mean\n", shown)
    assert list(deck.pictures.values()) == ["<svg/>"]


def test_summary_is_a_list_and_exercises_are_titles_only(deck):
    seen, _ = parted(deck.text)
    assert "- First point.\n\n- Second point." in seen["What you saw"]
    assert seen["Exercises"].strip() == "1. The sum"


def test_frameworks_share_a_picture_only_when_all_have_the_same(lesson):
    same = outputs(lesson)
    others = same | {"numpy": outputs(lesson, "<svg>other</svg>")["numpy"]}
    one, two = (
        {*slides.deck(lesson, name, given).pictures}
        for name, given in (("numpy", same), ("pytorch", same))
    )
    assert one == two
    one, two = (
        {*slides.deck(lesson, name, others).pictures}
        for name in ("numpy", "pytorch")
    )
    assert not one & two


def test_lesson_that_says_no_minutes_is_refused():
    text = LESSON.replace("about 5 minutes", "a while")
    with pytest.raises(LessonError, match="'about N minutes' is missing"):
        slides.deck(parse("09_small", text), "numpy", {})


def test_blocks_that_do_not_fit_go_to_the_next_slide():
    half = slides.Block("code", "", slides.ROOM // 2)
    figure = slides.Block("figure", "", 1)
    packed = slides.pack([half, half, half, figure, half])
    assert [len(blocks) for blocks in packed] == [2, 1, 2]
