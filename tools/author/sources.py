"""Read a lesson's source and derive the notebook of each framework from it.

A lesson is a Markdown file (jupytext's MyST format). Code cells without a tag
are shared by all notebooks; code cells tagged with frameworks belong to those
only, and neighbours that together hold every framework once form one *step*.
"""

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.author import exercises
from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOURCE = NOTEBOOKS / "source"

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# What notebooks import of this project, and a wheel holds.
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

MOST_LINES = 12  # in a cell; a class may have MOST_CLASS_LINES
MOST_CLASS_LINES = 20
MOST_COLUMNS = 79
# Tags of cells that are shown on a slide, and what is shown of them.
SLIDES = {"slide": "code and output", "slide-output": "output only"}
# The metadata of every notebook: nothing of any machine.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
# What a notebook has besides its source: below the title, links to the other
# frameworks, and then a cell for those who have nothing but the notebook.
SIBLINGS = "*This lesson in:*"
ALONE_ID = "alone"
ALONE = """\
# Opened alone, this notebook {does}.
from importlib.util import find_spec

{install}needed = {needed}
lacking = [name for name in needed if not find_spec(name)]
if lacking:
    print("Not found here:", ", ".join(lacking))
    print(
        "To get it: make lab FRAMEWORK={name} in the project's folder, "
        "or pip install '.[{name},lab]' where its zip was unpacked."
    )
"""
INSTALL = """\
if not find_spec("d2lmini"):
    wheel = "{address}"
    sha256 = "{sha256}"
    package = "attention-pooling[{name},live]"
    %pip install --quiet "{{package}} @ {{wheel}}#sha256={{sha256}}"
"""
WHEEL = re.compile(r"(https?://\S+\.whl)#sha256=([0-9a-f]{64})")


class LessonError(Exception):
    """A source or a notebook that breaks a rule; the message says which."""


@dataclass
class Cell:
    """One cell of the source, with where it stands."""

    kind: str  # "markdown" or "code"
    source: str
    frameworks: tuple[str, ...]  # () for cells shared by all
    tags: list[str]  # what is left without the frameworks
    line: int  # in the source file, from 1
    heading: str = ""  # the nearest one above
    id: str = ""
    alt: str = ""  # what its figure shows, for those who do not see it
    slide: str = ""  # a key of SLIDES, for cells that are shown on a slide

    def place(self) -> str:
        """Name the cell as messages do: heading, first line, line number."""
        first = self.source.strip().splitlines() or ["(empty)"]
        return f'line {self.line}, under "{self.heading}", cell "{first[0]}"'


@dataclass
class Lesson:
    """A lesson: its name (``02_attention_pooling``) and its cells."""

    name: str
    cells: list[Cell]

    @property
    def steps(self) -> list[list[Cell]]:
        """The variants of a cell, for each framework, or one for all.

        Tagged neighbours are one step; the next begins behind a complete one,
        and with the second cell for a framework.
        """
        steps: list[list[Cell]] = []
        held: set[str] = set()  # frameworks of the step that is open
        for cell in self.cells:
            new = set(cell.frameworks)
            if not new or held in (set(), set(FRAMEWORKS)) or new & held:
                steps.append([])
                held = set()
            steps[-1].append(cell)
            held |= new
        return steps

    def cells_of(self, framework: str) -> list[Cell]:
        """Return the cells of one framework, in order, with solutions."""
        return [
            cell
            for cell in self.cells
            if not cell.frameworks or framework in cell.frameworks
        ]

    def notebook(self, framework: str, linked: bool = True) -> NotebookNode:
        """Return the framework's notebook (nbformat 4.5), not executed.

        Links to the other frameworks' stand below the title if asked for.
        """
        if framework not in FRAMEWORKS:
            raise ValueError(
                f"framework: expected one of {', '.join(FRAMEWORKS)}, "
                f"got {framework!r}"
            )
        cells = [new_code_cell(alone(framework, published()), id=ALONE_ID)]
        for cell in for_learners(self.cells_of(framework)):
            new = new_code_cell if cell.kind == "code" else new_markdown_cell
            tags = {"tags": cell.tags} if cell.tags else {}
            cells.append(new(cell.source, id=cell.id, metadata=tags))
        cells[:2] = cells[1::-1]  # the title comes first
        if linked:
            links = siblings(self.name, framework)
            title, _, rest = cells[0].source.partition("\n")
            cells[0].source = f"{title}\n\n{links}\n{rest}".strip()
        return new_notebook(
            cells=cells, metadata=METADATA, nbformat=4, nbformat_minor=5
        )


