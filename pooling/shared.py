"""What all frameworks share: the checks, and which queries see which keys.

Queries and keys are sorted. Then a few neighbouring queries, a *block*, see
one slice of the keys: beyond it all weights are too small to count. A sharp
kernel leaves little to compute, and a block fits in the processor's cache.

A score is written relative to that of the query's nearest key ``k0``::

    -(w (q-k))^2/2 + (w (q-k0))^2/2 = -w^2/2 (k - k0) ((k - q) + (k0 - q))

It is 0 for the nearest key and negative for the others: no maximum has to be
found, nothing overflows, and no two large numbers are subtracted, so that it
does not matter where zero is, either.
"""

from dataclasses import dataclass
from numbers import Real

import numpy as np

BLOCK = 2**19  # scores at a time: 2 MiB in float32
# A key whose weight is below exp(-cut) times the largest one is left out.
CUT = {"float32": 40.0, "float64": 60.0}
ROLES = "queries", "keys", "values", "w"
ONCE = (
    "attention_pooling: a first derivative, taken backward, expected; for "
    "others write the softmax out; came "
)


@dataclass(frozen=True)
class Plan:
    """Which queries see which keys, as integer arrays."""

    queries: np.ndarray  # (m,): the order in which the queries rise
    keys: np.ndarray  # (n,): the order in which the keys rise
    nearest: np.ndarray  # (m,): place of each sorted query's nearest key
    blocks: np.ndarray  # (blocks, 4): from, to of queries; from, to of keys
    scale: np.ndarray  # (columns,): see `scales`

    @property
    def largest(self):
        """Return the number of scores in the largest block."""
        return np.prod(np.diff(self.blocks)[:, ::2], axis=1).max()

    def arrays(self):
        """Return the five arrays."""
        return tuple(vars(self).values())


def _parts(x):
    """Yield what is in lists of lists; numbers of Python need no look."""
    if not isinstance(x, (list, tuple)):
        yield x
        return
    for part in x:
        if type(part) not in (int, float):
            yield from _parts(part)


def array(name: str, x) -> np.ndarray:
    """Make an array of real numbers, of at most 64 bits, of what is no tensor.

    Raises:
        TypeError: for other things, and tensors that may carry gradients.
        ValueError: for masked numbers, and for those beyond float64.
    """
    wanted = "one number" if name in ("w", "tolerance") else "numbers"
    expected = f"{name}: {wanted} expected, came"
    for part in _parts(x):
        kind, home = type(part).__name__, type(part).__module__.split(".")[0]
        loses = home in ("tensorflow", "keras", "mxnet")
        if loses or getattr(part, "requires_grad", False):
            raise TypeError(
                f"{expected} {kind} of {home}, whose gradients would be lost; "
                "take the module for it, or give its numbers as a NumPy array"
            )
        masked = np.ma.is_masked(part) and np.ma.count_masked(part)
        if masked:
            raise ValueError(
                f"{expected} {masked} of {part.size} masked; leave such out, "
                "keys and values in pairs"
            )
    try:
        found = np.asarray(x)
        objects = found.flat if found.dtype == object else []
        odd = {type(y).__name__ for y in objects if not isinstance(y, Real)}
        if found.dtype == object and not odd:
            found = found.astype("float64")
    except OverflowError:
        raise ValueError(f"{expected} one beyond float64") from None
    except Exception as error:  # each framework has its own
        came = f"{type(x).__name__}, an object that NumPy cannot read"
        hint = "a framework's tensors have a module of their own"
        raise TypeError(f"{expected} {came}; {hint}") from error
    if odd:
        raise TypeError(f"{expected} object: {', '.join(sorted(odd))}")
    if found.dtype.kind not in "biuf" and found.dtype.name != "bfloat16":
        raise TypeError(f"{expected} {found.dtype}; real ones will do")
    return fit(name, found, "float64") if found.itemsize > 8 else found


def fit(name: str, x: np.ndarray, dtype: str) -> np.ndarray:
    """Cast, or raise a ValueError for a number that the type cannot hold."""
    with np.errstate(over="ignore"):
        cast = x.astype(dtype, copy=False)
    if np.count_nonzero(np.isinf(cast)) > np.count_nonzero(np.isinf(x)):
        raise ValueError(f"{name}: {dtype} expected, came one beyond {dtype}")
    return cast


def number(name: str, x) -> np.ndarray:
    """Make an array of one number, in float64, with the errors of `array`."""
    found = fit(name, array(name, x), "float64")
    if found.size != 1:
        came = f"came shape {found.shape}"
        raise ValueError(f"{name}: one number expected, {came}")
    return found


