"""The kit for a class: what is handed out, what is kept, what is left."""

import os
import shutil
import zipfile

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbsight.execute import execute

from tools.author import exercises, sources
from tools.classroom import kit
from tools.frameworks import FRAMEWORKS

FIRST, FRAMEWORK = sources.names()[0], "numpy"
SOLVED = {"solution", "answer"}  # tags of what is not handed out


@pytest.fixture(scope="module")
def lessons():
    return [sources.read(name) for name in sources.names()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A kit of the cheapest lesson, as it was made."""
    folder = tmp_path_factory.mktemp("build")
    return kit.build([FIRST], FRAMEWORK, folder, force=False)


@pytest.fixture
def copied(made, tmp_path):
    """The kit for somebody to change, in a build folder of its own."""
    return shutil.copytree(made, tmp_path / "class" / FRAMEWORK)


def lines(cells):
    text = "\n".join(cell.source for cell in cells)
    return {line.strip() for line in text.splitlines()} - {""}


def in_all(lessons, make):
    """Yield (source's cells, {id: notebook's cell}) of all notebooks."""
    for lesson in lessons:
        for framework in FRAMEWORKS:
            cells = make(lesson, framework).cells
            yield lesson.cells_of(framework), {cell.id: cell for cell in cells}


def test_what_is_handed_out_holds_no_solution_and_all_else(lessons):
    for cells, made in in_all(lessons, kit.handed_out):
        text = "\n".join(cell.source for cell in made.values())
        assert "Solution" not in text and "solution is" not in text
        shown = lines(made.values())
        rest = [cell for cell in cells if not SOLVED & set(cell.tags)]
        for line in lines(rest) - shown:
            assert "solution is folded below." in line
        # Lines that a stub or another cell has, too, give nothing away.
        stubs = [made[c.id] for c in cells if "solution" in c.tags]
        for cell in [cell for cell in cells if cell not in rest]:
            own = lines([cell]) - lines(rest + stubs)
            assert own and not own & shown
        for hint in exercises.HINTS:
            assert text.count(f"<summary>{hint}</summary>") >= 3


def test_what_a_cell_shows_is_folded_below_it_and_leads_stay():
    lead, question = "The fit:", "**Predict.** Where?"
    saw = "**What you saw.** 4.12.\n\nAnd more."
    text = kit.veiled(f"{saw}\n\n{question}\n\n{lead}")
    folded, rest = text.split("</details>")
    assert "4.12." in folded and "And more." in folded
    assert question in rest and lead in rest
    assert kit.veiled(f"{saw}\n\n{lead}").endswith(f"</details>\n\n{lead}")
    above = kit.veiled("Only 0.042.\n\n## Next\n\nWords.")
    assert above.index("0.042") < above.index("</details>\n\n## Next")
    for prose in ("## Next\n\nWords.", "Just words.", f"{question}\n\n# Next"):
        assert kit.veiled(prose) == prose


def test_the_teachers_notebook_is_solved_and_holds_every_answer(lessons):
    for cells, made in in_all(lessons, kit.solved):
        for cell in cells:
            if cell.kind == "code":
                assert made[cell.id].source == cell.source
            elif "answer" in cell.tags:
                assert cell.source.strip() in made[cell.id].source


def test_a_kit_is_a_handout_its_zip_a_folder_to_keep_and_slides(made, lessons):
    handed = set(kit.digests(made / "handout"))
    assert {"INSTALL.txt", "pyproject.toml", "pooling/numpy.py"} < handed
    notebooks = [path for path in handed if path.endswith(".ipynb")]
    assert notebooks == [f"notebooks/{FIRST}.ipynb"]  # and no other lesson
    name = f"attention-pooling-{FRAMEWORK}-handout"
    packed = zipfile.ZipFile(made / f"{name}.zip")
    assert set(packed.namelist()) == {f"{name}/{path}" for path in handed}
    for path in handed:
        content = (made / "handout" / path).read_bytes()
        assert packed.read(f"{name}/{path}") == content
    assert {*kit.digests(made / "teacher")} == {"README.md", f"{FIRST}.ipynb"}
    page = (made / "teacher" / "README.md").read_text()
    assert "minutes" in page and "computer needed" in page
    for cell in lessons[0].cells_of(FRAMEWORK):
        assert "answer" not in cell.tags or cell.source in page
    assert f"{FIRST}-{FRAMEWORK}.html" in kit.digests(made / "slides")
    assert [path.name for path in made.parent.iterdir()] == [FRAMEWORK]


def test_checks_say_right_to_the_teacher_and_still_to_do_to_the_class(made):
    mine = nbformat.read(made / "teacher" / f"{FIRST}.ipynb", 4)
    notary = NotebookNotary(data_dir=os.environ["JUPYTER_DATA_DIR"])
    assert notary.check_signature(mine)  # so it opens with its figures
    theirs = nbformat.read(made / "handout/notebooks" / f"{FIRST}.ipynb", 4)
    assert "not been run, on purpose" in theirs.cells[0].source
    assert ".ipynb" not in theirs.cells[0].source  # no neighbours here
    assert not any(cell.get("outputs") for cell in theirs.cells)
    execute(theirs, made / "handout")
    for notebook, end in ((mine, ": right.\n"), (theirs, "still to do.\n")):
        said = [
            "".join(output.text for output in cell.outputs)
            for cell in notebook.cells
            if "check" in cell.metadata.get("tags", [])
        ]
        assert len(said) >= 3 and all(text.endswith(end) for text in said)


def test_no_lesson_or_a_wrong_solution_stops_the_kit(lessons, tmp_path):
    with pytest.raises(SystemExit, match="no lesson begins with '9'"):
        kit.make(FRAMEWORK, "9", False, tmp_path)
    notebook = kit.solved(lessons[0], FRAMEWORK)
    for cell in notebook.cells:
        cell.source = cell.source.replace('"B"', '"A"')
    with pytest.raises(
        sources.LessonError, match=f"{FIRST}: .*not pass.*not yet"
    ):
        kit.run(notebook, tmp_path, FIRST)


def test_a_kit_that_somebody_changed_is_left_alone_and_named(copied):
    path = copied / "handout" / "notebooks" / f"{FIRST}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[1].execution_count = 7  # running it is no change
    notebook.metadata.language_info.version = "3.0"  # as JupyterLab saves it
    nbformat.write(notebook, path)
    shutil.copytree(path.parent, path.parent / ".ipynb_checkpoints")
    kit.refuse_changes(copied)
    notebook.cells[1].source += "\nprint(1)"
    nbformat.write(notebook, path)
    (copied / "teacher" / ".my_notes").write_text("Ask Anna first.")
    named = rf"\(2\): handout/notebooks/{FIRST}.ipynb, teacher/.my_notes\n"
    with pytest.raises(SystemExit, match=named + ".*\n.*FRAMEWORK=numpy"):
        kit.make(FRAMEWORK, FIRST, False, copied.parents[1])
    assert nbformat.read(path, 4).cells[1].source.endswith("print(1)")


def test_what_is_added_while_a_kit_is_made_stays(copied, monkeypatch):
    def meantime(folder, *_):
        (folder / "slides").mkdir()
        (copied / "notes.md").touch()

    monkeypatch.setattr(kit.slides, "build", meantime)
    with pytest.raises(sources.LessonError, match=r"\(1\): notes.md"):
        kit.build([FIRST], FRAMEWORK, copied.parents[1], force=False)
    assert kit.digests(copied).keys() >= {"notes.md", "teacher/README.md"}


@pytest.mark.slow
def test_whatever_a_killed_run_left_the_next_makes_the_kit(copied):
    (copied / "mine.txt").touch()
    copied.rename(copied.with_suffix(".old"))  # killed between the moves
    (copied.with_suffix(".new") / "teacher").mkdir(parents=True)
    with pytest.raises(SystemExit, match="mine"):
        kit.make(FRAMEWORK, FIRST, False, copied.parents[1])
    assert (copied / "mine.txt").exists()
    kit.make(FRAMEWORK, FIRST, True, copied.parents[1])
    assert [path.name for path in copied.parent.iterdir()] == [FRAMEWORK]
    assert "mine.txt" not in kit.digests(copied)
