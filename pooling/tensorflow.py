"""Attention pooling for TensorFlow's tensors, with gradients.

The numbers are NumPy's, in eager mode and in a graph; TensorFlow's own
operations in a loop over the blocks took as long.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import pooling.numpy
from pooling import shared

NAME = "pooling_is_done_by_NumPy_which_XLA_cannot_compile"


@tf.custom_gradient
def _slopes(
    q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, w: tf.Tensor, grad: tf.Tensor
) -> tuple[list[tf.Tensor], Callable]:
    given = q, k, v, w
    types = [x.dtype for x in given]
    slopes = tf.numpy_function(
        pooling.numpy.pooling_gradients, (*given, grad), types, name=NAME
    )
    slopes = [
        tf.reshape(slope, tf.shape(x))
        for slope, x in zip(slopes, given, strict=True)
    ]

    def refuse(*_: tf.Tensor) -> None:
        raise RuntimeError(f"{shared.ONCE}a second one")

    return slopes, refuse


@tf.custom_gradient
def _pool(
    q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, w: tf.Tensor
) -> tuple[tf.Tensor, Callable]:
    out = tf.numpy_function(
        pooling.numpy.attention_pooling, (q, k, v, w), q.dtype, name=NAME
    )
    out.set_shape(q.shape[:1].concatenate(v.shape[1:]))
    return out, lambda grad: _slopes(q, k, v, w, grad)


def _tensor(name: str, x: Any) -> tf.Tensor:
    came = type(x).__name__
    if not (tf.is_tensor(x) or hasattr(x, "__tf_tensor__")):  # Keras's
        shared.expect(name == "w", name, "dense tensor", came, TypeError)
        x = shared.number(name, x)
    try:
        return tf.convert_to_tensor(x)
    except (TypeError, ValueError) as error:  # sparse, ragged, symbolic
        expected = f"{name}: dense tensor expected, came {came}"
        raise TypeError(expected) from error


def attention_pooling(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, w: Any
) -> tf.Tensor:
    """Pool like `pooling.numpy.attention_pooling`, with gradients to all four.

    Queries, keys and values are dense tensors or variables (Keras's, too), w
    is one number or a tensor of one element. Integers become float32. A
    `tf.function` may hold it, but not XLA or a saved model.

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
    return tf.cast(_pool(q, k, v, tf.cast(tensors[3], "float64")), result)
