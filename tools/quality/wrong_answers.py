"""Give answers of all kinds to the self-checks: `make answers`.

A learner's answer is mostly nearly right, or right in another form, or not of
the kind that is asked for. So there are three families: "changed", a fault in
a solution, one change of code by the rules of mutants.py (texts, prints and
plots are left alone); "form", the right answer as another type or shape, or
rounded as the solution prints it; and "nonsense", to be refused in words.
"""

import argparse
import ast
import os
import re
import sys
import warnings
from collections import Counter
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np

from anyarray import to_numpy
from tools.author import sources
from tools.frameworks import FRAMEWORKS, chosen, why_missing
from tools.quality.in_process import execute
from tools.quality.mutants import changes

FAMILIES = {
    "changed": "changed answers are refused (are the others right, too?)",
    "form": "right answers in other forms are called right",
    "nonsense": "answers of a wrong kind are refused in words",
}
SPARED = re.compile(r"print|plot|show_heatmaps|legend|figsize|label")
NUMBER = re.compile(r"-?\d+\.?\d*")
PYTHON = re.compile(r"Error|Exception|Warning|broadcast|ambiguous|raised")
STRANGE = "a function of other arguments"  # its own error is told


class Judged(NamedTuple):
    """What a self-check says of one answer."""

    exercise: str
    family: str
    what: str  # is wrong or different
    said: str

    def is_just(self):
        """Tell whether the check should say so."""
        if self.family == "form":
            return self.said.endswith(": right.\n")
        in_words = self.family == "changed" or self.what.endswith(STRANGE)
        in_words = in_words or not PYTHON.search(self.said)
        return "right." not in self.said and in_words


def judge(name, framework, families=FAMILIES, others=()):
    """Yield `Judged` answers to each exercise of a lesson.

    Args:
        name: the lesson's.
        framework: whose cells to run.
        families: keys of ``FAMILIES``.
        others: further frameworks, in whose arrays answers are given, too.
    """
    for title, solutions, check, namespace in exercises_of(name, framework):
        solved = dict(namespace)
        printed = [execute(source, solved, "answer") for source in solutions]
        right = {key: solved[key] for key in asked(check)}
        if "changed" in families:
            for what, sources in changed(solutions):
                names = dict(namespace)
                try:
                    for source in sources:
                        execute(source, names, "answer")
                except Exception:  # which the learner sees at once
                    continue
                if any(differs(right[key], names.get(key)) for key in right):
                    said = said_of(check, names)
                    yield Judged(title, "changed", what, said)
        every = in_place_of(right, "".join(printed), [framework, *others])
        for family, what, answers in every:
            if family in families:
                said = said_of(check, solved | answers)
                yield Judged(title, family, what, said)


def exercises_of(name, framework):
    """Run a lesson; yield its exercises, before they are solved.

    Yields:
        (heading, sources of the solution, source of the check, the names).
    """
    namespace, solutions = {"__name__": "lesson"}, []
    for cell in sources.read(name).cells_of(framework):
        if "solution" in cell.tags:
            solutions.append(cell.source)
        elif "check" in cell.tags:
            yield cell.heading, solutions, cell.source, dict(namespace)
            for source in solutions:
                execute(source, namespace, "answer")
            solutions = []
        elif cell.kind == "code":
            execute(cell.source, namespace, "cell")


def said_of(check, names):
    """Return what a check prints of the answers among the names."""
    return execute(check, dict(names), "check")


def differs(right, answer):
    """Tell whether a change of a solution has changed this answer."""
    if callable(right) and callable(answer):
        parts = "co_code", "co_consts", "co_names"
        return any(
            getattr(right.__code__, part) != getattr(answer.__code__, part)
            for part in parts
        )
    return answer is None or not np.array_equal(
        to_numpy(right), to_numpy(answer)
    )


def asked(check):
    """Return the names of the answers that a check asks for."""
    *_, function = ast.parse(check).body
    return [argument.arg for argument in function.args.args]


# The three families


def changed(solutions):
    """Yield (fault, solutions with it)."""
    for at, source in enumerate(solutions):
        spared = {
            f"line {number}:"
            for number, line in enumerate(source.splitlines(), 1)
            if SPARED.search(line)
        }
        for rule, what, plant in changes(source):
            line = " ".join(what.split()[:2])  # as in "line 3:"
            if rule == "text" or line in spared or SPARED.search(what):
                continue
            answers = [*solutions]
            answers[at] = plant()
            yield f"[{rule}] {what}", answers


