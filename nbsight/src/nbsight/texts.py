"""Texts compared: words exactly, numbers as numbers."""

import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from os.path import commonprefix
from typing import Any, NamedTuple

RTOL = 2e-5  # of a number, or of the range that a list in a figure spans
ATOL = 1e-5  # for numbers of order 1
SMALL = 0.1  # below it, the absolute tolerance shrinks with the number
DIGITS = 3  # from so many digits on, the last one may differ by one
FULL = 15  # digits that only repr prints, as many as a number needs
FULL_IN_ARRAY = 7  # there, trailing zeros are left out
COARSE = 1.0001e-4  # the last digit of torch's four decimals
LONG = 400  # characters: longer than any float; compared as a text

# The size of rounding noise around zero; in an array of larger numbers up to
# so many times as large. Of 32 bits: smaller where all numbers are.
NOISE, LARGEST = (1e-18, 2e-15), 1e6
NOISE_SINGLE = (1e-9, 1e-6)

# No part of a word or version; the j of complex numbers stays outside.
# Without a point, an exponent has a sign, unlike 12e3 in a hash or colour.
NUMBER = re.compile(
    r"((?:[+-]|(?<![\w.]))"
    r"(?:(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]\d+)?))"
    r"(?=j\b|(?!\w))(?!\.\d)"
)
BRACKET = re.compile(r"(?i:tensor|array)\(|[\[({\])}]")
SINGLE = re.compile("float(?:32|16)|complex64")
DOUBLE = re.compile("float64|complex128")
NOTHING = object()


class Tolerance(NamedTuple):
    """How far two numbers may lie apart.

    ``tagged`` when it is stated: then ``atol`` holds for small numbers, too.
    """

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


def _noise(largest: float, single: bool = False) -> tuple[float, float]:
    """Return how small and how large noise is beside a largest number."""
    if single:
        scale = min(largest, 1.0)
        return NOISE_SINGLE[0] * scale, NOISE_SINGLE[1] * scale
    return NOISE[0], NOISE[1] * min(max(largest, 1.0), LARGEST)


def _allowed(number: float, tolerance: Tolerance) -> float:
    """Return how far another number may lie from this one."""
    rtol, atol, stated = tolerance
    size = abs(number)
    return rtol * size + atol * (1.0 if stated else min(1.0, size / SMALL))


def close(
    old: float, new: float, tolerance: Tolerance, largest: float = 1.0
) -> bool:
    """Tell whether two numbers are one, or noise beside a largest one."""
    if not (math.isfinite(old) and math.isfinite(new)):
        return str(old) == str(new)
    low, high = _noise(largest)
    noise = low <= max(abs(old), abs(new)) <= high
    return noise or abs(old - new) <= _allowed(old, tolerance)


def _digits(number: str) -> str:
    """Return the significant digits of a printed number."""
    mantissa = number.lower().partition("e")[0]
    return re.sub(r"\D", "", mantissa).lstrip("0")


def _is_integer(number: str) -> bool:
    """Tell whether a number has neither a point nor an exponent."""
    return number.lstrip("+-").isdigit()


def _form(number: str) -> tuple[str, int, str, int, bool]:
    """Return how a number is printed: point, decimals, form of exponent."""
    mantissa, e, exponent = number.lower().partition("e")
    _, point, decimals = mantissa.partition(".")
    return point, len(decimals), e, len(exponent), number[0] == "+"


def _unit(number: str) -> float:
    """Return the value of the last digit of a printed number, and a bit."""
    mantissa, _, power = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 1.0001 * float(f"1e{int(power or 0) - decimals}")


