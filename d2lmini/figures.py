"""Curves, heatmaps and training curves, for screen, projector and print."""

from time import monotonic

import IPython.display
import numpy as np
from matplotlib import pyplot as plt

from d2lmini.arrays import as_array, as_floats, as_lines, require

FMTS = ("-", "m--", "g-.", "r:")
COLORS = {c: f"C{i}" for i, c in enumerate("brgmyck")}  # look.mplstyle's


def notebook_shell():
    """Return IPython's shell where it can show a picture, else None."""
    shell = IPython.get_ipython()
    types = shell.display_formatter.active_types if shell else ()
    return shell if "image/svg+xml" in types else None


def use_svg_display():
    """Set the look, and let a notebook show the same SVG each time (d2l's).

    Files need ``savefig(..., metadata={"Date": None, "Creator": None})``.
    """
    if notebook_shell():  # costs 3 ms that others need not wait for
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})
    if plt.rcParams["svg.hashsalt"] != "d2lmini":
        plt.style.use("d2lmini.look")  # once: what is changed later stays


def set_figsize(figsize=(3.5, 2.5)):
    """Set width and height of new figures: inches, else ValueError (d2l's)."""
    size = as_array(figsize, "figsize", level=0, n=2)
    require(size.min() > 0, "figsize", "positive inches", figsize)
    use_svg_display()
    plt.rcParams["figure.figsize"] = figsize


def draw(axes, X, Y, fmts, legend, xlabel, ylabel, xscale, yscale, xlim, ylim):
    """Draw a line for each x and y on cleared axes, and all settings."""
    for name, text in {"xlabel": xlabel, "ylabel": ylabel}.items():
        require(isinstance(text, str | None), name, "str", text, TypeError)
    fmts, labels = np.atleast_1d(fmts), np.atleast_1d(legend or [])
    require(fmts.size, "fmts", "at least one format", fmts)
    axes.cla()
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        (line,) = axes.plot(x, y, fmts[i % len(fmts)])
        color = COLORS.get(line.get_color(), line.get_color())
        # A format that is used again gets another colour.
        line.set_color(color if i < len(fmts) else f"C{i}")
        line.set_label(labels[i] if i < len(labels) else "_")
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    for name, pair in (("xlim", xlim), ("ylim", ylim)):
        require(pair is None or np.ndim(pair), name, "a pair", pair, TypeError)
        if pair is not None and pair[0] != pair[1]:  # as one epoch has them
            axes.set(**{name: pair})  # None would freeze today's limits
    axes.grid(True)
    if X and labels.size:
        axes.legend()


def plot(
    X, Y=None, xlabel=None, ylabel=None, legend=None, xlim=None, ylim=None,
    xscale="linear", yscale="linear", fmts=FMTS, figsize=(3.5, 2.5), axes=None,
):  # fmt: skip
    """Draw lines in the current or the given axes (d2l's ``plot``).

    X, Y: shape (n,), or a line per row or item; without Y, X over 0, 1, ...
    figsize: inches, for a new figure. Raises ValueError for lengths, shapes
    or settings that do not fit, TypeError for other than numbers or text.
    """
    X = as_lines(X, "X")
    X, Y = (X, as_lines(Y, "Y")) if Y is not None else ([], X)
    X = X * len(Y) if len(X) == 1 else X or [np.arange(len(y)) for y in Y]
    require(len(X) == len(Y), "Y", f"{len(X)} lines, as in X", [*map(len, Y)])
    for x, y in zip(X, Y, strict=True):
        require(len(x) == len(y), "Y", f"{len(x)} values, one per X", y)
    require(isinstance(axes, plt.Axes | None), "axes", "Axes", axes, TypeError)
    look = fmts, legend, xlabel, ylabel, xscale, yscale, xlim, ylim
    draw(plt.Figure().add_subplot(), X, Y, *look)  # errors leave no trace
    set_figsize(figsize)
    draw(axes or plt.gca(), X, Y, *look)


def plot_kernel_reg(x_test, y_truth, y_hat, x_train, y_train):
    """Draw truth, prediction and training points (d2l's, without globals).

    The first three: shape (m,) or (m, 1); the last two: (n,) or (n, 1).
    Raises ValueError for others, TypeError for anything but numbers.
    """
    x = as_array(x_test, "x_test", n=0)
    x_train = as_array(x_train, "x_train", n=0)
    Y = [as_array(y_truth, "y_truth", n=len(x))]
    Y += [as_array(y_hat, "y_hat", n=len(x))]
    y_train = as_array(y_train, "y_train", n=len(x_train))
    use_svg_display()
    axes = plt.figure(figsize=(4.5, 3)).add_subplot()
    look = ["-", "r--"], ["Truth", "Pred"], "x", "y", "linear", "linear"
    draw(axes, [x, x], Y, *look, None, None)
    axes.plot(x_train, y_train, "o", color="0.2", alpha=0.4, mew=0, zorder=1)
    axes.margins(x=0.02)


