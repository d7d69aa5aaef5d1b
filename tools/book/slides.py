"""A deck of each lesson and framework: marked cells, formulas, questions.

The prose goes into the speaker notes; outputs come from the executed
notebooks. The decks are MyST pages for Sphinx, whose extension sphinx_revealjs
makes presentations of them.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.author import sources
from tools.author.sources import Cell, Lesson
from tools.book import files, pages
from tools.frameworks import FRAMEWORKS

SETTINGS = Path(__file__).with_name("reveal")
HEADING = re.compile(r"^#+ +(.+)\n?", re.M)
SUMMARY, EXERCISES = "What you saw", "Exercises"
# Room on a slide of 1280 x 720 below its heading, and what a figure needs of
# it at least, in pixels; reveal/static/slides.css has the sizes.
ROOM, LEAST_FIGURE = 556, 330


@dataclass
class Step:
    """A cell that is marked for slides, if any, and the prose above it."""

    prose: list[str] = field(default_factory=list)
    cell: Cell | None = None


@dataclass
class Section:
    """A heading with all that stands below it, up to the next heading."""

    title: str
    steps: list[Step] = field(default_factory=lambda: [Step()])

    def prose(self) -> list[str]:
        """Return all of its prose."""
        return [text for step in self.steps for text in step.prose]


@dataclass
class Block:
    """What stands together on a slide: MyST text, and the room it needs."""

    kind: str  # formula, predict, code, figure, output, list
    text: str
    height: int  # in pixels
    prose: list[str] = field(default_factory=list)  # for the notes


def sections(cells: Iterable[Cell]) -> list[Section]:
    """Return a lesson's sections, with the code that is marked for slides."""
    found: list[Section] = []
    for cell in cells:
        if cell.slide:
            found[-1].steps[-1].cell = cell
            found[-1].steps.append(Step())
        elif cell.kind == "markdown" and "hint" not in cell.tags:
            above, *rest = HEADING.split(pages.COMMENT.sub("", cell.source))
            if above.strip():
                found[-1].steps[-1].prose.append(above.strip())
            for title, text in zip(rest[::2], rest[1::2], strict=True):
                found.append(Section(title, [Step([text.strip()])]))
    return found


