"""The live figure in a browser: its numbers, its controls, its manners."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from reader import barriers

from handson.live import Live
from tests.test_live import X, Y

SOURCE = (Path(__file__).parents[2] / "handson/live.js").read_text("utf-8")
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The live figure</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { font-family: sans-serif; margin: 8px }</style>
<body><main><h1>The live figure</h1><div id="figure"></div></main>
<script>(() => {
  SOURCE
  Object.assign(window, { derive, render });
  window.model = plainModel(VALUES);
  window.stop = render({ model, el: document.getElementById("figure") });
})();</script></body></html>"""
SETTLED = """() => new Promise((done) => requestAnimationFrame(() =>
  requestAnimationFrame(done)))"""
PAIRS = "[role=option]"
NUMBERS = """() => {
  const names = ["x_train", "y_train", "x_test", "query", "w", "kernel"];
  return derive(Object.fromEntries(names.map((n) => [n, model.get(n)])));
}"""
GRID = np.linspace(0, 5, 101)
TRUTH = 2 * np.sin(GRID) + GRID**0.8


@pytest.fixture
def open_figure(visit, tmp_path):
    """Return a function that opens a page; see that all stays quiet."""
    script = re.sub(r"^export (default.*)?", "", SOURCE, flags=re.M)
    columns = {"x_train": X, "y_train": Y, "x_test": GRID, "truth": TRUTH}
    values = json.dumps({name: v.tolist() for name, v in columns.items()})
    path = tmp_path / "figure.html"
    html = PAGE.replace("SOURCE", script).replace("VALUES", values)
    path.write_text(html, encoding="utf-8")
    visits = []

    def opened(width=1280, **options):
        visits.append(visit(width=width, **options))
        page = visits[-1].open(path)
        page.evaluate(SETTLED)
        return page

    yield opened
    assert [(v.errors, v.outside) for v in visits] == [([], [])] * len(visits)


def get(page, name):
    return page.evaluate("(name) => model.get(name)", name)


def put(page, **values):
    """Set values of the model, as a notebook's Python would."""
    code = "(v) => { for (const n in v) model.set(n, v[n]) }"
    page.evaluate(code, values)
    page.evaluate(SETTLED)


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def mouse_drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    page.evaluate(SETTLED)


def touch_drag(page, start, end):
    """Drag with one finger; Playwright itself only knows taps."""
    session = page.context.new_cdp_session(page)
    points = [[{"x": x, "y": y}] for x, y in np.linspace(start, end, 6)]
    kinds = ["touchStart", *["touchMove"] * 5, "touchEnd"]
    for kind, at in zip(kinds, [*points, []], strict=True):
        event = {"type": kind, "touchPoints": at}
        session.send("Input.dispatchTouchEvent", event)
    page.evaluate(SETTLED)


def agrees(page):
    """See that the page's numbers are those that Python computes."""
    names = "x_train", "y_train", "w", "kernel", "x_test", "truth", "query"
    live = Live(**{name: get(page, name) for name in names})
    found = page.evaluate(NUMBERS)
    for name in "y_hat", "loss", "weights":
        expected = getattr(live, name)
        np.testing.assert_allclose(found[name], expected, 0, 1e-6)
    assert found["effective"] == pytest.approx(live.effective, rel=1e-6)
    return live, found


def test_numbers_are_pythons_and_gaps_are_counted(open_figure):
    page = open_figure()
    for kernel in "gaussian", "triangular", "epanechnikov", "boxcar":
        for w, query in (0.1, 0), (4.12, 1.3), (100, 2.5), (20, 1.3):
            put(page, w=w, kernel=kernel, query=query)
            agrees(page)
    live, found = agrees(page)
    gaps = int(np.isnan(live.y_hat).sum())
    assert found["gaps"] == gaps > 0 and np.isnan(live.weights).all()
    words = f"{gaps} of 101 queries have no key in range"
    page.get_by_role("status").get_by_text(words).wait_for()
    path = page.locator(".lv-fit .lv-plot .lv-pred").get_attribute("d")
    runs = np.isfinite(np.r_[np.nan, live.y_hat])
    assert path.count("M") == np.sum(np.diff(runs.astype(int)) == 1)
    page.get_by_role("button", name="Go to the best w").click()
    assert agrees(page)[1]["left"] == 0  # it leaves no pair out


def test_sliders_menu_and_buttons_are_reached_by_keyboard(open_figure):
    page = open_figure()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    w = page.get_by_role("slider", name="w, the inverse width")
    assert get(page, "w") == pytest.approx(10**0.01)
    page.evaluate(SETTLED)
    assert w.get_attribute("aria-valuetext") == "w = 1.02"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert get(page, "query") == pytest.approx(2.475)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert get(page, "kernel") == "boxcar"
    page.get_by_role("button", name="Reset").press("Enter")
    assert (get(page, "w"), get(page, "kernel")) == (1, "gaussian")
    page.evaluate(SETTLED)
    page.get_by_role("button", name="Go to the best w").press("Enter")
    assert get(page, "w") == pytest.approx(4.123, abs=0.01)
    words = "w = 4.12, gaussian, 50 pairs: leave-one-out loss 0.274"
    page.get_by_role("status").get_by_text(words).wait_for()


