"""The pytest plugin: nbval, with numbers and figures compared as such.

Installed, it is used by ``pytest --nbval``; README.md tells what it checks.
"""

import copy
import json
import logging
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

# isort: split
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from nbval.plugin import (
    IPyNbCell,
    IPyNbFile,
    comment_markers,
    find_comment_markers,
    find_metadata_tags,
)

from . import compare, execute, report
from .texts import ATOL, RTOL, Tolerance, say

SWITCHES = {"skip-execution"}  # tags and comments that switch the check off
for _marker, _effect in comment_markers.items():
    if _effect in ("skip", ("check", False)):
        SWITCHES |= {_marker, _marker.lower().replace("_", "-")}
RERUN = "python -m pytest --nbval {path}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that stand in pytest's configuration file."""
    for name, default, text in (
        ("rtol", str(RTOL), "relative tolerance of numbers"),
        ("atol", str(ATOL), "absolute tolerance of numbers"),
        ("rerun", RERUN, "command that verifies {path}, for the report"),
        ("folder", "build/nbsight", "where pictures of failures are written"),
    ):
        parser.addini(f"nbsight_{name}", text, default=default)
    parser.addini(
        "nbsight_allow_skip",
        "let cells be skipped or left unchecked by nbval's tags and comments",
        type="bool",
        default=False,
    )


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Put this plugin's collector in the place of nbval's."""
    collectors = yield
    if parent.config.option.nbval and not parent.config.option.nbval_lax:
        ours = NotebookFile.from_parent(parent, path=file_path)
        return [ours if type(c) is IPyNbFile else c for c in collectors]
    return collectors


def pytest_sessionstart(session: pytest.Session) -> None:
    """Show failures at once, in the process that reports."""
    plugins = session.config.pluginmanager
    terminal = plugins.get_plugin("terminalreporter")
    if terminal and session.config.option.nbval:
        plugins.register(AtOnce(terminal))


class AtOnce:
    """Shows the first failure of each notebook when it is reported."""

    def __init__(self, terminal: "pytest.TerminalReporter") -> None:
        """Take what writes pytest's report."""
        self.terminal, self.shown = terminal, set[str]()

    @pytest.hookimpl(trylast=True)  # below the name of the notebook
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show it; in the end it stands among the others."""
        path = report.nodeid.partition("::")[0]
        first = report.failed and path not in self.shown
        if first and path.endswith(".ipynb"):
            self.shown.add(path)
            self.terminal.ensure_newline()
            self.terminal.write_line(report.longreprtext, red=True)


def pytest_report_teststatus(report: pytest.TestReport) -> Any:
    """Only count the cells that were not run because another one failed."""
    last = report.longreprtext.rpartition("\n")[2]
    if report.failed and last.startswith("  not run: "):
        return "not run", "-", "NOT RUN"
    return None


class NotebookFile(IPyNbFile):  # type: ignore[misc]
    """A notebook: executed as a whole, then compared cell by cell."""

    stopped: execute.CellFailed | None = None

    def collect(self, text: str | None = None) -> list[Any]:
        """Return an item for the notebook itself and for each code cell.

        The text is what stands in the file, or a draft of what shall.
        """
        try:
            with warnings.catch_warnings():  # ids: see below
                warnings.simplefilter("ignore")
                text = text or self.path.read_text("utf-8")
                self.nb = nbformat.reads(text, as_version=4)
                cells = json.loads(text).get("cells", [])
        except (ValueError, nbformat.ValidationError) as error:
            raise self.CollectError(f"not a notebook: {error}"[:200]) from None
        self.without_id = [i for i, c in enumerate(cells) if not c.get("id")]
        self.items, count = [self._item("Notebook", -1)], 0
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code":
                number = len(self.items) - 1
                item = self._item(f"Cell {number}", number, cell)
                item.index, item.count_before = index, count
                count = cell.execution_count or count
                self.items.append(item)
        self.lenient = self.config.getini("nbsight_allow_skip")
        self.has_code = any(
            each.cell.source.strip() for each in self.items[1:]
        )
        return self.items

    def _item(self, name: str, number: int, cell: Any = None) -> Any:
        options: dict[str, bool] = defaultdict(bool, check=True)
        if cell:
            with warnings.catch_warnings():  # contradictions
                warnings.simplefilter("ignore")
                options.update(find_metadata_tags(cell.metadata))
                options.update(find_comment_markers(cell.source))
        return NotebookItem.from_parent(
            self, name=name, cell_num=number, cell=cell, options=options
        )

    def setup(self) -> None:
        """Execute a copy of the notebook; what fails is kept for the items."""
        options = self.config.option
        self.setup_sanitize_files()
        self.new = copy.deepcopy(self.nb)
        if not self.has_code:
            return
        for item in self.items:
            if item.skipped():
                self.new.cells[item.index].source = ""
        choices = {
            "timeout": options.nbval_cell_timeout,
            "startup_timeout": options.nbval_kernel_startup_timeout,
        }
        if options.nbval_current_env:
            choices["km"] = AsyncKernelManager(
                kernel_name=CURRENT_ENV_KERNEL_NAME,
                kernel_spec_manager=NbvalKernelspecManager(),
            )
        elif options.nbval_kernel_name:
            choices["kernel_name"] = options.nbval_kernel_name
        logging.disable()  # what stops a kernel is told by the items
        try:
            execute.execute(self.new, self.path.parent, **choices)
        except execute.CellFailed as stopped:
            self.stopped = stopped
        finally:
            logging.disable(logging.NOTSET)


class NotebookItem(IPyNbCell):  # type: ignore[misc]
    """A code cell, or what concerns a notebook as a whole: no cell."""

    index: int | None = None  # among all cells of the notebook
    count_before = 0  # the count of the code cell before

    def runtest(self) -> None:
        """Fail if anything is wrong."""
        if self.skipped():
            pytest.skip("marked to be skipped")
        lines = self.faults()
        if lines:
            pytest.fail(report.text(self, lines), pytrace=False)

    repr_failure = pytest.Item.repr_failure  # not nbval's

    def skipped(self) -> bool:
        """Tell whether the cell is marked so and that is allowed."""
        return bool(self.parent.lenient and self.options["skip"])

    def faults(self) -> list[str]:
        """Return what is wrong, a line each."""
        stopped = self.parent.stopped
        if not self.cell:
            return self._notebook_faults(stopped)
        if stopped and stopped.index is None:
            return ["not run: the kernel did not start"]
        if stopped and stopped.index < self.index:
            return ["not run: an earlier cell failed"]
        raised = stopped and stopped.index == self.index
        new = self.parent.new.cells[self.index]
        lines = [] if self.parent.lenient else self._switches()
        lines += _reason(stopped.error) if raised else []
        lines += self._stored_faults()
        for when, cell in (("stored", self.cell), ("new", new)):
            for output in cell.outputs:
                if output.get("name") == "stderr":
                    text = say(output.text.strip())
                    lines.append(f"{when} output on stderr: {text}")
        if not raised and (self.options["check"] or not self.parent.lenient):
            lines += self._differences(new)
        return lines

    def _notebook_faults(self, stopped: Any) -> list[str]:
        lines = []
        if not self.parent.has_code:
            lines.append("the notebook has no code to run")
        for index in self.parent.without_id:
            lines.append(f"cell {index + 1} of the file has no id")
        if stopped and stopped.index is None:
            lines += _reason(stopped.error)
        return lines

    def _switches(self) -> list[str]:
        tags = set(self.cell.metadata.get("tags", []))
        comments = re.findall(r"(?m)^\s*#+\s*(\w+)\s*$", self.cell.source)
        return [
            f"{switch} would switch this check off; it is not allowed here"
            for switch in sorted(SWITCHES & {*tags, *comments})
        ]

    def _stored_faults(self) -> list[str]:
        cell, lines, wanted = self.cell, [], self.options["check_exception"]
        count, expected = cell.execution_count, self.count_before + 1
        if cell.source.strip() and count is None:
            lines.append("was never run: it has no execution count")
        elif cell.source.strip() and count != expected:
            wrong = f"its count is {count}, not {expected}"
            lines.append(f"was not run in order: {wrong}")
        for output in cell.outputs:
            other = output.get("execution_count", count)
            if other != count:
                lines.append(f"its result is of another run, [{other}]")
            if output.output_type == "error" and not wanted:
                error = f"{output.ename}: {output.evalue}"
                lines.append(f"stored output is an error: {error}")
        return lines

    def _differences(self, new: Any) -> list[str]:
        tolerance = Tolerance(
            rtol=float(self.config.getini("nbsight_rtol")),
            atol=float(self.config.getini("nbsight_atol")),
        )
        for tag in self.cell.metadata.get("tags", []):
            match = re.fullmatch(r"([ra]tol)-(\d+\.?\d*([eE][+-]?\d+)?)", tag)
            if match:
                stated = {match[1]: float(match[2])}
                tolerance = tolerance._replace(tagged=True, **stated)
            elif re.match("[ra]tol", tag):
                words = "a tag states no tolerance such as rtol-1e-3"
                return [f"{words}: {tag}"]
        stored = execute.joined(copy.deepcopy(self.cell.outputs))
        pair = [self.sanitize_outputs(each) for each in (stored, new.outputs)]
        return compare.output_differences(pair[0], pair[1], tolerance)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where pytest says that the item is."""
        return self.path, 0, f"{self.path.name}::{self.name}"


def _reason(error: Exception) -> list[str]:
    """Return why an execution stopped, in lines."""
    if not isinstance(error, CellExecutionError):
        text = str(error).strip().partition("\n")[0]
        return [f"stopped by {type(error).__name__}: {text}"]
    lines = [f"raised {error.ename}: {error.evalue}".partition("\n")[0]]
    plain = re.sub(r"\x1b\[[\d;]*m", "", error.traceback)
    where = re.findall(r"-+> *(\d+) (.*)", plain)[:1]
    return lines + [f"in its line {n}: {code}" for n, code in where]
