"""Figures compared by the data that they carry."""

import json
import math
import re
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from . import artists
from .texts import DEFAULT, Tolerance, changed, first, say, text_differences
from .tree import Found, tree_differences

LOG = 1e-3  # of a number on a logarithmic axis
# In figures, what moves with the size of texts (in shares of the figure, dims
# in points) and colours (one step of 255) are compared less closely.
LOOSE = {"near": 0.02, "box": 0.02, "shape": 0.05, "look": 0.04, "dims": 0.03}
LOOSE |= dict.fromkeys(("color", "face", "faces", "edges"), 1.5 / 255)
FOLLOWS = re.compile(r"\.(near|box|shape|dims|look|cap|join|cmap)\b")

HEX = re.compile("#[0-9a-f]{6}([0-9a-f]{2})?")


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested lists with their places.

    Raises:
        ValueError: something else is in there.
    """
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _flat(item, f"{place}[{i}]")
    elif type(value) in (int, float) or value in ("nan", "inf", "-inf"):
        yield place, float(value)
    else:
        raise ValueError


def _allowed(
    values: list[float], key: str, tolerance: Tolerance, span: float | None
) -> float:
    """Return how far numbers may differ that are shown together."""
    if key in LOOSE:
        return LOOSE[key]
    finite = [x for x in values if math.isfinite(x)] or [0.0]
    scale = max(map(abs, finite))
    atol = tolerance.atol * (1.0 if tolerance.tagged else min(1.0, scale))
    span = max(span or 0.0, max(finite) - min(finite))
    return tolerance.rtol * span + atol + 1e-6 * scale


def _summary(old: Any, new: Any, allowed: float, place: str) -> list[str]:
    """Compare two summaries of large arrays."""
    for key in ("shape", "missing"):
        if old[key] != new[key]:
            return [changed(f"{place}.{key}", old[key], new[key])]
    found = [
        changed(f"{place}.{key}", old[key], new[key])
        for key in ("low", "high", "mean")
        if not abs(old[key] - new[key]) <= allowed
    ]
    size, blocks = math.prod(old["shape"]), len(old["sums"])
    allowed *= math.sqrt(size / blocks)
    pairs = enumerate(zip(old["sums"], new["sums"], strict=True))
    bad = [i for i, (one, other) in pairs if not abs(one - other) <= allowed]
    if bad:
        start = bad[0] * (size // blocks) + min(bad[0], size % blocks)
        more = f" and in {len(bad) - 1} more places" if bad[1:] else ""
        found.append(f"{place}: differs near element {start} of {size}{more}")
    return found


def _span(axes: dict[str, Any], key: str) -> float | None:
    """Return the range that an axis shows, None if it is logarithmic."""
    low, high = axes.get(f"{key}lim", (0.0, 0.0))
    return None if axes.get(f"{key}scale") == "log" else abs(high - low)


def _shown_leaf(
    tolerance: Tolerance, axes: Any, old: Any, new: Any, place: str
) -> Found:
    """Compare numbers, colours and texts that a figure shows."""
    key = re.sub(r"(\[\d+\])+$", "", place).rpartition(".")[2]
    span = _span(axes, key)
    if isinstance(old, dict) and isinstance(new, dict) and "sums" in old:
        if "sums" not in new:
            return [changed(place, old["shape"], len(new))]
        ends = [each[end] for each in (old, new) for end in ("low", "high")]
        limit = _allowed(ends, key, tolerance, span)
        return _summary(old, new, limit, place)
    if isinstance(old, str) and isinstance(new, str):
        if HEX.fullmatch(old) and HEX.fullmatch(new):
            pair = [bytes.fromhex(c[1:].ljust(8, "f")) for c in (old, new)]
            near = all(abs(a - b) < 2 for a, b in zip(*pair, strict=True))
            return [] if near else None
        text = key == "text"
        return text_differences(old, new, tolerance, place) if text else None
    try:
        numbers, others = dict(_flat(old)), dict(_flat(new))
    except ValueError:
        return None
    if numbers.keys() != others.keys():
        if isinstance(old, list) and isinstance(new, list):
            return [f"{place}: stored {len(old)} values, now {len(new)}"]
        return [changed(place, old, new)]
    values = [*numbers.values(), *others.values()]
    limit = _allowed(values, key, tolerance, span)
    bad = []
    for at, x in numbers.items():
        limit = LOG * abs(x) if span is None else limit
        near = abs(x - others[at]) <= limit < math.inf
        if not near and str(x) != str(others[at]):
            bad.append(changed(place + at, x, others[at]))
    return first(bad, " of its values")


def figure_differences(
    stored: Any, now: Any, tolerance: Tolerance = DEFAULT
) -> list[str]:
    """Compare what two figures show."""
    figures = []
    for when, data in (("stored", stored), ("new", now)):
        try:
            shown = {f"figure.{key}": data[key] for key in ("size", "dpi")}
            parts = [line.rpartition("\t") for line in artists(data)]
            shown |= {name: json.loads(last) for name, _, last in parts}
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error):
            reason = data.get("error", data) if type(data) is dict else data
            return [f"the {when} figure has no readable data: {say(reason)}"]
        figures.append(shown)
    old, new = figures
    for name in [name for name in old if name not in new]:
        for other in [name for name in new if name not in old]:
            if not text_differences(name, other, tolerance):
                old = {other if k == name else k: old[k] for k in old}
                break  # a label with a number in it that is near enough
    found = []
    for name in {**old, **new}:
        if name not in new:
            found.append(f"{name}: stored, now not drawn")
        elif name not in old:
            found.append(f"{name}: now drawn, not stored")
        else:
            axes = old.get(name.partition("].")[0] + "]", {})
            leaf = partial(_shown_leaf, tolerance, axes)
            found += tree_differences(old[name], new[name], name, leaf)
    orders = [n for n in old if n in new], [n for n in new if n in old]
    moved = [pair for pair in zip(*orders, strict=True) if pair[0] != pair[1]]
    found += [f"{one}: now drawn before {other}" for other, one in moved[:1]]
    # What moves with other things comes last: it is seldom the cause.
    found.sort(key=lambda line: bool(FOLLOWS.search(line)))
    return [re.sub(r"\.(path|text)\b(?=[.:\[])", "", line) for line in found]
