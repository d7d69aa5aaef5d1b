"""How long the check of the notebooks takes; run from the root.

    python -m tools.quality.benchmarks.verification --rounds 3

Against what no check can do without, in the same round and in changing order:
the cells alone (an ordinary kernel for each notebook, two at a time, in which
nothing is collected or compared), nbval as it is, and the check.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel

from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).parents[3]
WORKERS = 2
GOALS = {"nbval": "", "check": "1.10"}


def cells(path):
    """Return the code cells of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def kernels(paths):
    """Run each notebook's cells in a fresh kernel, two at a time.

    Args:
        paths: of the notebooks.

    Returns:
        Seconds.
    """

    def one(path):
        manager, client = start_new_kernel(
            cwd=path.parent, stderr=subprocess.DEVNULL
        )
        for cell in cells(path):
            reply = client.execute_interactive(cell, output_hook=lambda _: 0)
            if reply["content"]["status"] != "ok":
                raise RuntimeError(reply["content"]["evalue"])
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, paths))
    return time.perf_counter() - started


def check(paths, plugin=()):
    """Run the check on notebooks; return seconds."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval"]
    command += ["-n", str(WORKERS), "--dist", "loadfile"]
    command += [*plugin, *map(str, paths)]
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if plugin and answer.returncode:
        last = answer.stdout.splitlines()[-1:]
        print(f"  not as it should be: {last}", file=sys.stderr)
    return seconds


def measure(rounds, paths):
    """Measure each way in each round.

    Args:
        rounds: how often.
        paths: of the notebooks, in folders named as their frameworks.

    Returns:
        A list of rows (round, way, seconds, seconds / the cells' own).
    """
    ways = {
        "cells alone": lambda: kernels(paths),
        "nbval": lambda: check(paths, plugin=()),
        "check": lambda: check(paths),
    }
    rows = []
    for number in range(rounds):
        order = list(ways)[number % 3 :] + list(ways)[: number % 3]
        seconds = {way: ways[way]() for way in order}
        for way in ways:
            ratio = seconds[way] / seconds["cells alone"]
            rows.append((number, way, seconds[way], ratio))
            print(f"{number} {way:16} {seconds[way]:6.1f} s  {ratio:5.2f}")
    return rows


def table(rounds, notebooks="notebooks/*/*.ipynb"):
    """Measure, and return medians and spread as a Markdown table.

    Args:
        rounds: how often.
        notebooks: a pattern, to measure a part.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    paths = [
        path
        for path in sorted(ROOT.glob(notebooks))
        if path.parent.name in FRAMEWORKS
    ]
    rows = measure(rounds, paths)
    lines = [
        f"{len(paths)} notebooks, {rounds} rounds, two kernels at a time.",
        "",
        "| over the cells alone | median | range | goal, at most |",
        "|---|---|---|---|",
    ]
    for way, goal in GOALS.items():
        ratios = [row[3] for row in rows if row[1] == way]
        middle, low, high = (
            f"{f(ratios):.2f}" for f in (statistics.median, min, max)
        )
        lines.append(f"| {way} | {middle} | {low} to {high} | {goal} |")
    return "\n".join(lines)


def main():
    """Measure, and print medians and spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--notebooks", default="notebooks/*/*.ipynb")
    arguments = parser.parse_args()
    print(table(arguments.rounds, arguments.notebooks))


if __name__ == "__main__":
    main()
