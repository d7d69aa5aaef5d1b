"""Notebooks, executed and verified as they are in use."""

import contextlib
import copy
import io
import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest
from jupyter_client import AsyncKernelClient
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)
from nbsight.execute import CellFailed, execute
from nbsight.places import own_lines, source_lines

from nbsight import MIME, artists

CELLS = {
    "imports": "import matplotlib.pyplot as plt\nimport numpy as np",
    "noise": "print('loss 0.123456')",
    "number": "print('loss 2.345678')",
    "tagged": "print('loss 2.345678')",
    "array": "np.array([1.0, 2.0])",
    "quiet": "np.array([1.0, 2.0]);",
    "curve": "plt.plot([0, 1, 2], [1, 2, 4], label='Pred')\nplt.ylabel('y');",
    "returned": "fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.close()\nfig",
    "gone": "plt.plot([1, 2]);",
    "mixed": "print('before')\nplt.plot([1, 2])\nplt.show()\ndisplay('after')",
    "handle": "handle = display('start', display_id=True)",
    "animated": (
        "from IPython.display import clear_output\n"
        "for i in range(3):\n"
        "    print('epoch', i)\n"
        "    clear_output(wait=True)\n"
        "    display(i)\n"
        "handle.update('end')"
    ),
    "names": "sorted(name for name in globals() if 'bundle' in name.lower())",
    "skip": "print('skip')",
    "comment": "# NBVAL_IGNORE_OUTPUT\nprint('comment')",
    "picture": "plt.plot([1, 2]);",
    "missing": "print('missing')",
    "stale": "print('stale')",
    "never": "print('never')",
}
WRONG = {
    "loud": "import sys\nprint('careful', file=sys.stderr)",
    "raised": "a = 1\nb = a / 0",
    "later": "print('later')",
}


def notebook(cells):
    """Return a notebook of cells with ids and counts, and a heading."""
    nb = new_notebook(cells=[new_markdown_cell("# Lesson\n\n## Training")])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python"}
    for count, (name, source) in enumerate(cells.items(), 1):
        cell = new_code_cell(source, id=name, execution_count=count)
        nb.cells.append(cell)
    return nb


def plant(nb):
    """Plant the faults that the tests below look for."""
    cells = {cell.id: cell for cell in nb.cells}
    cells["noise"].outputs[0].text = "loss 0.123460\n"
    cells["number"].outputs[0].text = "loss 2.345912\n"
    cells["tagged"].outputs[0].text = "loss 2.355678\n"
    cells["tagged"].metadata["tags"] = ["rtol-1e-2"]
    cells["array"].outputs[0].data["text/plain"] = "array([1., 3.])"
    bundle = cells["curve"].outputs[0].data[MIME]
    bundle["artists"] = [
        line.replace('"y":[1,2,4]', '"y":[1,2,4.02]').replace(
            '"text":"y"', '"text":"loss"'
        )
        for line in artists(bundle)
    ]
    cells["gone"].outputs *= 2
    cells["mixed"].outputs.append(cells["mixed"].outputs.pop(1))
    cells["skip"].metadata["tags"] = ["nbval-skip"]
    del cells["picture"].outputs[0].data[MIME]
    cells["missing"].outputs = []
    cells["stale"].execution_count += 9
    cells["never"].execution_count = None
    cells["never"].outputs = []
    return nb


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook as a project's builder makes it."""
    return execute(notebook(CELLS), tmp_path_factory.mktemp("executed"))


class Reports:
    """Keeps what pytest reports of each cell, by notebook and id."""

    def __init__(self, left_out):
        self.found, self.left_out = {}, left_out

    def pytest_collectstart(self, collector):
        """Do what nbval's documentation tells a project's conftest to do."""
        if hasattr(collector, "skip_compare"):  # a folder x.ipynb has not
            collector.skip_compare += self.left_out

    def pytest_runtest_makereport(self, item, call):
        if call.when == "call":
            name = item.cell.id if item.cell else None
            said = item.repr_failure(call.excinfo) if call.excinfo else ""
            self.found[item.path.stem, name] = str(said)


def verify(folder, *options, left_out=()):
    """Run the check over a folder in this process.

    Returns:
        What is said of each cell, and all that pytest prints.
    """
    reports, printed = Reports(left_out), io.StringIO()
    arguments = ["--nbval", "--capture=no", "--assert=plain", *options]
    arguments += ["-p", "no:cacheprovider", f"--rootdir={folder}"]
    with contextlib.redirect_stdout(printed):
        pytest.main([*arguments, str(folder)], [reports])
    return reports.found, printed.getvalue()


