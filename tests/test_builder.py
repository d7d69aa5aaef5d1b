"""The builder and the check, on small lessons, whole and broken."""

import difflib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client import AsyncKernelManager
from nbsight.execute import execute

from tools.author import build, check, sources
from tools.frameworks import FRAMEWORKS
from tools.setup_env import python_of

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


BUILD = (sys.executable, "-m", "tools.author.build", "--frameworks", "numpy")
SHARED = "```{code-cell} ipython3\nprint(6 * 7)\n```\n\n"
STEP = "".join(
    f'```{{code-cell}} ipython3\n:tags: [{name}]\n\nx = "{name}"\n```\n\n'
    for name in FRAMEWORKS
)
TINY = f"{HEAD}# Tiny\n\nSome words.\n\n{SHARED}Between.\n\n{STEP}The end.\n"


def code(source, tags=""):
    line = f":tags: [{tags}]\n\n" if tags else ""
    return f"```{{code-cell}} ipython3\n{line}{source}\n```\n\n"


@pytest.fixture
def project(tmp_path):
    """A folder with one tiny lesson, as a checkout would hold it."""
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "notebooks" / "source" / "01_tiny.md").write_text(TINY)
    return tmp_path


def run_build(project, *arguments):
    return subprocess.run(
        [*BUILD, "--folder", str(project / "notebooks"), *arguments],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
    )


def built(project):
    return project / "notebooks" / "numpy" / "01_tiny.ipynb"


def check_numpy(project):
    return check.check(project / "notebooks", ["numpy"])


# Generating


def test_each_framework_gets_the_shared_cells_and_its_own():
    lesson = sources.parse("01_tiny", TINY)
    assert sources.problems(lesson) == []
    for name in FRAMEWORKS:
        texts = [cell.source for cell in lesson.notebook(name).cells]
        assert texts == [
            f"# Tiny\n\n{sources.siblings('01_tiny', name)}\n\nSome words.",
            sources.alone(name),
            "print(6 * 7)",
            "Between.",
            f'x = "{name}"',
            "The end.",
        ]


def test_variants_of_a_step_share_an_id_and_ids_are_unique():
    for lesson in map(sources.read, sources.names()):
        ids = [
            [cell.id for cell in lesson.notebook(name).cells]
            for name in FRAMEWORKS
        ]
        assert all(row == ids[0] for row in ids)
        assert len(set(ids[0])) == len(ids[0])


def test_each_notebook_opens_with_links_to_its_siblings(framework):
    for name in sources.names():
        folder = sources.NOTEBOOKS / framework
        notebook = sources.read(name).notebook(framework)
        title, _, line = notebook.cells[0].source.splitlines()[:3]
        assert title.startswith("# ")
        links = re.findall(r"\((\S+?)\)", line)
        others = [other for other in FRAMEWORKS if other != framework]
        assert links == [f"../{other}/{name}.ipynb" for other in others]
        assert all((folder / link).exists() for link in links)
        assert f"**{FRAMEWORKS[framework].title}**" in line


def test_a_notebook_with_all_it_needs_installs_nothing(framework):
    notebook = sources.read(sources.names()[0]).notebook(framework)
    (cell,) = [cell for cell in notebook.cells if cell.id == "alone"]
    asked = []
    code = TransformerManager().transform_cell(cell.source)
    shell = SimpleNamespace(run_line_magic=lambda *magic: asked.append(magic))
    exec(code, {"get_ipython": lambda: shell})
    assert asked == []


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


def opened_alone(python, folder, monkeypatch):
    """Run a notebook's first cell, and a look for d2lmini; return outputs."""
    notebook = sources.read("01_attention_cues").notebook("numpy")
    look = "from importlib.util import find_spec\nprint(find_spec('d2lmini'))"
    notebook.cells = [
        *(cell for cell in notebook.cells if cell.id == "alone"),
        nbformat.v4.new_code_cell(look),
    ]
    manager = AsyncKernelManager()
    manager.kernel_spec.argv[0] = str(python)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    execute(notebook, folder, km=manager)
    said, found = (
        "".join(out.get("text", "") for out in cell.outputs)
        for cell in notebook.cells
    )
    return said, found.strip()


