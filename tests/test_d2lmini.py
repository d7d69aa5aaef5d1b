"""What d2lmini draws, in which look, and what it says of bad input."""

import copy
import io
import itertools
import os
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.dates import AutoDateLocator
from nbclient import NotebookClient

import d2lmini as d2l
import handson
from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[1]
OKABE_ITO = ["#0072b2", "#cc79a7", "#009e73", "#d55e00"]  # of d2l's formats
X = np.linspace(0, 5, 6)


@pytest.fixture(autouse=True)
def no_figures_left():
    d2l.plt.close("all")
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
        return [
            tensor,
            torch.nn.Parameter(torch.tensor(values)),
            tensor * 1,
            list(tensor * 1),
            tensor.to(torch.bfloat16),
            tensor.half(),
        ]
    if framework == "tensorflow":
        import keras
        import tensorflow as tf

        tensor = tf.constant(values)
        return [
            tensor,
            tf.Variable(values),
            keras.Variable(values),
            list(tensor),
            tf.cast(tensor, tf.bfloat16),
            tf.cast(tensor, tf.float16),
        ]
    if framework == "jax":
        import jax.numpy as jnp

        array = jnp.array(values)
        return [
            array,
            list(array),
            array.astype(jnp.bfloat16),
            array.astype(jnp.float16),
        ]
    import mxnet

    mxnet.npx.set_np()  # as the lessons do
    parameter = mxnet.gluon.Parameter("w", shape=values.shape)
    parameter.initialize(mxnet.init.Constant(mxnet.np.array(values)))
    taped = mxnet.np.array(values)
    taped.attach_grad()
    return [mxnet.nd.array(values), taped, parameter, list(taped)]


def line_data(axes):
    return [line.get_xydata().T.tolist() for line in axes.lines]