@pytest.fixture(scope="module")
def checked(executed, tmp_path_factory):
    """A folder of good and bad notebooks, the reports and all that is said."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "pytest.ini").write_text(
        "[pytest]\n"
        "filterwarnings = error\n"
        "nbsight_rerun = make nbval NOTEBOOK={path}\n"
    )
    wrong = notebook(WRONG)
    wrong.cells[2].outputs = [
        new_output("error", ename="ValueError", evalue="old")
    ]
    for name, nb in (
        ("a_wrong", wrong),
        ("empty", notebook({"blank": " "})),
        ("faulty", plant(copy.deepcopy(executed))),
    ):
        nbformat.write(nb, folder / f"{name}.ipynb")
    nameless = json.loads((folder / "empty.ipynb").read_text())
    del nameless["cells"][0]["id"]
    (folder / "nameless.ipynb").write_text(json.dumps(nameless))
    return folder, *verify(folder)


def test_an_executed_notebook_is_complete(executed):
    cells = {cell.id: cell for cell in executed.cells[1:]}
    counts = [cell.execution_count for cell in cells.values()]
    assert counts == list(range(1, len(CELLS) + 1))
    assert not any("execution" in cell.metadata for cell in cells.values())
    kinds = [output.output_type for output in cells["mixed"].outputs]
    assert kinds == ["stream", "display_data", "display_data"]
    for name in ("curve", "returned", "gone", "mixed", "picture"):
        outputs = cells[name].outputs
        data = next(each.data for each in outputs if "data" in each)
        assert {MIME, "image/png"} <= set(data)
        assert "artists" in data[MIME]
    assert cells["quiet"].outputs == []
    assert cells["names"].outputs[0].data["text/plain"] == "[]"
    assert cells["handle"].outputs[0].data["text/plain"] == "'end'"
    (output,) = cells["animated"].outputs  # updates and clearing are followed
    assert output.data["text/plain"] == "2"


def test_what_is_as_it_was_passes_and_so_does_noise(checked):
    said = {
        name: text for (nb, name), text in checked[1].items() if nb == "faulty"
    }
    green = {name for name, text in said.items() if not text}
    assert green == {
        *(None, "imports", "noise", "tagged", "quiet", "returned"),
        *("handle", "animated", "names"),
    }


@pytest.mark.parametrize(
    ("notebook", "cell", "said"),
    [
        ("faulty", "number", "stored 2.345912, now 2.345678"),
        ("faulty", "array", "stored 3., now 2."),
        ("faulty", "curve", 'lines["Pred"].y[2]: stored 4.02, now 4.0'),
        ("faulty", "curve", 'axes[0].ylabel: stored "loss", now "y"'),
        ("faulty", "gone", "stored 2 figure, now 1"),
        ("faulty", "mixed", "order: stored stdout, text, figure; now stdout"),
        ("faulty", "skip", "nbval-skip would switch this check off"),
        ("faulty", "comment", "NBVAL_IGNORE_OUTPUT would switch this check"),
        ("faulty", "picture", "picture was stored without its figure data"),
        ("faulty", "missing", "stored 0 stdout, now 1"),
        ("faulty", "stale", "not run in order: its count is 27, not 18"),
        ("faulty", "never", "was never run"),
        ("a_wrong", "loud", 'new output on stderr: "careful"'),
        ("a_wrong", "raised", "raised ZeroDivisionError: division by zero"),
        ("a_wrong", "raised", "in its line 2: b = a / 0"),
        ("a_wrong", "raised", "stored output is an error: ValueError: old"),
        ("a_wrong", "later", "not run: an earlier cell failed"),
        ("empty", None, "no code to run"),
        ("nameless", None, "cell 1 of the file has no id"),
    ],
)
def test_a_fault_in_a_notebook_is_said(checked, notebook, cell, said):
    assert said in checked[1][notebook, cell]


def test_a_report_is_short_and_says_all(checked):
    folder, said, _ = checked
    lines = said["faulty", "curve"].splitlines()
    assert len(lines) <= 10
    assert lines[0] == (
        'faulty.ipynb, Cell 6 (curve) under "Training": '
        "plt.plot([0, 1, 2], [1, 2, 4], label='Pred')"
    )
    assert "rerun: make nbval NOTEBOOK=faulty.ipynb" in lines[-1]
    (line,) = [line for line in lines if "pictures" in line]
    page = folder / line.split(": ")[1]
    assert page.read_text().count("<img src=") == 2


def test_a_failure_is_shown_at_once_and_hides_no_other(checked):
    at_once, later = checked[2].split("= FAILURES =")
    first = 'a_wrong.ipynb, Cell 0 (loud) under "Training"'
    assert at_once.index(first) < at_once.index("\nfaulty.ipynb")
    assert "Cell 1 (raised)" not in at_once
    assert "Cell 1 (raised)" in later and first in later
    assert "Cell 12 (names)" not in later and "Cell 18 (never)" in later
    assert "later" not in later
    assert re.search(r" failed, \d+ passed, 1 not run in ", later)


def test_with_workers_a_failure_is_shown_at_once_too(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # it repeats it, too
    nbformat.write(notebook({"bad": "1 / 0", "z": "1"}), tmp_path / "a.ipynb")
    nbformat.write(notebook({"good": "a = 1"}), tmp_path / "b.ipynb")
    # -rN: no summary, in which pytest repeats the whole message under CI=true.
    command = [sys.executable, "-m", "pytest", "--nbval", "-n", "2", "-rN"]
    run = subprocess.run(
        [*command, "--dist", "loadfile", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    at_once, later = run.stdout.split("= FAILURES =")
    for part in (at_once, later):
        assert part.count("raised ZeroDivisionError: division by zero") == 1
    assert "1 failed, 3 passed, 1 not run in " in later
    assert run.returncode == 1


def test_skipping_can_be_allowed(tmp_path):
    nb = notebook({"skip": "1 / 0", "comment": CELLS["comment"], "one": "1"})
    nb.cells[1].metadata["tags"] = ["nbval-skip"]
    for cell, count in zip(nb.cells[1:], (None, 1, 2), strict=True):
        cell.execution_count = count
    nb.cells[3].outputs = [new_output("execute_result", {"text/plain": "2"})]
    nb.cells[3].outputs[0].execution_count = 2
    nbformat.write(nb, tmp_path / "skips.ipynb")
    said, printed = verify(tmp_path, "-o", "nbsight_allow_skip=true")
    assert said["skips", "comment"] == said["skips", None] == ""
    assert "stored 2, now 1" in said["skips", "one"]
    assert "1 failed, 2 passed, 1 skipped" in printed


@pytest.mark.parametrize(
    ("source", "options", "index", "said"),
    [
        ("1", {"kernel_name": "nonesuch"}, None, "No such kernel"),
        ("while True: pass", {"timeout": 1}, 1, "timed out"),
    ],
)
def test_what_stops_the_execution_is_told(
    tmp_path, source, options, index, said
):
    with pytest.raises(CellFailed, match=said) as stopped:
        execute(notebook({"one": source}), tmp_path, **options)
    assert stopped.value.index == index


def test_without_files_dist_a_notebook_stays_on_one_worker(tmp_path):
    nb = notebook({"a": "open('runs', 'a').write('x');", "b": "1;"})
    nbformat.write(nb, tmp_path / "a.ipynb")
    verify(tmp_path, "-n", "2")
    assert (tmp_path / "runs").read_text() == "x"


ENDS = {  # cells, and what the last lines of the report say of them
    "exit": (
        ["import sys\nprint(1)\nsys.exit(0)", "1 / 0"],
        "the notebook ended itself in Cell 0",
    ),
    "leave": (["exit()", "1 / 0"], "the notebook ended itself in Cell 0"),
    "error": (["import sys\nsys.exit('bad')", "1"], "raised SystemExit: bad"),
    "skip": (["import pytest\npytest.skip('no\x1b[2J')"], "0: no\\x1b[2J"),
    "miss": (["import pytest\npytest.importorskip('nil')"], "could not imp"),
    "unit": (["1;", "import unittest\nraise unittest.SkipTest"], "skipped"),
    "fail": (["import pytest\npytest.fail('no')"], "raised Failed: no"),
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What is said of notebooks that end early."""
    folder = tmp_path_factory.mktemp("ends")
    for name, (sources, _) in ENDS.items():
        nb = notebook({f"c{i}": source for i, source in enumerate(sources)})
        if name == "exit":
            text = "/x/y.py:1: UserWarning: To exit: use 'exit', 'quit'\n"
            nb.cells[1].outputs = [
                new_output("stream", text="1\n"),
                new_output("error", ename="SystemExit", evalue="0"),
                new_output("stream", name="stderr", text=f"{text}  warn(1)\n"),
            ]
        nbformat.write(nb, folder / f"{name}.ipynb")
    return verify(folder, "-rs")


