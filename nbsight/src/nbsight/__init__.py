"""Notebook outputs compared as numbers, figures by what they show.

A pytest plugin on top of nbval, and the command ``nbsight``; README.md is
their documentation. From Python, what other projects may use is

- ``execute.execute`` and ``execute.CellFailed``: execute a notebook;
- ``compare.output_differences``: compare the outputs of a cell;
- ``accept.accept`` and ``accept.Store``: store what notebooks give now;
- ``artists``, ``startup_code`` and ``MIME``: the data that figures carry.

All else may change with any release.
"""

import base64
import json
from pathlib import Path
from typing import Any

from .packed import LIMIT, inflated

MIME = "application/vnd.nbsight.figure+json"

STARTUP = """
from IPython import get_ipython

def bundle(figure, module={"__name__": "nbsight_figure"}):
    if "describe" not in module:
        exec(compile(SOURCE, "nbsight/figure.py", "exec"), module)
    return {MIME: module["describe"](figure)}

get_ipython().display_formatter.mimebundle_formatter.for_type_by_name(
    "matplotlib.figure", "Figure", bundle
)
"""


def artists(record: dict[str, Any]) -> list[str]:
    """Return what a figure's data says of each artist, a line each.

    Reads packed lines, as `figure.describe` returns, and those from here.

    Raises:
        KeyError, ValueError, zlib.error: it holds no such lines.
        RecursionError: it is nested too deep.
    """
    lines: str | list[str] = record["artists"]
    if isinstance(lines, str):
        if len(lines) > LIMIT:
            raise ValueError(f"it is larger than {LIMIT >> 20} MB")
        return list(json.loads(inflated(base64.b85decode(lines))))
    return lines


def startup_code() -> str:
    """Return code that makes a kernel add data to every figure it shows.

    To be executed silently in a Python kernel before the first cell. It
    needs no import path there, leaves no name in the user's namespace and
    imports Matplotlib only when a figure is displayed.
    """
    source = Path(__file__).with_name("figure.py").read_text("utf-8")
    return f"exec({STARTUP!r}, {dict(SOURCE=source, MIME=MIME)!r})"