def same_number(old: str, new: str, tolerance: Tolerance) -> bool:
    """Tell whether two printed numbers are one number, give or take."""
    if max(len(old), len(new)) > LONG:
        return old == new
    first, second = float(old), float(new)
    if math.inf in (abs(first), abs(second)):  # too large to be reckoned with
        return old == new
    if first == second == 0 and not tolerance.tagged:
        # The sign of a printed zero counts, and 1e-999 is none.
        signs = {number[0] == "-" for number in (old, new)}
        zeros = _digits(old) == _digits(new) == ""
        return old == new or (zeros and len(signs) == 1)
    _, decimals, e, *_ = _form(old)
    if not decimals and not e:  # an integer
        return Decimal(old) == Decimal(new)
    allowed = _allowed(first, tolerance)
    if len(_digits(old)) >= DIGITS:
        allowed = max(allowed, _unit(old))
    return abs(first - second) <= allowed


@dataclass
class _Array:
    """A printed array: where it stands, and what its text says of it."""

    start: int
    end: int
    single: bool  # its numbers are of 32 bits, or fewer
    largest: float = 0.0


def _arrays(text: str) -> list[_Array]:
    """Return the printed arrays of a text: calls, else outermost brackets."""
    found: list[_Array] = []
    opened: list[tuple[int, str]] = []
    holders: set[int] = set()  # open brackets in which a call was closed
    for match in BRACKET.finditer(text):
        if match[0] not in ")]}":
            opened.append((match.start(), match[0]))
            continue
        if not opened:
            continue
        start, bracket = opened.pop()
        holds, call = start in holders, len(bracket) > 1
        if opened and (holds or call):
            holders.add(opened[-1][0])
        if not holds and (call or bracket == "["):
            while found and found[-1].start > start:
                found.pop()
            found.append(_Array(start, match.end(), single=False))
    for array in found:
        array.single = _single(text, array.start, array.end)
    return found


def _single(text: str, start: int, end: int) -> bool:
    """Tell whether an array's text says that its numbers are of 32 bits."""
    if text[start] == "[":
        return text.startswith("\n<NDArray", end)
    if text[start] in "tT":  # of torch or TensorFlow: unless it is said
        return not DOUBLE.search(text, start, end)
    return SINGLE.search(text, start, end) is not None


def _placed(text: str, pieces: list[str]) -> list[_Array]:
    """Return the array in which each number of a split text stands.

    Those that stand in none share one that has no end.
    """
    alone = _Array(0, 0, single=False)
    arrays, placed, at, i = _arrays(text), [], 0, 0
    for words, number in zip(pieces[::2], pieces[1::2], strict=False):
        at += len(words)
        while i < len(arrays) and arrays[i].end <= at:
            i += 1
        inside = i < len(arrays) and arrays[i].start <= at
        array = arrays[i] if inside else alone
        if inside and len(number) <= LONG and not _is_integer(number):
            array.largest = max(array.largest, abs(float(number)))
        placed.append(array)
        at += len(number)
    return placed


def _is_noise(old: str, new: str, array: _Array) -> bool:
    """Tell whether two printed numbers are zero, but for rounding."""
    if max(len(old), len(new)) > LONG:
        return False
    size = max(abs(float(old)), abs(float(new)))
    if size == 0:  # of -0. and 0. beside other numbers
        return old.lstrip("+-") == new.lstrip("+-") and array.largest > 0
    low, high = _noise(array.largest, array.single)
    return low <= size <= high


def _near(old: str, new: str, tolerance: Tolerance) -> bool:
    """Tell whether numbers of two forms are one, as far as both say it."""
    if max(len(old), len(new)) > LONG:
        return False
    allowed = _allowed(float(old), tolerance)
    for number in (old, new):
        if _unit(number) <= COARSE or len(_digits(number)) >= DIGITS:
            allowed = max(allowed, _unit(number))
    return abs(float(old) - float(new)) <= allowed < math.inf


def _places(number: str) -> int:
    """Return how many digits or decimals a number has."""
    return max(len(_digits(number)), _form(number)[1])