@pytest.mark.parametrize("name", ENDS)
def test_an_end_means_what_it_means_elsewhere(ends, name):
    assert ENDS[name][1] in ends[1]
    if name in ("exit", "leave"):
        assert ends[0][name, None] == ends[0][name, "c0"] == ""


def test_an_end_is_no_failure(ends):
    assert "2 failed, 8 passed, 7 skipped, 1 not run" in ends[1]


@pytest.mark.parametrize("form", [{}, {"indent": 1}, {"indent": "\t"}])
def test_a_cell_has_a_place_in_its_file(form):
    nb = notebook({"a": '# "source": [\n\\{', "b": "\n", "c": "", "d": "last"})
    nb.cells[1].metadata["source"] = ["no\n"]
    nb.cells[2].outputs = [
        new_output("display_data", {"application/json": [{"cells": 1}]})
    ]
    text = json.dumps(json.loads(nbformat.writes(nb)), **form)
    found, lines = source_lines(text), text.splitlines()
    assert [len(each) for each in found] == [3, 2, 1, 0, 1]
    for cell, places in zip(nb.cells, found, strict=True):
        for line, place in zip(cell.source.split("\n"), places, strict=False):
            assert json.dumps(line)[:-1] in lines[place]


TRACEBACKS = {  # of a cell with the count 5
    "9": ("Cell In[5], line 2\n      1 a\n----> 2 b", [2]),
    "8.0": ("Input In [5], in <cell line: 2>()\n      1 a\n----> 2 b", [2]),
    "7": ("<ipython-input-5-b7> in <module>\n      1 a\n----> 2 b", [2]),
    "syntax": ('  File "<ipython-input-5-b7>", line 2\n    b = = 1', [2]),
    "a library": ("File ~/lib.py:3, in f(x)\n----> 3 raise", []),
    "an earlier cell": ("Cell In[4], line 1, in f(x)\n----> 1 f(x)", []),
    "beyond": ("Cell In[5], line 9\n----> 9 b", []),
    "two of its lines": (
        "Cell In[5], line 3\n----> 3 f(0)\n\nFile ~/lib.py:1, in g()\n"
        "----> 1 g()\n\nCell In[5], line 1, in f(x)\n----> 1 1 / x",
        [3, 1],
    ),
    "the last of a chain": (
        "Cell In[5], line 1\n----> 1 a\n\nKeyError: 1\n\nDuring handling of "
        "the above exception, another exception occurred:\n\n"
        "ValueError\nCell In[5], line 3\n----> 3 b",
        [3],
    ),
    "its message": ("E: Cell In[5], line 1\nCell In[5], line 1", []),
}


