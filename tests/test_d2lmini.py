"""What d2lmini draws, in which look, and what it says of bad input."""

import copy
import io
import os
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.dates import AutoDateLocator
from nbclient import NotebookClient

import d2lmini as d2l
import handson
from anyarray import to_numpy
from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[1]
OKABE_ITO = ["#0072b2", "#cc79a7", "#009e73", "#d55e00"]  # of d2l's formats
X = np.linspace(0, 5, 6)


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    d2l.plt.close("all")


def variants(framework, values):
    """Return the values in all that a lesson of the framework may hold."""
    values = np.asarray(values, dtype="float32")
    if framework == "numpy":
        return [values, values.tolist(), list(values), tuple(values)]
    if framework == "pytorch":
        import torch

        tensor = torch.tensor(values, requires_grad=True)
        parameter = torch.nn.Parameter(torch.tensor(values))
        types = [tensor.to(torch.bfloat16), tensor.half()]
        return [tensor, parameter, tensor * 1, list(tensor * 1), *types]
    if framework == "tensorflow":
        import tensorflow as tf

        tensor = tf.constant(values)
        variables = [tf.Variable(values), tf.keras.Variable(values)]
        types = [tf.cast(tensor, name) for name in ("bfloat16", "float16")]
        return [tensor, *variables, list(tensor), *types]
    if framework == "jax":
        import jax.numpy as jnp

        array = jnp.array(values)
        types = [array.astype(jnp.bfloat16), array.astype(jnp.float16)]
        return [array, list(array), *types]
    assert framework == "mxnet", f"how are {framework}'s arrays made?"
    import mxnet

    mxnet.npx.set_np()  # as the lessons do
    parameter = mxnet.gluon.Parameter("w", shape=values.shape)
    parameter.initialize(mxnet.init.Constant(mxnet.np.array(values)))
    taped = mxnet.np.array(values)
    taped.attach_grad()
    return [mxnet.nd.array(values), taped, parameter, list(taped)]