def in_place_of(right, printed, frameworks):
    """Yield (family, what, {name: answer}) in the place of right answers.

    Args:
        right: {name: answer}.
        printed: what the solution prints, which tells how answers are rounded.
        frameworks: in whose arrays the right answers are given.
    """
    makers = forms(frameworks)
    makers["rounded as printed"] = lambda x: rounded(x, printed)
    for form, make in makers.items():
        answers = {key: formed(answer, make) for key, answer in right.items()}
        yield "form", form, answers
    for key, answer in right.items():
        for what, wrong in nonsense(answer).items():
            yield "nonsense", f"{key}: {what}", {key: wrong}


def forms(frameworks):
    """Return {form: a function that brings a float64 array into it}."""
    found = {
        "NumPy, float64": np.array,
        "NumPy, float32": np.float32,
        "whole numbers": lambda x: x.astype(int) if (x % 1 == 0).all() else x,
        "numbers and lists": lambda x: x.tolist(),
        "tuples": lambda x: tuple(x) if x.ndim else (x.item(),),
        "columns": lambda x: x[..., None],
        "rows": lambda x: x[None],
        "a column among others": lambda x: (
            [x[0][None], *x[1:]] if x.ndim else x
        ),
    }
    if "pytorch" in frameworks:
        import torch

        found["tensor"] = torch.tensor
        found["parameter"] = lambda x: torch.nn.Parameter(torch.tensor(x))
    if "tensorflow" in frameworks:
        import tensorflow as tf

        found |= {"constant": tf.constant, "variable": tf.Variable}
    if "mxnet" in frameworks:
        import mxnet as mx

        found["MXNet"] = lambda x: mx.np.array(x, dtype="float32")
    if "jax" in frameworks:
        import jax.numpy as jnp

        found["JAX"] = jnp.array
    return found


def formed(answer, make):
    """Return an answer, or what a function answers, in another form."""
    if isinstance(answer, str):
        return f" {answer.lower()}"
    if callable(answer):
        return lambda *inputs: formed(answer(*inputs), make)
    return make(to_numpy(answer).astype(float))


def rounded(array, printed):
    """Return an array with as many digits as all of it is printed with."""
    shown = {float(number) for number in NUMBER.findall(printed)}
    for digits in range(7, -1, -1):
        found = np.round(array, digits)
        if shown.issuperset(found.ravel().tolist()):
            return found
    return array


def nonsense(right):
    """Return {what: an answer} that is wrong in the place of a right one."""
    if callable(right):
        returned = {
            f"a function that returns {what}": lambda *_, wrong=wrong: wrong
            for what, wrong in nonsense(np.zeros(5)).items()
        }
        return nonsense(0.0) | returned | {STRANGE: lambda: 1}
    is_text = isinstance(right, str)
    numbers = np.zeros(()) if is_text else to_numpy(right).astype(float)
    return {
        "None": None,
        "...": ...,
        "a text": "text",
        "True": True,
        "a list of None": [None],
        "an empty list": [],
        "a dict": {"a": 1},
        "a set": {1, 2},
        "a complex number": 1j,
        "complex numbers": numbers + 1j,
        "texts": np.full(numbers.shape, "text").tolist(),
        "a whole number without end": 10**400,
        "a function": lambda *_: None,
        "an object": object(),
        "rows of unequal length": [[1, 2], [3]],
        "NaN": np.full(numbers.shape, np.nan),
        "one NaN": np.where(
            np.arange(numbers.size) == 0, np.nan, numbers.ravel()
        ).reshape(numbers.shape),
        "infinity": np.full(numbers.shape, np.inf),
        "huge numbers": np.full(numbers.shape, 1e300),
        "tiny numbers": np.full(numbers.shape, 1e-300),
        "zeros": np.zeros(numbers.shape),
        "the negative": -numbers - 1,
        "one more": np.append(numbers, 1),
        "an axis more": np.stack([numbers, numbers]),
    }


def main():
    """Print the answers that a check misjudges, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    frameworks = chosen(parser.parse_args().frameworks) or FRAMEWORKS
    warnings.simplefilter("ignore")  # wrong answers divide by zero
    just, all_of = Counter(), Counter()
    for framework in frameworks:
        if reason := why_missing(framework):
            print(reason)
            continue
        # A check is the same in all frameworks; only the forms differ.
        families = FAMILIES if framework == "numpy" else ["form"]
        for name in sources.names():
            for one in judge(name, framework, families):
                all_of[one.family] += 1
                just[one.family] += one.is_just()
                if not one.is_just():
                    place = f"{framework}/{name}, {one.exercise}"
                    print(f"{place}: {one.what}: {one.said.strip()}")
    for family, words in FAMILIES.items():
        print(f"{just[family]} of {all_of[family]} {words}")
    # A change of a solution may be another right answer: somebody must look.
    sys.exit(any(just[one] < all_of[one] for one in ("form", "nonsense")))


if __name__ == "__main__":
    main()
