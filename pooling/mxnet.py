"""Attention pooling in MXNet's NumPy interface, with gradients.

MXNet 1.9.1 has no operator for it, and its own take twice the time of NumPy's:
so the numbers are NumPy's, and `mxnet.autograd` is told of their gradients.
"""

from typing import Any

import numpy as np

# MXNet 1.9.1 reads this name, gone since NumPy 1.24.
np.bool = np.bool_  # type: ignore[attr-defined]

import mxnet as mx  # noqa: E402

import pooling.numpy  # noqa: E402
from pooling import shared  # noqa: E402


class _Pooling(mx.autograd.Function):
    """A result of NumPy that knows the gradients to what it was made of.

    MXNet forgets the gradients after that of an argument that needs none, so
    there is one argument: queries, keys, values and w in a row.
    """

    def __init__(self, arrays: list[np.ndarray]) -> None:
        super().__init__()
        self.arrays = arrays
        # Here, not in `forward`: an error there would end all recording.
        self.out = mx.np.array(pooling.numpy.attention_pooling(*arrays))

    def forward(self, row: mx.np.ndarray) -> mx.np.ndarray:
        return self.out.astype(row.dtype)

    @mx.util.use_np  # this runs in a thread that does not know of npx.set_np
    def backward(self, grad: mx.np.ndarray) -> mx.nd.NDArray:
        given = [*self.arrays, grad.asnumpy()]
        parts = pooling.numpy.pooling_gradients(*given)
        row = np.concatenate([np.ravel(part) for part in parts])
        return mx.nd.array(row, dtype=grad.dtype)


def attention_pooling(
    queries: mx.np.ndarray, keys: mx.np.ndarray, values: mx.np.ndarray, w: Any
) -> mx.np.ndarray:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are arrays of `mxnet.np`, w is one number or such
    an array of one element. Integers become float32. A second derivative MXNet
    itself refuses.

    Raises:
        TypeError: for what is no such array or number.
        ValueError: as there.
        RuntimeError: without `mxnet.npx.set_np()`.
    """
    if not mx.util.is_np_shape():
        raise RuntimeError("attention_pooling: npx.set_np() expected, not yet")
    if not isinstance(w, mx.nd.NDArray):
        w = mx.np.array(shared.number("w", w), dtype="float64")
    given = queries, keys, values, w
    for name, x in zip(shared.ROLES, given, strict=True):
        ok, came = isinstance(x, mx.np.ndarray), type(x).__name__
        shared.expect(ok, name, "mxnet.np array", came, TypeError)
    names = [np.dtype(x.dtype).name for x in given]
    result, compute = shared.dtypes(names)
    parts = [x.astype(compute) for x in given[:3]]
    pool = _Pooling([x.asnumpy() for x in (*parts, w)])
    if len(queries):
        row = [x.reshape(-1) for x in (*parts, w.astype(compute))]
        return pool(mx.np.concatenate(row)).astype(result)
    return pool.out.astype(result)