@pytest.mark.parametrize("name", TRACEBACKS)
def test_an_error_is_at_a_line_of_its_own_cell(name):
    traceback, lines = TRACEBACKS[name]
    said = {"ename": "E", "evalue": "Cell In[5], line 1\nCell In[5], line 1"}
    error = new_output("error", traceback=["E", traceback], **said)
    cell = new_code_cell("a\nb\nc", execution_count=5, outputs=[error])
    assert own_lines(cell) == lines


def test_failures_are_annotated_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "a, b").mkdir()
    path = tmp_path / "a, b" / "c:d.ipynb"
    nb = notebook({"ok": "1;", "bad": "x = 100 % 7\n1 / 0", "later": "1"})
    nbformat.write(nb, path)
    junit = tmp_path / "junit.xml"
    options = ["-n", "2", f"--junitxml={junit}", "-o", "junit_family=xunit1"]
    _, printed = verify(tmp_path, *options)
    (line,) = [x for x in printed.splitlines() if x.startswith("::")]
    lines = path.read_text().splitlines()
    place = re.match(
        r"::error file=a%2C b/c%3Ad.ipynb,line=(\d+),title=", line
    )
    assert "1 / 0" in lines[int(place[1]) - 1]
    title, message = line[place.end() :].split("::", 1)
    assert title.endswith("x = 100 %25 7") and "Cell 1 (bad)" in title
    assert message.startswith("%0A  raised Zero") is False
    assert "in its line 2: 1 / 0%0A" in message
    (bad,) = ElementTree.parse(junit).findall(".//testcase[@name='Cell 1']")
    assert bad.get("file") == "a, b/c:d.ipynb"
    assert "x = 100" in lines[int(bad.get("line"))]
    (said,) = bad.findall(".//property[@name='line']")
    assert said.get("value") == place[1]


