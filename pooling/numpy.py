"""Attention pooling in NumPy, a few queries at a time, and its gradients."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from pooling import shared


def as_arrays(
    queries: ArrayLike, keys: ArrayLike, values: ArrayLike, w: ArrayLike
) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the result's type; arrays of the type to compute in; and w."""
    given = zip(shared.ROLES, (queries, keys, values), strict=False)
    arrays = [shared.array(name, x) for name, x in given]
    names = [array.dtype.name for array in arrays]
    result, compute = shared.dtypes(names, default="float64")
    q, k, v = (array.astype(compute, copy=False) for array in arrays)
    return result, q, k, v, shared.number("w", w)


class _Sorted:
    """The checked and sorted input, and the way through its blocks."""

    def __init__(self, *given: ArrayLike) -> None:
        self.dtype, q, k, v, w = as_arrays(*given)
        self.plan = shared.plan(q, k, v, w)
        self.shape = len(q), *v.shape[1:]  # of the result
        self.q = q[self.plan.queries, None]  # (m, 1)
        self.k = k[self.plan.keys]  # (n,)
        self.v = v[self.plan.keys].reshape(len(k), -1)  # (n, columns)
        self.w = w.item()
        square = min(self.w * self.w, float(np.finfo(k.dtype).max))
        self.square = np.asarray(square, k.dtype)

    def blocks(self) -> Iterator[tuple]:
        """Yield rows, near, kernel values, excess of squares, ``k - k0``."""
        # New arrays for each block would cost page faults.
        buffers = np.empty((3, self.plan.largest), self.k.dtype)
        nearest = self.k[self.plan.nearest, None]
        offset = nearest - self.q
        for start, stop, low, high in self.plan.blocks:
            rows, near = slice(start, stop), slice(low, high)
            k = self.k[near]
            shape = stop - start, high - low
            kernel, excess, beyond = (
                b[: shape[0] * shape[1]].reshape(shape) for b in buffers
            )
            np.subtract(k, nearest[rows], out=beyond)
            np.subtract(k, self.q[rows], out=excess)
            excess += offset[rows]
            excess *= beyond  # (q - k)^2 - (q - k0)^2
            np.multiply(excess, -self.square / 2, out=kernel)
            np.exp(kernel, out=kernel)
            yield rows, near, kernel, excess, beyond


def attention_pooling(
    queries: ArrayLike, keys: ArrayLike, values: ArrayLike, w: ArrayLike
) -> np.ndarray:
    """Average the values with softmax weights of ``-(w (q - k))^2 / 2``.

    It takes O(m + n) memory. Weights below exp(-40) of the largest one
    (exp(-60) in float64) are left out.

    Args:
        queries: (m,), numbers or a list of them, sorted or not.
        keys: (n,), at least one.
        values: (n,), or (n, columns), which all get the same weights.
        w: one number, the sharpness; its sign does not matter, 0 gives the
            plain average.

    Returns:
        (m,) or (m, columns), of the largest type of float that came; float16
        is computed in float32, integers become float64.

    Raises:
        TypeError: for an argument that does not hold real numbers, or is a
            tensor that may carry gradients.
        ValueError: for a wrong shape, no keys, masked numbers, NaN or infinity
            in any argument, distances whose square overflows, or values whose
            sum might.
    """
    x = _Sorted(queries, keys, values, w)
    out = np.empty((len(x.q), x.v.shape[1]), x.dtype)
    with np.errstate(over="ignore", under="ignore"):  # exp(-inf) is 0
        for rows, near, kernel, *_ in x.blocks():
            total = kernel.sum(axis=1, keepdims=True)
            middle = x.v[near].mean(axis=0)  # long sums lose less, centred
            mean = kernel @ (x.v[near] - middle) / total + middle
            out[x.plan.queries[rows]] = mean
    return out.reshape(x.shape)


def pooling_gradients(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    w: ArrayLike,
    grad: ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float64]:
    """Take a gradient back through `attention_pooling`, in O(m + n) memory.

    The first four arguments are as there; grad is the derivative of a loss by
    the result. It returns those by queries, keys, values and w, which are
    infinite or NaN where they are beyond the type.
    """
    x = _Sorted(queries, keys, values, w)
    g = shared.array("grad", grad)
    shared.expect(g.shape == x.shape, "grad", f"shape {x.shape}", g.shape)
    g = shared.fit("grad", g, x.k.dtype.name)
    g = g.reshape(len(x.q), x.v.shape[1])[x.plan.queries]
    dq, dk, dv = (np.zeros_like(part) for part in (x.q[:, 0], x.k, x.v))
    dw = np.float64(0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for rows, near, weights, excess, beyond in x.blocks():
            weights /= weights.sum(axis=1, keepdims=True)
            dv[near] += weights.T @ g[rows]
            d = g[rows] @ x.v[near].T  # (rows, near), by the weights
            d -= (weights * d).sum(axis=1, keepdims=True)
            d *= weights  # by the scores
            dw -= np.vdot(excess, d)
            dq[rows] = np.einsum("ij,ij->i", beyond, d) * x.square
            apart = np.subtract(x.k[near], x.q[rows], out=beyond)
            dk[near] -= np.einsum("ij,ij->j", apart, d) * x.square
        dw *= x.w
    by_query, by_key = x.plan.queries.argsort(), x.plan.keys.argsort()
    dv = dv[by_key].reshape(len(x.k), *x.shape[1:])
    return dq[by_query], dk[by_key], dv, dw
