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
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this file is run by its path

from tools.frameworks import FRAMEWORKS, chosen  # noqa: E402

ALWAYS = ("lab",)  # the extra that every choice of frameworks gets
PINNED = (3, 11)  # the Python that tools/pins.txt is for
NOT_PINNED = (
    "tools/pins.txt is for Python {0}.{1}, and this is {2}.{3}: the newest "
    "releases are taken."
)
OTHER_PYTHON = (
    "{venv} has Python {0}.{1}, and PYTHON is {2}.{3}. Keep both: add "
    "VENV=.venv{2}{3} (or remove the old one: make clean)."
)


def version_of(venv):
    """Return the Python of an environment, as (3, 11), or None without one."""
    settings = venv / "pyvenv.cfg"
    if not python_of(venv).exists() or not settings.exists():
        return None
    lines = (line.partition("=") for line in settings.read_text().splitlines())
    found = {key.strip(): value.strip() for key, _, value in lines}
    return tuple(map(int, found["version"].split(".")[:2]))


def digest(root, pinned):
    """Hash what decides about the environment: ranges, and pins if used."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pins = (root / "tools" / "pins.txt").read_text() if pinned else "newest"
    return hashlib.sha256((json.dumps(project) + pins).encode()).hexdigest()


def needed(asked, stamp, current, extras="", pinned=True):
    """Decide what is still to be installed.

    Args:
        asked: names asked for, or None for "as before, or else all".
        stamp: what the last complete set-up wrote, or {}.
        current: digest of the inputs now.
        extras: extras that are needed besides, such as ``"test book"``.
        pinned: whether the pins are used. If not, "all" leaves out what would
            hold the others back.

    Returns:
        All frameworks and extras that the environment shall hold after this
        call, or an empty list when it holds them already.
    """
    before = stamp.get("installed", [])
    had = [name for name in before if name in FRAMEWORKS]
    every = [
        name
        for name, framework in FRAMEWORKS.items()
        if pinned or not framework.holds_back
    ]
    wanted = [
        name
        for name in FRAMEWORKS
        if name in had or name in (asked or had or every)
    ]
    more = {name for name in before if name not in FRAMEWORKS}
    wanted += sorted(more | set(extras.split()))
    if stamp.get("digest") == current and wanted == before:
        return []
    return wanted


def python_of(venv):
    """Return the path of an environment's Python."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(venv, wanted, pinned):
    """Create the environment where it is missing, and install into it."""
    python = python_of(venv)
    if not python.exists():
        print(f"Making {venv} with Python {sys.version.split()[0]}")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    extras = ",".join([*wanted, *ALWAYS])
    print(f"Installing {' '.join(wanted)} (a minute or a few) …")
    sys.stdout.flush()
    choice = ["--constraint", "tools/pins.txt"]
    if not pinned:
        choice = ["--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run(
        [
            *(python, "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", *choice),
            *("--editable", f".[{extras}]"),
        ],
        cwd=ROOT,
        check=True,
    )
    # Matplotlib announces a first font search on stderr, so a notebook that
    # happened to run first would differ from the stored one: do it here.
    subprocess.run(
        [python, "-c", "import matplotlib.font_manager"],
        env={**os.environ, "MPLCONFIGDIR": str(venv / "matplotlib")},
        stderr=subprocess.DEVNULL,
        check=True,
    )


def main():
    """Install what is missing; return at once when nothing is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--extras", default="", help='e.g. "test book"')
    parser.add_argument("--newest", action="store_true", help="without pins")
    parser.add_argument(
        "--insist", action="store_true", help="on the Python that runs this"
    )
    arguments = parser.parse_args()
    venv = arguments.venv.absolute()
    asked = chosen(arguments.frameworks)
    stamp_file = venv / "setup.json"
    stamp = json.loads(stamp_file.read_text()) if stamp_file.exists() else {}
    this = sys.version_info[:2]
    python = version_of(venv) or this  # an environment keeps its Python
    if arguments.insist and python != this:
        sys.exit(OTHER_PYTHON.format(*python, *this, venv=arguments.venv))
    pinned = python == PINNED and not arguments.newest
    current = digest(ROOT, pinned)
    wanted = needed(asked, stamp, current, arguments.extras, pinned)
    if not wanted:
        return
    if not pinned and not arguments.newest:
        print(NOT_PINNED.format(*PINNED, *python))
    try:
        install(venv, wanted, pinned)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Set-up stopped: '{' '.join(map(str, error.cmd[:4]))} …' failed "
            "(see above). Run the same command again to go on."
        )
    partial = stamp_file.with_suffix(".partial")
    partial.write_text(json.dumps({"digest": current, "installed": wanted}))
    partial.replace(stamp_file)
    for name in wanted:  # e.g. MXNet on Windows: no wheel, and no failure
        if name not in FRAMEWORKS:
            continue
        code = f"import tools.frameworks as f; print(f.why_missing('{name}'))"
        reason = subprocess.run(
            [python_of(venv), "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
        ).stdout.strip()
        if reason != "None":
            print(f"Left out: {reason}")


if __name__ == "__main__":
    main()
