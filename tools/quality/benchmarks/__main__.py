"""Measure everything and store it: `make bench` runs this file.

The parts measure ratios side by side, in turns; they run one after the other,
so that they do not disturb one another. No timing decides a test.
"""

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from tools.quality.benchmarks import learner, scale, verification


def pooling(rounds):
    """Return the table of ways to pool, with the peers' versions."""
    table = scale.table(scale.measure(rounds=rounds))
    return f"{scale.versions()}; one thread.\n\n{table}"


RESULTS = Path(__file__).with_name("results.md")
PARTS = {
    "learner": ("A learner's waiting", learner.table),
    "verification": ("Verification", verification.table),
    "scale": ("Pooling at scale", pooling),
}
HEAD = """\
# Measured

`make bench` writes this page. {date}, {cores} cores ({machine}),
{memory:.0f} GiB, Python {python}. Ratios are medians of turns side by side,
with their range; machines are noisy, so read them as such.

{versions}
"""


def machine():
    """Return the processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def head():
    """Return the first lines of the page: when and where."""
    versions = []
    for name in (*scale.releases(), "matplotlib", "nbval"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return HEAD.format(
        date=datetime.date.today().isoformat(),
        cores=os.cpu_count(),
        machine=machine(),
        memory=memory / 2**30,
        python=platform.python_version(),
        versions=", ".join(versions) + ".",
    )


def sections(text):
    """Return {title: section} of a page that an earlier run has written."""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}


def main():
    """Measure the parts that are asked for, and write the page anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="", help=" ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    chosen = arguments.parts.split() or list(PARTS)
    for name in chosen:
        if name not in PARTS:
            sys.exit(f"No part '{name}'; there are: {' '.join(PARTS)}")
    found = sections(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in chosen:
        title, table = PARTS[name]
        date = datetime.date.today().isoformat()
        text = table(arguments.rounds)
        found[title] = f"## {title}\n\n{date}\n\n{text.strip()}\n"
        print(found[title], flush=True)
    titles = [title for title, _ in PARTS.values() if title in found]
    page = "\n".join([head(), *(found[title] for title in titles)])
    RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
