"""How long the check of the notebooks takes, over a floor; run from the root.

    OMP_NUM_THREADS=1 python -m benchmarks.verification --rounds 3

The floor is what no check that starts a kernel for each notebook can do
without: for each, a fresh kernel that imports its framework,
``matplotlib.pyplot`` and IPython and ends, two at a time. Against it, in the
same round and in changing order: the check with ordinary kernels, and with
warm ones (``tools.warm``).
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).parents[1]
WORKERS = 2
HEAD = {  # what some need before they can be imported
    "mxnet": "import numpy; numpy.bool = numpy.bool_",
    "tensorflow": "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'",
}


def floor(paths):
    """Start a kernel for each notebook, two at a time; return seconds."""

    def one(path):
        name = path.parent.name
        code = f"{HEAD.get(name, '')}\nimport {FRAMEWORKS[name].module}"
        code += "\nimport matplotlib.pyplot, IPython"
        manager, client = start_new_kernel(
            cwd=path.parent, stderr=subprocess.DEVNULL
        )
        reply = client.execute_interactive(code, output_hook=lambda _: None)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(reply["content"]["evalue"])

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, paths))
    return time.perf_counter() - started


def check(paths, *prefix):
    """Run the check on notebooks; return seconds."""
    command = [sys.executable, *prefix, "-m", "pytest", "-q", "--nbval"]
    command += ["-n", str(WORKERS), "--dist", "loadfile"]
    command += ["-p", "tools.nbsight.plugin", *map(str, paths)]
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    lines = answer.stdout.splitlines()[-1:] + answer.stderr.splitlines()
    said = "; ".join(lines)
    if answer.returncode or "fresh" in said:
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
        "floor": lambda: floor(paths),
        "ordinary": lambda: check(paths),
        "warm": lambda: check(paths, "-m", "tools.warm", sys.executable),
    }
    rows = []
    for number in range(rounds):
        order = list(ways)[number % 3 :] + list(ways)[: number % 3]
        seconds = {way: ways[way]() for way in order}
        for way in ways:
            ratio = seconds[way] / seconds["floor"]
            rows.append((number, way, seconds[way], ratio))
            print(f"{number} {way:9} {seconds[way]:6.1f} s  {ratio:5.2f}")
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
        "pyplot and IPython.",
        "",
        "| over the floor | median | range | goal, at most |",
        "|---|---|---|---|",
    ]
    for way, goal in (("ordinary", "1.1"), ("warm", "0.7")):
        ratios = [row[3] for row in rows if row[1] == way]
        middle, low, high = (
            f"{f(ratios):.2f}" for f in (statistics.median, min, max)
        )
        lines.append(
            f"| {way} kernels | {middle} | {low} to {high} | {goal} |"
        )
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
