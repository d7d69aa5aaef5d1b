"""Pages made of sources and outputs (tools/book), without a browser."""

import io
import re
import runpy
import sys
import zipfile
from collections import defaultdict

import nbformat
import pytest
from nbformat.v4 import new_output

from tools.author import sources
from tools.book import agreement_page, site
from tools.book.files import sphinx, write, zipped
from tools.book.pages import page, stored
from tools.frameworks import FRAMEWORKS

HEAD = "---\njupytext:\n  text_representation:\n    format_name: myst\n---\n\n"
OPENING = (
    "# 01 Tiny\n\n**What you need.** About\nnothing, and about 5 minutes."
)


def code(source, *options):
    lines = "".join(f"{line}\n" for line in options)
    return f"```{{code-cell}} ipython3\n{lines}\n{source}\n```\n\n"


STEP = "".join(
    code(f'x = "{name}"', f":tags: [{name}]") for name in FRAMEWORKS
)
SHARED = code("print(x)", ":alt: A line.")


def made(text, output=None, opening=OPENING, repository=""):
    """Make a page; output: a function from a framework's place to its own."""
    lesson = sources.parse("01_tiny", f"{HEAD}{opening}\n\n{text}")
    found = {name: defaultdict(list) for name in FRAMEWORKS}
    for cell in lesson.cells:
        if output and cell.source == "print(x)":
            for i, outputs in enumerate(found.values()):
                outputs[cell.id] = [output(i)]
    return page(lesson, found, repository)


def drawn(svg):
    return new_output("display_data", {"image/svg+xml": svg})


def test_a_step_stands_in_tabs_and_a_shared_cell_once():
    text = made(STEP + "Then\n\n" + SHARED).text
    assert text.count("{tab-set}") == 1
    for name, framework in FRAMEWORKS.items():
        tab = f"{{tab-item}} {framework.title}\n:sync: {name}"
        assert text.count(tab) == text.count(f'x = "{name}"') == 1
    assert text.count("print(x)") == 1
    assert text.count("\nThen\n") == 1


def test_equal_outputs_stand_once_and_others_in_tabs():
    equal = made(SHARED, lambda i: new_output("stream", text="value 1.25"))
    assert equal.text.count("value 1.25") == 1
    text = made(SHARED, lambda i: new_output("stream", text=f"value {i}")).text
    assert text.count("{tab-set}") == 1
    assert all(f"value {i}" in text for i in range(len(FRAMEWORKS)))
    assert "frameworks quiet" not in text
    once = made(SHARED, lambda i: drawn("<svg/>"))
    assert list(once.pictures.values()) == ["<svg/>"]
    assert ":alt: A line." in once.text
    # These differ by less than a reader sees.
    other = made(SHARED, lambda i: drawn(f"<svg>{i}</svg>"))
    assert "frameworks quiet" in other.text
    assert len(other.pictures) == len(FRAMEWORKS)


def test_what_a_page_cannot_show_stops_the_book():
    with pytest.raises(sources.LessonError, match="add an option 'alt'"):
        made(code("print(x)"), lambda i: drawn("<svg/>"))
    with pytest.raises(sources.LessonError, match="minutes' is missing"):
        made("", opening="# 01 Tiny\n\nNo time at all.")
    failed = new_output("error", ename="E", evalue="", traceback=[])
    with pytest.raises(sources.LessonError, match=r"text.* got error"):
        made(SHARED, lambda i: failed)


def test_an_exercise_shows_a_stub_and_folds_the_rest():
    exercise = (
        "### Exercise 1: Double it\n\nDouble `x`.\n\n"
        + code("y = 2 * x  # (n,)", ":tags: [solution]")
        + code("@check\ndef exercise_1(y):\n    assert y", ":tags: [check]")
        + '+++ {"tags": ["hint"]}\n\nLook.\n\n'
        + '+++ {"tags": ["hint"]}\n\nDo.\n\n'
        + '+++ {"tags": ["answer"]}\n\nTwice.\n\n+++\n\nNext.\n\n'
    )
    text = made(2 * exercise).text
    shown, *folded = re.split(r":{6}\{dropdown\} ", text)
    assert "y = ...  # (n,)" in shown
    for part, title, words in zip(
        folded,
        2 * ["Self-check", "A first hint", "A second hint", "Solution"],
        2 * ["@check\n", "Look.", "Do.", "Twice."],
        strict=True,
    ):
        assert part.startswith(f"{title}\n")
        assert part.index(words) < part.index("::::::\n")
        assert part.count("2 * x") == (title == "Solution")


