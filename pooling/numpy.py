"""Attention pooling in NumPy, a few queries at a time."""

import numpy as np

from pooling import shared


def _array(name, x):
    try:
        array = np.asarray(x)
    except ValueError:  # rows of different lengths
        array = np.asarray(x, object)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: numbers expected, came {array.dtype}")
    return array


def attention_pooling(queries, keys, values, w):
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
        O(m + n) memory; weights below exp(-40) of the largest one (exp(-60)
        in float64) are left out.

    Raises:
        TypeError: for an argument that does not hold real numbers.
        ValueError: for a wrong shape, no keys, NaN or infinity in any argument,
            or distances whose square overflows.
    """
    given = {"queries": queries, "keys": keys, "values": values, "w": w}
    *arrays, w = (_array(name, x) for name, x in given.items())
    names = [array.dtype.name for array in arrays]
    result, compute = shared.dtypes(names, default="float64")
    q, k, v = (array.astype(compute, copy=False) for array in arrays)
    plan = shared.plan(q, k, v, w)
    most = np.finfo(compute).max
    with np.errstate(over="ignore"):
        half = np.asarray(min(np.float64(w.item()) ** 2 / 2, most), compute)
    q, k = q[plan.queries, None], k[plan.keys]
    v = v[plan.keys].reshape(len(k), -1)
    nearest = k[plan.nearest, None]
    offset = nearest - q
    out = np.empty((len(q), v.shape[1]), result)
    size = np.prod(np.diff(plan.blocks)[:, ::2], axis=1).max(initial=0)
    buffers = np.empty((2, size), compute)  # new ones would cost page faults
    for start, stop, low, high in plan.blocks:
        rows, near = slice(start, stop), k[low:high]
        shape = stop - start, high - low
        scores, other = (b[: shape[0] * shape[1]].reshape(shape) for b in buffers)
        np.subtract(near, q[rows], out=scores)
        scores += offset[rows]
        scores *= np.subtract(near, nearest[rows], out=other)
        scores *= -half
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        out[plan.queries[rows]] = scores @ v[low:high] / total
    return out.reshape(len(q), *np.shape(arrays[2])[1:])
