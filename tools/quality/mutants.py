"""Plant faults by rule and count which of them the check sees: `make mutants`.

Three families. *cells*: one change in one code cell of a lesson, which is
then executed from there on. *module*: one change in ``d2lmini``, seen by the
lessons or else by its own tests. *stored*: one change in a notebook's stored
outputs. A fault in code that leaves every text and every picture the same,
byte for byte, changes nothing that a reader can see; it is called equivalent.
"""

import argparse
import ast
import copy
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
from nbsight.execute import Client, joined, kernel_environment

from nbsight import MIME, artists, compare
from tools.author import check, sources
from tools.frameworks import FRAMEWORKS, chosen, why_missing

SEED = 20261121
SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# How Matplotlib names a marker or a clip path inside a picture.
INNER_NAME = re.compile(r"\b[a-z][0-9a-f]{10}\b")
# What the lessons import, and tests/test_d2lmini.py tests.
PACKAGES = ("anyarray", "d2lmini")
# A kernel that has run a lesson before is put back with this.
RESET = """
import sys as _sys
_sys.path[:] = [p for p in _sys.path if "mutant-" not in p]
if {path!r}: _sys.path.insert(0, {path!r})
for _name in [*_sys.modules]:
    if _name.partition(".")[0] in {packages}:
        del _sys.modules[_name]
if "matplotlib.pyplot" in _sys.modules:
    _sys.modules["matplotlib.pyplot"].close("all")
    _sys.modules["matplotlib"].rcdefaults()
get_ipython().reset(new_session=False, aggressive=False)
"""


@dataclass
class Mutant:
    """One fault: its family, rule and place, and what became of it."""

    family: str  # cells, module or stored
    rule: str
    where: str  # notebook or module
    place: str  # cell id, or line
    what: str  # the change, for people
    plant: Callable  # gives the changed source, or changes a notebook's cells
    index: int = 0  # of the cell
    verdict: str = ""  # caught, equivalent or survived
    reason: str = ""


# Faults in code


def changes(source):
    """Yield (rule, what, function) for each fault that the rules know.

    The function returns the changed source: most are never asked for it.

    Args:
        source: Python source; its comments do not survive.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    skip = docstrings(tree)
    for number, node in enumerate(nodes):
        for rule, what, change in changes_of(node, skip):
            line = getattr(node, "lineno", 0)
            plant = partial(changed_source, tree, number, change)
            yield rule, f"line {line}: {what}", plant


def changed_source(tree, number, change):
    """Return the source of a tree in which one node is changed."""
    mutated = copy.deepcopy(tree)
    change(list(ast.walk(mutated))[number])
    return ast.unparse(ast.fix_missing_locations(mutated))


def docstrings(tree):
    """Return the constants that are docstrings, or parts of f-strings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(node.value)
    return found


def changes_of(node, skip):
    """Yield (rule, what, function that changes such a node) for one node."""
    short = ast.unparse(node)[:50].replace("\n", " ") if is_code(node) else ""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", f"minus of {short}", set_field("op", ast.UAdd())
    if isinstance(node, ast.BinOp | ast.AugAssign):
        if type(node.op) in SWAPS:
            other = SWAPS[type(node.op)]()
            yield "operator", f"operator of {short}", set_field("op", other)
        if isinstance(node.op, ast.MatMult):
            yield "operator", f"sides of {short}", swap_fields("left", "right")
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        other = [SWAPS[type(node.ops[0])]()]
        yield "comparison", f"comparison {short}", set_field("ops", other)
    if isinstance(node, ast.Constant) and node not in skip:
        yield from changes_of_constant(node)
    if isinstance(node, ast.keyword) and node.arg in ("axis", "dim"):
        yield "axis", f"{node.arg} of a call", flip_axis
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        for position, keyword in enumerate(node.keywords):
            what = f"{keyword.arg} of {name} dropped"
            yield "keyword", what, drop_item("keywords", position)
        for position in range(len(node.args) - 1):
            what = f"arguments {position + 1}, {position + 2} of {name}"
            yield "arguments", f"{what} swapped", swap_items("args", position)
        if name == "range":
            yield "range", f"end of {short}", one_more
    loaded = isinstance(getattr(node, "ctx", None), ast.Load)
    if isinstance(node, ast.List | ast.Tuple) and loaded and node.elts[1:]:
        yield "order", f"{short} swapped", swap_items("elts", 0)
    body = getattr(node, "body", None)
    for position, statement in enumerate(body if type(body) is list else ()):
        droppable = isinstance(
            statement, ast.Expr | ast.Assign | ast.AugAssign
        )
        if droppable and statement.value not in skip:
            first = ast.unparse(statement).splitlines()[0][:50]
            yield "statement", f"dropped {first}", drop_statement(position)


