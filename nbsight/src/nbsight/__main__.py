"""The command line: ``nbsight accept NOTEBOOK``."""

import argparse
import sys

from .accept import accept


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="nbsight")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "accept", help="store what notebooks give now, on purpose"
    )
    command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    command.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args()
    sys.exit(accept(chosen.notebooks, chosen.yes))


if __name__ == "__main__":
    main()
