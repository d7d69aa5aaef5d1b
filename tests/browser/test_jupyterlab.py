"""The notebooks where learners run them: in JupyterLab, in a browser."""

import os
import re
import subprocess
import sys
import time

import nbformat
import pytest

pytest.importorskip("playwright")

from tools.frameworks import FRAMEWORKS, why_missing
from tools.lesson import METADATA, NOTEBOOKS, names

LESSON = names()[1]
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
def lab(tmp_path_factory):
    """Start JupyterLab on this machine only; yield its folder and address."""
    folder = tmp_path_factory.mktemp("lab")
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "OMP_NUM_THREADS": "1",
    }
    env.pop("MPLBACKEND", None)  # the tests' own, not a learner's
    log = folder / "lab.log"
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser"]
    command += ["--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += ["--ServerApp.port=0"]
    # It would ask the network for news and updates.
    command += ["--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=" + NEVER]
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=stream, stderr=stream
        )
    try:
        yield folder, address(log, server)
    finally:
        server.terminate()
        server.wait(20)


def address(log, server):
    """Return (host and port, token) once the server answers."""
    for _ in range(120):
        found = re.search(
            r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", log.read_text()
        )
        if found:
            return found.groups()
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def open_notebook(visit, lab, path):
    """Open a notebook and wait for its kernel."""
    (host, token), reader = lab[1], visit()
    page = reader.page
    page.set_default_timeout(60_000)
    page.goto(f"{host}/lab/tree/{path.name}?token={token}&reset")
    page.wait_for_function(
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
    reader = open_notebook(visit, lab, path)
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
    return open_notebook(visit, lab, path).page


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
