"""How long the check of the notebooks takes, over a floor; run from the root.

    OMP_NUM_THREADS=1 python -m benchmarks.verification --rounds 3

The floor is what no check that starts a kernel for each notebook can do
without: for each, a fresh kernel that imports its framework,
``matplotlib.pyplot`` and IPython and ends, two at a time. Against it, in the
same round and in changing order: the cells alone (the same kernels run each
notebook's cells, and nothing is collected or compared), nbval as it is, the
check with ordinary kernels, and with warm ones (``tools.warm``).
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

ROOT = Path(__file__).parents[1]
WORKERS = 2
GOALS = {
    "cells alone": "",
    "nbval": "",
    "ordinary kernels": "1.1",
    "warm kernels": "0.7",
}
HEAD = {  # what some need before they can be imported
    "mxnet": "import numpy; numpy.bool = numpy.bool_",
    "tensorflow": "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'",
}


def imports(path):
    """Return the imports of a notebook's framework, as a cell in a list."""
    name = path.parent.name
    code = f"{HEAD.get(name, '')}\nimport {FRAMEWORKS[name].module}"
    return [code + "\nimport matplotlib.pyplot, IPython"]


def cells(path):
    """Return the code cells of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def kernels(paths, code):
    """Run code of each notebook in a fresh kernel, two at a time.

    Args:
        paths: of the notebooks.
        code: a function from a path to a list of cells.

    Returns:
        Seconds.
    """

    def one(path):
        manager, client = start_new_kernel(
            cwd=path.parent, stderr=subprocess.DEVNULL
        )
        for cell in code(path):
            reply = client.execute_interactive(cell, output_hook=lambda _: 0)
            if reply["content"]["status"] != "ok":
                raise RuntimeError(reply["content"]["evalue"])
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, paths))
    return time.perf_counter() - started


def check(paths, *prefix, plugin=("-p", "tools.nbsight.plugin")):
    """Run the check on notebooks; return seconds."""
    command = [sys.executable, *prefix, "-m", "pytest", "-q", "--nbval"]
    command += ["-n", str(WORKERS), "--dist", "loadfile"]
    command += [*plugin, *map(str, paths)]
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    lines = answer.stdout.splitlines()[-1:] + answer.stderr.splitlines()
    said = "; ".join(lines)
    if plugin and (answer.returncode or "fresh" in said):
        print(f"  not as it should be: {said}", file=sys.stderr)
    return seconds


def measure(rounds, paths):
    """Measure each way in each round.

    Args:
        rounds: how often.
        paths: of the notebooks, in folders named as their frameworks.

    Returns:
        A list of rows (round, way, seconds, seconds / the round's floor).
    """
    ways = {
        "floor": lambda: kernels(paths, imports),
        "cells alone": lambda: kernels(paths, cells),
        "nbval": lambda: check(paths, plugin=()),
        "ordinary kernels": lambda: check(paths),
        "warm kernels": lambda: check(
            paths, "-m", "tools.warm", sys.executable
        ),
    }
    rows = []
    for number in range(rounds):
        order = list(ways)[number % 5 :] + list(ways)[: number % 5]
        seconds = {way: ways[way]() for way in order}
        for way in ways:
            ratio = seconds[way] / seconds["floor"]
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
        f"{len(paths)} notebooks, {rounds} rounds, two kernels at a time. The",
        "floor: for each notebook a fresh kernel that imports its framework,",
        "pyplot and IPython. No check with ordinary kernels can be faster",
        "than the cells alone.",
        "",
        "| over the floor | median | range | goal, at most |",
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
