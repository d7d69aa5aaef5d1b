"""What the notebook check sees, lets pass and says (tools/nbsight)."""

import copy
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib import colors, offsetbox
from matplotlib.artist import Artist
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)
from nbsight.compare import (
    WIDGET,
    Tolerance,
    figure_differences,
    output_differences,
    text_differences,
)
from nbsight.execute import CellFailed, execute
from nbsight.figure import describe, packed

from nbsight import MIME, artists, startup_code

ROOT = Path(__file__).parents[2]
X = np.linspace(0, 5, 60)
Y = 2.5 * np.sin(X)
AT = np.arange(60) == 17
LISTED = colors.ListedColormap(plt.get_cmap("Reds")(range(256)), name="mine")
NOTE = partial(offsetbox.AnchoredText, "note", loc="upper right")
DOTS = [[1, 4], [2, 5], [3, 6.1]]
HEAT = np.random.default_rng(0).random((10, 10))
TOLERANCE = Tolerance()


# Numbers in texts.


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("loss 0.123456", "loss 0.123460"),
        ("loss 2.31, 3 epochs", "loss 2.32, 3 epochs"),
        ("[0.1234567 0.7654321]", "[0.1234571 0.7654324]"),
        ("loss 1.000e-03", "loss 1.001e-03"),
        ("  9.99999", " 10.00000"),
        ("-0.000003", "0.000002"),
        ("mean nan, top inf", "mean nan, top inf"),
        ("a 1.5x b", "a 1.5x b"),
    ],
)
def test_noise_in_a_text_passes(stored, now):
    assert text_differences(stored, now, TOLERANCE) == []


@pytest.mark.parametrize(
    ("stored", "now", "said"),
    [
        ("loss 2.3456", "loss 2.3459", "stored 2.3456, now 2.3459"),
        ("loss 0.001234", "loss 0.001334", "stored 0.001234, now 0.001334"),
        ("tensor([1., 2.])", "tensor([1., 3.])", "stored 2., now 3."),
        ("[0.25 0.5 ]", "[0.26 0.5 ]", "stored 0.25, now 0.26"),
        ("200001 steps", "200002 steps", "stored 200001, now 200002"),
        ("loss 0.50", "loss 0.500", "another format"),
        ("loss 1e-3", "loss 0.001", "another format"),
        ("loss 1.", "loss 1", "another format"),
        ("loss  0.5", "loss 0.5", "another width"),
        ("loss 0.5", "Loss 0.5", 'stored "loss 0.5", now "Loss 0.5"'),
        ("loss nan", "loss 0.5", 'stored "loss nan"'),
        ("loss inf", "loss -inf", 'now "loss -inf"'),
        ("conv2d", "conv3d", "conv3d"),
        ("torch 2.5.1", "torch 2.6.1", "2.6.1"),
        ("a\nb 1.234", "a\nb 1.334", "line 2: stored 1.234, now 1.334"),
        ("a\nb", "a\nb\nc", "(2 lines stored, 3 now)"),
    ],
)
def test_a_fault_in_a_text_is_said(stored, now, said):
    lines = text_differences(stored, now, TOLERANCE)
    assert len(lines) == 1
    assert said in lines[0]


def test_a_stated_tolerance_is_used():
    wide = Tolerance(rtol=1e-2, tagged=True)
    assert text_differences("2.3456", "2.3500", wide) == []
    assert text_differences("2.3456", "2.4000", wide)


def test_a_widget_is_compared_by_its_text_and_must_not_vanish():
    def widget(text, model=None):
        view = {WIDGET: {"model_id": model}} if model else {}
        data = {"text/plain": text, **view}
        return [new_output("execute_result", data)]

    assert not output_differences(widget("w = 4", "1f"), widget("w = 4", "2e"))
    assert not output_differences(widget("w = 4"), widget("w = 4", "2e"))
    assert output_differences(widget("w = 4", "1f"), widget("w = 5", "1f"))
    assert output_differences(widget("w = 4", "1f"), widget("w = 4"))


