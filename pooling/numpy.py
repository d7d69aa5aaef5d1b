"""Attention pooling in NumPy, a few queries at a time, and its gradients."""

import numpy as np
from numpy.typing import ArrayLike

from pooling import shared

# exp(-inf) is 0; gradients are looked at in the end.
QUIET = {"over": "ignore", "under": "ignore", "invalid": "ignore"}


def as_arrays(queries, keys, values, w):
    """Return the result's type; arrays of the type to compute in; and w."""
    given = zip(shared.ROLES, (queries, keys, values), strict=False)
    arrays = [shared.array(name, x) for name, x in given]
    names = [array.dtype.name for array in arrays]
    result, compute = shared.dtypes(names, default="float64")
    arrays = (array.astype(compute, copy=False) for array in arrays)
    return result, *arrays, shared.number("w", w)


class _Sorted:
    """The checked and sorted input, and the way through its blocks."""

    def __init__(self, queries, keys, values, w):
        self.dtype, q, k, v, w = as_arrays(queries, keys, values, w)
        self.plan = shared.plan(q, k, v, w)
        self.shape = v.shape
        self.q = q[self.plan.queries, None]  # (m, 1)
        self.k = k[self.plan.keys]  # (n,)
        self.scale = self.plan.scale
        v = v[self.plan.keys].reshape(len(k), -1)
        self.v = v * self.scale  # (n, columns), within 4
        self.w = np.float64(w.item())
        with np.errstate(**QUIET):
            square = min(self.w**2, np.finfo(k.dtype).max)
        self.square = np.asarray(square, k.dtype)

    def blocks(self):
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

    Args:
        queries: (m,), numbers or a list of them, sorted or not.
        keys: (n,), at least one.
        values: (n,), or (n, columns), which all get the same weights.
        w: one number, the sharpness; its sign does not matter, 0 gives the
            plain average.

    Returns:
        An array (m,) or (m, columns) of the largest type of float that came
        (float16 is computed in float32; integers become float64). It takes
        O(m + n) memory. Weights below exp(-40) of the largest one (exp(-60)
        in float64) are left out.

    Raises:
        TypeError: for an argument that does not hold real numbers, or is a
            tensor that may carry gradients.
        ValueError: for a wrong shape, no keys, masked numbers, NaN or infinity
            in any argument, or distances whose square overflows.
    """
    x = _Sorted(queries, keys, values, w)
    out = np.empty((len(x.q), x.v.shape[1]), x.dtype)
    least, most = x.v.min(axis=0), x.v.max(axis=0)
    with np.errstate(**QUIET):
        for rows, near, kernel, *_ in x.blocks():
            total = kernel.sum(axis=1, keepdims=True)
            middle = x.v[near].mean(axis=0)  # long sums lose less, centred
            mean = kernel @ (x.v[near] - middle) / total + middle
            # Rounding may not take it beyond the type, either.
            mean = np.clip(mean, least, most) / x.scale
            out[x.plan.queries[rows]] = mean
    return out.reshape(len(x.q), *x.shape[1:])


def pooling_gradients(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    w: ArrayLike,
    grad: ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Take a gradient back through `attention_pooling`, in O(m + n) memory.

    The first four arguments are as there; grad is the derivative of a loss by
    the result. It returns those by queries, keys, values and w, and raises a
    ValueError also for one that is beyond the type.
    """
    x = _Sorted(queries, keys, values, w)
    expected = len(x.q), *x.shape[1:]
    grad = shared.array("grad", grad)
    if grad.shape != expected:
        came = f"came {grad.shape}"
        raise ValueError(f"grad: shape {expected} expected, {came}")
    dtype, (m, columns) = x.k.dtype, (len(x.q), x.v.shape[1])
    grad = shared.fit("grad", grad, dtype.name)
    grad = grad.reshape(m, columns)[x.plan.queries]
    scale = x.scale.min()  # one, as the columns are added up
    x.v *= scale / x.scale
    dq, dk, dv = np.empty(m, dtype), np.zeros_like(x.k), np.zeros_like(x.v)
    dw = 0.0
    with np.errstate(**QUIET):
        for rows, near, weights, excess, beyond in x.blocks():
            weights /= weights.sum(axis=1, keepdims=True)
            dv[near] += weights.T @ grad[rows]
            d = grad[rows] @ x.v[near].T  # (rows, near), by the weights
            d -= (weights * d).sum(axis=1, keepdims=True)
            d *= weights  # by the scores
            dw -= np.vdot(excess, d)
            dq[rows] = np.einsum("ij,ij->i", beyond, d) * x.square
            apart = np.subtract(x.k[near], x.q[rows], out=beyond)
            dk[near] -= np.einsum("ij,ij->j", apart, d) * x.square
        dq, dk, dw = dq / scale, dk / scale, dw * x.w / scale
    results = np.empty_like(dq), np.empty_like(dk), np.empty_like(dv)
    orders = x.plan.queries, x.plan.keys, x.plan.keys
    for result, order, part in zip(results, orders, (dq, dk, dv), strict=True):
        result[order] = part
    finite = [np.isfinite(part).all() for part in (grad, *results, dw)]
    shared.check_gradients(dtype.name, finite)
    return results[0], results[1], results[2].reshape(x.shape), dw
