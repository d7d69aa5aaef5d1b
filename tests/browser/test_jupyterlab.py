"""The notebooks where learners run them: in JupyterLab, in a browser."""

import os
import re
import shlex
import subprocess
import sys

import nbformat
import pytest
from playwright.sync_api import expect

from tools.author import check
from tools.author.sources import METADATA, ROOT, names

NAMES = names()
LESSON = NAMES[1]
CHANGED = NAMES[2]  # by somebody else, in NumPy's folder
TALL = 20_000  # pixels, in which all of a lesson is on the screen
READY = r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=(\w+)"
IDLE = """document.querySelector('#jp-main-statusbar')
  ?.innerText.includes('| Idle')"""
NEVER = "jupyterlab.NeverCheckForUpdate"
LOOP = """\
import time
import d2lmini as d2l
animator = d2l.Animator(xlabel="epoch", ylabel="loss", xlim=[1, 40])
for epoch in range(1, 41):
    animator.add(epoch, 1 / epoch)
    time.sleep(0.1)
"""
FIGURE = """\
from handson.live import Live
live = Live([0, 1, 2, 3, 4], [0, 2, 1, 3, 2], w=2)
live"""
SET = "live.w = 5"
TELL = "print(f'w is {live.w:.4f}, {len(live.x_train)} points')"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, start):
    """Clone the repository and do what `make lab` does, as a newcomer.

    One notebook is not as it was committed: somebody has changed it.

    Yields:
        The notebooks' folder, and the server's (address, token).
    """
    above = tmp_path_factory.mktemp("fresh")
    clone, env = above / "clone", {**os.environ, "OMP_NUM_THREADS": "1"}
    for kind in "CONFIG", "DATA", "RUNTIME":
        env[f"JUPYTER_{kind}_DIR"] = str(above / kind)
    env.pop("MPLBACKEND", None)  # the tests' own, not a learner's
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    path = clone / "notebooks" / "numpy" / f"{CHANGED}.ipynb"
    text = path.read_text().replace("</svg>", "<script>1</script></svg>")
    path.write_text(text)
    make = ["make", "--dry-run", "lab", "FRAMEWORK=", f"VENV={sys.prefix}"]
    recipe = subprocess.check_output(make, cwd=clone, text=True)
    lines = recipe.replace("\\\n", "").splitlines()
    # All but its setup: this environment stands for the one that it makes.
    *first, last = [line for line in lines if line.startswith(sys.prefix)]
    for line in first:
        subprocess.run(shlex.split(line), cwd=clone, env=env, check=True)
    command = [*shlex.split(last), "--no-browser", "--ServerApp.port=0"]
    # It would ask the network for news and updates.
    command += ["--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=" + NEVER]
    with start(READY, command, cwd=clone, env=env) as (_, found):
        yield clone / "notebooks", found.groups()


def open_notebook(visit, lab, path):
    """Open a notebook in JupyterLab; return who reads it."""
    (host, token), inside = lab[1], path.relative_to(lab[0]).as_posix()
    reader = visit(height=TALL)
    reader.page.set_default_timeout(60_000)
    reader.page.goto(f"{host}/lab/tree/{inside}?token={token}&reset")
    reader.page.wait_for_function(IDLE)
    return reader


def menu(page, name, command):
    """Press an entry of a menu."""
    page.get_by_role("menubar").get_by_text(name, exact=True).click()
    page.locator(f"li[data-command='{command}']").click()


def saved(page, path):
    """Save a notebook in Lab, and return it."""

    def saves(answer):
        return answer.request.method == "PUT" and path.name in answer.url

    with page.expect_response(saves):
        menu(page, "File", "docmanager:save")
    return nbformat.read(path, as_version=4)


def kinds(cell):
    """Return what a reader sees below a cell, in order."""
    shown = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        picture = "image/svg+xml" in data
        shown.append("picture" if picture else output.output_type)
    return list(dict.fromkeys(shown))


def pictures(path):
    """Return how many figures a notebook holds."""
    return path.read_text().count('"image/svg+xml":')


