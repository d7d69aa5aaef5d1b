"""Make the slides: `make slides` runs this file.

A deck of each lesson and framework shows the cells that the source marks, the
formulas and the questions; the prose goes into the speaker notes. Outputs
come from the executed notebooks. The decks are MyST pages for Sphinx, whose
extension sphinx_revealjs makes presentations of them.
"""

import argparse
import html
import itertools
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.author import sources
from tools.book import pages
from tools.book.__main__ import write
from tools.frameworks import FRAMEWORKS, chosen

HERE = Path(__file__).with_suffix("")  # the folder beside this file
COMMENT = re.compile(r"<!--.*?-->", re.S)
LAST, EXERCISES = "What you saw", "Exercises"
# Room on a slide of 1280 x 720 below its heading, in pixels, and what stands
# there needs of it; slides.css has the sizes.
ROOM = 556
LEAST_FIGURE = 330
# What is short is set larger: code and output of so many columns.
LARGE_CODE, LARGE_OUTPUT, BESIDE = 70, 60, 41
# Of what Sphinx copies, a deck reads only these.
STATIC = [
    *("index.css", "pygments.css", "slides.css", "tex-svg.js"),
    *("revealjs/LICENSE", "revealjs/dist/reveal.css"),
    *("revealjs/dist/reveal.js", "revealjs/plugin/notes/notes.js"),
]
INDEX = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Attention pooling: slides</title>
<link rel="stylesheet" href="_static/index.css">
</head>
<body>
<main>
<h1>Attention pooling: slides</h1>
<table>
<thead><tr><th scope="col">Lesson</th>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p><kbd>→</kbd> next step, <kbd>S</kbd> speaker view with notes,
<kbd>F</kbd> full screen, <kbd>Esc</kbd> overview. To print a deck, add
<code>?print-pdf</code> to its address.</p>
</main>
</body>
</html>
"""


@dataclass
class Section:
    """A heading with all that stands below it, up to the next heading."""

    title: str
    level: int
    above: str = ""  # the heading of level 2 that a deeper one belongs to
    items: list = field(default_factory=list)  # prose, or a marked cell


@dataclass
class Block:
    """What stands together on a slide: MyST text, and the room it needs."""

    kind: str  # formula, predict, again, code, figure, output, beside, list
    text: str
    height: int  # in pixels


@dataclass
class Slide:
    """A slide: its section, its blocks, and the prose for its notes."""

    section: Section
    blocks: list
    notes: list = field(default_factory=list)  # of Markdown


def sections(cells):
    """Return the sections of a lesson, in one framework.

    Args:
        cells: what `tools.lesson.Lesson.cells_of` returns. Of the code cells,
            only those that are marked for slides are kept.
    """
    found = []
    for cell in cells:
        if cell.kind == "code":
            found[-1].items += [cell] if cell.slide else []
            continue
        if "hint" in cell.tags:  # of an exercise: slides have its title only
            continue
        for level, title, text in parts(COMMENT.sub("", cell.source)):
            if level:
                above = next((s for s in found[::-1] if s.level == 2), None)
                above = above.title if above and level > 2 else ""
                found.append(Section(title, level, above))
            if text.strip():
                found[-1].items.append(text.strip())
    return found


def parts(markdown):
    """Yield (level, heading, text) for prose; level 0 before a heading."""
    lines = markdown.splitlines()
    tokens = MarkdownIt().parse(markdown)
    heads = [
        (*token.map, int(token.tag[1:]), tokens[i + 1].content)
        for i, token in enumerate(tokens)
        if token.type == "heading_open" and not token.level
    ]
    ends = [head[0] for head in heads] + [len(lines)]
    yield 0, "", "\n".join(lines[: ends[0]])
    for (_, start, level, title), end in zip(heads, ends[1:], strict=True):
        yield level, title, "\n".join(lines[start:end])


def asked(prose):
    """Return the blocks of a prose cell: its formulas and its questions."""
    found = []
    for part in re.split(r"\n{2,}", pages.FORMULA.sub(r"\n\n\1\n\n", prose)):
        if part.startswith("$$"):
            part = re.sub(r"[,.]?\s*\$\$$", " $$", part)  # ends no sentence
            found.append(Block("formula", part, formula_height(part)))
        elif part.startswith("**Predict.**"):
            text = f":::{{container}} predict\n{part}\n:::"
            found.append(Block("predict", text, 46 + lines(part, 72, 42)))
    return found


def formula_height(tex):
    """Return the height in pixels that a display formula will need."""
    inside = re.findall(r"\\begin\{.+?\\end\{", tex, re.S)
    rows = max([1, *(text.count(r"\\") + 1 for text in inside)])
    high = 150 if re.search(r"\\d?frac|\\sum", tex) else 82
    return max(high, 16 + 62 * rows) + 45 * (r"\underbrace" in tex)


def lines(text, columns, height):
    """Return the height in pixels of text that wraps at some columns."""
    return -(-len(" ".join(text.split())) // columns) * height


def shown(made, cell, outputs, suffix):
    """Return the blocks of a marked cell: its code, figures and texts.

    Args:
        made: the `pages.Page` that keeps the pictures.
        cell: the source's cell.
        outputs: of the notebook's cell.
        suffix: for the names of pictures, where frameworks differ.

    What a last line returns, like ``Text(0, 0.5, 'x')``, is left out beside
    figures and printed text.
    """
    found = []
    if cell.slide == "slide":
        rows = cell.source.rstrip().splitlines()
        large = len(rows) <= 8 and max(map(len, rows)) <= LARGE_CODE
        long = len(rows) > sources.MOST_LINES
        name = "cell" + " large" * large + " long" * long
        height = 36 if large else 24 if long else 31
        text = pages.code(cell.source, name=name)
        found.append(Block("code", text, 36 + height * len(rows)))
    drawn = [one for one in outputs if pages.SVG in one.get("data", {})]
    texts = [one for one in outputs if one not in drawn]
    if drawn or any(one.output_type == "stream" for one in texts):
        texts = [one for one in texts if one.output_type != "execute_result"]
    for one in drawn + texts:
        text = pages.render(made, cell, [one], suffix)
        if one in drawn:
            found.append(Block("figure", text, LEAST_FIGURE))
            continue
        rows = pages.text_of(one).rstrip().splitlines()
        columns = max(map(len, rows), default=0)
        large = columns <= LARGE_OUTPUT and len(rows) <= sources.MOST_LINES
        name = "output large" if large else "output"
        text = text.replace(":class: output", f":class: {name}", 1)
        if drawn and columns <= BESIDE and len(rows) > 2:
            found.append(Block("beside", text, 0))
            continue
        height = 36 if large else 31
        found.append(Block("output", text, 36 + height * len(rows)))
    return found


def pack(blocks):
    """Return lists of blocks that fit on a slide each, in order.

    A figure begins a slide; what was printed with it stands below it, or to
    its right.
    """
    found, used = [], ROOM
    for block in blocks:
        used += block.height
        if used > ROOM or block.kind == "figure":
            found.append([])
            used = block.height
        found[-1].append(block)
    return found


def slides_of(section, show):
    """Return the slides of a section.

    Args:
        section: a `Section`.
        show: a function from a marked cell to its blocks.

    A question belongs to the next marked cell and stands before its output;
    one that no marked cell answers is left to the notes. It is shown again
    above an output that would stand alone. A slide's notes are the prose that
    leads to its cell; where the output is, what follows it.
    """
    steps = [([], [])]  # blocks, and the prose among them, up to each cell
    for item in section.items:
        blocks, prose = steps[-1]
        if isinstance(item, str):
            prose.append(item)
            blocks += asked(item)
        else:
            blocks += show(item)
            steps.append(([], []))
    rest, _ = steps[-1]
    rest[:] = [block for block in rest if block.kind == "formula"]
    found, question = [], []
    following = [*steps[1:], ([], [])]
    for (blocks, before), (_, after) in zip(steps, following, strict=True):
        question = [b for b in blocks if b.kind == "predict"] or question
        made = [
            Slide(section, recalled(question, packed), before)
            for packed in pack(blocks)
        ]
        if made:
            made[-1].notes = [*(before if len(made) == 1 else []), *after]
        for slide in made:
            slide.notes = slide.notes or prose_of([section])
        found += made
    return found


def recalled(question, blocks):
    """Return a slide's blocks, below the question if they are output only."""
    fits = len(pack(question + blocks)) == 1
    if not fits or blocks[0].kind != "output":
        return blocks
    return [Block("again", b.text, b.height) for b in question] + blocks


