"""Notebooks as they stand in files, and where they are tried."""

import os
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]  # of nbsight
FOLDER = TREE / "build" / "trials"
# What the notebooks here import, and kernels; R's is used if R has it.
LIBRARIES = "altair bokeh bash_kernel ipykernel ipywidgets jinja2 matplotlib"
LIBRARIES += " numpy pandas pillow plotly tqdm"
R_KERNEL = """
import shutil, subprocess, sys
if shutil.which("Rscript"):
    code = f"IRkernel::installspec(prefix='{sys.prefix}')"
    subprocess.run(["Rscript", "-e", code])
"""
# Of whoever runs the trial; they must not reach the notebooks.
UNSET = "PYTHONPATH", "MPLCONFIGDIR", "MPLBACKEND", "XDG_CONFIG_HOME"

LONGEST = 1200  # seconds of one command

Source = str | dict[str, Any]  # of a code cell, or fields of any cell


def notebook(
    sources: Sequence[Source], kernel: str = "python3", minor: int = 5
) -> dict[str, Any]:
    """Return a notebook as JSON: never run; with ids, if its format has."""
    cells = []
    for number, source in enumerate(sources, 1):
        given = {"source": source} if isinstance(source, str) else source
        cell: dict[str, Any] = {"cell_type": "code", "metadata": {}}
        cell |= {"id": f"cell-{number}"} if minor >= 5 else {}
        if given.get("cell_type", "code") == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell | given)
    spec = {"name": kernel, "display_name": kernel}
    metadata = {"kernelspec": spec} if kernel else {}
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4}
    return whole | {"nbformat_minor": minor}


def environment(name: str, *packages: str) -> Path:
    """Make an environment with packages and LIBRARIES; return its Python."""
    folder = FOLDER / "environments" / name
    if not folder.exists():
        venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = ["pip", "install", "-q", "--upgrade", *LIBRARIES.split()]
    for command in (
        ["-m", *install, *packages],
        ["-m", "bash_kernel.install", "--sys-prefix"],
        ["-c", R_KERNEL],
        ["-c", "import matplotlib.pyplot"],  # makes its list of fonts
    ):
        status, said = run(FOLDER, python, *command)
        if status:
            raise RuntimeError(f"{name} cannot be installed:\n{said}")
    return python


def run(
    folder: Path, python: Path, *arguments: str | Path, **changes: str
) -> tuple[int, str]:
    """Run Python in a folder; return its status and what it printed.

    Raises:
        subprocess.TimeoutExpired: it did not end within LONGEST.
    """
    home = FOLDER / "home"
    home.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in UNSET}
    env |= {"HOME": f"{home}", "JUPYTER_PREFER_ENV_PATH": "1"}
    env |= {"OMP_NUM_THREADS": "1", **changes}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    answer = subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LONGEST,
    )
    return answer.returncode, answer.stdout
