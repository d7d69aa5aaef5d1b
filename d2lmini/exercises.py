"""Self-checks of the exercises: what is still wrong, said in one line."""

from inspect import signature

from d2lmini.arrays import to_numpy


def check(*answers):
    """Run a decorated function's asserts on answers, and print what is wrong.

    Arrays of any framework reach it as NumPy's, and so does what a learner's
    function returns. ``...`` and None are still to do.
    """

    def run(exercise):
        title = exercise.__name__.replace("_", " ").capitalize()
        try:
            exercise(*map(plain, signature(exercise).parameters, answers))
            print(f"{title}: right.")
        except AssertionError as error:
            print(f"{title}: not yet. {error}")
        except Exception as error:  # whatever an unfinished answer raises
            print(f"{title}: not yet. {type(error).__name__}: {error}")

    return run


def plain(name, answer):
    """Return an answer (texts and dicts as they are), if it is one yet."""
    assert answer is not ... and answer is not None, f"{name} is still to do."
    if callable(answer) and not hasattr(answer, "dtype"):
        return lambda *inputs: plain(f"What {name} returns", answer(*inputs))
    if isinstance(answer, tuple):
        return tuple(plain(name, part) for part in answer)
    return answer if isinstance(answer, str | dict) else to_numpy(answer)
