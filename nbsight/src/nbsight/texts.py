"""Texts compared: words exactly, numbers as numbers."""

import json
import math
import re
from decimal import Decimal
from difflib import SequenceMatcher
from os.path import commonprefix
from typing import Any, NamedTuple

RTOL = 2e-5  # of a number, or of the range that a list in a figure spans
ATOL = 1e-5  # for numbers of order 1
DIGITS = 3  # from so many digits on, the last one may differ by one

NUMBER = re.compile(
    r"( *)((?<![\w.])[+-]?(?<![\w.])(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)"
    r"(?!\w|\.\d)"
)
NOTHING = object()


class Tolerance(NamedTuple):
    """How far two numbers may lie apart; ``tagged`` when a cell says so."""

    rtol: float = RTOL
    atol: float = ATOL
    tagged: bool = False


DEFAULT = Tolerance()


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


def first(found: list[str], what: str) -> list[str]:
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
    return first(found, " numbers")


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