def scales(values: np.ndarray) -> np.ndarray:
    """Return a power of two for each column, which brings it within 4.

    Then no sum overflows, and nothing is lost.
    """
    largest = np.abs(values).max(axis=0).reshape(-1)
    down = np.maximum(np.frexp(largest)[1] - 2, 0)
    return np.ldexp(np.ones_like(largest), -down)


def check_gradients(dtype: str, finite) -> np.bool_:
    """Raise a ValueError for a gradient that is beyond its type.

    It is told what is finite: the one that came, and those by all four.
    """
    for name, fine in zip(ROLES, finite[1:], strict=True):
        if finite[0] and not fine:
            raise ValueError(
                f"{name}: gradient within {dtype} expected, came one beyond "
                "it; make the values or the loss smaller"
            )
    return np.True_


def dtypes(names, default="float32"):
    """Choose the type of the result, and the type to compute in.

    Names are of the types of queries, keys, values, and of w, which does not
    count. 16 bits are computed in float32, mixed types become larger, integers
    the default. What is no real number gets a TypeError.
    """
    for role, name in zip(ROLES, names, strict=False):
        known = "float16", "bfloat16", "float32", "float64", "bool"
        if name not in known and not name.startswith(("int", "uint")):
            came = f"came {name}; real ones of 16 to 64 bits will do"
            raise TypeError(f"{role}: numbers expected, {came}")
    names = names[:3]
    floats = {name for name in names if "float" in name} or {default}
    result = floats.pop() if len(floats) == 1 else "float32"
    result = "float64" if "float64" in floats else result
    if result.endswith("16") and any("int" in name for name in names):
        result = "float32"  # 16 bits may not hold an integer
    return result, "float64" if result == "float64" else "float32"


def check(queries, keys, values, w):
    """Raise a ValueError that names the argument, what it was to be, and is.

    They are NumPy arrays; the keys have the type to compute in.
    """
    for name, array in [("queries", queries), ("keys", keys)]:
        if array.ndim != 1:
            expected = f"{name}: one axis expected, came shape {array.shape}"
            raise ValueError(expected)
    n = len(keys)
    if n == 0:
        raise ValueError("keys: at least one expected, came none")
    if values.ndim not in (1, 2) or len(values) != n:
        raise ValueError(
            f"values: shape ({n},) or ({n}, columns) expected, one for each "
            f"key, came {values.shape}"
        )
    if w.size != 1:
        raise ValueError(f"w: one number expected, came shape {w.shape}")
    for name, array in zip(ROLES, (queries, keys, values, w), strict=True):
        bad = array.size - np.count_nonzero(np.isfinite(array))
        if bad:
            raise ValueError(
                f"{name}: finite numbers expected, came {bad} NaN or infinite"
            )
    if queries.size:
        apart = max(
            float(queries.max()) - float(keys.min()),
            float(keys.max()) - float(queries.min()),
        )
        if apart > np.sqrt(np.finfo(keys.dtype).max) / 4:
            raise ValueError(
                f"queries, keys: too far apart for {keys.dtype}: {apart:.3g}, "
                "whose square is no finite number"
            )


def plan(queries, keys, values, w):
    """Check the input, NumPy arrays, and make a `Plan`, in O(m + n) memory."""
    check(queries, keys, values, w)
    cut, w = CUT[str(keys.dtype)], abs(float(w.reshape(())))
    by_query, by_key = np.argsort(queries), np.argsort(keys)
    q = queries[by_query].astype("float64")
    k = keys[by_key].astype("float64")
    right = np.minimum(np.searchsorted(k, q), len(k) - 1)
    left = np.maximum(right - 1, 0)
    # No absolute values: far outside they would round to a tie.
    nearest = np.where(q - k[left] <= k[right] - q, left, right)
    with np.errstate(divide="ignore", over="ignore"):  # w = 0: every key
        reach = np.hypot(q - k[nearest], np.sqrt(2 * cut) / np.float64(w))
    reach *= 1 + 1e-6  # for what rounding may have taken
    first = np.minimum(np.searchsorted(k, q - reach), nearest)
    last = np.maximum(np.searchsorted(k, q + reach, "right"), nearest + 1)
    blocks, start = [], 0
    while start < len(q):
        rows = max(1, BLOCK // (last[start] - first[start]))
        while True:
            low = first[start : start + rows].min()
            high = last[start : start + rows].max()
            if rows == 1 or rows * (high - low) <= BLOCK:
                break
            rows = (rows + 1) // 2
        stop = min(start + rows, len(q))
        blocks.append((start, stop, low, high))
        start = stop
    blocks = blocks or [(0, 0, 0, 1)]  # no queries, and still one block
    blocks = np.array(blocks)
    return Plan(by_query, by_key, nearest, blocks, scales(values))
