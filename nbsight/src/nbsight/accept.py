"""Store what a notebook gives now, on purpose: ``nbsight accept``.

The notebook is executed and compared by the check itself, so in the same
surroundings, with the same options and tolerances. What differs is shown; then
the question is asked. Only cells that differ get their new outputs. What would
not pass the check afterwards is refused.
"""

import contextlib
import copy
import io
import json
import os
import re
import shutil
import sys
import tempfile
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

    def tidy(self, path: Path, notebook: Any) -> None:
        """Change, in place, what was executed into what is to be stored."""

    def faults(self, path: Path, draft: Path) -> list[str]:
        """Return what is wrong with a draft of a notebook, besides the check.

        The draft's file and folder are named as the notebook's.
        """
        return []

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
        for file in files:
            if hasattr(file, "stopped"):
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
        why = self.store.objection(file.path)
        if why:
            raise Left(f"refused\n  {why}")
        before = file.path.read_bytes()
        self.say(f"{name}: executing")
        file.setup()
        found = verdict(file)
        if not found:
            return "nothing differs"
        text = self.draft(file, before.decode(), found)
        if file.stopped:
            at = file.stopped.index
            wrong = [report.summary(*f) for f in found if f[0].index == at]
        else:
            wrong = self.faults(file, name, text)
        if wrong:
            self.say("\n".join(wrong))
            raise Left("refused, for it would not pass")
        for item, lines in found:
            self.say(report.summary(item, lines))
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

    def draft(self, file: Any, before: str, found: list[Any]) -> str:
        """Return the notebook's text with new outputs where they differ."""
        old, new = json.loads(before), copy.deepcopy(file.new)
        self.store.tidy(file.path, new)
        with warnings.catch_warnings(action="ignore"):  # the check tells
            new = json.loads(nbformat.writes(new))
        changed, count = {item.index for item, _ in found}, 0
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

    def faults(self, file: Any, name: Path, text: str) -> list[str]:
        """Say why what a notebook would become cannot be stored."""
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder, file.path.parent.name, file.path.name)
            draft.parent.mkdir()
            draft.write_bytes(text.encode())
            wrong = [report.summary(*pair) for pair in verdict(file, draft)]
            wrong = wrong or self.store.faults(file.path, draft)
        return [each.replace(str(draft), str(name)) for each in wrong]

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


def verdict(file: Any, draft: Path | None = None) -> list[Any]:
    """Return what the check says of a notebook that has been executed.

    A draft is compared with that execution in the notebook's place. In pairs:
    an item and the lines of what is wrong with it.
    """
    checked = file
    if draft:
        checked = type(file).from_parent(file.parent, path=draft)
        checked.new, checked.stopped = file.new, file.stopped
        checked.setup_sanitize_files()
    items = [item for item in checked.collect() if not item.skipped()]
    found = [(item, item.faults()) for item in items]
    return [pair for pair in found if pair[1]]


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
    """Do it; return the status to exit with.

    ``yes`` is the answer given beforehand.
    """
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
