"""Attention pooling in NumPy, a few queries at a time, and its gradients."""

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
    dtype, *arrays = as_arrays(queries, keys, values, w)
    x = shared.Sorted(np, np.asarray, *arrays)
    return x.average().astype(dtype)


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
    _, *arrays = as_arrays(queries, keys, values, w)
    x = shared.Sorted(np, np.asarray, *arrays)
    g = shared.array("grad", grad)
    shared.expect(g.shape == x.shape, "grad", f"shape {x.shape}", g.shape)
    return x.slopes(shared.fit("grad", g, x.k.dtype.name))
