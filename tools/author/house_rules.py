"""The house rules for a lesson's source: whatever breaks one is named."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools.author import sources
from tools.author.exercises import FORM, stub
from tools.author.sources import Cell, Lesson
from tools.frameworks import FRAMEWORKS

# Tags that are not frameworks: the check's tolerances, and the parts of an
# exercise (see exercises.py).
OTHER_TAGS = ("rtol-", "atol-", "solution", "check", "hint", "answer")
DIRECTIVE = re.compile(r"^\s*(:{3,}|`{3,}\{)", re.MULTILINE)


def sound(source: Path, beginning: str = "") -> tuple[list[Lesson], list[str]]:
    """Return the lessons that break no rule, and what the others break.

    Of all in a folder whose names begin so, e.g. with ``02``.
    """
    try:
        sources.published()  # of which each notebook tells
    except sources.LessonError as error:
        return [], [str(error)]
    lessons, found = [], []
    names = [n for n in sources.names(source) if n.startswith(beginning)]
    if not names:
        found.append(f"No lesson begins with '{beginning}' in {source}")
    for name in names:
        try:
            lesson = sources.read(name, source)
        except sources.LessonError as error:
            found.append(str(error))
            continue
        wrong = problems(lesson)
        found += wrong
        lessons += [] if wrong else [lesson]
    return lessons, found


def problems(lesson: Lesson) -> list[str]:
    """List what breaks the house rules, each with its place and remedy."""
    found = []
    if not lesson.cells or not lesson.cells[0].source.startswith("# "):
        found.append(f"{lesson.name}: begins with no title: '# …' comes first")
    for cell, what in broken(lesson):
        found.append(f"{lesson.name}: {cell.place()}: {what}")
    return list(dict.fromkeys(found))  # once, what holds for each framework


def broken(lesson: Lesson) -> Iterator[tuple[Cell, str]]:
    """Yield the cells that break a rule, each with what is wrong."""
    for cell in lesson.cells:
        of_kind = prose_rules if cell.kind == "markdown" else code_rules
        for what in of_kind(cell):
            yield cell, what
        for tag in cell.tags:
            if not tag.startswith(OTHER_TAGS):
                known = " ".join(FRAMEWORKS)
                yield cell, f"unknown tag '{tag}'; frameworks are: {known}"
    lacking = set()
    for step in lesson.steps:
        held = {name for cell in step for name in cell.frameworks}
        for name in FRAMEWORKS if held else ():
            if name not in held:
                lacking.add(name)
                yield step[0], f"this step has no cell for {name}"
    for name in FRAMEWORKS:
        if name in lacking:
            continue  # what is said of its exercises would not be true
        cells = lesson.cells_of(name)
        yield from exercise_rules(cells)
        for three in zip(cells, cells[1:], cells[2:], strict=False):
            if all(cell.kind == "code" for cell in three):
                what = "the third code cell in a row: put prose between them"
                yield three[2], what


def prose_rules(cell: Cell) -> Iterator[str]:
    """Yield the rules that a prose cell breaks."""
    if cell.frameworks:
        yield "prose is the same for all: take its tag away"
    if cell.alt:
        yield "prose draws no figure: take its option 'alt' away"
    if DIRECTIVE.search(cell.source):
        yield "a raw directive: plain Jupyter would show it so"


def code_rules(cell: Cell) -> Iterator[str]:
    """Yield the rules of size and form that a code cell breaks."""
    if not cell.source.strip():
        yield "an empty code cell: take it away"
        return
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        yield f"not valid Python: {error.msg} (its line {error.lineno})"
        return
    lines = cell.source.splitlines()
    has_class = any(isinstance(node, ast.ClassDef) for node in tree.body)
    most = sources.MOST_CLASS_LINES if has_class else sources.MOST_LINES
    if len(lines) > most:
        yield f"{len(lines)} lines, expected at most {most}: split it"
    longest, most = max(map(len, lines)), sources.MOST_COLUMNS
    if longest > most:
        yield f"{longest} columns, expected at most {most}"


def exercise_rules(cells: list[Cell]) -> Iterator[tuple[Cell, str]]:
    """Yield a cell, and what is wrong, where an exercise lacks a part."""
    after = ["check", "hint", "hint", "answer"]  # a solution, or several
    missing: list[str] = []
    for cell in cells:
        part = next((t for t in cell.tags if t in ["solution", *after]), "")
        if part == "solution" and missing in ([], after):
            if not stub(cell.source):
                yield cell, "a solution that leaves the learner nothing to do"
            if not cell.heading.startswith("Exercise"):
                yield cell, "a solution that stands under no exercise"
            missing = after
        elif part and missing[:1] != [part]:
            yield cell, f"'{part}' is out of place: expected {FORM}"
            missing = []
        elif part:
            missing = missing[1:]
        elif missing and missing != after and cell.kind == "code":
            yield cell, f"expected a prose cell tagged '{missing[0]}' here"
    if missing:
        what = f"the last exercise has no {missing[0]}: expected {FORM}"
        yield cells[-1], what
