"""Draw README's figure from the NumPy cells of lesson 02: `make figure`.

The three poolings side by side: average, nonparametric, and learned; below
each, how much weight each query gives to each key.
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from matplotlib import pyplot as plt

import d2lmini as d2l
from tools.author.sources import ROOT
from tools.quality.in_process import run_lesson

TARGET = ROOT / "docs" / "three-poolings.svg"
METADATA = {"Date": None, "Creator": None}  # the same bytes each time


def weights(found, w):
    """Return the attention weights, (n_test, n_train); rows add to 1."""
    scores = -((w * (found["x_test"][:, None] - found["x_train"])) ** 2) / 2
    unnormalized = np.exp(scores - scores.max(axis=1, keepdims=True))
    return unnormalized / unnormalized.sum(axis=1, keepdims=True)


def draw(found, target):
    """Draw the three fits, and below each its weights, into one SVG file.

    Args:
        found: the variables of lesson 02.
        target: path of the file.
    """
    d2l.set_figsize((9, 4.2))
    panels = [
        ("average pooling", 0, found["mse_average"]),
        ("attention pooling, w = 1", 1, found["mse_nonparametric"]),
        (
            f"learned, w = {found['w_good']:.2f}",
            found["w_good"],
            found["mse_good"],
        ),
    ]
    figure, (fits, maps) = plt.subplots(
        *(2, len(panels)),
        sharex=True,
        sharey="row",
        layout="constrained",
        height_ratios=[3, 2],
    )
    x = found["x_test"]
    largest = weights(found, found["w_good"]).max()
    for fit, heat, (title, w, error) in zip(fits, maps, panels, strict=True):
        alpha = weights(found, w)
        fit.plot(found["x_train"], found["y_train"], "o", color="0.6", ms=4)
        fit.plot(x, found["y_truth"], label="Truth")
        fit.plot(x, alpha @ found["y_train"], "--", label="Pred")
        fit.set_title(f"{title}\ntest MSE {error:.3f}")
        fit.grid(alpha=0.3)
        image = heat.imshow(
            alpha.T,
            "Reds",
            aspect="auto",
            interpolation="none",
            origin="lower",
            extent=(x[0], x[-1], 0, alpha.shape[1]),
            vmin=0,
            vmax=largest,
        )
        heat.set_xlabel("query x")
    fits[0].set_ylabel("y")
    fits[0].legend()
    maps[0].set_ylabel("keys, in order")
    figure.colorbar(image, ax=maps, label="weight", pad=0.01)
    figure.savefig(target, metadata=METADATA)


if __name__ == "__main__":
    variables = run_lesson("02_attention_pooling", "numpy")[-1].numbers
    draw(variables, Path(sys.argv[1]) if sys.argv[1:] else TARGET)
