"""Accepting a changed output on purpose (tools/nbsight/accept.py)."""

import json
import os
import pty
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbsight.accept import dumps
from nbsight.execute import execute

from nbsight import MIME
from tools.author import sources

ALONE = "nbsight.accept"
STRICT = "[pytest]\naddopts = -ra -n 2\nfilterwarnings = error\n"
CELLS = {
    "noise": "print('loss 0.123456')",
    "result": "print('é', 2.5)",
    "value": "7 * 6",
    "imports": "import matplotlib.pyplot as plt",
    "curve": "plt.plot([1, 2, 4])\nplt.show()",
}


def run(module, *arguments, **options):
    """Run a module of this repository without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=sources.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **options,
    )


def passes(path):
    """Tell whether the check is content with a notebook."""
    plugin = ("-p", "nbsight.plugin", "--nbval", "-q")
    return run("pytest", *plugin, path).returncode == 0


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A small notebook as it was executed once, as JSON."""
    notebook = new_notebook(
        cells=[new_code_cell(source, id=id) for id, source in CELLS.items()]
    )
    execute(notebook, tmp_path_factory.mktemp("executed"))
    return nbformat.writes(notebook)


def stored(path, text, **form):
    """Store a notebook whose outputs are changed where the tests look.

    One is changed within the tolerance, two beyond it. The form is one that
    nbformat does not write.
    """
    notebook = json.loads(text)
    noise, result, value, _, curve = notebook["cells"]
    noise["outputs"][0]["text"] = ["loss 0.123459\n"]
    result["outputs"][0]["text"] = ["é 1.5\n"]
    value["metadata"] = {"tags": ["mine"], "collapsed": False}
    artists = "axes[0].xlim\t[0, 1]"
    curve["outputs"][0]["data"][MIME]["artists"] = [artists]
    path.write_text(json.dumps(notebook, **(form or {"indent": "\t"})))
    return json.loads(path.read_text())


@pytest.fixture
def lesson(executed, tmp_path):
    """The path of the small notebook with outputs that differ."""
    (tmp_path / "pytest.ini").write_text(STRICT)
    path = tmp_path / "lesson.ipynb"
    stored(path, executed)
    return path


def test_without_a_terminal_it_shows_what_differs_and_writes_nothing(lesson):
    before = lesson.read_bytes()
    answer = run(ALONE, lesson)
    assert answer.returncode == 1
    assert "lesson.ipynb, Cell 1 (result): print('é', 2.5)" in answer.stdout
    assert "stored 1.5, now 2.5" in answer.stdout
    assert "different: 2 of 5 cells" in answer.stdout
    assert "no terminal to ask on" in answer.stdout
    assert "--yes" in answer.stdout
    assert lesson.read_bytes() == before
    page = lesson.parent / "build" / "nbsight" / "lesson-differs.html"
    assert str(page) in answer.stdout
    assert page.read_text().count("<img src=") == 2
    assert "<pre>é 1.5\n</pre><td><pre>é 2.5\n</pre>" in page.read_text()


def test_only_cells_that_differ_get_new_outputs(lesson, executed):
    before = json.loads(lesson.read_text())
    answer = run(ALONE, "--yes", lesson)
    assert answer.returncode == 0, answer.stdout
    assert "lesson.ipynb: accepted" in answer.stdout
    after = json.loads(lesson.read_text())
    assert after["cells"][1]["outputs"][0]["text"] == ["é 2.5\n"]
    assert isinstance(
        after["cells"][4]["outputs"][0]["data"][MIME]["artists"], str
    )
    for index in (1, 4):
        before["cells"][index]["outputs"] = after["cells"][index]["outputs"]
    assert lesson.read_text() == json.dumps(before, indent="\t")
    again = lesson.read_bytes()
    answer = run(ALONE, lesson)
    assert answer.returncode == 0
    assert "lesson.ipynb: nothing differs" in answer.stdout
    assert lesson.read_bytes() == again


@pytest.mark.parametrize("form", [{"indent": 2}, {"ensure_ascii": False}])
def test_the_form_of_a_file_is_kept(form):
    notebook = {"cells": ["é", {"b": 1, "a": []}], "nbformat": 4}
    text = json.dumps(notebook, **form) + "\n"
    notebook["nbformat_minor"] = 5
    assert dumps(notebook, text) == json.dumps(notebook, **form) + "\n"


