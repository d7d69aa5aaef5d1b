"""Differences between stored and new outputs, each said in one line."""

import json
import math
import re
import zlib
from contextlib import suppress
from difflib import SequenceMatcher
from functools import partial
from typing import NamedTuple

from . import MIME, artists

RTOL = 2e-5  # of a number, or of the range that a list in a figure spans
ATOL = 1e-5  # for numbers of order 1
DIGITS = 3  # from so many digits on, the last one may differ by one
LOG = 1e-3  # of a number on a logarithmic axis
# In figures, what moves with the size of texts (in shares of the figure) and
# colours (one step of 255) are compared less closely.
LOOSE = {"near": 0.02, "box": 0.02, "shape": 0.05, "look": 0.04}
LOOSE |= dict.fromkeys(("color", "face", "faces", "edges"), 1.5 / 255)
LOOSE["dims"] = 0.03  # points
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


def say(value, start=0):
    """Return a value as it stands in a message: short, text in quotes."""
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    start = start if len(text) > 60 else 0
    text = f"{'...' * (start > 0)}{text[start:]}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def changed(place, stored, now):
    """Return the line that tells of one difference."""
    start = 0
    if isinstance(stored, str) and isinstance(now, str):
        pairs = enumerate(zip(stored, now, strict=False))
        same = min(len(stored), len(now))
        start = max(0, next((i for i, (a, b) in pairs if a != b), same) - 20)
    text = f"stored {say(stored, start)}, now {say(now, start)}"
    return f"{place}: {text}" if place else text


def _form(number):
    """Return how a number is printed: point, decimals, form of exponent."""
    mantissa, e, exponent = number.lower().partition("e")
    _, point, decimals = mantissa.partition(".")
    return (
        point,
        len(decimals),
        e,
        len(exponent.lstrip("+-")),
        number[0] == "+",
    )


def same_number(stored, now, tolerance=DEFAULT):
    """Tell whether two printed numbers are one number, give or take."""
    _, decimals, e, *_ = _form(stored)
    if _form(now) != _form(stored):
        return False
    if not decimals and not e:  # an integer
        return int(stored.rstrip(".")) == int(now.rstrip("."))
    first, second = float(stored), float(now)
    allowed = tolerance.rtol * abs(first) + tolerance.atol
    mantissa, _, power = stored.lower().partition("e")
    if len(re.sub(r"\D", "", mantissa).lstrip("0")) >= DIGITS:
        allowed = max(allowed, 1.0001 * 10.0 ** (int(power or 0) - decimals))
    return abs(first - second) <= allowed


def _tokens(line):
    """Split a line into words and pairs: spaces before, number."""
    tokens, end = [], 0
    for match in NUMBER.finditer(line):
        tokens += [line[end : match.start()], match.groups()]
        end = match.end()
    return [*tokens, line[end:]]


def _line_difference(stored, now, tolerance, place):
    """Compare two lines; return what differs first, or nothing."""
    before, after = _tokens(stored), _tokens(now)
    if before[::2] != after[::2]:
        return [changed(place, stored, now)]
    place = f"{place}: " if place else ""
    found = []
    for old, new in zip(before[1::2], after[1::2], strict=True):
        text = f"{place}stored {old[1]}, now {new[1]}"
        if _form(old[1]) != _form(new[1]):
            found.append(f"{text}, printed in another format")
        elif not same_number(old[1], new[1], tolerance):
            found.append(text)
        elif old[0] != new[0] and sum(map(len, old)) != sum(map(len, new)):
            found.append(f"{text}, printed in another width")
    more = f" (and {len(found) - 1} more numbers)" if len(found) > 1 else ""
    return [found[0] + more] if found else []


def text_differences(stored, now, tolerance, place=""):
    """Compare two texts: words and layout exactly, numbers as numbers."""
    old, new = stored.split("\n"), now.split("\n")
    if len(old) != len(new):
        for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
            if tag != "equal":
                pair = ["\n".join(each) for each in (old[i:j], new[k:m])]
                line = changed(f"{place} line {i + 1}".strip(), *pair)
                return [f"{line} ({len(old)} lines stored, {len(new)} now)"]
    found = []
    for i, pair in enumerate(zip(old, new, strict=True), 1):
        here = f"{place} line {i}".strip() if len(old) > 1 else place
        if pair[0] != pair[1]:
            found += _line_difference(*pair, tolerance, here)
    return found


def tree_differences(stored, now, place, leaf):
    """Compare values from JSON; ``leaf`` returns None where it goes deeper."""
    found = leaf(stored, now, place)
    if found is not None:
        return found
    pairs = None
    if isinstance(stored, dict) and isinstance(now, dict):
        pairs = [
            (f"{place}.{key}", stored.get(key, NOTHING), now.get(key, NOTHING))
            for key in {**stored, **now}
        ]
    elif isinstance(stored, list) and isinstance(now, list):
        if len(stored) == len(now):
            pairs = zip(stored, now, strict=True)
            pairs = [(f"{place}[{i}]", *pair) for i, pair in enumerate(pairs)]
    elif type(stored) is type(now) and stored == now:
        return []
    if pairs is None:
        return [changed(place, stored, now)]
    return [
        line
        for here, old, new in pairs
        for line in tree_differences(old, new, here, leaf)
    ]


