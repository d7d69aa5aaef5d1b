"""From a source to notebooks that are right (tools/author), in small."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.test_trust import commit, trusted
from tools.author import build, check, house_rules, notebooks, sources
from tools.author.generated import Generated
from tools.author.notebooks import WIDGET
from tools.frameworks import FRAMEWORKS, chosen


def code(source, options=""):
    return f"```{{code-cell}} ipython3\n{options}{source}\n```\n\n"


HEAD = "---\nkernelspec: {display_name: Python 3, name: python3}\n---\n\n"
STEP = "".join(
    code(f'x = "{name}"', f":tags: [{name}]\n\n") for name in FRAMEWORKS
)
TINY = (
    f"{HEAD}# Tiny\n\nSome words.\n\n{code('print(6 * 7)')}Between.\n\n{STEP}"
    f"The end.\n\n{code('print(2.5)')}"
)


def tiny(words="Some words."):
    """The tiny lesson's notebook, with other words on request."""
    text = TINY.replace("Some words.", words)
    return sources.parse("01_tiny", text).notebook("numpy")


def build_one(folder):
    """Build it in this process; return what went wrong."""
    lesson = sources.read("01_tiny", folder / "source")
    return build.build_one((lesson, folder / "numpy" / "01_tiny.ipynb"))


def check_numpy(folder):
    return check.check(folder, ["numpy"])


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "01_tiny.md").write_text(TINY)
    assert build_one(folder) is None
    return folder.parent


@pytest.fixture
def folder(built_once, tmp_path):
    """The notebooks of a project with a tiny lesson that has been built."""
    shutil.copytree(built_once, tmp_path / "project")
    return tmp_path / "project" / "notebooks"


@pytest.fixture
def path(folder):
    return folder / "numpy" / "01_tiny.ipynb"


def change(path, plant):
    """Change a notebook on disk as a person or Jupyter would."""
    notebook = nbformat.read(path, 4)
    plant(notebook)
    nbformat.write(notebook, path)


