"""Curves and heatmaps, for screen, projector and print."""

import IPython
import numpy as np
from matplotlib import pyplot as plt

from anyarray import as_array, as_column, as_lines, as_size, as_texts
from anyarray import Numbers, Text, Texts, expecting, require

FMTS = ["-", "m--", "g-.", "r:"]  # d2l's, in colours that all can tell apart:
COLORS: dict = {letter: f"C{i}" for i, letter in enumerate("brgmyck")}


def use_svg_display() -> bool:
    """Set the look, and SVG in notebooks (d2l's); tell whether it is one."""
    if plt.rcParams["svg.hashsalt"] != "d2lmini":
        plt.style.use("d2lmini.look")  # once: what is changed later stays
    shell = IPython.get_ipython()
    if not shell or len(shell.display_formatter.active_types) == 1:
        return False  # a script, or a terminal, where a figure is text
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    # None: nothing of the day or the machine, so that equal figures are equal.
    names = "Date", "Creator", "Format", "Type"
    set_matplotlib_formats("svg", metadata=dict.fromkeys(names))
    return True


def set_figsize(figsize: Numbers = (3.5, 2.5)) -> None:
    """Set width and height of new figures, in inches (d2l's)."""
    size = as_size(figsize, "figsize")
    use_svg_display()
    plt.rcParams["figure.figsize"] = size


def set_axes(axes: plt.Axes, texts: dict, limits: dict) -> None:
    """Set labels, scales and limits by name, and a grid; errors name them."""
    for name, text in texts.items():
        require(isinstance(text, str | None), name, "a text", text, TypeError)
        # To set a scale again would take an axis of dates its ticks.
        if text != getattr(axes, f"get_{name}")():
            with expecting(name, "a scale such as 'log'", text):
                axes.set(**{name: text})
    for name, ends in limits.items():
        if ends is not None:
            with expecting(name, "two numbers", ends):
                low, high = as_array(ends, name, 0, dates=True).tolist()
                if high - low:  # a single epoch has no limits
                    axes.set(**{name: (low, high)})
    axes.grid(True)


def draw(axes: plt.Axes, X: list, Y: list, legend: list, fmts: list) -> list:
    """Draw a line for each x and y; return the lines."""
    with expecting("fmts", "formats such as 'r--'", fmts):
        looks = [fmts[i % len(fmts)] for i in range(len(Y))]
        lines = [axes.plot(*xy)[0] for xy in zip(X, Y, looks, strict=True)]
    for i, line in enumerate(lines):
        line.set_label(legend[i] if i < len(legend) else "_")
        color = COLORS.get(line.get_color(), line.get_color())
        line.set_color(color if i < len(fmts) else f"C{i}")  # formats run out
    if lines and legend:
        axes.legend()
    return lines


def plot(
    X: Numbers, Y: Numbers = None, xlabel: Text = None, ylabel: Text = None,
    legend: Texts = None, xlim: Numbers = None, ylim: Numbers = None,
    xscale: str = "linear", yscale: str = "linear", fmts: Texts = FMTS,
    figsize: Numbers = (3.5, 2.5), axes: plt.Axes | None = None,
) -> None:  # fmt: skip
    """Draw lines in the current or the given axes (d2l's ``plot``).

    X, Y: numbers or dates, (n,), or a line per row or item; without Y, X over
    0, 1, ... Gaps: None, or masked. figsize: inches. Errors name the argument.
    """
    X = as_lines(X, "X")
    X, Y = (X, as_lines(Y, "Y")) if Y is not None else ([], X)
    X = X * len(Y) if len(X) == 1 else X or [np.arange(len(y)) for y in Y]
    require(len(X) == len(Y), "Y", f"{len(X)} lines, as in X", [*map(len, Y)])
    for x, y in zip(X, Y, strict=True):
        require(len(x) == len(y), "Y", f"{len(x)} values, one per X", y)
    require(isinstance(axes, plt.Axes | None), "axes", "Axes", axes, TypeError)
    labels, looks = as_texts(legend, "legend"), as_texts(fmts, "fmts") or FMTS
    texts = dict(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)

    def draw_on(axes: plt.Axes) -> None:
        draw(axes, X, Y, labels, looks)
        set_axes(axes, texts, {"xlim": xlim, "ylim": ylim})

    draw_on(plt.Figure().add_subplot())  # an error shows where nobody looks
    set_figsize(figsize)
    axes = axes or plt.gca()
    axes.cla()
    draw_on(axes)