def line_data(axes):
    return [line.get_xydata().T.tolist() for line in axes.lines]


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def svg(figure):
    """Return the bytes of a figure, saved without the day and the program."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def heatmap_images():
    """Return the images of the panels of the current figure, in order."""
    return [axes.images[0] for axes in d2l.plt.gcf().axes if axes.images]


def test_each_entry_point_takes_arrays_of_any_framework(framework):
    values = [0.5, 2.0, -1.25, 0.0, 3.0, 1.5]
    array = variants(framework, values)[0]
    d2l.plot_kernel_reg(array, array, array, array, array)
    assert line_data(d2l.plt.gca()) == [[values, values]] * 3
    matrix = np.reshape(values, (2, 3))
    d2l.show_heatmaps(variants(framework, matrix)[0], "keys", "queries")
    assert heatmap_images()[0].get_array().tolist() == matrix.tolist()
    for array in variants(framework, values):
        d2l.plot(array)
        assert line_data(d2l.plt.gca()) == [[[*range(6)], values]]
    for array in variants(framework, matrix):
        assert to_numpy(array).tolist() == matrix.tolist()
    for losses in variants(framework, [0.5, 0.25]):
        if hasattr(losses, "__getitem__"):  # a parameter is no loss
            animator = d2l.Animator()
            for epoch in range(2):
                animator.add(epoch, losses[epoch])
            assert animator.Y == [[0.5, 0.25]]
            assert {type(y) for y in animator.Y[0]} == {float}
            d2l.Animator().add(losses, losses)  # as a point of two lines


def test_lines_are_numbers_rows_columns_ragged_lists_or_ranges():
    one, two = [1.0, 4.0, 9.0], [2.0, 3.0]
    column = np.reshape(one, (3, 1))
    for X, Y, expected in [
        (np.array([one, one]), None, [[[0, 1, 2], one]] * 2),
        ([one, two], None, [[[0, 1, 2], one], [[0, 1], two]]),
        (range(3), one, [[[0, 1, 2], one]]),
        ([one, two], [one, two], [[one, one], [two, two]]),
        (one, [one, one], [[one, one]] * 2),
        (one, column, [[one, one]]),
        (one, [column, one], [[one, one]] * 2),
    ]:
        d2l.plot(X, Y)
        assert line_data(d2l.plt.gca()) == expected


def test_settings_are_those_of_d2l(monkeypatch):
    arguments = ["x", "y", ["a", "b"], [1, 5], [2, 9], "log", "log"]
    d2l.plot(X, [X, X], *arguments)
    drawn = d2l.plt.gca()
    animator = d2l.Animator(*arguments)
    animator.add(1, (2, 3))
    for axes in (drawn, animator.axes[0]):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert (axes.get_xlim(), axes.get_ylim()) == ((1, 5), (2, 9))
        assert legend_of(axes) == ["a", "b"]
    d2l.plot(X, X, legend="one", xlim=[1, 1], axes=drawn)
    assert legend_of(drawn) == ["one"] and len(drawn.lines) == 1
    d2l.set_figsize((6, 4))
    assert d2l.plt.figure().get_size_inches().tolist() == [6, 4]
    monkeypatch.setitem(d2l.plt.rcParams, "lines.linewidth", 7)  # is kept
    d2l.plot(X, X)
    assert d2l.plt.gca().lines[0].get_linewidth() == 7


def test_d2ls_formats_are_colours_for_colour_blind_readers():
    d2l.plot([X] * 9)
    lines = d2l.plt.gca().lines
    colors = [to_hex(line.get_color()) for line in lines]
    assert colors[:4] == OKABE_ITO
    looks = {(c, line.get_linestyle()) for c, line in zip(colors, lines)}  # noqa: B905
    assert len(looks) == 9
    d2l.plt.plot([2], [99], "o", alpha=0.5)  # is not cut off
    assert len(d2l.plt.gca().lines) == 10
    assert d2l.plt.gca().get_ylim()[1] > 99


def test_predictions_of_shape_n_by_1_are_drawn_as_one_line():
    truth, pred, data = np.sin(X), np.cos(X).reshape(-1, 1), [[-1, 7], [4, -9]]
    d2l.plot_kernel_reg(X, truth, pred, *data)
    axes = d2l.plt.gca()
    curves = [[X.tolist(), np.ravel(y).tolist()] for y in (truth, pred)]
    assert line_data(axes) == [*curves, data]
    points = axes.lines[2]
    assert (points.get_marker(), points.get_linestyle()) == ("o", "None")
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    assert legend_of(axes) == ["Truth", "Pred"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert axes.get_xlim()[0] < -1 and axes.get_xlim()[1] > 7
    assert axes.get_ylim()[0] < -9 and axes.get_ylim()[1] > 4


def test_all_heatmaps_share_one_colour_scale_which_the_bar_shows():
    matrices = np.arange(24.0).reshape(2, 3, 2, 2)
    d2l.show_heatmaps(matrices, "k", "q", ["a", "b", "c"])
    *panels, bar = d2l.plt.gcf().axes
    drawn = [image.get_array().tolist() for image in heatmap_images()]
    assert drawn == matrices.reshape(6, 2, 2).tolist()
    assert {image.get_clim() for image in heatmap_images()} == {(0, 23)}
    assert bar.get_ylim() == (0, 23)
    assert [p.get_title() for p in panels] == ["a", "b", "c"] * 2
    assert [p.get_xlabel() for p in panels] == [""] * 3 + ["k"] * 3
    assert [p.get_ylabel() for p in panels] == ["q", "", ""] * 2
    d2l.show_heatmaps(np.full((1, 2, 3, 3), 0.25), "k", "q")  # constant
    d2l.plt.gcf().draw_without_rendering()
    (low, high), other = [image.get_clim() for image in heatmap_images()]
    assert low < 0.25 < high and other == (low, high)


def test_heatmaps_stay_legible_whatever_their_shape():
    for shape in [(10, 10), (1, 2, 100, 50), (1, 1, 4, 100)]:
        d2l.show_heatmaps(np.ones(shape), "keys", "queries")
        figure = d2l.plt.gcf()
        figure.draw_without_rendering()
        boxes = [axes.get_window_extent() for axes in figure.axes]
        for box in boxes[:-1]:
            assert min(box.size) > 0.8 * figure.dpi
            assert box.x1 < boxes[-1].x0


def test_a_large_heatmap_is_a_small_file_and_finer_than_a_screen():
    noise = np.random.default_rng(0).random((1000, 1000))
    for size in (2.5, 9):
        d2l.show_heatmaps(noise, "k", "q", figsize=(size, size))
        assert len(svg(d2l.plt.gcf())) < 1_000_000
        panel = d2l.plt.gcf().axes[0].get_window_extent()
        assert panel.width > (300 if size > 2.5 else 150)


def test_an_svg_is_small_and_the_same_each_time():
    def draw_all():
        d2l.plot_kernel_reg(X, X, np.sin(X), X, np.cos(X))
        yield svg(d2l.plt.gcf())
        d2l.show_heatmaps(np.eye(100)[None, None, :, :50], "k", "q")
        yield svg(d2l.plt.gcf())
        animator = d2l.Animator("epoch", "loss", legend=["a", "b"])
        animator.add([0, 1], [1, 2])
        yield svg(animator.fig)

    first, again = list(draw_all()), list(draw_all())
    assert first == again
    assert max(map(len, first)) < 25_000


def test_a_gap_is_left_and_said_where_a_number_is_not_finite():
    gappy = [1.0, np.nan, 3.0, np.inf]
    with pytest.warns(UserWarning, match="Y: 2 NaN") as caught:
        d2l.plot([0, 1, 2, 3], gappy)
    assert caught[0].filename == __file__
    assert np.allclose(d2l.plt.gca().dataLim.bounds[1::2], [1, 2])
    with pytest.warns(UserWarning, match="y_hat: 2 NaN"):
        d2l.plot_kernel_reg(X[:4], X[:4], gappy, X, X)
    with pytest.warns(UserWarning, match="matrices: 1 NaN"):
        d2l.show_heatmaps([[1, 2], [3, np.nan]], "k", "q")
    image = heatmap_images()[0]
    assert image.get_clim() == (1, 3)
    colours = image.to_rgba(image.get_array()).reshape(4, 4)
    assert len({tuple(colour) for colour in colours}) == 4
    animator = d2l.Animator()
    with pytest.warns(UserWarning, match="y: 1 NaN"):
        for epoch, loss in enumerate([1.0, np.nan, 2.0]):
            animator.add(epoch, loss)
    (line,) = animator.axes[0].lines
    assert np.array_equal(line.get_ydata(), [1, np.nan, 2], True)


Y6 = np.ones(6)
plot, regression = d2l.plot, d2l.plot_kernel_reg
heatmaps = partial(d2l.show_heatmaps, xlabel="keys", ylabel="queries")
BAD = {
    r"^Y: .*6.*\(5,\)": lambda: plot(X, Y6[:5]),
    r"^Y: expected 2 lines": lambda: plot([X, X], [Y6] * 3),
    "^Y: .*object": lambda: plot(X, [object()] * 6),
    r"^X: .*\(1, 2, 3\)": lambda: plot(np.ones((1, 2, 3))),
    r"^X: .*\[\]": lambda: plot([]),
    "^X: expected lines": lambda: plot([[1, 2], [3, 4, 5], 7]),
    "^X: .*'text'": lambda: plot("text"),
    "^fmts: .*'zz'": lambda: plot(X, Y6, fmts=["zz"]),
    "^xlabel: .*shape": lambda: plot(X, X, X),
    "^axes: .*str": lambda: plot(X, X, axes="axes"),
    "^legend: .*3": lambda: plot(X, Y6, legend=3),
    r"^xlim: .*\(1, 2, 3\)": lambda: plot(X, Y6, xlim=(1, 2, 3)),
    "^figsize: .*-1": lambda: plot(X, Y6, figsize=(3, -1)),
    "^figsize: .*inf": lambda: d2l.set_figsize((1, np.inf)),
    r"^y_hat: .*\(6,\).*\(5,\)": lambda: regression(X, Y6, Y6[:5], X, X),
    r"^y_train: .*\(4,\)": lambda: regression(X, Y6, Y6, X[:3], X[:4]),
    r"^matrices: .*\(2, 2, 2\)": lambda: heatmaps(np.ones((2, 2, 2))),
    "^matrices: .*equal length": lambda: heatmaps([[1, 2], [3]]),
    "^titles: expected 1": lambda: heatmaps([[1]], titles=["a", "b"]),
    "^cmap: .*'zz'": lambda: heatmaps([[1]], cmap="zz"),
    "^figsize: .* got int 3": lambda: heatmaps([[1]], figsize=3),
    "^ylim: .*nan": lambda: d2l.Animator(ylim=(2, float("nan"))),
    "^xlim: .*None": lambda: d2l.Animator(xlim=(0, None)),
    "^ylabel": lambda: d2l.Animator(ylabel=3),
    "^yscale: .*'square'": lambda: d2l.Animator(yscale="square"),
    r"^nrows, ncols: .*\(0, 1\)": lambda: d2l.Animator(nrows=0),
}


def test_bad_input_is_named_and_nothing_is_drawn():
    d2l.plot(X, X, "before")
    axes, size = d2l.plt.gca(), d2l.plt.rcParams["figure.figsize"]
    for message, call in BAD.items():
        with pytest.raises((ValueError, TypeError), match=message):
            call()
        assert d2l.plt.get_fignums() == [axes.figure.number]
        assert axes.get_xlabel() == "before"
        assert line_data(axes) == [[X.tolist(), X.tolist()]]
        assert d2l.plt.rcParams["figure.figsize"] == size


def test_a_bad_point_is_named_and_leaves_the_animator_alone():
    animator = d2l.Animator()
    animator.add(1, (3, 4))
    for message, point in {
        "^y: expected 2 values, one": (2, 1),
        "^y: expected 2 values": (2, (1, 2, 3)),
        "^x: expected 1 or 2": ((1, 2, 3), (1, 2)),
        "^y: ": (2, []),
        "^y: .*None": (2, None),
        "^y: .*loss": (2, (1, "loss")),
        "^x: .*complex": (2j, (1, 2)),
    }.items():
        with pytest.raises((ValueError, TypeError), match=message):
            animator.add(*point)
        assert (animator.X, animator.Y) == ([[1], [1]], [[3], [4]])


def test_an_animator_draws_each_lines_own_points():
    animator = d2l.Animator("epoch", legend=["loss", "accuracy"], ncols=2)
    assert (animator.X, animator.Y) == (None, None)
    animator.axes[1].imshow([[1, 2]])
    animator.fig.subplots_adjust(wspace=0.5)
    animator.add(1, (9, None))
    animator.add([2, 3], [8, 0.5])
    assert animator.Y[0][-1] == 8
    expected = [[[1, 2], [9, 8]], [[3], [0.5]]]
    assert line_data(animator.axes[0]) == expected
    animator.add(4, (7, 0.6))
    assert animator.axes[0].lines[1].get_ydata() == [0.5, 0.6]
    assert len(animator.axes[1].images) == 1


def test_what_is_masked_is_a_gap_and_sets_no_scale():
    masked = np.ma.array([1.0, 99, 3], mask=[0, 1, 0])
    for Y in (masked, [masked], [1, None, 3], np.array([1, None, 3])):
        d2l.plot([0, 1, 2], Y)
        axes = d2l.plt.gca()
        x, y = axes.lines[0].get_data(orig=False)
        assert np.ma.filled(y, np.nan)[[0, 2]].tolist() == [1, 3]
        assert np.isnan(np.ma.filled(y, np.nan)[1])
        assert axes.dataLim.y1 == 3
    d2l.plot_kernel_reg([0, 1, 2], masked, masked, [0, 1, 2], masked)
    assert d2l.plt.gca().dataLim.y1 == 3
    d2l.show_heatmaps(np.ma.masked_equal([[1, 99], [3, 4]], 99), "k", "q")
    assert heatmap_images()[0].get_clim() == (1, 4)
    animator = d2l.Animator()
    for x, y in enumerate(masked):
        animator.add(x, y)
    animator.add(3, [None])
    assert (animator.X, animator.Y) == ([[0, 2]], [[1, 3]])


def test_dates_are_drawn_as_dates_and_a_missing_one_is_a_gap():
    stamps = np.arange("2026-01-01", "2026-01-04", dtype="M8[D]")
    for days in (
        [date(2026, 1, day) for day in (1, 2, 3)],
        [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)],
        [date(2026, 1, 1), None, date(2026, 1, 3)],
        stamps,
        stamps.astype("M8[ns]"),
    ):
        d2l.plt.close("all")
        d2l.plot(days, [1, 2, 3], xlim=[days[0], days[2]])
        animator = d2l.Animator()
        for day in days:
            animator.add([day], 1)
        for axes in (*d2l.plt.figure(1).axes, animator.axes[0]):
            axes.figure.draw_without_rendering()
            x = axes.lines[0].get_xdata(orig=False)
            assert x[-1] - x[0] == 2  # days
            assert isinstance(axes.xaxis.get_major_locator(), AutoDateLocator)
        gaps = np.isnan(line_data(d2l.plt.figure(1).axes[0])[0][0]).sum()
        assert gaps == (days[1] is None) == 3 - len(animator.X[0])


def test_texts_may_come_as_any_sequence():
    for texts in np.array, tuple, dict.fromkeys, iter:
        d2l.plot(X, [X, X], legend=texts(["a", "b"]))
        assert legend_of(d2l.plt.gca()) == ["a", "b"]
        animator = d2l.Animator(legend=texts(["a", "b"]))
        animator.add(1, (2, 3))
        assert legend_of(animator.axes[0]) == ["a", "b"]
        matrices = np.ones((1, 2, 3, 3))
        d2l.show_heatmaps(matrices, "k", "q", titles=texts(["a", "b"]))
        titles = [axes.get_title() for axes in d2l.plt.gcf().axes[:2]]
        assert titles == ["a", "b"]


def test_pyplot_speaks_to_the_animators_figure_in_a_script(tmp_path):
    animator = d2l.Animator("epoch", "loss")
    assert d2l.plt.gcf() is animator.fig
    for epoch in range(3):
        animator.add(epoch, epoch)
        d2l.plt.title("Training")
    d2l.plt.axhline(1, color="k")
    d2l.plt.savefig(tmp_path / "a.svg")
    assert ">Training<" in (tmp_path / "a.svg").read_text()
    assert len(animator.axes[0].lines) == 2
    assert d2l.plt.get_fignums() == [1]
    animator.axes[0].set_xlabel("changed")
    animator.config_axes()  # d2l's
    assert animator.axes[0].get_xlabel() == "epoch"
    animator.axes[0].cla()  # as d2l's readers do with the other axes
    animator.add(3, 5)
    assert animator.axes[0].lines[0].get_ydata() == [0, 1, 2, 5]


def test_limits_follow_the_points_until_they_are_set():
    animator = d2l.Animator(yscale="log")
    for x in range(1, 200):
        animator.add(x, x)
    assert animator.axes[0].get_xlim()[1] > 199
    d2l.plt.xlim(0, 10)
    animator.add(500, 1e6)
    assert animator.axes[0].get_xlim() == (0, 10)
    assert animator.axes[0].get_ylim()[1] > 1e6


def test_an_animator_can_be_copied_and_pickled():
    animator = d2l.Animator("epoch", legend=["a", "b"])
    animator.add(1, (2, 3))
    copies = [copy.deepcopy(animator), pickle.loads(pickle.dumps(animator))]
    for each in copies:
        each.add(2, (4, 5))
        assert line_data(each.axes[0]) == [[[1, 2], [2, 4]], [[1, 2], [3, 5]]]
        assert each.axes[0].get_xlabel() == "epoch"
    assert line_data(animator.axes[0]) == [[[1], [2]], [[1], [3]]]


MAKE = "animator = d2l.Animator()"
LOOP = "for epoch in range(9): animator.add(epoch, epoch)"
PYPLOT = """
d2l.plt.title("Training")
d2l.plt.axhline(7)
d2l.plt.savefig("a.svg")
"""
CELLS = {
    "start": """