def is_code(node):
    """Tell whether a node can be written as source of its own."""
    return isinstance(node, ast.expr | ast.stmt)


def changes_of_constant(node):
    """Yield the changes of a number, a truth value or a text."""
    value = node.value
    if isinstance(value, bool):
        yield "constant", f"{value}", set_field("value", not value)
    elif isinstance(value, int):
        yield "constant", f"{value} + 1", set_field("value", value + 1)
    elif isinstance(value, float):
        other = value * 1.01 or 0.01
        yield "constant", f"{value} to {other:.6g}", set_field("value", other)
    elif isinstance(value, str) and value.strip():
        last = len(value.rstrip()) - 1
        other = value[:last] + ("~" if value[last] != "f" else "e")
        other += value[last + 1 :]
        yield "text", f"{value[:30]!r}", set_field("value", other)


def set_field(name, value):
    """Return a change that sets a field of a node."""
    return lambda node: setattr(node, name, value)


def swap_fields(first, second):
    """Return a change that swaps two fields of a node."""

    def change(node):
        one, other = getattr(node, first), getattr(node, second)
        setattr(node, first, other)
        setattr(node, second, one)

    return change


def swap_items(name, at):
    """Return a change that swaps two neighbours of a list in a node."""

    def change(node):
        items = getattr(node, name)
        items[at], items[at + 1] = items[at + 1], items[at]

    return change


def drop_item(name, at):
    """Return a change that takes one item out of a list in a node."""
    return lambda node: getattr(node, name).pop(at)


def drop_statement(at):
    """Return a change that replaces a statement of a body by `pass`."""
    return lambda node: node.body.__setitem__(at, ast.Pass())


def flip_axis(node):
    """Change axis 1 to 0, and any other axis to 1."""
    one = isinstance(node.value, ast.Constant) and node.value.value == 1
    node.value = ast.Constant(0 if one else 1)


def one_more(node):
    """Let a range end one later."""
    at = min(1, len(node.args) - 1)
    node.args[at] = ast.BinOp(node.args[at], ast.Add(), ast.Constant(1))


def cell_mutants(name, framework):
    """Return all faults in the cells of one notebook."""
    path = sources.NOTEBOOKS / framework / f"{name}.ipynb"
    found, where = [], f"{framework}/{name}"
    for index, cell in enumerate(nbformat.read(path, 4).cells):
        if cell.cell_type == "code" and cell.id != sources.ALONE_ID:
            for rule, what, plant in changes(cell.source):
                found.append(
                    Mutant("cells", rule, where, cell.id, what, plant, index)
                )
    return found


def module_mutants():
    """Return all faults in the files of what the lessons import."""
    found = []
    for package in PACKAGES:
        for path in sorted((sources.ROOT / package).glob("*.py")):
            where = f"{package}/{path.name}"
            for rule, what, plant in changes(path.read_text()):
                found.append(Mutant("module", rule, where, "", what, plant))
    return found


# Executing them


