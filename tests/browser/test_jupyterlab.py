"""The notebooks where learners run them: in JupyterLab, in a browser."""

import os
import re
import shlex
import subprocess
import sys
import time

import nbformat
import pytest
from playwright.sync_api import expect

from tools.author import check
from tools.author.sources import METADATA, ROOT, names

NAMES = names()
LESSON = NAMES[1]
CHANGED = NAMES[2]  # by somebody else, in NumPy's folder
TALL = 20_000  # pixels, in which all of a lesson is on the screen
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


def surroundings(folder):
    """Return the environment of somebody who is new to Jupyter."""
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "OMP_NUM_THREADS": "1",
    }
    env.pop("MPLBACKEND", None)  # the tests' own, not a learner's
    return env


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Clone the repository and do what `make lab` does.

    One notebook is not as it was committed: somebody has changed it.

    Yields:
        The notebooks' folder, and the server's (address, token).
    """
    above = tmp_path_factory.mktemp("fresh")
    clone, env = above / "clone", surroundings(above)
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
    log = above / "lab.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, cwd=clone, env=env, stdout=stream, stderr=stream
        )
    try:
        yield clone / "notebooks", address(log, server)
    finally:
        server.terminate()
        server.wait(20)


def address(log, server):
    """Return (host and port, token) once the server answers."""
    for _ in range(120):
        found = re.search(
            r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=(\w+)", log.read_text()
        )
        if found:
            return found.groups()
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def open_notebook(page, lab, path):
    """Open a notebook in JupyterLab."""
    (host, token), inside = lab[1], path.relative_to(lab[0]).as_posix()
    page.set_default_timeout(60_000)
    page.goto(f"{host}/lab/tree/{inside}?token={token}&reset")


def open_with_kernel(visit, lab, path):
    """Open a notebook and wait for its kernel."""
    reader = visit()
    open_notebook(reader.page, lab, path)
    reader.page.wait_for_function(
        "document.querySelector('#jp-main-statusbar')"
        "?.innerText.includes('| Idle')"
    )
    return reader


def run_all(page):
    page.get_by_role("menubar").get_by_text("Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def saved(page, path, seconds):
    """Save until every code cell has been executed; return the notebook."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1500)
        notebook = nbformat.read(path, as_version=4)
        code = [c for c in notebook.cells if c.cell_type == "code"]
        idle = page.locator("#jp-main-statusbar").inner_text()
        if all(c.execution_count for c in code) and "| Idle" in idle:
            page.keyboard.press("Control+s")
            page.wait_for_timeout(1500)
            return nbformat.read(path, as_version=4)
    raise AssertionError(f"not all cells have run after {seconds} s")


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
    notebook = nbformat.read(path, as_version=4)
    return sum(
        "image/svg+xml" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


@pytest.mark.parametrize(
    "inside", [f"numpy/{LESSON}.ipynb", f"jax/{NAMES[0]}.ipynb"]
)
def test_every_stored_figure_is_there_before_a_cell_is_run(visit, lab, inside):
    page = visit(height=TALL).page
    open_notebook(page, lab, lab[0] / inside)
    seen = page.locator(".jp-RenderedSVG img:visible")
    expect(seen).to_have_count(pictures(lab[0] / inside), timeout=30_000)
    assert seen.count() >= 3
    expect(page.get_by_text("<Figure size")).to_have_count(0)
    for picture in seen.all():
        assert picture.evaluate("image => image.naturalWidth") > 100, picture


def test_a_notebook_that_somebody_changed_shows_no_figure(visit, lab):
    path = lab[0] / "numpy" / f"{CHANGED}.ipynb"
    page = visit(height=TALL).page
    open_notebook(page, lab, path)
    texts = page.get_by_text(re.compile("^<Figure size"))
    expect(texts).to_have_count(pictures(path), timeout=30_000)
    assert texts.count() >= 3
    assert page.locator(".jp-RenderedSVG").count() == 0


def test_saving_what_was_only_read_changes_nothing(visit, lab):
    path = lab[0] / "mxnet" / f"{NAMES[0]}.ipynb"
    before = path.read_text()

    def saves(answer):
        return answer.request.method == "PUT" and path.name in answer.url

    page = open_with_kernel(visit, lab, path).page
    page.get_by_role("menubar").get_by_text("File", exact=True).click()
    with page.expect_response(saves):
        page.locator("li[data-command='docmanager:save']").click()
    after = nbformat.read(path, as_version=4)
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
    path = path.with_name("emptied.ipynb")
    nbformat.write(emptied, path)
    reader = open_with_kernel(visit, lab, path)
    run_all(reader.page)
    for cell in saved(reader.page, path, 180).cells:
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
    page = open_with_kernel(visit, lab, path).page

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