import d2lmini as d2l
from IPython.display import clear_output
def train(epochs):
    animator = d2l.Animator("epoch", "loss", legend="loss")
    for epoch in range(epochs):
        animator.add(epoch, 1 / (epoch + 1))
        if epoch % 10 == 0:
            print("epoch", epoch)
    return animator
""",
    "whole": "animator = train(30)",
    "twice": "animator.add(30, 5); animator.add(31, 5)",
    "more": "animator.fig",
    "failing": "train(3); other = train(20); print('done'); 1 / 0",
    "curve": "d2l.plot([1, 2], legend='a')",
    "at once": """
animator = d2l.Animator("epoch", "loss", legend="loss")
animator.X, animator.Y = [[*range(19)]], [[1 / (1 + x) for x in range(19)]]
animator.add(19, 1 / 20)
""",
    "titled": f"{MAKE}\n{LOOP}{PYPLOT}",
    "made": MAKE,
    "later": f"{LOOP}{PYPLOT}",
    "open": "print(d2l.plt.get_fignums(), '>Train' in open('a.svg').read())",
    "shown": f"{MAKE}\n{LOOP}{PYPLOT}d2l.plt.show()\nanimator.fig",
    "plain": f"{MAKE}\n{LOOP}",
    "callbacks": "len([c for c in get_ipython().events.callbacks["
    "'post_execute'] if 'Animator' in str(c)])",
}
add = "animator.add(epoch, epoch); "
for clear in "clear_output(wait=True); ", "clear_output(wait=False); ":
    for body in clear + add, add + clear:
        CELLS[body] = f"{MAKE}\nfor epoch in range(9): {body}"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of each of CELLS, run in one kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    backend = "module://matplotlib_inline.backend_inline"
    env = {**os.environ, "MPLBACKEND": backend, "PYTHONPATH": str(ROOT)}
    folder = {"metadata": {"path": tmp_path_factory.mktemp("notebook")}}
    client = NotebookClient(notebook, allow_errors=True, resources=folder)
    client.execute(env=env)
    return dict(zip(CELLS, [cell.outputs for cell in cells], strict=True))


def images(outputs):
    shown = [o for o in outputs if "data" in o]
    return [o.data["image/svg+xml"] for o in shown if len(o.data) > 1]


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


def test_a_notebook_keeps_prints_and_one_figure_with_the_last_state(outputs):
    assert text(outputs["whole"]) == "epoch 0\nepoch 10\nepoch 20\n"
    names = "whole", "twice", "more", "curve"
    (whole,), (twice,), (more,), _ = (images(outputs[n]) for n in names)
    assert twice == more != whole
    failing = outputs["failing"]
    assert text(failing) == "epoch 0\nepoch 0\nepoch 10\ndone\n"
    assert failing[-1].ename == "ZeroDivisionError"
    assert images(failing)[1:] == images(outputs["at once"])
    assert outputs["callbacks"][0].data["text/plain"] == "0"


def test_after_the_loop_pyplot_adds_to_the_one_figure(outputs):
    (titled,) = images(outputs["titled"])
    assert ">Training<" in titled
    assert images(outputs["later"]) == images(outputs["shown"]) == [titled]
    assert text(outputs["open"]) == "[] True\n"


def test_clear_output_in_the_loop_loses_nothing(outputs):
    cleared = [images(outputs[n]) for n in CELLS if "clear_output" in n]
    assert cleared == [images(outputs["plain"])] * 4
    assert len(cleared[0]) == 1


def test_a_script_is_quiet_and_gets_a_complete_figure(tmp_path):
    others = {each.module for each in FRAMEWORKS.values()} - {"numpy"}
    others |= {"anywidget", "handson.live"}
    script = f"""
