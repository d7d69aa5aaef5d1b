"""Accepting a changed output on purpose."""

import io
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbsight.accept import accept
from nbsight.execute import execute
from nbsight.widgets import WIDGET

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
    "an error": (
        ["1 / 0"],
        [
            "raised ZeroDivisionError: division by zero; mend it, or tag",
            "no terminal to ask on",
            "give --tags",
        ],
    ),
    "an import": (["import no_such_thing"], ["install it for its kernel"]),
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
            'stderr: "oh"; silence it, or tag the cell nbsight-stderr-compare',
            "switch this check off; it is not allowed here; remove it",
        ],
    ),
    "a change meanwhile": (
        [
            "from pathlib import Path\n"
            "path = Path('lesson.ipynb')\n"
            "text = path.read_text()\n"
            "path.write_text(text.strip() + ' ');"
        ],
        ["changed meanwhile"],
    ),
    "a second time": (
        ["import os\nos.mkdir('new')"],
        ["raised FileExistsError", "(when run again); let it run again"],
    ),
}


def test_what_would_not_pass_the_check_is_refused(tmp_path, capsys):
    paths, before = [], []
    for case, (sources, _) in REFUSED.items():
        path = tmp_path / case / "lesson.ipynb"
        path.parent.mkdir()
        cells = [new_code_cell(source) for source in (*sources, "1")]
        path.write_text(nbformat.writes(new_notebook(cells=cells)))
        paths.append(path)
        before.append(path.read_text())
    assert accept(paths, yes=True) == 1
    said = capsys.readouterr().out
    for words, (_, expected) in zip(
        said.split(": executing\n")[1:], REFUSED.values(), strict=True
    ):
        assert all(each in words for each in expected), words
    assert "accepted" not in said
    assert [path.read_text().rstrip() for path in paths] == before


VARYING = {
    "import numpy as np\nnp.random.rand(3)": "seed it",
    "np.random.rand() < -1": None,
    "import os\nprint(os.getpid() % 1000 + 0.25)": "seed it, or tag it rtol",
    "import time\nprint(time.time())": "seed it",
    "object()": "set nbsight_masks = addresses",
    "print({*'abcdefgh'})": "sort what comes in another order",
    "import datetime\nprint(f'{datetime.datetime.now():%d %H}')": "seed it",
    "print(os.getcwd())": "set nbsight_masks = paths",
    "import matplotlib.pyplot as plt\nplt.plot(np.random.rand(3));": "seed",
    "print(open('../data.txt').read())": None,
    "import local\nlocal.answer": None,
    "import time\nos.system('echo by another process')\ntime.sleep(1)": None,
}


def test_what_varies_by_itself_is_named_and_passes_when_tagged(tmp_path):
    folder = tmp_path / "some notebooks"
    folder.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "data.txt").write_text("42")
    (folder / "local.py").write_text("answer = 42")
    path = folder / "a [1].ipynb"
    cells = [
        new_code_cell(source, id=f"id{number}")
        for number, source in enumerate(VARYING)
    ]
    nbformat.write(new_notebook(cells=cells), path)
    command = [sys.executable, "-m", "nbsight", "accept", "--yes", "--tags"]
    said = subprocess.check_output(
        [*command, path.name], cwd=folder, text=True
    )
    for number, remedy in enumerate(VARYING.values()):
        found = re.findall(rf"  Cell {number} \(id{number}\) varies.*", said)
        assert len(found) == (remedy is not None), said
        assert all(f"; {remedy}" in line for line in found), found

    cells = nbformat.read(path, 4).cells
    assert cells[-1].outputs[0].text == "by another process\n"
    tags = [cell.metadata.get("tags") for cell in cells]
    assert [bool(tag) for tag in tags] == [bool(r) for r in VARYING.values()]
    check = [sys.executable, "-m", "pytest", "--nbval", "-q", str(folder)]
    env = os.environ | {"PYTHONHASHSEED": "3"}
    subprocess.run(check, cwd="/", check=True, env=env)


ONCE = {
    "first": (
        "from pathlib import Path\n"
        "print('there' if Path('got').exists() else 'fetched')\n"
        "Path('got').touch()"
    ),
    "place": "import os\nassert 'nbsight-' not in os.getcwd()\nprint('there')",
}


