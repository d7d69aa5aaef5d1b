"""Attention pooling in MXNet's NumPy interface, with gradients.

MXNet 1.9.1 has no operator for it, and its own take twice the time of NumPy's:
so the numbers are NumPy's, and `mxnet.autograd` is told of their gradients.
"""

import numpy as np

np.bool = np.bool_  # MXNet 1.9.1 reads this name, gone since NumPy 1.24

import mxnet as mx  # noqa: E402

import pooling.numpy as pooled  # noqa: E402
from pooling import shared  # noqa: E402


class _Pooling(mx.autograd.Function):
    """A result of NumPy that knows the gradients to what it was made of.

    MXNet forgets the gradients after that of an argument that needs none, so
    there is one argument: queries, keys, values and w in a row.
    """

    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays
        # Here, not in `forward`: an error there would end all recording.
        self.out = mx.np.array(pooled.attention_pooling(*arrays))

    def forward(self, row):
        return self.out.astype(row.dtype)

    @mx.util.use_np  # this runs in a thread that does not know of npx.set_np
    def backward(self, grad):
        parts = pooled.pooling_gradients(*self.arrays, grad.asnumpy())
        row = np.concatenate([np.ravel(part) for part in parts])
        return mx.nd.array(row, dtype=grad.dtype)


def attention_pooling(queries, keys, values, w) -> mx.np.ndarray:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are arrays of `mxnet.np`, w is one number or such
    an array of one element. The result is an array of the largest type of
    float that came; float16 is computed in float32, integers become float32.
    Forward and (first) backward take O(m + n) memory. A second derivative
    MXNet itself refuses.

    Raises:
        TypeError: for what is no such array or number.
        ValueError: as there; in backward, MXNet prints it and has its own.
        RuntimeError: without `mxnet.npx.set_np()`.
    """
    if not mx.util.is_np_shape():
        raise RuntimeError("attention_pooling: npx.set_np() expected, not yet")
    given = dict(zip(shared.ROLES, (queries, keys, values, w), strict=True))
    if not isinstance(w, mx.nd.NDArray):
        given["w"] = mx.np.array(shared.number("w", w), dtype="float64")
    for name, x in given.items():
        if not isinstance(x, mx.np.ndarray):
            expected = f"{name}: mxnet.np array expected"
            raise TypeError(f"{expected}, came {type(x).__name__}")
    names = [np.dtype(x.dtype).name for x in given.values()]
    result, compute = shared.dtypes(names)
    *arrays, w = given.values()
    parts = [x.astype(compute) for x in arrays]
    pool = _Pooling([x.asnumpy() for x in (*parts, w)])
    if len(queries):
        parts = [x.reshape(-1) for x in (*parts, w.astype(compute))]
        return pool(mx.np.concatenate(parts)).astype(result)
    return pool.out.astype(result)