def author(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tools.author", *map(str, arguments)],
        cwd=sources.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def run_in_jupyter(notebook):
    """What a run gives and JupyterLab adds is no edit."""
    notebook.cells[2].outputs[0].text = "43\n"
    mode = {"name": "ipython", "version": 3}
    notebook.metadata.language_info.update(codemirror_mode=mode, version="3")


# Generating


def test_each_framework_gets_links_the_shared_cells_and_its_own():
    text = TINY.replace(":tags: [numpy]", ":tags: [numpy]\n:alt: A line.")
    lesson = sources.parse("01_tiny", text)
    assert house_rules.problems(lesson) == []
    for name, its in FRAMEWORKS.items():
        first, *texts = [cell.source for cell in lesson.notebook(name).cells]
        title, _, links, *words = first.splitlines()
        assert [title, *words] == ["# Tiny", "", "Some words."]
        assert f"**{its.title}**" in links
        others = [other for other in FRAMEWORKS if other != name]
        found = re.findall(r"\((\S+?)\)", links)
        assert found == [f"../{other}/01_tiny.ipynb" for other in others]
        assert texts == [
            *(sources.alone(name), "print(6 * 7)", "Between."),
            *(f'x = "{name}"', "The end.", "print(2.5)"),
        ]
    (step,) = [step for step in lesson.steps if step[1:]]
    assert [cell.alt for cell in step] == ["A line."] * len(FRAMEWORKS)


def test_a_one_line_edit_changes_one_line_of_a_notebook():
    before, after = (notebooks.dumps(tiny(w)) for w in ("One.", "Two."))
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    ((_, line),) = [pair for pair in pairs if pair[0] != pair[1]]
    assert "Two." in line


NUMPY = code('x = "numpy"', ":tags: [numpy]\n\n")
BROKEN = {
    "begins with no title": TINY.replace("# Tiny", "Tiny"),
    "has no cell for numpy": TINY.replace(NUMPY, ""),
    "has no cell for pytorch": TINY.replace(NUMPY, 2 * NUMPY),
    "unknown tag 'nunpy'": TINY.replace("[numpy]", "[nunpy]"),
    "prose is the same for all": TINY + '+++ {"tags": ["numpy"]}\n\nOne.\n',
    "prose draws no figure": TINY + '+++ {"alt": "A line."}\n\nOne.\n',
    "a raw directive": TINY + ":::{note}\nhello\n:::\n",
    "13 lines, expected at most 12": TINY + code(13 * "a = 1\n"),
    "84 columns, expected at most 79": TINY + code("a = " + 80 * "1"),
    "the third code cell in a row": TINY + 2 * code("a = 2"),
    "not valid Python": TINY + code("a = = 1"),
    "an empty code cell": TINY + code(""),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_lesson_is_named_with_cell_and_remedy(message):
    text = BROKEN[message]
    found = house_rules.problems(sources.parse("01_tiny", text))
    assert any(message in problem for problem in found), found
    assert all(problem.startswith("01_tiny: ") for problem in found)


def test_a_framework_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match=r"framework: expected one of .*'jx'"):
        sources.parse("01_tiny", TINY).notebook("jx")
    with pytest.raises(SystemExit, match="Unknown framework 'jx'"):
        chosen("numpy jx")


def test_numbers_are_written_as_jupyterlab_will_save_them():
    numbers = "100.0 -0.0 1e+20 1.2345678901234567e+19 1e+21 2.5 1e-07 3"
    data = json.loads(f'{{"dpi": [{",".join(numbers.split())}]}}')
    shown = new_output("display_data", {"application/json": data})
    cell = new_code_cell("draw()", outputs=[shown])
    written = notebooks.dumps(new_notebook(cells=[cell]))
    (found,) = re.findall(r'"dpi": \[([^]]*)\]', written)
    assert found.replace(",", "").split() == [
        *("100", "0", "1" + 20 * "0", "12345678901234567000"),
        *("1e+21", "2.5", "1e-07", "3"),
    ]
    again = nbformat.reads(written, as_version=4)
    assert notebooks.dumps(again) == written


# Building


def test_a_build_executes_and_a_second_one_gives_the_same_bytes(folder, path):
    first = path.read_bytes()
    assert check_numpy(folder) == []
    assert nbformat.read(path, 4).cells[2].outputs[0].text == "42\n"
    path.unlink()
    assert build_one(folder) is None
    assert path.read_bytes() == first and trusted(path)


def test_a_notebook_changed_by_hand_is_left_alone_and_named(folder, path):
    change(path, lambda nb: nb.cells[2].update(source="print('mine')"))
    mine = path.read_bytes()
    options = ("build", "--frameworks", "numpy", "--folder", folder)
    answer = author(*options)
    assert answer.returncode == 1
    for words in (
        "notebooks/numpy/01_tiny.ipynb: changed by hand",
        "to keep the change: put it into notebooks/source/01_tiny.md",
        "make notebooks FORCE=1 FRAMEWORK=numpy LESSON=01",
    ):
        assert words in answer.stderr
    assert path.read_bytes() == mine
    answer = author(*options, "--force")
    assert answer.returncode == 0 and "numpy/01_tiny  done" in answer.stdout
    assert b"mine" not in path.read_bytes() and check_numpy(folder) == []
    path.write_text("no notebook")
    assert "changed by hand" in notebooks.changed_by_hand(path, tiny())


def test_what_an_earlier_build_or_the_last_commit_holds_is_no_work(path):
    newer = tiny("Still other words.")
    assert notebooks.changed_by_hand(path, newer) is None  # as it was built
    marks = path.parents[2] / "build" / "written"
    shutil.rmtree(marks)
    assert "changed by hand" in notebooks.changed_by_hand(path, newer)
    commit(path.parents[2])
    assert notebooks.changed_by_hand(path, newer) is None
    notebooks.put_in_place(newer, path)
    newest = tiny("Newest words.")
    assert notebooks.changed_by_hand(path, newest) is None
    shutil.rmtree(marks)
    assert "changed by hand" in notebooks.changed_by_hand(path, newest)


def test_a_cell_that_fails_or_warns_is_named_and_nothing_is_written(
    folder, path
):
    source = folder / "source" / "01_tiny.md"
    before = path.read_bytes()
    source.write_text(TINY.replace("6 * 7", "1 / 0"))
    said = build_one(folder)
    assert said.startswith('cell tiny-2 ("print(1 / 0)"): ZeroDivisionError')
    warns = "import sys\nprint('oh', file=sys.stderr)"
    source.write_text(TINY.replace("print(6 * 7)", warns))
    said = build_one(folder)
    assert 'cell tiny-2 ("import sys") printed on stderr: oh' in said
    assert path.read_bytes() == before


def test_what_cannot_be_put_in_its_place_leaves_the_old_notebook(
    path, monkeypatch
):
    before = path.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            notebooks.put_in_place(tiny("Other words."), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    notebooks.put_in_place(tiny("Other words."), path)
    assert "Other words." in path.read_text()


def test_the_commands_name_what_is_wrong_and_exit_with_1(folder, path):
    options = ("--frameworks", "numpy", "--folder", folder)
    answer = author("check", *options)
    assert answer.stdout == "as their sources give them: numpy\n"
    assert answer.returncode == 0
    path.unlink()
    answer = author("check", *options)
    assert "missing; run: make notebooks FRAMEWORK=numpy" in answer.stderr
    assert answer.returncode == 1
    answer = author("build", "--lesson", "02", *options)
    assert "No lesson begins with '02'" in answer.stderr
    assert answer.returncode == 1


# Checking


def cell(**changes):
    """Return a function that changes the cell which prints 42."""
    return lambda notebook: notebook.cells[2].update(changes)


ERROR = new_output("error", ename="E", evalue="e")
STDERR = new_output("stream", name="stderr", text="oh")
FIGURE = new_output("display_data", {"image/svg+xml": "<svg/>"})
WIDGETS = new_output("display_data", {WIDGET: {"model_id": "1"}})
FAULTS = [
    (cell(source="print(43)"), "its source is not what the source gives"),
    (cell(id="other"), "its id is not what the source gives"),
    (lambda nb: nb.cells.pop(), "6 cells, the source gives 7"),
    (cell(execution_count=None), "execution count None, expected 2"),
    (cell(outputs=[FIGURE]), 'say in its option "alt" what'),
    (cell(outputs=[ERROR]), "holds an error"),
    (cell(outputs=[STDERR]), "printed on stderr"),
    (lambda nb: nb.metadata.kernelspec.update(name="ir"), "its kernelspec is"),
]


@pytest.mark.parametrize(("plant", "message"), FAULTS)
def test_a_fault_in_a_stored_notebook_is_named_with_its_remedy(
    folder, path, plant, message
):
    change(path, plant)
    (found,) = check_numpy(folder)
    assert found.startswith("notebooks/numpy/01_tiny.ipynb: ")
    assert message in found


def test_a_figure_that_is_described_but_not_there_is_named(folder, path):
    text = TINY.replace("\nprint(2.5)", "\n:alt: A line.\n\nprint(2.5)")
    (folder / "source" / "01_tiny.md").write_text(text)
    (found,) = check_numpy(folder)
    assert '("print(2.5)"): its figure is missing' in found
    change(path, lambda nb: nb.cells[-1].update(outputs=[FIGURE]))
    assert check_numpy(folder) == []


def test_missing_broken_large_and_unknown_notebooks_are_named(
    folder, path, monkeypatch
):
    finished = path.read_text()
    path.write_text(finished[:-100])
    assert "not a readable notebook" in check_numpy(folder)[0]
    path.unlink()
    assert "missing; run: make notebooks" in check_numpy(folder)[0]
    path.write_text(finished)
    (path.parent / "scratch.ipynb").write_text(finished)
    (found,) = check_numpy(folder)
    assert "scratch.ipynb: belongs to no lesson" in found
    monkeypatch.setattr(check, "MOST_BYTES", 10)
    assert "bytes, expected at most 10" in check_numpy(folder)[0]


def test_committed_notebooks_name_no_machine_and_their_cells_alike():
    ids = {}
    for path in sources.NOTEBOOKS.glob("*/*.ipynb"):
        notebook = json.loads(path.read_text())
        assert notebook["metadata"] == sources.METADATA, path
        assert str(sources.ROOT.parent) not in path.read_text(), path
        for cell in notebook["cells"]:
            assert cell["metadata"].keys() <= {"tags"}, (path, cell["id"])
        found = [cell["id"] for cell in notebook["cells"]]
        assert found == ids.setdefault(path.name, found), path
        assert len(found) == len({*found}), path


# Accepting, of notebooks that are generated


def test_a_generated_notebook_is_accepted_as_a_build_writes_it(folder, path):
    before = path.read_bytes()
    change(path, run_in_jupyter)
    shutil.rmtree(folder.parent / "build" / "written")
    answer = author("accept", "--yes", path)
    assert answer.returncode == 0, answer.stdout
    assert "stored 43, now 42" in answer.stdout
    assert "different: 1 of " in answer.stdout
    assert path.read_bytes() == before and trusted(path)
    assert check_numpy(folder) == []
    mark = notebooks.content_hash(nbformat.read(path, 4))
    assert (folder.parent / "build" / "written" / mark).exists()


def test_what_is_accepted_is_signed_only_where_its_rest_was_trusted(
    path, monkeypatch, tmp_path
):
    commit(path.parents[2])
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "of a new user"))
    change(path, lambda nb: nb.cells[2].update(outputs=[FIGURE, WIDGETS]))
    changed = path.read_text()
    commit(path.parents[2])
    Generated().write(path, changed.replace("2.5\\n", "2.6\\n"))
    assert "2.6\\n" in path.read_text() and trusted(path)
    assert WIDGET not in path.read_text()
    path.write_text(changed.replace("<svg/>", "<script/>"))
    Generated().write(path, path.read_text().replace("2.5\\n", "2.7\\n"))
    assert "2.7\\n" in path.read_text() and not trusted(path)


