"""Make the book, or the slides: `make book` and `make slides` run this."""

import argparse
import os
import re
import sys
from pathlib import Path

from tools.author import sources
from tools.book import site, slides
from tools.frameworks import FRAMEWORKS, chosen

GITHUB = r"https://github\.com/([\w-]+/[\w.-]+?)(?:\.git)?/?"


def repository(address: str) -> str:
    """Read the address of a repository: ``OWNER/NAME``, or "" for none."""
    found = re.fullmatch(GITHUB, address)
    if address and not found:
        raise argparse.ArgumentTypeError(
            f"expected https://github.com/OWNER/NAME, got {address!r}"
        )
    return found[1] if found else ""


def main() -> None:
    """Build what is asked for, and say where its first page is."""
    parser = argparse.ArgumentParser("python -m tools.book")
    commands = parser.add_subparsers(dest="command", required=True)
    book = commands.add_parser("pages", help="every framework in tabs")
    book.add_argument("--site", default="", help="where it will stand")
    book.add_argument("--repository", default="", type=repository)
    decks = commands.add_parser("slides", help="a deck per framework")
    decks.add_argument("--lesson", default="", help="how its name begins")
    decks.add_argument(
        "--frameworks",
        default=os.environ.get("LESSON_FRAMEWORKS", ""),
        help="names, separated by spaces",
    )
    for command in book, decks:
        command.add_argument(
            "--folder", type=Path, default=sources.ROOT / "build"
        )
    given = parser.parse_args()
    folder = given.folder.absolute()
    if given.command == "pages":
        site.build(folder, given.site.rstrip("/"), given.repository)
        print(f"The book: {folder / 'book' / 'index.html'}")
        return
    names = [n for n in sources.names() if n.startswith(given.lesson)]
    if not names:
        sys.exit(f"--lesson: no lesson begins with '{given.lesson}'")
    slides.build(folder, names, chosen(given.frameworks) or list(FRAMEWORKS))
    print(f"The slides: {folder / 'slides' / 'index.html'}")


if __name__ == "__main__":
    try:
        main()
    except sources.LessonError as error:
        sys.exit(str(error))