def svg(figure):
    """Return the bytes of a figure, saved as the docstring advises."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def heatmap_images():
    """Return the images of the panels of the current figure, in order."""
    return [axes.images[0] for axes in d2l.plt.gcf().axes if axes.images]


def run_notebook(*sources):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    backend = "module://matplotlib_inline.backend_inline"
    env = {**os.environ, "MPLBACKEND": backend, "PYTHONPATH": str(ROOT)}
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True)
    client.execute(env=env)
    return [cell.outputs for cell in notebook.cells]


def images(outputs):
    return [
        output.data["image/svg+xml"]
        for output in outputs
        if output.output_type in ("display_data", "execute_result")
        and "image/svg+xml" in output.data
    ]


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


def test_arrays_of_any_framework_are_drawn_at_every_entry_point(framework):
    values = [0.5, 2.0, -1.25, 0.0, 3.0, 1.5]
    for array in variants(framework, values):
        d2l.plot(array, array)
        assert line_data(d2l.plt.gca()) == [[values, values]]
        d2l.plot_kernel_reg(array, array, array, array, array)
        assert line_data(d2l.plt.gca()) == [[values, values]] * 3
        animator = d2l.Animator()
        animator.add(array, array)
        animator.add(array, array)
        assert np.array_equal(animator.Y, np.repeat(values, 2).reshape(6, 2))
    for array in variants(framework, np.reshape(values, (2, 3))):
        d2l.show_heatmaps(array, "keys", "queries")
        drawn = heatmap_images()[0].get_array()
        assert drawn.tolist() == np.reshape(values, (2, 3)).tolist()


def test_numbers_of_a_training_loop_become_floats(framework):
    for losses in variants(framework, [0.5, 0.25]):
        if not hasattr(losses, "__getitem__"):  # a parameter is no loss
            continue
        animator = d2l.Animator()
        for epoch in range(2):
            animator.add(epoch, losses[epoch])
        assert animator.Y == [[0.5, 0.25]]
        assert {type(y) for y in animator.Y[0]} == {float}


def test_lines_are_numbers_rows_ragged_lists_or_ranges():
    one, two = [1.0, 4.0, 9.0], [2.0, 3.0]
    d2l.plot(np.array([one, one]))
    assert line_data(d2l.plt.gca()) == [[[0, 1, 2], one]] * 2
    d2l.plot([one, two])
    assert line_data(d2l.plt.gca()) == [[[0, 1, 2], one], [[0, 1], two]]
    d2l.plot(range(3), one)
    assert line_data(d2l.plt.gca()) == [[[0, 1, 2], one]]
    d2l.plot([one, two], [one, two], fmts=["-", "-o"])
    assert line_data(d2l.plt.gca()) == [[one, one], [two, two]]
    d2l.plot(one, [one, one])
    assert line_data(d2l.plt.gca()) == [[one, one]] * 2


def test_settings_are_those_of_d2l():
    arguments = ["x", "y", ["a", "b"], [1, 5], [2, 9], "log", "log"]
    d2l.plot(X, [X, X], *arguments)
    drawn = d2l.plt.gca()
    animator = d2l.Animator(*arguments)
    animator.add(1, (2, 3))
    for axes in (drawn, animator.axes[0]):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert (axes.get_xlim(), axes.get_ylim()) == ((1, 5), (2, 9))
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert texts == ["a", "b"]
    d2l.plot(X, X, legend="one", xlim=[1, 1], axes=drawn)
    assert [t.get_text() for t in drawn.get_legend().get_texts()] == ["one"]
    assert len(drawn.lines) == 1
    d2l.set_figsize((6, 4))
    assert d2l.plt.figure().get_size_inches().tolist() == [6, 4]


def test_d2ls_formats_are_colours_for_colour_blind_readers():
    d2l.plot([X] * 9)
    lines = d2l.plt.gca().lines
    colors = [to_hex(line.get_color()) for line in lines]
    assert colors[:4] == OKABE_ITO
    looks = {(c, line.get_linestyle()) for c, line in zip(colors, lines)}  # noqa: B905
    assert len(looks) == 9
    d2l.plt.plot(X, X, "o", alpha=0.5)
    assert len(d2l.plt.gca().lines) == 10


def test_points_added_after_plot_are_not_cut_off():
    d2l.plot(X, X)
    d2l.plt.plot([2], [99], "o")
    assert d2l.plt.gca().get_ylim()[1] > 99


def test_predictions_of_shape_n_by_1_are_drawn_as_one_line():
    truth, pred, data = np.sin(X), np.cos(X).reshape(-1, 1), [[-1, 7], [4, -9]]
    assert d2l.plot_kernel_reg(X, truth, pred, *data) is None
    axes = d2l.plt.gca()
    assert line_data(axes) == [
        [X.tolist(), truth.tolist()],
        [X.tolist(), pred[:, 0].tolist()],
        data,
    ]
    points = axes.lines[2]
    assert (points.get_marker(), points.get_linestyle()) == ("o", "None")
    assert 0 < points.get_alpha() < 1
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["Truth", "Pred"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert axes.get_xlim()[0] < -1 and axes.get_xlim()[1] > 7
    assert axes.get_ylim()[0] < -9 and axes.get_ylim()[1] > 4


def test_all_heatmaps_share_one_colour_scale_which_the_bar_shows():
    matrices = np.arange(24.0).reshape(2, 3, 2, 2)
    assert d2l.show_heatmaps(matrices, "k", "q", ["a", "b", "c"]) is None
    *panels, bar = d2l.plt.gcf().axes
    assert [p.get_title() for p in panels] == ["a", "b", "c"] * 2
    for image, matrix in zip(
        heatmap_images(), matrices.reshape(6, 2, 2), strict=True
    ):
        assert image.get_array().tolist() == matrix.tolist()
        assert image.get_clim() == (0, 23)
    assert bar.get_ylim() == (0, 23)
    shown = [p.get_xlabel() for p in panels]
    assert shown == [""] * 3 + ["k"] * 3
    shown = [p.get_ylabel() for p in panels]
    assert shown == ["q", "", ""] * 2


def test_heatmaps_stay_legible_whatever_their_shape():
    for shape in [(10, 10), (1, 2, 100, 50), (1, 1, 4, 100)]:
        d2l.show_heatmaps(np.ones(shape), "keys", "queries")
        figure = d2l.plt.gcf()
        figure.draw_without_rendering()
        boxes = [axes.get_window_extent() for axes in figure.axes]
        for box in boxes[:-1]:
            assert min(box.size) > 0.8 * figure.dpi
            assert box.x1 < boxes[-1].x0


def test_a_constant_heatmap_has_one_scale_too():
    d2l.show_heatmaps(np.full((1, 2, 3, 3), 0.25), "keys", "queries")
    d2l.plt.gcf().draw_without_rendering()
    (low, high), other = [image.get_clim() for image in heatmap_images()]
    assert low < 0.25 < high and other == (low, high)
    assert d2l.plt.gcf().axes[-1].get_ylim() == (low, high)


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
    assert image.to_rgba(image.get_array())[1, 1].tolist() != pytest.approx(
        image.to_rgba(np.array([1.0]))[0].tolist()
    )


def test_a_column_is_drawn_as_a_line_wherever_it_stands():
    x, column = np.arange(5.0), np.arange(5.0)[:, None] + 1
    for Y in ([x, column], [column, column], column):
        d2l.plot(x, Y)
        lines = d2l.plt.gca().lines
        assert len(lines) == (1 if Y is column else 2)
        assert np.array_equal(lines[-1].get_xdata(), x)
        assert np.array_equal(lines[-1].get_ydata(), x + 1)


def test_an_animator_warns_of_nan_and_goes_on():
    animator = d2l.Animator()
    with pytest.warns(UserWarning, match="y: 1 NaN") as caught:
        for epoch, loss in enumerate([1.0, np.nan, np.nan, 2.0]):
            animator.add(epoch, loss)
    assert len(caught) == 2  # Python itself says each place only once
    (line,) = animator.axes[0].lines
    assert np.array_equal(line.get_ydata(), [1, np.nan, np.nan, 2], True)


Y6 = np.ones(6)
BAD_PLOTS = {
    r"^Y: .*6.*\(5,\)": lambda: d2l.plot(X, Y6[:5]),
    r"^Y: expected 2 lines": lambda: d2l.plot([X, X], [Y6] * 3),
    r"^X: .*\(1, 2, 3\)": lambda: d2l.plot(np.ones((1, 2, 3))),
    r"^X: .*\[\]": lambda: d2l.plot([]),
    "^X: expected lines": lambda: d2l.plot([[1, 2], [3, 4, 5], 7]),
    r"^Y: .*\(0,\)": lambda: d2l.plot(X, X[:0]),
    "^fmts: .*'zz'": lambda: d2l.plot(X, Y6, fmts=["zz"]),
    "^xscale: .*'zz'": lambda: d2l.plot(X, Y6, xscale="zz"),
    "^figsize: .*-1": lambda: d2l.plot(X, Y6, figsize=(3, -1)),
    r"^figsize: .*\(1, 2, 3\)": lambda: d2l.set_figsize((1, 2, 3)),
    "^figsize: .*inf": lambda: d2l.set_figsize((1, float("inf"))),
    r"^y_hat: expected shape \(6,\), got shape \(5,\)": (
        lambda: d2l.plot_kernel_reg(X, Y6, Y6[:5], X, X)
    ),
    r"^y_hat: .*\(6, 2\)": (
        lambda: d2l.plot_kernel_reg(X, Y6, np.ones((6, 2)), X, X)
    ),
    r"^y_train: .*\(4,\)": (
        lambda: d2l.plot_kernel_reg(X, Y6, Y6, X[:3], X[:4])
    ),
    r"^matrices: .*\(2, 2, 2\)": (
        lambda: d2l.show_heatmaps(np.ones((2, 2, 2)), "k", "q")
    ),
    r"^matrices: .*rows of equal length": (
        lambda: d2l.show_heatmaps([[1, 2], [3]], "k", "q")
    ),
    r"^matrices: .*\(0, 3\)": (
        lambda: d2l.show_heatmaps(np.ones((0, 3)), "k", "q")
    ),
    "^titles: expected 1": (
        lambda: d2l.show_heatmaps(np.ones((2, 2)), "k", "q", ["a", "b"])
    ),
    "^cmap: .*'zz'": lambda: d2l.show_heatmaps(Y6[None], "k", "q", cmap="zz"),
    r"^fmts: .*'-', 'zz'": lambda: d2l.Animator(fmts=["-", "zz"]),
    r"^xlim: .*\(1, 2, 3\)": lambda: d2l.plot(X, Y6, xlim=(1, 2, 3)),
    "^ylim: expected two numbers, got .*nan": (
        lambda: d2l.Animator(ylim=(2, float("nan")))
    ),
    r"^figsize: .*\(0, 1\)": lambda: d2l.plot(X, Y6, figsize=(0, 1)),
    r"^figsize: .*\(1, -1\)": lambda: d2l.Animator(figsize=(1, -1)),
    "^figsize: expected two positive numbers, got int 3": (
        lambda: d2l.show_heatmaps(Y6[None], "k", "q", figsize=3)
    ),
    "^yscale: .*'square'": lambda: d2l.Animator(yscale="square"),
    r"^nrows, ncols: .*\(0, 1\)": lambda: d2l.Animator(nrows=0),
}
WRONG_TYPES = {
    "^X: .*text": lambda: d2l.plot("text"),
    "^X: .*complex": lambda: d2l.plot(np.ones(3) * 1j),
    "^Y: .*object": lambda: d2l.plot(X, [object()] * 6),
    "^xlabel: .*shape": lambda: d2l.plot(X, X, X),
    "^axes: .*str": lambda: d2l.plot(X, X, axes="axes"),
    "^y_hat: .*object": (lambda: d2l.plot_kernel_reg(X, Y6, object(), X, X)),
    "^matrices: .*None": lambda: d2l.show_heatmaps(None, "k", "q"),
    "^figsize: .*wide": lambda: d2l.set_figsize("wide"),
    "^ylabel": lambda: d2l.Animator(ylabel=3),
    "^figsize: .*None": lambda: d2l.Animator(figsize=None),
    "^figsize: .*'big'": (
        lambda: d2l.show_heatmaps(Y6[None], "k", "q", figsize="big")
    ),
    "^xlim: expected two numbers, got .*None": (
        lambda: d2l.Animator(xlim=(0, None))
    ),
    "^xlim: .*'ab'": lambda: d2l.plot(X, Y6, xlim="ab"),
    "^legend: .*3": lambda: d2l.plot(X, Y6, legend=3),
    "^titles: .*3": lambda: d2l.show_heatmaps(Y6[None], "k", "q", titles=3),
}


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [(ValueError, *bad) for bad in BAD_PLOTS.items()]
    + [(TypeError, *bad) for bad in WRONG_TYPES.items()],
)
def test_bad_input_is_named_and_nothing_is_drawn(error, message, call):
    d2l.plot(X, X, "before")
    axes, size = d2l.plt.gca(), d2l.plt.rcParams["figure.figsize"]
    with pytest.raises(error, match=message):
        call()
    assert d2l.plt.get_fignums() == [axes.figure.number]
    assert axes.get_xlabel() == "before"
    assert line_data(axes) == [[X.tolist(), X.tolist()]]
    assert d2l.plt.rcParams["figure.figsize"] == size


@pytest.mark.parametrize(
    ("error", "message", "point"),
    [
        (ValueError, "^y: expected 2 values", (2, 1)),
        (ValueError, "^y: expected 2 values", (2, (1, 2, 3))),
        (ValueError, "^x: expected 1 or 2", ((1, 2, 3), (1, 2))),
        (ValueError, "^y: ", (2, [])),
        (TypeError, "^y: .*None", (2, None)),
        (TypeError, "^y: .*loss", (2, (1, "loss"))),
        (TypeError, "^x: .*complex", (2j, (1, 2))),
    ],
)
def test_a_bad_point_is_named_and_leaves_the_animator_alone(
    error, message, point
):
    animator = d2l.Animator()
    animator.add(1, (3, 4))
    with pytest.raises(error, match=message):
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


def test_a_figure_saved_by_pyplot_has_all_points():
    def animate(points):
        animator = d2l.Animator("epoch", "loss")
        for x in range(points):
            animator.add(x, x * x)
        return animator

    complete = svg(animate(9).fig)
    late = animate(5)
    svg(d2l.plt.gcf())
    for x in range(5, 9):
        late.add(x, x * x)
    assert svg(d2l.plt.gcf()) == complete


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
    d2l.show_heatmaps(
        np.ma.array([[1, 99], [3, 4]], mask=[[0, 1], [0, 0]]), "k", "q"
    )
    assert heatmap_images()[0].get_clim() == (1, 4)
    animator = d2l.Animator()
    for x, y in enumerate(masked):
        animator.add(x, y)
    animator.add(3, [None])
    assert (animator.X, animator.Y) == ([[0, 2]], [[1, 3]])


@pytest.mark.parametrize(
    "days",
    [
        [date(2026, 1, day) for day in (1, 2, 3)],
        [datetime(2026, 1, day) for day in (1, 2, 3)],
        [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)],
        np.arange("2026-01-01", "2026-01-04", dtype="M8[D]"),
        np.arange("2026-01-01", "2026-01-04", dtype="M8[D]").astype("M8[ns]"),
    ],
)
def test_dates_are_drawn_as_dates(days):
    d2l.plot(days, [1, 2, 3], xlim=[days[0], days[2]])
    animator = d2l.Animator()
    for day, y in zip(days, [1, 2, 3], strict=True):
        animator.add(day, y)
    for axes in (*d2l.plt.figure(1).axes, animator.axes[0]):
        axes.figure.draw_without_rendering()
        assert np.ptp(axes.lines[0].get_xdata(orig=False)) == 2  # days
        assert isinstance(axes.xaxis.get_major_locator(), AutoDateLocator)


def test_a_missing_date_is_a_gap():
    days = [date(2026, 1, 1), None, date(2026, 1, 3)]
    d2l.plot(days, [1, 2, 3])
    d2l.plt.gcf().draw_without_rendering()
    x = d2l.plt.gca().lines[0].get_xdata(orig=False)
    assert np.isnan(x).tolist() == [False, True, False]
    animator = d2l.Animator()
    for day in days:
        animator.add([day], 1)
    assert len(animator.X[0]) == 2


@pytest.mark.parametrize(
    "texts",
    [
        np.array(["a", "b"]),
        ("a", "b"),
        {"a": 1, "b": 2}.keys(),
        {"a": 1, "b": 2},
        (text for text in "ab"),
    ],
    ids=["array", "tuple", "keys", "dict", "generator"],
)
def test_texts_may_come_as_any_sequence(texts):
    texts, *more = itertools.tee(texts, 3)
    d2l.plot(X, [X, X], legend=texts)
    animator = d2l.Animator(legend=more[0])
    animator.add(1, (2, 3))
    for axes in (d2l.plt.figure(1).axes[0], animator.axes[0]):
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        assert said == ["a", "b"]
    d2l.show_heatmaps(np.ones((1, 2, 3, 3)), "k", "q", titles=more[1])
    assert [axes.get_title() for axes in d2l.plt.gcf().axes[:2]] == ["a", "b"]


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


def test_a_large_heatmap_is_a_small_file_and_finer_than_a_screen():
    noise = np.random.default_rng(0).random((2000, 2000))
    for size in [(2.5, 2.5), (6, 6), (12, 9)]:
        d2l.show_heatmaps(noise, "keys", "queries", figsize=size)
        drawn = svg(d2l.plt.gcf())
        assert len(drawn) < 1_000_000
        panel = d2l.plt.gcf().axes[0].get_window_extent()
        pixels = 600 if size[0] > 2.5 else 300
        assert panel.width > pixels / 2
        d2l.plt.close()


def test_a_later_change_of_the_look_is_kept():
    d2l.use_svg_display()
    before = d2l.plt.rcParams["lines.linewidth"]
    try:
        d2l.plt.rcParams["lines.linewidth"] = 7
        d2l.plot(X, X)
        assert d2l.plt.gca().lines[0].get_linewidth() == 7
    finally:
        d2l.plt.rcParams["lines.linewidth"] = before


def test_a_notebook_keeps_prints_and_one_figure_with_the_last_state():
    loop = """
