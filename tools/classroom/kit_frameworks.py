"""What a framework costs a class: the table in docs/teaching.md.

`python -m tools.classroom.kit_frameworks` measures, for each framework that is
installed here, a lesson's first cell in a fresh process, and what the packages
take on disk.
"""

import json
import os
import statistics
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement

from tools.author import sources
from tools.frameworks import FRAMEWORKS, why_missing

ROUNDS = 5
# After the cell: seconds of the processor, and the peak of memory in MiB.
MEASURE = """
import json, resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
unit = 2**20 if sys.platform == "darwin" else 2**10
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / unit]))
"""


def first_cell(framework):
    """Return (seconds of the processor, MiB) of lesson 02's first cell.

    Medians of five fresh processes.
    """
    cells = sources.read(sources.names()[1]).cells_of(framework)
    code = next(cell.source for cell in cells if cell.kind == "code")
    found = []
    for _ in range(ROUNDS):
        answer = subprocess.run(
            [sys.executable, "-c", code + MEASURE],
            env=os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            check=True,
        )
        found.append(json.loads(answer.stdout.splitlines()[-1]))
    return [statistics.median(column) for column in zip(*found, strict=True)]


def packages(requirements):
    """Return the names of all installed packages that requirements need.

    Args:
        requirements: lines such as ``"torch>=2.5"``.
    """
    found, waiting = set(), list(requirements)
    while waiting:
        asked = Requirement(waiting.pop())
        extras = {*asked.extras, ""}
        if asked.marker and not asked.marker.evaluate({"extra": ""}):
            continue
        try:
            needs = distribution(asked.name).requires or []
        except PackageNotFoundError:
            continue
        name = asked.name.lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for line in needs:
            marker = Requirement(line).marker
            if not marker or any(
                marker.evaluate({"extra": e}) for e in extras
            ):
                waiting.append(line.partition(";")[0])
    return found


def mebibytes(names):
    """Return what packages take on disk, in MiB."""
    total = 0
    for name in names:
        for file in distribution(name).files or []:
            path = file.locate()
            total += path.stat().st_size if path.is_file() else 0
    return total / 2**20


def main():
    """Print the table."""
    text = (sources.ROOT / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    common = packages(project["dependencies"] + extras["lab"])
    print(f"Common to all: {mebibytes(common):.0f} MiB on disk.\n")
    print("| framework | version | first cell, s | memory, MiB | adds, MiB |")
    print("|---|---|---|---|---|")
    for name, framework in FRAMEWORKS.items():
        reason = why_missing(name)
        if reason:
            print(f"skipped: {reason}", file=sys.stderr)
            continue
        seconds, memory = first_cell(name)
        adds = packages(extras[name]) - common
        own = [Requirement(line).name for line in extras[name]]
        own = next((n for n in own if n.lower() in adds), framework.module)
        print(
            f"| {framework.title} | {version(own)} | {seconds:.1f} | "
            f"{memory:.0f} | {mebibytes(adds):.0f} |"
        )


if __name__ == "__main__":
    main()