def test_numbers_in_json_are_compared():
    def differences(stored, now):
        outputs = [
            new_output("display_data", {"application/json": data})
            for data in (stored, now)
        ]
        return output_differences(*([each] for each in outputs))

    assert differences({"a": [1.0, 2]}, {"a": [1.000001, 2]}) == []
    (line,) = differences({"a": [1.0, 2]}, {"a": [1.0, 3]})
    assert "a[1]: stored 2, now 3" in line
    assert differences({"a": [1.0]}, {"a": [1.0, 2.0]})
    assert differences('{"a": [1.0, 2]}', '{"a":[1.000001,2]}') == []
    (line,) = differences('{"a": [1.0, 2]}', {"a": [1.0, 3]})
    assert "a[1]: stored 2, now 3" in line


# Figures.


def draw(change=None, layout=None):
    """Return the data of a figure with a bit of everything, changed."""
    fig, (ax, bx) = plt.subplots(1, 2, figsize=(8, 4), layout=layout)
    ax.plot(X, Y, label="Pred")
    ax.plot(X, 2.5 * np.cos(X), "m--", label="True")
    ax.plot(X[::3], 2 * np.cos(X[::3]), "o", label="points")
    ax.fill_between(X, 0, np.sin(X), alpha=0.3)
    ax.bar([1, 2], [0.5, 1])
    ax.annotate("top", (1.5, 2.4), (3, 2), arrowprops={"arrowstyle": "->"})
    ax.set(xlabel="x", ylabel="y", title="title")
    ax.grid(True)
    ax.legend(loc="lower left")
    im = bx.imshow(HEAT, cmap="Reds")
    fig.colorbar(im, ax=bx, label="weight")
    bx.scatter([1, 2, 3], [4, 5, 6], s=[20, 30, 40])
    fig.suptitle("both")
    try:
        if change is not None:
            change(fig, ax, bx, im)
        return json.loads(json.dumps(describe(fig)))
    finally:
        plt.close(fig)


@pytest.fixture(scope="module")
def plain():
    """Return the data of the figure without a change."""
    return draw()


class Sticker(Artist):
    """An artist of a kind that nobody knows."""

    def draw(self, renderer):
        gc = renderer.new_gc()
        path = plt.Rectangle((0, 0), 1, 1).get_path()
        renderer.draw_path(gc, path, self.axes.transAxes, (1, 0, 0))


