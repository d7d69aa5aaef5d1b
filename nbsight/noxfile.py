"""Tests nbsight as it is installed, on each Python: `nox`.

`python -m pip install nox uv` is all that this needs besides the Pythons. The
wheel gets a fresh environment each time, with the oldest releases that
pyproject.toml allows (where there are wheels of them) and with the newest.
"""

import functools
import tempfile
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)

nox.options.default_venv_backend = "uv"
nox.options.envdir = "build/nox"
nox.options.error_on_missing_interpreters = True


@functools.cache
def wheel() -> Path:
    """Return the wheel, made once, as an installer does, from the sdist."""
    folder = Path("build/dist").absolute()
    nox.command.run(["uv", "build", "--quiet", "--out-dir", f"{folder}"])
    (found,) = folder.glob("*.whl")
    return found


def install(session: nox.Session, *needed: str) -> None:
    """Install what is needed, ready-made only, and the wheel."""
    session.env["PYTHONPATH"] = None  # no sources in the way
    session.install("--no-build", *needed)
    session.install("--no-deps", f"{wheel()}")
    session.run("uv", "pip", "check", external=True)
    session.run("uv", "pip", "freeze", external=True)


@nox.session(python=PYTHONS)
@nox.parametrize("releases", ["lowest-direct", "highest"])
def tests(session: nox.Session, releases: str) -> None:
    """Run the package's own tests."""
    needed = ["-r", "pyproject.toml", "--extra", "test"]
    install(session, *needed, "--resolution", releases)
    session.run("pytest", *session.posargs)


@nox.session(python=[PYTHONS[0], PYTHONS[-1]])
def alone(session: nox.Session) -> None:
    """Use it, and its types, where nothing else is installed."""
    client = Path("tests/client.py").absolute()
    install(session, f"{wheel()}", "mypy")
    with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
        session.run("python", f"{client}")
        session.run("nbsight", "fix", "client.ipynb")
        session.run("nbsight", "diff", "client.ipynb")
        session.run("nbsight", "accept", "client.ipynb")
        session.run("pytest", "--nbval", "client.ipynb")
        types = ["--strict", "--untyped-calls-exclude=nbformat"]
        session.run("mypy", *types, f"{client}")
