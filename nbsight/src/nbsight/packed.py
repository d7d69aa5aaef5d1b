"""Data that are packed in an output, unpacked within a limit."""

import array
import base64
import binascii
import math
import sys
import zlib
from typing import Any

LIMIT = 2**26  # bytes after unpacking
TYPES = {"f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
TYPES |= {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
TYPES |= {"float32": "f", "float64": "d", "int8": "b", "int16": "h"}
TYPES |= {"int32": "i", "int64": "q", "uint8": "B", "uint16": "H"}
TYPES |= {"uint32": "I", "uint64": "Q", "bool": "B"}


def inflated(data: bytes, header: int = zlib.MAX_WBITS) -> bytes:
    """Return what zlib has packed.

    Raises:
        ValueError, zlib.error: it is too large, cut off or not packed so.
    """
    unpacking = zlib.decompressobj(header)
    result = unpacking.decompress(data, LIMIT)
    if not unpacking.eof:
        large = len(result) >= LIMIT
        limit = f"it unpacks to more than {LIMIT >> 20} MB"
        raise ValueError(limit if large else "it is cut off")
    return result


def numbers(value: Any) -> Any:
    """Return an array of plotly, bokeh or a widget as lists of numbers.

    Anything else is returned as it is.

    Raises:
        ValueError: it cannot be read.
    """
    if not isinstance(value, dict) or "dtype" not in value:
        return value
    data, shape = value.get("bdata"), value.get("shape")  # plotly
    if data is None and value.get("type") == "ndarray":  # bokeh
        data = value.get("array")
        data = data.get("data") if isinstance(data, dict) else data
    elif data is None:  # a widget, with its buffer put in its place
        data = value.get("value", value.get("buffer"))
    code = TYPES.get(str(value["dtype"]))
    if not isinstance(data, str) or not code:
        return value
    if len(data) > LIMIT * 4 // 3:
        raise ValueError(f"it is larger than {LIMIT >> 20} MB")
    try:
        content = base64.b64decode(data, validate=True)
        if content[:3] == b"\x1f\x8b\x08":  # gzip's mark
            content = inflated(content, zlib.MAX_WBITS | 16)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from None
    found = array.array(code)
    if len(content) % found.itemsize:
        wrong = f"{len(content)} bytes are no whole number of values"
        raise ValueError(f"{wrong} of {found.itemsize} bytes")
    found.frombytes(content)
    if (value.get("order") == "big") != (sys.byteorder == "big"):
        found.byteswap()
    return _shaped(found.tolist(), _sizes(shape, len(found)))


def _sizes(shape: Any, length: int) -> list[int]:
    """Return an array's shape, which stands in a list or in a text."""
    if shape is None:
        return [length]
    if isinstance(shape, str):
        shape = [int(each) for each in shape[:99].split(",") if each.strip()]
    if not isinstance(shape, list) or not 0 < len(shape) <= 8:
        raise ValueError("its shape cannot be read")
    if not all(type(each) is int and 0 <= each <= LIMIT for each in shape):
        raise ValueError("its shape cannot be read")
    if math.prod(shape) != length:
        raise ValueError(f"its shape is {shape}, but it holds {length} values")
    return shape


def _shaped(values: list[Any], sizes: list[int]) -> list[Any]:
    for size in sizes[:0:-1]:  # rows, then rows of rows
        if not size:
            return []
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values