def test_formulas_comments_and_predictions_are_made_for_a_page():
    text = made(
        "A sum of\n$$y = x$$\nis 4. <!-- unmeasured: 4 (mine) -->\n\n"
        "**Predict.** Is it?\n\n" + SHARED
    ).text
    assert "\n\n$$y = x$$\n\n" in text
    assert "unmeasured" not in text
    assert ":::{container} predict\n**Predict.** Is it?\n:::" in text


def test_with_its_repository_a_page_leads_to_where_its_notebooks_run():
    assert "Colab" not in made("").text
    text = made("", repository="us/them").text
    found = re.findall(r'href="(https\S+?us/them\S+?)"', text)
    for name, framework in FRAMEWORKS.items():
        mine = [a for a in found if a.endswith(f"/{name}/01_tiny.ipynb")]
        places = [address.split("/")[2].split(".")[-2] for address in mine]
        alone = [] if framework.holds_back else ["google", "kaggle"]
        assert places == [*alone, "mybinder"]


def test_an_address_that_is_no_repositorys_is_refused(monkeypatch, capsys):
    given = "tools.book pages --repository us/them"
    monkeypatch.setattr(sys, "argv", given.split())
    with pytest.raises(SystemExit, match="2"):
        runpy.run_module("tools.book", run_name="__main__")
    message = "expected https://github.com/OWNER/NAME, got 'us/them'"
    assert message in capsys.readouterr().err


def test_an_archive_is_whole_and_has_no_links_to_what_it_does_not_hold():
    packed = site.downloads("")["notebooks/attention-pooling-numpy.zip"]
    inside = zipfile.ZipFile(io.BytesIO(packed))
    names = {name.partition("/")[2] for name in inside.namelist()}
    assert {"INSTALL.txt", "pyproject.toml", "d2lmini/__init__.py"} < names
    for name in sources.names():
        path = f"attention-pooling-numpy/notebooks/{name}.ipynb"
        text = inside.read(path).decode()
        assert "](../" not in text
        assert nbformat.reads(text, 4).cells[1].id == sources.ALONE_ID
    one, other = {"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}
    assert zipped(one, "folder") == zipped(other, "folder")


def test_a_notebook_that_is_missing_or_another_is_named(tmp_path):
    name, other, *_ = sources.names()
    with pytest.raises(sources.LessonError, match="missing; run: make"):
        stored(sources.read(name), tmp_path)
    path = sources.NOTEBOOKS / "numpy" / f"{other}.ipynb"
    write({f"numpy/{name}.ipynb": path.read_bytes()}, tmp_path / "made")
    with pytest.raises(sources.LessonError, match="not the source's"):
        stored(sources.read(name), tmp_path / "made")


def test_writing_leaves_equal_files_alone_and_removes_strangers(tmp_path):
    write({"a.md": "one", "b/c.svg": b"two", "d.md": "old"}, tmp_path / "out")
    before = (tmp_path / "out" / "a.md").stat().st_mtime_ns
    write({"a.md": "one", "b/c.svg": b"new"}, tmp_path / "out")
    assert (tmp_path / "out" / "a.md").stat().st_mtime_ns == before
    assert (tmp_path / "out" / "b" / "c.svg").read_bytes() == b"new"
    assert not (tmp_path / "out" / "d.md").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_a_warning_of_sphinx_stops_the_book(tmp_path):
    settings = tmp_path / "settings"
    write({"conf.py": "extensions = ['myst_parser']"}, settings)
    texts = {"index.md": "# A page\n\n[nowhere](gone.md)\n"}
    with pytest.raises(sources.LessonError, match="Sphinx warned"):
        sphinx("html", settings, texts, tmp_path / "pages")


def test_agreement_finds_every_pooling_and_its_largest_difference():
    lesson = sources.read(sources.names()[1])
    rows = agreement_page.predictions([(lesson, stored(lesson))])
    names = [row["name"] for row in rows][:2]
    assert names == ["average pooling", "nonparametric pooling"]
    for row in rows:
        assert set(row["curves"]) == set(row["errors"]) == set(FRAMEWORKS)
        assert agreement_page.apart(row) < 1e-5
        _, y = row["curves"]["numpy"]
        error = ((y - row["truth"][1]) ** 2).mean()
        assert f"{error:.4f}" == row["errors"]["numpy"]
    assert any(agreement_page.apart(row) > 0 for row in rows)
    x, y = rows[0]["curves"]["mxnet"]
    rows[0]["curves"]["mxnet"] = x, y - 0.25
    assert abs(agreement_page.apart(rows[0]) - 0.25) < 1e-5
    assert "| 250000 |" in agreement_page.page(rows)
