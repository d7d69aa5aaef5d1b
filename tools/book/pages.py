"""A page of each lesson: its prose once, its code in tabs, outputs beside it.

Prose and code come from the source, outputs from the executed notebooks;
nothing is executed here. A page is MyST Markdown, for Sphinx.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from tools.author import exercises
from tools.author.sources import NOTEBOOKS, ROOT, Cell, Lesson, LessonError
from tools.book.files import template
from tools.frameworks import FRAMEWORKS

# {framework: {cell id: its outputs, as nbformat has them}}
Stored = dict[str, dict[str, list[Any]]]

SVG = "image/svg+xml"
LIVE = "application/vnd.d2lmini.live+json"  # what the live figure begins with
COMMENT = re.compile(r" *<!--.*?-->", re.S)
# Paragraphs that are set apart on a page, and the class they get.
APART = {
    "**Predict.**": "predict",
    "**Your turn": "predict",
    "**What you saw.**": "seen",
}
# Where a notebook on GitHub can be run, in a browser.
PLACES = {
    "Colab": "https://colab.research.google.com/github/{repository}/blob/HEAD/"
    "{path}",
    "Kaggle": "https://www.kaggle.com/kernels/welcome?src="
    "https://github.com/{repository}/blob/HEAD/{path}",
    "Binder": "https://mybinder.org/v2/gh/{repository}/HEAD"
    "?urlpath=lab/tree/{path}",
}
FORMULA = re.compile(r"\s*(\$\$.+?\$\$)\s*", re.S)
MINUTES = re.compile(r"about (\d+) minutes")


@dataclass
class Page:
    """What a lesson gives: the page's text and its pictures."""

    name: str
    title: str
    minutes: int
    text: str = ""
    pictures: dict[str, str] = field(default_factory=dict)  # {path: SVG}


def stored(lesson: Lesson, folder: Path = NOTEBOOKS) -> Stored:
    """Read what a lesson's executed notebooks, one per framework, hold.

    Raises:
        LessonError: a notebook is missing, or is not the source's.
    """
    found = {}
    for framework in FRAMEWORKS:
        path = folder / framework / f"{lesson.name}.ipynb"
        if not path.exists():
            raise LessonError(f"{path}: missing; run: make notebooks")
        notebook = nbformat.read(path, as_version=4)
        cells = {cell.id: cell.get("outputs", []) for cell in notebook.cells}
        expected = {cell.id for cell in lesson.notebook(framework).cells}
        if set(cells) != expected:
            raise LessonError(f"{path}: not the source's; run: make notebooks")
        found[framework] = cells
    return found


def begun(lesson: Lesson) -> Page:
    """Return a lesson's `Page` with no text yet.

    Raises:
        LessonError: the lesson does not say how many minutes it takes.
    """
    opening = lesson.cells[0].source
    found = MINUTES.search(" ".join(opening.split()))
    if not found:
        raise LessonError(f"{lesson.name}: 'about N minutes' is missing")
    title = opening.splitlines()[0].removeprefix("# ")
    return Page(lesson.name, title, int(found[1]))


def page(lesson: Lesson, outputs: Stored, repository: str = "") -> Page:
    """Return a lesson's `Page`.

    With a repository, ``OWNER/NAME`` on GitHub, it links to where the
    notebooks can be run.

    Raises:
        LessonError: the lesson names no minutes, a figure has no alt text, or
            an output has a form that pages do not show.
    """
    made = begun(lesson)
    parts: list[str] = []
    solutions: list[str] = []
    titles = iter(exercises.HINTS)
    for cells in lesson.steps:
        cell = cells[0]
        target = f"({lesson.name[:2]}-{cell.id})=\n"  # of links to the cell
        if cell.kind == "markdown" and "answer" in cell.tags:
            answer = "\n".join([*solutions, prose(cell.source)])
            parts.append(fold("Solution", answer))
            solutions = []
        elif "hint" in cell.tags:
            parts.append(fold(next(titles), prose(cell.source)))
        elif cell.kind == "markdown":
            parts.append(prose(cell.source))
        elif "check" in cell.tags:  # to be run, so of no use on a page
            titles = iter(exercises.HINTS)
            parts.append(target + fold("Self-check", code(cell.source)))
        else:
            if "solution" in cell.tags:
                solution = variants(cells, lambda one, _: code(one.source))
                solutions.append(solution)
            parts.append(target + shown(made, cells, outputs))
    head, rest = parts[0].split("\n", 1)
    parts[0] = f"{head}\n\n{links(made, repository)}\n{rest}"
    made.text = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    return made


def prose(source: str) -> str:
    """Return prose for a page: comments left out, some paragraphs apart."""
    source = FORMULA.sub(r"\n\n\1\n\n", COMMENT.sub("", source))
    paragraphs = re.split(r"\n{2,}", source.strip())
    for i, text in enumerate(paragraphs):
        for start, name in APART.items():
            if text.startswith(start):
                text = f":::{{container}} {name}\n{text}\n:::"
        paragraphs[i] = text
    return "\n\n".join(paragraphs)


