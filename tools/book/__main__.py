"""Make the book, or the slides: `make book` and `make slides` run this."""

import argparse
import os
import re
import sys

from tools.author.sources import ROOT, LessonError, names
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
    add = parser.add_subparsers(dest="command", required=True).add_parser
    book = add("pages", help="all frameworks in tabs")
    book.add_argument("--site", default="", help="where it will stand")
    book.add_argument("--repository", default="", type=repository)
    decks = add("slides", help="a deck of each lesson and framework")
    decks.add_argument("--lesson", default="", help="how its name begins")
    chosen_before = os.environ.get("LESSON_FRAMEWORKS", "")
    decks.add_argument("--frameworks", default=chosen_before, help="names")
    given, folder = parser.parse_args(), ROOT / "build"
    try:
        if given.command == "pages":
            site.build(folder, given.site.rstrip("/"), given.repository)
            print(f"The book: {folder / 'book' / 'index.html'}")
            return
        lessons = [n for n in names() if n.startswith(given.lesson)]
        if not lessons:
            sys.exit(f"--lesson: no lesson begins with '{given.lesson}'")
        frameworks = chosen(given.frameworks) or list(FRAMEWORKS)
        slides.build(folder, lessons, frameworks)
        print(f"The slides: {folder / 'slides' / 'index.html'}")
    except LessonError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
