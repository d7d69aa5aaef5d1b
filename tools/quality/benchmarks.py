"""Measure what this project costs beside its peers: docs/benchmarks.md.

The parts measure ratios side by side, in turns; they run one after the other,
so that they do not disturb one another. No timing decides a test.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel
from nbsight.execute import execute

from tools.author.sources import ROOT
from tools.frameworks import FRAMEWORKS
from tools.quality import scale

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """\
# Measured

`python -m tools.quality benchmarks` writes this page. Ratios are medians of
turns side by side, with their range; machines are noisy, so read them as such.
"""
NAMED = "numpy torch tensorflow-cpu tensorflow mxnet jax matplotlib nbval"
WORKERS = 2
ANIMATOR = """
import time
import d2lmini as d2l
d2l.Animator().add(0, 1.0)  # fonts and all that the first figure loads
---
animator = d2l.Animator(xlabel="step", ylabel="loss")
for step in range(500):
    animator.add(step, 1 / (step + 1))
---
X = list(range(500))
d2l.plot(X, [1 / (x + 1) for x in X], "step", "loss")
---
"""


def row(what: str, ratios: list[float], goal: str) -> str:
    """Return a row of a table: what, median, range, goal."""
    middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
    return f"| {what} | {middle:.3g} | {low:.3g} to {high:.3g} | {goal} |\n"


TABLE = "| {} | median | range | goal, at most |\n|---|---|---|---|\n"


def learner(rounds: int) -> str:
    """Measure what a learner waits for, in CPU seconds."""
    cells = [
        nbformat.v4.new_code_cell(
            f"import time\nprint(time.process_time())\n{code}"
        )
        for code in ANIMATOR.split("---")
    ]
    ratios = []
    for _ in range(rounds):
        notebook = nbformat.v4.new_notebook(cells=[*cells])
        execute(notebook, ROOT)
        start, loop, once, end = (
            float(cell.outputs[0].text.split()[0]) for cell in notebook.cells
        )
        ratios.append((once - loop) / (end - once))
    return TABLE.format("over one draw at the end") + row(
        "Animator, 500 adds", ratios, "3"
    )


def cells_alone(paths: list[Path]) -> None:
    """Run each notebook's cells in a fresh kernel; keep and compare nothing."""

    def one(path: Path) -> None:
        manager, client = start_new_kernel(
            cwd=path.parent, stderr=subprocess.DEVNULL
        )
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                reply = client.execute_interactive(
                    cell.source, output_hook=lambda _: None
                )
                if reply["content"]["status"] != "ok":
                    raise RuntimeError(reply["content"]["evalue"])
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, paths))


def check(paths: list[Path], *options: str) -> None:
    """Run the check on notebooks."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", *options]
    command += ["-n", str(WORKERS), "--dist", "loadfile"]
    subprocess.run([*command, *map(str, paths)], cwd=ROOT, capture_output=True)


def verification(rounds: int) -> str:
    """Measure the check, and nbval as it is, over the cells alone."""
    paths = [
        path
        for framework in FRAMEWORKS
        for path in sorted((ROOT / "notebooks" / framework).glob("*.ipynb"))
    ]
    ways: dict[str, Callable[[], None]] = {
        "cells alone": lambda: cells_alone(paths),
        "nbval": lambda: check(paths, "-p", "no:nbsight"),
        "check": lambda: check(paths),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        order = list(ways)[number % 3 :] + list(ways)[: number % 3]
        for way in order:
            start = time.perf_counter()
            ways[way]()
            seconds[way].append(time.perf_counter() - start)
    alone = seconds.pop("cells alone")
    text = f"{len(paths)} notebooks, {rounds} rounds, {WORKERS} at a time.\n\n"
    text += TABLE.format("over the cells alone")
    for way, goal in ("nbval", ""), ("check", "1.10"):
        pairs = zip(seconds[way], alone, strict=True)
        text += row(way, [took / cells for took, cells in pairs], goal)
    return text


def pooling(rounds: int) -> str:
    """Measure ways to pool, beside peers that are installed for it."""
    for peer in scale.PEERS:  # one that cannot be built does not stop others
        command = [sys.executable, "-m", "pip", "install", "--quiet", peer]
        command += ["--target", str(scale.BESIDE)]
        command += ["--constraint", str(ROOT / "tools" / "pins.txt")]
        subprocess.run(command, check=False)
    results = scale.measure_all(scale.WAYS, (1_000, 10_000, 100_000), rounds)
    return f"{scale.table(results)}\n"


PARTS = {
    "learner": ("A learner's waiting", learner),
    "verification": ("Verification", verification),
    "scale": ("Pooling at scale", pooling),
}


def surroundings() -> str:
    """Tell when, where and with what something is measured."""
    names = {*NAMED.split(), *scale.PEERS}
    there = {
        f"{found.name} {found.version}"
        for found in distributions(path=[*sys.path, str(scale.BESIDE)])
        if found.name.lower() in names
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores "
        f"({platform.machine()}), {memory / 2**30:.0f} GiB, Python "
        f"{platform.python_version()}, {', '.join(sorted(there))}."
    )


def main(parts: list[str], rounds: int) -> None:
    """Measure parts and write them anew; the page keeps the others."""
    sections = {
        text.partition("\n")[0]: text.strip()
        for text in PAGE.read_text("utf-8").split("\n## ")[1:]
    }
    for part in parts or PARTS:
        title, measure = PARTS[part]
        text = measure(rounds)
        sections[title] = f"{title}\n\n{surroundings()}\n\n{text.strip()}"
        print(sections[title], flush=True)
    page = "\n\n## ".join([HEAD.strip(), *sections.values()])
    PAGE.write_text(f"{page}\n", encoding="utf-8")
