"""Compact pictures beside those that Matplotlib writes, in a browser."""

import base64
import io

import numpy as np
import pytest
from matplotlib.image import imread
from pictures import DRAWINGS, saved

from tools.svg import compact


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_compact_picture_looks_the_same(visit, draw):
    page = visit(700, 500, device_scale_factor=2).page

    def shown(svg):
        data = base64.b64encode(svg.encode()).decode()
        page.set_content(f"<img src='data:image/svg+xml;base64,{data}'>")
        page.wait_for_function("document.images[0].naturalWidth > 0")
        shot = page.locator("img").screenshot()
        return imread(io.BytesIO(shot))[..., :3]

    svg = saved(draw)
    before, after = shown(svg), shown(compact(svg))
    assert before.shape == after.shape
    # A browser sets letters and cells of images on whole points, so that a
    # hundredth may move them by one: neighbours are allowed.
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    for one, other in ((before, after), (after, before)):
        near = [np.roll(other, step, (0, 1)) for step in steps]
        low, high = np.min(near, 0), np.max(near, 0)
        assert np.maximum(low - one, one - high).max() < 0.2
    assert before.std() > 0.05