def for_learners(cells: list[Cell]) -> list[Cell]:
    """Return a framework's cells as its notebook shows them."""
    shown, solutions, titles = [], [], iter(exercises.HINTS)
    for cell in cells:
        source, tags = cell.source, cell.tags
        if "solution" in tags:
            solutions.append(f"```python\n{source}\n```")
            source, tags = exercises.stub(source), ["stub"]
        elif "check" in tags:
            titles = iter(exercises.HINTS)
        elif "hint" in tags:
            source = exercises.folded(
                next(titles, exercises.HINTS[-1]), source
            )
        elif "answer" in tags:
            source = exercises.folded("Solution", *solutions, source)
            tags, solutions = ["solution"], []
        shown.append(replace(cell, source=source, tags=tags))
    return shown


def siblings(name: str, framework: str) -> str:
    """Return a line that links a notebook to the other frameworks'."""
    links = (
        f"**{other.title}**"
        if other.name == framework
        else f"[{other.title}](../{other.name}/{name}.ipynb)"
        for other in FRAMEWORKS.values()
    )
    return f"{SIBLINGS} {' · '.join(links)}"


def published() -> tuple[str, str] | None:
    """Return address and SHA-256 of the published wheel, or None.

    Raises:
        LessonError: when pyproject.toml names anything but such a wheel.
    """
    wheel = PYPROJECT["project"].get("urls", {}).get("Wheel")
    found = WHEEL.fullmatch(wheel or "")
    if wheel and not found:
        raise LessonError(
            "pyproject.toml, project.urls.Wheel: expected "
            f"https://...whl#sha256=(64 hexadecimal digits), got '{wheel}'"
        )
    return (found[1], found[2]) if found else None


def alone(name: str, wheel: tuple[str, str] | None = None) -> str:
    """Return code that says what a notebook lacks where it is opened alone.

    It installs the wheel at an address, with that SHA-256; without one it
    installs nothing: a name that nobody has published could be anybody's.
    """
    needed = json.dumps(["d2lmini", FRAMEWORKS[name].module])
    does, install = "says what it lacks", ""
    if wheel:
        does = "installs what it lacks"
        install = INSTALL.format(name=name, address=wheel[0], sha256=wheel[1])
    made = ALONE.format(does=does, install=install, needed=needed, name=name)
    return made.strip()


def names(source: Path = SOURCE) -> list[str]:
    """Return the names of all lessons, in their order."""
    return sorted(path.stem for path in source.glob("[0-9][0-9]_*.md"))


def read(name: str, source: Path = SOURCE) -> Lesson:
    """Read one lesson, by its file's name without ending.

    Raises:
        LessonError: the file is missing, or is not a MyST notebook.
    """
    path = source / f"{name}.md"
    if not path.exists():
        known = ", ".join(names(source)) or "none"
        raise LessonError(f"{path}: no such lesson; there are: {known}")
    return parse(name, path.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Lesson:
    """Make a `Lesson` of a text; house_rules.py says what it must be.

    A cell's id is made of its heading and its place below it, so an edit
    elsewhere in the lesson changes no id.
    """
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except Exception as error:  # jupytext raises many kinds
        raise LessonError(f"{name}: not readable as MyST: {error}") from None
    lesson = Lesson(name, [])
    position, heading = 0, name
    for raw in notebook.cells:
        position = max(position, text.find(raw.source, position))
        tags = raw.metadata.get("tags", [])
        is_code = raw.cell_type == "code"
        headings = [] if is_code else headings_of(raw.source)
        heading = [*headings, heading][0]
        lesson.cells.append(
            Cell(
                kind="code" if is_code else "markdown",
                source=raw.source,
                frameworks=tuple(tag for tag in tags if tag in FRAMEWORKS),
                tags=[
                    tag for tag in tags if tag not in {*FRAMEWORKS, *SLIDES}
                ],
                alt=" ".join(raw.metadata.get("alt", "").split()),
                slide=next((tag for tag in tags if tag in SLIDES), ""),
                line=text.count("\n", 0, position) + 1,
                heading=heading,
            )
        )
        heading = [heading, *headings][-1]  # what follows stands below it
    ids: Counter[str] = Counter()
    for first, *variants in lesson.steps:
        slug = re.sub(r"[^a-z0-9]+", "-", first.heading.lower()).strip("-")
        slug = slug[:48].strip("-") or "cell"
        ids[slug] += 1
        first.id = f"{slug}-{ids[slug]}"
        for cell in variants:  # their notebooks can be laid side by side
            cell.id = first.id
            cell.alt = cell.alt or first.alt  # said once, true for all
            cell.slide = cell.slide or first.slide
    return lesson


def headings_of(markdown: str) -> list[str]:
    """Return the headings in a prose cell, code fences left out."""
    outside = re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)
    return re.findall(r"^#{1,6} +(.*\S)", outside, re.MULTILINE)
