"""A cell of a notebook as an item of pytest: what is wrong with it."""

import copy
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nbclient.exceptions import CellExecutionError
from nbval.plugin import IPyNbCell, comment_markers

from . import MIME, compare, ends, execute, masks, places, report, widgets
from .texts import ATOL, Tolerance, say

SWITCHES = {"skip-execution"}  # tags and comments that switch the check off
for _marker, _effect in comment_markers.items():
    if _effect in ("skip", ("check", False)):
        SWITCHES |= {_marker, _marker.lower().replace("_", "-")}
STDERR = ("fail", "compare", "ignore")  # what to do with it
TAG = "nbsight-stderr-"
VARIES = "nbsight-varies"  # a cell whose outputs' kinds alone are compared


class NotebookItem(IPyNbCell):  # type: ignore[misc]
    """A code cell, or what concerns a notebook as a whole: no cell."""

    index: int | None = None  # among all cells of the notebook
    count_before = 0  # the count of the code cell before

    def __init__(self, *args: Any, **options: Any) -> None:
        """Keep what is compared, and how much of it is masked."""
        super().__init__(*args, **options)
        self.pair: list[list[Any]] = [[], []]
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
        end: ends.End | None = self.parent.ended
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
        stored, new = self.pair = self._compared()
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

    def _compared(self) -> list[list[Any]]:
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
            outputs = ends.without_advice(outputs)
            outputs = ends.without_exit(outputs) if ended else outputs
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
        stated = {
            name: float(self.config.getini(f"nbsight_{name}"))
            for name in ("rtol", "atol")
        }
        absolute = stated["atol"] != ATOL  # for small numbers, too
        for tag in self.cell.metadata.get("tags", []):
            match = re.fullmatch(r"([ra]tol)-(\d+\.?\d*([eE][+-]?\d+)?)", tag)
            if match:
                stated[match[1]] = float(match[2])
                absolute = absolute or match[1] == "atol"
            elif re.match("[ra]tol", tag):
                words = "a tag states no tolerance such as rtol-1e-3"
                return [f"{words}: {tag}"]
        tolerance = Tolerance(stated["rtol"], stated["atol"], absolute)
        if VARIES in self.cell.metadata.get("tags", []):
            kinds = [compare.kind(output) for output in stored]
            if kinds == [compare.kind(output) for output in new]:
                return []
        pair = [self.sanitize_outputs(each) for each in (stored, new)]
        runs = self.parent.nb.metadata, self.parent.new.metadata
        names = self.config.getini("nbsight_masks")
        cover = partial(masks.masked_outputs, names=names)
        states = widgets.states(*runs, cover)
        return compare.output_differences(pair[0], pair[1], tolerance, states)

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


def _without(outputs: list[Any], out: Counter[str]) -> list[Any]:
    """Return outputs without streams, kinds of data and fields."""
    kept = []
    if {"image/png", "image/svg+xml"} & {*out}:
        out = out + Counter([MIME])
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