class Runner:
    """A kernel that runs one notebook again and again, from any cell on."""

    def __init__(self, framework, name):
        """Read the notebook, start a kernel and run it once, unchanged."""
        path = sources.NOTEBOOKS / framework / f"{name}.ipynb"
        self.stored = nbformat.read(path, as_version=4)
        self.folder = {"metadata": {"path": str(path.parent)}}
        self.entered = ExitStack()

    def __enter__(self):
        """Start the kernel; refuse a notebook that does not pass unchanged."""
        self.work = copy.deepcopy(self.stored)
        self.client = Client(self.work, resources=self.folder, timeout=120)
        env = self.entered.enter_context(kernel_environment())
        self.entered.enter_context(
            self.client.setup_kernel(env=env, stderr=subprocess.DEVNULL)
        )
        difference = self.first_difference(0)
        if difference:
            self.entered.close()
            raise RuntimeError(f"differs unchanged: {difference}")
        self.right = [
            copy.deepcopy(cell.get("outputs")) for cell in self.work.cells
        ]
        return self

    def __exit__(self, *error):
        """Stop the kernel."""
        self.entered.close()

    def silently(self, code):
        """Execute code without looking at what it shows."""
        cell = nbformat.v4.new_code_cell(code)
        self.client.nb.cells.append(cell)
        try:
            self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        finally:
            self.client.nb.cells.pop()

    def first_difference(self, start, source=None, path=""):
        """Run with one cell changed; return what the check sees first.

        Args:
            start: index of the changed cell; those before run unseen.
            source: its changed source, or None for the unchanged notebook.
            path: a folder that holds other ``PACKAGES``.

        Returns:
            A line, or None where the check sees nothing.
        """
        self.silently(RESET.format(path=str(path), packages=PACKAGES))
        cells = self.client.nb.cells
        before = [c.source for c in cells[:start] if c.cell_type == "code"]
        before.append("d2l.plt.close('all')" if start and before else "")
        if start and len(before) > 2:
            self.silently("\n\n".join(before))
        elif before:
            self.silently("\n\n".join(before[:-1]))
        for index in range(start, len(cells)):
            cell = cells[index]
            if cell.cell_type != "code":
                continue
            original = cell.source
            if index == start and source is not None:
                cell.source = source
            cell.outputs = []
            try:
                self.client.execute_cell(cell, index)
            except Exception as error:  # raised, timed out, kernel died
                return f"{type(error).__name__} in {cell.id}"
            finally:
                cell.source = original
            cell.outputs = joined(cell.outputs)
            stored = self.stored.cells[index].outputs
            found = compare.output_differences(stored, cell.outputs)
            if any(out.get("name") == "stderr" for out in cell.outputs):
                return f"stderr in {cell.id}"
            if found:
                return f"{cell.id}: {found[0]}"
        return None

    def same_to_the_eye(self, start):
        """Tell whether all texts and pictures are the same, byte for byte."""
        return all(
            visible(before or []) == visible(cell.get("outputs", []))
            for before, cell in list(
                zip(self.right, self.work.cells, strict=True)
            )[start:]
        )

    def judge(self, mutant, start=None, path=""):
        """Run a mutant and write down what became of it."""
        start = mutant.index if start is None else start
        source = mutant.plant() if mutant.family == "cells" else None
        try:
            difference = self.first_difference(start, source, path)
        except Exception:
            # The cells before failed, and nothing is wrong with them: an
            # earlier fault has broken the kernel (MXNet raises such errors
            # late). A fresh one decides.
            self.entered.close()
            self.__enter__()
            difference = self.first_difference(start, source, path)
        if difference:
            mutant.verdict, mutant.reason = "caught", difference
        elif self.same_to_the_eye(start):
            mutant.verdict = "equivalent"
            mutant.reason = "every text and picture is the same, by the byte"
        else:
            mutant.verdict = "survived"
        print_verdict(mutant)


def print_verdict(mutant):
    """Say what became of a mutant, at once, where somebody wants to know."""
    if os.environ.get("MUTANTS_VERBOSE"):
        print(
            f"{mutant.verdict} {mutant.where} {mutant.place} "
            f"[{mutant.rule}] {mutant.what} -> {mutant.reason[:90]}",
            flush=True,
        )


def visible(outputs):
    """Return what of outputs a reader sees: texts and pictures.

    A picture is taken as it is stored, to a hundredth of a point: finer
    rounding is nothing that anybody can see.
    """
    return [
        (out.output_type, out.get("text"), shown(out.get("data", {})))
        for out in outputs
    ]


def shown(data):
    """Return an output's data without the figure data of the check."""
    return {
        mime: INNER_NAME.sub("", value) if mime == "image/svg+xml" else value
        for mime, value in data.items()
        if mime != MIME
    }


def judge_cells(framework, name, mutants):
    """Run the mutants of one notebook in one kernel."""
    with Runner(framework, name) as runner:
        for mutant in mutants:
            runner.judge(mutant)


def judge_modules(mutants):
    """Run the mutants of d2lmini: the lessons first, then its own tests."""
    names = sources.names()[::-1]  # the longest lesson first
    runners = [Runner("numpy", name) for name in names]
    with ExitStack() as stack:
        for runner in runners:
            stack.enter_context(runner)
        judge_with(runners, mutants)


