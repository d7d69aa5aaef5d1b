"""The kit for a class (tools/kit.py): what is handed out, what is kept."""

import os
import signal
import subprocess
import sys
import time
import zipfile

import nbformat
import pytest
from nbsight.execute import execute

from tests.test_trust import trusted
from tools.author import exercises, sources
from tools.classroom import kit
from tools.frameworks import FRAMEWORKS

NAMES = sources.names()
FIRST, FRAMEWORK = NAMES[0], "numpy"
MAKE = (sys.executable, "-m", "tools.classroom.kit", "--lesson", FIRST[:2])


def make(folder, *more, frameworks=FRAMEWORK):
    """Make a kit of one lesson in a folder, as `make class` does."""
    return subprocess.run(
        [*MAKE, "--frameworks", frameworks, "--folder", str(folder), *more],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A build folder with a kit of the cheapest lesson."""
    folder = tmp_path_factory.mktemp("build")
    answer = make(folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def kit_in(folder):
    return folder / "class" / FRAMEWORK


def paths(folder):
    found = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix() for p in found}


def sources(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def parts(lesson, framework):
    """Yield (solutions, answer) of each exercise."""
    held = []
    for cell in lesson.cells_of(framework):
        if "solution" in cell.tags:
            held.append(cell.source)
        elif "answer" in cell.tags:
            yield held, cell.source
            held = []


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_handed_out_holds_no_solution(name, framework):
    lesson = sources.read(name)
    notebook = kit.handed_out(lesson, framework)
    text = nbformat.writes(notebook)
    for words in ("Solution", "solution is", '"solution"', '"answer"'):
        assert words not in text
    # Lines that a stub or another cell of the lesson has, too, give nothing
    # away.
    known = {
        line.strip()
        for cell in lesson.cells_of(framework)
        for line in (
            exercises.stub(cell.source)
            if "solution" in cell.tags
            else cell.source * ("answer" not in cell.tags)
        ).splitlines()
    }
    shown = {line.strip() for line in sources(notebook).splitlines()}
    count = 0
    for solutions, answer in parts(lesson, framework):
        lines = [line.strip() for s in solutions for line in s.splitlines()]
        own = {line for line in lines if line not in known}
        assert own and not own & shown
        assert not {line.strip() for line in answer.splitlines()} & (
            shown - known
        )
        assert answer.split("\n\n")[0].strip() not in sources(notebook)
        count += 1
    assert count >= 3
    for hint in exercises.HINTS:
        assert sources(notebook).count(f"<summary>{hint}</summary>") == count


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_handed_out_has_every_check_and_question_and_no_output(
    name, framework
):
    lesson = sources.read(name)
    notebook = kit.handed_out(lesson, framework)
    cells = {cell.id: cell for cell in notebook.cells}
    for cell in lesson.cells_of(framework):
        if "answer" in cell.tags:
            assert cell.id not in cells
        elif "solution" in cell.tags:
            assert cells[cell.id].source == exercises.stub(cell.source)
        elif cell.kind == "code":
            assert cells[cell.id].source == cell.source
        else:
            for mark in ("**Predict.**", "$$", "\n## ", "|---"):
                found = cells[cell.id].source.count(mark)
                assert found == cell.source.count(mark)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert "has not been run, on purpose" in notebook.cells[0].source
    assert ".ipynb" not in notebook.cells[0].source  # no neighbours here


def test_what_a_cell_shows_is_folded_below_it_and_leads_stay():
    lead = "The fit:"
    saw = "**What you saw.** 4.12.\n\nAnd more."
    question = "**Predict.** Where?"
    text = kit.veiled(f"{saw}\n\n{question}\n\n{lead}")
    folded, rest = text.split("</details>")
    assert "4.12." in folded and "And more." in folded
    assert question in rest and lead in rest
    assert kit.veiled(f"{saw}\n\n{lead}").endswith(f"</details>\n\n{lead}")
    above = kit.veiled("Only 0.042.\n\n## Next\n\nWords.")
    assert above.index("0.042") < above.index("</details>\n\n## Next")
    for prose in ("## Next\n\nWords.", "Just words.", f"{question}\n\nWords."):
        assert kit.veiled(prose) == prose


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_the_teachers_notebook_is_solved_and_answers_stand_open(
    name, framework
):
    # That the solutions pass their checks is what test_agreement runs; below
    # a kernel runs one lesson's.
    lesson = sources.read(name)
    text = sources(kit.solved(lesson, framework))
    assert "<details>" not in text and "solution is folded" not in text
    for solutions, answer in parts(lesson, framework):
        assert all(solution in text for solution in solutions)
        assert f"**Answer.** {answer.strip()}" in text


def test_a_kit_has_the_same_lessons_three_times_and_all_they_need(made):
    found = paths(kit_in(made))
    for path in (
        f"handout/notebooks/{FIRST}.ipynb",
        f"teacher/{FIRST}.ipynb",
        f"slides/{FIRST}-{FRAMEWORK}.html",
        "teacher/README.md",
        "handout/README.md",
        "handout/pyproject.toml",
        "handout/d2lmini/__init__.py",
        "handout/pooling/numpy.py",
    ):
        assert path in found
    notebooks = [path for path in found if path.endswith(".ipynb")]
    assert len(notebooks) == 2  # LESSON narrows
    name = f"attention-pooling-{FRAMEWORK}-handout"
    packed = zipfile.ZipFile(kit_in(made) / f"{name}.zip")
    folder = kit_in(made) / "handout"
    assert set(packed.namelist()) == {f"{name}/{p}" for p in paths(folder)}
    for path in paths(folder):
        assert packed.read(f"{name}/{path}") == (folder / path).read_bytes()
    assert paths(made / "class") == {f"{FRAMEWORK}/{path}" for path in found}


def test_without_a_choice_all_lessons_are_in_both_folders():
    inside = kit.handout(map(sources.read, NAMES), FRAMEWORK)
    found = {path for path in inside if path.endswith(".ipynb")}
    assert found == {f"notebooks/{name}.ipynb" for name in NAMES}
    assert not any(
        "Solution" in content.decode() for content in inside.values()
    )


def test_checks_say_still_to_do_to_the_class_and_right_to_the_teacher(made):
    path = kit_in(made) / "teacher" / f"{FIRST}.ipynb"
    assert trusted(path)  # so it opens with its figures
    handed = kit_in(made) / "handout" / "notebooks" / f"{FIRST}.ipynb"
    notebook = execute(nbformat.read(handed, 4), made)
    count = 0
    for mine, theirs in (
        (nbformat.read(path, 4), r": right."),
        (notebook, "still to do."),
    ):
        said = [
            kit.printed(cell).strip()
            for cell in mine.cells
            if "check" in cell.metadata.get("tags", [])
        ]
        assert len(said) >= 3
        assert all(words.endswith(theirs) for words in said)
        count += 1
    assert count == 2


def test_the_teachers_page_has_minutes_answers_and_times(made):
    text = (kit_in(made) / "teacher" / "README.md").read_text()
    lesson = sources.read(FIRST)
    assert f"About {kit.MINUTES.search(lesson.cells[0].source)[1]} min" in text
    for _, answer in parts(lesson, FRAMEWORK):
        assert answer.strip() in text
    for heading in ("One query", "Random weights", "Exercise 2: A transl"):
        assert heading in text
    rows = [line.split("|") for line in text.splitlines() if "|" in line]
    asked = sum(int(row[2]) for row in rows[2:])
    whole = sources(lesson.notebook(FRAMEWORK))
    assert asked == whole.count("**Predict.**")


def test_a_solution_that_does_not_pass_stops_the_kit(tmp_path):
    lesson = sources.read(FIRST)
    notebook = kit.solved(lesson, FRAMEWORK)
    for cell in notebook.cells:
        cell.source = cell.source.replace('"B"', '"A"')
    with pytest.raises(kit.KitError, match=f"{FIRST}: .*not pass.*not yet"):
        kit.run(notebook, tmp_path, FIRST)


def test_a_kit_that_somebody_changed_is_left_alone_and_named(made):
    notes = kit_in(made) / "teacher" / "my_notes.md"
    notes.write_text("Ask Anna first.")
    before = paths(kit_in(made))
    answer = make(made)
    assert answer.returncode == 1
    assert "changed by hand: teacher/my_notes.md" in answer.stderr
    assert "make class FORCE=1 FRAMEWORK=numpy" in answer.stderr
    assert len(answer.stderr.splitlines()) == 3
    assert paths(kit_in(made)) == before
    notes.unlink()
    path = kit_in(made) / "handout" / "notebooks" / f"{FIRST}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[1].source += "\nprint(1)"
    nbformat.write(notebook, path)
    name = path.relative_to(kit_in(made)).as_posix()
    assert kit.changed(kit_in(made)) == [name]
    assert make(made, "--force").returncode == 0
    assert kit.changed(kit_in(made)) == []


def test_running_a_notebook_of_a_kit_is_no_change(made):
    path = kit_in(made) / "handout" / "notebooks" / f"{FIRST}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[1].execution_count = 7
    notebook.metadata.language_info.version = "3.0"  # as JupyterLab saves it
    nbformat.write(notebook, path)
    (path.parent / ".ipynb_checkpoints").mkdir()
    (path.parent / ".ipynb_checkpoints" / "x.ipynb").touch()
    assert kit.changed(kit_in(made)) == []


def test_a_killed_run_leaves_the_last_kit_and_the_next_completes(made):
    before = paths(kit_in(made))
    for seconds in (0.5, 2.5, 4):
        process = subprocess.Popen(
            [*MAKE, "--frameworks", FRAMEWORK, "--folder", str(made)],
            cwd=sources.ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kit.recover(kit_in(made))
        assert paths(kit_in(made)) == before
        assert kit.changed(kit_in(made)) == []
    assert make(made).returncode == 0
    assert [path.name for path in (made / "class").iterdir()] == [FRAMEWORK]


def test_a_kit_that_was_only_moved_away_comes_back(tmp_path):
    kit.put_in_place({"a.md": b"one"}, tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / "x.old")  # killed just there
    kit.recover(tmp_path / "x")
    assert (tmp_path / "x" / "a.md").read_text() == "one"
    assert not (tmp_path / "x.old").exists()


@pytest.mark.parametrize(
    ("frameworks", "lesson", "message"),
    [
        ("pytoch", "01", "Unknown framework 'pytoch'; known: numpy"),
        ("numpy", "9", "--lesson: no lesson begins with '9'"),
    ],
)
def test_an_unknown_name_gives_one_line(tmp_path, frameworks, lesson, message):
    answer = make(tmp_path, "--lesson", lesson, frameworks=frameworks)
    assert answer.returncode == 1
    assert answer.stderr.startswith(message)
    assert len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "class").exists()
