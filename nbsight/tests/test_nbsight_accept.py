"""Accepting a changed output on purpose."""

import io
import json
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbsight.accept import accept, dumps
from nbsight.execute import execute

from nbsight import MIME

CELLS = {
    "noise": "print('loss 0.123456')",
    "result": "print('é', 2.5)",
    "value": "7 * 6",
    "curve": "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);",
}


@pytest.fixture
def lesson(tmp_path):
    """A notebook, one output changed within tolerance, two beyond it.

    The form is one that nbformat does not write.
    """
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -ra -n 2\nfilterwarnings = error\n"
    )
    cells = [new_code_cell(source, id=id) for id, source in CELLS.items()]
    executed = execute(new_notebook(cells=cells), tmp_path)
    noise, result, value, curve = executed.cells
    noise.outputs[0].text = "loss 0.123459\n"
    result.outputs[0].text = "é 1.5\n"
    value.metadata = {"tags": ["mine"], "collapsed": False}
    curve.outputs[0].data[MIME]["artists"] = ["axes[0].xlim\t[0, 1]"]
    curve.outputs[0].data["image/svg+xml"] = "<svg/>"
    notebook = json.loads(nbformat.writes(executed, sort_keys=False))
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps(notebook, indent="\t"))
    return path


def test_it_shows_what_differs_and_stores_only_that(lesson, capsys):
    before = lesson.read_text()
    assert accept([lesson]) == 1
    said = capsys.readouterr().out
    assert "lesson.ipynb, Cell 1 (result): print('é', 2.5)" in said
    assert "stored 1.5, now 2.5" in said
    assert "different: 2 of 4 cells" in said
    assert "no terminal to ask on" in said and "--yes" in said
    assert lesson.read_text() == before
    page = lesson.parent / "build" / "nbsight" / "lesson-differs.html"
    assert str(page) in said
    assert page.read_text().count("<img src=") == 2
    assert '"data:image/svg+xml;base64,PHN2Zy8+"' in page.read_text()
    assert "<pre>é 1.5\n</pre><td><pre>é 2.5\n</pre>" in page.read_text()

    assert accept([lesson], yes=True) == 0
    assert "lesson.ipynb: accepted" in capsys.readouterr().out
    expected, after = json.loads(before), json.loads(lesson.read_text())
    assert after["cells"][1]["outputs"][0]["text"] == ["é 2.5\n"]
    figure = after["cells"][3]["outputs"][0]["data"][MIME]
    assert isinstance(figure["artists"], str)
    for index in (1, 3):
        expected["cells"][index]["outputs"] = after["cells"][index]["outputs"]
    assert lesson.read_text() == json.dumps(expected, indent="\t")

    assert accept([lesson]) == 0
    assert "lesson.ipynb: nothing differs" in capsys.readouterr().out
    assert lesson.read_text() == json.dumps(expected, indent="\t")


@pytest.mark.parametrize("form", [{"indent": 2}, {"ensure_ascii": False}])
def test_the_form_of_a_file_is_kept(form):
    notebook = {"cells": ["é", {"b": 1, "a": []}], "nbformat": 4}
    text = json.dumps(notebook, **form) + "\n"
    notebook["nbformat_minor"] = 5
    assert dumps(notebook, text) == json.dumps(notebook, **form) + "\n"


class Terminal(io.StringIO):
    """What somebody types on a terminal."""

    def isatty(self):
        return True


def test_on_a_terminal_it_asks(tmp_path, capsys, monkeypatch):
    path = tmp_path / "never_run.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1", id="one")]), path)
    before = path.read_bytes()
    monkeypatch.setattr(sys, "stdin", Terminal("n\ny\n"))
    assert accept([path]) == 1
    assert "Store the new outputs? [y/N]" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert accept([path]) == 0
    assert "was never run" in capsys.readouterr().out
    assert json.loads(path.read_text())["cells"][0]["execution_count"] == 1


REFUSED = {
    "an error": (["1 / 0"], ["raised ZeroDivisionError: division by zero"]),
    "a dead kernel": (
        ["import os\nos._exit(1)"],
        ["stopped by DeadKernelError"],
    ),
    "what the check refuses": (
        [
            "import sys\nprint('oh', file=sys.stderr)",
            "# NBVAL_IGNORE_OUTPUT\nprint(1)",
        ],
        [
            'on stderr: "oh"',
            "switch this check off",
            "1 of the file has no id",
        ],
    ),
    "a change meanwhile": (
        [
            "from pathlib import Path\n"
            "path = Path('lesson.ipynb')\n"
            "path.write_text(path.read_text() + ' ')"
        ],
        ["changed meanwhile"],
    ),
}


def test_what_would_not_pass_the_check_is_refused(tmp_path, capsys):
    paths, before = [], []
    for case, (sources, _) in REFUSED.items():
        path = tmp_path / case / "lesson.ipynb"
        path.parent.mkdir()
        cells = [new_code_cell(source) for source in (*sources, "1")]
        text = nbformat.writes(new_notebook(cells=cells))
        if "refuses" in case:
            text = re.sub('"id": "[^"]*",', "", text, count=1)
        path.write_text(text)
        paths.append(path)
        before.append(text)
    assert accept(paths, yes=True) == 1
    said = capsys.readouterr().out
    for words, (_, expected) in zip(
        said.split(": executing\n")[1:], REFUSED.values(), strict=True
    ):
        assert all(each in words for each in expected), words
    assert "accepted" not in said
    assert [path.read_text().rstrip() for path in paths] == before


def test_what_is_no_notebook_is_named(tmp_path, capsys):
    path = tmp_path / "broken.ipynb"
    null = new_notebook(cells=[new_code_cell("1")])
    null.cells[0].outputs = [{"output_type": "display_data", "data": None}]
    for text in ("{", json.dumps(null)):
        path.write_text(text)
        assert accept([path]) == 1
        said = capsys.readouterr().err
        assert "broken.ipynb" in said and "not a notebook" in said
    assert accept([tmp_path / "missing.ipynb"]) == 1
    assert "missing.ipynb" in capsys.readouterr().err


KILLED = """
import os, signal, sys
from pathlib import Path
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from nbsight.__main__ import main
main()
"""


def test_a_command_that_is_killed_leaves_the_stored_notebook(tmp_path):
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1", id="one")]), path)
    before = path.read_bytes()
    command = [sys.executable, "-c", KILLED, "accept", "--yes", str(path)]
    assert subprocess.run(command, capture_output=True).returncode == -9
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.ipynb")) == [path]
