"""Attention pooling in TensorFlow, a few queries at a time, with gradients."""

from functools import partial

import tensorflow as tf

from pooling import shared


def _kernel(q, k, nearest, half, rows, near):
    """Return kernel values, the excess of squares, and ``k - k0``."""
    q, k, k0 = q[rows, None], k[near], nearest[rows, None]
    beyond = k - k0
    excess = ((k - q) + (k0 - q)) * beyond  # (q - k)^2 - (q - k0)^2
    return tf.exp(excess * -half), excess, beyond


def _loop(step, blocks, state):
    """Go through the blocks one by one, in a graph too."""

    def body(i, *state):
        start, stop, low, high = tf.unstack(blocks[i])
        return i + 1, *step(i, slice(start, stop), slice(low, high), *state)

    count = tf.shape(blocks)[0]
    loop = lambda i, *state: i < count  # noqa: E731
    return tf.while_loop(loop, body, (0, *state), parallel_iterations=1)[1:]


def _parts(x, blocks, *columns):
    """Make room for one result of each block."""
    shape = (None, *columns)
    count = tf.shape(blocks)[0]
    return tf.TensorArray(
        x.dtype, count, infer_shape=False, element_shape=shape
    )


@tf.function(reduce_retracing=True, autograph=False)
def _forward(q, k, v, nearest, half, blocks):
    def step(i, rows, near, out):
        kernel, *_ = _kernel(q, k, nearest, half, rows, near)
        total = tf.reduce_sum(kernel, 1, keepdims=True)
        # Long sums of centred values are more exact.
        middle = tf.reduce_mean(v[near], 0)
        return (out.write(i, kernel @ (v[near] - middle) / total + middle),)

    (out,) = _loop(step, blocks, (_parts(q, blocks, v.shape[1]),))
    # Rounding may not take it beyond the type, either.
    least, most = tf.reduce_min(v, 0), tf.reduce_max(v, 0)
    return tf.clip_by_value(out.concat(), least, most)


@tf.function(reduce_retracing=True, autograph=False)
def _backward(q, k, v, w, nearest, half, blocks, out, grad):
    def step(i, rows, near, dq, dk, dv, dw):
        kernel, excess, beyond = _kernel(q, k, nearest, half, rows, near)
        weights = kernel / tf.reduce_sum(kernel, 1, keepdims=True)
        mean = tf.reduce_sum(grad[rows] * out[rows], 1, keepdims=True)
        d = tf.matmul(grad[rows], v[near], transpose_b=True) - mean
        d *= weights
        dq = dq.write(i, tf.reduce_sum(d * beyond, 1))
        apart = k[near] - q[rows, None]
        place = tf.range(near.start, near.stop)[:, None]
        dk = tf.tensor_scatter_nd_sub(dk, place, tf.reduce_sum(d * apart, 0))
        part = tf.matmul(weights, grad[rows], transpose_a=True)
        dv = tf.tensor_scatter_nd_add(dv, place, part)
        return dq, dk, dv, dw - tf.reduce_sum(d * excess)

    zeros = map(tf.zeros_like, (k, v, w))
    dq, dk, dv, dw = _loop(step, blocks, (_parts(q, blocks), *zeros))
    return dq.concat() * 2 * half, dk * 2 * half, dv, dw * w


@tf.custom_gradient
def _once(x):
    def refuse(_):
        raise RuntimeError(f"{shared.ONCE}a second one")

    return tf.identity(x), refuse


def _tensor(name, x):
    if not (tf.is_tensor(x) or hasattr(x, "__tf_tensor__")):  # Keras's
        if name != "w":
            came = f"came {type(x).__name__}"
            raise TypeError(f"{name}: dense tensor expected, {came}")
        x = shared.number(name, x)
    try:
        return tf.convert_to_tensor(x)
    except (TypeError, ValueError) as error:  # sparse, ragged, symbolic
        came = f"came {type(x).__name__}"
        raise TypeError(f"{name}: dense tensor expected, {came}") from error


def attention_pooling(queries, keys, values, w) -> tf.Tensor:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are dense tensors or variables (Keras's, too), w
    is one number or a tensor of one element. The result is a tensor of the
    largest type of float that came; 16 bits are computed in float32, integers
    become float32. Forward and (first) backward take O(m + n) memory. A
    `tf.function` may hold it, with a known number of axes and columns of the
    values, but not XLA or a saved model: the blocks are planned in Python.

    Raises:
        TypeError: for what is no such tensor or number.
        ValueError: as there. In a graph, which checks when it runs, a
            `tf.errors.InvalidArgumentError`.
        RuntimeError: for a second derivative.
    """
    given = zip(shared.ROLES, (queries, keys, values, w), strict=True)
    tensors = [_tensor(name, x) for name, x in given]
    result, compute = shared.dtypes([x.dtype.name for x in tensors])
    q, k, v = (tf.cast(x, compute) for x in tensors[:3])
    w = tf.cast(tensors[3], "float64")
    by_query, by_key, nearest, blocks, scale = tf.numpy_function(
        lambda *args: shared.plan(*args).arrays(),
        (q, k, v, w),
        [*["int64"] * 4, compute],
        name="pooling_is_planned_in_Python_which_XLA_cannot_compile",
    )
    # Eager tensors are checked by now. Of a graph's this must be known.
    for role, x in zip(shared.ROLES, (q, k, v), strict=False):
        axes = "one axis or two, known," if x is v else "one axis"
        if x.shape.rank not in ((1, 2) if x is v else (1, None)):
            raise ValueError(f"{role}: {axes} expected, came {x.shape}")
    for order in by_query, by_key, nearest, scale:
        order.set_shape([None])
    blocks.set_shape([None, 4])
    blocks = tf.cast(blocks, "int32")
    least = tf.reduce_min(scale)  # one for slopes, as columns are added up

    def prepare(k, w):
        return tf.gather(k, nearest), tf.minimum(w**2, w.dtype.max) / 2, blocks

    @tf.custom_gradient
    def pool(*given):
        # Else a tape would record, and keep, all that happens in here.
        q, k, v, w = (tf.stop_gradient(x) for x in given)
        out = _forward(q, k, v * scale, *prepare(k, w)) / scale

        def slopes(grad):
            q, k, v, w = (_once(x) for x in given)
            grad = tf.convert_to_tensor(grad)
            parts = *(q, k, v * least, w), *prepare(k, w), out * least, grad
            dq, dk, dv, dw = _backward(*parts)
            found = dq / least, dk / least, dv, dw / least
            finite = [tf.math.is_finite(x) for x in (grad, *found)]
            check = tf.numpy_function(
                partial(shared.check_gradients, compute),
                [tf.stack([tf.reduce_all(x) for x in finite])],
                "bool",
            )
            with tf.control_dependencies([check]):
                return [tf.identity(x) for x in found]

        return out, slopes

    flat = v.shape.rank == 1
    columns = tf.gather(v, by_key)
    columns = columns[:, None] if flat else columns
    limit = q.dtype.max  # with which w means the nearest key
    w = tf.cast(tf.clip_by_value(tf.reduce_sum(w), -limit, limit), compute)
    out = pool(tf.gather(q, by_query), tf.gather(k, by_key), columns, w)
    out = tf.gather(out, tf.argsort(by_query))
    return tf.cast(out[:, 0] if flat else out, result)
