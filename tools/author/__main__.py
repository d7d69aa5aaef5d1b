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
    building = commands.add_parser("build", help="generate and execute them")
    building.add_argument("--lesson", default="", help="e.g. 02")
    building.add_argument(
        "--force", action="store_true", help="overwrite changes by hand too"
    )
    checking = commands.add_parser("check", help="are they what sources give?")
    for one in (building, checking):
        one.add_argument("--frameworks", default="", help="names, or all")
        one.add_argument("--folder", type=Path, default=trust.NOTEBOOKS)
    accepting = commands.add_parser("accept", help="store what one gives now")
    accepting.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    accepting.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("trust", help="let Jupyter show stored figures")
    given = parser.parse_args()
    if given.command == "trust":
        trust.published()
        return 0
    if given.command == "accept":
        from nbsight.accept import accept

        from tools.author.generated import Generated

        return accept(given.notebooks, given.yes, Generated())
    from tools.author.build import build
    from tools.author.check import check

    frameworks = chosen(given.frameworks) or list(FRAMEWORKS)
    folder = given.folder.absolute()
    if given.command == "build":
        failures = build(frameworks, given.lesson, given.force, folder)
    else:
        failures = check(folder, frameworks)
    if failures:
        print("", *failures, sep="\n", file=sys.stderr)
    elif given.command == "check":
        print(f"as their sources give them: {', '.join(frameworks)}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; what is written so far is whole")