# What is done to the figure, and what the report has to say: f is the figure,
# a and b are its axes, i is its image.
FAULTS = """
a.lines[0].set_color("r") -> lines["Pred"].color: stored "#1f77b4"
a.lines[1].set_linestyle(":") -> lines["True"].dashes
a.lines[0].set_linewidth(2) -> lines["Pred"].width: stored 1.5, now 2.0
a.lines[0].set_alpha(0.5) -> lines["Pred"].color
a.lines[0].set_visible(False) -> lines["Pred"]: stored, now not drawn
a.lines[0].set_ydata(Y + 1e-3) -> lines["Pred"].y[0]: stored 0.0, now 0.001
a.lines[0].set_ydata(Y + 1e-3 * AT) -> lines["Pred"].y[17]: stored 2.478
a.lines[0].set_ydata(np.where(AT, np.nan, Y)) -> lines["Pred"].y[17]
a.lines[0].set_label("pred") -> lines["pred"]: now drawn, not stored
a.lines[0].set_zorder(9) -> now drawn before axes[0].lines["Pred"]
a.lines[0].set_drawstyle("steps") -> lines["Pred"].y: stored 60 values
a.lines[2].set_marker("s") -> lines["points"].marker: stored "o", now "s"
a.lines[2].set_markersize(7) -> lines["points"].markers.dims
a.lines[2].set_markerfacecolor("none") -> lines["points"].markers.face
a.lines[2].set_markeredgecolor("k") -> lines["points"].markers.color
a.lines[2].set_markeredgewidth(2) -> lines["points"].markers.width
a.lines[2].set_marker("") -> lines["points"]: stored, now not drawn
a.lines[2].set_markevery(2) -> lines["points"].markers.x: stored 20 values
a.legend(L[1::-1], ["True", "Pred"], loc=3) -> legend.lines["True"]
a.legend([L[1], L[0], L[2]], ["Pred", "True", "points"], loc=3) -> drawn before
a.legend(loc="upper right") -> axes[0].legend.legendPatch.near
a.legend(loc=3, frameon=False) -> legend.legendPatch: stored, now not drawn
a.legend(loc=3, title="who") -> legend.texts[0]: now drawn
a.legend(loc=3, fontsize=8) -> legend.texts[1].size: stored 10.0, now 8.0
a.get_legend().remove() -> axes[0].legend.legendPatch: stored, now not drawn
a.set_xlim(-1, 6) -> axes[0].xlim[0]: stored -0.25, now -1
a.invert_yaxis() -> axes[0].ylim[0]
a.set_yscale("symlog") -> axes[0].yscale: stored "linear", now "symlog"
a.set_xticks([0, 1, 2]) -> axes[0].xticks.label1: stored ["0", "1"
a.set_xticks([0, 2, 4], list("abc")) -> axes[0].xticks.label1
a.tick_params(axis="x", rotation=45) -> axes[0].xticks.label1.angle
a.tick_params(length=6) -> axes[0].xticks.tick1line.markers.dims
a.tick_params(labelsize=7) -> axes[0].xticks.label1.size
a.minorticks_on() -> axes[0].xminor_ticks.tick1line: now drawn
a.ticklabel_format(style="sci", scilimits=(1, 1)) -> yaxis.offsetText: now
a.grid(False) -> axes[0].xticks.gridline: stored, now not drawn
a.spines["top"].set_visible(False) -> spines["top"]: stored, now not drawn
a.set_axisbelow(False) -> now drawn before
a.axis("off") -> axes[0].patch: stored, now not drawn
a.set_facecolor("0.9") -> axes[0].patch.face
a.set_aspect(2) -> axes[0].aspect: stored "auto", now "2
a.set_title("t") -> axes[0].title: stored "title", now "t"
a.title.set_size(14) -> axes[0].title.size: stored 12.0, now 14
a.title.set_weight("bold") -> axes[0].title.font
a.set_ylabel("x") -> axes[0].ylabel: stored "y", now "x"
f.suptitle("one") -> figure.suptitle: stored "both", now "one"
f.set_size_inches(8, 5) -> figure.size[1]: stored 4.0, now 5.0
f.set_facecolor("0.9") -> figure.patch.face
f.text(0.5, 0.02, "foot") -> figure.texts[0]: now drawn
b.set_position([0.6, 0.1, 0.2, 0.8]) -> axes[1].box[0]
a.twinx() -> axes[3]: now drawn
a.inset_axes([0.5, 0.5, 0.2, 0.2]) -> axes[0].axes[0]: now drawn
a.text(1, 1, "hi") -> axes[0].texts[1]: now drawn
a.texts[0].set_text("low") -> axes[0].texts[0]: stored "top", now "low"
a.texts[0].set_position((3.2, 2)) -> axes[0].texts[0].x[0]
setattr(a.texts[0], "xy", (1.6, 2.4)) -> axes[0].texts[0].xy[0]
a.texts[0].arrow_patch.set_arrowstyle("<-") -> axes[0].texts[0].shape
a.patches[0].set_height(0.6) -> patches[0].y[2]: stored 0.5, now 0.6
a.patches[0].set_facecolor("g") -> axes[0].patches[0].face
a.patches[0].set_hatch("/") -> axes[0].patches[0].hatch
a.axvspan(1, 2) -> axes[0].patches[2]: now drawn
a.collections[0].set_facecolor("r") -> axes[0].collections[0].face
a.errorbar([1], [1], yerr=0.3) -> axes[0].collections[1]: now drawn
b.collections[0].set_offsets(DOTS) -> markers.y[2]: stored 6.0, now 6.1
b.collections[0].set_sizes([20, 30, 50]) -> collections[0].markers.dims[2]
i.set_data(HEAT.T) -> axes[1].images[0].values[0][1]
i.set_data(HEAT + 1e-3 * np.eye(10)) -> axes[1].images[0].values[0][0]
i.set_cmap("Blues") -> axes[1].images[0].cmap
i.set_clim(0, 2) -> axes[1].images[0].clim
i.set_extent((0, 9, 9, 0)) -> axes[1].images[0].extent
setattr(i, "origin", "lower") -> axes[1].images[0].origin
i.set_interpolation("bilinear") -> axes[1].images[0].interpolation
i.colorbar.remove() -> axes[2]: stored, now not drawn
i.colorbar.set_label("w") -> axes[2].ylabel: stored "weight", now "w"
a.add_artist(Sticker()) -> axes[0].Sticker[0]: now drawn, not stored
a.add_artist(NOTE()) -> axes[0].box: now drawn
""".strip().splitlines()


