"""Attention pooling in JAX, a few queries at a time.

It is made of JAX's own operations, so all of its transformations may be around
it: `jax.jit`, `jax.vmap`, derivatives of any order. What a query computes is
not kept for the derivative, but made anew (`jax.checkpoint`).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pooling import shared


@partial(jax.jit, static_argnums=0)
def _pool(
    rows: int, q: jax.Array, k: jax.Array, v: jax.Array, w: jax.Array
) -> jax.Array:
    half = jnp.minimum(w**2, jnp.finfo(w.dtype).max) / 2
    middle = v.mean(axis=0)  # long sums lose less, centred
    centred = v - middle

    @jax.checkpoint
    def answer(one: tuple[jax.Array, jax.Array]) -> jax.Array:
        q, k0 = one
        excess = ((k - q) + (k0 - q)) * (k - k0)  # (q - k)^2 - (q - k0)^2
        kernel = jnp.exp(excess * -half)
        return kernel @ centred / kernel.sum() + middle

    # The weights are the same with any k0: it is no part of a derivative.
    still, rising = jax.lax.stop_gradient((q, jnp.sort(k)))
    nearest = rising[shared.places(jnp, still, rising)]
    return jax.lax.map(answer, (q, nearest), batch_size=rows)


def _look_at(x: Any) -> np.ndarray:
    """Return what can be checked: in `jax.jit`, only shape and type."""
    try:
        return np.asarray(jax.lax.stop_gradient(x))
    except jax.errors.TracerArrayConversionError:
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)


def attention_pooling(
    queries: Any, keys: Any, values: Any, w: Any
) -> jax.Array:
    """Pool like `pooling.numpy.attention_pooling`, with all derivatives.

    Queries, keys and values are dense arrays of JAX or NumPy, w is one number
    or an array of one element. Integers become float32. Memory is O(m + n) for
    the first derivative, too; time is O(m n) whatever w. It is compiled once
    for each m, n and type.

    Raises:
        TypeError: for what is no such array or number.
        ValueError: as there. Inside of `jax.jit` and `jax.vmap` there are no
            numbers yet to be looked at: NaN gives NaN, and so may infinity.
    """
    given = dict(zip(shared.ROLES, (queries, keys, values, w), strict=True))
    for name, x in given.items():
        if isinstance(x, jax.Array):
            continue
        ok = name == "w" or isinstance(x, np.ndarray)
        came = type(x).__name__
        shared.expect(ok, name, "dense array", came, TypeError)
        make = shared.number if name == "w" else shared.array
        given[name] = make(name, x)
    names = [x.dtype.name for x in given.values()]
    if not jax.config.jax_enable_x64:
        names = [name.replace("float64", "float32") for name in names]
    result, compute = shared.dtypes(names)
    *arrays, w = given.values()
    q, k, v = (
        x.astype(compute)
        if isinstance(x, jax.Array)
        else jnp.asarray(shared.fit(name, x, compute))
        for name, x in zip(shared.ROLES, arrays, strict=False)
    )
    shared.check(*map(_look_at, (q, k, v, w)))
    limit = float(jnp.finfo(compute).max)  # with which w means the nearest key
    lib = jnp if isinstance(w, jax.Array) else np  # which has float64
    w = jnp.asarray(lib.clip(w * 1.0, -limit, limit), compute).reshape(())
    if not q.size:
        return jnp.zeros((0, *v.shape[1:]), result)
    rows = max(1, shared.BLOCK // len(k))
    return _pool(rows, q, k, v, w).astype(result)
