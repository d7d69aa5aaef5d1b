"""Make the notebooks of the lessons' sources, and keep them right.

Each command imports what it needs: `make lab` runs ``trust`` where there is
nothing to build or to test with.
"""

import argparse
import sys
from pathlib import Path

from tools.author import trust
from tools.frameworks import FRAMEWORKS, chosen


def main() -> int:
    """Read the command line and do it; return the status to exit with."""
    parser = argparse.ArgumentParser("tools.author")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="generate and execute them")
    build.add_argument("--lesson", default="", help="e.g. 02")
    build.add_argument(
        "--force", action="store_true", help="overwrite changes by hand too"
    )
    check = commands.add_parser("check", help="are they what sources give?")
    for one in (build, check):
        one.add_argument("--frameworks", default="", help="names, or all")
        one.add_argument("--folder", type=Path, default=trust.NOTEBOOKS)
    accept = commands.add_parser("accept", help="store what one gives now")
    accept.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    accept.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("trust", help="let Jupyter show stored figures")
    given = parser.parse_args()
    if given.command == "trust":
        trust.published()
        return 0
    if given.command == "accept":
        return accept_notebooks(given)
    failures = build_or_check(given)
    if failures:
        print("", *failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0


def accept_notebooks(given: argparse.Namespace) -> int:
    """Hand the notebooks on to nbsight, which looks at them."""
    from nbsight import accept
    from tools.author.generated import Generated

    yes = ["--yes"] if given.yes else []
    return accept.main(Generated(), [*yes, *given.notebooks])


def build_or_check(given: argparse.Namespace) -> list[str]:
    """Return what is wrong; where all is well, say how much that is."""
    from tools.author import build, check, sources

    frameworks = chosen(given.frameworks) or list(FRAMEWORKS)
    folder = given.folder.absolute()
    if given.command == "build":
        return build.build(frameworks, given.lesson, given.force, folder)
    found = check.check(folder, frameworks)
    if not found:
        lessons = len(sources.names(folder / "source"))
        notebooks = lessons * len(frameworks)
        print(f"{notebooks} notebooks are what {lessons} lessons give")
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; what is written so far is whole")