def done(code):
    """Return a function that does to a figure what a line of code says."""

    def change(fig, ax, bx, im):
        names = {"f": fig, "a": ax, "b": bx, "i": im, "L": ax.lines}
        eval(code, {**globals(), **names})

    return change


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_figure_is_seen_and_placed(plain, fault):
    code, said = fault.split(" -> ")
    other = draw(done(code))
    lines = figure_differences(plain, other)
    assert any(said in line for line in lines), lines
    assert figure_differences(other, plain)


HARMLESS = """
None
a.lines[0].set_ydata(Y + np.random.default_rng(1).uniform(-6e-6, 6e-6, 60))
a.lines[0].set_ydata(Y + 6e-6)
i.set_data(HEAT + 6e-6)
i.set_clim(np.add(i.get_clim(), 4e-6))
i.set_cmap(LISTED)
a.set_ylim(np.add(a.get_ylim(), 4e-6))
a.lines[0].set_color("#1f77b4")
a.lines[0].set_linestyle("solid")
a.lines[0].set_gid("for programs")
b.collections[0].set_offsets([[1, 4], [2, 5], [3, 6.000006]])
f.canvas.draw()
describe(f)
""".strip().splitlines()


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_passes(plain, change):
    assert figure_differences(plain, draw(done(change))) == []


@pytest.mark.parametrize("layout", ["tight", "constrained"])
def test_a_layout_engine_gives_the_same_twice(layout):
    assert figure_differences(draw(None, layout), draw(None, layout)) == []


@pytest.mark.parametrize("layout", [None, "tight", "constrained"])
def test_describing_leaves_the_picture_as_it_is(layout, tmp_path):
    def save(fig, *rest):
        if rest[-1] is seen:
            describe(fig)
        fig.savefig(tmp_path / rest[-1], bbox_inches="tight")

    seen, unseen = "seen.png", "unseen.png"
    for name in (seen, unseen):
        draw(lambda fig, *_, name=name: save(fig, name), layout)
    pictures = [(tmp_path / name).read_bytes() for name in (seen, unseen)]
    assert pictures[0] == pictures[1]


def heat_map(values):
    fig, ax = plt.subplots()
    ax.imshow(values)
    data = describe(fig)
    plt.close(fig)
    return data


def test_one_element_of_a_large_image_is_seen_within_little_data():
    values = np.random.default_rng(0).random((100, 50))
    data = heat_map(values)
    assert len(json.dumps(data)) < 4096
    for row, column in ((0, 0), (40, 20), (99, 49)):
        other = values.copy()
        other[row, column] += 1e-3
        lines = figure_differences(data, heat_map(other))
        assert any("images[0].values: differs near" in each for each in lines)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values[::-1],
        lambda values: values[:, ::-1],
        lambda values: np.roll(values, 1, 1),
        lambda values: values.reshape(50, 100),
        lambda values: values.reshape(50, 100).T,
    ],
)
def test_a_rearranged_large_image_is_seen(change):
    values = np.random.default_rng(0).random((100, 50))
    assert figure_differences(heat_map(values), heat_map(change(values)))


@pytest.mark.parametrize("seed", range(5))
def test_noise_in_a_large_image_passes(seed):
    values = np.random.default_rng(0).random((100, 50))
    noise = np.random.default_rng(seed).uniform(-6e-6, 6e-6, values.shape)
    noisy = [heat_map(values + each) for each in (noise, 6e-6)]
    for data in noisy:
        assert figure_differences(heat_map(values), data) == []


