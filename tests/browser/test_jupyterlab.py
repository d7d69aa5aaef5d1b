"""The notebooks where learners run them: in JupyterLab, in a browser."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time

import nbformat
import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tools.author import check
from tools.author.sources import METADATA, NOTEBOOKS, ROOT, names
from tools.frameworks import FRAMEWORKS, why_missing

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


@contextlib.contextmanager
def served(command, folder, env, log):
    """Run JupyterLab in a folder, without a browser; yield its address."""
    command = [*command, "--no-browser", "--ServerApp.port=0"]
    # It would ask the network for news and updates.
    command += ["--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=" + NEVER]
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=stream, stderr=stream
        )
    try:
        yield address(log, server)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start JupyterLab on this machine only; yield its folder and address."""
    folder = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "jupyter", "lab", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1"]
    env = surroundings(folder)
    with served(command, folder, env, folder / "lab.log") as where:
        yield folder, where


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Clone the repository and do what `make lab` does; yield as `lab`.

    One notebook is not as it was committed: somebody has changed it.
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
    with served(shlex.split(last), clone, env, above / "lab.log") as where:
        yield clone / "notebooks", where


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
    for output in cell.outputs:
        data = output.get("data", {})
        picture = "image/svg+xml" in data
        shown.append("picture" if picture else output.output_type)
    return list(dict.fromkeys(shown))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_run_all_gives_what_is_stored(visit, lab, framework):
    if why_missing(framework):
        pytest.skip(why_missing(framework))
    source = NOTEBOOKS / framework / f"{LESSON}.ipynb"
    path = lab[0] / f"{framework}.ipynb"
    stored, emptied = (nbformat.read(source, as_version=4) for _ in "12")
    for cell in emptied.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbformat.write(emptied, path)
    stored = {cell.id: cell for cell in stored.cells}
    reader = open_with_kernel(visit, lab, path)
    run_all(reader.page)
    now = saved(reader.page, path, 180)
    for cell in now.cells:
        if cell.cell_type == "code":
            assert "error" not in kinds(cell), cell.source
            assert kinds(cell) == kinds(stored[cell.id]), cell.source
    seen = reader.page.locator(".jp-RenderedSVG img, .jp-RenderedSVG svg")
    assert seen.count() >= 1
    assert reader.outside == []


@pytest.fixture
def scratch(visit, lab):
    """Open a notebook with the Animator and the live figure."""
    cells = [
        nbformat.v4.new_code_cell(text, id=f"cell-{i}")
        for i, text in enumerate((LOOP, FIGURE, TELL, SET))
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    path = lab[0] / "scratch.ipynb"
    nbformat.write(notebook, path)
    return open_with_kernel(visit, lab, path).page


def run_cell(page, number):
    """Run one cell by hand."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell


def test_the_animator_moves_and_the_live_figure_writes_back(scratch):
    page = scratch
    cell = run_cell(page, 0)
    drawn = set()
    picture = cell.locator(".jp-RenderedSVG img")
    picture.wait_for()
    for _ in range(60):
        drawn.add(picture.first.get_attribute("src"))
        page.wait_for_timeout(100)
    assert len(drawn) >= 4
    assert picture.count() == 1

    figure = run_cell(page, 1)
    slider = figure.get_by_label(re.compile("^w|width", re.I)).first
    slider.wait_for()
    told = run_cell(page, 2).locator(".jp-OutputArea-output")
    told.get_by_text("w is 2.0000, 5 points").wait_for()
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    run_cell(page, 2)
    told.get_by_text(re.compile(r"w is (?!2\.0000)")).wait_for()
    w = float(re.search(r"w is ([\d.]+)", told.inner_text())[1])
    assert w > 2

    run_cell(page, 3)  # Python sets it, the figure follows
    page.wait_for_timeout(500)
    assert "5" in slider.get_attribute("aria-valuetext")


# A fresh clone, in which nothing is run


def pictures(path):
    """Return how many figures a notebook holds."""
    notebook = nbformat.read(path, as_version=4)
    return sum(
        "image/svg+xml" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


@pytest.mark.parametrize("number", range(len(FRAMEWORKS)))
def test_every_stored_figure_is_there_before_a_cell_is_run(
    visit, fresh, number
):
    framework = list(FRAMEWORKS)[number]
    page = visit(height=TALL).page
    others = [name for name in NAMES if name != LESSON]
    for name in (LESSON, others[number % len(others)]):
        path = fresh[0] / framework / f"{name}.ipynb"
        open_notebook(page, fresh, path)
        seen = page.locator(".jp-RenderedSVG img:visible")
        expect(seen).to_have_count(pictures(path), timeout=30_000)
        assert seen.count() >= 3
        expect(page.get_by_text("<Figure size")).to_have_count(0)
        for picture in seen.all():
            width = picture.evaluate("image => image.naturalWidth")
            assert width > 100, (path, picture)


def test_a_notebook_that_somebody_changed_shows_no_figure(visit, fresh):
    path = fresh[0] / "numpy" / f"{CHANGED}.ipynb"
    page = visit(height=TALL).page
    open_notebook(page, fresh, path)
    texts = page.get_by_text(re.compile("^<Figure size"))
    expect(texts).to_have_count(pictures(path), timeout=30_000)
    assert texts.count() >= 3
    assert page.locator(".jp-RenderedSVG").count() == 0


@pytest.mark.parametrize("number", range(len(FRAMEWORKS)))
def test_saving_what_was_only_read_changes_nothing(visit, fresh, number):
    framework = list(FRAMEWORKS)[number]
    path = fresh[0] / framework / f"{NAMES[number % len(NAMES)]}.ipynb"
    before = path.read_text()

    def saves(answer):
        return answer.request.method == "PUT" and path.name in answer.url

    page = open_with_kernel(visit, fresh, path).page
    page.get_by_role("menubar").get_by_text("File", exact=True).click()
    with page.expect_response(saves):
        page.locator("li[data-command='docmanager:save']").click()
    after = nbformat.read(path, as_version=4)
    assert after.metadata.language_info.version  # which Jupyter adds
    after.metadata.language_info = METADATA["language_info"]
    assert nbformat.writes(after) + "\n" == before
    assert check.check(fresh[0], [framework]) == []
