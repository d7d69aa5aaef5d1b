"""A sample of what `make mutants` does as a whole."""

import ast
import re
import subprocess
import sys

import pytest

from tools.author.sources import ROOT
from tools.quality import mutants


def test_the_check_sees_a_random_sample_of_planted_faults():
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "tools.quality.mutants", "--sample", "16"),
            *("--families", "cells stored"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    caught, planted = re.search(
        r"in all (\d+) of (\d+)", answer.stdout
    ).groups()
    assert caught == planted
    assert int(planted) >= 24, answer.stdout


@pytest.mark.parametrize(
    ("source", "rule", "changed"),
    [
        ("y = -x", "sign", "y = +x"),
        ("y = a + b", "operator", "y = a - b"),
        ("y = a @ b", "operator", "y = b @ a"),
        ("y = a < b", "comparison", "y = a >= b"),
        ("y = f(a, axis=1)", "axis", "y = f(a, axis=0)"),
        ("y = f(a, b=c)", "keyword", "y = f(a)"),
        ("y = f(a, b)", "arguments", "y = f(b, a)"),
        ("y = [a, b]", "order", "y = [b, a]"),
        ("for i in range(a, b): f(i)", "range", "range(a, b + 1)"),
        ("y = 2", "constant", "y = 3"),
        ("y = 'label'", "text", "y = 'labe~'"),
        ("f(x)", "statement", "pass"),
    ],
)
def test_each_rule_plants_its_fault(source, rule, changed):
    found = [
        plant() for name, _, plant in mutants.changes(source) if name == rule
    ]
    assert any(changed in text for text in found), found
    assert all(ast.unparse(ast.parse(source)) != text for text in found)
