"""Arrays of any framework as NumPy's, and clear words for what is wrong.

No framework is imported here: an array says by its methods whose it is.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from warnings import warn

import numpy as np

Numbers = Any  # an array of any framework, or a list of its numbers or arrays
Text = str | None
Texts = str | Iterable[str] | None


def require(
    ok: Any,
    name: str,
    expected: str,
    came: Any,
    error: type[Exception] = ValueError,
) -> None:
    """Raise an error that names the argument, unless it is ok."""
    if not ok:
        got = f"{type(came).__name__} {came!r:.50}"
        if hasattr(came, "dtype"):
            got = f"shape {tuple(came.shape)} of {came.dtype}"
        raise error(f"{name}: expected {expected}, got {got}")


@contextmanager
def expecting(name: str, expected: str, came: Any) -> Iterator[None]:
    """Raise an error that names the argument if using it fails."""
    try:
        yield
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        require(False, name, expected, came, kind)


def to_numpy(value: Numbers) -> np.ndarray:
    """Return what any framework, or a list of its arrays, holds.

    What is masked stays so, and None becomes a masked number. A subclass of
    NumPy's arrays stays one, with what it means.
    """
    if isinstance(value, list | tuple):
        parts = [to_numpy(item) for item in value]
        if any(part.dtype.kind == "M" for part in parts):  # no date: a gap
            none = np.array("NaT", "M8[us]")
            parts = [none if p is np.ma.masked else p for p in parts]
        masked = any(map(np.ma.isMaskedArray, parts))
        return np.ma.stack(parts) if masked else np.array(parts)
    if value is None:
        return np.ma.masked
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)  # as Matplotlib
    if isinstance(value, date):
        return np.array(value, "M8[us]")
    value = value.data() if hasattr(value, "list_data") else value  # Gluon
    if hasattr(value, "asnumpy"):  # MXNet; before detach, which it has too
        return value.asnumpy()
    if hasattr(value, "detach"):  # PyTorch, whose bfloat16 NumPy lacks
        return np.array(value.tolist()).reshape(value.shape)
    array = np.asanyarray(value.numpy() if hasattr(value, "numpy") else value)
    if array.dtype == object and array.ndim:
        return to_numpy(array.tolist())
    return array


def as_array(
    value: Numbers, name: str, level: int = 3, dates: bool = False
) -> np.ndarray:
    """Return new float64s; what is masked or not finite is a gap.

    Parameters
    ----------
    value
        Numbers of any shape: an array of any framework, or a list of them.
    name
        Of the argument, for errors.
    level
        How far up the caller is whom a warning of NaN or inf is for; 0
        for no warning.
    dates
        Whether dates may come, which are returned as they are.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For rows of different lengths, or nothing at all.

    """
    expected = "numbers, in rows of equal length"
    require(value is not None, name, expected, value, TypeError)
    with expecting(name, expected, value):
        array = to_numpy(value)
        value = array if array.ndim else value  # whose shape the message tells
        if dates and array.dtype.kind == "M" and array.size:
            return array.astype("M8[us]")  # which lists as Python's dates
        array = array.astype(float, casting="same_kind")
    require(array.size, name, "at least one value", array)
    gaps = ~np.isfinite(np.ma.filled(array, 0))
    if level and gaps.any():
        warn(f"{name}: {gaps.sum()} NaN or inf left as gaps", stacklevel=level)
    return array


def as_column(value: Numbers, name: str, n: int = 0) -> np.ndarray:
    """Return an array of shape (n,) or (n, 1) as (n,); n = 0 is any length."""
    array = as_array(value, name, 4)
    n, came = n or array.size, array if array.ndim else value
    require(array.shape in ((n,), (n, 1)), name, f"shape ({n},)", came)
    return np.ravel(array)


def as_lines(value: Numbers, name: str) -> list[np.ndarray]:
    """Return a list of (n,) arrays: one, or one per row or list item."""
    try:
        array = as_array(value, name, 4, dates=True)
        lines = [array] if array.ndim < 2 or array.shape[1] == 1 else [*array]
    except ValueError:  # lines of different lengths, or none
        items = enumerate(value)
        lines = [as_array(v, f"{name}[{i}]", 4, dates=True) for i, v in items]
    ok = lines and all(max(v.shape, default=0) == v.size for v in lines)
    require(ok, name, "lines of shape (n,) or (n, 1)", value)
    return [np.ravel(line) for line in lines]


def as_size(value: Numbers, name: str) -> list[float]:
    """Return two positive numbers, such as a figure's inches."""
    size = as_array(value, name, 0)
    ok = size.shape == (2,) and size.min() > 0 and size.max() < np.inf
    require(ok, name, "two positive numbers", value)
    return size.tolist()


def as_texts(value: Texts, name: str) -> list[str]:
    """Return a list of texts: none of None, one of a str, else the items."""
    if value is None or isinstance(value, str):
        return [value] if value else []
    require(np.iterable(value), name, "a text, or some", value, TypeError)
    return [str(text) for text in value]