def test_a_label_with_a_noisy_number_passes(plain):
    def named(label):
        return draw(lambda f, a, b, i: a.lines[0].set_label(label))

    stored = named("loss 0.123456")
    assert figure_differences(stored, named("loss 0.123459")) == []
    assert figure_differences(stored, named("loss 0.133459"))


def test_a_figure_that_cannot_be_described_is_a_difference(plain):
    class Broken(Artist):
        def draw(self, renderer):
            raise ValueError("broken")

    broken = draw(lambda f, a, b, i: a.add_artist(Broken()))
    assert "broken" in broken["error"]
    for pair in ((plain, broken), (broken, plain), (broken, broken)):
        assert "no readable data" in figure_differences(*pair)[0]


def test_packed_data_are_short_and_say_the_same(plain):
    short = packed(plain)
    assert artists(short) == artists(plain) == plain["artists"]
    assert len(json.dumps(short)) < 0.4 * len(json.dumps(plain))
    other = draw(done("a.lines[0].set_linewidth(2)"))
    for pair in ((short, packed(other)), (plain, packed(other))):
        lines = figure_differences(*pair)
        assert lines == figure_differences(plain, other)
        assert 'lines["Pred"].width: stored 1.5, now 2.0' in lines[0]


@pytest.mark.parametrize("lines", ["", "no base 85", "c${NkU|", 7, ["x"]])
def test_packed_data_that_are_damaged_are_a_difference(plain, lines):
    damaged = {**plain, "artists": lines}
    for pair in ((plain, damaged), (damaged, plain)):
        assert "no readable data" in figure_differences(*pair)[0]


# Notebooks, executed and verified as they are in use.

CELLS = {
    "imports": "import matplotlib.pyplot as plt\nimport numpy as np",
    "noise": "print('loss 0.123456')",
    "number": "print('loss 2.345678')",
    "tagged": "print('loss 2.345678')",
    "array": "np.array([1.0, 2.0])",
    "quiet": "np.array([1.0, 2.0]);",
    "curve": "plt.plot([0, 1, 2], [1, 2, 4], label='Pred')\nplt.ylabel('y');",
    "returned": "fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.close()\nfig",
    "gone": "plt.plot([1, 2]);",
    "mixed": "print('before')\nplt.plot([1, 2])\nplt.show()\ndisplay('after')",
    "handle": "handle = display('start', display_id=True)",
    "animated": (
        "from IPython.display import clear_output\n"
        "for i in range(3):\n"
        "    print('epoch', i)\n"
        "    clear_output(wait=True)\n"
        "    display(i)\n"
        "handle.update('end')"
    ),
    "names": "sorted(name for name in globals() if 'bundle' in name.lower())",
    "skip": "print('skip')",
    "comment": "# NBVAL_IGNORE_OUTPUT\nprint('comment')",
    "picture": "plt.plot([1, 2]);",
    "missing": "print('missing')",
    "stale": "print('stale')",
    "never": "print('never')",
}


def notebook(cells):
    """Return a notebook of cells with ids and a heading above."""
    nb = new_notebook(cells=[new_markdown_cell("# Lesson\n\n## Training")])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python"}
    for name, source in cells.items():
        nb.cells.append(new_code_cell(source, id=name))
    return nb


def plant(nb):
    """Plant the faults that the tests below look for."""
    cells = {cell.id: cell for cell in nb.cells}
    cells["noise"].outputs[0].text = "loss 0.123460\n"
    cells["number"].outputs[0].text = "loss 2.345912\n"
    cells["tagged"].outputs[0].text = "loss 2.355678\n"
    cells["tagged"].metadata["tags"] = ["rtol-1e-2"]
    cells["array"].outputs[0].data["text/plain"] = "array([1., 3.])"
    bundle = cells["curve"].outputs[0].data[MIME]
    bundle["artists"] = [
        line.replace('"y":[1,2,4]', '"y":[1,2,4.02]').replace(
            '"text":"y"', '"text":"loss"'
        )
        for line in artists(bundle)
    ]
    cells["gone"].outputs *= 2
    cells["mixed"].outputs.append(cells["mixed"].outputs.pop(1))
    cells["skip"].metadata["tags"] = ["nbval-skip"]
    del cells["picture"].outputs[0].data[MIME]
    cells["missing"].outputs = []
    cells["stale"].execution_count += 9
    cells["never"].execution_count = None
    cells["never"].outputs = []
    return nb


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a notebook as the project's builder makes it."""
    return execute(notebook(CELLS), tmp_path_factory.mktemp("executed"))


