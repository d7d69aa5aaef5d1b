"""Plant faults in solutions and count which self-checks see: `make answers`.

A learner's answer is mostly nearly right. Each fault is one change of code in
a solution, by the rules of mutants.py; texts, prints and plots are left alone.
"""

import contextlib
import io
import os
import re
import sys
import warnings

os.environ.setdefault("MPLBACKEND", "agg")

from matplotlib import pyplot as plt

from tools import lesson as lessons
from tools.mutants import changes

SPARED = re.compile(r"print|plot|show_heatmaps|legend|figsize|label")


def quietly(source, namespace):
    """Execute code and return what it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, "answer", "exec"), namespace)
    plt.close("all")
    return said.getvalue()


def said_of(sources, check, namespace):
    """Return what a check prints of an answer, in a copy of the names."""
    copied = dict(namespace)
    try:
        for source in sources:
            quietly(source, copied)
        return quietly(check, copied)
    except Exception as error:  # the learner sees the error at once
        return f"raised {type(error).__name__}"


def judge(name):
    """Yield (exercise, fault, what is said) for one lesson, in NumPy."""
    namespace, solutions = {"__name__": "lesson"}, []
    for cell in lessons.read(name).cells_of("numpy"):
        if "solution" in cell.tags:
            solutions.append(cell.source)
        elif "check" in cell.tags:
            for at, source in enumerate(solutions):
                spared = {
                    f"line {number}:"
                    for number, line in enumerate(source.splitlines(), 1)
                    if SPARED.search(line)
                }
                for rule, what, changed in changes(source):
                    line = " ".join(what.split()[:2])  # as in "line 3:"
                    if rule == "text" or line in spared or SPARED.search(what):
                        continue
                    answers = [*solutions]
                    answers[at] = changed
                    said = said_of(answers, cell.source, namespace)
                    yield cell.heading, f"[{rule}] {what}", said
            for source in solutions:
                quietly(source, namespace)
            solutions = []
        if cell.kind == "code" and not cell.tags:
            quietly(cell.source, namespace)


def main():
    """Print the answers that a check wrongly calls right, and the count."""
    caught = planted = 0
    for name in lessons.names():
        for exercise, what, said in judge(name):
            wrong = "right." not in said
            planted, caught = planted + 1, caught + wrong
            if not wrong:
                print(f"CALLED RIGHT {name}, {exercise}: {what}", flush=True)
    print(f"{caught} of {planted} changed answers are not called right")


if __name__ == "__main__":
    sys.exit(main())
