"""What is seen of a figure, what passes, and where a fault is placed."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import colors, offsetbox  # noqa: F401 (in the table)
from matplotlib.artist import Artist
from nbsight.drawn import figure_differences
from nbsight.figure import describe

from nbsight import artists

X = np.linspace(0, 5, 20)
Y = 2.5 * np.sin(X)
AT = np.arange(20) == 17
HEAT = np.random.default_rng(0).random((10, 10))
LISTED = colors.ListedColormap(plt.get_cmap("Reds")(range(256)), name="mine")
DOTS = [[1, 4], [2, 5], [3, 6.1]]


def lines(**options):
    """Draw lines, with all that stands around them; f, a and L for short."""
    fig, ax = plt.subplots(figsize=(4, 3), **options)
    ax.plot(X, Y, label="Pred")
    ax.plot(X, 2.5 * np.cos(X), "m--", label="1.2345")
    ax.plot(X[::3], np.cos(X[::3]), "o", label="points")
    ax.set(xlabel="x", ylabel="y", title="title")
    ax.grid(True)
    ax.legend(loc="lower left")
    fig.suptitle("both")
    return {"f": fig, "a": ax, "L": ax.lines}


def shapes():
    """Draw patches, a filled area and an arrow with a text."""
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.set(xticks=[], yticks=[])
    ax.bar([1, 2], [0.5, 1])
    ax.fill_between(X[:5], 0, 1, alpha=0.3)
    ax.annotate("top", (1.5, 1), (2.5, 0.6), arrowprops={"arrowstyle": "->"})
    return {"f": fig, "a": ax}


def image():
    """Draw an image i with its colour bar, and a scatter plot."""
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.set(xticks=[], yticks=[])
    im = ax.imshow(HEAT, cmap="Reds")
    fig.colorbar(im, ax=ax, label="weight")
    ax.scatter([1, 2, 3], [4, 5, 6], s=[20, 30, 40])
    return {"f": fig, "a": ax, "i": im}


def described(drawing, change="None", **options):
    """Return the data of a drawing to which something is done."""
    names = drawing(**options)
    try:
        eval(change, globals(), names)
        return describe(names["f"])
    finally:
        plt.close(names["f"])


@pytest.fixture(scope="module")
def plain():
    """The data of each drawing as it is."""
    return {each: described(each) for each in (lines, shapes, image)}


class Sticker(Artist):
    """An artist of a kind that nobody knows, drawn over a part of it."""

    def get_children(self):
        return [self.axes.title]

    def draw(self, renderer):
        self.axes.title.draw(renderer)
        gc = renderer.new_gc()
        path = plt.Rectangle((0, 0), 1, 1).get_path()
        renderer.draw_path(gc, path, self.axes.transAxes, (1, 0, 0))


class Broken(Artist):
    """An artist that cannot be drawn."""

    def draw(self, renderer):
        raise ValueError("broken")


# What is done to a drawing, and what the report has to say.
FAULTS = {
    lines: """
