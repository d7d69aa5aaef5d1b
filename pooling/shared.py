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

from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np

BLOCK = 2**19  # scores at a time: 2 MiB in float32
# A key whose weight is below exp(-cut) times the largest one is left out.
CUT = {"float32": 40.0, "float64": 60.0}
ROLES = "queries", "keys", "values", "w"
FLOATS = "float16", "bfloat16", "float32", "float64"
ONCE = (
    "attention_pooling: a first derivative, taken backward, expected; for "
    "others write the softmax out; came "
)


def expect(
    ok: Any,
    name: str,
    expected: str,
    came: Any,
    error: type[Exception] = ValueError,
) -> None:
    """Raise an error that names the argument, unless it is ok."""
    if not ok:
        raise error(f"{name}: {expected} expected, came {came}")


def _parts(x: Any) -> Iterator[Any]:
    """Yield what is in lists of lists; numbers of Python need no look."""
    if not isinstance(x, list | tuple):
        yield x
        return
    for part in x:
        if type(part) not in (int, float):
            yield from _parts(part)


def array(name: str, x: Any) -> np.ndarray:
    """Make an array of real numbers, of at most 64 bits, of what is no tensor.

    Raises:
        TypeError: for other things, and tensors that may carry gradients.
        ValueError: for masked numbers, and for those beyond float64.
    """
    wanted = "one number" if name in ("w", "tolerance") else "numbers"
    expected = f"{name}: {wanted} expected"
    for part in _parts(x):
        home = type(part).__module__.split(".")[0]
        loses = home in ("tensorflow", "keras", "mxnet")
        if loses or getattr(part, "requires_grad", False):
            came = f"{type(part).__name__} of {home}, whose gradients would be"
            came += " lost; take the module for it, or make it a NumPy array"
            expect(False, name, wanted, came, TypeError)
        if np.ma.is_masked(part):
            came = f"{np.ma.count_masked(part)} of {part.size} masked"
            came += "; leave such out, keys and values in pairs"
            expect(False, name, wanted, came)
    try:
        found = np.asarray(x)
        objects = found.flat if found.dtype == object else ()
        odd = {type(y).__name__ for y in objects if not isinstance(y, Real)}
        if objects and not odd:
            found = found.astype("float64")
    except OverflowError:
        raise ValueError(f"{expected}, came one beyond float64") from None
    except Exception as error:  # each framework has its own
        came = f"came {type(x).__name__}, an object that NumPy cannot read"
        hint = "a framework's tensors have a module of their own"
        raise TypeError(f"{expected}, {came}; {hint}") from error
    came = ": ".join([str(found.dtype), *sorted(odd)])
    real = found.dtype.kind in "biuf" or found.dtype.name == "bfloat16"
    expect(real, name, wanted, came, TypeError)
    return fit(name, found, "float64") if found.itemsize > 8 else found


def fit(name: str, x: np.ndarray, dtype: str) -> np.ndarray:
    """Cast, or raise a ValueError for a number that the type cannot hold."""
    with np.errstate(over="ignore"):
        cast = x.astype(dtype, copy=False)
    kept = np.isinf(cast).sum() == np.isinf(x).sum()
    expect(kept, name, dtype, f"one beyond {dtype}")
    return cast


def number(name: str, x: Any) -> np.ndarray:
    """Make an array of one number, in float64, with the errors of `array`."""
    found = fit(name, array(name, x), "float64")
    expect(found.size == 1, name, "one number", f"shape {found.shape}")
    return found


def dtypes(names: list[str], default: str = "float32") -> tuple[str, str]:
    """Choose the type of the result, and the type to compute in.

    Names are of the types of queries, keys, values, and of w, which does not
    count. 16 bits are computed in float32, mixed types become larger, integers
    the default. What is no real number gets a TypeError.
    """
    for role, name in zip(ROLES, names, strict=False):
        known = name in FLOATS or name.startswith(("bool", "int", "uint"))
        came = f"{name}; real ones of 16 to 64 bits will do"
        expect(known, role, "numbers", came, TypeError)
    floats = {name for name in names[:3] if name in FLOATS} or {default}
    integers = any("int" in name for name in names[:3])
    if "float64" in floats:
        return "float64", "float64"
    if len(floats) > 1 or integers:  # 16 bits may not hold an integer
        return "float32", "float32"
    return floats.pop(), "float32"


