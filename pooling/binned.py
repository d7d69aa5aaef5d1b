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
USUAL = 4.0  # S5 / S2 up to which cells suffice; 1.6 where keys are dense
REACH = 12.0  # over w: exp(-72) beyond


def _grid(
    w: float, width: float, tolerance: float, cells: int | None
) -> tuple[int, int]:
    """Choose the cells, and a length for the FFT so that none wraps round."""
    needed = cells or 2 + w * width * (1.15 / 4 * USUAL / tolerance) ** 0.5
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

    It computes in float64. Time is O(m + n + cells log cells), memory O(m + n
    + cells); and for queries that the grid is not good enough for, those of
    `attention_pooling`, which has the other arguments and errors.

    The tolerance, between 0 and 1, is how far the result may be off, as a part
    of each column's largest minus smallest value. Grid points, from 2, are as
    many as that needs, in proportion to w * range / sqrt(tolerance).

    Raises:
        ValueError: also for a product of w and the keys' range that needs more
            than `MOST_CELLS`.
    """
    tolerance = shared.number("tolerance", tolerance).item()
    shared.expect(0 < tolerance < 1, "tolerance", "between 0 and 1", tolerance)
    if cells is not None:
        whole = isinstance(cells, int | np.integer) and 1 < cells <= MOST_CELLS
        expected = f"an integer from 2 to {MOST_CELLS}"
        shared.expect(whole, "cells", expected, f"{cells!r:.50}")
    dtype, *arrays = as_arrays(queries, keys, values, w)
    q, k, v, sharpness = (x.astype("float64", copy=False) for x in arrays)
    shared.check(q, k, v, sharpness)
    low, high, sharp = k.min(), k.max(), abs(sharpness.item())
    if len(q) and sharp:  # queries just outside the keys are common
        low = min(low, max(q.min(), low - 4 / sharp))
        high = max(high, min(q.max(), high + 4 / sharp))
    if low == high or not len(q):
        return attention_pooling(queries, keys, values, w)
    cells, length = _grid(sharp, float(high - low), tolerance, cells)
    step = (high - low) / (cells - 1)

    def share(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = (x - low) / step
        left = np.clip(place, 0, cells - 2).astype(int)
        return left, place - left

    left, part = share(k)
    columns = v.reshape(len(k), -1)
    least, most = columns.min(axis=0), columns.max(axis=0)
    middle = (least + most) / 2
    sums = np.empty((columns.shape[1] + 1, cells))
    for row, x in zip(sums, (1, *(columns - middle).T), strict=True):
        row[:] = np.bincount(left, x * (1 - part), cells)
        row += np.bincount(left + 1, x * part, cells)
    far = np.arange(length, dtype="float64")
    far = np.minimum(far, length - far) * (sharp * step)
    kernels = np.exp(np.square(far) / [[-2], [-5]])  # (2, length)
    noise = np.finfo(float).eps * np.log2(length)
    noise *= np.sqrt((sums[0] ** 2).sum() * (kernels**2).sum(axis=1))
    spectra = np.fft.rfft(sums, length)  # of 1, and of each column
    rates = np.fft.rfft(kernels)
    # Real rows of S2, of its values, and of S5.
    product = np.vstack([spectra * rates[0], spectra[:1] * rates[1]])
    smooth = np.fft.irfft(product, length)[:, :cells]
    left, part = share(q)
    found = smooth[:, left] * (1 - part) + smooth[:, left + 1] * part
    total, tops, wide = found[0], found[1:-1], found[-1]
    h2 = (sharp * step) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = tops.T / total[:, None] + middle
        bound = 1.15 / 4 * h2 * np.exp(4 * h2) * (wide + noise[1])
        good = (total > 0) & (bound + 2 * noise[0] <= tolerance * total)
    good &= (low <= q) & (q <= high)
    shape = len(q), *v.shape[1:]
    out = np.clip(result, least, most).reshape(shape).astype(dtype)
    if not good.all():
        out[~good] = attention_pooling(q[~good], k, v, w)
    return out
