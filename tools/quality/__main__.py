"""The commands that tell how good the lessons and their check are."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen
from tools.quality import (
    agreement,
    benchmarks,
    faults,
    readme_figure,
    scale,
    surroundings,
    wrong_answers,
)

COMMANDS: dict[str, tuple[Callable[..., bool | None], str]] = {
    "faults": (faults.count, "plant faults and count which the check sees"),
    "answers": (wrong_answers.judge_all, "give the self-checks all answers"),
    "surroundings": (surroundings.check_all, "check in other surroundings"),
    "agreement": (agreement.compare_all, "compare what the notebooks show"),
    "scale": (scale.measure_lesson, "measure anew what lesson 05 draws"),
    "benchmarks": (benchmarks.write_page, "measure docs/benchmarks.md anew"),
    "figure": (readme_figure.draw, "draw README's figure anew"),
}


def main() -> None:
    """Run a command; exit with 1 where it finds something wrong."""
    parser = argparse.ArgumentParser("tools.quality", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of = {
        name: commands.add_parser(name, help=words)
        for name, (_, words) in COMMANDS.items()
    }
    for name in "faults", "answers", "surroundings", "agreement":
        of[name].add_argument(
            "--frameworks",
            type=lambda text: chosen(text) or list(FRAMEWORKS),
            default="",
            help="names, or all",
        )
    for name, option, known in (
        ("faults", "--families", list(faults.FAMILIES)),
        ("benchmarks", "--parts", list(benchmarks.PARTS)),
    ):
        of[name].add_argument(option, nargs="+", choices=known, default=known)
    of["faults"].add_argument("--sample", type=int, help="of each family")
    of["faults"].add_argument("--seed", type=int, default=20261121)
    of["benchmarks"].add_argument("--rounds", type=int, default=3)
    figure = sources.ROOT / "docs" / "three-poolings.svg"
    of["figure"].add_argument("target", nargs="?", type=Path, default=figure)
    options = vars(parser.parse_args())
    run, _ = COMMANDS[options.pop("command")]
    sys.exit(run(**options))


if __name__ == "__main__":
    main()
