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

ALWAYS = ("lab", "test")  # extras that every choice of frameworks gets


def digest(root):
    """Hash what decides about the environment: pins and ranges."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pins = (root / "tools" / "pins.txt").read_text()
    return hashlib.sha256((json.dumps(project) + pins).encode()).hexdigest()


def needed(asked, stamp, current, extra=""):
    """Decide what is still to be installed.

    Args:
        asked: names asked for, or None for "as before, or else all".
        stamp: what the last complete set-up wrote, or {}.
        current: digest of the inputs now.
        extra: an extra that is needed besides, such as ``"book"``.

    Returns:
        All frameworks and extras that the environment shall hold after this
        call, or an empty list when it holds them already.
    """
    before = stamp.get("installed", [])
    had = [name for name in before if name in FRAMEWORKS]
    wanted = [
        name
        for name in FRAMEWORKS
        if name in had or name in (asked or had or FRAMEWORKS)
    ]
    extras = {name for name in (*before, extra) if name not in FRAMEWORKS}
    wanted += sorted(extras - {""})
    if stamp.get("digest") == current and wanted == before:
        return []
    return wanted


def python_of(venv):
    """Return the path of an environment's Python."""
    return venv / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(venv, wanted):
    """Create the environment where it is missing, and install into it."""
    python = python_of(venv)
    if not python.exists():
        print(f"Making {venv} with Python {sys.version.split()[0]}")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    extras = ",".join([*wanted, *ALWAYS])
    print(f"Installing {' '.join(wanted)} (a minute or a few) …")
    sys.stdout.flush()
    subprocess.run(
        [
            *(python, "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--constraint", "tools/pins.txt"),
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
    parser.add_argument("--extra", default="", help="e.g. book")
    arguments = parser.parse_args()
    venv = arguments.venv.absolute()
    asked = chosen(arguments.frameworks)
    stamp_file = venv / "setup.json"
    stamp = json.loads(stamp_file.read_text()) if stamp_file.exists() else {}
    wanted = needed(asked, stamp, digest(ROOT), arguments.extra)
    if not wanted:
        return
    try:
        install(venv, wanted)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Set-up stopped: '{' '.join(map(str, error.cmd[:4]))} …' failed "
            "(see above). Run the same command again to go on."
        )
    partial = stamp_file.with_suffix(".partial")
    partial.write_text(
        json.dumps({"digest": digest(ROOT), "installed": wanted})
    )
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
