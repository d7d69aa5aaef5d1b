"""Accepting a changed output of a notebook that is generated."""

import subprocess
import sys

import nbformat
import pytest

from nbsight import MIME
from tests.test_trust import trusted
from tools.author import build, check, sources
from tools.author.accept import Generated

STRICT = "[pytest]\naddopts = -ra -n 2\nfilterwarnings = error\n"


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


KILLED = """
import os, signal, sys
from pathlib import Path
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from tools.author.accept import Generated, accept
accept.accept(sys.argv[1:], True, Generated())
"""


TINY = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Tiny

```{code-cell} ipython3
import d2lmini as d2l

print(6 * 7, 2.5)
```

Between.

```{code-cell} ipython3
:alt: A line.

d2l.plot([1, 2], [3, 4])
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The path of a notebook as a build has made it from a tiny lesson."""
    folder = tmp_path_factory.mktemp("project") / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder.parent / "pytest.ini").write_text(STRICT)
    (folder / "source" / "01_tiny.md").write_text(TINY)
    options = ("--frameworks", "numpy", "--folder", folder)
    assert run("tools.author.build", *options).returncode == 0
    return folder / "numpy" / "01_tiny.ipynb"


@pytest.fixture
def generated(built):
    """The same, and its text; put back afterwards."""
    source = built.parents[1] / "source" / "01_tiny.md"
    before = built.read_bytes()
    yield built, source, before
    built.write_bytes(before)
    source.write_text(TINY)


def change(path):
    """Change a stored number and figure as if the code had changed since."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = output.text.replace("2.5", "1.5")
            else:
                output.data[MIME]["artists"] = ["axes[0].xlim\t[0, 1]"]
                output.data["image/svg+xml"] = "<svg/>"
    nbformat.write(notebook, path)


def test_a_generated_notebook_is_written_as_a_build_writes_it(generated):
    path, _, before = generated
    change(path)
    notebook = nbformat.read(path, 4)
    notebook.metadata.language_info.version = "3.0"  # as JupyterLab saves it
    nbformat.write(notebook, path)
    marks = path.parents[2] / "build" / "written"
    for mark in marks.iterdir():
        mark.unlink()
    answer = run("tools.author.accept", "--yes", path)
    assert answer.returncode == 0, answer.stdout
    assert "stored 1.5, now 2.5" in answer.stdout
    assert "different: 2 of " in answer.stdout
    assert path.read_bytes() == before and trusted(path)
    assert check.check(path.parents[1], ["numpy"]) == []
    notebook = nbformat.read(path, 4)
    assert (marks / build.content_hash(notebook)).exists()


def test_what_it_keeps_of_a_notebook_that_nobody_trusts_is_not_signed(
    generated,
):
    path, *_ = generated
    text = path.read_text().replace("</svg>", "<script/></svg>")
    path.write_text(text.replace("42 2.5", "42 1.5"))
    answer = run("tools.author.accept", "--yes", path)
    assert "different: 1 of " in answer.stdout
    assert "<script/>" in path.read_text() and not trusted(path)


def test_a_notebook_that_is_not_what_its_source_gives_is_refused(generated):
    path, source, _ = generated
    source.write_text(TINY.replace("6 * 7", "6 * 8"))
    before = path.read_bytes()
    answer = run("tools.author.accept", "--yes", path)
    assert answer.returncode == 1
    assert "source is not what the source gives" in answer.stdout
    assert "make notebooks" in answer.stdout
    notebook = nbformat.read(path, 4)
    notebook.cells[-2].source = "My own notes."
    nbformat.write(notebook, path)
    answer = run("tools.author.accept", "--yes", path)
    assert answer.returncode == 1
    assert "01_tiny.ipynb: changed by hand" in answer.stdout
    assert "notebooks/source/01_tiny.md" in answer.stdout
    assert before not in path.read_bytes()


def test_what_the_check_of_stored_notebooks_refuses_is_refused(generated):
    path, source, _ = generated
    source.write_text(TINY.replace(":alt: A line.\n\n", ""))
    change(path)
    before = path.read_bytes()
    answer = run("tools.author.accept", "--yes", path)
    assert answer.returncode == 1
    assert 'option "alt"' in answer.stdout
    assert path.read_bytes() == before


def test_a_killed_one_leaves_the_generated_notebook(generated):
    path, *_ = generated
    change(path)
    before = path.read_bytes()
    answer = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=sources.ROOT,
        capture_output=True,
    )
    assert answer.returncode == -9, answer.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("word", ["", "YES=1"])
def test_make_hands_the_answer_on(word):
    recipe = subprocess.check_output(
        [
            *("make", "--dry-run", "--no-print-directory", "accept"),
            *("NOTEBOOK=some.ipynb", word or "X="),
        ],
        cwd=sources.ROOT,
        text=True,
    )
    words = recipe.split("-m tools.author.accept")[1].split()
    assert words == (["--yes"] if word else []) + ["some.ipynb"]
    assert Generated.yes == "YES=1"
