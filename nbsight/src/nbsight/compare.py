"""Differences between stored and new outputs, each said in one line."""

import json
import re
from functools import partial
from typing import Any

from . import MIME
from .drawn import figure_differences
from .texts import DEFAULT, NOTHING, Tolerance, changed, text_differences
from .tree import plain_leaf, tree_differences

# Holds a random handle into a living kernel: only its loss is a difference.
WIDGET = "application/vnd.jupyter.widget-view+json"


def kind(output: Any) -> str:
    """Return in one word what a reader sees of an output."""
    if output["output_type"] == "stream":
        return str(output["name"])
    if output.get("data") is None:
        return str(output["output_type"])
    data = set(output["data"]) - {WIDGET}
    if MIME in data:
        return "figure"
    for word in "image/", "html", "latex", "markdown", "json", "javascript":
        if any(word in mime for mime in data):
            return word.replace("image/", "picture")
    return "text" if data == {"text/plain"} else " ".join(sorted(data))


def output_differences(
    stored: list[Any], now: list[Any], tolerance: Tolerance = DEFAULT
) -> list[str]:
    """Compare the outputs of one cell, streams joined, in order."""
    kinds, now_kinds = ([kind(output) for output in o] for o in (stored, now))
    found = [
        f"stored {kinds.count(word)} {word}, now {now_kinds.count(word)}"
        for word in dict.fromkeys(kinds + now_kinds)
        if kinds.count(word) != now_kinds.count(word)
    ]
    if "picture" in kinds and "picture" not in now_kinds:
        found.append("the picture was stored without its figure data")
    if kinds != now_kinds:
        order = f"stored {', '.join(kinds)}; now {', '.join(now_kinds)}"
        return found or [f"order: {order}"]
    for i, (old, new) in enumerate(zip(stored, now, strict=True), 1):
        place = f"output {i} ({kinds[i - 1]}) " if len(stored) > 1 else ""
        found += [place + line for line in _one_output(old, new, tolerance)]
    return found


def _text(output: Any) -> str:
    """Return the text of a stream, after its carriage returns, or error."""
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return re.sub(r"(?m)^.*\r(?=[^\n])", "", output["text"])


def _one_output(stored: Any, now: Any, tolerance: Tolerance) -> list[str]:
    """Compare two outputs of one kind."""
    if stored["output_type"] != now["output_type"]:
        return [changed("", stored["output_type"], now["output_type"])]
    if stored["output_type"] in ("stream", "error"):
        return text_differences(_text(stored), _text(now), tolerance)
    if stored.get("data") is None:
        return [f"{stored['output_type']} is no output that can be compared"]
    found, data, new = [], stored["data"], now["data"]
    leaf = partial(plain_leaf, tolerance)
    for mime in {**data, **new}:
        old_value, value = data.get(mime, NOTHING), new.get(mime, NOTHING)
        if value is NOTHING:
            found.append(f"{mime}: stored, now missing")
        elif mime == WIDGET:
            continue
        elif old_value is NOTHING:
            found.append(f"{mime}: new, not stored")
        elif mime == MIME:
            found += figure_differences(old_value, value, tolerance)
        elif mime.startswith(("image/", "application/pdf")):
            if MIME not in data and old_value != value:
                found.append(f"{mime}: differs, and has no figure data")
        else:
            place = "" if mime == "text/plain" else mime
            if "json" in mime:
                old_value, value = _parsed(old_value), _parsed(value)
            found += tree_differences(old_value, value, place, leaf)
    metadata, now_metadata = (
        {k: v for k, v in each["metadata"].items() if "image/" not in k}
        for each in (stored, now)
    )
    return found + tree_differences(metadata, now_metadata, "metadata", leaf)


def _parsed(value: Any) -> Any:
    """Return the values of JSON that is kept as a text."""
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value