def judge_with(runners, mutants):
    """Judge the mutants of d2lmini with the lessons' kernels running."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        plain_copy(folder)
        if not passes_its_tests(folder):
            raise RuntimeError("the tests of d2lmini fail without a fault")
    for mutant in mutants:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            plain_copy(folder)
            Path(folder, mutant.where).write_text(mutant.plant())
            verdicts = []
            for runner in runners:
                runner.judge(mutant, start=0, path=folder)
                verdicts.append(mutant.verdict)
                if mutant.verdict == "caught":
                    break
            if "caught" not in verdicts:
                if not passes_its_tests(folder):
                    mutant.verdict, mutant.reason = "caught", "by its tests"
                elif "survived" in verdicts:
                    mutant.verdict = "survived"
                else:
                    mutant.reason = "no lesson shows it, no test notices"


def plain_copy(folder):
    """Copy packages into a folder, without comments, as faults are written."""
    for package in PACKAGES:
        shutil.copytree(sources.ROOT / package, Path(folder, package))
        for path in Path(folder, package).glob("*.py"):
            path.write_text(ast.unparse(ast.parse(path.read_text())))


def passes_its_tests(folder):
    """Tell whether tests/test_d2lmini.py passes with another d2lmini."""
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q"),
            *("-p", "no:cacheprovider", "-o", f"pythonpath={folder} ."),
            "tests/test_d2lmini.py",
        ],
        cwd=sources.ROOT,
        env={**check_environment(), "PYTHONPATH": folder},
        capture_output=True,
        timeout=300,
    )
    return answer.returncode == 0


def check_environment():
    """Return the environment, with the tests narrowed to NumPy."""
    return {**os.environ, "LESSON_FRAMEWORKS": "numpy"}


# Faults in stored outputs


def unpacked(where):
    """Read a notebook, the data of its figures unpacked."""
    notebook = nbformat.read(sources.NOTEBOOKS / f"{where}.ipynb", 4)
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            if MIME in out.get("data", {}):
                record = out.data[MIME]
                record["artists"] = artists(record)
    return notebook


def stored_mutants(name, framework):
    """Return all faults in one notebook's stored outputs."""
    where, found = f"{framework}/{name}", []
    notebook = unpacked(where)
    code = [i for i, c in enumerate(notebook.cells) if c.cell_type == "code"]
    figures = [
        i
        for i in code
        for out in notebook.cells[i].outputs
        if MIME in out.get("data", {})
    ]
    for index in code:
        cell = notebook.cells[index].id
        for rule, what, plant in stored_changes(notebook, index, figures):
            found.append(
                Mutant("stored", rule, where, cell, what, plant, index)
            )
    return found


def judge_stored(where, mutants):
    """Judge faults in one notebook's outputs.

    The new run is the unchanged notebook itself, so nothing is executed.
    """
    notebook = unpacked(where)
    for mutant in mutants:
        planted = copy.deepcopy(notebook)
        mutant.plant(planted.cells)
        lines = differences(planted, notebook)
        lines += check.executed(planted)
        mutant.verdict = "caught" if lines else "survived"
        mutant.reason = lines[0] if lines else ""


def differences(stored, now):
    """Return what the comparison finds between two notebooks' outputs."""
    return [
        line
        for old, new in zip(stored.cells, now.cells, strict=True)
        if old.cell_type == "code"
        for line in compare.output_differences(old.outputs, new.outputs)
    ]


def stored_changes(notebook, index, figures):
    """Yield (rule, what, function that changes the cells) for one cell."""
    cell = notebook.cells[index]

    def output(cells, at):
        return cells[index].outputs[at]

    yield (
        "never run",
        "count removed",
        lambda cells: cells[index].update(execution_count=None),
    )
    for at, out in enumerate(cell.outputs):
        yield (
            "missing output",
            f"output {at + 1} removed",
            lambda cells, at=at: cells[index].outputs.pop(at),
        )
        yield (
            "extra output",
            f"output {at + 1} twice",
            lambda cells, at=at: cells[index].outputs.append(
                output(cells, at)
            ),
        )
        if "text" in out:
            for position in digits(out.text):
                text = changed_digit(out.text, position)
                yield (
                    "digit",
                    f"digit {position} of {out.text[:30]!r}",
                    lambda cells, at=at, text=text: output(cells, at).update(
                        text=text
                    ),
                )
            yield (
                "word",
                "a letter of its text",
                lambda cells, at=at: output(cells, at).update(
                    text=output(cells, at)["text"].replace("e", "a", 1) + "."
                ),
            )
        if MIME in out.get("data", {}):
            other = figures[(figures.index(index) + 1) % len(figures)]
            yield (
                "other figure",
                "that of another cell",
                lambda cells, at=at, other=other: output(cells, at).update(
                    data=next(
                        o.data
                        for o in cells[other].outputs
                        if MIME in o.get("data", {})
                    )
                ),
            )
            yield (
                "figure data",
                "removed",
                lambda cells, at=at: output(cells, at)["data"].pop(MIME),
            )
            for line in range(0, len(out.data[MIME]["artists"]), 4):
                yield (
                    "artist",
                    f"artist {line} removed",
                    lambda cells, at=at, line=line: output(cells, at)["data"][
                        MIME
                    ]["artists"].pop(line),
                )


