"""Store what a notebook gives now, on purpose: ``nbsight accept``.

The notebook is executed and compared by the check itself, so in the same
surroundings, with the same options and tolerances. What differs is shown; then
the question is asked. Only cells that differ get their new outputs. What would
not pass the check afterwards is refused.
"""

import contextlib
import io
import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from . import report


class Store:
    """Notebooks as they come; a project that generates its own overrides."""

    yes = "--yes"  # how to agree beforehand

    def objection(self, path: Path) -> str | None:
        """Say why a notebook must not be changed here, or return None."""
        return None

    def write(self, path: Path, text: str) -> None:
        """Put a notebook in its place in one move."""
        path = path.resolve()
        partial = path.with_name(f".{path.name}-{os.getpid()}.partial")
        try:
            partial.write_bytes(text.encode())
            shutil.copymode(path, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


class Left(Exception):
    """Why a notebook is left as it is."""


class Accept:
    """Does, in pytest's place, what is done with the notebooks it found."""

    def __init__(self, store: Store, yes: bool) -> None:
        """Take where to store, and the answer if it is known."""
        self.store, self.yes, self.out = store, yes, sys.stdout
        # Of each notebook, whether it is as it should be.
        self.done: list[bool] | None = None

    def say(self, text: str, end: str = "\n") -> None:
        """Print, although what pytest prints is kept back."""
        print(text, end=end, file=self.out, flush=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Work in this process, whatever is configured for the check."""
        config.option.dist = "no"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Go through the notebooks, in order."""
        if session.testsfailed:  # while they were collected: pytest says it
            return None
        self.done = []
        files: Any = dict.fromkeys(item.parent for item in session.items)
        for file in [each for each in files if hasattr(each, "stopped")]:
            name = report.short(session.config.rootpath, file.path)
            try:
                result, well = self.notebook(file, name), True
            except Left as why:
                result, well = str(why), False
            self.say(f"{name}: {result}")
            self.done.append(well)
        return True

    def notebook(self, file: Any, name: Path) -> str:
        """Execute, show, ask and store one notebook; say what was done.

        Raises:
            Left: it is not as it should be.
        """
        if why := self.store.objection(file.path):
            raise Left(f"refused\n  {why}")
        before = file.path.read_bytes()
        self.say(f"{name}: executing")
        file.setup()
        found = verdict(file)
        if not found:
            return "nothing differs"
        text = draft(file, before.decode(), {item.index for item, _ in found})
        if file.stopped:
            wrong = [f for f in found if f[0].index == file.stopped.index]
        else:
            wrong = verdict(file, text)
        if wrong:
            self.say("\n".join(report.summary(*each) for each in wrong))
            raise Left("refused, for it would not pass")
        self.say("\n".join(report.summary(*each) for each in found))
        page = f"{file.path.with_suffix('')}-differs"
        self.say(
            f"different: {len(found)} of {len(file.items) - 1} cells; stored "
            f"and new side by side:\n  {report.page(page, found)}"
        )
        if not self.yes:
            self.ask()
        if file.path.read_bytes() != before:
            raise Left("changed meanwhile, so it is left; start again")
        self.store.write(file.path, text)
        return "accepted"

    def ask(self) -> None:
        """Ask whether to store; without a terminal the answer is no."""
        if not sys.stdin.isatty():
            raise Left(
                "left as it is, for there is no terminal to ask on; to accept "
                f"this all the same, give {self.store.yes}"
            )
        self.say("Store the new outputs? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Left("left as it is")


def verdict(file: Any, draft: str | None = None) -> list[Any]:
    """Return what the check says of a notebook that has been executed.

    A draft is compared with that execution in the notebook's place. In pairs:
    an item and the lines of what is wrong with it.
    """
    items = [item for item in file.collect(draft) if not item.skipped()]
    found = [(item, item.faults()) for item in items]
    return [pair for pair in found if pair[1]]


def draft(file: Any, before: str, changed: set[int]) -> str:
    """Return a notebook's text, of these cells with the new outputs."""
    old, count = json.loads(before), 0
    with warnings.catch_warnings():  # the check tells
        warnings.simplefilter("ignore")
        new = json.loads(nbformat.writes(file.new))
    for index, cell in enumerate(old["cells"]):
        if cell["cell_type"] != "code":
            continue
        if index in changed:
            cell["outputs"] = new["cells"][index]["outputs"]
        if new["cells"][index]["execution_count"] is not None:
            cell["execution_count"] = count = count + 1
        count = cell["execution_count"] or count  # where it was skipped
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = cell["execution_count"]
    return dumps(old, before)


def dumps(notebook: Any, like: str) -> str:
    """Write a notebook from JSON in the form that a text has."""
    indent = re.match(r"\{\s*\n([ \t]+)", like)
    text = json.dumps(
        notebook,
        ensure_ascii=like.isascii() and "\\u" in like,
        indent=indent and indent[1],
    )
    return text + like[len(like.rstrip()) :]


def accept(
    notebooks: Iterable[str | Path],
    yes: bool = False,
    store: Store | None = None,
) -> int:
    """Do it; return the status to exit with. ``yes``: do not ask."""
    doing, pytest_says = Accept(store or Store(), yes), io.StringIO()
    # No assertions are rewritten: modules that are imported already cannot be,
    # and where warnings are errors, pytest would end with that.
    options = ["--nbval", "--capture=no", "--assert=plain"]
    with contextlib.redirect_stdout(pytest_says):
        status = pytest.main([*options, *map(str, notebooks)], [doing])
    if status == pytest.ExitCode.INTERRUPTED and doing.done is not None:
        doing.say("\nstopped; what is written so far is whole")
    elif status or not doing.done:
        print(pytest_says.getvalue(), end="", file=sys.stderr)
        if not doing.done:
            print("no notebook was looked at", file=sys.stderr)
    return 0 if doing.done and all(doing.done) and not status else 1
