"""What pytest's terminal shows of notebooks besides its own."""

import contextlib
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from . import masks, places
from .report import visible

NAMED = 10  # notebooks in one line


class Terminal:
    """Listens to the reports of all notebooks, from workers too."""

    def __init__(self, terminal: "pytest.TerminalReporter") -> None:
        """Take what writes pytest's report."""
        self.terminal, self.shown = terminal, set[str]()
        self.waiting: dict[str, None] = {}  # ids of items, in order
        self.workers: list[int] = []  # their processes
        self.masked, self.masked_in = Counter[str](), set[str]()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what is to be reported."""
        self.waiting |= dict.fromkeys(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Keep what is to be reported by workers."""
        self.waiting |= dict.fromkeys(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Keep which process a worker on this machine is."""
        if node.gateway.spec.popen:
            self.workers.append(node.gateway._rinfo().pid)

    def pytest_keyboard_interrupt(self) -> None:
        """Hand on what stops the run; xdist would wait for seconds."""
        for process in self.workers:
            with contextlib.suppress(OSError):  # it has stopped, too
                os.kill(process, signal.SIGTERM)

    @pytest.hookimpl(trylast=True)  # below the name of the notebook
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show the first failure of a notebook; it comes again in the end."""
        self.waiting.pop(report.nodeid, None)
        path = report.nodeid.partition("::")[0]
        if not path.endswith(".ipynb"):
            return
        for name, value in report.user_properties:
            if f"{name}".startswith("masked ") and report.when == "call":
                self.masked[name[len("masked ") :]] += int(str(value))
                self.masked_in.add(path)
        if report.failed and path not in self.shown:
            self.shown.add(path)
            self.terminal.ensure_newline()
            self.terminal.write_line(report.longreprtext, red=True)

    def pytest_terminal_summary(self, exitstatus: int) -> None:
        """Say what was masked and not run; annotate failures for GitHub."""
        write = self.terminal.write_line
        if self.masked:
            words = [
                f"{n} {name if n > 1 else masks.PLACEHOLDERS[name][1:-1]}"
                for name, n in self.masked.items()
            ]
            where = _notebooks(self.masked_in)
            write(f"nbsight masked {', '.join(words)} in {where}")
        paths = {nodeid.partition("::")[0]: None for nodeid in self.waiting}
        left = [path for path in paths if path.endswith(".ipynb")]
        if exitstatus == pytest.ExitCode.INTERRUPTED and left:
            verb = "was" if len(left) == 1 else "were"
            names = ", ".join(visible(path) for path in left[:NAMED])
            if len(left) > NAMED:
                names += f" and {len(left) - NAMED} more"
            write(f"interrupted: {_notebooks(left)} {verb} not run: {names}")
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for report in self.terminal.stats.get("failed", []):
                if found := _annotation(self.terminal.config.rootpath, report):
                    write(found)


def _notebooks(paths: Any) -> str:
    return f"{len(paths)} notebook" + ("s" if len(paths) != 1 else "")


def _annotation(root: Path, report: Any) -> str:
    """Return what GitHub shows beside the cell that failed, if it is one."""
    said = dict(report.user_properties)
    if not {"file", "line"} <= said.keys():
        return ""
    path = root / str(said["file"])
    top = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    for one, other in ((path, top), (path.resolve(), top.resolve())):
        if one.is_relative_to(other):
            path = one.relative_to(other)
            break
    title, _, lines = str(report.longrepr).partition("\n")
    return places.annotation(f"{path}", int(said["line"]), title, lines)