def _plain_leaf(tolerance, stored, now, place):
    """Compare texts and numbers that are not whole, as in a printed text."""
    if isinstance(stored, str) and isinstance(now, str):
        return text_differences(stored, now, tolerance, place)
    if isinstance(stored, float) and isinstance(now, float):
        allowed = tolerance.rtol * abs(stored) + tolerance.atol
        near = stored == now or abs(stored - now) <= allowed
        return [] if near else [changed(place, stored, now)]
    return None


def _flat(value, place=""):
    """Return the numbers in nested lists, by place; None if not only such."""
    if isinstance(value, list):
        parts = [_flat(item, f"{place}[{i}]") for i, item in enumerate(value)]
        return (
            None
            if None in parts
            else {k: x for p in parts for k, x in p.items()}
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (
            {place: float(value)} if value in ("nan", "inf", "-inf") else None
        )
    return {place: float(value)}


def _allowed(values, tolerance, span):
    """Return how far numbers may differ that are shown together."""
    finite = [x for x in values if math.isfinite(x)] or [0.0]
    scale = max(map(abs, finite))
    atol = tolerance.atol * (1.0 if tolerance.tagged else min(1.0, scale))
    span = max(span, max(finite) - min(finite))
    return tolerance.rtol * span + atol + 1e-6 * scale


def _summary_differences(stored, now, allowed, place):
    """Compare two summaries of large arrays."""
    found = []
    for key in ("shape", "missing"):
        if stored[key] != now[key]:
            return [changed(f"{place}.{key}", stored[key], now[key])]
    for key in ("low", "high", "mean"):
        if not abs(stored[key] - now[key]) <= allowed:
            found.append(changed(f"{place}.{key}", stored[key], now[key]))
    size, blocks = math.prod(stored["shape"]), len(stored["sums"])
    allowed *= math.sqrt(size / blocks)
    pairs = enumerate(zip(stored["sums"], now["sums"], strict=True))
    bad = [i for i, (one, other) in pairs if not abs(one - other) <= allowed]
    if bad:
        start = bad[0] * (size // blocks) + min(bad[0], size % blocks)
        more = f" and in {len(bad) - 1} more places" if bad[1:] else ""
        found.append(f"{place}: differs near element {start} of {size}{more}")
    return found


def _shown_leaf(tolerance, spans, stored, now, place):
    """Compare numbers, colours and texts that a figure shows."""
    key = re.sub(r"(\[\d+\])+$", "", place).rpartition(".")[2]
    loose, span = LOOSE.get(key), spans.get(key, 0.0)
    if isinstance(stored, dict) and isinstance(now, dict) and "sums" in stored:
        if "sums" not in now:
            return [changed(place, stored["shape"], len(now))]
        ends = [each[end] for each in (stored, now) for end in ("low", "high")]
        allowed = loose or _allowed(ends, tolerance, span or 0.0)
        return _summary_differences(stored, now, allowed, place)
    if isinstance(stored, str) and isinstance(now, str):
        if HEX.fullmatch(stored) and HEX.fullmatch(now):
            one, other = (
                bytes.fromhex(c[1:].ljust(8, "f")) for c in (stored, now)
            )
            if all(abs(a - b) < 2 for a, b in zip(one, other, strict=True)):
                return []
        elif key == "text":
            return text_differences(stored, now, tolerance, place)
        return None
    old, new = _flat(stored), _flat(now)
    if old is None or new is None:
        return None
    if old.keys() != new.keys():
        if isinstance(stored, list) and isinstance(now, list):
            return [f"{place}: stored {len(stored)} values, now {len(now)}"]
        return [changed(place, stored, now)]
    allowed = loose or _allowed(
        [*old.values(), *new.values()], tolerance, span or 0.0
    )
    bad = [
        at
        for at, x in old.items()
        if str(x) != str(new[at])
        and not abs(x - new[at]) <= (LOG * abs(x) if span is None else allowed)
    ]
    more = f" (and {len(bad) - 1} more of its values)" if bad[1:] else ""
    return [changed(place + at, old[at], new[at]) + more for at in bad[:1]]


def figure_differences(stored, now, tolerance=DEFAULT):
    """Compare what two figures show."""
    figures = []
    for when, data in (("stored", stored), ("new", now)):
        try:
            parts = [line.rpartition("\t") for line in artists(data)]
            figures.append({name: json.loads(last) for name, _, last in parts})
        except (KeyError, TypeError, ValueError, zlib.error):
            reason = data.get("error", data)
            return [f"the {when} figure has no readable data: {say(reason)}"]
    old, new = figures
    for name in [name for name in old if name not in new]:
        for other in [name for name in new if name not in old]:
            if not text_differences(name, other, tolerance):
                old = {other if k == name else k: old[k] for k in old}
                break  # a label with a number in it that is near enough
    found = []
    for key in ("size", "dpi"):
        leaf = partial(_shown_leaf, tolerance, {})
        found += tree_differences(stored[key], now[key], f"figure.{key}", leaf)
    for name in {**old, **new}:
        if name not in new:
            found.append(f"{name}: stored, now not drawn")
        elif name not in old:
            found.append(f"{name}: now drawn, not stored")
        else:
            axes = old.get(name.partition("].")[0] + "]", {})
            leaf = partial(_shown_leaf, tolerance, _spans(axes))
            found += tree_differences(old[name], new[name], name, leaf)
    orders = [n for n in old if n in new], [n for n in new if n in old]
    for first, second in zip(*orders, strict=True):
        if first != second:
            found.append(f"{second}: now drawn before {first}")
            break
    # What moves with other things comes last: it is seldom the cause.
    found.sort(key=lambda line: bool(FOLLOWS.search(line)))
    return [re.sub(r"\.(path|text)\b(?=[.:\[])", "", line) for line in found]


def _spans(axes):
    """Return the range that each axis shows, None if it is logarithmic."""
    spans = {}
    for key in "xy":
        low, high = axes.get(f"{key}lim", (0.0, 0.0))
        log = axes.get(f"{key}scale") == "log"
        spans[key] = None if log else abs(high - low)
    return spans


def kind(output):
    """Return in one word what a reader sees of an output."""
    if output["output_type"] == "stream":
        return output["name"]
    data = output.get("data")
    if data is None:
        return output["output_type"]
    data = set(data) - {WIDGET}
    if MIME in data:
        return "figure"
    known = ("image/", "html", "latex", "markdown", "json", "javascript")
    for word in known:
        if any(word in mime for mime in data):
            return word.replace("image/", "picture")
    return "text" if data == {"text/plain"} else " ".join(sorted(data))


def output_differences(stored, now, tolerance=DEFAULT):
    """Compare the outputs of one cell, in order.

    Args:
        stored: outputs as in a notebook, streams joined.
        now: the new outputs.
        tolerance: a `Tolerance`.
    """
    kinds, now_kinds = ([kind(output) for output in o] for o in (stored, now))
    if kinds != now_kinds:
        return _other_outputs(kinds, now_kinds)
    found = []
    for i, (old, new) in enumerate(zip(stored, now, strict=True), 1):
        place = f"output {i} ({kinds[i - 1]}) " if len(stored) > 1 else ""
        found += [place + line for line in _one_output(old, new, tolerance)]
    return found


def _other_outputs(stored, now):
    """Say which outputs are missing, too many or elsewhere."""
    found = [
        f"stored {stored.count(word)} {word}, now {now.count(word)}"
        for word in dict.fromkeys(stored + now)
        if stored.count(word) != now.count(word)
    ]
    if stored.count("picture") and not now.count("picture"):
        found.append("the picture was stored without its figure data")
    if not found:
        found = [f"order: stored {', '.join(stored)}; now {', '.join(now)}"]
    return found


def _values(mime, value):
    """Return what is compared: of JSON that is kept as a text, its values."""
    if "json" in mime and isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _one_output(stored, now, tolerance):
    """Compare two outputs of one kind."""
    if stored["output_type"] != now["output_type"]:
        return [changed("", stored["output_type"], now["output_type"])]
    if stored["output_type"] == "stream":
        texts = [  # as it looks after the carriage returns
            re.sub(r"(?m)^.*\r(?=[^\n])", "", each["text"])
            for each in (stored, now)
        ]
        return text_differences(*texts, tolerance)
    if stored["output_type"] == "error":
        pair = [f"{each['ename']}: {each['evalue']}" for each in (stored, now)]
        return text_differences(*pair, tolerance)
    if "data" not in stored:
        return [f"{stored['output_type']} is no output that can be compared"]
    found, data, new = [], stored["data"], now["data"]
    leaf = partial(_plain_leaf, tolerance)
    for mime in {**data, **new}:
        if mime == WIDGET and mime in new:
            continue
        if mime not in new or mime not in data:
            words = "new, not stored" if mime in new else "stored, now missing"
            found.append(f"{mime}: {words}")
        elif mime == MIME:
            found += figure_differences(data[mime], new[mime], tolerance)
        elif mime.startswith(("image/", "application/pdf")):
            if MIME not in data and data[mime] != new[mime]:
                found.append(f"{mime}: differs, and has no figure data")
        else:
            place = "" if mime == "text/plain" else mime
            pair = [_values(mime, each[mime]) for each in (data, new)]
            found += tree_differences(*pair, place, leaf)
    pair = [
        {k: v for k, v in each["metadata"].items() if "image/" not in k}
        for each in (stored, now)
    ]
    return found + tree_differences(*pair, "metadata", leaf)
