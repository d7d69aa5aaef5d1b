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


def _look_at(x):
    try:
        return x.numpy(force=True)
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            "queries, keys, values, w: tensors with numbers to be read "
            f"expected, came {type(x).__name__}; export is not supported"
        ) from error


def _prepare(q, k, v, w, plan):
    """Sort, give values two axes and the scale, and w the type of others."""
    orders = (torch.from_numpy(x) for x in (plan.queries, plan.keys))
    by_query, by_key = (order.to(q.device) for order in orders)
    limit = torch.finfo(q.dtype).max  # with which w means the nearest key
    scale = torch.from_numpy(plan.scale).to(q.device)
    v = v[by_key].reshape(len(k), -1) * scale
    w = w.reshape(()).clamp(-limit, limit).to(q.dtype)
    return by_query, by_key, scale, (q[by_query], k[by_key], v, w)


class _Function(torch.autograd.Function):
    """What `torch.func` has to know: one by one, and not forward."""

    @classmethod
    def vmap(cls, info, axes, *args):
        def one(i):
            pairs = zip(args, axes, strict=True)
            # What is no tensor is the room for a plan, and each has its own.
            parts = (
                [] if not isinstance(x, torch.Tensor)
                else x if axis is None
                else x.select(axis, i)
                for x, axis in pairs
            )
            return cls.apply(*parts)

        results = [one(i) for i in range(info.batch_size)]
        if isinstance(results[0], torch.Tensor):
            return torch.stack(results), 0
        return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * 4

    @staticmethod
    def jvp(ctx, *tangents):
        raise RuntimeError(f"{shared.ONCE}one taken forward (jvp)")


class _Pooling(_Function):
    """The average; backwards, the weights are made anew."""

    @staticmethod
    def forward(q, k, v, w, kept):
        plan = shared.plan(*map(_look_at, (q, k, v, w)))
        kept.append(plan)
        by_query, _, scale, (q, k, v, w) = _prepare(q, k, v, w, plan)
        out = q.new_empty(len(q), v.shape[1])
        for rows, near, kernel, *_ in _blocks(q, k, w, plan):
            middle = v[near].mean(dim=0)  # long sums lose less, centred
            torch.matmul(kernel, v[near] - middle, out=out[rows])
            out[rows] /= kernel.sum(dim=1, keepdim=True)
            out[rows] += middle
        # Rounding may not take it beyond the type, either.
        out = out.clamp(v.amin(dim=0), v.amax(dim=0)).div_(scale)
        return torch.empty_like(out).index_copy_(0, by_query, out)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.kept = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, grad):
        return *_Slopes.apply(grad, *ctx.saved_tensors, ctx.kept), None


class _Slopes(_Function):
    """The gradients of the average."""

    @staticmethod
    def forward(grad, q, k, v, w, kept):
        try:
            grad.data_ptr()
        except RuntimeError as error:
            raise RuntimeError(
                "attention_pooling: gradients in a batch (is_grads_batched, "
                "vectorize) are not supported; torch.func.jacrev is"
            ) from error
        plan = kept[0] if kept else shared.plan(*map(_look_at, (q, k, v, w)))
        shape = v.shape
        by_query, by_key, scale, given = _prepare(q, k, v, w, plan)
        (q, k, v, w), sharp = given, w
        least = scale.min()  # one, as the columns are added up
        v, grad = v * (least / scale), grad[by_query]
        dq, dk, dv, dw = map(torch.zeros_like, (q, k, v, w))
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
        slopes = dq * square / least, dk * square / least, dv, dw * w / least
        finite = [x.isfinite().all().item() for x in (grad, *slopes)]
        shared.check_gradients(finite, str(q.dtype).removeprefix("torch."))
        dq, dk, dv, dw = slopes
        return (
            torch.empty_like(dq).index_copy_(0, by_query, dq),
            torch.empty_like(dk).index_copy_(0, by_key, dk),
            torch.empty_like(dv).index_copy_(0, by_key, dv).reshape(shape),
            dw.to(sharp.dtype).reshape(sharp.shape),
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(f"{shared.ONCE}a second one")


def attention_pooling(queries, keys, values, w):
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Args:
        queries: a tensor (m,), sorted or not.
        keys: a tensor (n,), at least one.
        values: a tensor (n,) or (n, columns).
        w: one number, or a tensor of one element; its sign does not
            matter.

    Returns:
        A tensor (m,) or (m, columns) of the largest type of float that came
        (16 bits are computed in float32; integers become float32). Forward and
        (first) backward take O(m + n) memory. Blocks are
        planned on the CPU, wherever the tensors are.

    Raises:
        TypeError: for what is no tensor, or one of other than real numbers.
        ValueError: for a wrong shape, no keys, NaN or infinity in any
            argument, different devices, or distances whose square overflows.
    """
    if torch.jit.is_tracing():
        raise RuntimeError(
            "attention_pooling: torch.jit.trace is not supported, as the "
            "numbers decide which blocks are computed"
        )
    if not isinstance(w, torch.Tensor):
        w = torch.from_numpy(shared.number("w", w))
    given = zip(shared.ROLES, (queries, keys, values, w), strict=True)
    for name, x in given:
        expected = f"{name}: dense tensor with numbers in it expected, came"
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"{expected} {type(x).__name__}")
        odd = {
            "nested": x.is_nested,
            "meta": x.is_meta,
            "masked": torch.masked.is_masked_tensor(x),
            x.layout: not x.is_nested and x.layout is not torch.strided,
        }
        for kind, came in odd.items():
            if came:
                raise TypeError(f"{expected} one that is {kind}")
        if name != "w" and x.device != queries.device:
            came = f"{name}: {queries.device} expected, came {x.device}"
            raise ValueError(f"{came}; queries, keys, values share a device")
    tensors = queries, keys, values, w
    names = [str(x.dtype).removeprefix("torch.") for x in tensors]
    result, compute = (getattr(torch, name) for name in shared.dtypes(names))
    types = *[compute] * 3, torch.promote_types(w.dtype, compute)
    q, k, v, w = (
        x.to(queries.device, dtype, copy=x.is_inference())
        for x, dtype in zip(tensors, types, strict=True)
    )
    out = _Pooling.apply(q, k, v, w, [])
    return out.reshape(len(q), *values.shape[1:]).to(result)
