"""Which notebooks Jupyter trusts (tools/trust.py), and so shows figures of."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.author import build
from tools.author.sources import ROOT

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C")
HARMLESS = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
HOSTILE = {"text/html": "<script>alert(1)</script>"}


def notebook(data):
    """Return the text of a notebook with one output."""
    shown = new_output("display_data", data)
    cell = new_code_cell("draw()", id="draw", outputs=[shown])
    return build.dumps(new_notebook(cells=[cell]))


def trusted(path):
    """Tell whether Jupyter trusts a notebook, as its server asks."""
    notary = NotebookNotary(data_dir=os.environ["JUPYTER_DATA_DIR"])
    return notary.check_signature(nbformat.read(path, as_version=4))


def make_lab(folder, **env):
    """Run, in a checkout, what `make lab` runs before JupyterLab."""
    return subprocess.run(
        [sys.executable, "-m", "tools.author.trust"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **env},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with three notebooks, and a user who is new to Jupyter."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "checkout"
    (folder / "tools" / "nbsight").mkdir(parents=True)
    for name in ("__init__", "trust", "nbsight/__init__", "nbsight/light"):
        shutil.copy(ROOT / f"tools/{name}.py", folder / f"tools/{name}.py")
    (folder / "notebooks" / "numpy").mkdir(parents=True)
    for number in "123":
        path = folder / "notebooks" / "numpy" / f"0{number}.ipynb"
        path.write_text(notebook({**HARMLESS, "text/plain": number}))
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run([*GIT, folder, "add", "--all"], check=True)
    subprocess.run([*GIT, folder, "commit", "-qm", "Lessons"], check=True)
    return folder


def test_what_is_committed_is_trusted_and_what_others_changed_is_not(checkout):
    numpy = checkout / "notebooks" / "numpy"
    elsewhere = checkout.parent / "elsewhere.ipynb"
    hostile = [elsewhere, numpy / "02.ipynb", numpy / "03.ipynb"]
    hostile += [numpy / "04.ipynb", checkout / "notebooks/my/05.ipynb"]
    hostile += [numpy / ".ipynb_checkpoints" / "01.ipynb"]
    for number, path in enumerate(hostile):
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook({**HOSTILE, "text/plain": str(number)}))
    (numpy / "06.ipynb").symlink_to(elsewhere)
    (checkout / "notebooks" / "jax").symlink_to(checkout.parent)
    staged = (checkout, "add", numpy / "03.ipynb", numpy / "04.ipynb")
    subprocess.run([*GIT, *staged], check=True)
    answer = make_lab(checkout)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert trusted(numpy / "01.ipynb")
    for path in (*hostile, numpy / "06.ipynb"):
        assert not trusted(path), path
    subprocess.run([*GIT, checkout, "checkout", "-q", "HEAD", "."], check=True)
    assert trusted(numpy / "02.ipynb")


def test_a_notebook_with_the_line_ends_of_windows_is_trusted(checkout):
    subprocess.run([*GIT, checkout, "config", "core.autocrlf", "true"])
    path = checkout / "notebooks" / "numpy" / "01.ipynb"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert make_lab(checkout).returncode == 0
    assert trusted(path)


def test_a_broken_notebook_is_passed_over(checkout):
    numpy = checkout / "notebooks" / "numpy"
    (numpy / "00.ipynb").write_text("<<<<<<< HEAD")
    (numpy / "02.ipynb").write_text("[]")
    subprocess.run([*GIT, checkout, "add", "--all"], check=True)
    subprocess.run([*GIT, checkout, "commit", "-qm", "Oh"], check=True)
    answer = make_lab(checkout)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert trusted(numpy / "03.ipynb")


def test_where_nothing_can_be_signed_one_line_says_so(checkout, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "data" / "notebook_secret").mkdir(parents=True)
    for data in ("file", "data"):
        answer = make_lab(checkout, JUPYTER_DATA_DIR=str(tmp_path / data))
        assert answer.returncode == 0
        (line,) = answer.stderr.splitlines()
        assert line.startswith("Jupyter may hide stored figures: ")
    without = [make_lab(checkout, PATH=str(tmp_path))]
    shutil.rmtree(checkout / ".git")
    without.append(make_lab(checkout))
    for answer in without:
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "jupyter trust" in answer.stdout
        assert len(answer.stdout.splitlines()) == 1


def test_what_a_build_writes_is_trusted_and_no_build_stops_at_that(
    tmp_path, monkeypatch, capsys
):
    figure = HARMLESS | {"application/json": {"dpi": 100.0}}
    made = nbformat.reads(notebook(figure), as_version=4)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "numpy" / "01.ipynb"
    build.put_in_place(made, path, tmp_path / "build")
    assert trusted(path)
    path.unlink()
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file"))
    build.put_in_place(made, path, tmp_path / "build")
    assert json.loads(path.read_text())["cells"]
    assert "may hide" in capsys.readouterr().err
