"""Make the book: `make book` runs this file.

Sources and executed notebooks become MyST pages in ``build/pages``, written
only where they changed, and Sphinx makes ``build/book`` of them. A build that
is killed leaves the last book whole: the new one is made beside it.
"""

import argparse
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat

from tools.author import sources
from tools.author.notebooks import dumps
from tools.book import agreement_page, pages
from tools.frameworks import FRAMEWORKS

ROOT = sources.ROOT
HERE = Path(__file__).parent
TRUTH = "what_the_sources_get_wrong"
DOCS = "teaching", "learning"  # of docs/
GITHUB = r"https://github\.com/([\w-]+/[\w.-]+?)(?:\.git)?/?"
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
INSTALL = """\
Attention pooling in {title}. With Python 3.11:

    pip install ".[{name},lab]"
    jupyter lab notebooks
"""


def texts(repository=""):
    """Return all that the book is made of: {path: text}.

    Args:
        repository: see `tools.book.pages.page`.
    """
    read = [sources.read(name) for name in sources.names()]
    outputs = [pages.stored(lesson) for lesson in read]
    files, made = {}, []
    for lesson, found in zip(read, outputs, strict=True):
        page = pages.page(lesson, found, repository)
        made.append(page)
        files[f"{page.name}.md"] = page.text
        for name, svg in page.pictures.items():
            files[f"figures/{name}"] = svg
    rows = agreement_page.predictions(zip(read, outputs, strict=True))
    files["agreement.md"] = agreement_page.page(rows)
    files[f"figures/{agreement_page.FIGURE}"] = agreement_page.draw(rows)
    figure = "three-poolings.svg"
    files[f"figures/{figure}"] = (ROOT / "docs" / figure).read_text("utf-8")
    for path in (
        sources.SOURCE / f"{TRUTH}.md",
        *(ROOT / "docs" / f"{name}.md" for name in DOCS),
    ):
        text = CELL.sub(r"(#\1-\2)", path.read_text("utf-8"))
        text = text.replace(
            f"(../notebooks/source/{TRUTH}.md)", f"({TRUTH}.md)"
        )
        files[path.name] = OUTSIDE.sub(r"\1", text)
    files["index.md"] = index(made)
    return files


def index(made):
    """Return the first page: a card for each lesson, a zip per framework."""
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


def zip_name(framework):
    """Return the name of a framework's archive."""
    return f"attention-pooling-{framework}.zip"


def downloads(site):
    """Return the notebooks, and a zip of each framework's: {path: bytes}.

    Args:
        site: the book's address, for links from notebooks back to pages, or
            "" for links within the folder.
    """
    files = {}
    for framework in FRAMEWORKS:
        for name in sources.names():
            path = f"{framework}/{name}.ipynb"
            page = f"{site or '../..'}/{name}.html?framework={framework}"
            files[f"notebooks/{path}"] = with_link(path, page)
        files[f"notebooks/{zip_name(framework)}"] = archive(framework)
    return files


def with_link(path, page):
    """Return a notebook, below its title a link to its page."""
    notebook = nbformat.read(sources.NOTEBOOKS / path, as_version=4)
    title, rest = notebook.cells[0].source.split("\n", 1)
    link = f"[This lesson as a page, in all frameworks]({page})"
    notebook.cells[0].source = f"{title}\n\n{link}\n{rest}"
    return dumps(notebook).encode()


def without_siblings(text):
    """Return a notebook's text without links to other frameworks' ones."""
    notebook = nbformat.reads(text, as_version=4)
    title, _, _, *rest = notebook.cells[0].source.split("\n")
    notebook.cells[0].source = "\n".join([title, *rest])
    return dumps(notebook)


def archive(framework):
    """Return a zip file with all that a framework's notebooks need.

    The same bytes for the same content: no times, one order.
    """
    title = FRAMEWORKS[framework].title
    text = INSTALL.format(title=title, name=framework)
    inside = {"INSTALL.txt": text.encode()}
    for pattern in (
        f"notebooks/{framework}/*.ipynb",
        *(f"{package}/*.*" for package in sources.PACKAGES),
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "notebooks/source/LICENSE",
    ):
        for file in ROOT.glob(pattern):
            path = file.relative_to(ROOT).as_posix()
            path = path.replace(f"notebooks/{framework}/", "notebooks/")
            content = file.read_text("utf-8")
            if file.suffix == ".ipynb":  # the others are not in this archive
                content = without_siblings(content)
            inside[path] = content.encode()
    return zipped(inside, f"attention-pooling-{framework}")


def zipped(inside, folder):
    """Return a zip of files below one folder, the same bytes each time.

    Args:
        inside: {path: bytes}.
        folder: the name of the folder in it.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archived:
        for name, content in sorted(inside.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}")
            entry.external_attr = 0o644 << 16
            archived.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def write(files, folder):
    """Bring a folder to hold just these files; leave equal ones alone.

    Args:
        files: {path within the folder: text or bytes}.
        folder: where they go; each is put in its place in one move.
    """
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        content = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = folder.parent / f"{folder.name}.partial"
            partial.write_bytes(content)
            partial.replace(path)


def build(folder, site="", repository=""):
    """Make the book in ``folder/book``; what it is made of stays beside it.

    Args:
        folder: a path.
        site: see `downloads`.
        repository: see `tools.book.pages.page`.

    Raises:
        SystemExit: Sphinx warned, which counts as an error here.
    """
    write(texts(repository), folder / "pages")
    write(downloads(site), folder / "downloads")
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--builder", "html"),
            *("--fail-on-warning", "--keep-going", "--quiet"),
            *("--jobs", "2", "--conf-dir", str(HERE)),
            *("--define", f"html_extra_path={folder / 'downloads'}"),
            *("--doctree-dir", str(folder / "doctrees")),
            *(str(folder / "pages"), str(folder / "html")),
        ],
        cwd=ROOT,
    )
    if answer.returncode:
        sys.exit("The book was not made; the last one is as it was.")
    left_out = {".buildinfo", "objects.inv"}  # of no use to readers
    made = {
        path.relative_to(folder / "html").as_posix(): path.read_bytes()
        for path in (folder / "html").rglob("*")
        if path.is_file() and path.name not in left_out
    }
    write(made, folder / "book")


def main():
    """Build, and say where the first page is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build")
    parser.add_argument("--site", default="", help="where it will stand")
    parser.add_argument(
        "--repository", default="", help="https://github.com/OWNER/NAME"
    )
    arguments = parser.parse_args()
    folder, address = arguments.folder.absolute(), arguments.repository
    found = re.fullmatch(GITHUB, address)
    if address and not found:
        sys.exit(
            "repository: expected https://github.com/OWNER/NAME, "
            f"got {address!r}"
        )
    build(folder, arguments.site.rstrip("/"), found[1] if found else "")
    print(f"The book: {folder / 'book' / 'index.html'}")


if __name__ == "__main__":
    try:
        main()
    except sources.LessonError as error:
        sys.exit(str(error))