import d2lmini as d2l
def train(epochs):
    animator = d2l.Animator("epoch", "loss", legend="loss")
    for epoch in range(epochs):
        animator.add(epoch, 1 / (epoch + 1))
        if epoch % 10 == 0:
            print("epoch", epoch)
    return animator
animator = train(30)
"""
    whole, twice, more, failing, curve, once, callbacks = run_notebook(
        loop,
        "animator.add(30, 5); animator.add(31, 5)",
        "animator.fig",
        "train(3); other = train(20); print('done'); 1 / 0",
        "d2l.plot([1, 2], legend='a')",
        "animator = d2l.Animator('epoch', 'loss', legend='loss')\n"
        "animator.X = [[*range(19)]]\n"
        "animator.Y = [[1 / (1 + x) for x in range(19)]]\n"
        "animator.add(19, 1 / 20)",
        "[c for c in get_ipython().events.callbacks['post_execute']"
        " if 'Animator' in str(c)]",
    )
    assert text(whole) == "epoch 0\nepoch 10\nepoch 20\n"
    assert [len(images(o)) for o in (whole, twice, more, curve)] == [1] * 4
    assert images(twice) == images(more) != images(whole)
    assert text(failing) == "epoch 0\nepoch 0\nepoch 10\ndone\n"
    assert len(images(failing)) == 2
    assert failing[-1].ename == "ZeroDivisionError"
    assert images(failing)[1] == images(once)[0]
    assert callbacks[0].data["text/plain"] == "[]"


def test_after_the_loop_pyplot_adds_to_the_one_figure(tmp_path):
    use = f"""