def deck(lesson, framework, outputs):
    """Return the `pages.Page` of a lesson's deck in one framework.

    Args:
        lesson: a `tools.lesson.Lesson`.
        framework: a key of ``FRAMEWORKS``.
        outputs: {framework: {cell id: list of outputs}}, as `pages.stored`
            returns them; those of the other frameworks only tell whether
            they can share a picture.

    Raises:
        LessonError: the lesson does not say how many minutes it takes, or a
            marked cell has an output that cannot be shown.
    """
    first, *others = sections(lesson.cells_of(framework))
    intro = "\n\n".join(text for text in first.items if isinstance(text, str))
    minutes = pages.MINUTES.search(" ".join(intro.split()))
    if not minutes:
        raise sources.LessonError(
            f"{lesson.name}: 'about N minutes' is missing"
        )
    made = pages.Page(
        f"{lesson.name}-{framework}", first.title, int(minutes[1])
    )

    def show(cell):
        same = [found.get(cell.id) for found in outputs.values()]
        suffix = "" if same.count(same[0]) == len(same) else f"-{framework}"
        return shown(made, cell, outputs[framework][cell.id], suffix)

    title = FRAMEWORKS[framework].title
    text = [
        f"---\norphan: true\nframework: {title}\n---\n\n# {first.title}\n",
        f":::{{container}} about\n{title} · about {made.minutes} minutes\n:::",
        notes([intro]),
    ]
    titles = [section.title for section in others]
    end = titles.index(EXERCISES) if EXERCISES in titles else len(titles)
    for section in others[:end]:
        if section.title == LAST:
            items = re.split(r"\n(?=- )", "\n\n".join(prose_of([section])))
            text += listed(section.title, items, [section])
        else:
            text += map(slide_text, slides_of(section, show))
    names = [s.title for s in others[end:] if s.level == 3]
    if names:
        items = [
            f"{i}. {name.partition(': ')[2] or name}"
            for i, name in enumerate(names, 1)
        ]
        text += listed(EXERCISES, items, others[end:])
    made.text = "\n\n".join(text) + "\n"
    return made


