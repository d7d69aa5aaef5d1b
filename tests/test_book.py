"""Pages made of sources and outputs (tools/book), without a browser."""

import io
import re
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_output

from nbsight import MIME
from tools.author import sources
from tools.book import agreement_page
from tools.book.__main__ import archive, write
from tools.book.pages import LIVE, page, stored
from tools.frameworks import FRAMEWORKS

HEAD = "---\njupytext:\n  text_representation:\n    format_name: myst\n---\n\n"
OPENING = (
    "# 01 Tiny\n\n**What you need.** About\nnothing, and about 5 minutes."
)
NAMES = list(FRAMEWORKS)


def code(source, *options):
    lines = "".join(f"{line}\n" for line in options)
    return f"```{{code-cell}} ipython3\n{lines}\n{source}\n```\n\n"


STEP = "".join(
    code(f'x = "{name}"', f":tags: [{name}]") for name in FRAMEWORKS
)
SHARED = code("print(x)", ":alt: A line.")


def made(text, outputs=None):
    """Make a page; outputs: {(framework, cell id): outputs}."""
    lesson = sources.parse("01_tiny", f"{HEAD}{OPENING}\n\n{text}")
    found = {
        name: {
            cell.id: (outputs or {}).get((name, cell.id), [])
            for cell in lesson.cells_of(name)
        }
        for name in FRAMEWORKS
    }
    return page(lesson, found)


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


def drawn(svg, y):
    line = f'axes[0].lines[0]\t{{"path":{{"x":[0.0,1.0],"y":[0.0,{y}]}}}}'
    data = {"artists": [line], "dpi": 100, "size": [3.5, 2.5]}
    picture = {"image/svg+xml": svg, MIME: data, "text/plain": "<Figure>"}
    return [new_output("display_data", picture)]


def everywhere(cell_id, outputs):
    """Give each framework its outputs: a function of its place."""
    return {(name, cell_id): outputs(i) for i, name in enumerate(NAMES)}


def test_a_step_stands_in_tabs_and_a_shared_cell_once():
    text = made(STEP + "Then\n\n" + SHARED).text
    assert text.count("{tab-set}") == 1
    for name, framework in FRAMEWORKS.items():
        assert (
            text.count(f"{{tab-item}} {framework.title}\n:sync: {name}") == 1
        )
        assert text.count(f'x = "{name}"') == 1
    assert text.count("print(x)") == 1
    assert text.count("\nThen\n") == 1


def test_equal_outputs_stand_once_and_others_in_tabs():
    equal = everywhere("01-tiny-2", lambda i: printed("value 1.25"))
    assert made(SHARED, equal).text.count("value 1.25") == 1
    other = everywhere("01-tiny-2", lambda i: printed(f"value {i}"))
    text = made(SHARED, other).text
    assert text.count("{tab-set}") == 1
    assert all(f"value {i}" in text for i in range(len(NAMES)))


def test_figures_that_look_the_same_get_quiet_tabs():
    def result(step):
        def drawing(i):
            return drawn(f"<svg>{i}</svg>", 1 + i * step)

        return made(SHARED, everywhere("01-tiny-2", drawing))

    assert "frameworks quiet" in result(1e-9).text
    assert "frameworks quiet" not in result(0.1).text
    assert len(result(1e-9).pictures) == len(NAMES)
    once = made(SHARED, everywhere("01-tiny-2", lambda i: drawn("<svg/>", 1)))
    assert list(once.pictures.values()) == ["<svg/>"]
    assert ":alt: A line." in once.text


def test_a_figure_without_a_text_stops_the_book():
    outputs = everywhere("01-tiny-2", lambda i: drawn("<svg/>", 1))
    with pytest.raises(sources.LessonError, match="'alt'"):
        made(code("print(x)"), outputs)


def test_a_lesson_without_minutes_stops_the_book():
    lesson = sources.parse("01_tiny", f"{HEAD}# 01 Tiny\n\nNo time at all.")
    with pytest.raises(sources.LessonError, match="minutes"):
        page(lesson, {name: {"01-tiny-1": []} for name in FRAMEWORKS})


