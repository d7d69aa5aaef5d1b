"""A stub, until the masks are there: what varies by itself, by name."""

import json
import re
from collections.abc import Collection
from typing import Any

MASKS = {"addresses": re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")}


def masked(text: str, names: Collection[str]) -> str:
    """Replace what the masks of these names cover."""
    for name in names:
        text = MASKS[name].sub("<address>", text)
    return text


def masked_outputs(outputs: Any, names: Collection[str]) -> Any:
    """Return outputs in which all text is masked."""
    return json.loads(masked(json.dumps(outputs), names))
