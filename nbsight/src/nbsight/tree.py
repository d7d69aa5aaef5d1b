"""Values from JSON compared, part by part."""

import math
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from . import texts
from .names import HASH
from .packed import numbers
from .texts import NOTHING, Tolerance, changed, first, text_differences

Found = list[str] | None  # None: look at the parts
Leaf = Callable[[Any, Any, str], Found]

# What values raise that have not the form of their kind.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
# What adding up may leave of a zero, beside a number of order 1; a number
# that stands alone is none if it is smaller still.
NOISE = 10 * 2.2e-16
PLACE = 90  # characters of a place that are shown
SHORT = 12  # lists whose items are shown, not only counted


def tree_differences(old: Any, new: Any, place: str, leaf: Leaf) -> list[str]:
    """Compare values from JSON, whose leaves ``leaf`` compares."""
    leaf_found = leaf(old, new, place)
    if leaf_found is not None:
        return leaf_found
    found: list[str] = []
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            pair = old.get(key, NOTHING), new.get(key, NOTHING)
            found += tree_differences(*pair, _inside(place, key), leaf)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [_lengths(place, old, new)]
        for i, pair in enumerate(zip(old, new, strict=True)):
            found += tree_differences(*pair, f"{place}[{i}]", leaf)
    elif type(old) is not type(new) or old != new:
        found.append(changed(place, old, new))
    return found


def _lengths(place: str, old: list[Any], new: list[Any]) -> str:
    """Return the line that tells of lists of two lengths."""
    if max(len(old), len(new)) <= SHORT:
        return changed(place, old, new)
    text = f"stored {len(old)} values, now {len(new)}"
    return f"{place}: {text}" if place else text


def _inside(place: str, key: str) -> str:
    """Return the place of a part, random names and long ways shortened."""
    key = HASH.sub(lambda name: name[0][:4], key[:PLACE])
    place = f"{place}.{key}" if place else key
    if len(place) > PLACE:
        place = f"{place[:30]}...{place[33 - PLACE :].removeprefix('...')}"
    return place


def plain_leaf(
    tolerance: Tolerance,
    old: Any,
    new: Any,
    place: str,
    scales: dict[str, float] | None = None,
) -> Found:
    """Compare texts and numbers, packed arrays and lists of numbers.

    ``scales`` are the largest numbers of the columns that the place is in.
    A whole number equals the same one with a point: JSON's writers do not
    agree on 1 and 1.0.
    """
    if isinstance(old, str) and isinstance(new, str):
        return text_differences(old, new, tolerance, place)
    if _is_number(old) and _is_number(new):
        largest = (scales or {}).get(place.rpartition(".")[2])
        same = close(old, new, tolerance, largest)
        return [] if same else [changed(place, old, new)]
    if isinstance(old, dict) and "dtype" in old and old == new:
        return []
    try:
        old, new = numbers(old), numbers(new)
    except ValueError as error:
        place = place or "it"
        return [f"{place}: a packed array cannot be read: {error}"]
    if not (isinstance(old, list) and isinstance(new, list)) or not old:
        return None
    if len(old) == len(new) and all(isinstance(x, dict) for x in old):
        rows = partial(plain_leaf, tolerance, scales=_columns(old))
        pairs = enumerate(zip(old, new, strict=True))
        return [
            line
            for i, pair in pairs
            for line in tree_differences(*pair, f"{place}[{i}]", rows)
        ]
    return _number_lists(old, new, tolerance, place)


def _number_lists(
    old: Any, new: Any, tolerance: Tolerance, place: str
) -> Found:
    """Compare nested lists that hold nothing but numbers."""
    stored, now = list(flat(old)), list(flat(new))
    values = [x for _, x in stored if x is not None]
    others = [x for _, x in now if x is not None]
    if not values or not all(map(_is_number, values + others)):
        return None
    if [at for at, _ in stored] != [at for at, _ in now]:
        return [_lengths(place, old, new)]
    largest = max(map(_size, values))
    bad = [
        changed(place + at, x, y)
        for (at, x), (_, y) in zip(stored, now, strict=True)
        if x is not y and not _same(x, y, tolerance, largest)
    ]
    return first(bad, " of its values")


def _same(old: Any, new: Any, tolerance: Tolerance, largest: float) -> bool:
    """Tell whether two items are one number, or both a gap."""
    if old is None or new is None:
        return old is new
    return close(old, new, tolerance, largest)


def close(
    old: Any, new: Any, tolerance: Tolerance, largest: float | None = None
) -> bool:
    """Tell whether two numbers are one, give or take.

    ``largest`` is the largest number beside them, None if there is none.
    """
    if isinstance(old, int) and isinstance(new, int):
        return old == new
    try:
        old, new = float(old), float(new)
    except OverflowError:
        return bool(old == new)
    if max(abs(old), abs(new)) <= NOISE * min(largest or 0.0, texts.LARGEST):
        return True
    return texts.close(old, new, tolerance)


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested lists hold, with its places."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from flat(item, f"{place}[{i}]")
    else:
        yield place, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(value: Any) -> float:
    """Return how large a number is; 0 for one that is not finite."""
    try:
        size = abs(float(value))
    except OverflowError:
        return 0.0
    return size if math.isfinite(size) else 0.0


def _columns(rows: list[Any]) -> dict[str, float]:
    """Return the largest number that rows hold under each name."""
    largest: dict[str, float] = {}
    for row in rows:
        for key, value in row.items():
            if _is_number(value):
                largest[key] = max(largest.get(key, 0.0), _size(value))
    return largest
