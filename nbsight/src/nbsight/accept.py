"""Store what a notebook gives now, on purpose: ``nbsight accept``.

Its form is mended, then the notebook is executed and compared by the check
itself, so in the same surroundings, with the same options and tolerances. It
is executed again, elsewhere, to see what varies by itself. What differs is
shown; then the question is asked. Only cells that differ get their new
outputs. What would not pass the check afterwards is refused.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from . import fix, report
from .fix import dumps
from .plugin import NotebookFile
from .varies import (
    ELSEWHERE,
    STDERR,
    Objection,
    Run,
    another_place,
    executed,
    varying,
    verdict,
    wrong,
)
from .widgets import WIDGET


class Store:
    """Notebooks as they come; a project that generates its own overrides."""

    yes = "--yes"  # how to agree beforehand
    tags = "--tags"  # how to agree to tags; empty if none may be given

    def objection(self, path: Path) -> str | None:
        """Say why a notebook must not be changed here, or return None."""
        return None

    def write(self, path: Path, text: str) -> None:
        """Put a notebook in its place in one move."""
        fix.write(path, text)


class Left(Exception):
    """Why a notebook is left as it is."""


class Accept:
    """Does, in pytest's place, what is to be done with notebooks."""

    def __init__(self, notebooks: list[Path], store: Store) -> None:
        """Take which notebooks, and where to store them."""
        self.notebooks, self.store, self.out = notebooks, store, sys.stdout
        self.yes = self.tags = self.only_show = False
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
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Leave pytest's own search for files out."""
        session.testscollected = len(self.notebooks)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Go through the notebooks, in order."""
        self.done, config = [], session.config
        pages = config.rootpath / config.getini("nbsight_folder")
        # Made now, because a notebook may list what files there are.
        with contextlib.suppress(OSError):
            pages.mkdir(parents=True, exist_ok=True)
            if cache := getattr(config, "cache", None):
                cache.mkdir("nbsight")
        for path in self.notebooks:
            short = report.short(config.rootpath, path)
            name, well = report.visible(f"{short}"), False
            try:
                file: Any = NotebookFile.from_parent(session, path=path)
                file.ihook.pytest_collectstart(collector=file)
                self.say(f"{name}: {self.notebook(file, name)}")
                well = True
            except Left as why:
                self.say(f"{name}: {why}")
            except (fix.Unfit, NotebookFile.CollectError, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
            self.done.append(well)
        return True

    def notebook(self, file: Any, name: str) -> str:
        """Execute, show, ask and store one notebook; say what was done.

        Raises:
            Left: it is not as it should be.
        """
        text, mended = fix.mended(file.path)
        before = file.path.read_bytes()
        if mended:
            self.say(f"{name}: {'; '.join(mended)}")
        if self.only_show:
            return self.differences(file, text, bool(mended))
        why = self.store.objection(file.path) or fix.unwritable(file.path)
        if why:
            raise Left(f"refused: {why}")
        self.say(f"{name}: executing")
        first = executed(file, text)
        while first.stopped:  # until all cells that shall raise are tagged so
            new = draft(file, first, text)
            text = self.tagged(text, wrong(file, first, new))
            first = executed(file, text)
        new = draft(file, first, text)
        found, second = verdict(file, first, text), first
        if not found and new.encode() == before:
            return "nothing differs"
        if found:
            self.say(f"{name}: executing again, in another place")
            second = self.again(file, first, new)
            self.show(file, verdict(file, first, text))
        while objections := [
            *wrong(file, first, new),
            *varying(file, first, second, new),
        ]:
            new = self.tagged(new, objections)
        if not self.yes:
            self.ask("Store the new outputs?", self.store.yes)
        if file.path.read_bytes() != before:
            raise Left("changed meanwhile, so it is left; start again")
        self.store.write(file.path, new)
        return "accepted"

    def differences(self, file: Any, text: str, mended: bool) -> str:
        """Execute and show what differs; say that nothing does.

        Raises:
            Left: something does.
        """
        found = verdict(file, executed(file, text), text)
        self.show(file, found)
        if mended:
            raise Left("differs; nbsight fix mends its form")
        if found:
            raise Left("differs")
        return "nothing differs"

    def again(self, file: Any, first: Run, new: str) -> Run:
        """Execute elsewhere; return the run to compare with the first.

        If that fails, another one in the notebook's own place tells whether
        it runs only there.
        """
        with another_place(file.config.rootpath, file.path.parent) as place:
            second = executed(file, new, place, ELSEWHERE)
        if not second.stopped:
            return second
        why = varying(file, first, second, new)
        third = executed(file, new, None, {"PYTHONHASHSEED": "2"})
        if not third.stopped:
            self.say(f"it runs only in its own place:\n  {why[0].line}")
        return third

    def show(self, file: Any, found: list[Any]) -> None:
        """Say what differs, and where both runs are side by side."""
        if not found:
            return
        self.say("\n".join(report.summary(*each) for each in found))
        page = f"{file.path.with_suffix('')}-differs"
        self.say(
            f"different: {len(found)} of {len(file.items) - 1} cells; stored "
            f"and new side by side:\n  {report.page(page, found)}"
        )

    def tagged(self, text: str, objections: list[Objection]) -> str:
        """Say what is wrong; return the draft with the tags that settle it.

        Raises:
            Left: a person must decide.
        """
        self.say("\n".join(f"  {each.line}" for each in objections))
        if not self.store.tags or not all(each.tag for each in objections):
            raise Left("refused, for it would not pass")
        if not self.tags:
            self.ask("Give the cells these tags?", self.store.tags)
        notebook = json.loads(text)
        for index, tag in dict.fromkeys((i, tag) for i, _, tag in objections):
            tags = notebook["cells"][index]["metadata"].setdefault("tags", [])
            if tag in tags:
                raise Left(f"refused, for it would not pass, tagged {tag}")
            tags.append(tag)
            if tag == "nbsight-stderr-ignore" and STDERR in tags:
                tags.remove(STDERR)
        return dumps(notebook, text)

    def ask(self, question: str, option: str) -> None:
        """Ask for a yes; without a terminal the answer is no."""
        if not sys.stdin.isatty():
            raise Left(
                "left as it is, for there is no terminal to ask on; to accept "
                f"this all the same, give {option}"
            )
        self.say(f"{question} [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Left("left as it is")


def draft(file: Any, run: Run, text: str) -> str:
    """Return a notebook's text with the new outputs of cells that differ."""
    changed = {item.index for item, _ in verdict(file, run, text)}
    notebook, count = json.loads(text), 0
    new = json.loads(nbformat.v4.writes(run.new))
    pairs = list(zip(notebook["cells"], new["cells"], strict=True))
    if changed:  # the states of widgets go together with all their views
        notebook["metadata"].pop("widgets", None)
        if states := new["metadata"].get("widgets"):
            notebook["metadata"]["widgets"] = states
        changed |= {i for i, (_, c) in enumerate(pairs) if WIDGET in f"{c}"}
    for index, (cell, ran) in enumerate(pairs):
        if cell["cell_type"] != "code":
            continue
        if index in changed:
            cell["outputs"] = ran["outputs"]
        if "".join(ran["source"]).strip():  # else it was marked to be skipped
            done = ran["execution_count"] is not None
            cell["execution_count"] = count + 1 if done else None
        count = cell["execution_count"] or count
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = cell["execution_count"]
    return dumps(notebook, text)