def asked(prose: str) -> list[Block]:
    """Return the blocks of a prose cell: its formulas and its questions."""
    found = []
    for part in pages.prose(prose).split("\n\n"):
        if part.startswith("$$"):
            part = re.sub(r"[,.]?\s*\$\$$", " $$", part)  # ends no sentence
            height = 150 + 62 * part.count(r"\\")
            found.append(Block("formula", part, height))
        elif "\n**Predict.**" in part:
            found.append(Block("predict", part, 88 + 42 * (len(part) // 72)))
    return found


def shown(made: pages.Page, cell: Cell, outputs: list[Any]) -> list[Block]:
    """Return the blocks of a marked cell: its code, figures and texts.

    What a last line returns, like ``Text(0, 0.5, 'x')``, is left out beside
    figures and printed text.
    """
    found = []
    if cell.slide == "slide":
        rows = len(cell.source.splitlines())
        long = rows > sources.MOST_LINES
        name, height = ("cell long", 24) if long else ("cell", 32)
        text = pages.code(cell.source, name=name)
        found.append(Block("code", text, 36 + height * rows))
    told = []
    for one in outputs:
        text = pages.render(made, cell, [one])
        if pages.SVG in one.get("data", {}):
            found.append(Block("figure", text, LEAST_FIGURE))
        elif one.output_type != "execute_result" or len(outputs) == 1:
            rows = len(pages.text_of(one).rstrip().splitlines())
            told.append(Block("output", text, 36 + 32 * rows))
    return found + told


def pack(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return lists of blocks that fit on a slide each.

    A figure begins a slide; what is shown ends it.
    """
    found: list[list[Block]] = []
    used, ended = 0, True
    for block in blocks:
        used += block.height
        begins = (ended and block.kind != "output") or block.kind == "figure"
        if begins or used > ROOM or not found:
            found.append([])
            used = block.height
        found[-1].append(block)
        ended = block.kind in ("figure", "output")
    return found


def slides_of(
    section: Section, made: pages.Page, outputs: dict[str, list[Any]]
) -> list[str]:
    """Return a section's slides, as MyST text.

    A question that no marked cell answers is left to the notes. These are the
    prose that leads to a cell, and what follows it.
    """
    found = []
    for step, following in itertools.pairwise([*section.steps, Step()]):
        blocks = [block for text in step.prose for block in asked(text)]
        if step.cell:
            blocks += shown(made, step.cell, outputs[step.cell.id])
        else:
            blocks = [block for block in blocks if block.kind == "formula"]
        for block in blocks:
            block.prose = step.prose + following.prose
        found += blocks
    return [slide(section.title, packed) for packed in pack(found)]


def listed(title: str, items: list[str], prose: list[str]) -> list[str]:
    """Return slides, as MyST text, with a list."""
    blocks = [
        Block("list", item, 53 + 39 * (len(item) // 78), prose)
        for item in items
    ]
    return [slide(title, packed) for packed in pack(blocks)]


def slide(title: str, blocks: list[Block]) -> str:
    """Return a slide as MyST text; an output waits for the next step."""
    parts = [f"## {title}"]
    for block in blocks:
        text = block.text.strip("\n")
        if block.kind == "output" and block is not blocks[0]:
            text = f"::::{{container}} fragment\n{text}\n::::"
        parts.append(text)
    prose = [text for block in blocks for text in block.prose]
    return "\n\n".join([*parts, notes(list(dict.fromkeys(prose)))])


def notes(prose: list[str]) -> str:
    """Return speaker notes, in which formulas are as they are written."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    inside = reader.use(dollarmath_plugin).render("\n\n".join(prose)).strip()
    return f'```{{raw}} html\n<aside class="notes">\n{inside}\n</aside>\n```'


def deck(
    lesson: Lesson, framework: str, outputs: dict[str, list[Any]]
) -> pages.Page:
    """Return a lesson's deck, of the framework's {cell id: outputs}."""
    made = pages.begun(lesson)
    made.name += f"-{framework}"
    opening, *others = sections(lesson.cells_of(framework))
    title = f"{made.title} ({FRAMEWORKS[framework].title})"
    text = [
        f"---\norphan: true\n---\n\n# {title}",
        f":::{{container}} about\nabout {made.minutes} minutes\n:::",
        notes(opening.prose()),
    ]
    titles = [section.title for section in others]
    end = titles.index(EXERCISES) if EXERCISES in titles else len(titles)
    for section in others[:end]:
        if section.title == SUMMARY:
            points = re.split(r"\n(?=- )", "\n\n".join(section.prose()))
            text += listed(SUMMARY, points, section.prose())
        else:
            text += slides_of(section, made, outputs)
    names = [title.partition(": ")[2] for title in titles[end + 1 :]]
    asked_for = [f"{i}. {name}" for i, name in enumerate(names, 1)]
    prose = [text for section in others[end:] for text in section.prose()]
    text += listed(EXERCISES, asked_for, prose)
    made.text = "\n\n".join(text) + "\n"
    return made


def build(folder: Path, names: list[str], frameworks: list[str]) -> None:
    """Make the decks of some lessons, and their list, in ``folder/slides``."""
    texts = {}
    titles = [FRAMEWORKS[name].title for name in frameworks]
    table = [["Lesson", *titles], ["---"] * (len(titles) + 1)]
    for name in names:
        lesson = sources.read(name)
        outputs = pages.stored(lesson)
        table.append([pages.begun(lesson).title])
        for framework, title in zip(frameworks, titles, strict=True):
            made = deck(lesson, framework, outputs[framework])
            table[-1].append(f"[{title}]({made.name}.md)")
            texts[f"{made.name}.md"] = made.text
            texts |= made.pictures
    lines = [f"| {' | '.join(row)} |" for row in table]
    texts["index.md"] = files.template("slides").format(table="\n".join(lines))
    made_of = files.sphinx("revealjs", SETTINGS, texts, folder / "decks")
    files.write(made_of, folder / "slides")