def links(made: Page, repository: str) -> str:
    """Return the line below the title: minutes, and the notebooks."""
    lists = {"Notebook": ("{path}", " download")}
    if repository:
        lists |= {place: (address, "") for place, address in PLACES.items()}
    spans = f"<span>About {made.minutes} minutes</span>"
    for place, (address, extra) in lists.items():
        anchors = []
        for name, framework in FRAMEWORKS.items():
            if framework.holds_back and place in ("Colab", "Kaggle"):
                continue
            path = f"notebooks/{name}/{made.name}.ipynb"
            url = address.format(repository=repository, path=path)
            anchors.append(
                f'<a href="{html.escape(url)}"{extra}>{framework.title}</a>'
            )
        spans += f"<span>{place}: {' '.join(anchors)}</span>"
    return f'```{{raw}} html\n<p class="lesson-links">{spans}</p>\n```\n'


def code(source: str, language: str = "python", name: str = "cell") -> str:
    """Return a block of code, highlighted, or of what a cell printed."""
    return (
        f"`````{{code-block}} {language}\n:class: {name}\n\n"
        f"{source.rstrip()}\n`````\n"
    )


def tabs(contents: dict[str, str], name: str = "") -> str:
    """Return a set of tabs, {framework: text}; all sets switch together."""
    items = "".join(
        f"::::{{tab-item}} {FRAMEWORKS[key].title}\n:sync: {key}\n\n"
        f"{text.strip()}\n::::\n"
        for key, text in contents.items()
    )
    return (
        ":::::{tab-set}\n:sync-group: framework\n"
        f":class: frameworks {name}\n\n{items}:::::\n"
    )


def variants(cells: list[Cell], text: Callable[[Cell, str], str]) -> str:
    """Return text(cell, framework): a step's in tabs, a shared cell's once."""
    if not cells[0].frameworks:
        return text(cells[0], "")
    held = {name: cell for cell in cells for name in cell.frameworks}
    return tabs({name: text(held[name], name) for name in FRAMEWORKS})


def shown(made: Page, cells: list[Cell], outputs: Stored) -> str:
    """Return a code cell, or a step with its tabs, and the outputs."""
    stub = exercises.stub if "solution" in cells[0].tags else str
    here = {name: found[cells[0].id] for name, found in outputs.items()}
    if not cells[0].frameworks:
        return code(stub(cells[0].source)) + outputs_of(made, cells[0], here)
    return variants(
        cells,
        lambda one, name: (
            code(stub(one.source)) + render(made, one, here[name])
        ),
    )


def outputs_of(made: Page, cell: Cell, here: dict[str, list[Any]]) -> str:
    """Return a shared cell's outputs, {framework: outputs}: once if equal."""
    first, *others = here.values()
    live = any(LIVE in output.get("data", {}) for output in first)
    if live or all(other == first for other in others):
        return render(made, cell, first)
    texts = [list(map(text_of, found)) for found in here.values()]
    # Figures differ by less than a reader sees where no text does: labels
    # are shown only when frameworks stand side by side.
    quiet = "quiet" if texts.count(texts[0]) == len(texts) else ""
    contents = {n: render(made, cell, found) for n, found in here.items()}
    return tabs(contents, quiet)


def text_of(output: Any) -> str:
    """Return what an output says in text; a picture's is its type only."""
    if output.output_type == "stream":
        return str(output.text)
    data = output.get("data", {})
    return SVG if SVG in data else data.get("text/plain", "")


def render(made: Page, cell: Cell, outputs: list[Any]) -> str:
    """Return outputs as text blocks and pictures; the page keeps these."""
    parts = []
    for output in outputs:
        data = output.get("data", {})
        if SVG in data:
            if not cell.alt:
                raise LessonError(
                    f"{made.name}: {cell.place()}: its figure has no text "
                    "for those who do not see it: add an option 'alt'"
                )
            name = f"{made.name}-{cell.id}-{len(made.pictures)}.svg"
            made.pictures[f"figures/{name}"] = data[SVG]
            parts.append(
                f"```{{image}} figures/{name}\n:alt: {cell.alt}\n"
                ":class: picture\n```\n"
            )
        elif LIVE in data:
            # The module that JupyterLab loads, inline: a page that is opened
            # as a file can load none from another file.
            module = (ROOT / "handson" / "live.js").read_text("utf-8").strip()
            text = template("live").format(module=module, values=data[LIVE])
            parts.append(text)
        elif text_of(output):
            parts.append(code(text_of(output), "text", "output"))
        else:
            raise LessonError(
                f"{made.name}: {cell.place()}: expected text or an SVG "
                f"picture, got {', '.join(data) or output.output_type}"
            )
    return "".join(parts)


def fold(title: str, inside: str) -> str:
    """Return a part that opens when its title is pressed."""
    return f"::::::{{dropdown}} {title}\n{inside}\n::::::\n"