def accept(
    notebooks: Iterable[str | Path],
    yes: bool = False,
    store: Store | None = None,
    *,
    tags: bool = False,
    only_show: bool = False,
    options: Iterable[str] = (),
) -> int:
    """Do it; return the status to exit with.

    ``yes``: do not ask whether to store; ``tags``: nor whether to tag cells;
    ``only_show``: execute once and show what differs; ``options``: pytest's.
    """
    paths = list(fix.notebooks(notebooks))
    doing, pytest_says = Accept(paths, store or Store()), io.StringIO()
    doing.yes, doing.tags, doing.only_show = yes, tags, only_show
    # No assertions are rewritten: modules that are imported already cannot be,
    # and where warnings are errors, pytest would end with that.
    own = ["--nbval", "--capture=no", "--assert=plain", *options]
    with contextlib.redirect_stdout(pytest_says):
        status = pytest.main([*own, *map(str, paths)], [doing])
    if status == pytest.ExitCode.INTERRUPTED and doing.done is not None:
        left = ", ".join(f"{path}" for path in paths[len(doing.done) :])
        doing.say("\nstopped; what is written so far is whole")
        doing.say(f"not accepted: {report.visible(left)}")
    elif status or not doing.done:
        print(pytest_says.getvalue(), end="", file=sys.stderr)
        if not doing.done:
            print("no notebook was looked at", file=sys.stderr)
    return 0 if doing.done and all(doing.done) and not status else 1