d2l.plt.title("Training")
d2l.plt.axhline(7)
d2l.plt.savefig({str(tmp_path / "a.svg")!r})
"""
    loop = """
for epoch in range(9):
    animator.add(epoch, epoch)
"""
    make = "import d2lmini as d2l\nanimator = d2l.Animator()\n"
    once, _, later, after, shown = run_notebook(
        make + loop + use,
        make,
        loop + use,
        "print(d2l.plt.get_fignums())",
        make + loop + use + "d2l.plt.show()\nanimator.fig",
    )
    for outputs in (once, later, shown):
        (picture,) = images(outputs)
        assert ">Training<" in picture
    assert images(once) == images(later) == images(shown)
    assert ">Training<" in (tmp_path / "a.svg").read_text()
    assert text(after) == "[]\n"


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("wait", [True, False])
def test_clear_output_in_the_loop_loses_nothing(where, wait):
    steps = [f"clear_output(wait={wait})", "animator.add(epoch, epoch)"]
    first, second = steps if where == "before" else steps[::-1]
    make = "import d2lmini as d2l\nfrom IPython.display import clear_output\n"
    make += "animator = d2l.Animator()\nfor epoch in range(5):\n"
    plain, cleared = run_notebook(
        f"{make}    animator.add(epoch, epoch)",
        f"{make}    {first}\n    {second}",
    )
    assert images(cleared) == images(plain) and len(images(plain)) == 1


def test_a_script_is_quiet_and_gets_a_complete_figure(tmp_path):
    others = {each.module for each in FRAMEWORKS.values()} - {"numpy"}
    script = f"""
