"""Training curves that grow while the loop runs."""

from contextlib import suppress
from time import monotonic

from IPython import get_ipython
from IPython.display import display
from matplotlib import pyplot as plt

from anyarray import Numbers, Text, Texts, as_array, as_size, as_texts
from anyarray import expecting, require
from d2lmini.figures import FMTS, draw, set_axes, use_svg_display

PICTURES: dict = {}  # {figure: its display}, of the cell that runs


class Figure(plt.Figure):
    """A figure that a cell shows once: shown again, it is redrawn in place."""

    def _ipython_display_(self) -> None:
        picture = PICTURES.pop(self, None)
        if not picture:
            raise NotImplementedError  # so IPython shows it as it shows others
        try:
            picture.update(self)
        finally:
            PICTURES[self] = picture


def show_in_cell(figure: plt.Figure) -> None:
    """Show a figure in the cell that runs, or redraw it where it is."""
    shell = get_ipython()
    ends = shell.events.callbacks["post_execute"]
    if end_cell not in ends:
        ends.insert(0, end_cell)  # before pyplot's, which shows what is open
        if hasattr(shell.display_pub, "register_hook"):  # not in %%capture
            shell.display_pub.register_hook(forget_cleared)
    if figure in PICTURES:
        display(figure)
    else:
        with suppress(ValueError):  # older Matplotlib cannot take in a copy
            plt.figure(figure)  # current again, if an earlier cell closed it
        PICTURES[figure] = display(figure, display_id=True)


def end_cell() -> None:
    """Bring pictures up to date, and close them: they have been shown."""
    for figure in list(PICTURES):
        display(figure)
        plt.close(figure)
    PICTURES.clear()


def forget_cleared(message: dict) -> dict:
    """Forget pictures whose output is cleared: the next ones are new."""
    if message["header"]["msg_type"] == "clear_output":
        PICTURES.clear()
    return message


class Shared(list):
    """Numbers of a line, which Matplotlib need not copy at each new point."""

    def __copy__(self) -> "Shared":  # noqa: D105
        return self


class Animator:
    """Draw the points of a training loop as they come (d2l's ``Animator``).

    A notebook shows one figure per cell, redrawn in place: ``fig``, pyplot's
    current one. ``axes[0]`` has the lines, X and Y have their points. Settings
    are those of ``plot``, and so are the errors, which name the argument.
    """

    X: Numbers = None  # then a list for each line, and so has Y
    Y: Numbers = None

    def __init__(  # noqa: D107
        self, xlabel: Text = None, ylabel: Text = None, legend: Texts = None,
        xlim: Numbers = None, ylim: Numbers = None, xscale: str = "linear",
        yscale: str = "linear", fmts: Texts = FMTS, nrows: int = 1,
        ncols: int = 1, figsize: Numbers = (3.5, 2.5),
    ) -> None:  # fmt: skip
        self._lines: list = []
        self._due = 0.0
        self.fmts = as_texts(fmts, "fmts") or FMTS
        self._legend = as_texts(legend, "legend")
        size = as_size(figsize, "figsize")
        look = dict(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
        self._look = look, {"xlim": xlim, "ylim": ylim}
        with expecting("nrows, ncols", "whole numbers", (nrows, ncols)):
            self.axes = plt.Figure().subplots(nrows, ncols, squeeze=False)[0]
        empty: list = [[]] * len(self.fmts)
        draw(self.axes[0], empty, empty, self._legend, self.fmts)
        self.config_axes()  # errors come before there is a figure to see
        self._notebook = use_svg_display()
        self.fig = plt.figure(figsize=size, FigureClass=Figure)
        self.axes = self.fig.subplots(nrows, ncols, squeeze=False).ravel()
        self.config_axes()
        if self._notebook:  # at once: it stands above what the loop prints
            show_in_cell(self.fig)

    def config_axes(self) -> None:
        """Set labels, scales and limits of ``axes[0]`` (d2l's)."""
        set_axes(self.axes[0], *self._look)

    def add(self, x: Numbers, y: Numbers) -> None:
        """Add a point to each line; x, y: one number, or one or None a line.

        Dates are numbers, too. Raises ValueError if the count changes.
        """
        xs = as_array(x, "x", dates=True).ravel().tolist()
        ys = as_array(y, "y", dates=True).ravel().tolist()
        count = len(self.Y or ys)
        require(len(ys) == count, "y", f"{count} values, one per line", y)
        require(len(xs) in (1, count), "x", f"1 or {count} values", x)
        self.X = self.X or [Shared() for _ in ys]
        self.Y = self.Y or [Shared() for _ in ys]
        axes, lines = self.axes[0], self._lines
        if not lines or lines[0].axes is not axes:  # the first, or after cla()
            axes.xaxis.update_units([a for a in xs if a is not None])
            axes.yaxis.update_units([b for b in ys if b is not None])
            lines = draw(axes, self.X, self.Y, self._legend, self.fmts)
            self._lines = lines
        for i, (a, b) in enumerate(zip(xs * count, ys, strict=False)):
            if a is not None and b is not None:
                self.X[i].append(a)
                self.Y[i].append(b)
                lines[i].set_data(self.X[i], self.Y[i])
                point = axes.convert_xunits(a), axes.convert_yunits(b)
                axes.update_datalim([point])
        axes.autoscale(None)  # where no limits are set
        start = monotonic()
        if self._notebook and not (self.fig in PICTURES and start < self._due):
            show_in_cell(self.fig)
            now = monotonic()  # half of the time goes to drawing at most
            self._due = now + max(0.1, now - start)
