"""Attention pooling in MXNet's NumPy interface, a few queries at a time."""

import numpy as np

np.bool = np.bool_  # MXNet 1.9.1 reads this name, gone since NumPy 1.24

import mxnet as mx  # noqa: E402

from pooling import shared  # noqa: E402


class _Pooling(mx.autograd.Function):
    """Pool sorted input; backwards, the weights are made anew.

    MXNet 1.9.1 forgets the gradients after that of an argument that needs none,
    so there is one argument: queries, keys, values and w in a row.
    """

    def __init__(self, plan, w):
        super().__init__()
        self.plan, self.w = plan, w
        self.nearest = mx.np.array(plan.nearest, dtype="int64")

    def blocks(self, row):
        """Yield rows, near, weights and the parts of the score of each."""
        m, n = len(self.plan.queries), len(self.plan.keys)
        q, k = row[:m, None], row[m : m + n]
        half = min(np.square(self.w) / 2, np.finfo(row.dtype).max).item()
        k0 = k[self.nearest][:, None]
        # Here a product of matrices is the fastest way to all differences. It
        # adds in this order, so that k - q is rounded once.
        one = mx.np.ones_like(q)
        beyond = mx.np.concatenate([one, -k0], axis=1)
        around = mx.np.concatenate([one, -q, k0 - q], axis=1)
        keys = mx.np.stack([k, mx.np.ones_like(k), mx.np.ones_like(k)])
        for start, stop, low, high in self.plan.blocks.tolist():
            rows, near = slice(start, stop), slice(low, high)
            part = keys[:, near]
            a = mx.np.dot(beyond[rows], part[:2])
            b = mx.np.dot(around[rows], part)
            b *= a  # (q - k)^2 - (q - k0)^2
            yield rows, near, mx.npx.softmax(b * -half), b, a

    def forward(self, row):
        v = row[len(self.plan.queries) + len(self.plan.keys) : -1]
        v = v.reshape(len(self.plan.keys), -1)
        out = mx.np.empty((len(self.plan.queries), v.shape[1]), row.dtype)
        for rows, near, weights, *_ in self.blocks(row):
            out[rows] = mx.np.dot(weights, v[near])
            out.wait_to_read()  # the next block may have this one's memory
        self.save_for_backward(row, v, out)
        return out

    @mx.util.use_np  # this runs in a thread that does not know of npx.set_np
    def backward(self, grad):
        row, v, out = self.saved_tensors
        grad = grad.as_np_ndarray()
        m, n = len(self.plan.queries), len(self.plan.keys)
        dq, dk, dw = (mx.np.zeros_like(x) for x in (row[:m], row[m : m + n], row[:1]))
        dv = mx.np.zeros_like(v)
        for rows, near, weights, excess, beyond in self.blocks(row):
            dv[near] += mx.np.dot(weights.T, grad[rows])
            mean = (grad[rows] * out[rows]).sum(axis=1, keepdims=True)
            d = (mx.np.dot(grad[rows], v[near].T) - mean) * weights
            # A product with ones is a much faster sum than `sum`.
            beyond *= d
            dq[rows] = mx.np.dot(beyond, mx.np.ones_like(dk[near]))
            apart = (row[m : m + n][near] - row[rows, None]) * d
            dk[near] -= mx.np.dot(mx.np.ones_like(dq[rows]), apart)
            dw -= mx.np.dot(excess.reshape(-1), d.reshape(-1))
            dw.wait_to_read()
        twice = min(np.square(self.w), np.finfo(row.dtype).max).item()
        parts = dq * twice, dk * twice, dv.reshape(-1), dw * self.w
        return mx.np.concatenate(parts).as_nd_ndarray()


def attention_pooling(queries, keys, values, w):
    """Average the values with softmax weights of ``-(w (q - k))^2 / 2``.

    Args:
        queries: `mxnet.np` array (m,), sorted or not.
        keys: `mxnet.np` array (n,), at least one.
        values: `mxnet.np` array (n,), or (n, columns), which all get the same
            weights.
        w: one number or an array of one element, the sharpness; its sign does
            not matter, 0 gives the plain average.

    Returns:
        An array (m,) or (m, columns) of the largest type of float that came
        (float16 is computed in float32; integers become float32), with first
        gradients to all four where `mxnet.autograd` records. Forward and
        backward take O(m + n) memory; weights below exp(-40) of the largest one
        (exp(-60) in float64) are left out. `mxnet.npx.set_np()` is needed.

    Raises:
        TypeError: for what is no such array, or one of other than real numbers.
        ValueError: for a wrong shape, no keys, NaN or infinity in any argument,
            or distances whose square overflows.
    """
    arrays = {"queries": queries, "keys": keys, "values": values}
    for name, x in arrays.items():
        if not isinstance(x, mx.np.ndarray):
            expected = f"{name}: mxnet.np array expected"
            raise TypeError(f"{expected}, came {type(x).__name__}")
    if isinstance(w, (int, float)):
        w = mx.np.array(w, dtype="float64")
    elif not isinstance(w, mx.np.ndarray):
        raise TypeError(f"w: one number expected, came {type(w).__name__}")
    names = [np.dtype(x.dtype).name for x in arrays.values()]
    result, compute = shared.dtypes(names)
    q, k, v = (x.astype(compute) for x in arrays.values())
    host = [x.asnumpy() for x in (q, k, v, w)]
    plan = shared.plan(*host)
    if not len(q):
        return mx.np.zeros((0, *values.shape[1:]), result)
    by_query, by_key, back = (
        mx.np.array(order, dtype="int64")
        for order in (plan.queries, plan.keys, np.argsort(plan.queries))
    )
    row = mx.np.concatenate(
        [q[by_query], k[by_key], v[by_key].reshape(-1), w.astype(compute).reshape(-1)]
    )
    out = _Pooling(plan, host[3].item())(row)[back]
    return out.reshape(len(q), *values.shape[1:]).astype(result)
