"""The command line: ``nbsight accept``, ``nbsight diff``, ``nbsight fix``."""

import argparse
import sys

from .accept import accept
from .fix import fix

COMMANDS = {
    "accept": "store what notebooks give now, on purpose",
    "diff": "execute notebooks and show what differs; write nothing",
    "fix": "mend the form of notebooks; execute nothing",
}


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="nbsight")
    commands = parser.add_subparsers(required=True, dest="command")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
        command.set_defaults(yes=False, tags=False)
        if name == "accept":
            command.add_argument(
                "--yes", action="store_true", help="do not ask"
            )
            command.add_argument(
                "--tags",
                action="store_true",
                help="give cells the tags that are proposed",
            )
        if name != "fix":
            command.add_argument(
                "--current-env",
                action="store_true",
                help="in this Python, whatever kernel a notebook names",
            )
            command.add_argument(
                "-o",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="an option of pytest's configuration",
            )
    chosen = parser.parse_args()
    if chosen.command == "fix":
        sys.exit(fix(chosen.notebooks))
    options = [part for each in chosen.o for part in ("-o", each)]
    options += ["--nbval-current-env"] * chosen.current_env
    sys.exit(
        accept(
            chosen.notebooks,
            chosen.yes,
            tags=chosen.tags,
            only_show=chosen.command == "diff",
            options=options,
        )
    )


if __name__ == "__main__":
    main()
