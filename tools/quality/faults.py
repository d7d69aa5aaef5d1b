"""Plant faults by rule and count which of them the check sees.

Three families. *cells*: one change in one code cell of a lesson, which is
then executed. *module*: one change in what the lessons import, seen by the
lessons or else by its own tests. *stored*: one change in a notebook's stored
outputs. A fault in code that leaves every text and every picture the same,
byte for byte, changes nothing that a reader can see; it is called equivalent.
"""

import ast
import copy
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbsight.execute import CellFailed, execute
from nbsight.widgets import WIDGET

from nbsight import MIME, artists, compare
from tools.author import check, sources
from tools.frameworks import why_missing
from tools.quality import rules
from tools.quality.rules import outputs

# What the lessons import, and what tests it.
PACKAGES = ("anyarray", "d2lmini")
TESTS = "tests/test_d2lmini.py"
# How Matplotlib names a marker or a clip path inside a picture.
INNER_NAME = re.compile(r"\b[a-z][0-9a-f]{10}\b")
SVG = "image/svg+xml"
DECIMALS = re.compile(r"(\.\d\d)\d+")


@dataclass
class Fault:
    """One fault: its family, rule and place, and what became of it."""

    family: str
    rule: str
    where: str  # framework/lesson or package/module
    place: str  # id of the cell
    what: str  # the change, for people
    plant: Any  # gives the changed source; of outputs: the changed fields
    paths: list[Path]  # of the notebooks that may show it
    index: int = 0  # of the cell
    verdict: str = ""  # caught, equivalent or survived


def count(
    frameworks: list[str], sample: int | None, families: list[str], seed: int
) -> bool:
    """Plant faults in all lessons and print a table; tell if any survived."""
    paths = [
        sources.NOTEBOOKS / framework / f"{name}.ipynb"
        for framework in frameworks
        if not why_missing(framework)
        for name in sources.names()
    ]
    rng, found = random.Random(seed), []
    for family, (every, _) in FAMILIES.items():
        if family in families:
            found += pick(rng, every(paths), sample)
    judge_all(found)
    print(report(found))
    return any(fault.verdict == "survived" for fault in found)


def pick(
    rng: random.Random, faults: list[Fault], sample: int | None
) -> list[Fault]:
    """Return a random sample that holds every rule, in its first order."""
    if sample is None or sample >= len(faults):
        return faults
    by_rule = defaultdict(list)
    for number, fault in enumerate(faults):
        by_rule[fault.rule].append(number)
    for numbers in by_rule.values():
        rng.shuffle(numbers)
    turns = zip_longest(*(reversed(numbers) for numbers in by_rule.values()))
    taken = [n for turn in turns for n in turn if n is not None]
    return [faults[number] for number in sorted(taken[:sample])]


# Which faults there are


def in_cells(paths: list[Path]) -> list[Fault]:
    """Return all faults in the code cells of notebooks."""
    return [
        Fault("cells", rule, name(path), cell.id, what, plant, [path], index)
        for path in paths
        for index, cell in enumerate(read(path).cells)
        if cell.cell_type == "code" and cell.id != sources.ALONE_ID
        for rule, what, plant in rules.changes(cell.source)
    ]


def in_modules(paths: list[Path]) -> list[Fault]:
    """Return all faults in what the notebooks of one framework import."""
    same = [path for path in paths if path.parent == paths[0].parent]
    return [
        Fault("module", rule, f"{package}/{file.name}", "", what, plant, same)
        for package in PACKAGES
        for file in sorted((sources.ROOT / package).glob("*.py"))
        for rule, what, plant in rules.changes(file.read_text())
    ]


def in_outputs(paths: list[Path]) -> list[Fault]:
    """Return all faults in the stored outputs of notebooks."""
    return [
        Fault("stored", rule, name(path), cell.id, what, fields, [path], index)
        for path in paths
        for index, cell in enumerate(read(path).cells)
        for rule, what, fields in rules.in_outputs(read(path).cells, index)
    ]


def name(path: Path) -> str:
    """Name a notebook, as in "numpy/02_attention_pooling"."""
    return f"{path.parent.name}/{path.stem}"


@cache
def read(path: Path) -> NotebookNode:
    """Read a notebook and unpack the data of its figures."""
    notebook = nbformat.read(path, as_version=4)
    for out in outputs(notebook.cells):
        if MIME in out.get("data", {}):
            out.data[MIME]["artists"] = artists(out.data[MIME])
    return notebook


# What becomes of them


def judge_all(faults: list[Fault]) -> None:
    """Write down what becomes of faults, two at a time."""
    if any(fault.family == "module" for fault in faults):
        with packages() as folder:
            if not passes_its_tests(folder):
                raise RuntimeError(f"{TESTS} fails without a fault")
    run = [fault.paths for fault in faults if fault.family != "stored"]
    with ThreadPoolExecutor(2) as pool:
        # First those without a fault: they must pass.
        list(pool.map(unchanged, sorted(set().union(*run))))
        list(pool.map(judge, faults))


def judge(fault: Fault) -> None:
    """Write down what becomes of a fault."""
    _, verdict = FAMILIES[fault.family]
    fault.verdict = verdict(fault)