def verify(folder, *options):
    """Run the plugin over a folder; return each test's report."""
    command = [sys.executable, "-m", "pytest", "-p", "nbsight.plugin"]
    command += ["--nbval", "--junitxml=report.xml", *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True
    )
    assert (folder / "report.xml").exists(), result.stdout + result.stderr
    reports = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        name = case.get("classname").split(".")[0], case.get("name")
        failures = [*case.iter("failure"), *case.iter("error")]
        reports[name] = "".join(each.text for each in failures)
    return reports


@pytest.fixture(scope="module")
def reports(executed, tmp_path_factory):
    """Return the reports on good and bad notebooks, and their folder."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "pytest.ini").write_text(
        "[pytest]\n"
        "filterwarnings = error\n"
        "nbsight_rerun = make nbval NOTEBOOK={path}\n"
    )
    good = copy.deepcopy(executed)
    for cell in good.cells:
        cell.source = cell.source.removeprefix("# NBVAL_IGNORE_OUTPUT\n")
    loud = notebook(
        {
            "loud": "import sys\nprint('careful', file=sys.stderr)",
            "raised": "a = 1\nb = a / 0",
            "after": "print('after')",
            "later": "print('later')",
        }
    )
    for count, cell in enumerate(loud.cells[1:], 1):
        cell.execution_count = count
    output = new_output("error", ename="ValueError", evalue="old")
    loud.cells[2].outputs = [output]
    notebooks = {
        "good": good,
        "faulty": plant(copy.deepcopy(executed)),
        "loud": loud,
        "empty": notebook({"blank": " "}),
    }
    for name, nb in notebooks.items():
        nbformat.write(nb, folder / f"{name}.ipynb")
    nameless = json.loads((folder / "empty.ipynb").read_text())
    del nameless["cells"][0]["id"]
    (folder / "nameless.ipynb").write_text(json.dumps(nameless))
    return folder, verify(folder, "-n", "2", "--dist", "loadfile")


@pytest.fixture
def report(reports):
    """Return a function that looks up the report on one cell, by its id."""
    names = {"good": list(CELLS), "faulty": list(CELLS)}
    names["loud"] = ["loud", "raised", "after", "later"]

    def look_up(name, cell=None):
        test = "Notebook"
        if cell is not None:
            test = f"Cell {names[name].index(cell)}"
        return reports[1][name, test]

    return look_up


def test_an_unchanged_notebook_passes(reports, report):
    assert [report("good", cell) for cell in CELLS] == [""] * len(CELLS)
    assert report("good") == ""


def test_an_executed_notebook_is_complete(executed):
    cells = {cell.id: cell for cell in executed.cells[1:]}
    counts = [cell.execution_count for cell in cells.values()]
    assert counts == list(range(1, len(CELLS) + 1))
    assert not any("execution" in cell.metadata for cell in cells.values())
    kinds = [output.output_type for output in cells["mixed"].outputs]
    assert kinds == ["stream", "display_data", "display_data"]
    for name in ("curve", "returned", "gone", "mixed", "picture"):
        outputs = cells[name].outputs
        data = next(each.data for each in outputs if "data" in each)
        assert {MIME, "image/png"} <= set(data)
        assert "artists" in data[MIME]
    assert cells["quiet"].outputs == []
    assert cells["names"].outputs[0].data["text/plain"] == "[]"


def test_updates_and_clearing_are_followed(executed):
    cells = {cell.id: cell for cell in executed.cells}
    assert cells["handle"].outputs[0].data["text/plain"] == "'end'"
    (output,) = cells["animated"].outputs
    assert output.data["text/plain"] == "2"


@pytest.mark.parametrize("cell", ["noise", "tagged"])
def test_noise_in_a_notebook_passes(report, cell):
    assert report("faulty", cell) == ""


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("number", "stored 2.345912, now 2.345678"),
        ("array", "stored 3., now 2."),
        ("curve", 'axes[0].lines["Pred"].y[2]: stored 4.02, now 4.0'),
        ("curve", 'axes[0].ylabel: stored "loss", now "y"'),
        ("gone", "stored 2 figure, now 1"),
        ("mixed", "order: stored stdout, text, figure; now stdout"),
        ("skip", "nbval-skip would switch this check off"),
        ("comment", "NBVAL_IGNORE_OUTPUT would switch this check off"),
        ("picture", "the picture was stored without its figure data"),
        ("missing", "stored 0 stdout, now 1"),
        ("stale", "not run in order: its count is 27, not 18"),
        ("never", "was never run"),
    ],
)
def test_a_fault_in_a_notebook_is_said(report, cell, said):
    assert said in report("faulty", cell)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("loud", 'new output on stderr: "careful"'),
        ("raised", "raised ZeroDivisionError: division by zero"),
        ("raised", "in its line 2: b = a / 0"),
        ("raised", "stored output is an error: ValueError: old"),
    ],
)
def test_a_cell_that_goes_wrong_is_said(report, cell, said):
    assert said in report("loud", cell)


def test_cells_after_an_error_are_short(report):
    for cell in ("after", "later"):
        assert "not run: an earlier cell failed" in report("loud", cell)
        assert len(report("loud", cell).splitlines()) <= 2


def test_a_notebook_without_code_or_ids_fails(report):
    assert "no code to run" in report("empty")
    assert "cell 1 of the file has no id" in report("nameless")


def test_a_report_is_short_and_says_all(report, reports):
    lines = report("faulty", "curve").splitlines()
    assert len(lines) <= 10
    assert "faulty.ipynb" in lines[0]
    assert '"Training"' in lines[0]
    assert "plt.plot([0, 1, 2]" in lines[0]
    assert "(curve)" in lines[0]
    assert "rerun: make nbval NOTEBOOK=faulty.ipynb" in lines[-1]
    (line,) = [line for line in lines if "pictures" in line]
    page = reports[0] / line.split(": ")[1]
    assert page.read_text().count("<img src=") == 2


def test_skipping_can_be_allowed(executed, tmp_path):
    nb = copy.deepcopy(executed)
    nb.cells = [cell for cell in nb.cells if cell.id in ("comment", "skip")]
    for count, cell in enumerate(nb.cells, 1):
        cell.execution_count = count
    nb.cells[0].metadata["tags"] = ["nbval-skip"]
    nb.cells[1].outputs = []
    nbformat.write(nb, tmp_path / "skips.ipynb")
    reports = verify(tmp_path, "-o", "nbsight_allow_skip=true")
    assert set(reports.values()) == {""}


def test_an_error_stops_the_execution(tmp_path):
    with pytest.raises(CellFailed) as stopped:
        execute(notebook({"one": "1", "two": "1 / 0"}), tmp_path)
    assert stopped.value.index == 2


def test_a_kernel_needs_no_import_path_and_no_name():
    code = startup_code()
    compile(code, "startup", "eval")
    assert "tools" not in code.split("SOURCE")[0]


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")])
def test_each_notebook_that_is_finished_gets_a_line(tmp_path, workers):
    for name, source in (("fails", "1 / 0"), ("passes", "a = 1")):
        nb = notebook({"only": source})
        nb.cells[1].execution_count = 1
        nbformat.write(nb, tmp_path / f"{name}.ipynb")
    (tmp_path / "test_other.py").write_text("def test_other():\n    pass\n")

    def lines(*options):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
        command += ["-p", "nbsight.plugin", "--nbval", *options]
        text = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        ).stdout
        return re.findall(r"(?m)^\[(./.)\] +(now|\d+ s)  (.*)$", text)

    found = lines(*workers)
    ended = [(done, name) for done, what, name in found if what != "now"]
    assert [done for done, _ in ended] == ["1/2", "2/2"]
    assert {name for _, name in ended} == {
        "fails.ipynb  1 FAILED",
        "passes.ipynb  ok",
    }
    started = {name for _, what, name in found if what == "now"}
    assert started == ({"fails.ipynb", "passes.ipynb"} if workers else set())
    assert lines("-q", *workers) == []