@pytest.mark.parametrize("drag", [mouse_drag, touch_drag])
def test_mouse_and_finger_drag_the_query_and_a_pair(open_figure, drag):
    page = open_figure(has_touch=True, is_mobile=True)
    x, y = centre(page.locator(".lv-grip"))
    scale = page.evaluate(
        "[...document.querySelectorAll('.lv-fit .lv-axes text')].slice(1, 3)"
        ".map((t) => [+t.textContent, t.getBoundingClientRect().x])"
    )
    unit = (scale[1][1] - scale[0][1]) / (scale[1][0] - scale[0][0])
    drag(page, (x, y), (x - unit, y + 40))
    assert get(page, "query") == pytest.approx(1.5, abs=0.02)
    last = page.locator(PAIRS).nth(49)
    x, y = centre(last)
    drag(page, (x, y), (x - 2 * unit, y - 60))
    moved = get(page, "x_train")[49], get(page, "y_train")[49]
    assert moved[0] == pytest.approx(X[49] - 2, abs=0.02)
    assert moved[1] > Y[49] and get(page, "x_train")[:49] == X[:49].tolist()
    assert centre(last) == pytest.approx((x - 2 * unit, y - 60), abs=1)
    agrees(page)


def test_pairs_are_added_and_removed_by_pointer(open_figure):
    page = open_figure(has_touch=True)
    plot = page.locator(".lv-fit .lv-plot > svg")
    corner = {"x": 600, "y": 100}
    plot.dblclick(position=corner)
    page.evaluate(SETTLED)
    assert len(get(page, "x_train")) == len(get(page, "y_train")) == 51
    agrees(page)
    page.mouse.dblclick(*centre(page.locator(PAIRS).nth(50)))
    assert get(page, "x_train") == X.tolist()
    page.get_by_role("button", name="Add pairs").tap()
    plot.tap(position=corner)
    assert len(get(page, "x_train")) == 51
    page.get_by_role("button", name="Remove the chosen pair").tap()
    assert get(page, "x_train") == X.tolist()
    page.get_by_role("status").get_by_text("50 pairs").wait_for()


def test_one_tab_stop_leads_to_all_pairs(open_figure):
    page = open_figure()
    page.get_by_label("kernel").focus()
    focused = "document.activeElement.getAttribute('aria-label')"

    def press(key):
        page.keyboard.press(key)
        page.evaluate(SETTLED)
        return page.evaluate(focused) or ""

    assert press("Tab").startswith("pair 1 of 50")
    assert press("ArrowRight").startswith("pair 2 of 50")
    assert press("End").startswith("pair 50 of 50")
    assert press("ArrowLeft").startswith("pair 49 of 50")
    press("Shift+ArrowUp")
    press("+")
    step = (get(page, "y_train")[48] - Y[48]) / 2
    assert step > 0 and get(page, "x_train") == X.tolist()
    press("Shift+ArrowLeft")
    assert get(page, "x_train")[48] < X[48]
    assert press("Delete").endswith(tuple("0123456789"))
    assert len(get(page, "x_train")) == 49
    assert press("a").startswith("pair 31 of 50: x 2.5,")
    agrees(page)
    press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Go")


def test_a_change_from_python_is_drawn_and_the_last_pair_stays(open_figure):
    page = open_figure()
    put(page, x_train=[0, 10, 20], y_train=[0, 100, 50], w=0.2, truth=[])
    assert page.locator(PAIRS).count() == 3
    assert not page.locator(".lv-has-truth").is_visible()
    agrees(page)
    put(page, x_train=[1.0], y_train=[2.0])
    assert page.get_by_role("button", name="Remove").is_disabled()
    page.locator(PAIRS).press("Delete")
    assert get(page, "x_train") == [1]
    page.evaluate("stop()")
    put(page, x_train=[0, 1], y_train=[0, 1])
    assert page.locator(PAIRS).count() == 1


def test_jupyterlab_may_show_it_later_and_takes_no_key(open_figure):
    page = open_figure()
    make = "window.later = document.createElement('div')"
    page.evaluate(f"() => {{ {make}; render({{ model, el: later }}); }}")
    put(page, w=3)
    page.evaluate("document.querySelector('main').append(later)")
    page.evaluate(SETTLED)
    figures = page.locator(".d2l-live").all()
    assert [figure.locator(PAIRS).count() for figure in figures] == [50, 50]
    tiles = [f.locator(".lv-numbers b").first.inner_text() for f in figures]
    assert tiles == ["3", "3"]
    second = figures[1]
    stops = second.locator(f"input, select, button, {PAIRS}")
    mark = "data-lm-suppress-shortcuts"  # on the very target, not around it
    assert stops.count() == second.locator(f"[{mark}]").count() == 57


def test_axe_finds_nothing_serious_in_light_and_dark(open_figure):
    for scheme, width in ("light", 390), ("dark", 1280):
        page = open_figure(width, color_scheme=scheme)
        put(page, kernel="boxcar", w=20)
        page.locator(PAIRS).first.focus()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_page_and_else_the_system(open_figure):
    look = "getComputedStyle(document.querySelector('.d2l-live'))"
    light, dark = "rgb(255, 255, 255)", "rgb(23, 25, 28)"
    page = open_figure(color_scheme="dark")
    for name, value, expected in (
        ("data-theme", "light", light),
        ("data-theme", "dark", dark),
        ("data-theme", "auto", dark),  # as the system
        ("data-jp-theme-light", "true", light),
        ("data-jp-theme-light", "false", dark),
    ):
        change = "([n, v]) => document.body.setAttribute(n, v)"
        page.evaluate(change, [name, value])
        page.evaluate(SETTLED)
        assert page.evaluate(f"{look}.backgroundColor") == expected
        cell = page.locator(PAIRS).first.get_attribute("fill")
        bright = int(re.findall(r"\d+", cell)[0]) > 200
        assert bright == (expected == light)  # no weight: paper's colour