L[0].set_color("r") -> lines["Pred"].color: stored "#1f77b4"
L[1].set_linestyle(":") -> lines["1.2345"].dashes
L[0].set_linewidth(2) -> lines["Pred"].width: stored 1.5, now 2.0
L[0].set_alpha(0.5) -> lines["Pred"].color
L[0].set_visible(False) -> lines["Pred"]: stored, now not drawn
L[0].set_ydata(Y + 1e-3 * AT) -> lines["Pred"].y[17]: stored -2.42
L[0].set_ydata(np.where(AT, np.nan, Y)) -> lines["Pred"].y[17]
L[0].set_label("pred") -> lines["pred"]: now drawn, not stored
L[1].set_label("1.2445") -> lines["1.2445"]: now drawn, not stored
L[0].set_zorder(9) -> now drawn before axes[0].lines["Pred"]
L[0].set_drawstyle("steps") -> lines["Pred"].y: stored 20 values
L[2].set_marker("s") -> lines["points"].marker: stored "o", now "s"
L[2].set_markersize(7) -> lines["points"].markers.dims
L[2].set_markerfacecolor("none") -> lines["points"].markers.face
a.legend(L[1::-1], ["1.2345", "Pred"], loc=3) -> legend.lines["Pred"]
a.legend(loc="upper right") -> axes[0].legend.legendPatch.near
a.get_legend().remove() -> axes[0].legend.legendPatch: stored, now not drawn
a.set_xlim(-1, 6) -> axes[0].xlim[0]: stored -0.25, now -1
a.set_yscale("symlog") -> axes[0].yscale: stored "linear", now "symlog"
a.set_xticks([0, 1, 2]) -> axes[0].xticks.label1: stored ["0
a.tick_params(axis="x", rotation=45) -> axes[0].xticks.label1.angle
a.minorticks_on() -> axes[0].xminor_ticks.tick1line: now drawn
a.ticklabel_format(style="sci", scilimits=(1, 1)) -> yaxis.offsetText: now
a.grid(False) -> axes[0].xticks.gridline: stored, now not drawn
a.spines["top"].set_visible(False) -> spines["top"]: stored, now not drawn
a.set_facecolor("0.9") -> axes[0].patch.face
a.set_aspect(2) -> axes[0].aspect: stored "auto", now "2
a.set_position([0.6, 0.1, 0.2, 0.8]) -> axes[0].box[0]
a.title.set_size(14) -> axes[0].title.size: stored 12.0, now 14
a.title.set_weight("bold") -> axes[0].title.font
a.set_ylabel("x") -> axes[0].ylabel: stored "y", now "x"
f.suptitle("one") -> figure.suptitle: stored "both", now "one"
f.set_size_inches(4, 5) -> figure.size[1]: stored 3.0, now 5.0
""",
    shapes: """
a.twinx() -> axes[1]: now drawn
a.inset_axes([0.5, 0.5, 0.2, 0.2]) -> axes[0].axes[0]: now drawn
a.text(1, 1, "hi") -> axes[0].texts[1]: now drawn
a.texts[0].set_position((2.6, 0.6)) -> axes[0].texts[0].x[0]
setattr(a.texts[0], "xy", (1.6, 1)) -> axes[0].texts[0].xy[0]
a.texts[0].arrow_patch.set_arrowstyle("<-") -> axes[0].texts[0].shape
a.patches[0].set_height(0.6) -> patches[0].y[2]: stored 0.5, now 0.6
a.patches[0].set_hatch("/") -> axes[0].patches[0].hatch
a.collections[0].set_facecolor("r") -> axes[0].collections[0].face
a.add_artist(Sticker()) -> axes[0].Sticker[0]: now drawn, not stored
a.add_artist(offsetbox.AnchoredText("note", loc=1)) -> axes[0].box: now drawn
a.add_artist(Broken()) -> no readable data: "ValueError: broken"
""",
    image: """
a.collections[0].set_offsets(DOTS) -> markers.y[2]: stored 6.0, now 6.1
a.collections[0].set_sizes([20, 30, 50]) -> collections[0].markers.dims[2]
i.set_data(HEAT + 1e-3 * np.eye(10)) -> axes[0].images[0].values[0][0]
i.set_data(HEAT + 1e-3 * np.eye(10)) -> axes[0].images[0].values[0][0]
i.set_cmap("Blues") -> axes[0].images[0].cmap: stored "Reds", now "Blues"
i.set_cmap(plt.get_cmap("Reds", 9)) -> axes[0].images[0].cmap_table
i.set_clim(0, 2) -> axes[0].images[0].clim
i.set_extent((0, 9, 9, 0)) -> axes[0].images[0].extent
setattr(i, "origin", "lower") -> axes[0].images[0].origin
i.set_interpolation("bilinear") -> axes[0].images[0].interpolation
""",
}
HARMLESS = {
    lines: """
L[0].set_ydata(Y + np.random.default_rng(1).uniform(-6e-6, 6e-6, 20))
L[0].set_color("#1f77b5")
L[0].set_gid("for programs")
L[1].set_label("1.2346")
a.set_ylim(np.add(a.get_ylim(), 4e-6))
a.set_position(a.get_position().translated(0.005, 0))
""",
    image: """
i.set_data(HEAT + 6e-6)
i.set_clim(np.add(i.get_clim(), 4e-6))
i.set_cmap(LISTED)
a.collections[0].set_offsets([[1, 4], [2, 5], [3, 6.000006]])
""",
}


def rows(table):
    """Return pairs: a drawing and a line about it."""
    return [
        (each, row) for each in table for row in table[each].split("\n")[1:-1]
    ]


@pytest.mark.parametrize(("drawing", "fault"), rows(FAULTS))
def test_a_fault_in_a_figure_is_seen_and_placed(plain, drawing, fault):
    code, said = fault.split(" -> ")
    other = described(drawing, code)
    found = figure_differences(plain[drawing], other)
    assert any(said in line for line in found), found
    assert figure_differences(other, plain[drawing])


@pytest.mark.parametrize(("drawing", "change"), rows(HARMLESS))
def test_a_harmless_change_passes(plain, drawing, change):
    other = described(drawing, change)
    assert figure_differences(plain[drawing], other) == []


@pytest.mark.parametrize("layout", [None, "tight", "constrained"])
def test_describing_leaves_the_picture_as_it_is(layout, tmp_path):
    pictures, data = [], []
    for seen in (True, False):
        fig = lines(layout=layout)["f"]
        if seen:
            data = [describe(fig), describe(fig)]
        fig.savefig(tmp_path / "picture.png", bbox_inches="tight")
        pictures.append((tmp_path / "picture.png").read_bytes())
        plt.close(fig)
    assert pictures[0] == pictures[1]
    assert data[0] == data[1]


def test_a_colour_map_is_named_first_and_older_data_have_no_name(plain):
    other = described(image, 'i.set_cmap("Blues")')
    first = figure_differences(plain[image], other)[0]
    assert first.endswith('cmap: stored "Reds", now "Blues"')
    old = {**plain[image], "artists": artists(plain[image])}
    old["artists"] = [
        re.sub('"cmap_name":"Reds",', "", line) for line in old["artists"]
    ]
    assert figure_differences(old, plain[image]) == []
    assert ".cmap[" in str(figure_differences(old, other))


def heat_map(values):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.set(xticks=[], yticks=[])
    ax.imshow(values)
    return described(lambda: {"f": fig})


LARGE = np.random.default_rng(0).random((100, 50))


def test_one_element_of_a_large_image_is_seen_within_little_data():
    data = heat_map(LARGE)
    assert len(json.dumps(data)) < 4096
    for place in ((0, 0), (40, 20), (99, 49)):
        other = LARGE.copy()
        other[place] += 1e-3
        found = figure_differences(data, heat_map(other))
        assert any("images[0].values: differs near" in line for line in found)
    for other in (LARGE[::-1], np.roll(LARGE, 1, 1), LARGE.reshape(50, 100).T):
        assert figure_differences(data, heat_map(other))


def test_noise_in_a_large_image_passes():
    data, rng = heat_map(LARGE), np.random.default_rng(1)
    for noise in (6e-6, *rng.uniform(-6e-6, 6e-6, (3, *LARGE.shape))):
        assert figure_differences(data, heat_map(LARGE + noise)) == []


def test_packed_data_are_short_and_say_the_same(plain):
    unpacked = {**plain[lines], "artists": artists(plain[lines])}
    assert artists(unpacked) == unpacked["artists"]
    assert len(json.dumps(plain[lines])) < 0.4 * len(json.dumps(unpacked))
    assert figure_differences(plain[lines], unpacked) == []


def test_data_that_are_damaged_are_a_difference(plain):
    whole = plain[image]
    records = [{**whole, "artists": x} for x in ("", "c${NkU|", 7, ["x"])]
    for damaged in (*records, "no record"):
        for pair in ((whole, damaged), (damaged, whole), (damaged, damaged)):
            assert "no readable data" in figure_differences(*pair)[0]
