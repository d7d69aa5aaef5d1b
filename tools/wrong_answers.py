"""Plant faults in solutions and count which self-checks see: `make answers`.

A learner's answer is mostly nearly right. Each fault is one change of code in
a solution, by the rules of mutants.py; texts, prints and plots are left alone.
"""

import os
import re
import sys
import warnings

os.environ.setdefault("MPLBACKEND", "agg")

from tools import lesson as lessons
from tools.in_process import execute
from tools.mutants import changes

SPARED = re.compile(r"print|plot|show_heatmaps|legend|figsize|label")


def said_of(sources, check, namespace):
    """Return what a check prints of an answer, in a copy of the names."""
    copied = dict(namespace)
    try:
        for source in sources:
            execute(source, copied, "answer")
        return execute(check, copied, "check")
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
                execute(source, namespace, "answer")
            solutions = []
        if cell.kind == "code" and not cell.tags:
            execute(cell.source, namespace, "cell")


def main():
    """Print the answers that a check wrongly calls right, and the count."""
    warnings.simplefilter("ignore")  # wrong answers divide by zero
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
