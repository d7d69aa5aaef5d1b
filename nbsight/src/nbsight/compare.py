"""Differences between stored and new outputs, each said in one line."""

import json
import re
from collections import Counter
from functools import partial
from typing import Any

from . import MIME
from .drawn import figure_differences
from .markup import markup_differences, script_differences
from .names import same_names, same_names_in_json
from .texts import DEFAULT, NOTHING, Tolerance, changed, text_differences
from .tree import MALFORMED, plain_leaf, tree_differences
from .widgets import WIDGET as WIDGET  # others take it from here
from .widgets import States, view_differences

# Where an object lies in memory; nobody reads it where something is shown.
ADDRESS = re.compile(r"(?<= at )0x[0-9a-fA-F]+")
NO_STATES = States({}, {})


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
    stored: list[Any],
    now: list[Any],
    tolerance: Tolerance = DEFAULT,
    states: States = NO_STATES,
) -> list[str]:
    """Compare the outputs of one cell, streams joined, in order.

    ``states`` are those of the widgets that they may show.
    """
    try:
        kinds, now_kinds = (list(map(kind, each)) for each in (stored, now))
    except MALFORMED as error:
        return [_unreadable("the outputs", error)]
    counts, now_counts = Counter(kinds), Counter(now_kinds)
    found = [
        f"stored {counts[word]} {word}, now {now_counts[word]}"
        for word in counts | now_counts
        if counts[word] != now_counts[word]
    ]
    if "picture" in counts and "picture" not in now_counts:
        found.append("the picture was stored without its figure data")
    if kinds != now_kinds:
        order = f"stored {', '.join(kinds)}; now {', '.join(now_kinds)}"
        return found or [f"order: {order}"]
    for i, (old, new) in enumerate(zip(stored, now, strict=True), 1):
        place = f"output {i} ({kinds[i - 1]}) " if len(stored) > 1 else ""
        try:
            lines = _one_output(old, new, tolerance, states)
        except MALFORMED as error:
            lines = [_unreadable("it", error)]
        found += [place + line for line in lines]
    return found


def _unreadable(what: str, error: Exception) -> str:
    """Return the line that says of data that they are damaged."""
    reason = f"damaged data, {type(error).__name__}: {error}"
    if isinstance(error, RecursionError):
        reason = "nested too deep"
    return f"{what} cannot be compared: {reason}"[:200]


def _text(output: Any) -> str:
    """Return the text of a stream, after its carriage returns, or error."""
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return re.sub(r"(?m)^.*\r(?=[^\n])", "", output["text"])


def _one_output(
    stored: Any, now: Any, tolerance: Tolerance, states: States
) -> list[str]:
    """Compare two outputs of one kind."""
    if stored["output_type"] != now["output_type"]:
        return [changed("", stored["output_type"], now["output_type"])]
    if stored["output_type"] in ("stream", "error"):
        return text_differences(_text(stored), _text(now), tolerance)
    if stored.get("data") is None:
        return [f"{stored['output_type']} is no output that can be compared"]
    found, data, new = [], stored["data"], now["data"]
    # A text is the least that a reader sees of an output.
    for mime in sorted({**data, **new}, key="text/plain".__eq__):
        old_value, value = data.get(mime, NOTHING), new.get(mime, NOTHING)
        if value is NOTHING:
            found.append(f"{mime}: stored, now missing")
        elif mime == WIDGET:
            found += view_differences(
                old_value, value, states, tolerance, output_differences
            )
        elif old_value is NOTHING:
            found.append(f"{mime}: new, not stored")
        elif mime == MIME:
            found += figure_differences(old_value, value, tolerance)
        elif mime.startswith(("image/", "application/pdf")):
            if MIME not in data and old_value != value:
                found.append(f"{mime}: differs, and has no figure data")
        else:
            texts = isinstance(old_value, str) and isinstance(value, str)
            if mime == "text/plain" and texts and len(data) > 1:
                old_value = ADDRESS.sub("", old_value)
                value = ADDRESS.sub("", value)
            found += _data(mime, old_value, value, tolerance)
    leaf = partial(plain_leaf, tolerance)
    metadata, now_metadata = (
        {k: v for k, v in each["metadata"].items() if "image/" not in k}
        for each in (stored, now)
    )
    return found + tree_differences(metadata, now_metadata, "metadata", leaf)


def _data(mime: str, old: Any, new: Any, tolerance: Tolerance) -> list[str]:
    """Compare what an output holds as one kind of text or JSON."""
    leaf = partial(plain_leaf, tolerance)
    if "json" in mime:
        old, new = _parsed(old), _parsed(new)
    if isinstance(old, str) and isinstance(new, str):
        if mime == "text/html":
            return markup_differences(old, new, tolerance)
        if mime == "text/plain":
            return text_differences(old, new, tolerance)
        if "json" in mime or "javascript" in mime:
            new = same_names(old, new)
            return script_differences(old, new, tolerance, mime)
    elif "json" in mime:
        new = same_names_in_json(old, new)
        return tree_differences(old, new, "", leaf)
    return tree_differences(old, new, mime, leaf)


def _parsed(value: Any) -> Any:
    """Return the values of JSON that is kept as a text."""
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value
