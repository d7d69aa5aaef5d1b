"""The same faults and surroundings before nbsight and other checks.

Each check first records the notebooks in its own way. A fault is caught if
its notebook is red. An alarm is false if a notebook is red that has only noise
in it, or other surroundings. Where a notebook is red even where it was
recorded, with nothing changed, no fault in it counts.
"""

import datetime
import json
import platform
import re
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from trials.faults import (
    FAMILIES,
    NOISE,
    SETTINGS,
    SURROUNDINGS,
    Fault,
    faults,
)
from trials.runs import FOLDER, TREE, environment, run

PAGE = TREE / "docs" / "peers.md"  # the table follows what is written there
START = "<!-- python -m trials peers -->\n"
# Of each check, what is installed; the module that records notebooks, if any;
# pytest's option; and what stands in pytest.ini.
PEERS = {
    "nbval": ("nbval nbclient", "jupyter execute --inplace", "--nbval", ""),
    "nbmake": ("nbmake", "", "--nbmake", ""),
    "pytest-notebook": (
        "pytest-notebook",
        "pytest --nb-test-files --nb-force-regen",
        "--nb-test-files",
        "",
    ),
    "nbsight": (
        f"{TREE}",
        "nbsight accept --yes",
        "--nbval",
        "nbsight_masks = html-ids uuids addresses",
    ),
}


class Trial:
    """One check before the faults."""

    def __init__(self, name: str, planted: list[Fault]) -> None:
        """Install the check, let it record the notebooks and check them."""
        packages, record, self.option, settings = PEERS[name]
        self.planted = planted
        self.python = environment(name, *packages.split())
        self.folder = FOLDER / "peers" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "pytest.ini").write_text(f"[pytest]\n{settings}\n")
        # Of each code, one notebook.
        self.names = {f.code: f"n{i}" for i, f in enumerate(planted)}
        for fault in planted:
            self.write("clean", self.names[fault.code], fault.before())
        if record:  # each alone: some checks stop at the first refusal
            paths = sorted((self.folder / "clean").glob("*.ipynb"))
            self.run(record.split(), [[path] for path in paths])
        start = time.monotonic()
        self.usual = self.red("clean")
        self.seconds = (time.monotonic() - start) / len(self.names)

    def write(self, folder: str, name: str, notebook: Any) -> None:
        """Write a notebook."""
        path = self.folder / folder / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook))

    def recorded(self, code: str) -> Any:
        """Return the recorded notebook that holds some code."""
        path = self.folder / "clean" / f"{self.names[code]}.ipynb"
        return json.loads(path.read_text())

    def run(
        self, command: list[str], groups: list[list[Path]], **changes: str
    ) -> str:
        """Run a module for groups of notebooks, on two workers."""

        def some(paths: list[Path]) -> str:
            arguments: list[str | Path] = ["-m", *command, *paths]
            return run(self.folder, self.python, *arguments, **changes)[1]

        with ThreadPoolExecutor(2) as pool:
            return "\n".join(pool.map(some, filter(None, groups)))

    def red(self, folder: str, **changes: str) -> set[str]:
        """Return the names of a folder's notebooks that are red."""
        options = ["-q", "-rfEps", "--tb=no", "-p", "no:cacheprovider"]
        if self.option == "--nbval":  # which would wait for half an hour
            options += ["--nbval-cell-timeout=30"]
        command = ["pytest", self.option, *options]
        paths = sorted((self.folder / folder).glob("*.ipynb"))
        said = self.run(command, [paths[::2], paths[1::2]], **changes)
        # What stops a check for good is red; what came after it runs again.
        left = [path for path in paths if f"{path.name}::" not in said]
        again = self.run(command, [[path] for path in left], **changes)
        silent = {path.stem for path in left if f"{path.name}::" not in again}
        red = r"(?m)^(?:FAILED|ERROR) \S*\b(\w+)\.ipynb"
        found = {*re.findall(red, said + again), *silent}
        if len(silent) > len(paths) // 2:
            raise RuntimeError(f"no result:\n{again[-3000:]}")
        return found

    def seen(self) -> list[str]:
        """Return what becomes of each fault."""
        for number, fault in enumerate(self.planted):
            changed = self.recorded(fault.code)
            changed["cells"][0]["source"] = fault.changed
            self.write("faults", f"f{number}", changed)
        red = self.red("faults")
        return [
            "red anyway"
            if self.names[fault.code] in self.usual
            else ("red" if f"f{i}" in red else "green")
            for i, fault in enumerate(self.planted)
        ]

    def alarms(self, settings: dict[str, str]) -> str:
        """Say how many are red of each family's first two notebooks."""
        shutil.rmtree(self.folder / "other", ignore_errors=True)
        chosen = [c for codes in FAMILIES.values() for c in [*codes][:2]]
        known = [code for code in chosen if code in self.names]
        names = {self.names[c]: self.recorded(c) for c in known}
        for name in names.keys() & self.usual:
            del names[name]
        for name, notebook in names.items():
            self.write("other", name, notebook)
        home = FOLDER / "other home"
        for file, text in SETTINGS.items():
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_text(text)
        changes = {k: v.format(home=home) for k, v in settings.items()}
        fonts = "-c", "import matplotlib.pyplot"  # makes a new user's list
        run(self.folder, self.python, *fonts, **changes)
        return f"{len(self.red('other', **changes))} of {len(names)}"


def column(name: str, planted: list[Fault]) -> dict[str, str]:
    """Try a check; return its column of the table."""
    trial, cells = Trial(name, planted), dict[str, str]()
    seen = trial.seen()
    for family in dict.fromkeys(fault.family for fault in planted):
        pairs = zip(planted, seen, strict=True)
        of = [what for fault, what in pairs if fault.family == family]
        anyway = of.count("red anyway")
        more = f" ({anyway} red anyway)" if anyway else ""
        cells[family] = f"{of.count('red')} of {len(of)}{more}"
    for fault, what in zip(planted, seen, strict=True):
        if what != ("red" if fault.family in FAMILIES else "green"):
            line = f"{name}: {what}, {fault.family}: {fault.what!r}"
            print(f"{line} in {fault.code!r}", flush=True)
    cells |= {what: trial.alarms(env) for what, env in SURROUNDINGS.items()}
    return cells | {"seconds a notebook": f"{trial.seconds:.1f}"}


def version(name: str) -> str:
    """Return a check's name with its version."""
    python = FOLDER / "environments" / name / "bin" / "python"
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return f"{name} {run(FOLDER, python, '-c', code)[1].strip()}"


def compare_all(sample: int | None) -> None:
    """Print the table, and write it to the page."""
    planted, taken = list[Fault](), Counter[str]()
    for fault in faults(FAMILIES | NOISE):
        taken[fault.family] += 1
        if sample is None or taken[fault.family] <= sample:
            planted.append(fault)
    columns = {name: column(name, planted) for name in PEERS}
    lines = [f"| | {' | '.join(columns)} |", f"|{' --- |' * 5}"]
    for row in columns["nbsight"]:
        cells = " | ".join(cells[row] for cells in columns.values())
        lines.append(f"| {row} | {cells} |")
    print("\n".join(lines))
    versions = ", ".join(map(version, PEERS))
    today = f"{datetime.date.today()}, Python {platform.python_version()}"
    which = "all faults" if sample is None else f"`--sample {sample}`"
    table = "\n".join([f"{today}, {which}: {versions}.", "", *lines, ""])
    written, _, _ = PAGE.read_text("utf-8").partition(START)
    PAGE.write_text(written + START + table, "utf-8")
