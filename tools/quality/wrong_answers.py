"""Give answers of all kinds to the self-checks, to see whether they are fair.

There are two families: "form", the right answer as another type or shape, or
rounded as the solution prints it; and "nonsense", to be refused in words.
"""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np

from anyarray import to_numpy
from tools.author import sources
from tools.frameworks import why_missing
from tools.quality.in_process import ARRAYS, execute

FAMILIES = {
    "form": "right answers in other forms are called right",
    "nonsense": "answers of a wrong kind are refused in words",
}
NUMBER = re.compile(r"-?\d+\.?\d*")
PYTHON = re.compile(r"Error|Exception|Warning|broadcast|ambiguous|raised")
STRANGE = "a function of other arguments"  # its own error is told
REPEATED = np.nan, np.inf, 1e300, 1e-300, 0.0
Names = dict[str, Any]
Answers = Iterator[tuple[str, Names]]
# Forms of a right answer: what makes them of a float64 array.
FORMS: dict[str, Callable] = {
    "NumPy, float64": np.array,
    "NumPy, float32": np.float32,
    "whole numbers": lambda x: x.astype(int) if (x % 1 == 0).all() else x,
    "numbers and lists": lambda x: x.tolist(),
    "tuples": lambda x: tuple(x) if x.ndim else (x.item(),),
    "columns": lambda x: x[..., None],
    "rows": lambda x: x[None],
    "a column among others": lambda x: [x[0][None], *x[1:]] if x.ndim else x,
}


class Judged(NamedTuple):
    """What a self-check says of one answer."""

    exercise: str
    family: str
    what: str  # is wrong or different
    said: str

    def is_just(self) -> bool:
        """Tell whether the check should say so."""
        if self.family == "form":
            return self.said.endswith(": right.\n")
        in_words = self.what.endswith(STRANGE) or not PYTHON.search(self.said)
        return "right." not in self.said and in_words


def judge(
    name: str,
    framework: str,
    families: Iterable[str] = FAMILIES,
    others: Iterable[str] = (),
) -> Iterator[Judged]:
    """Yield what is said of answers to each exercise of a lesson.

    They are given in NumPy's arrays, in those of the framework whose cells are
    run, and in those of other frameworks.
    """
    for title, solutions, check, namespace in exercises_of(name, framework):
        solved = dict(namespace)
        printed = [execute(source, solved, "answer") for source in solutions]
        function = ast.parse(check).body[-1]
        assert isinstance(function, ast.FunctionDef)
        right = {
            answer.arg: solved[answer.arg] for answer in function.args.args
        }
        answers = {
            "form": in_forms(right, "".join(printed), [framework, *others]),
            "nonsense": in_nonsense(right),
        }
        for family in families:
            for what, names in answers[family]:
                said = said_of(check, solved | names)
                yield Judged(title, family, what, said)


def exercises_of(
    name: str, framework: str
) -> Iterator[tuple[str, list[str], str, Names]]:
    """Run a lesson; yield its exercises, before they are solved.

    Each is (heading, sources of the solution, source of the check, names).
    """
    namespace: Names = {"__name__": "lesson"}
    solutions: list[str] = []
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


def said_of(check: str, names: Names) -> str:
    """Return what a check prints of the answers among the names."""
    return execute(check, dict(names), "check")


# The families: what an answer is, and the names that give it


def in_forms(right: Names, printed: str, frameworks: list[str]) -> Answers:
    """Yield right answers in other forms, rounded as they are printed, too."""
    makers = FORMS | {"rounded as printed": lambda x: rounded(x, printed)}
    makers |= {name: resolve_name(ARRAYS[name]) for name in frameworks}
    if "tensorflow" in frameworks:
        makers["variable"] = resolve_name("tensorflow:Variable")
    if "pytorch" in frameworks:
        parameter = resolve_name("torch.nn:Parameter")
        makers["parameter"] = lambda x: parameter(makers["pytorch"](x))
    for form, make in makers.items():
        yield form, {key: formed(right[key], make) for key in right}


def formed(answer: Any, make: Callable) -> Any:
    """Return an answer, or what a function answers, in another form."""
    if isinstance(answer, str):
        return f" {answer.lower()}"
    if callable(answer):
        return lambda *inputs: formed(answer(*inputs), make)
    return make(to_numpy(answer).astype(float))


def rounded(array: np.ndarray, printed: str) -> np.ndarray:
    """Return an array with as many digits as all of it is printed with."""
    shown = {float(number) for number in NUMBER.findall(printed)}
    for digits in range(7, -1, -1):
        found = np.round(array, digits)
        if shown.issuperset(found.ravel().tolist()):
            return found
    return array


def in_nonsense(right: Names) -> Answers:
    """Yield answers that are wrong in the place of each right one."""
    for key, answer in right.items():
        for what, wrong in nonsense(answer).items():
            yield f"{key}: {what}", {key: wrong}


def nonsense(right: Any) -> Names:
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
        "one NaN": np.where(numbers == numbers.max(), np.nan, numbers),
        **{f"all {x}": np.full(numbers.shape, x) for x in REPEATED},
        "the negative": -numbers - 1,
        "one more": np.append(numbers, 1),
        "an axis more": np.stack([numbers, numbers]),
    }


def judge_all(frameworks: list[str]) -> bool:
    """Print the misjudged answers and the counts; tell if it is unfair."""
    warnings.simplefilter("ignore")  # wrong answers divide by zero
    just, all_of = Counter[str](), Counter[str]()
    for framework in [name for name in frameworks if not why_missing(name)]:
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
    return just != all_of
