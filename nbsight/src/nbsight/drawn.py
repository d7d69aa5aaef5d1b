"""Figures compared by the data that they carry."""

import json
import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from . import artists
from .texts import (
    DEFAULT,
    NUMBER,
    Tolerance,
    changed,
    first,
    say,
    text_differences,
)
from .tree import MALFORMED, Found, Leaf, tree_differences

LOG = 1e-3  # of a number on a logarithmic axis
# In figures, what moves with the size of texts (in shares of the figure, dims
# in points) and colours (one step of 255) are compared less closely.
LOOSE = {"near": 0.02, "box": 0.02, "shape": 0.05, "look": 0.04, "dims": 0.03}
LOOSE |= dict.fromkeys(("color", "face", "faces", "edges"), 1.5 / 255)
NAMED = re.compile(r"\.cmap: stored ")
FOLLOWS = re.compile(
    r"\.(near|box|shape|dims|look|cap|join|cmap|[xyz]lim|spines)\b"
)

LINE = 2**22  # characters of JSON about one artist; more are not looked at
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
    size, blocks = _size(old["shape"]), len(old["sums"])
    allowed *= math.sqrt(size / blocks)
    pairs = enumerate(zip(old["sums"], new["sums"], strict=True))
    bad = [i for i, (one, other) in pairs if not abs(one - other) <= allowed]
    if bad:
        start = bad[0] * (size // blocks) + min(bad[0], size % blocks)
        more = f" and in {len(bad) - 1} more places" if bad[1:] else ""
        found.append(f"{place}: differs near element {start} of {size}{more}")
    return found


def _size(shape: Any) -> int:
    """Return how many elements an array of a shape has.

    Raises:
        ValueError: it is no shape.
    """
    if len(shape) > 64 or not all(type(n) is int for n in shape):
        raise ValueError("this is no shape of an array")
    return math.prod(shape)


def _span(axes: dict[str, Any], key: str) -> float | None:
    """Return the range that an axis shows, None if it is logarithmic."""
    low, high = axes.get(f"{key}lim", (0.0, 0.0))
    return None if axes.get(f"{key}scale") == "log" else abs(high - low)


def _shown_leaf(
    tolerance: Tolerance, axes: Any, old: Any, new: Any, place: str
) -> Found:
    """Compare numbers, colours and texts that a figure shows."""
    key = place.rstrip("[]0123456789").rpartition(".")[2]
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


class Unreadable(Exception):
    """What is wrong with a figure's data."""


class Figure:
    """A figure's data: of each artist, by name, what was written down."""

    def __init__(self, when: str, data: Any) -> None:
        """Take the data.

        Raises:
            Unreadable: they are not as `figure.describe` makes them.
        """
        self.when = when
        try:
            self.texts = {
                f"figure.{key}": json.dumps(data[key])
                for key in ("size", "dpi")
            }
            for line in artists(data):
                name, tab, text = line.rpartition("\t")
                if not tab:
                    raise ValueError("a line without a name")
                self.texts[name] = text
        except MALFORMED as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(data, dict):
                reason = data.get("error", reason)
            raise self.unreadable(reason) from None

    def __getitem__(self, name: str) -> Any:
        """Return what is written of an artist, {} if there is nothing.

        Raises:
            Unreadable: it is no JSON.
        """
        text = self.texts.get(name, "{}")
        try:
            if len(text) > LINE:
                raise ValueError(f"a line of more than {LINE >> 20} MB")
            return json.loads(text)
        except MALFORMED as error:
            raise self.unreadable(f"{name}: {error}") from None

    def unreadable(self, reason: Any) -> Unreadable:
        """Return what to raise for such data."""
        text = f"the {self.when} figure has no readable data"
        return Unreadable(f"{text}: {say(reason)}")


def figure_differences(
    stored: Any, now: Any, tolerance: Tolerance = DEFAULT
) -> list[str]:
    """Compare what two figures show."""
    try:
        old, new = Figure("stored", stored), Figure("new", now)
        return _differences(old, new, tolerance)
    except Unreadable as error:
        return [str(error)]


def _differences(old: Figure, new: Figure, tolerance: Tolerance) -> list[str]:
    near = _near_names(old.texts, new.texts, tolerance)
    old.texts = {near.get(k, k): text for k, text in old.texts.items()}
    found = []
    for name in {**old.texts, **new.texts}:
        if name not in new.texts:
            found.append(f"{name}: stored, now not drawn")
        elif name not in old.texts:
            found.append(f"{name}: now drawn, not stored")
        elif old.texts[name] != new.texts[name]:
            axes = old[name.partition("].")[0] + "]"]
            leaf = partial(_shown_leaf, tolerance, axes)
            try:
                found += _artist(old[name], new[name], name, leaf)
            except MALFORMED as error:
                wrong = f"{type(error).__name__}: {error}"
                found.append(f"{name}: no readable data: {say(wrong)}")
    names = old.texts, new.texts
    orders = [[n for n in names[i] if n in names[1 - i]] for i in (0, 1)]
    moved = [pair for pair in zip(*orders, strict=True) if pair[0] != pair[1]]
    found += [f"{one}: now drawn before {other}" for other, one in moved[:1]]
    found.sort(key=_rank)
    return [re.sub(r"\.(path|text)\b(?=[.:\[])", "", line) for line in found]


def _rank(line: str) -> int:
    """Return where a line belongs; what moves with others comes last."""
    if NAMED.search(line):
        return 0
    return 2 if FOLLOWS.search(line) else 1


def _near_names(
    old: dict[str, str], new: dict[str, str], tolerance: Tolerance
) -> dict[str, str]:
    """Return new names for stored ones: labels with a number near enough."""
    waiting: dict[str, list[str]] = {}
    for name in reversed([name for name in new if name not in old]):
        waiting.setdefault(NUMBER.sub("0", name), []).append(name)
    near = {}
    for name in [name for name in old if name not in new]:
        others = waiting.get(NUMBER.sub("0", name))
        if others and not text_differences(name, others[-1], tolerance):
            near[name] = others.pop()
    return near


def _artist(old: Any, new: Any, name: str, leaf: Leaf) -> list[str]:
    """Compare what is written of one artist.

    A colour map is called by its name, if another one has other colours.
    """
    maps = []
    for each in (old, new):
        known = isinstance(each, dict)
        maps.append(each.pop("cmap_name", None) if known else None)
    found = tree_differences(old, new, name, leaf)
    if None in maps or maps[0] == maps[1]:  # older data have no name
        return found
    colours = f"{name}.cmap"
    rest = [line for line in found if not line.startswith(colours)]
    if len(rest) == len(found):
        return found
    return [changed(colours, *maps), *rest]
