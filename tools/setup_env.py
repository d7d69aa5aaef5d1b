"""Make the environment in ``.venv``: `make setup` runs this file.

It runs on the machine's own Python, before anything is installed, so it needs
nothing but the standard library. What is installed is written down at the end
only, so a set-up that was interrupted is simply continued by the next one.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this file is run by its path

from tools.frameworks import FRAMEWORKS, chosen  # noqa: E402

ALWAYS = "lab"  # the extra that every choice of frameworks gets
INPUTS = ("pyproject.toml", "nbsight/pyproject.toml", "tools/pins.txt")
PINNED = (3, 11)  # the Python that tools/pins.txt is for


def python_of(venv: Path) -> Path:
    """Return the path of an environment's Python."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version_of(venv: Path) -> tuple[int, ...] | None:
    """Return the Python of an environment, as (3, 11), or None without one."""
    settings = venv / "pyvenv.cfg"
    if not python_of(venv).exists() or not settings.exists():
        return None
    lines = (line.partition("=") for line in settings.read_text().splitlines())
    found = {key.strip(): value.strip() for key, _, value in lines}
    return tuple(map(int, found["version"].split(".")[:2]))


def wanted(
    asked: list[str] | None, before: list[str], extras: str, pinned: bool
) -> list[str]:
    """Return the frameworks and extras that the environment shall hold.

    Args:
        asked: frameworks, or None for those that are there, or else for all.
        before: what the environment holds; it keeps that.
        extras: what is needed besides, such as ``"test book"``.
        pinned: without pins, "all" leaves out what would hold others back.
    """
    had = [name for name in FRAMEWORKS if name in before]
    every = [
        name
        for name, framework in FRAMEWORKS.items()
        if pinned or not framework.holds_back
    ]
    frameworks = {*had, *(asked or had or every)}
    more = {*before, *extras.split()} - set(FRAMEWORKS)
    return [*(n for n in FRAMEWORKS if n in frameworks), *sorted(more)]


def install(venv: Path, names: list[str], pinned: bool) -> None:
    """Create the environment where it is missing, and install into it."""
    python = str(python_of(venv))
    if not python_of(venv).exists():
        print(f"Making {venv} with Python {sys.version.split()[0]}")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    print(f"Installing {' '.join(names)} (a minute or a few) …", flush=True)
    pip = [python, "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check"]
    pip += ["--editable", f".[{','.join([*names, ALWAYS])}]"]
    if "test" in names:
        pip += ["--editable", "./nbsight"]
    if pinned:
        pip += ["--constraint", "tools/pins.txt"]
    else:
        pip += ["--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run(pip, cwd=ROOT, check=True)
    # Matplotlib announces a first font search on stderr, so a notebook that
    # happened to run first would differ from the stored one: do it here.
    subprocess.run(
        [python, "-c", "import matplotlib.font_manager"],
        env={**os.environ, "MPLCONFIGDIR": str(venv / "matplotlib")},
        stderr=subprocess.DEVNULL,
        check=True,
    )


def main() -> None:
    """Install what is missing; return at once when nothing is."""
    parser = argparse.ArgumentParser(description="Make the environment.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--extras", default="", help='e.g. "test book"')
    parser.add_argument("--newest", action="store_true", help="without pins")
    parser.add_argument(
        "--insist", action="store_true", help="on the Python that runs this"
    )
    given = parser.parse_args()
    venv, this = given.venv.absolute(), sys.version_info[:2]
    python = version_of(venv) or this  # an environment keeps its Python
    if given.insist and python != this:
        sys.exit(
            "{2} has Python {0}.{1}, and PYTHON is {3}.{4}. Keep both: add "
            "VENV=.venv{3}.{4} (or remove the old one: make clean).".format(
                *python, given.venv, *this
            )
        )
    pinned = python == PINNED and not given.newest
    inputs = "".join((ROOT / name).read_text("utf-8") for name in INPUTS)
    current = hashlib.sha256(f"{pinned}{inputs}".encode()).hexdigest()
    note = venv / "setup.json"
    done = json.loads(note.read_text()) if note.exists() else {}
    before = done.get("installed", [])
    names = wanted(chosen(given.frameworks), before, given.extras, pinned)
    if done == {"digest": current, "installed": names}:
        return
    if not pinned and not given.newest:
        print("tools/pins.txt is for another Python: newest releases.")
    try:
        install(venv, names, pinned)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Set-up stopped: '{' '.join(map(str, error.cmd[:4]))} …' failed "
            "(see above). Run the same command again to go on."
        )
    partial = note.with_suffix(".partial")
    partial.write_text(json.dumps({"digest": current, "installed": names}))
    partial.replace(note)


if __name__ == "__main__":
    main()