def changed(path: Path, index: int = 0, **fields: Any) -> NotebookNode:
    """Return a notebook in which fields of one cell are others."""
    notebook = copy.deepcopy(read(path))
    notebook.cells[index].update(fields)
    return notebook


def of_outputs(fault: Fault) -> str:
    """Compare changed outputs with the right ones; nothing is executed."""
    planted = changed(fault.paths[0], fault.index, **fault.plant)
    found = differences(planted, read(fault.paths[0]))
    return "caught" if found or any(check.executed(planted)) else "survived"


def of_cell(fault: Fault) -> str:
    """Execute a lesson with a changed cell."""
    planted = changed(fault.paths[0], fault.index, source=fault.plant())
    return in_notebook(fault.paths[0], planted)


def of_module(fault: Fault) -> str:
    """Execute the lessons with a changed package, and then its tests."""
    seen = set()
    with packages() as folder:
        Path(folder, fault.where).write_text(fault.plant())
        for path in fault.paths[::-1]:  # the longest lesson first
            seen.add(in_notebook(path, changed(path), folder))
            if "caught" in seen:
                return "caught"
        if not passes_its_tests(folder):
            return "caught"
    return "survived" if "survived" in seen else "equivalent"


FAMILIES = {
    "cells": (in_cells, of_cell),
    "module": (in_modules, of_module),
    "stored": (in_outputs, of_outputs),
}


def in_notebook(path: Path, notebook: NotebookNode, folder: str = "") -> str:
    """Execute a notebook, with a folder's packages; compare with the file."""
    try:
        run_cells(path, notebook, folder)
    except CellFailed:
        return "caught"
    if differences(read(path), notebook):
        return "caught"
    same = visible(notebook) == visible(unchanged(path))
    return "equivalent" if same else "survived"


def run_cells(path: Path, notebook: NotebookNode, folder: str = "") -> None:
    """Execute a notebook in place, with the packages of a folder."""
    first = f"import sys; sys.path.insert(0, {folder!r})" if folder else ""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    execute(notebook, path.parent, timeout=120)
    del notebook.cells[0]


@cache
def unchanged(path: Path) -> NotebookNode:
    """Execute a notebook without a fault; it must pass."""
    notebook = changed(path)
    run_cells(path, notebook)
    if found := differences(read(path), notebook):
        raise RuntimeError(f"{path} differs without a fault: {found[0]}")
    return notebook


def differences(stored: NotebookNode, now: NotebookNode) -> list[str]:
    """Return what the check finds between stored and new outputs."""
    return [
        f"{old.id}: {line}"
        for old, new in zip(stored.cells, now.cells, strict=True)
        if old.cell_type == "code"
        for line in compare.output_differences(old.outputs, new.outputs)
    ]


def visible(notebook: NotebookNode) -> list[tuple[str, dict[str, Any]]]:
    """Return the texts and pictures that a reader sees.

    Numbers of a picture are cut after a hundredth of a point: finer ones are
    nothing that anybody can see.
    """
    seen = []
    for out in outputs(notebook.cells):
        data = {**out.get("data", {}), MIME: "", WIDGET: ""}
        svg = INNER_NAME.sub("", data.get(SVG, ""))
        seen.append((out.get("text"), data | {SVG: DECIMALS.sub(r"\1", svg)}))
    return seen


@contextmanager
def packages() -> Iterator[str]:
    """Give a folder with the packages, without comments, as faults are."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        for package in PACKAGES:
            shutil.copytree(sources.ROOT / package, Path(folder, package))
        for path in Path(folder).glob("*/*.py"):
            path.write_text(ast.unparse(ast.parse(path.read_text())))
        yield folder


def passes_its_tests(folder: str) -> bool:
    """Tell whether the packages' tests pass with those of a folder."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", TESTS]
    command += ["-p", "no:cacheprovider", "-o", f"pythonpath={folder} ."]
    env = os.environ | {"LESSON_FRAMEWORKS": "numpy", "PYTHONPATH": folder}
    answer = subprocess.run(
        command, cwd=sources.ROOT, env=env, capture_output=True
    )
    return answer.returncode == 0


def report(faults: list[Fault]) -> str:
    """Return a table by family and rule, and the survivors by name."""
    rows: dict[tuple[str, str], Counter] = defaultdict(Counter)
    survivors = []
    for fault in faults:
        place = f"({fault.where.partition('/')[0]})"
        for row in fault.rule, place, "in all":
            rows[fault.family, row][fault.verdict] += 1
        if fault.verdict == "survived":
            place = f"{fault.where} {fault.place} [{fault.rule}]"
            survivors.append(f"SURVIVED {place} {fault.what}")
    lines = ["family   rule               caught / planted   equivalent"]
    for (family, rule), verdicts in sorted(rows.items()):
        caught, same = verdicts["caught"], verdicts["equivalent"]
        planted = caught + verdicts["survived"]
        lines.append(
            f"{family:8} {rule:18} {caught:6} / {planted:7} {same:12}"
        )
    return "\n".join(lines + survivors)