import sys
import d2lmini as d2l
assert not {others} & set(sys.modules)
"""
    script += """
assert d2l.plt.rcParams["svg.hashsalt"] is None  # no style at the import
animator = d2l.Animator("epoch", legend=["a", "b"])
for epoch in range(200):
    animator.add(epoch, (epoch, None))
d2l.use_svg_display()
d2l.plt.savefig(sys.argv[1])
data = animator.fig.axes[0].lines[0].get_xydata()
assert data.tolist() == [[x, x] for x in range(200)]
d2l.plot([1, 2])
d2l.show_heatmaps([[1, 2]], "k", "q")
d2l.plt.show()
assert d2l.plt.get_fignums() == [1, 2]
from IPython import get_ipython
assert get_ipython() is None
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "figure.svg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def said_of(check, capsys, **answers):
    """What a self-check prints of answers, without the exercise's name."""
    exec(f"@handson.check\n{check}", {"handson": handson, "np": np, **answers})
    title, _, said = capsys.readouterr().out.partition(": ")
    assert title == "Exercise 1" and said.count("\n") == 1
    return said.strip()


@pytest.mark.parametrize(
    ("numbers", "width", "said"),
    [
        (..., 3.0, "not yet. numbers is still to do."),
        ([2, 3], None, "not yet. width is still to do."),
        ([1, 2], 3.0, "not yet. The numbers are too small."),
        ((2, 3), [[3]], "right."),
        (np.float32([[2], [3]]), np.array(3), "right."),
        (
            [2, 3, 4],
            3,
            "numbers: expected numbers, shape (2,), got shape (3,).",
        ),
        ([2, [3, 4]], 3, "numbers: expected numbers, shape (2,), got list."),
        ([2, np.nan], 3, "numbers: has NaN or inf."),
        ([2, None], 3, "numbers: expected numbers, shape (2,), got list."),
        ([2, 3], "three", "width: expected a number, got str."),
        ([2, 3], True, "width: expected a number, got bool."),
        ([2, 3], 3j, "width: expected a number, got complex."),
        ([2, 3], {"w": 3}, "width: expected a number, got dict."),
        ([2, 3], len, "width: expected a number, got builtin"),
    ],
    ids=str,
)
def test_a_self_check_says_what_is_wrong(numbers, width, said, capsys):
    check = """
def exercise_1(numbers: (2,), width):
    assert type(width) is np.float64
    assert numbers.min() > 1, "The numbers are too small."
"""
    found = said_of(check, capsys, numbers=numbers, width=width)
    assert found.removeprefix("not yet. " * (said != found)).startswith(said)
    assert said_of(check, capsys, width=3) == (
        "not yet. numbers is still to do."  # its cell was not run
    )