def test_opened_alone_a_notebook_says_what_it_lacks_and_installs_nothing(
    elsewhere, tmp_path, monkeypatch
):
    said, found = opened_alone(elsewhere, tmp_path, monkeypatch)
    missing, remedy = said.splitlines()
    assert missing == "Not found here: d2lmini"
    assert "make lab FRAMEWORK=numpy" in remedy and "zip" in remedy
    assert found == "None"
    for framework in FRAMEWORKS:
        assert "%pip" not in sources.alone(framework)


def test_from_a_published_address_only_the_wheel_with_that_hash_is_installed(
    elsewhere, tmp_path, monkeypatch
):
    wheels = tmp_path / "wheels"
    make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    make += ["--no-build-isolation", "--wheel-dir", wheels, sources.ROOT]
    subprocess.run(make, check=True)
    (wheel,) = wheels.glob("*.whl")
    handler = partial(QuietHandler, directory=wheels)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{wheel.name}"
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        monkeypatch.setattr(sources, "published", lambda: (address, sha256))
        content = wheel.read_bytes()
        wheel.write_bytes(content + b" ")  # not what was published
        _, found = opened_alone(elsewhere, tmp_path, monkeypatch)
        assert found == "None"
        wheel.write_bytes(content)
        _, found = opened_alone(elsewhere, tmp_path, monkeypatch)
        assert str(tmp_path / "venv") in found
        server.shutdown()
    code = "import anyarray, d2lmini, handson.live, pooling.numpy"
    subprocess.run([elsewhere, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("urls", ["d2lmini", "https://x/a.whl", "x#sha256=0"])
def test_an_address_without_a_hash_is_refused_by_name(
    urls, tmp_path, monkeypatch
):
    text = f'[project]\nname = "a"\n[project.urls]\nWheel = "{urls}"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    with pytest.raises(sources.LessonError, match=f"Wheel: .*got '{urls}'"):
        sources.published()


def test_nobody_is_told_to_install_a_name_that_is_not_published():
    ours = {"attention-pooling", "anyarray", "d2lmini", "handson", "nbsight"}
    ours |= {"pooling"}
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md", "*.py", "*.ipynb", "Makefile"],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if name.startswith("tests/"):
            continue
        text = (sources.ROOT / name).read_text("utf-8")
        for words in re.findall(r"pip install (.*)", text):
            for word in re.split(r"[\s\"'`\[]+", words):
                assert word not in ours, (name, words)


def test_a_one_line_edit_changes_one_line_of_each_notebook(framework):
    name = sources.names()[-1]
    text = (sources.SOURCE / f"{name}.md").read_text()
    line = next(line for line in text.splitlines() if "**Why.**" in line)
    before = sources.parse(name, text).notebook(framework)
    edited = text.replace(line, line + " Edited.", 1)
    after = sources.parse(name, edited).notebook(framework)
    difference = [
        line
        for line in difflib.ndiff(
            build.dumps(before).splitlines(), build.dumps(after).splitlines()
        )
        if line[0] in "+-"
    ]
    assert [line[0] for line in difference] == ["-", "+"]
    assert "Edited." in difference[1]


BROKEN = {
    "no cell for a framework": (
        TINY.replace(code('x = "numpy"', "numpy"), ""),
        "has 0 cells for numpy",
    ),
    "two cells for a framework": (
        TINY.replace(STEP, code("x = 1", "numpy") + STEP),
        "has 2 cells for numpy",
    ),
    "a misspelt tag": (
        TINY.replace("[numpy]", "[nunpy]"),
        "unknown tag 'nunpy'",
    ),
    "prose for one framework": (
        TINY + '+++ {"tags": ["numpy"]}\n\nOnly NumPy.\n',
        "prose is the same for all",
    ),
    "a raw directive": (
        TINY + ":::{note}\nhello\n:::\n",
        "a raw directive",
    ),
    "a long cell": (
        TINY + code("\n".join(f"a = {i}" for i in range(13))),
        "13 lines, expected at most 12",
    ),
    "a wide cell": (
        TINY + code("a = " + "1" * 80),
        "84 columns, expected at most 79",
    ),
    "three cells in a row": (
        TINY + code("a = 1") + code("a = 2") + code("a = 3"),
        "the third code cell in a row",
    ),
    "a syntax error": (TINY + code("a = = 1"), "not valid Python"),
    "no title": (TINY.replace("# Tiny", "Tiny"), "begins with no title"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_lesson_is_named_with_cell_and_remedy(case):
    text, message = BROKEN[case]
    found = sources.problems(sources.parse("01_tiny", text))
    assert any(message in problem for problem in found), found
    assert all(problem.startswith("01_tiny: ") for problem in found)


def test_a_framework_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match=r"framework: expected one of .*'jx'"):
        sources.read(sources.names()[0]).notebook("jx")
    with pytest.raises(SystemExit, match="Unknown framework 'jx'"):
        build.chosen("numpy jx")


NUMBERS = {
    "100.0": "100",
    "-0.0": "0",
    "1e+20": "100000000000000000000",
    "1.2345678901234567e+19": "12345678901234567000",
    "1e+21": "1e+21",
    "2.5": "2.5",
    "1e-07": "1e-07",
    "3": "3",
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_written_as_jupyterlab_will_save_it(number):
    data = json.loads(f'{{"application/json": {{"dpi": [{number}]}}}}')
    shown = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("draw()", outputs=[shown])
    written = build.dumps(nbformat.v4.new_notebook(cells=[cell]))
    (line,) = re.findall(r'"dpi": \[\s*(\S+)', written)
    assert line == NUMBERS[number]
    again = nbformat.reads(written, as_version=4)
    assert build.dumps(again) == written


# Building


def test_a_build_executes_and_a_second_one_gives_the_same_bytes(project):
    assert run_build(project).returncode == 0
    first = built(project).read_bytes()
    assert check_numpy(project) == []
    assert "42" in nbformat.read(built(project), 4).cells[2].outputs[0].text
    assert run_build(project).returncode == 0
    assert built(project).read_bytes() == first


def test_a_notebook_changed_by_hand_is_left_alone_and_named(project):
    assert run_build(project).returncode == 0
    notebook = nbformat.read(built(project), 4)
    notebook.cells[2].source = "My own notes."
    nbformat.write(notebook, built(project))
    mine = built(project).read_bytes()
    answer = run_build(project)
    assert answer.returncode == 1
    assert "notebooks/numpy/01_tiny.ipynb: changed by hand" in answer.stderr
    assert "to keep the change" in answer.stderr
    assert "to drop the change: make notebooks FORCE=1" in answer.stderr
    assert built(project).read_bytes() == mine
    assert run_build(project, "--force").returncode == 0
    assert "My own notes." not in built(project).read_text()


def test_running_a_notebook_is_no_change_by_hand(project):
    lesson = sources.parse("01_tiny", TINY)
    assert run_build(project).returncode == 0
    notebook = nbformat.read(built(project), 4)
    notebook.cells[2].outputs[0].text = "43\n"
    notebook.cells[2].execution_count = 9
    nbformat.write(notebook, built(project))
    assert not build.changed_by_hand(
        built(project), lesson.notebook("numpy"), project / "build"
    )


def test_editing_the_source_twice_is_no_change_by_hand(project):
    source = project / "notebooks" / "source" / "01_tiny.md"
    for words in ("Other words.", "Still other words."):
        assert run_build(project).returncode == 0
        source.write_text(TINY.replace("Some words.", words))
    assert run_build(project).returncode == 0
    assert "Still other words." in built(project).read_text()


def test_a_cell_that_fails_is_named_and_nothing_is_written(project):
    source = project / "notebooks" / "source" / "01_tiny.md"
    source.write_text(TINY.replace("6 * 7", "1 / 0"))
    answer = run_build(project)
    assert answer.returncode == 1
    assert 'cell tiny-2 ("print(1 / 0)"): ZeroDivisionError' in answer.stderr
    assert not built(project).exists()


def test_a_killed_build_leaves_no_broken_file_and_the_next_completes(project):
    assert run_build(project).returncode == 0
    before = built(project).read_bytes()
    source = project / "notebooks" / "source" / "01_tiny.md"
    source.write_text(TINY.replace("6 * 7", "__import__('time').sleep(60)"))
    process = subprocess.Popen(
        [*BUILD, "--folder", str(project / "notebooks")],
        cwd=sources.ROOT,
        start_new_session=True,
    )
    time.sleep(5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert built(project).read_bytes() == before
    files = [path.name for path in built(project).parent.iterdir()]
    assert files == ["01_tiny.ipynb"]
    source.write_text(TINY.replace("6 * 7", "6 * 8"))
    assert run_build(project).returncode == 0
    assert "48" in built(project).read_text()


# Checking

FAULTS = {
    "another source": (
        lambda nb: nb.cells[2].update(source="print(43)"),
        "source is not what the source gives",
    ),
    "another id": (
        lambda nb: nb.cells[2].update(id="other"),
        "id is not what the source gives",
    ),
    "cells in another order": (
        lambda nb: nb.cells.insert(0, nb.cells.pop()),
        "is not what the source gives",
    ),
    "a cell too few": (lambda nb: nb.cells.pop(), "5 cells"),
    "a cell that was never run": (
        lambda nb: nb.cells[2].update(execution_count=None),
        "execution count None, expected 2",
    ),
    "a cell run twice": (
        lambda nb: nb.cells[4].update(execution_count=7),
        "execution count 7, expected 3",
    ),
    "an output that is gone": (
        lambda nb: nb.cells[2].update(outputs=[]),
        "its output is missing (stream)",
    ),
    "an error": (
        lambda nb: nb.cells[2].outputs.append(
            nbformat.v4.new_output("error", ename="E", evalue="e")
        ),
        "holds an error",
    ),
    "another kernel": (
        lambda nb: nb.metadata.kernelspec.update(name="ir"),
        "its metadata are not what the source gives",
    ),
    "another language": (
        lambda nb: nb.metadata.language_info.update(name="R"),
        "its metadata are not what the source gives",
    ),
    "metadata of one's own": (
        lambda nb: nb.metadata.update(title="Mine"),
        "its metadata are not what the source gives",
    ),
    "stderr": (
        lambda nb: nb.cells[2].outputs.append(
            nbformat.v4.new_output("stream", name="stderr", text="oh")
        ),
        "printed on stderr",
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny notebook as a build leaves it, made without a kernel."""
    notebook = sources.parse("01_tiny", TINY).notebook("numpy")
    for count, cell in enumerate([notebook.cells[i] for i in (1, 2, 4)], 1):
        cell.execution_count = count
    notebook.cells[2].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="42\n")
    ]
    return build.dumps(notebook)


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_a_stored_notebook_is_named_with_its_remedy(
    project, finished, case
):
    plant, message = FAULTS[case]
    built(project).parent.mkdir()
    built(project).write_text(finished)
    assert check_numpy(project) == []
    notebook = nbformat.reads(finished, 4)
    plant(notebook)
    built(project).write_text(build.dumps(notebook))
    found = check_numpy(project)
    assert len(found) == 1
    assert found[0].startswith("notebooks/numpy/01_tiny.ipynb: ")
    assert message in found[0]
    assert "make notebooks" in found[0]


def test_what_jupyter_adds_on_saving_is_no_edit(project, finished):
    lesson = sources.parse("01_tiny", TINY)
    built(project).parent.mkdir()
    notebook = nbformat.reads(finished, 4)
    notebook.metadata.language_info.update(
        codemirror_mode={"name": "ipython", "version": 3},
        nbconvert_exporter="python",
        version="3.12.1",
    )
    nbformat.write(notebook, built(project))
    assert check_numpy(project) == []
    assert not build.changed_by_hand(
        built(project), lesson.notebook("numpy"), project / "build"
    )


def test_missing_broken_and_unknown_notebooks_are_named(project, finished):
    assert "missing; run: make notebooks" in check_numpy(project)[0]
    built(project).parent.mkdir()
    built(project).write_text(finished[:-100])
    assert "not a readable notebook" in check_numpy(project)[0]
    built(project).write_text(finished)
    (built(project).parent / "scratch.ipynb").write_text(finished)
    (found,) = check_numpy(project)
    assert "scratch.ipynb: belongs to no lesson" in found


def test_a_figure_without_a_text_is_named(project):
    source = project / "notebooks" / "source" / "01_tiny.md"
    draws = "import d2lmini as d2l\n\nd2l.plot([1, 2], [3, 4])"
    source.write_text(HEAD + "# Tiny\n\nWords.\n\n" + code(draws))
    assert run_build(project).returncode == 0
    (problem,) = check_numpy(project)
    assert 'option "alt"' in problem
    cell = code(draws).replace("ipython3\n", "ipython3\n:alt: A line.\n\n")
    source.write_text(HEAD + "# Tiny\n\nWords.\n\n" + cell)
    assert check_numpy(project) == []


def test_committed_notebooks_hold_nothing_of_any_machine():
    for path in sources.NOTEBOOKS.glob("*/*.ipynb"):
        notebook = json.loads(path.read_text())
        assert notebook["metadata"] == sources.METADATA, path
        assert str(sources.ROOT.parent) not in path.read_text(), path
        for cell in notebook["cells"]:
            assert cell["metadata"].keys() <= {"tags"}, (path, cell["id"])
