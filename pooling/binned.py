"""Attention pooling in one dimension by a grid and an FFT, with a bound.

Each key shares itself and its value out to the two grid points around it, the
FFT sums the kernel over the grid, and each query reads off between two points.
So each ``K(u) = exp(-(w u)^2 / 2)`` becomes a mean of ``K(u + e)``, where
``e`` has mean 0 and, on a grid of step d, a variance of at most d^2/2. Taylor:
it is off by at most d^2/4 max |K''|, and ``|K''(u)|`` is at most ``1.15 w^2
exp(-(w u)^2 / 4)``. So the average of the values is off by at most::

    (max - min of the values) 1.15/4 (w d)^2 exp(4 (w d)^2) S5 / S2

S2 is the sum over the keys of ``exp(-(w u)^2 / 2)``, S5 of ``exp(-(w u)^2 /
5)``, both from the grid; the 5 instead of 4 and the second exponential pay for
the shifts. What the FFT rounds is added. A query whose bound is larger than
asked for, such as one far from all keys, is answered exactly.
"""

import numpy as np
from numpy.typing import ArrayLike

from pooling import shared
from pooling.numpy import as_arrays, attention_pooling

MOST_CELLS = 2**20
USUAL = (
    4.0  # S5 / S2, about 1.6 where keys are dense, up to which cells suffice
)
REACH = 12.0  # over w: exp(-72) beyond


def _grid(w, width, tolerance, cells):
    """Choose the cells, and a length for the FFT so that none wraps round."""
    needed = 2 + w * width * (1.15 / 4 * USUAL) ** 0.5 / tolerance**0.5
    needed = cells or needed
    if needed > MOST_CELLS:
        raise ValueError(
            f"w, keys: w * range = {w * width:.4g} needs {needed:.3g} cells "
            f"for tolerance {tolerance:g}, the limit is {MOST_CELLS}; take "
            "attention_pooling, which is fast for a large w"
        )
    room = 1 + REACH / max(w * width, REACH)
    length = 1 << int(np.ceil(needed * room)).bit_length()
    return cells or int(length / room), length


def binned_pooling(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    w: ArrayLike,
    tolerance: float = 1e-5,
    cells: int | None = None,
) -> np.ndarray:
    """Pool like `pooling.numpy.attention_pooling`, within a tolerance.

    Args:
        queries: (m,), numbers or a list of them, sorted or not.
        keys: (n,), at least one.
        values: (n,), or (n, columns), which all get the same weights.
        w: one number, the sharpness; its sign does not matter.
        tolerance: how far the result may be off, as a part of each column's
            largest minus smallest value; more than 0 and less than 1.
        cells: the number of grid points, from 2; None for as many as the
            tolerance needs, in proportion to w * range / sqrt(tolerance).

    Returns:
        An array as of `attention_pooling`, computed in float64. Time is
        O(m + n + cells log cells), memory O(m + n + cells); and for queries
        that the grid is not good enough for, those of `attention_pooling`.

    Raises:
        TypeError: as `attention_pooling`.
        ValueError: as there; for a wrong tolerance or cells; and for a product
            of w and the keys' range that needs more than `MOST_CELLS`.
    """
    tolerance = shared.number("tolerance", tolerance).item()
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance: between 0 and 1, came {tolerance}")
    whole = isinstance(cells, (int, np.integer)) and 1 < cells <= MOST_CELLS
    if cells is not None and not whole:
        expected = f"cells: an integer from 2 to {MOST_CELLS} expected"
        raise ValueError(f"{expected}, came {cells!r:.50}")
    dtype, *arrays, w = as_arrays(queries, keys, values, w)
    shared.check(*arrays, w)
    q, k, v = (array.astype("float64", copy=False) for array in arrays)
    scale = shared.scales(v)
    columns = v.reshape(len(k), -1) * scale
    low, high, w = k.min(), k.max(), abs(float(w.item()))
    if len(q) and w:  # queries just outside the keys are common
        low = min(low, max(q.min(), low - 4 / w))
        high = max(high, min(q.max(), high + 4 / w))
    if low == high or not len(q):
        return attention_pooling(queries, keys, values, w)
    cells, length = _grid(w, float(high - low), tolerance, cells)
    step = (high - low) / (cells - 1)

    def share(x):
        place = (x - low) / step
        left = np.clip(place, 0, cells - 2).astype(int)
        return left, place - left

    left, part = share(k)
    least, most = columns.min(axis=0), columns.max(axis=0)
    middle = (least + most) / 2
    sums = np.empty((columns.shape[1] + 1, cells))
    for row, x in zip(sums, (1, *(columns - middle).T), strict=True):
        row[:] = np.bincount(left, x * (1 - part), cells)
        row += np.bincount(left + 1, x * part, cells)
    far = np.arange(length, dtype="float64")
    far = np.minimum(far, length - far) * (w * step)
    kernels = np.exp(np.square(far) / [[-2], [-5]])  # (2, length)
    noise = np.finfo(float).eps * np.log2(length)
    noise *= np.sqrt((sums[0] ** 2).sum() * (kernels**2).sum(axis=1))
    spectra = np.fft.rfft(sums, length)  # of 1, and of each column
    rates = np.fft.rfft(kernels)
    # Real rows of S2, of its values, and of S5.
    product = np.vstack([spectra * rates[0], spectra[:1] * rates[1]])
    smooth = np.fft.irfft(product, length)[:, :cells]
    left, part = share(q)
    total, *tops, wide = (
        smooth[:, left] * (1 - part) + smooth[:, left + 1] * part
    )
    h2 = (w * step) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = np.transpose(tops) / total[:, None] + middle
        result = np.clip(result, least, most) / scale
        bound = (
            1.15 / 4 * h2 * np.exp(4 * h2) * (wide + noise[1]) + 2 * noise[0]
        )
        good = (total > 0) & (bound <= tolerance * total)
    good &= (low <= q) & (q <= high)
    out = result.reshape(len(q), *v.shape[1:]).astype(dtype)
    if not good.all():
        out[~good] = attention_pooling(q[~good], k, v, w)
    return out