import sys
import d2lmini as d2l, pooling.binned
assert not {others} & set(sys.modules)
assert d2l.plt.rcParams["svg.hashsalt"] is None  # no style at the import
animator = d2l.Animator("epoch", legend=["a", "b"])
for epoch in range(200):
    animator.add(epoch, (epoch, None))
d2l.plt.savefig(sys.argv[1])
data = animator.fig.axes[0].lines[0].get_xydata()
assert data.tolist() == [[x, x] for x in range(200)]
d2l.plot([1, 2])
d2l.plt.show()
assert d2l.plt.get_fignums() == [1]
"""
    command = [sys.executable, "-c", script, tmp_path / "figure.svg"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def said_of(check, capsys, **answers):
    """What a self-check prints of answers, without the exercise's name."""
    exec(f"@handson.check\n{check}", {"handson": handson, "np": np, **answers})
    title, _, said = capsys.readouterr().out.partition(": ")
    assert title == "Exercise 1" and said.count("\n") == 1
    return said.strip()


NUMBERS = "numbers: expected numbers, shape (2,), got"
WIDTH = "width: expected a number, got"
ANSWERS = [
    ((2, 3), [[3]], "right."),
    (np.float32([[2], [3]]), np.array(3), "right."),
    (..., 3.0, "not yet. numbers is still to do."),
    ([2, 3], None, "not yet. width is still to do."),
    ([1, 2], 3.0, "not yet. The numbers are too small."),
    ([2, 3, 4], 3, f"not yet. {NUMBERS} shape (3,)."),
    ([2, [3, 4]], 3, f"not yet. {NUMBERS} list."),
    ([2, None], 3, f"not yet. {NUMBERS} list."),
    ([2, np.nan], 3, "not yet. numbers: has NaN or inf."),
    ([2, 3], "three", f"not yet. {WIDTH} str."),
    ([2, 3], True, f"not yet. {WIDTH} bool."),
    ([2, 3], 3j, f"not yet. {WIDTH} complex."),
    ([2, 3], {"w": 3}, f"not yet. {WIDTH} dict."),
]


