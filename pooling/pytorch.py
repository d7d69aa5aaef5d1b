"""Attention pooling in PyTorch, a few queries at a time, with gradients.

PyTorch's fused ``scaled_dot_product_attention`` takes dot products of features
only, whose rounding costs accuracy: for w = 100 and inputs from 0 to 5, keys
centred, it is off by up to 0.001 in float32. This is off by 0.000001.
"""

import torch

from pooling import shared


def _blocks(q, k, w, plan):
    """Yield rows, near, kernel values, excess of squares, and ``k - k0``."""
    nearest = k[torch.from_numpy(plan.nearest).to(k.device)]
    half = (w**2).clamp(max=torch.finfo(w.dtype).max) / 2
    # New tensors for each block would cost page faults.
    buffers = k.new_empty(3, plan.largest)
    for start, stop, low, high in plan.blocks.tolist():
        rows, near = slice(start, stop), slice(low, high)
        size = stop - start, high - low
        kernel, excess, beyond = buffers[:, : size[0] * size[1]].view(3, *size)
        k0 = nearest[rows, None]
        torch.sub(k[near], k0, out=beyond)
        torch.sub(k[near], q[rows, None], out=excess)
        excess.add_(k0 - q[rows, None]).mul_(beyond)  # (q-k)^2 - (q-k0)^2
        torch.mul(excess, -half, out=kernel).exp_()
        yield rows, near, kernel, excess, beyond


def _plan(*tensors):
    try:
        arrays = [x.numpy(force=True) for x in tensors]
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            "queries, keys, values, w, gradient: tensors with numbers to be "
            "read expected; neither torch.export nor vectorize=True will do, "
            "torch.func will"
        ) from error
    return shared.plan(*arrays[:4])


def _prepare(q, k, v, w, plan):
    """Sort, give values two axes and the scale, and w the others' type."""
    orders = plan.queries, plan.keys, plan.scale
    orders = [torch.from_numpy(x).to(q.device) for x in orders]
    by_query, by_key, scale = orders
    v = v[by_key].reshape(len(k), -1) * scale
    limit = torch.finfo(q.dtype).max  # with which w means the nearest key
    w = w.reshape(()).clamp(-limit, limit).to(q)
    return orders, (q[by_query], k[by_key], v, w)


def _unsort(x, order, shape):
    return torch.empty_like(x).index_copy_(0, order, x).reshape(shape)


class _Function(torch.autograd.Function):
    """What `torch.func` has to know: a batch goes one by one, jvp not."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @classmethod
    def vmap(cls, info, axes, *args):
        if not info.batch_size:
            raise ValueError("attention_pooling: a batch expected, came none")
        pairs = list(zip(args, axes, strict=True))
        rows = [
            cls.apply(*(x if a is None else x.select(a, i) for x, a in pairs))
            for i in range(info.batch_size)
        ]
        columns = zip(*rows, strict=True)
        return tuple(torch.stack(x) for x in columns), (0,) * len(rows[0])

    @staticmethod
    def jvp(ctx, *tangents):
        raise RuntimeError(f"{shared.ONCE}one taken forward (jvp)")


class _Pooling(_Function):
    """The average; backwards, the plan and the weights are made anew."""

    @staticmethod
    def forward(q, k, v, w):
        shape = *q.shape, *v.shape[1:]
        plan = _plan(q, k, v, w)
        (by_query, _, scale), (q, k, v, w) = _prepare(q, k, v, w, plan)
        out = q.new_empty(len(q), v.shape[1])
        for rows, near, kernel, *_ in _blocks(q, k, w, plan):
            middle = v[near].mean(dim=0)  # long sums lose less, centred
            torch.matmul(kernel, v[near] - middle, out=out[rows])
            out[rows] /= kernel.sum(dim=1, keepdim=True)
            out[rows] += middle
        # Rounding may not take it beyond the type, either.
        out = out.clamp(v.amin(dim=0), v.amax(dim=0)).div_(scale)
        return (_unsort(out, by_query, shape),)

    @staticmethod
    def backward(ctx, grad):
        return _Slopes.apply(*ctx.saved_tensors, grad)


class _Slopes(_Function):
    """The gradients of the average."""

    @staticmethod
    def forward(q, k, v, w, grad):
        plan = _plan(q, k, v, w, grad[:0])
        shapes = [x.shape for x in (q, k, v)]
        sharp, columns = w, plan.scale.size
        (by_query, by_key, scale), given = _prepare(q, k, v, w, plan)
        q, k, v, w = given
        least = scale.min()  # one, as the columns are added up
        v *= least / scale
        grad = grad.reshape(len(q), columns)[by_query]
        dq, dk, dv, dw = map(torch.zeros_like, given)
        square = (w**2).clamp(max=torch.finfo(w.dtype).max)
        for rows, near, weights, excess, beyond in _blocks(q, k, w, plan):
            weights /= weights.sum(dim=1, keepdim=True)
            dv[near] += weights.T @ grad[rows]
            d = grad[rows] @ v[near].T  # (rows, near), by the weights
            d -= torch.linalg.vecdot(weights, d)[:, None]
            d *= weights  # by the scores
            dw -= excess.mul_(d).sum()
            dq[rows] = beyond.mul_(d).sum(dim=1)
            apart = torch.sub(k[near], q[rows, None], out=beyond)
            dk[near] -= apart.mul_(d).sum(dim=0)
        dq, dk, dw = dq * square / least, dk * square / least, dw * w / least
        finite = [x.isfinite().all().item() for x in (grad, dq, dk, dv, dw)]
        shared.check_gradients(str(q.dtype), finite)
        orders = by_query, by_key, by_key
        slopes = map(_unsort, (dq, dk, dv), orders, shapes)
        return *slopes, dw.to(sharp).reshape(sharp.shape)

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(f"{shared.ONCE}a second one")


def attention_pooling(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, w
) -> torch.Tensor:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are dense tensors on one device, w is one number
    or a tensor of one element. The result is a tensor of the largest type of
    float that came; 16 bits are computed in float32, integers become float32.
    Blocks are planned on the CPU. Forward and (first) backward take O(m + n)
    memory; `torch.func` may map it and take gradients.

    Raises:
        TypeError: for what is no such tensor or number.
        ValueError: as there, and for different devices.
        RuntimeError: for second and forward-mode derivatives, and jit.trace.
    """
    if torch.jit.is_tracing():
        came = "came torch.jit.trace, which would keep one input's blocks"
        raise RuntimeError(f"attention_pooling: eager mode expected, {came}")
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
        if not dense:
            raise TypeError(f"{name}: dense tensor expected, came {came}")
        if name != "w" and x.device != queries.device:
            came = f"{name}: {queries.device} expected, came {x.device}"
            raise ValueError(f"{came}; queries, keys, values share a device")
    names = [str(x.dtype).removeprefix("torch.") for x in tensors]
    result, compute = (getattr(torch, name) for name in shared.dtypes(names))
    types = *[compute] * 3, torch.promote_types(w.dtype, compute)
    tensors = (
        x.to(dtype, copy=x.is_inference())
        for x, dtype in zip(tensors, types, strict=True)
    )
    return _Pooling.apply(*tensors)[0].to(result)
