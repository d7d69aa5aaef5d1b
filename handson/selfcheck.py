"""Self-checks of the exercises: what is still wrong, said in one line."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from anyarray import to_numpy


def check(exercise: Callable) -> None:
    """Run a function's asserts on the answers that its parameters name.

    Annotations say what is expected: the shape of numbers, ``str``, or for a
    function a lambda from its inputs to its result's shape; without, a number.
    """
    given, shapes, answers = exercise.__globals__, exercise.__annotations__, {}
    try:
        for n in signature(exercise).parameters:
            answers[n] = plain(n, given.get(n, ...), shapes.get(n, ()))
        with np.errstate(all="ignore"):  # what is NaN fails the asserts
            exercise(**answers)
        said = "right."
    except AssertionError as error:
        said = f"not yet. {error}"
    except Exception as error:  # of a learner's function
        said = f"not yet. Your code raised {type(error).__name__}: {error}"
    print(f"{exercise.__name__.replace('_', ' ').capitalize()}: {said}")


def plain(name: str, answer: Any, shape: Any) -> Any:
    """Return a text, or floats of a shape (axes of length 1 are free)."""
    assert answer is not ... and answer is not None, f"{name} is still to do."
    got = type(answer).__name__
    if callable(shape) and shape is not str:
        assert callable(answer), f"{name}: expected a function, got {got}."
        return lambda *x: plain(f"What {name} returns", answer(*x), shape(*x))
    ask = {str: "a text", (): "a number"}.get(shape, f"numbers, shape {shape}")
    kind, shape = (str, ()) if shape is str else (float, shape)
    try:
        if isinstance(answer, list | tuple):
            answer = [np.squeeze(to_numpy(part)) for part in answer]
        array = to_numpy(answer)
        assert shape or array.dtype != bool  # True is no number
        assert not np.ma.is_masked(array)  # nor is None in a list
        array = array.astype(kind, casting="same_kind")
    except Exception:
        raise AssertionError(f"{name}: expected {ask}, got {got}.") from None
    fits = np.squeeze(array).shape == tuple(n for n in shape if n != 1)
    assert fits, f"{name}: expected {ask}, got shape {array.shape}."
    assert kind is str or np.isfinite(array).all(), f"{name}: has NaN or inf."
    return array.reshape(shape)[()]