def test_a_self_check_gets_what_a_function_returns_as_numpy(framework, capsys):
    check = """
def exercise_1(pair: lambda n: (n,)):
    first, second = pair(2)
    assert type(first) is np.float64 and second == 3
"""
    for pair, said in [
        (lambda n: ..., "not yet. What pair returns is still to do."),
        (lambda n: variants(framework, [1.0, 3.0])[0], "right."),
        (lambda n: (variants(framework, [1.0])[0], 3), "right."),
        (lambda n: 1 / 0, "not yet. Your code raised ZeroDivisionError: "),
        (
            lambda n: [1],
            "not yet. What pair returns: expected numbers, shape (2,), ",
        ),
        ([1, 3], "not yet. pair: expected a function, got list."),
    ]:
        assert said_of(check, capsys, pair=pair).startswith(said)


def test_the_module_offers_just_its_names_in_few_lines():
    assert sorted(d2l.__all__) == sorted(
        [
            "Animator",
            "plot",
            "plot_kernel_reg",
            "plt",
            "set_figsize",
            "show_heatmaps",
            "use_svg_display",
        ]
    )
    script = """
import sys
import d2lmini
for name, module in sys.modules.items():
    if name.partition(".")[0] == "d2lmini":
        print(module.__file__)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert str(ROOT / "d2lmini" / "__init__.py") in loaded
    assert len(loaded) == len([*(ROOT / "d2lmini").glob("*.py")])
    assert sum(len(Path(f).read_text().splitlines()) for f in loaded) <= 300
