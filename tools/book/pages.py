"""A page of each lesson: its prose once, its code in tabs, outputs beside it.

Prose and code come from the source, outputs from the executed notebooks;
nothing is executed here. A page is MyST Markdown, for Sphinx.
"""

import html
import itertools
import re
from dataclasses import dataclass, field

import nbformat
from nbsight.compare import DEFAULT, figure_differences

from nbsight import MIME
from tools.author import exercises
from tools.author.sources import NOTEBOOKS, ROOT, LessonError
from tools.frameworks import FRAMEWORKS

SVG = "image/svg+xml"
LIVE = "application/vnd.d2lmini.live+json"  # what the live figure begins with
LIVE_HTML = """\
```{{raw}} html
<div class="live-figure"></div>
<script type="module">
{module}
const el = document.querySelector(".live-figure");
render({{ model: plainModel({values}), el }});
</script>
```
"""
UNMEASURED = re.compile(r" *<!-- unmeasured:.*?-->", re.S)
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
    pictures: dict = field(default_factory=dict)  # {file name: SVG}


def stored(lesson, folder=NOTEBOOKS):
    """Read a lesson's executed notebooks.

    Args:
        lesson: a `tools.lesson.Lesson`.
        folder: the folder that holds the frameworks' folders.

    Returns:
        {framework: {cell id: list of outputs}}.

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


def page(lesson, outputs, repository=""):
    """Return the `Page` of a lesson.

    Args:
        lesson: a `tools.lesson.Lesson`.
        outputs: what `stored` returns for it.
        repository: ``OWNER/NAME`` on GitHub, for links to where its notebooks
            can be run, or "" for none.

    Raises:
        LessonError: a figure has no alt text, or an output has a form that
            pages do not show.
    """
    title = lesson.cells[0].source.splitlines()[0].removeprefix("# ")
    found = MINUTES.search(" ".join(lesson.cells[0].source.split()))
    if not found:
        raise LessonError(f"{lesson.name}: 'about N minutes' is missing")
    made = Page(lesson.name, title, int(found[1]))
    parts, solutions, titles = [], [], iter(exercises.HINTS)
    for cells in units(lesson):
        cell = cells[0]
        if cell.kind == "markdown" and "answer" in cell.tags:
            parts.append(folded(solutions, cell))
            solutions = []
        elif "hint" in cell.tags:
            parts.append(fold(next(titles), prose(cell.source)))
        elif cell.kind == "markdown":
            parts.append(prose(cell.source))
        elif "check" in cell.tags:  # to be run, so of no use on a page
            inside, titles = code(cell.source), iter(exercises.HINTS)
            parts.append(label(lesson, cell) + fold("Self-check", inside))
        else:
            if "solution" in cell.tags:
                solutions.append(cells)
            parts.append(label(lesson, cell) + shown(made, cells, outputs))
    head, rest = parts[0].split("\n", 1)
    parts[0] = f"{head}\n\n{links(made, repository)}\n{rest}"
    made.text = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    return made


def units(lesson):
    """Yield lists of cells: a prose cell, a shared cell, or a whole step."""
    steps = {id(step[0]): step for step in lesson.steps}
    for cell in lesson.cells:
        if not cell.frameworks:
            yield [cell]
        elif id(cell) in steps:
            yield steps[id(cell)]


def prose(source):
    """Return prose for a page: comments left out, some paragraphs apart."""
    source = FORMULA.sub(r"\n\n\1\n\n", UNMEASURED.sub("", source))
    paragraphs = re.split(r"\n{2,}", source.strip())
    for i, text in enumerate(paragraphs):
        for start, name in APART.items():
            if text.startswith(start):
                text = f":::{{container}} {name}\n{text}\n:::"
        paragraphs[i] = text
    return "\n\n".join(paragraphs)


def label(lesson, cell):
    """Return the target that links from other pages lead to."""
    return f"({lesson.name[:2]}-{cell.id})=\n"


def links(made, repository):
    """Return the line below the title: minutes, and the notebooks."""
    here = {name: f"notebooks/{name}/{made.name}.ipynb" for name in FRAMEWORKS}
    lists = [("Notebook", here, " download")]
    for place, address in PLACES.items() if repository else ():
        addresses = {
            name: address.format(repository=repository, path=path)
            for name, path in here.items()
            if place == "Binder" or not FRAMEWORKS[name].holds_back
        }
        lists.append((place, addresses, ""))
    spans = "".join(
        f"<span>{name}: {anchors(addresses, extra)}</span>"
        for name, addresses, extra in lists
    )
    return (
        "```{raw} html\n"
        f'<p class="lesson-links"><span>About {made.minutes} minutes</span>'
        f"{spans}</p>\n"
        "```\n"
    )


def anchors(addresses, extra):
    """Return HTML links, {framework: address}, named as the frameworks."""
    return " ".join(
        f'<a href="{html.escape(address)}"{extra}>{FRAMEWORKS[name].title}</a>'
        for name, address in addresses.items()
    )


def code(source, language="python", name="cell"):
    """Return a block of code, highlighted, or of what a cell printed."""
    return (
        f"`````{{code-block}} {language}\n:class: {name}\n\n"
        f"{source.rstrip()}\n`````\n"
    )


def tabs(contents, name=""):
    """Return a set of tabs, one per framework, that all switch together.

    Args:
        contents: {framework: text}.
        name: a further class, "quiet" for tabs whose labels are not needed
            as long as one framework is shown.
    """
    items = "".join(
        f"::::{{tab-item}} {FRAMEWORKS[key].title}\n:sync: {key}\n\n"
        f"{text.strip()}\n::::\n"
        for key, text in contents.items()
    )
    return (
        ":::::{tab-set}\n:sync-group: framework\n"
        f":class: frameworks {name}\n\n{items}:::::\n"
    )


def shown(made, cells, outputs):
    """Return a code cell, or a step with its tabs, and the outputs."""
    stub = exercises.stub if "solution" in cells[0].tags else str
    here = {name: found[cells[0].id] for name, found in outputs.items()}
    if cells[0].frameworks:
        variant = {name: cell for cell in cells for name in cell.frameworks}
        return tabs(
            {
                name: code(stub(variant[name].source))
                + render(made, variant[name], here[name], f"-{name}")
                for name in FRAMEWORKS
            }
        )
    return code(stub(cells[0].source)) + outputs_of(made, cells[0], here)


def outputs_of(made, cell, here):
    """Return a shared cell's outputs: once where they are equal.

    Figures that differ by less than a reader sees get tabs whose labels show
    only side by side.
    """
    names = list(here)
    first = here[names[0]]
    if any(LIVE in output.get("data", {}) for output in first):
        return render(made, cell, first, "")
    if all(here[name] == first for name in names):
        return render(made, cell, first, "")
    alike = all(same(first, here[name]) for name in names)
    contents = {
        name: render(made, cell, here[name], f"-{name}") for name in names
    }
    return tabs(contents, "quiet" if alike else "")


def same(outputs, others):
    """Tell whether two cells' outputs show the same: texts and figures."""
    return len(outputs) == len(others) and all(
        text_of(a) == text_of(b)
        and not figure_differences(
            a.get("data", {}).get(MIME, NO_FIGURE),
            b.get("data", {}).get(MIME, NO_FIGURE),
            DEFAULT,
        )
        for a, b in zip(outputs, others, strict=True)
    )


