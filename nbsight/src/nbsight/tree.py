"""Values from JSON compared, part by part."""

import math
from collections.abc import Callable
from typing import Any

from .texts import NOTHING, Tolerance, changed, text_differences

Found = list[str] | None  # None: look at the parts
Leaf = Callable[[Any, Any, str], Found]


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


def plain_leaf(tolerance: Tolerance, old: Any, new: Any, place: str) -> Found:
    """Compare texts and numbers that are not whole, as in a printed text."""
    if isinstance(old, str) and isinstance(new, str):
        return text_differences(old, new, tolerance, place)
    if isinstance(old, float) and isinstance(new, float):
        allowed = tolerance.rtol * abs(old) + tolerance.atol
        near = abs(old - new) <= allowed < math.inf
        same = near or str(old) == str(new)  # infinity is near to all
        return [] if same else [changed(place, old, new)]
    return None
