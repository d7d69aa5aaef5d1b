"""What judges the check and the project: planted faults and measured costs."""

import ast
import re
import subprocess
import sys

import nbformat
import pytest
from nbsight.execute import execute

from tools.author import sources
from tools.quality import benchmarks, faults, readme_figure, rules, scale

PLANTED = {  # rule, source: what it becomes
    ("sign", "y = -x"): "y = +x",
    ("operator", "y = a + b"): "y = a - b",
    ("operator", "y = a - b"): "y = a + b",
    ("operator", "y = a @ b"): "y = b @ a",
    ("comparison", "y = a < b"): "y = a >= b",
    ("axis", "y = f(a, axis=1)"): "y = f(a, axis=0)",
    ("keyword", "y = f(a, b=c)"): "y = f(a)",
    ("arguments", "y = f(a, b)"): "y = f(b, a)",
    ("order", "y = [a, b]"): "y = [b, a]",
    ("range", "for i in range(a, b): f(i)"): "range(a, b + 1)",
    ("constant", "y = 2"): "y = 3",
    ("text", "y = 'label'"): "y = 'labe~'",
    ("statement", "f(x)"): "pass",
}
CELLS = [
    "import d2lmini as d2l",
    "level = 1 + 1e-4 * 0.1\nprint(f'at {level:.7f}')",
    "sum([3, 4])",
    "d2l.plot([0, 1], [1, 2], 'x', 'y')",
    "d2l.plot([0, 1], [3, 1], 'x', 'y')",
]


@pytest.mark.parametrize(("rule", "source"), PLANTED)
def test_each_rule_plants_its_fault(rule, source):
    found = [x() for name, _, x in rules.changes(source) if name == rule]
    assert any(PLANTED[rule, source] in text for text in found), found
    assert ast.unparse(ast.parse(source)) not in found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A notebook of five cells, executed."""
    path = tmp_path_factory.mktemp("numpy") / "tiny.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(execute(notebook, path.parent), path)
    return path


def test_every_fault_in_stored_outputs_is_caught(tiny):
    found = faults.in_outputs([tiny])
    faults.judge_all(found)
    assert len({fault.rule for fault in found}) == 8
    assert [f for f in found if f.verdict != "caught"] == []


def test_faults_in_code_are_caught_unless_nobody_sees_them(tiny):
    verdicts = {
        "'at '": "caught",  # is printed
        "[1, 2] swapped": "caught",  # is drawn
        "dropped axes.grid(True)": "caught",  # in d2lmini
        "[3, 4] swapped": "equivalent",
        "0.1 to 0.101": "survived",  # below every tolerance
    }
    found = [f for f in faults.in_modules([tiny]) if "axes.grid" in f.what]
    found = faults.in_cells([tiny]) + found[:1]
    named = {fault.what.partition(": ")[2]: fault for fault in found}
    for what in verdicts:
        faults.judge(named[what])
    assert {what: named[what].verdict for what in verdicts} == verdicts
    report = faults.report([named[what] for what in verdicts])
    (survivor,) = re.findall("SURVIVED .*", report)
    assert survivor.endswith("[constant] line 1: 0.1 to 0.101")
    assert (
        "cells    in all                  2 /       3            1" in report
    )


@pytest.mark.slow
def test_the_check_sees_a_random_sample_of_planted_faults():
    options = "faults --frameworks numpy --sample 8 --families cells stored"
    command = [sys.executable, "-m", "tools.quality", *options.split()]
    where = {"cwd": sources.ROOT, "capture_output": True, "text": True}
    answer = subprocess.run(command, **where)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "stored   in all                  8 /       8" in answer.stdout


def test_the_table_of_costs_says_what_failed():
    good = {"s": 2.0, "MiB": 3.0, "error": 1e-6, "ratio": 0.5}
    found = {(way, n): good for way in scale.WAYS for n in (10, 1000)}
    found["KeOps", 1000] = {"failed": scale.NO_MEMORY}
    rows = scale.table(found).splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert rows[-1] == "| KeOps | 0.5 x, 3.0, 1e-06 | out of memory |"
    assert "| fused | 2 s, 3.0, 1e-06 | 2 s, 3.0, 1e-06 |" in rows


def test_published_tables_hold_what_is_measured():
    page = benchmarks.PAGE.read_text("utf-8")
    titles = [title for title, _ in benchmarks.PARTS.values()]
    assert re.findall("^## (.*)$", page, re.M) == titles
    lines = scale.LESSON.read_text().splitlines()[4:]
    rows = [line.split(",")[:2] for line in lines]
    ways, sizes = scale.LESSON_WAYS, scale.SIZES
    assert rows == [[way, f"{n}"] for way in ways for n in sizes]


@pytest.mark.slow
def test_ways_to_pool_are_measured_each_in_its_process():
    matrix = 4 * 3000**2 / 2**20  # MiB
    small, large = (scale.measure(x, 3000) for x in ("fused", "broadcasting"))
    assert 0 < small["MiB"] < matrix / 2 < matrix <= large["MiB"] + 1
    assert small["error"] < 1e-4 > large["error"]
    assert scale.measure("fused", -1)["failed"].startswith("ValueError")


def test_readme_figure_is_what_the_lesson_draws(tmp_path):
    readme_figure.draw(tmp_path / "three-poolings.svg")
    drawn, stored = (
        # Its ids are hashes of what NumPy prints, which is its version's.
        re.sub(r"\bp[0-9a-f]{10}\b", "id", path.read_text())
        for folder in (tmp_path, sources.ROOT / "docs")
        for path in folder.glob("three-poolings.svg")
    )
    assert drawn == stored