LEFT_OUT = {  # a cell, its tag, the output that is stored, and what is wrong
    "warned": ("w('careful')", "", "/tmp/ipykernel_1/2.py:1: W: careful", ""),
    "other": ("w('careful')", "", "W: careless", 'stored "W: careless", now'),
    "none": ("w('new')", "", "", "stored 0 stderr, now 1"),
    "ignored": ("w('new')", "ignore", "", ""),
    "mixed": ("w('1')\nprint(2)\nw('3')", "ignore", "", "stored 0 stdout"),
    "failed": ("w('new')", "fail", "", "new output on stderr"),
    "typo": ("1;", "compaer", "", "is none of nbsight-stderr-compare"),
    "masked": ("object()", "", "<object at 0x7f0123456789>", ""),
    "masked-in-part": ("object()", "", "<obj at 0x7f0123456789>", "<address>"),
    "html": ("display(HTML('<b>1</b>'))", "", "<b>2</b>", ""),
}


@pytest.fixture(scope="module")
def left_out(tmp_path_factory):
    """What is said of a notebook of whose outputs much is left out."""
    folder = tmp_path_factory.mktemp("left_out")
    (folder / "pytest.ini").write_text(
        "[pytest]\nnbsight_stderr = compare\nnbsight_masks = addresses\n"
    )
    start = "from IPython.display import HTML\nimport sys, re\ndef w(text):\n"
    start += (
        "    place = f'/tmp/ipykernel_{__import__(\"os\").getpid()}/2.py:1'\n"
    )
    start += "    text = f'{place}: W: {text}\\n'\n    sys.stderr.write(text)"
    nb = notebook({"start": start, **{k: v[0] for k, v in LEFT_OUT.items()}})
    for cell, (source, tag, text, _) in zip(
        nb.cells[2:], LEFT_OUT.values(), strict=True
    ):
        if tag:
            cell.metadata["tags"] = [f"nbsight-stderr-{tag}"]
        if text and source.startswith("w"):
            stream = {"name": "stderr", "text": f"{text}\n"}
            cell.outputs = [new_output("stream", **stream)]
        elif text.startswith("<o"):
            result = new_output("execute_result", {"text/plain": text})
            result.execution_count = cell.execution_count
            cell.outputs = [result]
        elif text:
            data = {"text/plain": "<IPython.core.display.HTML object>"}
            data["text/html"] = text
            cell.outputs = [new_output("display_data", data)]
    nbformat.write(nb, folder / "a.ipynb")
    return verify(folder, left_out=("text/html",))


@pytest.mark.parametrize("cell", LEFT_OUT)
def test_what_is_left_out_is_not_compared(left_out, cell):
    said, wanted = left_out[0]["a", cell], LEFT_OUT[cell][3]
    assert wanted in said if wanted else not said


def test_what_is_masked_is_said(left_out):
    assert "nbsight masked 2 addresses in 1 notebook" in left_out[1]


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("nbsight_stderr=no", "fail, compare, ignore"),
        ("nbsight_masks=addresses tmies", "tmies is none of addresses, "),
    ],
)
def test_a_wrong_word_is_a_usage_error(tmp_path, capsys, option, known):
    assert verify(tmp_path, "-o", option)[0] == {}
    said = capsys.readouterr().err
    assert option.partition("=")[0] in said and known in said


def test_a_kernel_that_does_not_start_is_started_again(tmp_path, monkeypatch):
    ready, died = AsyncKernelClient.wait_for_ready, []

    async def dies_at_first(self, timeout=None):
        if not died:
            died.append("Kernel died before replying to kernel_info")
            raise RuntimeError(died[0])
        await ready(self, timeout)

    monkeypatch.setattr(AsyncKernelClient, "wait_for_ready", dies_at_first)
    nbformat.write(notebook({"a": "1;"}), tmp_path / "a.ipynb")
    said, _ = verify(tmp_path, "--nbval-current-env")
    assert died and said == {("a", None): "", ("a", "a"): ""}
