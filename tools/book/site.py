"""The whole book: its pages, its first page, and notebooks to download."""

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

from tools.author import sources
from tools.author.build import dumps
from tools.book import agreement_page, files, pages
from tools.frameworks import FRAMEWORKS

ROOT = sources.ROOT
HERE = Path(__file__).parent
TRUTH = "what_the_sources_get_wrong"
FIGURE = "three-poolings.svg"
CELL = re.compile(
    r"\(\.\./(?:notebooks/)?\w+/(\d\d)_\w+\.ipynb#cell-id=([\w-]+)\)"
)
OUTSIDE = re.compile(r"\[([^]]*)\]\(\.\./[^)]*\)")  # files that are no page
CARD = """\
:::{{grid-item-card}} {title}
:link: {name}
:link-type: doc

About {minutes} minutes
:::"""


def texts(repository: str = "") -> dict[str, str]:
    """Return all that the book is made of: {path: text}.

    Args:
        repository: see `tools.book.pages.page`.
    """
    read = [sources.read(name) for name in sources.names()]
    lessons = [(lesson, pages.stored(lesson)) for lesson in read]
    made = [pages.page(*lesson, repository) for lesson in lessons]
    found = {f"{page.name}.md": page.text for page in made}
    rows = agreement_page.predictions(lessons)
    found["agreement.md"] = agreement_page.page(rows)
    figures = {agreement_page.FIGURE: agreement_page.draw(rows)}
    figures[FIGURE] = (ROOT / "docs" / FIGURE).read_text("utf-8")
    for page in made:
        figures |= page.pictures
    found |= {f"figures/{name}": svg for name, svg in figures.items()}
    truth = sources.SOURCE / f"{TRUTH}.md"
    for path in ROOT / "docs/teaching.md", ROOT / "docs/learning.md", truth:
        text = CELL.sub(r"(#\1-\2)", path.read_text("utf-8"))
        text = text.replace(
            f"(../notebooks/source/{TRUTH}.md)", f"({TRUTH}.md)"
        )
        found[path.name] = OUTSIDE.sub(r"\1", text)
    found["index.md"] = index(made)
    return found


def index(made: Iterable[pages.Page]) -> str:
    """Return the first page: a card for each lesson, a zip per framework."""
    made = list(made)
    cards = "\n\n".join(
        CARD.format(title=p.title, name=p.name, minutes=p.minutes)
        for p in made
    )
    zips = "\n".join(
        f'<a href="notebooks/{zip_name(name)}" download>{framework.title}</a>'
        for name, framework in FRAMEWORKS.items()
    )
    return (
        (HERE / "index.md")
        .read_text("utf-8")
        .format(
            cards=f"::::{{grid}} 1 2 2 2\n:gutter: 3\n\n{cards}\n::::",
            zips=f'```{{raw}} html\n<p class="zips">{zips}</p>\n```',
            pages="\n".join(p.name for p in made),
        )
    )


def zip_name(framework: str) -> str:
    """Return the name of a framework's archive."""
    return f"attention-pooling-{framework}.zip"


def downloads(site: str) -> dict[str, bytes]:
    """Return the notebooks, and a zip of each framework's: {path: content}.

    Args:
        site: the book's address, for links from notebooks back to pages, or
            "" for links within the folder.
    """
    found = {}
    for framework in FRAMEWORKS:
        for name in sources.names():
            path = f"{framework}/{name}.ipynb"
            page = f"{site or '../..'}/{name}.html?framework={framework}"
            found[f"notebooks/{path}"] = with_link(path, page)
        found[f"notebooks/{zip_name(framework)}"] = files.archive(framework)
    return found


def with_link(path: str, page: str) -> bytes:
    """Return a notebook, below its title a link to its page."""
    notebook = nbformat.read(sources.NOTEBOOKS / path, as_version=4)
    title, rest = notebook.cells[0].source.split("\n", 1)
    link = f"[This lesson as a page, in all frameworks]({page})"
    notebook.cells[0].source = f"{title}\n\n{link}\n{rest}"
    return dumps(notebook).encode()


def build(folder: Path, site: str = "", repository: str = "") -> None:
    """Make the book in ``folder/book``; see `downloads` and `texts`."""
    made = files.sphinx("html", HERE, texts(repository), folder / "pages")
    files.write(made | downloads(site), folder / "book")
