"""The command line, from the folder nbsight: ``python -m trials``."""

import argparse
import sys

from trials import peers, strangers


def main() -> None:
    """Run a command; exit with 1 where nbsight falls short."""
    parser = argparse.ArgumentParser("trials", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser
    kinds = add("strangers", help="accept and check notebooks of many kinds")
    kinds.add_argument("kinds", nargs="*", help="parts of names; or all")
    faults = add("peers", help="plant faults before nbsight and other checks")
    faults.add_argument("--sample", type=int, help="so many of each family")
    chosen = parser.parse_args()
    if chosen.command == "strangers":
        sys.exit(strangers.judge_all(chosen.kinds))
    peers.compare_all(chosen.sample)


if __name__ == "__main__":
    main()