def test_another_run_tells_a_first_time_and_a_place(tmp_path, capsys):
    for name, source in ONCE.items():
        cells = [new_code_cell(source, id="one")]
        (tmp_path / name).mkdir()
        nbformat.write(new_notebook(cells=cells), tmp_path / name / "a.ipynb")
    assert accept([tmp_path], yes=True) == 1  # the first time is another
    assert "runs only in its own place:\n  Cell 0" in capsys.readouterr().out
    assert accept([tmp_path], yes=True) == 0
    for path in tmp_path.rglob("*.ipynb"):
        assert nbformat.read(path, 4).cells[0].outputs[0].text == "there\n"
    capsys.readouterr()
    assert accept([tmp_path]) == 0
    assert capsys.readouterr().out.count("nothing differs") == 2


def test_cells_that_raise_on_purpose_get_their_tags(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    sources = "1 / 0", "print(2)", "undefined", "print(4)"
    cells = [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells), path)
    assert accept([path], yes=True, tags=True) == 0
    cells = nbformat.read(path, 4).cells
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4]
    assert [bool(cell.metadata.get("tags")) for cell in cells] == [1, 0, 1, 0]
    assert cells[2].outputs[0].ename == "NameError"
    assert accept([path]) == 0
    assert "nothing differs" in capsys.readouterr().out


def test_form_and_kernel_are_no_obstacle_and_one_file_stops_no_other(
    tmp_path, capsys
):
    first = tmp_path / "1.ipynb"
    first.write_text("{")
    locked, old, named = (tmp_path / f"{name}.ipynb" for name in "234")
    notebook = new_notebook(cells=[new_code_cell("print(1)", id="one")])
    nbformat.write(notebook, locked)
    locked.chmod(0o444)
    notebook.metadata.kernelspec = {"name": "conda-foo", "display_name": "f"}
    nbformat.write(notebook, named)
    del notebook.metadata["kernelspec"], notebook.cells[0]["id"]
    notebook.nbformat_minor = 4
    notebook.cells[0].outputs = [new_output("error", ename="stale")]
    notebook.cells.append(new_code_cell("2", execution_count=9))
    old.write_text("\ufeff" + json.dumps(notebook))
    assert accept([tmp_path], yes=True) == 1
    said, error = capsys.readouterr()
    assert "1.ipynb: not a notebook: no JSON" in error
    assert "2.ipynb: refused: it is read-only; allow writing" in said
    assert "3.ipynb: byte order mark removed; nbformat 4.4 converted" in said
    assert "3.ipynb: accepted" in said
    assert "No such kernel named conda-foo (there are: " in said
    assert "give --current-env" in said
    cells = json.loads(old.read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2]
    assert cells[0]["outputs"][0]["text"] == ["1\n"]
    assert accept([named], yes=True, options=["--nbval-current-env"]) == 0


def test_states_of_widgets_are_stored_with_their_views(tmp_path):
    pytest.importorskip("ipywidgets")
    path = tmp_path / "lesson.ipynb"
    sources = "import ipywidgets\nipywidgets.IntSlider(3)", "print(1)"
    cells = [new_code_cell(source, id=source[:2]) for source in sources]
    nbformat.write(new_notebook(cells=cells), path)
    for text in ("1\n", "2\n"):
        notebook = nbformat.read(path, 4)
        notebook.cells[1].source = f"print({text.strip()})"
        nbformat.write(notebook, path)
        assert accept([path], yes=True) == 0
        notebook = nbformat.read(path, 4)
        (state,) = notebook.metadata.widgets.values()
        view = notebook.cells[0].outputs[0].data[WIDGET]
        assert state["state"][view.model_id].state.value == 3


def test_diff_shows_what_differs_and_writes_nothing(lesson, capsys):
    before = lesson.read_bytes()
    assert accept([lesson], only_show=True) == 1
    said = capsys.readouterr().out
    assert "stored 1.5, now 2.5" in said and "differs.html" in said
    assert "lesson.ipynb: differs" in said
    assert lesson.read_bytes() == before
    text = lesson.read_text().replace("1.5", "2.5")
    notebook = json.loads(text)
    del notebook["cells"][3]
    lesson.write_text(json.dumps(notebook))
    assert accept([lesson], only_show=True) == 0
    assert "nothing differs" in capsys.readouterr().out


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