def check(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, w: np.ndarray
) -> None:
    """Raise a ValueError that names the argument, what it was to be, and is.

    They are NumPy arrays; all but w have the type to compute in.
    """
    for name, x in [("queries", queries), ("keys", keys)]:
        expect(x.ndim == 1, name, "one axis", f"shape {x.shape}")
    n = len(keys)
    expect(n, "keys", "at least one", "none")
    fits = values.ndim in (1, 2) and len(values) == n
    shape = f"shape ({n},) or ({n}, columns), as there are keys,"
    expect(fits, "values", shape, values.shape)
    expect(w.size == 1, "w", "one number", f"shape {w.shape}")
    for name, x in zip(ROLES, (queries, keys, values, w), strict=True):
        bad = x.size - np.isfinite(x).sum()
        expect(not bad, name, "finite numbers", f"{bad} NaN or infinite")
    most = np.finfo(keys.dtype).max
    largest, limit = abs(values).max(initial=0), most / 4 / n  # of a sum of n
    expected = f"magnitudes up to {limit:.3g} for {n} keys of {keys.dtype}"
    expect(largest <= limit, "values", expected, f"{largest:.3g}")
    if queries.size:
        low, high = (float(end(queries)) for end in (np.min, np.max))
        apart = max(high - float(keys.min()), float(keys.max()) - low)
        came = f"queries, keys: too far apart for {keys.dtype}: {apart:.3g}"
        if apart > np.sqrt(most) / 4:
            raise ValueError(f"{came}, whose square is no finite number")


def places(lib: Any, q: Any, k: Any) -> Any:
    """Return where in the rising keys, (n,), each query's nearest is, (m,)."""
    right = lib.minimum(lib.searchsorted(k, q), len(k) - 1)
    left = lib.maximum(right - 1, 0)
    # No absolute values: far outside they would round to a tie.
    return lib.where(q - k[left] <= k[right] - q, left, right)


