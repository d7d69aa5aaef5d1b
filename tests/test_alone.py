"""A notebook that is opened alone: what it lacks, and what it installs."""

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client import AsyncKernelManager
from nbformat.v4 import new_code_cell, new_notebook
from nbsight.execute import execute

from tools.author import sources
from tools.frameworks import FRAMEWORKS
from tools.setup_env import python_of

ADDRESS = "https://example.org/a.whl", "0" * 64


def asked_of_ipython(source):
    """Run a cell here; return the magics that it calls."""
    asked = []
    shell = SimpleNamespace(run_line_magic=lambda *magic: asked.append(magic))
    code = TransformerManager().transform_cell(source)
    exec(code, {"get_ipython": lambda: shell})
    return asked


def test_a_notebook_with_all_it_needs_says_and_installs_nothing(capsys):
    assert asked_of_ipython(sources.alone("numpy", ADDRESS)) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("wheel", [None, ADDRESS])
def test_opened_alone_a_notebook_says_what_it_lacks(
    monkeypatch, capsys, wheel
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, framework in FRAMEWORKS.items():
        asked = asked_of_ipython(sources.alone(name, wheel))
        missing, remedy = capsys.readouterr().out.splitlines()
        assert missing == f"Not found here: d2lmini, {framework.module}"
        assert f"make lab FRAMEWORK={name}" in remedy and "zip" in remedy
        if wheel is None:  # a name that nobody published is nobody's to use
            assert asked == []
        else:
            ((_, words),) = asked
            assert words.endswith('{wheel}#sha256={sha256}"')


@pytest.mark.parametrize("wheel", ["d2lmini", "https://x/a.whl", "x#sha256=0"])
def test_an_address_without_a_hash_is_refused_by_name(wheel, monkeypatch):
    project = {"project": {"urls": {"Wheel": wheel}}}
    monkeypatch.setattr(sources, "PYPROJECT", project)
    with pytest.raises(sources.LessonError, match=f"Wheel: .*got '{wheel}'"):
        sources.published()


def test_nobody_is_told_to_install_a_name_that_is_not_published():
    ours = {"attention-pooling", "anyarray", "d2lmini", "handson", "nbsight"}
    ours |= {"pooling"}
    git = ["git", "ls-files", "-z", "*.md", "*.py", "*.ipynb", "Makefile"]
    listed = subprocess.check_output(git, cwd=sources.ROOT, text=True)
    for path in map(sources.ROOT.joinpath, listed.split("\0")[:-1]):
        if "tests" in path.parts or not path.exists():
            continue
        for words in re.findall(r"pip install (.*)", path.read_text("utf-8")):
            told = re.split(r"[\s\"'`\[]+", words)
            assert not ours.intersection(told), (path, words)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere(tmp_path):
    """Return the Python of an environment that lacks just this project."""
    site = tmp_path / "site"
    site.mkdir()
    ours = "attention_pooling", "_attention_pooling"
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(ours):
            (site / path.name).symlink_to(path)
    venv = [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"]
    subprocess.run(venv, check=True)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (packages / "all.pth").write_text(f"{site}\n")
    return python_of(tmp_path / "venv")


def found_after(source, python, folder):
    """Run a cell in an environment; return where d2lmini is then."""
    look = "from importlib.util import find_spec\nprint(find_spec('d2lmini'))"
    cells = [new_code_cell(source), new_code_cell(look)]
    manager = AsyncKernelManager()
    manager.kernel_spec.argv[0] = str(python)
    execute(new_notebook(cells=cells), folder, km=manager)
    return cells[1].outputs[0].text.strip()


@pytest.mark.slow
def test_from_a_published_address_only_the_wheel_with_that_hash_is_installed(
    elsewhere, tmp_path, monkeypatch
):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    unpublished = sources.alone("numpy")
    assert found_after(unpublished, elsewhere, tmp_path) == "None"
    wheels = tmp_path / "wheels"
    make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    make += ["--no-build-isolation", "--wheel-dir", wheels, sources.ROOT]
    subprocess.run(make, check=True)
    (wheel,) = wheels.glob("*.whl")
    handler = partial(QuietHandler, directory=wheels)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{wheel.name}"
        content = wheel.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        source = sources.alone("numpy", (address, sha256))
        wheel.write_bytes(content + b" ")  # not what was published
        assert found_after(source, elsewhere, tmp_path) == "None"
        wheel.write_bytes(content)
        found = found_after(source, elsewhere, tmp_path)
        assert str(tmp_path / "venv") in found
        server.shutdown()
    code = "import anyarray, d2lmini, handson.live, pooling.numpy"
    subprocess.run([elsewhere, "-c", code], cwd=tmp_path, check=True)
