"""Names that a library draws anew in each run, and nobody reads.

The ids of a plot's element, of a Styler's cells or of a data set tie parts
of one output together. Two outputs are compared with the stored names in the
place of the new ones: what differs only by names is equal then, while a name
that goes to another part is still a difference.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

HASH = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{32})(?![0-9a-f])"
)
# What is random in an id such as T_5e1f0_row0_col1.
RANDOM = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{5,}(?![0-9a-zA-Z])")
# Keys of JSON whose values are names, but for a widget's, which is looked up.
HELD = re.compile(r"(?!model_id)_?(u?id|\w+_id)")


def pairs(stored: Iterable[str], now: Iterable[str]) -> dict[str, str]:
    """Return the stored name for each new one, by order of appearance.

    Names pair if one run alone has them and only their random part differs.
    """
    before, after = dict.fromkeys(stored), dict.fromkeys(now)
    alone = (
        [name for name in before if name not in after],
        [name for name in after if name not in before],
    )
    return {
        new: old
        for old, new in zip(*alone, strict=False)
        if _shape(old) == _shape(new)
    }


def _shape(name: str) -> str:
    return RANDOM.sub("*", HASH.sub("**", name))


def renamed(text: str, names: dict[str, str]) -> str:
    """Return a text with names replaced wherever they stand as a whole."""
    if len(names) < 9 and not any(name in text for name in names):
        return text  # most of a large script
    text = HASH.sub(lambda m: names.get(m[0], m[0]), text)
    return re.sub(r"[\w-]+", lambda m: names.get(m[0], m[0]), text)


def same_names(stored: str, now: str) -> str:
    """Return a new script with the stored one's names in it."""
    return renamed(now, pairs(HASH.findall(stored), HASH.findall(now)))


def same_names_in_json(stored: Any, now: Any) -> Any:
    """Return new values from JSON with the stored ones' names in them.

    A name is in a key, or it is the value of a key such as ``uid``.
    """
    names = pairs(_held(stored), _held(now))
    return json.loads(renamed(json.dumps(now), names)) if names else now


def _held(value: Any) -> Iterator[str]:
    """Yield the names in values from JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from HASH.findall(key)
            if isinstance(item, str) and HELD.fullmatch(key):
                yield from HASH.findall(item)
            else:
                yield from _held(item)
    elif isinstance(value, list) and not _plain(value):
        for item in value:
            yield from _held(item)


def _plain(value: list[Any]) -> bool:
    """Tell whether a list begins with a number, and so holds no names."""
    return bool(value) and isinstance(value[0], int | float)
