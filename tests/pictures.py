"""Pictures as Matplotlib writes them, for the tests of compact ones."""

import io

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

X = np.linspace(0, 5, 60)
LOOK = {"svg.fonttype": "none", "svg.hashsalt": "same"}
LOOK["font.sans-serif"] = ["DejaVu Sans", "Verdana"]


def saved(draw, **look):
    """Return the SVG that Matplotlib writes of what a function draws."""
    with plt.style.context(["default", {**LOOK, **look}]):
        fig, ax = plt.subplots(figsize=(3.5, 2.5))
        draw(ax)
        out = io.StringIO()
        fig.savefig(out, format="svg", metadata={"Date": None})
        plt.close(fig)
    return out.getvalue()


def curves(ax):
    ax.plot(X, 2.5 * np.sin(X), label="Truth")
    ax.plot(X, np.cos(X), "--", label="Pred")
    ax.plot(X, np.cos(X), "o", alpha=0.4, mec="k", clip_on=False)
    ax.plot(X, X / 2, "C3", alpha=0.5)
    ax.plot(X, 2 - X / 2, "C3", alpha=0.5)
    ax.set(xlabel="x", ylabel='"y" & <z>', title="a 'b'")
    ax.grid(True)
    ax.legend()


def formulas(ax):
    ax.loglog(X + 1, (X + 1) ** 3)
    ax.set_title(r"$y = x^{3} + \alpha$")


def image(ax):
    ax.imshow(np.eye(5), interpolation="none")
    ax.figure.colorbar(ax.images[0])
    ax.set_xlabel("x", fontsize=13)


def shapes(ax):
    ax.bar([1, 2], [1, 2], hatch="/", alpha=0.5, ec="r")
    ax.add_patch(Circle((1, 1), 0.3, ec="k", lw=3))
    ax.add_patch(FancyBboxPatch((1, 0.5), 1, 1, ec="g", ls=":"))
    ax.errorbar([1, 2], [1, 2], yerr=0.2, capsize=3)
    ax.fill_between([1, 2], 0.1, 0.2)
    ax.scatter([1, 2], [2, 1], s=[20, 90], c=["r", "b"])
    ax.text(1, 1, "up", rotation=30, fontsize=8, style="italic")


def round_about(ax):
    ax.figure.clear()
    ax = ax.figure.add_subplot(projection="polar")
    ax.plot(X, X, marker="+")


DRAWINGS = curves, formulas, image, shapes, round_about
