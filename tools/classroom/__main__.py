"""Make kits for a class, or serve one: a kit's folders, or a JupyterHub."""

import argparse
import sys
from pathlib import Path

from tools.author.sources import NOTEBOOKS, ROOT


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m tools.classroom")
    add = parser.add_subparsers(dest="command", required=True).add_parser
    kit = add("kit", help="to hand out, to keep, and slides")
    kit.add_argument("--lesson", default="", help="e.g. 02")
    kit.add_argument("--force", action="store_true", help="drop what changed")
    hub = add("hub", help="run a JupyterHub for a class")
    hub.add_argument("--names", default="", help="file, one name a line")
    hub.add_argument("--teacher", default="", help="may stop and see all")
    hub.add_argument("--lessons", type=Path, default=NOTEBOOKS)
    hub.add_argument("--port", type=int, default=8000)
    hub.add_argument("--state", type=Path, default=ROOT / "build" / "hub")
    for command in (kit, hub):
        command.add_argument("--frameworks", default="", help="names, or all")
    given = vars(parser.parse_args())
    # Each needs packages that the other does not.
    if given.pop("command") == "kit":
        from tools.classroom.kit import make

        make(**given)
    else:
        from tools.classroom.hub.server import serve

        serve(**given)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; what there was is as it was")