def test_a_self_check_says_what_is_wrong(capsys):
    check = """
def exercise_1(numbers: (2,), width):
    assert type(width) is np.float64
    assert numbers.min() > 1, "The numbers are too small."
"""
    for numbers, width, said in ANSWERS:
        assert said_of(check, capsys, numbers=numbers, width=width) == said
    not_run = said_of(check, capsys, width=3)
    assert not_run == "not yet. numbers is still to do."


def test_a_self_check_gets_what_a_function_returns_as_numpy(framework, capsys):
    check = """
def exercise_1(pair: lambda n: (n,)):
    first, second = pair(2)
    assert type(first) is np.float64 and second == 3
"""
    short = "not yet. What pair returns: expected numbers, shape (2,), "
    for pair, said in [
        (lambda n: ..., "not yet. What pair returns is still to do."),
        (lambda n: variants(framework, [1.0, 3.0])[0], "right."),
        (lambda n: (variants(framework, [1.0])[0], 3), "right."),
        (lambda n: 1 / 0, "not yet. Your code raised ZeroDivisionError: "),
        (lambda n: [1], short),
        ([1, 3], "not yet. pair: expected a function, got list."),
    ]:
        assert said_of(check, capsys, pair=pair).startswith(said)


def test_d2lmini_offers_just_its_names_in_few_lines():
    names = "Animator plot plot_kernel_reg plt"
    names += " set_figsize show_heatmaps use_svg_display"
    assert sorted(d2l.__all__) == names.split()
    files = (ROOT / "d2lmini").rglob("*.py")
    assert sum(len(f.read_text().splitlines()) for f in files) <= 300
