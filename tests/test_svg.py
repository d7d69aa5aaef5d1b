"""What compact pictures keep of Matplotlib's, and what they leave out.

Whether they look the same is seen in a browser: tests/browser.
"""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from pictures import DRAWINGS, curves, saved, shapes

from tools.svg import compact, short_path

TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_compact_picture_is_short_of_one_size_and_stays_so(draw):
    svg = saved(draw)
    short = compact(svg)
    assert compact(short) == short == compact(saved(draw))
    assert len(json.dumps(short)) < 0.55 * len(json.dumps(svg))
    before, after = ET.fromstring(svg), ET.fromstring(short)
    for key in ("width", "height"):
        sizes = [float(e.get(key)[:-2]) for e in (before, after)]
        assert sizes[0] == pytest.approx(sizes[1], abs=0.0051)
        assert after.get(key).endswith("pt")
    assert after.get("viewBox")


@pytest.mark.parametrize("draw", DRAWINGS)
def test_texts_stay_texts(draw):
    def texts(svg):
        found = ["".join(e.itertext()) for e in ET.fromstring(svg).iter(TEXT)]
        return sorted("".join(text.split()) for text in found)

    svg = saved(draw)
    assert texts(compact(svg)) == texts(svg) != []


@pytest.mark.parametrize("draw", DRAWINGS)
def test_names_are_those_in_use_and_of_no_other_picture(draw):
    svg = saved(draw)
    named = re.findall(r" id='([^']+)'", compact(svg))
    used = re.findall(r"(?:url\(|href=')#([^')]+)", compact(svg))
    assert set(named) == set(used)
    assert len(named) == len(set(named))
    other = saved(draw, **{"svg.hashsalt": "other"})
    assert not set(named) & set(re.findall(r" id='([^']+)'", compact(other)))


@pytest.mark.parametrize(
    ("d", "short"),
    [
        ("M 1.504 2 \nL 1.504 3 \nL 0.25 2.5 \n", "M1.5 2v1l-1.25-.5"),
        ("M 0 0 L 2 0 L 2 1 L 0 1 L 0 0 z", "M0 0h2v1h-2z"),
        ("M 0 3 C 1 3 2 2 2 1 Q 0 1 0 3 z", "M0 3c1 0 2-1 2-2Q0 1 0 3z"),
        ("M 1 1 L 2 2 z M 5 5 L 4 6", "M1 1l1 1zM5 5l-1 1"),
        ("M 1 1 A 3 3 0 0 0 2 2", "M 1 1 A 3 3 0 0 0 2 2"),
        ("", ""),
    ],
)
def test_a_path_is_written_in_steps(d, short):
    assert short_path(d) == short


def test_the_rounding_of_steps_does_not_add_up():
    places = np.cumsum(np.random.default_rng(0).uniform(0.02, 1, (999, 2)), 0)
    d = "M 0 0 " + " ".join(f"L {x:.6f} {y:.6f}" for x, y in places)
    steps = re.findall(r"-?\d*\.?\d+", re.sub("[hv]", "l", short_path(d)))
    assert "h" not in short_path(d) and "v" not in short_path(d)
    found = np.cumsum(np.reshape([float(x) for x in steps], (-1, 2)), 0)[1:]
    assert np.abs(found - places).max() < 0.0051


def test_what_is_not_known_stays():
    svg = saved(shapes).replace("</defs>", "<style>.a{b:c}</style></defs>", 1)
    svg = svg.replace('style="', 'style="filter: url(#f); ', 1)
    short = compact(svg)
    assert "<style>.a{b:c}</style>" in short
    assert "style='filter: url(#f); " in short
    assert "<pattern" in short
    assert "<!--" not in compact(saved(curves))