def test_what_is_not_as_its_source_gives_it_is_not_accepted(folder, path):
    source = folder / "source" / "01_tiny.md"
    assert Generated().objection(path) is None
    source.write_text(TINY + code(""))
    assert "an empty code cell" in Generated().objection(path)
    source.write_text(TINY.replace("6 * 7", "6 * 8"))
    said = Generated().objection(path)
    assert "its source is not what the source gives" in said
    change(path, lambda nb: nb.cells[-2].update(source="My own notes."))
    said = Generated().objection(path)
    assert "01_tiny.ipynb: changed by hand" in said
    assert "notebooks/source/01_tiny.md" in said
    source.write_text("---\njupytext: [")
    assert "not readable as MyST" in Generated().objection(path)
    assert "not readable as MyST" in check_numpy(folder)[0]
    source.unlink()  # so it is not a generated one any more
    assert Generated().objection(path) is None


def test_make_hands_the_answer_on():
    make = ["make", "--dry-run", "accept", "NOTEBOOK=some.ipynb"]
    for yes, options in (("X=", []), (Generated.yes, ["--yes"])):
        said = subprocess.check_output([*make, yes], cwd=sources.ROOT)
        words = said.decode().split("-m tools.author accept")[1].split()
        assert words[: len(options) + 1] == [*options, "some.ipynb"]
