"""A notebook that is opened alone: what it lacks, and what it installs."""

import hashlib
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tools.author import house_rules, sources
from tools.frameworks import FRAMEWORKS

ADDRESS = "https://example.org/a.whl", "0" * 64


def asked_of_ipython(source):
    """Run a cell here; return the magics that it calls, with their words."""
    asked, names = [], {}

    def run_line_magic(name, words):  # IPython, too, puts in what is named
        asked.append((name, words.format(**names)))

    shell = SimpleNamespace(run_line_magic=run_line_magic)
    names["get_ipython"] = lambda: shell
    exec(TransformerManager().transform_cell(source), names)
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
            wanted = (
                f"attention-pooling[{name},live] @ {'#sha256='.join(wheel)}"
            )
            assert asked == [("pip", f'install --quiet "{wanted}"')]


@pytest.mark.parametrize("wheel", ["d2lmini", "https://x/a.whl", "x#sha256=0"])
def test_an_address_without_a_hash_is_refused_by_name(wheel, monkeypatch):
    project = {"project": {"urls": {"Wheel": wheel}}}
    monkeypatch.setattr(sources, "PYPROJECT", project)
    lessons, (said,) = house_rules.sound(sources.SOURCE)
    assert not lessons
    assert said.startswith("pyproject.toml, project.urls.Wheel: expected")
    assert said.endswith(f"got '{wheel}'")


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


@pytest.mark.slow
def test_from_a_published_address_only_the_wheel_with_that_hash_is_installed(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    make = ["wheel", "--no-deps", "--no-build-isolation", sources.ROOT]
    subprocess.run([*pip, *make], cwd=tmp_path, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    content = wheel.read_bytes()
    address = wheel.as_uri(), hashlib.sha256(content).hexdigest()
    ((_, words),) = asked_of_ipython(sources.alone("numpy", address))
    install = [*pip, *shlex.split(words), "--no-deps", "--target=site"]
    wheel.write_bytes(content + b" ")  # not what was published
    assert subprocess.run(install, cwd=tmp_path).returncode != 0
    assert not (tmp_path / "site").exists()
    wheel.write_bytes(content)
    subprocess.run(install, cwd=tmp_path, check=True)
    code = "import anyarray, d2lmini, handson.live, pooling.numpy"
    monkeypatch.setenv("PYTHONPATH", "site")
    subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, check=True
    )
    assert (tmp_path / "site" / "d2lmini").exists()
