"""Arrays of any framework as NumPy's, and clear words for what is wrong."""

from warnings import warn

import numpy as np


def require(ok, name, expected, came, error=ValueError):
    """Raise an error that names the argument, unless it is ok."""
    if not ok:
        got = f"{type(came).__name__} {came!r:.50}"
        if hasattr(came, "dtype"):
            got = f"shape {tuple(came.shape)} of {came.dtype}"
        raise error(f"{name}: expected {expected}, got {got}")


def to_numpy(value):
    """Return what any framework, or a list of its arrays, holds."""
    if isinstance(value, list | tuple):
        return np.array([to_numpy(item) for item in value])
    value = value.data() if hasattr(value, "list_data") else value  # Gluon
    if hasattr(value, "asnumpy"):  # MXNet; before detach, which it has too
        return value.asnumpy()
    if hasattr(value, "detach"):  # PyTorch, whose bfloat16 NumPy lacks
        return np.array(value.tolist())
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def as_array(value, name, level=3, n=None):
    """Return new float64s, as (n,) where n is given; n=0 takes any length."""
    try:
        array = to_numpy(value)
        value = array if array.ndim else value  # whose shape messages tell
        array = array.astype(float, casting="same_kind")
    except Exception as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        require(False, name, "numbers, in rows of equal length", value, kind)
    require(array.size, name, "at least one value", array)
    if n is not None:
        shapes = (n or array.size,), (n or array.size, 1)
        require(array.shape in shapes, name, f"shape {shapes[0]}", array)
        array = array.ravel()
    gaps = ~np.isfinite(array)
    if level and gaps.any():
        warn(f"{name}: {gaps.sum()} NaN or inf left as gaps", stacklevel=level)
    return array


def as_lines(value, name):
    """Return a list of (n,) arrays: one, or one per row or list item."""
    try:
        lines = as_array(value, name, 4)
        lines = [lines] if lines.ndim < 2 or lines.shape[1] == 1 else [*lines]
    except ValueError:  # lines of different lengths, or none
        lines = [as_array(v, f"{name}[{i}]", 4) for i, v in enumerate(value)]
    ok = lines and all(max(v.shape, default=0) == v.size for v in lines)
    require(ok, name, "lines of shape (n,) or (n, 1)", value)
    return [line.ravel() for line in lines]


def as_floats(value, name):
    """Return a list of floats; None within a list stays None."""
    if isinstance(value, list | tuple):
        parts = [[None] if v is None else as_floats(v, name) for v in value]
        return [number for part in parts for number in part]
    return as_array(value, name, 0).ravel().tolist()
