"""Notebooks that end before their last cell, and not by a failure."""

import re
from typing import Any, NamedTuple

from nbclient.exceptions import CellExecutionError

from .execute import CellFailed
from .report import WIDTH, visible

# IPython's advice to who leaves a notebook by sys.exit().
ADVICE = re.compile(r"(?m)^.*UserWarning: To exit: use .*\n(?:  warn\(.*\n)?")


class End(NamedTuple):
    """How a notebook ended without a failure."""

    at: int  # the index of the cell
    why: str
    skips: bool  # the cell, too, and, if it is the first, the notebook


def end(stopped: CellFailed, items: Any) -> End | None:
    """Return how a notebook ended, if what stopped it is no failure."""
    error, index = stopped.error, stopped.index
    if index is None or not isinstance(error, CellExecutionError):
        return None
    if error.ename in ("Skipped", "SkipTest"):  # pytest's and unittest's
        why = visible(f"{error.evalue}"[:WIDTH])
        return End(index, why or "skipped by the notebook", True)
    if error.ename == "SystemExit" and error.evalue in (
        "",
        "0",
        "None",
        "False",
    ):
        (name,) = (each.name for each in items if each.index == index)
        return End(index, f"the notebook ended itself in {name}", False)
    return None


def without_advice(outputs: list[Any]) -> list[Any]:
    """Return outputs without what IPython advises when a cell leaves."""
    for output in outputs:
        if output.get("name") == "stderr":
            output.text = ADVICE.sub("", output.text)
    return [output for output in outputs if output.get("text") != ""]


def without_exit(outputs: list[Any]) -> list[Any]:
    """Return outputs without what IPython adds when a cell leaves."""
    return [
        output
        for output in without_advice(outputs)
        if output.get("ename") != "SystemExit"
    ]