@pytest.mark.parametrize(
    "inside", [f"numpy/{LESSON}.ipynb", f"jax/{NAMES[0]}.ipynb"]
)
def test_every_stored_figure_is_there_before_a_cell_is_run(visit, lab, inside):
    page = open_notebook(visit, lab, lab[0] / inside).page
    seen = page.locator(".jp-RenderedSVG img:visible")
    expect(seen).to_have_count(pictures(lab[0] / inside), timeout=30_000)
    assert seen.count() >= 3
    expect(page.get_by_text("<Figure size")).to_have_count(0)
    for picture in seen.all():
        assert picture.evaluate("image => image.naturalWidth") > 100, picture


def test_a_notebook_that_somebody_changed_shows_no_figure(visit, lab):
    path = lab[0] / "numpy" / f"{CHANGED}.ipynb"
    page = open_notebook(visit, lab, path).page
    texts = page.get_by_text(re.compile("^<Figure size"))
    expect(texts).to_have_count(pictures(path), timeout=30_000)
    assert texts.count() >= 3
    assert page.locator(".jp-RenderedSVG").count() == 0


def test_saving_what_was_only_read_changes_nothing(visit, lab):
    path = lab[0] / "mxnet" / f"{NAMES[0]}.ipynb"
    before = path.read_text()
    after = saved(open_notebook(visit, lab, path).page, path)
    assert after.metadata.language_info.version  # which Jupyter adds
    found = check.check(lab[0], ["mxnet"])
    assert [line for line in found if path.name in line] == []
    after.metadata.language_info = METADATA["language_info"]
    assert nbformat.writes(after) + "\n" == before


# What the frameworks do is their kernels' business: each notebook is
# re-executed elsewhere. Here one shows that Lab runs them.
def test_run_all_gives_what_is_stored(visit, lab):
    path = lab[0] / "numpy" / f"{LESSON}.ipynb"
    emptied = nbformat.read(path, as_version=4)
    stored = {cell.id: kinds(cell) for cell in emptied.cells}
    for cell in emptied.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    last = nbformat.v4.new_code_cell("print('all', 'has run')")
    emptied.cells.append(last)
    path = path.with_name("emptied.ipynb")
    nbformat.write(emptied, path)
    reader = open_notebook(visit, lab, path)
    menu(reader.page, "Run", "runmenu:run-all")
    said = reader.page.locator(".jp-OutputArea-output", has_text="all has run")
    said.wait_for(timeout=180_000)  # and all outputs before it are there
    for cell in saved(reader.page, path).cells[:-1]:
        assert "error" not in kinds(cell), cell.source
        assert kinds(cell) == stored[cell.id], cell.source
    seen = reader.page.locator(".jp-RenderedSVG img, .jp-RenderedSVG svg")
    assert seen.count() >= 1
    assert reader.outside == []


def run_cell(page, number):
    """Run one cell by hand."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell


def test_the_animator_moves_and_the_live_figure_writes_back(visit, lab):
    cells = [
        nbformat.v4.new_code_cell(text, id=f"cell-{i}")
        for i, text in enumerate((LOOP, FIGURE, TELL, SET))
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    path = lab[0] / "scratch.ipynb"
    nbformat.write(notebook, path)
    page = open_notebook(visit, lab, path).page

    picture = run_cell(page, 0).locator(".jp-RenderedSVG img")
    picture.wait_for()
    for _ in range(4):  # it is drawn anew again and again
        drawn = picture.first.get_attribute("src")
        page.wait_for_function(
            "(drawn) => document.querySelector('.jp-RenderedSVG img').src"
            " !== drawn",
            arg=drawn,
        )
        assert picture.count() == 1

    figure = run_cell(page, 1)
    slider = figure.get_by_label(re.compile("^w|width", re.I)).first
    slider.wait_for()
    told = run_cell(page, 2).locator(".jp-OutputArea-output")
    told.get_by_text("w is 2.0000, 5 points").wait_for()
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("= 2.1"))
    run_cell(page, 2)
    told.get_by_text(re.compile(r"w is (?!2\.0000)")).wait_for()
    assert float(re.search(r"w is ([\d.]+)", told.inner_text())[1]) > 2
    run_cell(page, 3)  # Python sets it, the figure follows
    expect(slider).to_have_attribute("aria-valuetext", "w = 5")
