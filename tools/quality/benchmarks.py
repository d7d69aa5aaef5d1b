"""Measure what this project costs beside its peers: docs/benchmarks.md.

Ratios are measured side by side, in turns. No timing decides a test.
"""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path
from platform import machine, python_version

import nbformat
from jupyter_client.manager import start_new_kernel

from tools.author.sources import NOTEBOOKS, ROOT
from tools.quality import scale

PAGE = ROOT / "docs" / "benchmarks.md"
NAMED = "numpy torch tensorflow_cpu mxnet jax nbval"


def cells_alone(path: Path) -> None:
    """Run a notebook's cells in a kernel; nothing is kept or compared."""
    manager, client = start_new_kernel(
        cwd=path.parent, stderr=subprocess.DEVNULL
    )
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            source, nowhere = cell.source, lambda message: None
            reply = client.execute_interactive(source, output_hook=nowhere)
            if reply["content"]["status"] != "ok":
                raise RuntimeError(reply["content"]["evalue"])
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def seconds_of(way: str, paths: list[Path]) -> float:
    """Run notebooks in one of three ways, two at a time."""
    start = time.perf_counter()
    if way == "cells alone":
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(cells_alone, paths))
    else:
        command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-n", "2"]
        command += ["--dist", "loadfile", *map(str, paths)]
        # nbval as it is finds differences; the check has none to find.
        command += ["-p", "no:nbsight"] if way == "nbval" else []
        quiet = subprocess.DEVNULL
        subprocess.run(command, cwd=ROOT, stdout=quiet, check=way == "check")
    return time.perf_counter() - start


def verification(rounds: int) -> str:
    """Measure the check, and nbval as it is, over the cells alone."""
    paths = sorted(NOTEBOOKS.glob("*/*.ipynb"))
    ways = ["cells alone", "nbval", "check"]
    took: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways[number % 3 :] + ways[: number % 3]:
            took[way].append(seconds_of(way, paths))
    text = (
        f"{len(paths)} notebooks, {rounds} rounds, two kernels at a time.\n\n"
    )
    text += "| over the cells alone | median | range | goal, at most |\n"
    text += "|---|---|---|---|\n"
    for way, goal in ("nbval", ""), ("check", "1.10"):
        ratios = [a / b for a, b in zip(took[way], took[ways[0]], strict=True)]
        low, high = min(ratios), max(ratios)
        text += f"| {way} | {statistics.median(ratios):.2f} | "
        text += f"{low:.2f} to {high:.2f} | {goal} |\n"
    return text


def pooling(rounds: int) -> str:
    """Measure ways to pool, beside peers that are installed for it."""
    for peer in scale.PEERS:  # one that cannot be built does not stop others
        command = [sys.executable, "-m", "pip", "install", "--quiet", peer]
        command += ["--target", str(scale.BESIDE)]
        command += ["--constraint", str(ROOT / "tools" / "pins.txt")]
        subprocess.run(command, check=False)
    results = scale.measure_all(scale.WAYS, (1_000, 10_000, 100_000), rounds)
    return scale.table(results)


PARTS = {  # the page's sections, in order
    "verification": ("Verification", verification),
    "pooling": ("Pooling at scale", pooling),
}


def surroundings() -> str:
    """Tell when, where and with what something is measured."""
    names = {*NAMED.split(), *scale.PEERS}
    found = distributions(path=[*sys.path, str(scale.BESIDE)])
    there = {f"{x.name} {x.version}" for x in found if x.name in names}
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({machine()}), "
        f"Python {python_version()}, {', '.join(sorted(there))}."
    )


def write_page(parts: list[str], rounds: int) -> None:
    """Measure parts and write them anew; the page keeps the others."""
    head, *sections = PAGE.read_text("utf-8").split("\n## ")
    for number, (part, (title, measure)) in enumerate(PARTS.items()):
        if part in parts:
            text = measure(rounds).strip()
            sections[number] = f"{title}\n\n{surroundings()}\n\n{text}\n"
            print(sections[number])
    PAGE.write_text("\n## ".join([head, *sections]), encoding="utf-8")
