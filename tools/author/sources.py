"""Read a lesson's source and derive the notebook of each framework from it.

A lesson is a Markdown file (jupytext's MyST format). Code cells without a tag
are shared by all notebooks; code cells tagged with frameworks belong to those
only, and neighbours that together hold every framework once form one *step*.
"""

import ast
import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat

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
# Tags that are not frameworks: the check's tolerances, and the parts of an
# exercise (see exercises.py).
OTHER_TAGS = ("rtol-", "atol-", "solution", "check", "hint", "answer")
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
DIRECTIVE = re.compile(r"^\s*(:{3,}|`{3,}\{)", re.MULTILINE)


class LessonError(Exception):
    """A source or a notebook that breaks a rule; the message says which."""


@dataclass
class Cell:
    """One cell of the source, with where it stands."""

    kind: str  # "markdown" or "code"
    source: str
    frameworks: tuple  # () for cells shared by all
    tags: list  # what is left without the frameworks
    line: int  # in the source file, from 1
    heading: str = ""  # the nearest one above
    id: str = ""
    alt: str = ""  # what its figure shows, for those who do not see it
    slide: str = ""  # a key of SLIDES, for cells that are shown on a slide

    def place(self):
        """Name the cell as messages do: heading, first line, line number."""
        first = self.source.strip().splitlines() or ["(empty)"]
        return f'line {self.line}, under "{self.heading}", cell "{first[0]}"'


@dataclass
class Lesson:
    """A lesson: its name (``02_attention_pooling``) and its cells."""

    name: str
    cells: list
    steps: list = field(default_factory=list)  # lists of tagged neighbours

    def cells_of(self, framework):
        """Return the cells of one framework, in order, with solutions."""
        return [
            cell
            for cell in self.cells
            if not cell.frameworks or framework in cell.frameworks
        ]

    def notebook(self, framework, linked=True):
        """Return the framework's notebook (nbformat 4.5), not executed.

        Args:
            framework: a key of ``FRAMEWORKS``.
            linked: below the title stand links to the other frameworks'.
        """
        if framework not in FRAMEWORKS:
            raise ValueError(
                f"framework: expected one of {', '.join(FRAMEWORKS)}, "
                f"got {framework!r}"
            )
        new = {
            "markdown": nbformat.v4.new_markdown_cell,
            "code": nbformat.v4.new_code_cell,
        }
        notebook = nbformat.v4.new_notebook(metadata=METADATA)
        notebook.nbformat_minor = 5
        for cell in exercises.for_learners(self.cells_of(framework)):
            made = new[cell.kind](cell.source, id=cell.id)
            if cell.tags:
                made.metadata["tags"] = cell.tags
            notebook.cells.append(made)
        if linked:
            links = siblings(self.name, framework)
            title, _, rest = notebook.cells[0].source.partition("\n")
            notebook.cells[0].source = f"{title}\n\n{links}\n{rest}".strip()
        code = new["code"](alone(framework, published()), id=ALONE_ID)
        notebook.cells.insert(1, code)
        return notebook


def siblings(name, framework):
    """Return a line that links a notebook to the other frameworks'."""
    links = (
        f"**{other.title}**"
        if other.name == framework
        else f"[{other.title}](../{other.name}/{name}.ipynb)"
        for other in FRAMEWORKS.values()
    )
    return f"{SIBLINGS} {' · '.join(links)}"


