"""Draw README's figure from the NumPy cells of lesson 02: `make figure`.

The three poolings side by side: average, nonparametric, and learned.
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt

import d2lmini as d2l
from tools.in_process import run_lesson
from tools.lesson import ROOT

TARGET = ROOT / "docs" / "three-poolings.svg"
METADATA = {"Date": None, "Creator": None}  # the same bytes each time


def draw(found, target):
    """Draw the three fits into one SVG file.

    Args:
        found: the variables of lesson 02.
        target: path of the file.
    """
    d2l.set_figsize((9, 2.8))
    figure, axes = plt.subplots(1, 3, sharey=True, layout="constrained")
    mean = [found["y_train"].mean()] * len(found["x_test"])
    panels = [
        ("average pooling", mean, found["mse_average"]),
        (
            "attention pooling, w = 1",
            found["y_one"],
            found["mse_nonparametric"],
        ),
        (
            f"learned, w = {found['w_good']:.2f}",
            found["y_good"],
            found["mse_good"],
        ),
    ]
    for ax, (title, y_hat, error) in zip(axes, panels, strict=True):
        ax.plot(found["x_train"], found["y_train"], "o", color="0.6", ms=4)
        ax.plot(found["x_test"], found["y_truth"], label="Truth")
        ax.plot(found["x_test"], y_hat, "--", lw=2, label="Pred")
        ax.set(title=f"{title}\ntest MSE {error:.3f}", xlabel="x")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("y")
    axes[0].legend()
    figure.savefig(target, metadata=METADATA)


if __name__ == "__main__":
    variables = run_lesson("02_attention_pooling", "numpy")[-1].numbers
    draw(variables, Path(sys.argv[1]) if sys.argv[1:] else TARGET)
