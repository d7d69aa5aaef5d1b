"""The pytest plugin: nbval, with numbers and figures compared as such.

Installed, it is used by ``pytest --nbval``; README.md tells what it checks.
"""

import copy
import json
import logging
import math
import re
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

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

from . import compare, execute, masks, places, report, stop
from .terminal import Terminal
from .texts import ATOL, RTOL, Tolerance, say

SWITCHES = {"skip-execution"}  # tags and comments that switch the check off
for _marker, _effect in comment_markers.items():
    if _effect in ("skip", ("check", False)):
        SWITCHES |= {_marker, _marker.lower().replace("_", "-")}
RERUN = "python -m pytest --nbval {path}"
STDERR = ("fail", "compare", "ignore")  # what to do with it
TAG = "nbsight-stderr-"
# IPython's advice to who leaves a notebook by sys.exit().
ADVICE = re.compile(r".*UserWarning: To exit: use .*\n(?:  warn\(.*\n)?")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that stand in pytest's configuration file."""
    for name, default, text in (
        ("rtol", str(RTOL), "relative tolerance of numbers"),
        ("atol", str(ATOL), "absolute tolerance of numbers"),
        ("rerun", RERUN, "command that verifies {path}, for the report"),
        ("folder", "build/nbsight", "where pictures of failures are written"),
        ("stderr", "fail", f"output on stderr: {', '.join(STDERR)}"),
    ):
        parser.addini(f"nbsight_{name}", text, default=default)
    parser.addini(
        "nbsight_masks",
        f"what is not compared in texts: {', '.join(masks.MASKS)}",
        type="args",
        default=[],
    )
    parser.addini(
        "nbsight_allow_skip",
        "let cells be skipped or left unchecked by nbval's tags and comments",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read what is configured; keep each notebook on one worker.

    Raises:
        pytest.UsageError: something is configured that does not exist.
    """
    if not config.option.nbval:
        return
    if config.getini("nbsight_stderr") not in STDERR:
        came = config.getini("nbsight_stderr")
        expected = ", ".join(STDERR)
        raise pytest.UsageError(
            f"nbsight_stderr: {came} is none of {expected}"
        )
    for name in config.getini("nbsight_masks"):
        if name not in masks.MASKS:
            known = ", ".join(masks.MASKS)
            raise pytest.UsageError(
                f"nbsight_masks: {name} is none of {known}"
            )
    if getattr(config.option, "dist", "no") in ("load", "worksteal"):
        config.option.dist = "loadfile"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Put this plugin's collector in the place of nbval's."""
    collectors = yield
    if parent.config.option.nbval and not parent.config.option.nbval_lax:
        return [
            NotebookFile.from_parent(parent, path=file_path)
            if type(each) is IPyNbFile
            else each
            for each in collectors
        ]
    return collectors


def pytest_sessionstart(session: pytest.Session) -> None:
    """Obey SIGTERM; show failures at once, in the process that reports."""
    config = session.config
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if config.option.nbval:
        config.add_cleanup(stop.obey_sigterm())
        if terminal:
            config.pluginmanager.register(Terminal(terminal))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    """Say of a cell that is skipped where it is, not where this file is."""
    made = yield
    if isinstance(item, NotebookItem) and made.skipped:
        path, line, _ = item.reportinfo()
        made.longrepr = str(path), line + 1, made.longrepr[2]
    return made


def pytest_report_teststatus(report: pytest.TestReport) -> Any:
    """Only count the cells that were not run because another one failed."""
    last = report.longreprtext.rpartition("\n")[2]
    if report.failed and last.startswith("  not run: "):
        return "not run", "-", "NOT RUN"
    return None


class End(NamedTuple):
    """How a notebook ended without a failure."""

    at: int  # the index of the cell
    why: str
    skips: bool  # the cell, too, and, if it is the first, the notebook


class NotebookFile(IPyNbFile):  # type: ignore[misc]
    """A notebook: executed as a whole, then compared cell by cell."""

    stopped: execute.CellFailed | None = None
    ended: End | None = None
    broken = ""  # why the file cannot be read

    def __init__(self, *args: Any, **options: Any) -> None:
        """Keep nbval's list of what is not compared: it is not ours."""
        super().__init__(*args, **options)
        self.skipped_by_nbval: Counter[str] = Counter(self.skip_compare)

    def collect(self, text: str | None = None) -> list[Any]:
        """Return an item for the notebook itself and for each code cell.

        The text is what stands in the file, or a draft of what shall.

        Raises:
            CollectError: a draft is no notebook. A file that is none has an
                item that fails, so that pytest runs the others.
        """
        self.items, count = [self._item("Notebook", -1)], 0
        self.broken = ""
        self.has_code, self.without_id = False, []
        self.lenient = self.config.getini("nbsight_allow_skip")
        try:
            with warnings.catch_warnings():  # ids: see below
                warnings.simplefilter("ignore")
                content = text or self.path.read_text("utf-8-sig")
                self.nb = nbformat.reads(content, as_version=4)
                cells = json.loads(content).get("cells", [])
                nbformat.validate(self.nb, relax_add_props=True)
        except Exception as error:  # of many kinds, whatever is in there
            reason = str(error).partition("\n")[0] or type(error).__name__
            unread = isinstance(error, OSError)
            what = "cannot be read" if unread else "not a notebook"
            self.broken = f"{what}: {reason}"[:200]
            if text:
                raise self.CollectError(self.broken) from None
            return self.items
        self.without_id = [i for i, c in enumerate(cells) if not c.get("id")]
        self.lines = places.source_lines(content)
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code":
                number = len(self.items) - 1
                item = self._item(f"Cell {number}", number, cell)
                item.index, item.count_before = index, count
                if self.execution("allow_errors") is True:
                    item.options["check_exception"] = True
                count = cell.execution_count or count
                self.items.append(item)
        self.has_code = any(
            each.cell.source.strip() for each in self.items[1:]
        )
        return self.items

    def execution(self, name: str) -> Any:
        """Return what a notebook says of its execution, as nbmake reads it."""
        said = self.nb.metadata.get("execution")
        return said.get(name) if isinstance(said, dict) else None

    def _item(self, name: str, number: int, cell: Any = None) -> Any:
        options: dict[str, bool] = defaultdict(bool, check=True)
        if cell:
            with warnings.catch_warnings():  # of contradictions
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
        self.stopped = self.ended = None
        if self.broken:
            return
        self.new = copy.deepcopy(self.nb)
        if not self.has_code:
            return
        for item in self.items[1:]:
            cell = self.new.cells[item.index]
            if item.skipped():
                cell.source = ""
            if item.options["check_exception"]:  # nbclient knows this one
                tags = cell.metadata.get("tags", [])
                cell.metadata.tags = [*tags, "raises-exception"]
        timeout = self.execution("timeout")
        if type(timeout) is not int:
            timeout = math.ceil(options.nbval_cell_timeout)
        choices = {
            "timeout": timeout,
            "startup_timeout": math.ceil(options.nbval_kernel_startup_timeout),
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
            self.ended = _end(stopped, self.items)
            self.stopped = None if self.ended else stopped
            if getattr(stopped.error, "ename", "") == "SystemExit":
                cell = self.new.cells[stopped.index]
                cell.outputs = _without_exit(cell.outputs)
        finally:
            logging.disable(logging.NOTSET)


class NotebookItem(IPyNbCell):  # type: ignore[misc]
    """A code cell, or what concerns a notebook as a whole: no cell."""

    index: int | None = None  # among all cells of the notebook
    count_before = 0  # the count of the code cell before

    def __init__(self, *args: Any, **options: Any) -> None:
        """Count what is masked."""
        super().__init__(*args, **options)
        self.masked: Counter[str] = Counter()

    def runtest(self) -> None:
        """Fail if anything is wrong."""
        if why := self.skipped():
            pytest.skip(why)
        lines = self.faults()
        for name, number in self.masked.items():
            self.user_properties.append((f"masked {name}", number))
        if lines:
            path = f"{report.short(self.config.rootpath, self.path)}"
            self.user_properties += [("file", path), ("line", self.line())]
            pytest.fail(report.text(self, lines), pytrace=False)

    repr_failure = pytest.Item.repr_failure  # not nbval's

    def skipped(self) -> str:
        """Return why the cell is skipped, or nothing."""
        if self.parent.lenient and self.options["skip"]:
            return "marked to be skipped"
        end: End | None = self.parent.ended
        if not end:
            return ""
        if self.index is None:  # the notebook
            first = self.parent.items[1].index
            return end.why if end.skips and end.at == first else ""
        after = self.index - end.at
        return end.why if after > 0 or (end.skips and after == 0) else ""

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
        lines = [] if self.parent.lenient else self._switches()
        lines += self._reason(stopped.error) if raised else []
        if self.stderr() not in STDERR:
            lines.append(f"a tag is none of {TAG}compare, {TAG}ignore")
        stored, new = self.shown()
        lines += self._stored_faults(stored)
        if self.stderr() == "fail":
            for when, outputs in (("stored", stored), ("new", new)):
                for output in outputs:
                    if output.get("name") == "stderr":
                        text = say(output.text.strip())
                        lines.append(f"{when} output on stderr: {text}")
        if not raised and (self.options["check"] or not self.parent.lenient):
            lines += self._differences(stored, new)
        return lines

    def stderr(self) -> str:
        """Return what to do with what is written to stderr."""
        if "stderr" in self.left_out():
            return "ignore"
        tags = self.cell.metadata.get("tags", [])
        said = [tag[len(TAG) :] for tag in tags if tag.startswith(TAG)]
        return str([self.config.getini("nbsight_stderr"), *said][-1])

    def left_out(self) -> Counter[str]:
        """Return what a project has added to nbval's ``skip_compare``."""
        out: Counter[str] = Counter(self.parent.skip_compare)
        out.subtract(self.parent.skipped_by_nbval)
        return +out

    def shown(self) -> list[list[Any]]:
        """Return the outputs that are stored and that came, to be compared.

        Without what is left out, and with a word for what is masked.
        """
        pair, out = [], self.left_out()
        if self.stderr() == "ignore":
            out["stderr"] = 1
        names = self.config.getini("nbsight_masks")
        ended = self.parent.ended and self.parent.ended.at == self.index
        for cell in (self.cell, self.parent.new.cells[self.index]):
            outputs = copy.deepcopy(cell.outputs)
            outputs = _without_exit(outputs) if ended else outputs
            outputs = execute.joined(_without(outputs, out))
            if self.stderr() == "compare":  # when it comes is chance
                outputs.sort(key=lambda each: each.get("name") == "stderr")
                outputs = execute.joined(outputs)
            self.masked.clear()  # so that what is new is counted
            pair.append(masks.masked_outputs(outputs, names, self.masked))
        return pair

    def line(self) -> int:
        """Return the line of the file to look at, from 1."""
        inside = 0
        stopped = self.parent.stopped
        if stopped and self.cell and stopped.index == self.index:
            own = places.own_lines(self.parent.new.cells[self.index])
            inside = own[-1] - 1 if own else 0
        return self._place(inside) + 1

    def _place(self, inside: int = 0) -> int:
        """Return the line of the file where a line of the source stands."""
        if self.index is None or self.index >= len(self.parent.lines):
            return 0  # of an older format
        lines = self.parent.lines[self.index]
        return int(lines[inside]) if inside < len(lines) else 0

    def _notebook_faults(self, stopped: Any) -> list[str]:
        if self.parent.broken:
            return [self.parent.broken]
        lines = []
        if not self.parent.has_code:
            lines.append("the notebook has no code to run")
        for index in self.parent.without_id:
            lines.append(f"cell {index + 1} of the file has no id")
        if stopped and stopped.index is None:
            lines += self._reason(stopped.error)
        return lines

    def _switches(self) -> list[str]:
        tags = set(self.cell.metadata.get("tags", []))
        comments = re.findall(r"(?m)^\s*#+\s*(\w+)\s*$", self.cell.source)
        return [
            f"{switch} would switch this check off; it is not allowed here"
            for switch in sorted(SWITCHES & {*tags, *comments})
        ]

    def _stored_faults(self, stored: list[Any]) -> list[str]:
        cell, lines, wanted = self.cell, [], self.options["check_exception"]
        count, expected = cell.execution_count, self.count_before + 1
        if cell.source.strip() and count is None:
            lines.append("was never run: it has no execution count")
        elif cell.source.strip() and count != expected:
            wrong = f"its count is {count}, not {expected}"
            lines.append(f"was not run in order: {wrong}")
        for output in stored:
            other = output.get("execution_count", count)
            if other != count:
                lines.append(f"its result is of another run, [{other}]")
            if output.output_type == "error" and not wanted:
                error = f"{output.ename}: {output.evalue}"
                lines.append(f"stored output is an error: {error}")
        return lines

    def _differences(self, stored: Any, new: Any) -> list[str]:
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
        pair = [self.sanitize_outputs(each) for each in (stored, new)]
        return compare.output_differences(pair[0], pair[1], tolerance)

    def _reason(self, error: Exception) -> list[str]:
        """Return why the execution stopped here, in lines."""
        if not isinstance(error, CellExecutionError):
            text = str(error).strip().partition("\n")[0]
            return [f"stopped by {type(error).__name__}: {text}"]
        said = f"raised {error.ename}: {error.evalue}".partition("\n")[0]
        if not self.cell:
            return [said]
        source = self.cell.source.splitlines()
        found = places.own_lines(self.parent.new.cells[self.index])
        return [
            said,
            *(f"in its line {n}: {source[n - 1].strip()}" for n in found),
        ]

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where pytest says that the item is."""
        return self.path, self._place(), f"{self.path.name}::{self.name}"


def _end(stopped: execute.CellFailed, items: Any) -> End | None:
    """Return how a notebook ended, if what stopped it is no failure."""
    error, index = stopped.error, stopped.index
    if index is None or not isinstance(error, CellExecutionError):
        return None
    if error.ename in ("Skipped", "SkipTest"):  # pytest's and unittest's
        return End(index, f"{error.evalue}" or "skipped by the notebook", True)
    if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
        (name,) = (each.name for each in items if each.index == index)
        return End(index, f"the notebook ended itself in {name}", False)
    return None


def _without_exit(outputs: list[Any]) -> list[Any]:
    """Return outputs without what IPython adds when a cell leaves."""
    for output in outputs:
        if output.get("name") == "stderr":
            output.text = ADVICE.sub("", output.text)
    return [
        output
        for output in outputs
        if output.get("ename") != "SystemExit" and output.get("text") != ""
    ]


def _without(outputs: list[Any], out: Counter[str]) -> list[Any]:
    """Return outputs without streams, kinds of data and fields."""
    kept = []
    for output in outputs:
        data = output.get("data")
        if output.get("name") in out or output.output_type in out:
            continue
        if data is not None:
            output.data = {k: v for k, v in data.items() if k not in out}
            if data and not output.data:
                continue
        if "metadata" in out and "metadata" in output:
            output.metadata = {}
        kept.append(output)
    return kept
