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
from typing import Any

# isort: split
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from nbval.plugin import (
    IPyNbFile,
    find_comment_markers,
    find_metadata_tags,
)

from . import ends, execute, masks, places, stop
from .cells import STDERR, NotebookItem
from .terminal import Terminal
from .texts import ATOL, RTOL

RERUN = "python -m pytest --nbval {path}"


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
    if not config.getoption("nbval", False):  # nor if nbval is switched off
        return
    if config.getini("nbsight_stderr") not in STDERR:
        came = config.getini("nbsight_stderr")
        expected = ", ".join(STDERR)
        raise pytest.UsageError(
            f"nbsight_stderr: {came} is none of {expected}"
        )
    for name in ("nbsight_rtol", "nbsight_atol"):
        came = config.getini(name)
        if not re.fullmatch(r"\d*\.?\d+([eE][+-]?\d+)?|\d+\.", came):
            raise pytest.UsageError(
                f"{name}: {came} is no number such as 1e-5"
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
    option = parent.config.getoption
    if option("nbval", False) and not option("nbval_lax"):
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
    if config.getoption("nbval", False):
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


class NotebookFile(IPyNbFile):  # type: ignore[misc]
    """A notebook: executed as a whole, then compared cell by cell."""

    stopped: execute.CellFailed | None = None
    ended: ends.End | None = None
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
        self.broken = ""
        self.lenient = self.config.getini("nbsight_allow_skip")
        try:
            with warnings.catch_warnings():  # ids: see below
                warnings.simplefilter("ignore")
                self._read(text or self.path.read_text("utf-8-sig"))
        except Exception as error:  # of many kinds, whatever is in there
            reason = str(error).partition("\n")[0] or type(error).__name__
            unread = isinstance(error, OSError)
            what = "cannot be read" if unread else "not a notebook"
            self.broken = f"{what}: {reason}"[:200]
            if text:
                raise self.CollectError(self.broken) from None
            self.items = [self._item("Notebook", -1)]
        return self.items

    def _read(self, text: str) -> None:
        """Read a notebook from JSON; make the items."""
        self.nb = nbformat.reads(text, as_version=4)
        cells = json.loads(text).get("cells", [])
        self.without_id = [i for i, c in enumerate(cells) if not c.get("id")]
        self.lines = places.source_lines(text)
        self.items, count = [self._item("Notebook", -1)], 0
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code":
                for output in cell.outputs:
                    kind = output.output_type
                    nbformat.validate(output, kind, 4, relax_add_props=True)
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

    def setup(
        self, folder: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        """Execute a copy of the notebook; what fails is kept for the items.

        In another folder than its own, or with more variables, if so said.
        """
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
            folder = folder or self.path.parent
            execute.execute(self.new, folder, env, **choices)
        except execute.CellFailed as stopped:
            self.ended = ends.end(stopped, self.items)
            self.stopped = None if self.ended else stopped
            if getattr(stopped.error, "ename", "") == "SystemExit":
                cell = self.new.cells[stopped.index]
                cell.outputs = ends.without_exit(cell.outputs)
        finally:
            logging.disable(logging.NOTSET)
