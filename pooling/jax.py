"""Attention pooling in JAX, a tile of the weights at a time, with gradients.

The shapes depend on those of the input only, so that `jax.jit` and `jax.vmap`
may be around it; how many tiles a query sees is decided while it runs.
`pooling.shared` says how the scores are written, and why.
"""

from functools import partial
from math import ceil

import jax
import jax.numpy as jnp
import numpy as np

from pooling import shared


def _cut(x, size):
    """Cut an array into blocks, (blocks, size, ...), and repeat its end."""
    padding = [(0, -len(x) % size)] + [(0, 0)] * (x.ndim - 1)
    return jnp.pad(x, padding, "edge").reshape(-1, size, *x.shape[1:])


def _scales(v):
    """Do what `pooling.shared.scales` does."""
    largest = jax.lax.stop_gradient(jnp.abs(v).max(axis=0))
    down = jnp.maximum(jnp.frexp(largest)[1] - 2, 0)
    return jnp.ldexp(jnp.ones_like(largest), -down)


def _half(w):
    return jnp.minimum(w**2, jnp.finfo(w.dtype).max) / 2


def _rows(q, k, w, block, *more):
    """Cut sorted queries, and more arrays (m, ...), into rows of tiles.

    A tile has at most `block` scores. Returns the number of keys in a tile;
    and, for each row of tiles, the queries, their nearest keys, the first tile
    that they see, the one after the last, and a part of each further array.
    """
    (m,), (n,) = q.shape, k.shape
    width = ceil(n / ceil(n / max(1, int(block**0.5))))
    height = ceil(m / ceil(m / max(1, block // width)))
    right = jnp.minimum(jnp.searchsorted(k, q), n - 1)
    left = jnp.maximum(right - 1, 0)
    # No absolute values: far outside they would round to a tie.
    nearest = jnp.where(q - k[left] <= k[right] - q, left, right)
    cut = shared.CUT[q.dtype.name]
    reach = jnp.hypot(q - k[nearest], (2 * cut) ** 0.5 / jnp.abs(w))
    reach *= 1 + 1e-6  # for what rounding may have taken
    first = jnp.minimum(jnp.searchsorted(k, q - reach), nearest)
    last = jnp.searchsorted(k, q + reach, side="right") - 1
    last = jnp.maximum(last, nearest)
    low = _cut(first, height).min(axis=1) // width
    high = _cut(last, height).max(axis=1) // width + 1
    parts = (_cut(x, height) for x in (q, k[nearest], *more))
    q, k0, *more = parts
    return width, (q, k0, low, high, *more)


def _kernel(q, k0, k, real, half):
    """Return kernel values, the excess of squares, ``k - k0``, ``k - q``."""
    beyond, apart = k - k0[:, None], k - q[:, None]
    excess = (apart + (k0 - q)[:, None]) * beyond  # (q - k)^2 - (q - k0)^2
    return jnp.exp(excess * -half) * real, excess, beyond, apart


def _loop(everywhere, ends, tiles, tile, sums):
    if everywhere:  # what a tile computes is not kept, but made anew
        return jax.lax.fori_loop(0, tiles, jax.checkpoint(tile), sums)
    return jax.lax.fori_loop(*ends, tile, sums)


def _with_slopes(function):
    """Compile it; its slopes go through all tiles, which JAX can turn round.

    (A loop whose ends depend on the numbers it cannot.)
    """
    compiled = jax.jit(function, static_argnums=(0, 1))
    fast = jax.custom_jvp(partial(compiled, False), nondiff_argnums=(0,))

    @fast.defjvp
    def slopes(block, given, tangents):
        return jax.jvp(partial(compiled, True, block), given, tangents)

    return fast


@_with_slopes
def _forward(everywhere, block, q, k, v, w):
    """Pool; return (m, columns), and the sums of the kernel values, (m, 1)."""
    by_query, by_key = jnp.argsort(q), jnp.argsort(k)
    q, k, v = q[by_query], k[by_key], v[by_key]
    width, rows = _rows(q, k, w, block)
    scale = _scales(v)
    v *= scale
    half, middle = _half(w), v.mean(axis=0)
    keys = _cut(k, width)
    real = (jnp.arange(keys.size) < len(k)).reshape(keys.shape)
    # Long sums of centred values are more exact; the ones give the total.
    values = jnp.pad(v - middle, [(0, 0), (0, 1)], constant_values=1)
    values = _cut(values, width)

    def row(given):
        q, k0, *ends = given

        def tile(j, sums):
            kernel, *_ = _kernel(q, k0, keys[j], real[j], half)
            return sums + kernel @ values[j]

        sums = jnp.zeros((len(q), values.shape[2]), q.dtype)
        return _loop(everywhere, ends, len(keys), tile, sums)

    sums = jax.lax.map(row, rows).reshape(-1, values.shape[2])[: len(q)]
    sums = jnp.zeros_like(sums).at[by_query].set(sums)
    out = sums[:, :-1] / sums[:, -1:] + middle
    # Rounding may not take it beyond the type, either.
    least, most = jax.lax.stop_gradient((v.min(axis=0), v.max(axis=0)))
    out = jnp.where(out < least, least, jnp.where(out > most, most, out))
    return out / scale, sums[:, -1:]


@_with_slopes
def _backward(everywhere, block, q, k, v, w, out, total, grad):
    """Take a gradient back to all four; the kernel values are made anew."""
    by_query, by_key = jnp.argsort(q), jnp.argsort(k)
    scale = _scales(v).min()  # one, as the columns are added up
    q, k, v, out = q[by_query], k[by_key], v[by_key] * scale, out * scale
    mean = (grad * out).sum(axis=1)[by_query]
    total, grad = total[by_query, 0], grad[by_query]
    width, (*rows, mean, total, grads) = _rows(
        q, k, w, block, mean, total, grad
    )
    keys, values, half = _cut(k, width), _cut(v, width), _half(w)
    real = (jnp.arange(keys.size) < len(k)).reshape(keys.shape)
    asked = (jnp.arange(mean.size) < len(q)).reshape(mean.shape)

    def row(sums, given):
        q, k0, *ends, mean, total, grad, asked = given
        share = asked / total

        def tile(j, sums):
            dk, dv, dw, dq = sums
            kernel, excess, beyond, apart = _kernel(
                q, k0, keys[j], real[j], half
            )
            weights = kernel * share[:, None]
            d = weights * (grad @ values[j].T - mean[:, None])  # by the scores
            dk = dk.at[j].add(-(d * apart).sum(axis=0))
            dv = dv.at[j].add(weights.T @ grad)
            return dk, dv, dw - (d * excess).sum(), dq + (d * beyond).sum(1)

        sums = *sums, jnp.zeros_like(q)
        *sums, dq = _loop(everywhere, ends, len(keys), tile, sums)
        return tuple(sums), dq

    sums = jnp.zeros_like(keys), jnp.zeros_like(values), jnp.zeros_like(w)
    (dk, dv, dw), dq = jax.lax.scan(
        row, sums, (*rows, mean, total, grads, asked)
    )
    dq, dk = dq.ravel()[: len(q)], dk.ravel()[: len(k)]
    dv = dv.reshape(-1, v.shape[1])[: len(k)]
    dq = jnp.zeros_like(dq).at[by_query].set(dq * 2 * half / scale)
    dk = jnp.zeros_like(dk).at[by_key].set(dk * 2 * half / scale)
    dv = jnp.zeros_like(dv).at[by_key].set(dv)
    return dq, dk, dv, dw * w / scale


def _look_at(x):
    """Return what can be checked: while JAX traces, only shape and type."""
    if isinstance(x, jax.core.Tracer):
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)
    return np.asarray(x)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _pool(q, k, v, w, block):
    return _forward(block, q, k, v, w)[0]


def _pool_forward(q, k, v, w, block):
    shared.check(*map(_look_at, (q, k, v, w)))  # `jax.grad` hid some of them
    out, total = _forward(block, q, k, v, w)
    return out, (q, k, v, w, out, total)


def _pool_backward(block, kept, grad):
    slopes = _backward(block, *kept, grad)
    finite = [jnp.isfinite(x).all() for x in (grad, *slopes)]
    if not any(isinstance(x, jax.core.Tracer) for x in finite):
        shared.check_gradients(grad.dtype.name, finite)
    return slopes


_pool.defvjp(_pool_forward, _pool_backward)


def attention_pooling(queries, keys, values, w) -> jax.Array:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are dense arrays of JAX or NumPy, w is one number
    or an array of one element. The result is an array of the largest type of
    float that came; 16 bits are computed in float32, integers become float32.
    Forward and (first) backward take O(m + n) memory. It is compiled once for
    each m, n and type; `jax.jit` and `jax.vmap` may be around it.

    Raises:
        TypeError: for what is no such array or number.
        ValueError: as there. Inside of `jax.jit` and `jax.vmap` there are no
            numbers yet to be looked at: NaN gives NaN, and so may infinity.
        RuntimeError: for a first derivative taken forward (`jax.jvp`).
    """
    given = dict(zip(shared.ROLES, (queries, keys, values, w), strict=True))
    for name, x in given.items():
        if name != "w" and not isinstance(x, (jax.Array, np.ndarray)):
            came = f"came {type(x).__name__}"
            raise TypeError(f"{name}: dense array expected, {came}")
        if not isinstance(x, jax.Array):
            make = shared.number if name == "w" else shared.array
            given[name] = make(name, x)
    *arrays, w = given.values()
    names = [x.dtype.name for x in (*arrays, w)]
    if not jax.config.jax_enable_x64:
        names = [name.replace("float64", "float32") for name in names]
    result, compute = shared.dtypes(names)
    q, k, v = (
        x.astype(compute)
        if isinstance(x, jax.Array)
        else jnp.asarray(shared.fit(name, x, compute))
        for name, x in zip(shared.ROLES, arrays, strict=False)
    )
    shared.check(*map(_look_at, (q, k, v, w)))
    limit = float(jnp.finfo(compute).max)  # with which w means the nearest key
    lib = jnp if isinstance(w, jax.Array) else np  # which has float64
    w = lib.where(lib.isinf(w), w, lib.clip(w * 1.0, -limit, limit))
    shape, v = (len(q), *v.shape[1:]), v.reshape(len(k), -1)
    if not q.size:
        return jnp.zeros(shape, result)
    try:
        w = jnp.asarray(w, compute).reshape(())
        return _pool(q, k, v, w, shared.BLOCK).reshape(shape).astype(result)
    except TypeError as error:
        if "jvp" not in str(error):
            raise
        raise RuntimeError(f"{shared.ONCE}one taken forward (jvp)") from error