def plot_kernel_reg(
    x_test: Numbers, y_truth: Numbers, y_hat: Numbers,
    x_train: Numbers, y_train: Numbers,
) -> None:  # fmt: skip
    """Draw truth, prediction and training points (d2l's, without globals).

    x_test, y_truth, y_hat: (m,) or (m, 1); x_train, y_train: (n,) or (n, 1).
    """
    x, x_train = as_column(x_test, "x_test"), as_column(x_train, "x_train")
    y_truth = as_column(y_truth, "y_truth", x.size)
    y_hat = as_column(y_hat, "y_hat", x.size)
    y_train = as_column(y_train, "y_train", x_train.size)
    use_svg_display()
    axes = plt.figure(figsize=(4.5, 3)).add_subplot()
    draw(axes, [x, x], [y_truth, y_hat], ["Truth", "Pred"], ["-", "r--"])
    set_axes(axes, {"xlabel": "x", "ylabel": "y"}, {})
    axes.plot(x_train, y_train, "o", color="0.2", alpha=0.4, mew=0, zorder=1)
    axes.margins(x=0.02)


def show_heatmaps(
    matrices: Numbers, xlabel: str, ylabel: str, titles: Texts = None,
    figsize: Numbers = (2.5, 2.5), cmap: str | plt.Colormap = "Reds",
) -> None:  # fmt: skip
    """Draw matrices on one colour scale (in d2l's function, on several).

    matrices: (queries, keys) or (rows, columns, queries, keys). titles: one a
    column. figsize: inches. Raises ValueError or TypeError for others.
    """
    panels = as_array(matrices, "matrices")
    require(panels.ndim in (2, 4), "matrices", "2 or 4 axes", panels)
    panels = panels[None, None] if panels.ndim == 2 else panels
    rows, columns, queries, keys = panels.shape
    names = as_texts(titles, "titles") or [""] * columns
    require(len(names) == columns, "titles", f"{columns}, 1 a column", titles)
    with expecting("cmap", "a colour map such as 'Reds'", cmap):
        cmap = plt.get_cmap(cmap).with_extremes(bad="0.6")
    size = as_size(figsize, "figsize")
    if size == [2.5, 2.5]:  # d2l's default suits a single panel
        size = [1 + 1.7 * columns, 0.6 + 1.9 * rows]
    norm = plt.Normalize()
    norm.autoscale(np.ma.masked_invalid(panels))
    aspect = "equal" if 0.6 < queries / keys < 1.6 else "auto"  # long strips
    fine = max(queries, keys) > 200  # cells, which a screen shows averaged
    use_svg_display()
    dpi = min(200, 700 / max(size)) if fine else None
    fig = plt.figure(figsize=size, dpi=dpi)
    axes = fig.subplots(rows, columns, squeeze=False)
    for (i, j), ax in np.ndenumerate(axes):
        image = ax.imshow(panels[i, j], cmap, norm, aspect=aspect)
        image.set_interpolation("antialiased" if fine else "none")
        ax.set(title=names[j], xlabel=xlabel, ylabel=ylabel)
        ax.label_outer()
        ax.locator_params(nbins=4, integer=True)
    share = 0.3 / (columns + 1)  # of the width, for the bar
    fig.colorbar(image, ax=axes, shrink=0.8, fraction=share, pad=share / 3)