def show_heatmaps(
    matrices, xlabel, ylabel, titles=None, figsize=(2.5, 2.5), cmap="Reds"
):
    """Draw matrices on one colour scale (in d2l's function, on several).

    matrices: shape (rows, columns, queries, keys) or (queries, keys), titles:
    one per column, else ValueError, or TypeError if they are not numbers.
    figsize: inches, where the default grows with the panels.
    """
    panels = as_array(matrices, "matrices")
    require(panels.ndim in (2, 4), "matrices", "2 or 4 axes", panels)
    panels = panels[None, None] if panels.ndim == 2 else panels
    rows, columns, queries, keys = panels.shape
    names = np.atleast_1d(titles or [""] * columns)
    require(len(names) == columns, "titles", f"{columns}, 1 a column", titles)
    cmap, norm = plt.get_cmap(cmap).with_extremes(bad="0.6"), plt.Normalize()
    norm.autoscale(np.ma.masked_invalid(panels))
    # Long strips would leave no room for themselves: let their cells stretch.
    aspect = "equal" if 0.6 < queries / keys < 1.6 else "auto"
    if tuple(figsize) == (2.5, 2.5):  # d2l's default suits a single panel
        figsize = 1 + 1.7 * columns, 0.6 + 1.9 * rows
    use_svg_display()
    fig = plt.figure(figsize=figsize, layout="compressed")
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for (i, j), ax in np.ndenumerate(axes):
        image = ax.imshow(panels[i, j], cmap, norm, interpolation="none")
        ax.set(title=names[j], xlabel=xlabel, ylabel=ylabel, aspect=aspect)
        ax.label_outer()
        ax.locator_params(nbins=4, integer=True)
    fig.colorbar(image, ax=axes, shrink=0.8)


class Animator:
    """Draw the points of a training loop as they come (d2l's ``Animator``).

    A notebook shows one figure per cell, redrawn in place, and keeps what is
    printed. Elsewhere ``fig`` is complete once it is used, shown or saved.
    ``axes[0]`` has the lines; settings and their errors are ``plot``'s.
    """

    def __init__(  # noqa: D107
        self, xlabel=None, ylabel=None, legend=None, xlim=None, ylim=None,
        xscale="linear", yscale="linear", fmts=FMTS, nrows=1, ncols=1,
        figsize=(3.5, 2.5),
    ):  # fmt: skip
        look = fmts, legend, xlabel, ylabel, xscale, yscale, xlim, ylim
        trial = [[]] * len(fmts)  # a line for each, where nobody sees it
        draw(plt.Figure().add_subplot(), trial, trial, *look)
        use_svg_display()
        self._shell = shell = notebook_shell()
        # A notebook would show pyplot's figures once more after the cell.
        self._fig = (plt.Figure if shell else plt.figure)(figsize=figsize)
        self._fig.subplots(nrows, ncols)
        self._fig.draw = lambda gc: plt.Figure.draw(self.fig, gc)  # all points
        self.X, self.Y, self._look = None, None, look
        self._display, self._stale, self._due = None, True, 0
        if shell:  # at once, so that it stands above what the loop prints
            self._show()

    @property
    def fig(self):
        """The figure, with all its points."""
        if self._stale:
            self._stale = False
            draw(self._fig.axes[0], self.X or [], self.Y or [], *self._look)
        return self._fig

    axes = property(lambda self: self.fig.axes, doc="The animated one first.")

    def add(self, x, y):
        """Add a point to each line; x, y: one number, or one or None a line.

        Raises ValueError if their count changes, TypeError if no numbers.
        """
        plain = type(y) is float and type(x) in (int, float) and y - y == 0
        if plain and self.Y and len(self.Y) == 1:  # nothing to look into
            self.X[0].append(x)
            self.Y[0].append(y)
        else:
            self._add(as_floats(x, "x"), as_floats(y, "y"), x, y)
        self._stale = True
        if self._shell and (not self._display or monotonic() > self._due):
            self._show()

    def _add(self, xs, ys, x, y):
        count = len(self.Y or ys)
        require(0 < len(ys) == count, "y", f"{count} values, one per line", y)
        require(len(xs) in (1, count), "x", f"1 or {count} values", x)
        as_array([0 if y is None else y for y in ys], "y", 4)  # warns of gaps
        self.X, self.Y = self.X or [[] for _ in ys], self.Y or [[] for _ in ys]
        for X, Y, a, b in zip(self.X, self.Y, xs * count, ys, strict=False):
            if a is not None and b is not None:
                X.append(a)
                Y.append(b)

    def _show(self):
        start = monotonic()
        if self._display:
            self._display.update(self.fig)
        else:
            self._display = IPython.display.display(self.fig, display_id=True)
            self._shell.events.register("post_execute", self._end_cell)
        now = monotonic()  # what is seen is 0.2 s old, if drawing is fast
        self._due = now + max(now - start, 0.2 - 2 * (now - start))

    def _end_cell(self):
        self._shell.events.unregister("post_execute", self._end_cell)
        self._show()
        self._display = None  # the next cell gets a figure of its own