def published():
    """Return address and SHA-256 of the published wheel, or None.

    Raises:
        LessonError: when pyproject.toml names anything but such a wheel.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["project"].get("urls", {}).get("Wheel")
    found = WHEEL.fullmatch(wheel or "")
    if wheel and not found:
        raise LessonError(
            "pyproject.toml, project.urls.Wheel: expected "
            f"https://...whl#sha256=(64 hexadecimal digits), got '{wheel}'"
        )
    return found.groups() if found else None


def alone(framework, wheel=None):
    """Return code that says what a notebook lacks where it is opened alone.

    Args:
        framework: a key of ``FRAMEWORKS``.
        wheel: address and SHA-256 of a wheel to install, or None: a name that
            nobody has published could be anybody's.
    """
    framework = FRAMEWORKS[framework]
    needed = list(dict.fromkeys(["d2lmini", framework.module]))
    needed = json.dumps(needed)
    does, install = "says what it lacks", ""
    if wheel:
        does, (address, sha256) = "installs what it lacks", wheel
        install = INSTALL.format(
            name=framework.name, address=address, sha256=sha256
        )
    return ALONE.format(
        does=does, install=install, needed=needed, name=framework.name
    ).strip()


def names(source=SOURCE):
    """Return the names of all lessons, in their order."""
    return sorted(path.stem for path in source.glob("[0-9][0-9]_*.md"))


def read(name, source=SOURCE):
    """Read one lesson from ``notebooks/source``.

    Args:
        name: the file's name without its ending.
        source: folder of the sources.

    Raises:
        LessonError: when the file is missing or is not a MyST notebook.
    """
    path = source / f"{name}.md"
    if not path.exists():
        known = ", ".join(names(source)) or "none"
        raise LessonError(f"{path}: no such lesson; there are: {known}")
    return parse(name, path.read_text(encoding="utf-8"))


def parse(name, text):
    """Make a `Lesson` of a source text; see `problems` for its rules."""
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except Exception as error:  # jupytext raises many kinds
        raise LessonError(f"{name}: not readable as MyST: {error}") from None
    lesson = Lesson(name, [])
    position, heading = 0, name
    for raw in notebook.cells:
        found = text.find(raw.source, position) if raw.source else -1
        position = max(position, found)
        tags = raw.metadata.get("tags", [])
        if raw.cell_type == "markdown":
            headings = headings_of(raw.source)
            heading = headings[0] if headings else heading
        lesson.cells.append(
            Cell(
                kind="code" if raw.cell_type == "code" else "markdown",
                source=raw.source,
                frameworks=tuple(tag for tag in tags if tag in FRAMEWORKS),
                tags=[
                    tag for tag in tags if tag not in (*FRAMEWORKS, *SLIDES)
                ],
                alt=" ".join(raw.metadata.get("alt", "").split()),
                slide=next((tag for tag in tags if tag in SLIDES), ""),
                line=text.count("\n", 0, position) + 1,
                heading=heading,
            )
        )
        if raw.cell_type == "markdown" and headings:
            heading = headings[-1]
    lesson.steps = group_steps(lesson.cells)
    for first, *others in lesson.steps:  # said once, true for all variants
        for cell in others:
            cell.alt = cell.alt or first.alt
            cell.slide = cell.slide or first.slide
    set_ids(lesson)
    return lesson


def headings_of(markdown):
    """Return the headings in a prose cell, code fences left out."""
    outside = re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)
    return [
        found.strip()
        for found in re.findall(r"^#{1,6} +(.+)$", outside, re.MULTILINE)
    ]


def group_steps(cells):
    """Group tagged neighbours; a repeat after a complete step opens the next.

    Args:
        cells: all cells of a lesson, in order.

    Returns:
        A list of steps, each a list of cells.
    """
    steps, current = [], []
    for cell in cells:
        if not cell.frameworks:
            current = []
            continue
        seen = {name for other in current for name in other.frameworks}
        if not current or seen == set(FRAMEWORKS):
            current = []
            steps.append(current)
        current.append(cell)
    return steps


def set_ids(lesson):
    """Name each cell by its heading and its place below it.

    The variants of one step share their id, so that the notebooks can be laid
    side by side; an edit elsewhere in the lesson changes no id.
    """
    count = {}
    in_step = {id(cell): step[0] for step in lesson.steps for cell in step}
    for cell in lesson.cells:
        first = in_step.get(id(cell), cell)
        if first is not cell:
            cell.id = first.id
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", cell.heading.lower()).strip("-")
        slug = slug[:48].strip("-") or "cell"
        count[slug] = count.get(slug, 0) + 1
        cell.id = f"{slug}-{count[slug]}"


def problems(lesson):
    """List what breaks the house rules, each with its place and remedy.

    Args:
        lesson: a `Lesson`.

    Returns:
        Messages, empty when all is well.
    """
    found = []

    def say(cell, what):
        found.append(f"{lesson.name}: {cell.place()}: {what}")

    if not lesson.cells or not lesson.cells[0].source.startswith("# "):
        found.append(f"{lesson.name}: begins with no title: '# …' comes first")
    for cell in lesson.cells:
        for tag in cell.tags:
            if not tag.startswith(OTHER_TAGS):
                known = " ".join(FRAMEWORKS)
                say(cell, f"unknown tag '{tag}'; frameworks are: {known}")
        if cell.kind == "markdown":
            if cell.frameworks:
                say(cell, "prose is the same for all: take its tag away")
            if DIRECTIVE.search(cell.source):
                say(cell, "a raw directive: plain Jupyter would show it so")
        else:
            for rule in code_rules(cell.source):
                say(cell, rule)
    for step in lesson.steps:
        held = [name for cell in step for name in cell.frameworks]
        for name in FRAMEWORKS:
            if held.count(name) != 1:
                say(
                    step[0],
                    f"this step has {held.count(name)} cells for {name}, "
                    "expected exactly one per framework",
                )
    for name in FRAMEWORKS:
        for cell, what in exercises.problems(lesson.cells_of(name)):
            say(cell, what)
    found += crowded(lesson)
    return list(dict.fromkeys(found))


def code_rules(source):
    """Yield the rules of size and form that a code cell breaks."""
    lines = source.splitlines()
    if not source.strip():
        yield "an empty code cell: take it away"
        return
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        yield f"not valid Python: {error.msg} (its line {error.lineno})"
        return
    has_class = any(isinstance(node, ast.ClassDef) for node in tree.body)
    most = MOST_CLASS_LINES if has_class else MOST_LINES
    if len(lines) > most:
        yield f"{len(lines)} lines, expected at most {most}: split it"
    longest = max(map(len, lines))
    if longest > MOST_COLUMNS:
        yield f"{longest} columns, expected at most {MOST_COLUMNS}"


def crowded(lesson):
    """List the places with more than two code cells and no prose between."""
    found = []
    for framework in FRAMEWORKS:
        row = 0
        for cell in lesson.cells_of(framework):
            row = row + 1 if cell.kind == "code" else 0
            if row == 3:
                found.append(
                    f"{lesson.name}: {cell.place()}: the third code cell in "
                    "a row: put prose between them"
                )
    return found
