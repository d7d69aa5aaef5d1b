"""Attention pooling in PyTorch, a few queries at a time, with gradients.

PyTorch's fused ``scaled_dot_product_attention`` takes dot products of features
only, whose rounding costs accuracy: for w = 100 and inputs from 0 to 5, keys
centred, it is off by up to 0.001 in float32. This is off by 0.000001.
"""

from collections.abc import Iterator
from typing import Any

import torch

from pooling import shared


class _Sorted:
    """The checked and sorted input, and the way through its blocks."""

    def __init__(self, *given: torch.Tensor) -> None:
        try:
            arrays = [x.numpy(force=True) for x in given]
        except (RuntimeError, TypeError) as error:
            raise TypeError(
                "queries, keys, values, w, gradient: tensors with numbers to "
                "be read expected; neither torch.export nor vectorize=True "
                "will do, torch.func will"
            ) from error
        self.plan = shared.plan(*arrays[:4])
        q, k, v, w, *_ = given
        orders = self.plan.queries, self.plan.keys, self.plan.nearest
        by_query, by_key, nearest = (
            torch.from_numpy(x).to(q.device) for x in orders
        )
        self.by_query, self.by_key = by_query, by_key
        self.q, self.k = q[by_query, None], k[by_key]  # (m, 1), (n,)
        self.nearest = self.k[nearest, None]
        self.v = v[by_key].reshape(len(k), -1)
        most = torch.finfo(q.dtype).max  # w beyond means the nearest key
        self.w = w.reshape(()).clamp(-most, most).to(q)
        self.square = (self.w**2).clamp(max=most)

    def blocks(self) -> Iterator[tuple]:
        """Yield rows, near, kernel values, excess of squares, ``k - k0``."""
        # New tensors for each block would cost page faults.
        buffers = self.k.new_empty(3, self.plan.largest)
        for start, stop, low, high in self.plan.blocks:
            rows, near = slice(start, stop), slice(low, high)
            q, k0, k = self.q[rows], self.nearest[rows], self.k[near]
            shape = stop - start, high - low
            kernel, excess, beyond = (
                b[: shape[0] * shape[1]].view(shape) for b in buffers
            )
            torch.sub(k, k0, out=beyond)
            torch.sub(k, q, out=excess)
            excess.add_(k0 - q).mul_(beyond)  # (q - k)^2 - (q - k0)^2
            torch.mul(excess, -self.square / 2, out=kernel).exp_()
            yield rows, near, kernel, excess, beyond


class _Function(torch.autograd.Function):
    """What `torch.func` has to know: a batch goes one by one, jvp not."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @classmethod
    def vmap(cls, info: Any, axes: tuple, *args: Any) -> tuple:
        size = info.batch_size
        shared.expect(size, "attention_pooling", "a batch", "none")
        pairs = list(zip(args, axes, strict=True))
        rows = [
            cls.apply(*(x if a is None else x.select(a, i) for x, a in pairs))
            for i in range(size)
        ]
        columns = zip(*rows, strict=True)
        return tuple(torch.stack(x) for x in columns), (0,) * len(rows[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        raise RuntimeError(f"{shared.ONCE}one taken forward (jvp)")


class _Pooling(_Function):
    """The average; backwards, the plan and the weights are made anew."""

    @staticmethod
    def forward(*given: torch.Tensor) -> tuple[torch.Tensor]:
        x = _Sorted(*given)
        out = x.v.new_empty(len(x.q), x.v.shape[1])
        for rows, near, kernel, *_ in x.blocks():
            middle = x.v[near].mean(dim=0)  # long sums lose less, centred
            torch.matmul(kernel, x.v[near] - middle, out=out[rows])
            out[rows] /= kernel.sum(dim=1, keepdim=True)
            out[rows] += middle
        out = torch.empty_like(out).index_copy_(0, x.by_query, out)
        return (out.reshape(len(x.q), *given[2].shape[1:]),)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        return _Slopes.apply(*ctx.saved_tensors, grad)


class _Slopes(_Function):
    """The gradients of the average."""

    @staticmethod
    def forward(*given: torch.Tensor) -> tuple:
        *inputs, grad = given
        x = _Sorted(*inputs, grad[:0])  # of grad it sees that it is readable
        g = grad.reshape(len(x.q), x.v.shape[1])[x.by_query]
        parts = x.q[:, 0], x.k, x.v, x.w
        dq, dk, dv, dw = map(torch.zeros_like, parts)
        for rows, near, weights, excess, beyond in x.blocks():
            weights /= weights.sum(dim=1, keepdim=True)
            dv[near] += weights.T @ g[rows]
            d = g[rows] @ x.v[near].T  # (rows, near), by the weights
            d -= torch.linalg.vecdot(weights, d)[:, None]
            d *= weights  # by the scores
            dw -= excess.mul_(d).sum()
            dq[rows] = beyond.mul_(d).sum(dim=1)
            apart = torch.sub(x.k[near], x.q[rows], out=beyond)
            dk[near] -= apart.mul_(d).sum(dim=0)
        q, k, v, w = inputs
        dq = torch.empty_like(q).index_copy_(0, x.by_query, dq * x.square)
        dk = torch.empty_like(k).index_copy_(0, x.by_key, dk * x.square)
        dv = torch.empty_like(dv).index_copy_(0, x.by_key, dv).reshape(v.shape)
        return dq, dk, dv, (dw * x.w).to(w).reshape(w.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(f"{shared.ONCE}a second one")


def attention_pooling(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, w: Any
) -> torch.Tensor:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are dense tensors on one device, w is one number
    or a tensor of one element. Integers become float32. Blocks are planned on
    the CPU. `torch.func` may map it and take gradients.

    Raises:
        TypeError: for what is no such tensor or number.
        ValueError: as there, and for different devices.
        RuntimeError: for second and forward-mode derivatives, and jit.trace.
    """
    if torch.jit.is_tracing():
        came = "torch.jit.trace, which would keep one input's blocks"
        name, expected = "attention_pooling", "eager mode"
        shared.expect(False, name, expected, came, RuntimeError)
    if not isinstance(w, torch.Tensor):
        w = torch.from_numpy(shared.number("w", w))
    tensors = queries, keys, values, w
    for name, x in zip(shared.ROLES, tensors, strict=True):
        came = type(x).__name__
        dense = isinstance(x, torch.Tensor) and not x.is_nested
        if dense:
            came += f", {x.layout} on {x.device}"
            dense = x.layout is torch.strided and not x.is_meta
            dense = dense and not torch.masked.is_masked_tensor(x)
        shared.expect(dense, name, "dense tensor", came, TypeError)
        near = name == "w" or x.device == queries.device
        expected = f"{queries.device}, where the queries are,"
        shared.expect(near, name, expected, x.device)
    names = [str(x.dtype).removeprefix("torch.") for x in tensors]
    result, compute = (getattr(torch, name) for name in shared.dtypes(names))
    types = *[compute] * 3, torch.promote_types(w.dtype, compute)
    given = [
        x.to(dtype, copy=x.is_inference())
        for x, dtype in zip(tensors, types, strict=True)
    ]
    return _Pooling.apply(*given)[0].to(result)