@pytest.mark.parametrize("word", ["y", "n"])
def test_on_a_terminal_it_asks(lesson, word):
    before = lesson.read_bytes()
    ours, theirs = pty.openpty()
    os.write(ours, f"{word}\n".encode())
    answer = subprocess.run(
        [sys.executable, "-m", ALONE, str(lesson)],
        cwd=sources.ROOT,
        stdin=theirs,
        capture_output=True,
        text=True,
    )
    os.close(ours)
    os.close(theirs)
    assert "Store the new outputs? [y/N]" in answer.stdout
    assert answer.returncode == (0 if word == "y" else 1)
    assert (lesson.read_bytes() == before) == (word == "n")


REFUSED = {
    "an error": ("1 / 0", "raised ZeroDivisionError: division by zero"),
    "stderr": ("import sys\nprint('oh', file=sys.stderr)", 'on stderr: "oh"'),
    "a switch": ("# NBVAL_IGNORE_OUTPUT\nprint(1)", "switch this check off"),
    "a dead kernel": ("import os\nos._exit(1)", "stopped by DeadKernelError"),
    "a cell without id": ("'no id'", "cell 1 of the file has no id"),
    "a change meanwhile": (
        "from pathlib import Path\n"
        "path = Path('lesson.ipynb')\n"
        "path.write_text(path.read_text() + ' ')",
        "changed meanwhile",
    ),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What is said of each case, and whether its notebook was written."""
    paths = {}
    for case, (source, _) in REFUSED.items():
        folder = tmp_path_factory.mktemp("refused")
        paths[case] = folder / "lesson.ipynb"
        cells = [new_code_cell(source), new_code_cell("1")]
        text = nbformat.writes(new_notebook(cells=cells))
        if "without id" in case:
            text = re.sub('"id": "[^"]*",', "", text, count=1)
        paths[case].write_text(text)
    before = {case: path.read_text() for case, path in paths.items()}
    answer = run(ALONE, "--yes", *paths.values())
    assert answer.returncode == 1
    said = answer.stdout.split(": executing\n")[1:]
    return {
        case: (
            words,
            paths[case].read_text().rstrip() != before[case].rstrip(),
        )
        for case, words in zip(paths, said, strict=True)
    }


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_pass_the_check_is_refused(refusals, case):
    words, written = refusals[case]
    assert REFUSED[case][1] in words
    assert "accepted" not in words
    assert not written


def test_a_notebook_that_was_never_run_is_recorded(tmp_path):
    path = tmp_path / "lesson.ipynb"
    cells = [new_code_cell(source, id=id) for id, source in CELLS.items()]
    nbformat.write(new_notebook(cells=cells), path)
    answer = run(ALONE, "--yes", path)
    assert answer.returncode == 0, answer.stdout
    assert "was never run" in answer.stdout
    assert passes(path)


def test_what_is_no_notebook_is_named(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{")
    answer = run(ALONE, tmp_path / "broken.ipynb")
    assert answer.returncode == 1
    assert "broken.ipynb" in answer.stderr
    assert "not a notebook" in answer.stderr
    answer = run(ALONE, tmp_path / "missing.ipynb")
    assert answer.returncode == 1
    assert "missing.ipynb" in answer.stderr


KILLED = """
import os, signal, sys
from pathlib import Path
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from {module} import {what}
accept.main({store}, sys.argv[1:])
"""


def killed(path, module="nbsight", what="accept", store=""):
    """Accept a notebook, but be killed where it is put in its place."""
    code = KILLED.format(module=module, what=what, store=store or None)
    return subprocess.run(
        [sys.executable, "-c", code, "--yes", str(path)],
        cwd=sources.ROOT,
        capture_output=True,
    )


def test_one_that_is_killed_leaves_the_stored_notebook(lesson):
    before = lesson.read_bytes()
    assert killed(lesson).returncode == -9
    assert lesson.read_bytes() == before
    assert [path.name for path in lesson.parent.glob("*.ipynb")] == [
        "lesson.ipynb"
    ]
