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
    # Edges are a little lighter or darker, and where they cross or end a
    # few points are; a mark in a wrong place would change many, and much.
    apart = np.abs(before - after).max(-1)
    assert np.mean(apart > 0.3) < 1e-4
    assert before.std() > 0.05