NO_FIGURE = {"artists": [], "dpi": 0, "size": []}


def text_of(output):
    """Return what an output says in text; a picture's is its type only."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return SVG if SVG in data else data.get("text/plain", "")


def render(made, cell, outputs, suffix):
    """Return outputs as text blocks and pictures; keep the pictures.

    Args:
        made: the `Page` that keeps them.
        cell: the source's cell.
        outputs: of the notebook's cell.
        suffix: for the picture's file name, where frameworks have their own.
    """
    parts, count = [], itertools.count(1)
    for output in outputs:
        data = output.get("data", {})
        if SVG in data:
            if not cell.alt:
                raise LessonError(
                    f"{made.name}: {cell.place()}: its figure has no text "
                    "for those who do not see it: add an option 'alt'"
                )
            name = f"{made.name[:2]}-{cell.id}-{next(count)}{suffix}.svg"
            made.pictures[name] = data[SVG]
            parts.append(picture(f"figures/{name}", cell.alt))
        elif LIVE in data:
            parts.append(live(data[LIVE]))
        elif output.output_type == "error":
            raise LessonError(f"{made.name}: {cell.place()}: holds an error")
        elif text_of(output):
            parts.append(code(text_of(output), "text", "output"))
        else:
            raise LessonError(
                f"{made.name}: {cell.place()}: expected text or an SVG "
                f"picture, got {', '.join(data)}"
            )
    return "".join(parts)


def live(values):
    """Return the live figure: the module that JupyterLab loads, inline.

    (A page that is opened as a file can load no module from another file.)

    Args:
        values: of the model that the module draws, as the notebook keeps
            them: JSON, as a text.
    """
    module = (ROOT / "handson" / "live.js").read_text("utf-8")
    return LIVE_HTML.format(module=module.strip(), values=values)


def picture(path, alt):
    """Return an image with its text."""
    return f"```{{image}} {path}\n:alt: {alt}\n:class: picture\n```\n"


def folded(solutions, answer):
    """Return an exercise's solution, folded: the code in tabs, the answer."""
    parts = []
    for cells in solutions:
        if cells[0].frameworks:
            variant = {name: c for c in cells for name in c.frameworks}
            parts.append(
                tabs({name: code(variant[name].source) for name in FRAMEWORKS})
            )
        else:
            parts.append(code(cells[0].source))
    parts.append(prose(answer.source))
    return fold("Solution", "\n".join(parts))


def fold(title, inside):
    """Return a part that opens when its title is pressed."""
    return f"::::::{{dropdown}} {title}\n{inside}\n::::::\n"
