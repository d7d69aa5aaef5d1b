"""The pytest plugin: nbval, with numbers and figures compared as such.

Installed, it is used by ``pytest --nbval``; README.md tells what it checks.
"""

import copy
import json
import logging
import re
import warnings
from collections import defaultdict

# isort: split
import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import CellExecutionError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from nbval.plugin import (
    IPyNbCell,
    IPyNbFile,
    comment_markers,
    find_comment_markers,
    find_metadata_tags,
)

from . import compare, execute, progress, report

SWITCHES = {"skip-execution"}  # tags and comments that switch the check off
for _marker, _effect in comment_markers.items():
    if _effect in ("skip", ("check", False)):
        SWITCHES |= {_marker, _marker.lower().replace("_", "-")}
RERUN = "python -m pytest --nbval {path}"


def pytest_addoption(parser):
    """Add the options that stand in pytest's configuration file."""
    for name, default, text in (
        ("rtol", str(compare.RTOL), "relative tolerance of numbers"),
        ("atol", str(compare.ATOL), "absolute tolerance of numbers"),
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


def pytest_configure(config):
    """Have each notebook reported in a line."""
    progress.register(config)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Put this plugin's collector in the place of nbval's."""
    collectors = yield
    options = parent.config.option
    if not options.nbval or options.nbval_lax:
        return collectors
    return [
        NotebookFile.from_parent(parent, path=file_path)
        if type(each) is IPyNbFile
        else each
        for each in collectors
    ]


class Mismatch(Exception):
    """What is wrong with a cell, a line each."""

    def __init__(self, lines):
        """Keep the lines."""
        super().__init__("; ".join(lines))
        self.lines = lines


class NotebookFile(IPyNbFile):
    """A notebook: executed as a whole, then compared cell by cell."""

    stopped = None  # why the execution stopped, if it did

    def collect(self):
        """Yield the notebook itself and each of its code cells."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on ids: they are checked
                text = self.path.read_text("utf-8")
                self.nb = nbformat.reads(text, as_version=4)
                cells = json.loads(text).get("cells", [])
        except ValueError as error:  # NotJSONError is one
            raise self.CollectError(f"not a notebook: {error}"[:200]) from None
        self.without_id = [i for i, c in enumerate(cells) if not c.get("id")]
        yield NotebookItem.from_parent(self, name="Notebook")
        number, count = 0, 0
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                options = defaultdict(bool, find_metadata_tags(cell.metadata))
                options.update(find_comment_markers(cell.source))
            options.setdefault("check", True)
            item = NotebookCell.from_parent(
                self,
                name=f"Cell {number}",
                cell_num=number,
                cell=cell,
                options=options,
            )
            item.index, item.count_before = index, count
            count = cell.execution_count or count
            number += 1
            yield item

    def setup(self):
        """Execute a copy of the notebook; what fails is kept for the cells."""
        options = self.config.option
        self.setup_sanitize_files()
        self.new = copy.deepcopy(self.nb)
        if not any(_is_run(cell) for cell in self.nb.cells):
            return
        allowed = self.config.getini("nbsight_allow_skip")
        for item in self.new.cells:
            marks = {mark for mark, _ in find_comment_markers(item.source)}
            tags = item.metadata.get("tags", [])
            if allowed and ("skip" in marks or "nbval-skip" in tags):
                item.metadata["tags"] = [*tags, "skip-execution"]
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
        logging.disable()  # what stops a kernel is told by the cells
        try:
            execute.execute(self.new, self.path.parent, **choices)
        except execute.CellFailed as stopped:
            self.stopped = stopped
        finally:
            logging.disable(logging.NOTSET)


class NotebookItem(pytest.Item):
    """What concerns a notebook as a whole."""

    def runtest(self):
        """Fail if there is nothing to run, or it cannot be run."""
        notebook, lines = self.parent, []
        cells = [
            cell for cell in notebook.nb.cells if cell.cell_type == "code"
        ]
        if not any(cell.source.strip() for cell in cells):
            lines.append("the notebook has no code to run")
        for index in notebook.without_id:
            lines.append(f"cell {index + 1} of the file has no id")
        if notebook.stopped and notebook.stopped.index is None:
            lines += _reason(notebook.stopped.error)
        if lines:
            raise Mismatch(lines)

    def repr_failure(self, excinfo):
        """Return the report of a failure."""
        if isinstance(excinfo.value, Mismatch):
            return report.text(self, self.path, excinfo.value.lines)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        """Return where pytest says that the item is."""
        return self.path, 0, f"{self.path.name}::{self.name}"


class NotebookCell(IPyNbCell):
    """A code cell: what is stored against what came out just now."""

    index = 0  # among all cells of the notebook
    count_before = 0  # the count of the code cell before

    def runtest(self):
        """Compare the cell with its counterpart in the executed copy."""
        allowed = self.config.getini("nbsight_allow_skip")
        if allowed and self.options["skip"]:
            pytest.skip("marked to be skipped")
        stopped = self.parent.stopped
        lines = [] if allowed else self._switches()
        if stopped and stopped.index is None:
            raise Mismatch(["not run: the kernel did not start"])
        if stopped and self.index > stopped.index:
            raise Mismatch(["not run: an earlier cell failed"])
        if stopped and self.index == stopped.index:
            lines += _reason(stopped.error)
        new = self.parent.new.cells[self.index]
        lines += self._stored_faults()
        lines += self._stderr("stored", self.cell) + self._stderr("new", new)
        if not (stopped and self.index == stopped.index) and (
            self.options["check"] or not allowed
        ):
            lines += self._differences(new)
        self.test_outputs = new.outputs
        if lines:
            raise Mismatch(lines)

    def _switches(self):
        tags = set(self.cell.metadata.get("tags", []))
        comments = re.findall(r"^\s*#+\s*(\w+)\s*$", self.cell.source, re.M)
        return [
            f"{switch} would switch this check off; it is not allowed here"
            for switch in sorted(SWITCHES & (tags | set(comments)))
        ]

    def _stored_faults(self):
        cell, lines = self.cell, []
        if cell.source.strip() and cell.execution_count is None:
            lines.append("was never run: it has no execution count")
        elif cell.source.strip():
            expected = self.count_before + 1
            if cell.execution_count != expected:
                lines.append(
                    f"was not run in order: its count is "
                    f"{cell.execution_count}, not {expected}"
                )
        for output in cell.outputs:
            count = output.get("execution_count", cell.execution_count)
            if count != cell.execution_count:
                lines.append(f"its result is of another run, [{count}]")
        return lines

    def _stderr(self, when, cell):
        return [
            f"{when} output on stderr: {compare.say(output.text.strip())}"
            for output in cell.outputs
            if output.output_type == "stream" and output.name == "stderr"
        ] + [
            f"{when} output is an error: {output.ename}: {output.evalue}"
            for output in cell.outputs
            if output.output_type == "error"
            and not self.options["check_exception"]
            and when == "stored"
        ]

    def _tolerance(self):
        values = {
            key: float(self.config.getini(f"nbsight_{key}"))
            for key in ("rtol", "atol")
        }
        for tag in self.cell.metadata.get("tags", []):
            match = re.fullmatch(r"(rtol|atol)-(\d.*)", tag)
            if match:
                values[match[1]] = float(match[2])
                values["tagged"] = True
            elif re.match("[ra]tol", tag):
                raise ValueError(tag)
        return compare.Tolerance(**values)

    def _differences(self, new):
        try:
            tolerance = self._tolerance()
        except ValueError as error:
            return [f"a tag states no tolerance such as rtol-1e-3: {error}"]
        stored = execute.joined(copy.deepcopy(self.cell.outputs))
        outputs = [
            self.sanitize_outputs(each) for each in (stored, new.outputs)
        ]
        return compare.output_differences(*outputs, tolerance)

    def repr_failure(self, excinfo):
        """Return the report of a failure."""
        if not isinstance(excinfo.value, Mismatch):
            return super().repr_failure(excinfo)
        return report.text(self, self.path, excinfo.value.lines, self)


def _is_run(cell):
    return cell.cell_type == "code" and bool(cell.source.strip())


def _reason(error):
    """Return why an execution stopped, in lines."""
    if isinstance(error, CellExecutionError):
        lines = [f"raised {error.ename}: {error.evalue}".split("\n")[0]]
        plain = re.sub(r"\x1b\[[\d;]*m", "", error.traceback)
        where = re.search(r"-+> *(\d+) (.*)", plain)
        return (
            [*lines, f"in its line {where[1]}: {where[2]}"] if where else lines
        )
    text = str(error).strip().split("\n")[0]
    return [f"stopped by {type(error).__name__}: {text}"]
