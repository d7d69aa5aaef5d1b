"""Stand-in: what a mask covers in outputs is replaced by its name."""

import re
from collections.abc import Collection
from typing import Any

MASKS: dict[str, re.Pattern[str]] = {
    "addresses": re.compile(r"\b0x[0-9a-f]{6,16}\b"),
    "times": re.compile(r"\b\d\d:\d\d:\d\d\b"),
}


def masked(text: str, names: Collection[str]) -> str:
    """Return a text with a word for what the masks of these names cover."""
    for name in names:
        word = {"addresses": "address"}.get(name, name[:-1])
        text = MASKS[name].sub(f"<{word}>", text)
    return text


def masked_outputs(outputs: list[Any], names: Collection[str]) -> list[Any]:
    """Return outputs with all their texts masked."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return masked(value, names)
        if isinstance(value, dict):
            return type(value)({walk(k): walk(v) for k, v in value.items()})
        return [walk(v) for v in value] if isinstance(value, list) else value

    return [walk(each) for each in outputs]
