"""Differences between stored and new outputs, each said in one line."""

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from difflib import SequenceMatcher
from functools import partial
from os.path import commonprefix
from typing import Any, NamedTuple

from . import MIME, artists

RTOL = 2e-5  # of a number, or of the range that a list in a figure spans
ATOL = 1e-5  # for numbers of order 1
DIGITS = 3  # from so many digits on, the last one may differ by one
LOG = 1e-3  # of a number on a logarithmic axis
# In figures, what moves with the size of texts (in shares of the figure, dims
# in points) and colours (one step of 255) are compared less closely.
LOOSE = {"near": 0.02, "box": 0.02, "shape": 0.05, "look": 0.04, "dims": 0.03}
LOOSE |= dict.fromkeys(("color", "face", "faces", "edges"), 1.5 / 255)
FOLLOWS = re.compile(r"\.(near|box|shape|dims|look|cap|join|cmap)\b")

NUMBER = re.compile(
    r"( *)((?<![\w.])[+-]?(?<![\w.])(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)"
    r"(?!\w|\.\d)"
)
HEX = re.compile("#[0-9a-f]{6}([0-9a-f]{2})?")
NOTHING = object()
# Holds a random handle into a living kernel: only its loss is a difference.
WIDGET = "application/vnd.jupyter.widget-view+json"


class Tolerance(NamedTuple):
    """How far two numbers may lie apart; ``tagged`` when a cell says so."""

    rtol: float = RTOL
    atol: float = ATOL
    tagged: bool = False


DEFAULT = Tolerance()
Found = list[str] | None  # None: look at the parts
Leaf = Callable[[Any, Any, str], Found]


def say(value: Any, start: int = 0) -> str:
    """Return a value as it stands in a message: short, text in quotes."""
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    if start and len(text) > 60:
        text = f"...{text[start:]}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def changed(place: str, old: Any, new: Any) -> str:
    """Return the line that tells of one difference."""
    start = 0
    if isinstance(old, str) and isinstance(new, str):
        start = max(0, len(commonprefix([old, new])) - 20)  # noqa: RUF071
    text = f"stored {say(old, start)}, now {say(new, start)}"
    return f"{place}: {text}" if place else text


def _first(found: list[str], what: str) -> list[str]:
    """Return the first line, with the number of the others."""
    more = f" (and {len(found) - 1} more{what})" if found[1:] else ""
    return [line + more for line in found[:1]]


def _form(number: str) -> tuple[Any, ...]:
    """Return how a number is printed: point, decimals, form of exponent."""
    mantissa, e, exponent = number.lower().partition("e")
    _, point, decimals = mantissa.partition(".")
    digits = len(exponent.lstrip("+-"))
    return point, len(decimals), e, digits, number[0] == "+"


def same_number(old: str, new: str, tolerance: Tolerance) -> bool:
    """Tell whether two numbers of one form are one number, give or take."""
    _, decimals, e, *_ = _form(old)
    if not decimals and not e:  # an integer
        return Decimal(old) == Decimal(new)
    first, second = float(old), float(new)
    if math.inf in (abs(first), abs(second)):  # too large to be reckoned with
        return old == new
    allowed = tolerance.rtol * abs(first) + tolerance.atol
    mantissa, _, power = old.lower().partition("e")
    if len(re.sub(r"\D", "", mantissa).lstrip("0")) >= DIGITS:
        allowed = max(allowed, 1.0001 * 10.0 ** (int(power or 0) - decimals))
    return abs(first - second) <= allowed


def _line(old: str, new: str, tolerance: Tolerance, place: str) -> list[str]:
    """Compare two lines; return what differs first, or nothing."""
    before, after = NUMBER.split(old), NUMBER.split(new)
    if before[::3] != after[::3]:  # words; then come spaces and a number
        return [changed(place, old, new)]
    found, place = [], f"{place}: " if place else ""
    for i in range(2, len(before), 3):
        one, other = before[i], after[i]
        width, now_width = len(before[i - 1] + one), len(after[i - 1] + other)
        text = f"{place}stored {one}, now {other}"
        if _form(one) != _form(other):
            found.append(f"{text}, printed in another format")
        elif not same_number(one, other, tolerance):
            found.append(text)
        elif before[i - 1] != after[i - 1] and width != now_width:
            found.append(f"{text}, printed in another width")
    return _first(found, " numbers")


def text_differences(
    stored: str, now: str, tolerance: Tolerance, place: str = ""
) -> list[str]:
    """Compare two texts: words and layout exactly, numbers as numbers."""
    old, new = stored.split("\n"), now.split("\n")
    if len(old) != len(new):
        codes = SequenceMatcher(None, old, new).get_opcodes()
        _, i, j, k, m = next(code for code in codes if code[0] != "equal")
        here = f"{place} line {i + 1}".strip()
        line = changed(here, "\n".join(old[i:j]), "\n".join(new[k:m]))
        return [f"{line} ({len(old)} lines stored, {len(new)} now)"]
    found = []
    for i, (one, other) in enumerate(zip(old, new, strict=True), 1):
        here = f"{place} line {i}".strip() if len(old) > 1 else place
        if one != other:
            found += _line(one, other, tolerance, here)
    return found


def tree_differences(old: Any, new: Any, place: str, leaf: Leaf) -> list[str]:
    """Compare values from JSON, whose leaves ``leaf`` compares."""
    leaf_found = leaf(old, new, place)
    if leaf_found is not None:
        return leaf_found
    found: list[str] = []
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            pair = old.get(key, NOTHING), new.get(key, NOTHING)
            found += tree_differences(*pair, f"{place}.{key}", leaf)
    elif type(old) is type(new) is list and len(old) == len(new):
        for i, pair in enumerate(zip(old, new, strict=True)):
            found += tree_differences(*pair, f"{place}[{i}]", leaf)
    elif type(old) is not type(new) or old != new:
        found.append(changed(place, old, new))
    return found


def _plain_leaf(tolerance: Tolerance, old: Any, new: Any, place: str) -> Found:
    """Compare texts and numbers that are not whole, as in a printed text."""
    if isinstance(old, str) and isinstance(new, str):
        return text_differences(old, new, tolerance, place)
    if isinstance(old, float) and isinstance(new, float):
        allowed = tolerance.rtol * abs(old) + tolerance.atol
        near = abs(old - new) <= allowed < math.inf
        same = near or str(old) == str(new)  # infinity is near to all
        return [] if same else [changed(place, old, new)]
    return None


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
    return _first(bad, " of its values")


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
    leaf = partial(_plain_leaf, tolerance)
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