def digits(text):
    """Return the places of the first two digits of each number in a text."""
    return [
        match.start() + at
        for match in compare.NUMBER.finditer(text)
        for at in range(len(match[1]), min(len(match[0]), len(match[1]) + 2))
        if text[match.start() + at].isdigit()
    ]


def changed_digit(text, position):
    """Return a text with one digit changed by five."""
    digit = (int(text[position]) + 5) % 10
    return f"{text[:position]}{digit}{text[position + 1 :]}"


# All together


def run(frameworks, sample=None, seed=SEED, families=("cells",), workers=2):
    """Plant and judge faults.

    Args:
        frameworks: names; missing ones are left out.
        sample: at most so many of each family, or None for all.
        seed: of the sample.
        families: out of "cells", "module" and "stored".
        workers: kernels at a time.

    Returns:
        A list of judged `Mutant`.
    """
    frameworks = [name for name in frameworks if not why_missing(name)]
    pairs = [(f, n) for f in frameworks for n in sources.names()]
    rng, found, jobs = random.Random(seed), [], []
    if "cells" in families:
        chosen_mutants = [m for f, n in pairs for m in cell_mutants(n, f)]
        chosen_mutants = pick(rng, chosen_mutants, sample)
        groups = defaultdict(list)
        for mutant in chosen_mutants:
            groups[mutant.where].append(mutant)
        for where, group in groups.items():
            jobs.append((judge_cells, *where.split("/"), group))
        found += chosen_mutants
    if "module" in families:
        group = pick(rng, module_mutants(), sample)
        for part in range(workers):
            jobs.append((judge_modules, group[part::workers]))
        found += group
    jobs.sort(key=lambda job: -len(job[-1]))  # the longest first
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(*job) for job in jobs if job[-1]]:
            future.result()
    if "stored" in families:
        stored = [m for f, n in pairs for m in stored_mutants(n, f)]
        stored = pick(rng, stored, sample)
        for where, group in itertools.groupby(stored, lambda m: m.where):
            judge_stored(where, group)
        found += stored
    return found


def pick(rng, mutants, sample):
    """Return a random sample that holds every rule, in its first order."""
    if sample is None or sample >= len(mutants):
        return mutants
    by_rule = defaultdict(list)
    for number, mutant in enumerate(mutants):
        by_rule[mutant.rule].append(number)
    for numbers in by_rule.values():
        rng.shuffle(numbers)
    taken = []
    while len(taken) < sample:  # one of each rule in turn
        for numbers in by_rule.values():
            if numbers and len(taken) < sample:
                taken.append(numbers.pop())
    return [mutants[number] for number in sorted(taken)]


def report(mutants):
    """Return a table by family and rule, and the survivors by name."""
    rows = defaultdict(Counter)
    for mutant in mutants:
        rows[mutant.family, mutant.rule][mutant.verdict] += 1
        where = mutant.where.partition("/")[0]
        rows[mutant.family, f"({where})"][mutant.verdict] += 1
    lines = ["family   rule             caught / planted   equivalent"]
    for (family, rule), count in sorted(rows.items()):
        planted = count["caught"] + count["survived"]
        lines.append(
            f"{family:8} {rule:18} {count['caught']:4} / {planted:4}"
            f" {count['equivalent']:12}"
        )
    total = Counter(mutant.verdict for mutant in mutants)
    planted = total["caught"] + total["survived"]
    lines.append(
        f"in all {total['caught']} of {planted} caught, "
        f"{total['equivalent']} more are equivalent"
    )
    for mutant in mutants:
        if mutant.verdict == "survived":
            lines.append(
                f"SURVIVED {mutant.where} {mutant.place} "
                f"[{mutant.rule}] {mutant.what}"
            )
    return "\n".join(lines)


def main():
    """Run the whole, or what is asked for; exit with 1 if any survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--sample", type=int, help="at most so many a family")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--families", default="cells module stored")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    if arguments.verbose:
        os.environ["MUTANTS_VERBOSE"] = "1"
    started = time.perf_counter()
    mutants = run(
        chosen(arguments.frameworks) or list(FRAMEWORKS),
        arguments.sample,
        arguments.seed,
        arguments.families.split(),
    )
    print(report(mutants))
    print(f"{time.perf_counter() - started:.0f} s")
    sys.exit(any(mutant.verdict == "survived" for mutant in mutants))


if __name__ == "__main__":
    main()
