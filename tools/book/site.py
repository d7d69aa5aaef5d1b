"""The whole book: its pages, its first page, and notebooks to download."""

import re
from pathlib import Path

from tools.author import sources
from tools.book import agreement_page, files, pages
from tools.frameworks import FRAMEWORKS

ROOT = sources.ROOT
HERE = Path(__file__).parent
CELL = re.compile(
    r"\(\.\./(?:notebooks/)?\w+/(\d\d)_\w+\.ipynb#cell-id=([\w-]+)\)"
)
OUTSIDE = re.compile(r"\[([^]]*)\]\(\.\./[^)]*\)")  # files that are no page
CARD = """\
:::{{grid-item-card}} {page.title}
:link: {page.name}
:link-type: doc

About {page.minutes} minutes
:::"""
ZIP = "attention-pooling-{}.zip"


def texts(repository: str = "") -> dict[str, str]:
    """Return all that the book is made of: {path: text}."""
    read = map(sources.read, sources.names())
    lessons = [(lesson, pages.stored(lesson)) for lesson in read]
    made = [pages.page(*lesson, repository) for lesson in lessons]
    found = {f"{page.name}.md": page.text for page in made}
    rows = agreement_page.predictions(lessons)
    found["agreement.md"] = agreement_page.page(rows)
    found["figures/agreement.svg"] = agreement_page.draw(rows)
    figure = ROOT / "docs" / "three-poolings.svg"
    found[f"figures/{figure.name}"] = figure.read_text("utf-8")
    for page in made:
        found |= page.pictures
    truth = sources.SOURCE / "what_the_sources_get_wrong.md"
    for path in ROOT / "docs/teaching.md", ROOT / "docs/learning.md", truth:
        text = CELL.sub(r"(#\1-\2)", path.read_text("utf-8"))
        text = text.replace("(../notebooks/source/what", "(what")
        found[path.name] = OUTSIDE.sub(r"\1", text)
    found["index.md"] = index(made)
    return found


def index(made: list[pages.Page]) -> str:
    """Return the first page: a card for each lesson, a zip per framework."""
    zips = [
        f'<a href="notebooks/{ZIP.format(name)}" download>{one.title}</a>'
        for name, one in FRAMEWORKS.items()
    ]
    return files.template("index").format(
        cards="\n\n".join(CARD.format(page=page) for page in made),
        zips="\n".join(zips),
        pages="\n".join(page.name for page in made),
    )


def downloads(site: str) -> dict[str, bytes]:
    """Return the notebooks, and a zip of each framework's: {path: content}.

    Notebooks lead back to the pages: at the address ``site``, or, if it is
    empty, in the same folder.
    """
    found = {}
    for name in FRAMEWORKS:
        inside = files.needed(name)
        for path in (sources.NOTEBOOKS / name).glob("*.ipynb"):
            page = f"{site or '../..'}/{path.stem}.html?framework={name}"
            link = f"[This lesson as a page, in all frameworks]({page})"
            found[f"notebooks/{name}/{path.name}"] = files.notebook(path, link)
            inside[f"notebooks/{path.name}"] = files.notebook(path)
        file = ZIP.format(name)
        packed = files.zipped(inside, file.removesuffix(".zip"))
        found[f"notebooks/{file}"] = packed
    return found


def build(folder: Path, site: str = "", repository: str = "") -> None:
    """Make the book in ``folder/book``; it may know where it will stand."""
    made = files.sphinx("html", HERE, texts(repository), folder / "pages")
    files.write(made | downloads(site), folder / "book")
