"""The live figure's Python side: its numbers, its errors, its manners."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("anywidget")

from handson.live import Live
from tests.test_d2lmini import variants

K = {
    "gaussian": lambda u: np.exp(-(u**2) / 2),
    "boxcar": lambda u: np.where(abs(u) <= 1, 1.0, 0.0),
    "triangular": lambda u: np.clip(1 - abs(u), 0, None),
    "epanechnikov": lambda u: np.clip(1 - u**2, 0, None),
}
RNG = np.random.default_rng(180)
X = np.sort(RNG.uniform(0, 5, 50))  # the lessons' keys and values
Y = 2 * np.sin(X) + X**0.8 + RNG.normal(0, 0.5, 50)


@pytest.mark.parametrize("kernel", K)
def test_numbers_are_those_of_the_formulas(kernel):
    grid = np.linspace(-0.5, 5.5, 61)
    for w in (0.3, 1, 4.12, 30):
        live = Live(X, Y, w, kernel, x_test=grid, query=X[7])
        with np.errstate(invalid="ignore"):
            alphas = K[kernel](w * (grid[:, None] - X))
            alphas /= alphas.sum(axis=1, keepdims=True)
            others = K[kernel](w * (X[:, None] - X)) * (1 - np.eye(50))
            loss = (others @ Y / others.sum(axis=1) - Y) ** 2
        weights = K[kernel](w * (X[7] - X))
        np.testing.assert_allclose(live.y_hat, alphas @ Y, rtol=1e-9)
        effective = np.nanmean(1 / np.sum(alphas**2, axis=1))
        assert live.effective == pytest.approx(effective)
        assert live.loss == pytest.approx(np.nanmean(loss))
        np.testing.assert_allclose(live.weights, weights / weights.sum(), 1e-9)


def test_queries_and_pairs_out_of_range_are_left_out_not_counted_as_zero():
    live = Live([0, 0.5, 9], [1, 3, 5], 1, "boxcar", x_test=[0, 4, 9])
    np.testing.assert_array_equal(live.y_hat, [2, np.nan, 5])
    assert live.effective == 1.5  # of two keys and of one
    assert live.loss == 4  # the pair at 9 has no neighbour
    assert np.isnan(live.weights).all()  # the query is 4.5
    alone = Live([1], [2])
    assert alone.y_hat.tolist() == [2] * 101 and np.isnan(alone.loss)
    far = Live([0, 1], [5, 7], w=1e6, x_test=[-100, 100])
    assert far.y_hat.tolist() == [5, 7]  # the nearest key


def test_defaults_span_the_keys_and_numbers_follow_every_change():
    live = Live(X, Y)
    assert len(live.x_test) == 101 and live.truth == []
    assert (live.x_test[0], live.x_test[-1]) == (X[0], X[-1])
    assert live.query == pytest.approx((X[0] + X[-1]) / 2)
    before = live.loss
    live.w = np.float32(4)
    assert live.w == 4 and live.loss < before
    live.set_pairs(X[:3], Y[:3])
    assert live.weights.shape == (3,) and repr(live).count("n=3") == 1


def test_what_the_figure_sends_back_is_there_in_python():
    live = Live(X, Y)
    live.set_state({"w": 4.12, "query": 1.5, "kernel": "boxcar", "truth": []})
    assert (live.w, live.query, live.kernel) == (4.12, 1.5, "boxcar")
    live.set_state({"x_train": [0, 1, 2], "y_train": [3, 4, 5]})
    assert live.x_train == [0, 1, 2] and live.y_train == [3, 4, 5]
    sent = {"x_train", "y_train", "x_test", "truth", "query", "w", "kernel"}
    assert sent <= set(live.get_state())


def test_arrays_of_any_framework_give_the_same_figure(framework):
    values = [0.5, 2.0, -1.25, 0.0, 3.0, 1.5]
    for array in variants(framework, values):
        live = Live(array, array)
        live.set_pairs([1], [2])
        live.set_pairs(array, array)
        assert live.x_train == live.y_train == values


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("w", 0, "w: expected above 0, at most 1e6, got float 0.0"),
        ("w", float("nan"), "w: expected finite numbers"),
        ("w", [1, 2], r"w: expected one number, got shape \(2,\)"),
        ("kernel", "cosine", "'kernel' trait .* 'epanechnikov'.* 'cosine'"),
        ("x_train", [1, 2, 3], r"_train: expected . numbers, .* \(set_pairs"),
        ("y_train", [1, np.inf], "y_train: expected finite numbers"),
        ("x_train", [], "x_train: expected at least one value"),
        ("x_train", [[1, 2], [3, 4]], r"x_train: expected shape \(4,\)"),
        ("x_test", [0, 2, 1], "x_test: expected two or more .* rising"),
        ("truth", [1, 2, 3], "truth: expected 101 numbers, as many as x_test"),
        ("query", "middle", "query: expected numbers.* got str 'middle'"),
    ],
)
def test_bad_values_are_named_and_change_nothing(name, value, words):
    pairs = {"x_train": [0, 1], "y_train": [2, 3]}
    with pytest.raises(Exception, match=words):
        Live(**{**pairs, name: value})
    live = Live(**pairs)
    before = getattr(live, name)
    with pytest.raises(Exception, match=words):
        setattr(live, name, value)
    with pytest.raises(ValueError, match=r"x_train: .* \(set_pairs"):
        live.set_pairs([0, 1, 2], [3, 4])
    assert getattr(live, name) == before
    assert (live.x_train, live.y_train) == ([0, 1], [2, 3])


def test_the_stored_output_is_a_sentence_with_the_numbers():
    live = Live(X, Y, w=4.12, x_test=np.linspace(0, 5, 101))
    words = "Live(w=4.12, kernel='gaussian', n=50): "
    words += "leave-one-out loss 0.274, 8.2 keys"
    bundle, _ = live._repr_mimebundle_()
    assert repr(live) == bundle["text/plain"] == words
    assert "application/vnd.jupyter.widget-view+json" in bundle
    start = json.loads(bundle["application/vnd.d2lmini.live+json"])
    assert start["w"] == 4.12
    np.testing.assert_allclose(start["y_train"], Y, atol=1e-8)


def test_without_anywidget_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "handson.live")
    with pytest.raises(ImportError, match="pip install anywidget"):
        import handson.live  # noqa: F401