def plan(
    queries: np.ndarray, keys: np.ndarray, w: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple]]:
    """Choose which queries see which keys, in O(m + n) memory.

    Returns:
        The orders in which queries, (m,), and keys, (n,), rise; the place of
        each sorted query's nearest key, (m,); and blocks: from, to of the
        sorted queries, from, to of the sorted keys.
    """
    by_query, by_key = np.argsort(queries), np.argsort(keys)
    q = queries[by_query].astype("float64")
    k = keys[by_key].astype("float64")
    nearest = places(np, q, k)
    with np.errstate(divide="ignore", over="ignore"):  # w = 0: every key
        width = np.sqrt(2 * CUT[keys.dtype.name]) / abs(np.float64(w))
        reach = np.hypot(q - k[nearest], width)
    reach *= 1 + 1e-6  # for what rounding may have taken
    first = np.minimum(np.searchsorted(k, q - reach), nearest)
    last = np.maximum(np.searchsorted(k, q + reach, "right"), nearest + 1)
    blocks, start = [], 0
    while start < len(q):
        rows = max(1, BLOCK // (last[start] - first[start]))
        while True:
            low = int(first[start : start + rows].min())
            high = int(last[start : start + rows].max())
            if rows == 1 or rows * (high - low) <= BLOCK:
                break
            rows = (rows + 1) // 2
        stop = min(start + rows, len(q))
        blocks.append((start, stop, low, high))
        start = stop
    return by_query, by_key, nearest, blocks


class Sorted:
    """The checked and sorted input, and what is made of it, block by block.

    It is written in what NumPy and PyTorch, one of which is ``lib``, share.
    ``move`` makes an array of NumPy the lib's, on the device of the input.
    """

    def __init__(
        self, lib: Any, move: Callable[[np.ndarray], Any], *arrays: np.ndarray
    ) -> None:
        """Check queries, keys, values and w, sort them, plan the blocks."""
        check(*arrays)
        q, k, v, w = arrays
        most = float(np.finfo(k.dtype).max)  # w beyond means the nearest key
        self.w = min(max(w.item(), -most), most)
        self.square = min(self.w * self.w, most)
        self.shape = len(q), *v.shape[1:]  # of the result
        by_query, by_key, nearest, self.plan = plan(q, k, w.item())
        q, k, v = q[by_query, None], k[by_key], v[by_key].reshape(len(k), -1)
        self.by_query, self.by_key = move(by_query), move(by_key)
        self.q, self.k, self.v = move(q), move(k), move(v)
        self.nearest = move(k[nearest, None])
        self.lib = lib
        self.empty = lambda *shape: move(np.empty(shape, k.dtype))

    def blocks(self) -> Iterator[tuple]:
        """Yield rows, near, kernel values, excess of squares, ``k - k0``."""
        lib = self.lib
        sizes = [(b - a) * (d - c) for a, b, c, d in self.plan]
        # New arrays for each block would cost page faults.
        buffers = self.empty(3, max(sizes, default=0))
        for start, stop, low, high in self.plan:
            rows, near = slice(start, stop), slice(low, high)
            q, k0, k = self.q[rows], self.nearest[rows], self.k[near]
            kernel, excess, beyond = (
                b[: len(q) * len(k)].reshape(len(q), len(k)) for b in buffers
            )
            lib.subtract(k, k0, out=beyond)
            lib.subtract(k, q, out=excess)
            excess += k0 - q
            excess *= beyond  # (q - k)^2 - (q - k0)^2
            lib.multiply(excess, -self.square / 2, out=kernel)
            lib.exp(kernel, out=kernel)
            yield rows, near, kernel, excess, beyond

    @np.errstate(over="ignore", under="ignore")  # exp(-inf) is 0
    def average(self) -> Any:
        """Return the average of the values for each query."""
        out = self.empty(len(self.q), self.v.shape[1])
        for rows, near, kernel, *_ in self.blocks():
            total = kernel.sum(axis=1, keepdims=True)
            middle = self.v[near].mean(axis=0)  # long sums lose less, centred
            mean = kernel @ (self.v[near] - middle) / total + middle
            out[self.by_query[rows]] = mean
        return out.reshape(self.shape)

    @np.errstate(over="ignore", under="ignore", invalid="ignore")
    def slopes(self, grad: Any) -> tuple[Any, Any, Any, np.float64]:
        """Return the gradients, given that of the average."""
        g = grad.reshape(len(self.q), self.v.shape[1])[self.by_query]
        parts = self.q[:, 0], self.k, self.v
        (dq, dk, dv), dw = map(self.lib.zeros_like, parts), np.float64(0)
        for rows, near, weights, excess, beyond in self.blocks():
            weights /= weights.sum(axis=1, keepdims=True)
            dv[near] += weights.T @ g[rows]
            d = g[rows] @ self.v[near].T  # (rows, near), by the weights
            d -= (weights * d).sum(axis=1, keepdims=True)
            d *= weights  # by the scores
            excess *= d
            dw -= excess.sum().item()
            beyond *= d
            dq[rows] = beyond.sum(axis=1)
            apart = self.lib.subtract(self.k[near], self.q[rows], out=beyond)
            apart *= d
            dk[near] -= apart.sum(axis=0)
        dq, dk = dq[self.by_query.argsort()], dk[self.by_key.argsort()]
        dv = dv[self.by_key.argsort()].reshape(len(dk), *self.shape[1:])
        return dq * self.square, dk * self.square, dv, dw * self.w