def _in_full(old: str, new: str, array: _Array, tolerance: Tolerance) -> bool:
    """Tell whether two numbers, one with all its digits, are one number."""
    if _form(old) == _form(new) or max(len(old), len(new)) > LONG:
        return False
    least, near = (FULL_IN_ARRAY, 1e-6) if array.end else (FULL, 1e-13)
    short, long = sorted((old, new), key=_places)
    if array.single and float(old) == float(new):
        return True  # 1. and 1.0000, as torch prints what its neighbours need
    if _places(long) < least or _digits(long)[-1:] in ("", "0"):
        return False
    if _places(short) >= least:
        return same_number(old, new, tolerance)
    return abs(float(old) - float(new)) <= near * abs(float(old))


def _as_stored(stored: str, now: str, tolerance: Tolerance) -> str:
    """Return a text in which noise around zero is printed as it is stored.

    So are numbers of other digits that are printed in full. What goes with
    it is as stored, too: spaces, line breaks, and, where their form changes,
    the form of the other numbers in the array, or outside of arrays.
    """
    before, after = NUMBER.split(stored), NUMBER.split(now)
    if len(before) != len(after):
        return now
    arrays = _placed(stored, before)
    replaced, reformed = False, set[int]()
    pairs = list(zip(before[1::2], after[1::2], arrays, strict=True))
    for i, (old, new, array) in enumerate(pairs):
        if old == new or (_is_integer(old) and _is_integer(new)):
            continue
        if _is_noise(old, new, array) or _in_full(old, new, array, tolerance):
            after[2 * i + 1], replaced = old, True
            if _form(old) != _form(new):
                reformed.add(id(array))
    if not replaced:
        return now
    for i, (old, new, array) in enumerate(pairs):
        other = id(array) in reformed and _form(old) != _form(new)
        if other and _near(old, new, tolerance):
            after[2 * i + 1] = old
    for i in range(0, len(before), 2):
        if before[i].split() == after[i].split():
            after[i] = before[i]
    return "".join(after)


def _line(old: str, new: str, tolerance: Tolerance, place: str) -> list[str]:
    """Compare two lines; return what differs first, or nothing."""
    before, after = NUMBER.split(old), NUMBER.split(new)
    # Before a number, words end with spaces; after the last one they count.
    words, now_words = (
        [*(word.rstrip(" ") for word in pieces[:-1:2]), pieces[-1]]
        for pieces in (before, after)
    )
    if words != now_words:
        return [changed(place, old, new)]
    found, place = [], f"{place}: " if place else ""
    for i in range(1, len(before), 2):
        one, other = before[i], after[i]
        spaces = len(after[i - 1]) - len(before[i - 1])
        if one == other and not spaces:
            continue
        text = f"{place}stored {one[:60]}, now {other[:60]}"
        if _form(one) != _form(other):
            found.append(f"{text}, printed in another format")
        elif not same_number(one, other, tolerance):
            found.append(text)
        elif spaces and spaces != len(one) - len(other):
            found.append(f"{text}, printed in another width")
    return first(found, " numbers")


def _first_block(
    old: list[str], new: list[str], tolerance: Tolerance, place: str
) -> str:
    """Return the line that tells where another number of lines begins."""
    start, end, least = 0, 0, min(len(old), len(new))
    while start < least and not (
        old[start] != new[start]
        and _line(old[start], new[start], tolerance, place)
    ):
        start += 1
    while end < least - start and old[-1 - end] == new[-1 - end]:
        end += 1
    texts = ("\n".join(each[start : len(each) - end]) for each in (old, new))
    line = changed(f"{place} line {start + 1}".strip(), *texts)
    return f"{line} ({len(old)} lines stored, {len(new)} now)"


def text_differences(
    stored: str, now: str, tolerance: Tolerance, place: str = ""
) -> list[str]:
    """Compare two texts: words and layout exactly, numbers as numbers."""
    if stored == now:
        return []
    old = stored.split("\n")
    new = _as_stored(stored, now, tolerance).split("\n")
    if len(old) != len(new):
        return [_first_block(old, new, tolerance, place)]
    found = []
    for i, (one, other) in enumerate(zip(old, new, strict=True), 1):
        here = f"{place} line {i}".strip() if len(old) > 1 else place
        if one != other:
            found += _line(one, other, tolerance, here)
    return found
