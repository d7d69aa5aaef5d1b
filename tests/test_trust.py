"""Which notebooks Jupyter trusts, and so shows figures of."""

import os
import shutil
import subprocess

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.author import notebooks, trust

HARMLESS = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
HOSTILE = {"text/html": "<script>alert(1)</script>"}


def notebook(data):
    """Return the text of a notebook with one output."""
    shown = new_output("display_data", data)
    cell = new_code_cell("draw()", id="draw", outputs=[shown])
    return notebooks.dumps(new_notebook(cells=[cell]))


def trusted(path):
    """Tell whether Jupyter trusts a notebook, as its server asks."""
    notary = NotebookNotary(data_dir=os.environ["JUPYTER_DATA_DIR"])
    return notary.check_signature(nbformat.read(path, as_version=4))


def git(project, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *arguments], cwd=project, check=True)


def commit(project):
    """Let git know a project, and commit all of it."""
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "-qm", "All")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with three notebooks, and a user who is new to Jupyter."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "checkout" / "notebooks"
    (folder / "numpy").mkdir(parents=True)
    for number in "123":
        path = folder / "numpy" / f"0{number}.ipynb"
        path.write_text(notebook({**HARMLESS, "text/plain": number}))
    commit(folder.parent)
    return folder


def test_what_is_committed_is_trusted_and_what_others_changed_is_not(
    checkout, capfd
):
    numpy, elsewhere = checkout / "numpy", checkout / "../../elsewhere.ipynb"
    hostile = [elsewhere, numpy / "02.ipynb", numpy / "03.ipynb"]
    hostile += [numpy / "04.ipynb", checkout / "my" / "05.ipynb"]
    hostile += [numpy / ".ipynb_checkpoints" / "01.ipynb"]
    for number, path in enumerate(hostile):
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook({**HOSTILE, "text/plain": str(number)}))
    (numpy / "06.ipynb").symlink_to(elsewhere)
    git(checkout, "add", numpy / "03.ipynb", numpy / "04.ipynb")
    trust.published(checkout)
    assert capfd.readouterr() == ("", "")
    assert trusted(numpy / "01.ipynb")
    for path in (*hostile, numpy / "06.ipynb"):
        assert not trusted(path), path
    git(checkout, "checkout", "-q", "HEAD", ".")
    assert trusted(numpy / "02.ipynb")
    commit(checkout.parent)
    trust.published(checkout, "HEAD~1")
    assert not trusted(numpy / "04.ipynb")


def test_a_broken_notebook_a_link_and_line_ends_of_windows_do_no_harm(
    checkout, capfd
):
    numpy = checkout / "numpy"
    (numpy / "00.ipynb").write_text("<<<<<<< HEAD")
    (numpy / "02.ipynb").write_text("[]")
    (numpy / "06.ipynb").symlink_to("../../../elsewhere.ipynb")
    commit(checkout.parent)
    git(checkout, "config", "core.autocrlf", "true")
    path = numpy / "01.ipynb"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    trust.published(checkout)
    assert capfd.readouterr() == ("", "")
    assert trusted(path) and trusted(numpy / "03.ipynb")


def test_where_nothing_can_be_signed_one_line_says_so(
    checkout, tmp_path, monkeypatch, capfd
):
    (tmp_path / "file").touch()
    (tmp_path / "data" / "notebook_secret").mkdir(parents=True)
    for data in ("file", "data"):
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / data))
        trust.published(checkout)
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("Jupyter may hide stored figures: ")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "new"))
    shutil.rmtree(checkout.parent / ".git")
    trust.published(checkout)
    monkeypatch.setenv("PATH", str(tmp_path))
    trust.published(checkout)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2 and all("jupyter trust" in line for line in lines)
