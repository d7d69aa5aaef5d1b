"""The commands that tell how good the lessons and their check are."""

import argparse
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen

COMMANDS = {
    "faults": ("faults", "plant faults and count which the check sees"),
    "answers": ("wrong_answers", "give the self-checks all kinds of answers"),
    "surroundings": ("surroundings", "run the check in other surroundings"),
    "agreement": ("agreement", "compare what the frameworks' notebooks show"),
    "scale": ("scale", "measure anew what lesson 05 draws"),
    "benchmarks": ("benchmarks", "measure docs/benchmarks.md anew"),
    "figure": ("readme_figure", "draw README's figure anew"),
}


def some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a function that reads names, or all of them from no text."""

    def names(text: str) -> list[str]:
        for name in text.split():
            if name not in known:
                words = f"no '{name}'; there are: {' '.join(known)}"
                raise argparse.ArgumentTypeError(words)
        return text.split() or list(known)

    return names


def main() -> None:
    """Run a command; exit with 1 where it finds something wrong."""
    parser = argparse.ArgumentParser("tools.quality", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of = {
        name: commands.add_parser(name, help=COMMANDS[name][1])
        for name in COMMANDS
    }
    for name in "faults", "answers", "surroundings", "agreement":
        of[name].add_argument(
            "--frameworks",
            type=lambda text: chosen(text) or list(FRAMEWORKS),
            default="",
            help="names, or all",
        )
    families = some_of(["cells", "module", "stored"])
    of["faults"].add_argument("--families", type=families, default="")
    of["faults"].add_argument("--sample", type=int, help="of each family")
    of["faults"].add_argument("--seed", type=int, default=20261121)
    parts = some_of(["verification", "pooling"])
    of["benchmarks"].add_argument("--parts", type=parts, default="")
    of["benchmarks"].add_argument("--rounds", type=int, default=3)
    figure = sources.ROOT / "docs" / "three-poolings.svg"
    of["figure"].add_argument("target", nargs="?", type=Path, default=figure)
    options = vars(parser.parse_args())
    module, _ = COMMANDS[options.pop("command")]
    sys.exit(import_module(f"tools.quality.{module}").main(**options))


if __name__ == "__main__":
    main()
