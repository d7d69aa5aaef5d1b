"""Notebooks that mean harm, or are in a bad state: nothing else suffers."""

import base64
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbsight.execute import ROOM, CellFailed, execute
from nbsight.places import own_lines, source_lines
from nbsight.report import CONTROL
from test_nbsight_notebooks import notebook, verify

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
TAGS = {
    *("html", "meta", "title", "style", "h1", "pre", "table", "tr", "th"),
    *("td", "img", "mark", "details", "summary", "small", "p", "code"),
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.sources = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value for name, value in attrs if name == "src"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A notebook with script wherever it can be; the report and the page."""
    folder = tmp_path_factory.mktemp("hostile")
    data = {
        "image/png": SCRIPT,
        "image/jpeg": PNG,
        f"text/{SCRIPT}": SCRIPT,
        "application/json": {SCRIPT: [SCRIPT]},
        "text/html": SCRIPT,
        "text/plain": f"one\n{SCRIPT}\nthree",
    }
    nb = notebook({"harm": f"# \x1b[2J\u202e\x9b {SCRIPT}"})
    nb.cells[0] = new_markdown_cell(f"# {SCRIPT}")
    nb.cells[1].outputs = [
        new_output("display_data", data, metadata={SCRIPT: SCRIPT}),
        new_output("display_data", {"image/png": PNG}),
        new_output("stream", text=SCRIPT + "\x1b[2J" + "x" * 30_000_000),
        new_output("error", ename=SCRIPT, evalue=SCRIPT, traceback=[SCRIPT]),
    ]
    nbformat.write(nb, folder / "harm.ipynb")
    said, _ = verify(folder)
    (page,) = (folder / "build" / "nbsight").iterdir()
    return said["harm", "harm"], page.read_text()


def test_nothing_in_a_notebook_runs_on_the_page(hostile):
    page = Page(hostile[1])
    assert page.tags <= TAGS
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.sources == [f"data:image/png;base64,{PNG}"]
    assert "default-src 'none'; img-src data:" in hostile[1]
    assert "&lt;script&gt;alert(1)" in hostile[1]
    assert len(hostile[1]) < 500_000


def test_nothing_in_a_notebook_controls_the_terminal(hostile):
    assert "\\x1b[2J\\u202e\\x9b" in hostile[0]
    assert not CONTROL.search(hostile[0])
    assert not CONTROL.search(hostile[1])


def test_a_file_that_is_no_notebook_stops_no_other(tmp_path):
    texts = {
        "empty": b"",
        "list": b"[]",
        "latin": "\u00e9".encode("latin-1"),
        "deep": b"[" * 100_000,
        "cells": b'{"cells": [5], "metadata": {}, "nbformat": 4}',
        "tags": nbformat.writes(notebook({"a": "1"})).encode(),
    }
    texts["tags"] = texts["tags"].replace(b'"metadata": {}', b'"metadata": 1')
    for name, text in texts.items():
        (tmp_path / f"{name}.ipynb").write_bytes(text)
    (tmp_path / "gone.ipynb").symlink_to("nowhere")
    (tmp_path / "folder.ipynb").mkdir()
    good = nbformat.writes(notebook({"a": "1;"}))
    (tmp_path / "good.ipynb").write_bytes(b"\xef\xbb\xbf" + good.encode())
    said, printed = verify(tmp_path)
    for name in texts:
        assert "not a notebook: " in said.pop((name, None))
    assert said == {("good", None): "", ("good", "a"): ""}
    assert "6 failed, 2 passed" in printed


def test_where_no_page_can_be_written_it_says_so(tmp_path):
    nbformat.write(notebook({"a": "1 / 0"}), tmp_path / "a.ipynb")
    said, _ = verify(tmp_path, "-o", "nbsight_folder=a.ipynb/pages")
    assert "both outputs: not written, Not a directory" in said["a", "a"]
    assert "raised ZeroDivisionError" in said["a", "a"]


def test_what_a_cell_puts_out_has_a_limit(tmp_path):
    endless = notebook({"a": "while True: print('x' * 100_000)"})
    with pytest.raises(CellFailed, match=f"more than {ROOM} characters"):
        execute(endless, tmp_path)
    assert sum(len(o.text) for o in endless.cells[1].outputs) <= ROOM


@pytest.mark.parametrize("size", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("text", ["", " ", "-", "\n", "\\", "[", "  | File "])
def test_places_are_found_in_linear_time(size, text):
    text = text * (size // max(1, len(text)))
    cell = new_code_cell(text, execution_count=1)
    cell.outputs = [
        new_output("error", ename="E", evalue=text, traceback=[text, text]),
        new_output("stream", name="stderr", text=text),
    ]
    start = time.process_time()
    assert own_lines(cell) == []
    del cell.outputs[0]
    assert own_lines(cell) == []
    (found,) = source_lines(nbformat.writes(notebook({"a": text})))[1:]
    assert len(found) == len(text.splitlines())
    assert time.process_time() - start < 10


RUNS = """
import os, signal, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.SIG_IGN)
Path(f"{os.getpid()}.kernel").touch()
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize(
    ("number", "command"),
    [
        (signal.SIGINT, ["pytest", "--nbval", "-q"]),
        (signal.SIGTERM, ["pytest", "--nbval", "-q", "-n", "2"]),
        (signal.SIGTERM, ["nbsight", "accept", "--yes", "a.ipynb"]),
    ],
)
def test_a_signal_ends_the_run_and_the_kernels(tmp_path, number, command):
    (tmp_path / "pytest.ini").touch()
    for name in "ab":
        nbformat.write(notebook({"a": RUNS}), tmp_path / f"{name}.ipynb")
    run = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (found := list(tmp_path.glob("*.kernel"))):
        assert run.poll() is None
        time.sleep(0.1)
    run.send_signal(number)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == (2 if "pytest" in command else 1)
    for path in found:
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.stem), 0)
    if "pytest" in command:
        words = "interrupted: 2 notebooks were not run: a.ipynb, b.ipynb"
        assert words in said
