"""Draw README's figure from the NumPy cells of lesson 02.

The three poolings side by side: average, nonparametric, and learned; below
each, how much weight each query gives to each key.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import d2lmini as d2l
from tools.quality.in_process import run_lesson

# None: nothing of the day or the machine, so that the bytes are the same.
METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def weights(found: dict[str, np.ndarray], w: Any) -> np.ndarray:
    """Return the attention weights, (n_test, n_train); rows add to 1."""
    scores = -((w * (found["x_test"][:, None] - found["x_train"])) ** 2) / 2
    unnormalized = np.exp(scores - scores.max(axis=1, keepdims=True))
    return unnormalized / unnormalized.sum(axis=1, keepdims=True)


def draw(target: Path) -> None:
    """Draw the three fits, and below each its weights, into one SVG file."""
    found = run_lesson("02_attention_pooling", "numpy")[-1].numbers
    w = found["w_good"]
    panels: list[tuple[str, Any, Any]] = [
        ("average pooling", 0, found["mse_average"]),
        ("attention pooling, w = 1", 1, found["mse_nonparametric"]),
        (f"learned, w = {w:.2f}", w, found["mse_good"]),
    ]
    d2l.set_figsize((9, 4.2))
    shared: Any = {"sharex": True, "sharey": "row", "height_ratios": [3, 2]}
    figure, (fits, maps) = plt.subplots(2, 3, layout="constrained", **shared)
    x = found["x_test"]
    look: dict[str, Any] = {"aspect": "auto", "origin": "lower", "vmin": 0}
    look |= {"vmax": weights(found, w).max(), "interpolation": "none"}
    for fit, heat, (title, w, error) in zip(fits, maps, panels, strict=True):
        alpha = weights(found, w)
        fit.plot(found["x_train"], found["y_train"], "o", color="0.6", ms=4)
        fit.plot(x, found["y_truth"], label="Truth")
        fit.plot(x, alpha @ found["y_train"], "--", label="Pred")
        fit.set_title(f"{title}\ntest MSE {error:.3f}")
        fit.grid(alpha=0.3)
        extent = x[0], x[-1], 0, alpha.shape[1]
        image = heat.imshow(alpha.T, "Reds", extent=extent, **look)
        heat.set_xlabel("query x")
    fits[0].set_ylabel("y")
    fits[0].legend()
    maps[0].set_ylabel("keys, in order")
    figure.colorbar(image, ax=maps, label="weight", pad=0.01)
    figure.savefig(target, metadata=METADATA)