def test_an_exercise_shows_a_stub_and_folds_the_rest():
    text = made(
        "### Exercise 1: Double it\n\nDouble `x`.\n\n"
        + code("y = 2 * x  # (n,)", ":tags: [solution]")
        + code("@check\ndef exercise_1(y):\n    assert y", ":tags: [check]")
        + '+++ {"tags": ["hint"]}\n\nLook.\n\n'
        + '+++ {"tags": ["hint"]}\n\nDo.\n\n'
        + '+++ {"tags": ["answer"]}\n\nTwice.\n\n+++\n\nNext.\n'
    ).text
    shown, *folded = re.split(r":{6}\{dropdown\} ", text)
    assert "y = ...  # (n,)" in shown
    for part, title, words in zip(
        folded,
        ["Self-check", "A first hint", "A second hint", "Solution"],
        ["@check\n", "Look.", "Do.", "Twice."],
        strict=True,
    ):
        assert part.startswith(f"{title}\n")
        assert part.index(words) < part.index("::::::\n")
        assert ("2 * x" in part) == (title == "Solution")


def test_formulas_comments_and_predictions_are_made_for_a_page():
    text = made(
        "A sum of\n$$y = x$$\nis 4. <!-- unmeasured: 4 (mine) -->\n\n"
        "**Predict.** Is it?\n\n" + SHARED
    ).text
    assert "\n\n$$y = x$$\n\n" in text
    assert "unmeasured" not in text
    assert ":::{container} predict\n**Predict.** Is it?\n:::" in text


def test_the_live_figure_begins_with_what_the_notebook_holds():
    data = {LIVE: '{"w":2.5}', "text/plain": "Live(w=2.5)"}
    outputs = [new_output("execute_result", data)]
    text = made(SHARED, everywhere("01-tiny-2", lambda i: outputs)).text
    assert 'plainModel({"w":2.5})' in text
    assert "export default" in text


def test_with_its_repository_a_page_leads_to_where_its_notebooks_run():
    lesson = sources.read(sources.names()[0])
    plain, linked = (page(lesson, stored(lesson), r) for r in ("", "us/them"))
    assert "us/them" not in plain.text and "Colab" not in plain.text
    found = re.findall(r'href="(https\S+?us/them\S+?)"', linked.text)
    for name, framework in FRAMEWORKS.items():
        mine = [a for a in found if a.endswith(f"/{name}/{lesson.name}.ipynb")]
        places = [address.split("/")[2].split(".")[-2] for address in mine]
        alone = [] if framework.holds_back else ["google", "kaggle"]
        assert places == [*alone, "mybinder"]
    wrong = subprocess.run(
        [sys.executable, "-m", "tools.book", "--repository", "us/them"],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("repository: expected https://github.com/")


def test_an_archive_has_no_links_to_what_it_does_not_hold():
    packed = zipfile.ZipFile(io.BytesIO(archive("numpy")))
    names = [name for name in packed.namelist() if name.endswith(".ipynb")]
    assert len(names) == len(sources.names())
    for name in names:
        text = packed.read(name).decode()
        assert "](../" not in text
        assert nbformat.reads(text, 4).cells[1].id == sources.ALONE_ID


def test_a_notebook_that_is_missing_is_named(tmp_path):
    lesson = sources.read(sources.names()[0])
    with pytest.raises(sources.LessonError, match="make notebooks"):
        stored(lesson, tmp_path)


def test_writing_leaves_equal_files_alone_and_removes_strangers(tmp_path):
    write({"a.md": "one", "b/c.svg": b"two", "d.md": "old"}, tmp_path / "out")
    before = (tmp_path / "out" / "a.md").stat().st_mtime_ns
    write({"a.md": "one", "b/c.svg": b"new"}, tmp_path / "out")
    assert (tmp_path / "out" / "a.md").stat().st_mtime_ns == before
    assert (tmp_path / "out" / "b" / "c.svg").read_bytes() == b"new"
    assert not (tmp_path / "out" / "d.md").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_an_archive_has_the_same_bytes_each_time():
    assert archive("numpy") == archive("numpy")


def test_agreement_finds_every_pooling_and_its_largest_difference():
    lesson = sources.read(sources.names()[1])
    rows = agreement_page.predictions([(lesson, stored(lesson))])
    names = [row["name"] for row in rows]
    assert names[:3] == [
        "average pooling",
        "nonparametric pooling",
        "book's recipe",
    ]
    for row in rows:
        assert set(row["curves"]) == set(row["errors"]) == set(FRAMEWORKS)
        for x, y in row["curves"].values():
            assert x.shape == y.shape == (100,)
        assert max(agreement_page.apart(row).values()) < 1e-5
        x, y = row["curves"]["numpy"]
        error = np.mean((y - row["truth"][1]) ** 2)
        assert f"{error:.4f}" == row["errors"]["numpy"]
    x, y = rows[0]["curves"]["mxnet"]
    rows[0]["curves"]["mxnet"] = x, y + 0.25
    assert agreement_page.apart(rows[0])["mxnet"] == pytest.approx(
        0.25, abs=1e-5
    )