def prose_of(sections):
    """Return all prose of some sections, as a list."""
    return [s for one in sections for s in one.items if isinstance(s, str)]


def listed(title, items, sections):
    """Return slides, as MyST text, with a list and its sections' prose."""
    blocks = [Block("list", item, 14 + lines(item, 78, 39)) for item in items]
    section = Section(title, 2)
    return [
        slide_text(Slide(section, packed, prose_of(sections)))
        for packed in pack(blocks)
    ]


def slide_text(slide):
    """Return a slide as MyST text; an output waits for the next step."""
    kinds = [block.kind for block in slide.blocks]
    text = [f"## {slide.section.title}"]
    if slide.section.above:
        text.append(f":::{{container}} above\n{slide.section.above}\n:::")
    blocks = [block.text.strip("\n") for block in slide.blocks]
    for i, kind in enumerate(kinds):
        if kind == "output" and kinds[0] not in ("output", "figure", "again"):
            blocks[i] = f"::::{{container}} fragment\n{blocks[i]}\n::::"
    if "beside" in kinds:
        blocks = [":::::{container} columns", *blocks, ":::::"]
    text += blocks
    return "\n\n".join([*text, notes(slide.notes)])


def notes(prose):
    """Return speaker notes: the prose as HTML, its formulas as plain TeX."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.use(dollarmath_plugin)
    reader.add_render_rule("math_inline", tex)
    reader.add_render_rule("math_block", tex)
    inside = reader.render("\n\n".join(prose)).strip()
    return f'```{{raw}} html\n<aside class="notes">\n{inside}\n</aside>\n```'


def tex(self, tokens, i, options, env):
    """Return a formula as it is written, kept from MathJax by its tag."""
    written = " ".join(tokens[i].content.split())
    text = f"<code>{html.escape(written)}</code>"
    return f"<p>{text}</p>\n" if tokens[i].type == "math_block" else text


def index(decks, frameworks):
    """Return the page that lists all decks, a row for each lesson.

    Args:
        decks: {lesson's name: {framework: `pages.Page`}}.
        frameworks: names of the columns.
    """
    titles = [FRAMEWORKS[name].title for name in frameworks]
    rows = "\n".join(
        f'<tr><th scope="row">{html.escape(next(iter(row.values())).title)}'
        "</th>"
        + "".join(
            f'<td><a href="{page.name}.html">{FRAMEWORKS[name].title}'
            f"<span> slides, lesson {page.name[:2]}</span></a></td>"
            for name, page in row.items()
        )
        + "</tr>"
        for row in decks.values()
    )
    heads = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return INDEX.format(heads=heads, rows=rows)


def build(folder, names, frameworks):
    """Make the decks in ``folder/slides``; Sphinx's files stay beside it.

    Args:
        folder: where all is put; made if it is not there.
        names: of lessons.
        frameworks: keys of ``FRAMEWORKS``.

    Raises:
        SystemExit: Sphinx warned, which counts as an error here.
    """
    decks = {}
    for name in names:
        lesson = sources.read(name)
        outputs = pages.stored(lesson)
        decks[name] = {one: deck(lesson, one, outputs) for one in frameworks}
    every = list(itertools.chain(*(row.values() for row in decks.values())))
    files = {f"{page.name}.md": page.text for page in every}
    for page in every:
        files |= {f"figures/{k}": svg for k, svg in page.pictures.items()}
    write(files, folder / "slides-pages")
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--builder", "revealjs"),
            *("--fail-on-warning", "--keep-going", "--quiet"),
            *("--conf-dir", str(HERE)),
            *("--define", f"root_doc={every[0].name}"),
            *("--doctree-dir", str(folder / "slides-doctrees")),
            *(str(folder / "slides-pages"), str(folder / "slides-html")),
        ],
        cwd=sources.ROOT,
    )
    if answer.returncode:
        sys.exit("The slides were not made; the last ones are as they were.")
    wanted = [f"{page.name}.html" for page in every]
    wanted += [f"_images/{name}" for page in every for name in page.pictures]
    wanted += [f"_static/{name}" for name in STATIC]
    html_folder = folder / "slides-html"
    made = {name: (html_folder / name).read_bytes() for name in wanted}
    write(made | {"index.html": index(decks, frameworks)}, folder / "slides")


def main():
    """Build the decks that are asked for, and say where the list is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=sources.ROOT / "build")
    parser.add_argument("--lesson", default="", help="how its name begins")
    parser.add_argument(
        "--frameworks",
        default=os.environ.get("LESSON_FRAMEWORKS", ""),
        help="names, separated by spaces",
    )
    given = parser.parse_args()
    names = [n for n in sources.names() if n.startswith(given.lesson)]
    if not names:
        sys.exit(f"--lesson: no lesson begins with '{given.lesson}'")
    folder = given.folder.absolute()
    build(folder, names, chosen(given.frameworks) or list(FRAMEWORKS))
    print(f"The slides: {folder / 'slides' / 'index.html'}")


if __name__ == "__main__":
    try:
        main()
    except sources.LessonError as error:
        sys.exit(str(error))
