"""Pooling at scale: exact, safe, in the input's type, in little memory."""

import importlib
import subprocess
import sys
import warnings
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pooling import binned, shared
from pooling.numpy import pooling_gradients
from tools.frameworks import FRAMEWORKS, why_missing
from tools.quality import scale

ROOT = Path(__file__).resolve().parents[1]
# The largest error in units of the values' spread, by the type computed in.
TOLERANCE = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def doubles(request):
    """Let JAX have float64, which it has only where it is told to."""
    callspec = getattr(request.node, "callspec", None)
    if not callspec or callspec.params.get("framework") != "jax":
        yield
        return
    import jax

    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def of(framework):
    """The function, a maker of arrays, and the way back to NumPy."""
    module = importlib.import_module(f"pooling.{framework}")
    if framework == "pytorch":
        import torch

        def make(x, dtype="float32"):
            return torch.as_tensor(np.asarray(x)).to(getattr(torch, dtype))

        back = lambda x: x.detach().double().numpy()  # noqa: E731
    elif framework == "tensorflow":
        import tensorflow as tf

        def make(x, dtype="float32"):
            return tf.cast(tf.convert_to_tensor(np.asarray(x)), dtype)

        back = lambda x: tf.cast(x, "float64").numpy()  # noqa: E731
    elif framework == "mxnet":
        from mxnet import np as mxnp
        from mxnet import npx

        npx.set_np()

        def make(x, dtype="float32"):
            return mxnp.array(np.asarray(x).astype(dtype), dtype=dtype)

        back = lambda x: x.asnumpy().astype(float)  # noqa: E731
    elif framework == "jax":
        from jax import numpy as jnp

        def make(x, dtype="float32"):
            return jnp.asarray(np.asarray(x)).astype(dtype)

        back = lambda x: np.asarray(x).astype(float)  # noqa: E731
    else:

        def make(x, dtype="float32"):
            return np.asarray(x).astype(dtype)

        back = lambda x: x.astype(float)  # noqa: E731

    def pool(*arrays, w, dtype="float32"):
        out = module.attention_pooling(*(make(x, dtype) for x in arrays), w)
        return back(out)

    return SimpleNamespace(
        raw=module.attention_pooling, make=make, back=back, pool=pool
    )


def exact(queries, keys, values, w):
    """The definition, in float64, with the whole matrix."""
    q, k, v = (np.asarray(x, "float64") for x in (queries, keys, values))
    scores = -((w * (q[:, None] - k)) ** 2) / 2
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ v / weights.sum(axis=1).reshape(-1, *[1] * (v.ndim - 1))


def data(n, m, columns=(), seed=0, dtype="float32"):
    """Queries beyond the keys too; what was drawn is rounded to the type."""
    r = np.random.default_rng(seed)
    arrays = (
        r.uniform(-1, 6, m),
        r.uniform(0, 5, n),
        r.normal(size=(n, *columns)),
    )
    return [x.astype(dtype) for x in arrays]


@pytest.mark.parametrize("w", [0, 0.3, 4, -4, 23, 100, 1e15, 1e30])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_it_is_the_average_of_the_definition(of, dtype, w):
    for n, m, columns in [(50, 100, ()), (300, 40, (2,)), (40, 300, (1,))]:
        arrays = data(n, m, columns, dtype=dtype)
        expected = exact(*arrays, w)
        out = of.pool(*arrays, w=w, dtype=dtype)
        assert out.shape == expected.shape
        assert abs(out - expected).max() <= TOLERANCE[dtype]


def test_thousands_of_keys_are_as_exact(of):
    for w in (4, 100):
        arrays = data(5000, 500)
        error = abs(of.pool(*arrays, w=w) - exact(*arrays, w)).max()
        assert error <= 1e-5, w


def test_a_common_offset_of_the_values_costs_no_accuracy(of):
    q, k, v = data(5000, 50)
    v += np.float32(1e4)
    error = abs(of.pool(q, k, v, w=4) - exact(q, k, v, 4)).max()
    assert error <= 1e-3  # which is the distance of float32 numbers there


def test_the_size_of_the_blocks_does_not_matter(of, monkeypatch):
    arrays = data(90, 70)
    whole = of.pool(*arrays, w=4, dtype="float64")
    for size in (1, 64, 1000):
        monkeypatch.setattr(shared, "BLOCK", size)
        parts = of.pool(*arrays, w=4, dtype="float64")
        np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_a_block_is_never_larger_than_allowed(monkeypatch):
    monkeypatch.setattr(shared, "BLOCK", 500)
    q, k, v = data(300, 200)
    for w in (0.0, 4.0, 300.0):
        plan = shared.plan(q, k, v, np.array(w))
        assert plan.largest <= 500
        covered = [i for a, b, *_ in plan.blocks for i in range(a, b)]
        assert covered == list(range(200))


@pytest.mark.parametrize("shift", [1e3, 1e6, -1e6])
def test_where_zero_is_does_not_matter(of, shift):
    q, k, v = data(60, 50)
    moved = (q + shift).astype("f"), (k + shift).astype("f"), v
    for w in (4, 100):
        error = abs(of.pool(*moved, w=w) - exact(*moved, w)).max()
        assert error <= 1e-5


def test_equal_keys_and_ties_share_the_weight(of):
    for w in (0, 4, 1e30):
        same = of.pool([7.0, -3.0], [2.0] * 3, [1.0, 2.0, 6.0], w=w)
        np.testing.assert_allclose(same, [3, 3], rtol=1e-6)
    tie = of.pool([1.0, 5.0], [0.0, 2.0], [10.0, 20.0], w=1e30)
    np.testing.assert_allclose(tie, [15, 20], rtol=1e-6)


def test_one_key_answers_every_query(of):
    assert of.pool([-1e6, 0, 9], [2.0], [5.0], w=3).tolist() == [5, 5, 5]


def test_no_queries_get_no_answers(of):
    assert of.pool([], [1.0, 2.0], [1.0, 2.0], w=3).shape == (0,)
    assert of.pool([], [1.0, 2.0], np.ones((2, 3)), w=3).shape == (0, 3)


ONES = np.ones(3)
BAD = {
    "keys: at least one": ([1], [], [], 4),
    "keys: one axis expected, came shape (3, 1)": (
        ONES,
        ONES[:, None],
        ONES,
        4,
    ),
    "queries: one axis expected, came shape ()": (1.0, ONES, ONES, 4),
    "values: shape (3,) or (3, columns)": (ONES, ONES, ONES[:2], 4),
    "for each key, came (3, 1, 1)": (ONES, ONES, ONES[:, None, None], 4),
    "queries: finite numbers expected, came 1": ([np.nan, 1], ONES, ONES, 4),
    "keys: finite numbers": (ONES, [1, np.inf, 2], ONES, 4),
    "values: finite numbers": (ONES, ONES, [1, np.nan, 2], 4),
    "w: finite numbers": (ONES, ONES, ONES, float("nan")),
    "queries, keys: too far apart": (ONES, [1, 2, 1e30], ONES, 4),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(of, message):
    *arrays, w = BAD[message]
    with pytest.raises(ValueError, match=r"expected|far apart") as caught:
        of.pool(*arrays, w=w)
    assert message in str(caught.value)


def test_w_is_one_number_and_real(of):
    arrays = [of.make(ONES)] * 3
    for w in (4, 4.0, of.make(4.0), of.make([4.0])):
        assert of.back(of.raw(*arrays, w)).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"w: one number .* shape \(2,\)"):
        of.raw(*arrays, of.make([4.0, 5.0]))
    for w in (None, "4"):
        with pytest.raises(TypeError, match=r"w: .*expected, came"):
            of.raw(*arrays, w)


def test_what_is_no_array_of_numbers_is_named(of, framework):
    good = of.make(ONES)
    with pytest.raises(TypeError, match=r"keys: .* expected, came"):
        of.raw(good, "123", good, 4)
    if framework == "numpy":  # which takes lists
        assert of.raw([1, 2], [1, 2], [3, 3], 4) == pytest.approx([3, 3])
        with pytest.raises(TypeError, match=r"values: numbers .* object"):
            of.raw(good, good, [[1], [1, 2], []], 4)
        good = good * 1j
    else:
        with pytest.raises(TypeError, match=r"queries: .* came list"):
            of.raw([1.0], good, good, 4)
        if framework == "mxnet":
            return
        good = of.make(ONES, "complex64")
    with pytest.raises(TypeError, match="queries: numbers expected, came com"):
        of.raw(good, good, good, 4)


def test_the_result_has_the_type_of_the_input(of, framework):
    types = ["float16", "float32", "float64", "int32"]
    types += ["bfloat16"] if framework not in ("numpy", "mxnet") else []
    for dtype in types:
        given = of.make([1, 3, 8], dtype)
        out = of.raw(given, given, given, 1.5)
        default = "float64" if framework == "numpy" else "float32"
        expected = default if dtype == "int32" else dtype
        assert expected in str(out.dtype)
        right = exact([1, 3, 8], [1, 3, 8], [1, 3, 8], 1.5)
        limit = {"bfloat16": 2**-8, "float16": 2**-11}.get(dtype, 1e-6)
        np.testing.assert_allclose(of.back(out), right, rtol=limit)
    mixed = of.raw(given, of.make([1, 2], "float64"), of.make([1, 2]), 1)
    assert "float64" in str(mixed.dtype)


def gradients(framework, arrays, weights):
    """Differentiate (weights * pooling).sum() in the framework's own way."""
    module = importlib.import_module(f"pooling.{framework}")
    if framework == "numpy":
        return pooling_gradients(*arrays, weights)
    if framework == "pytorch":
        import torch

        leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
        out = module.attention_pooling(*leaves)
        (out * torch.tensor(weights)).sum().backward()
        return [leaf.grad.numpy() for leaf in leaves]
    if framework == "tensorflow":
        import tensorflow as tf

        leaves = [tf.Variable(x) for x in arrays]
        with tf.GradientTape() as tape:
            out = module.attention_pooling(*leaves)
            loss = tf.reduce_sum(out * weights)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, leaves)]
    if framework == "jax":
        import jax

        def loss(*leaves):
            return (module.attention_pooling(*leaves) * weights).sum()

        return jax.grad(loss, argnums=range(4))(*arrays)
    from mxnet import autograd, npx
    from mxnet import np as mxnp

    npx.set_np()
    leaves = [mxnp.array(x, dtype="float64") for x in arrays]
    for leaf in leaves:
        leaf.attach_grad()
    with autograd.record():
        out = module.attention_pooling(*leaves)
        loss = (out * mxnp.array(weights, dtype="float64")).sum()
    loss.backward()
    return [leaf.grad.asnumpy() for leaf in leaves]


@pytest.mark.parametrize("columns", [(), (2,)], ids=str)
@pytest.mark.parametrize("w", [1.3, -4.0])
def test_gradients_are_the_slopes(of, framework, monkeypatch, w, columns):
    monkeypatch.setattr(shared, "BLOCK", 40)  # several blocks
    arrays = [*data(9, 14, columns, dtype="float64"), np.float64(w)]
    weights = np.random.default_rng(1).normal(size=(14, *columns))
    got = gradients(framework, arrays, weights)
    for i, gradient in enumerate(got):
        gradient = np.asarray(gradient)
        assert gradient.shape == np.shape(arrays[i])
        direction = np.random.default_rng(2).normal(size=np.shape(arrays[i]))
        ends = []
        for step in (1e-6, -1e-6):
            moved = arrays.copy()
            moved[i] = moved[i] + step * direction
            ends.append((exact(*moved) * weights).sum())
        slope = (ends[0] - ends[1]) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_gradients_agree_with_the_lessons_formula(framework):
    q, k, v = data(50, 60, dtype="float64")
    w, weights = np.float64(4.0), np.ones(60)
    d2 = (q[:, None] - k) ** 2
    a = np.exp(-(w**2) * d2 / 2)
    a /= a.sum(axis=1, keepdims=True)
    covariance = (a * d2 * v).sum(1) - (a * d2).sum(1) * (a * v).sum(1)
    got = gradients(framework, [q, k, v, w], weights)[3]
    assert np.asarray(got) == pytest.approx((-w * covariance).sum(), rel=1e-10)


def test_gradients_are_finite_at_the_extremes(framework):
    for w in (0.0, 1e30, 1e200):
        arrays = [*data(9, 14, dtype="float64"), np.float64(w)]
        got = gradients(framework, arrays, np.ones(14))
        assert all(np.isfinite(np.asarray(x)).all() for x in got)
        if w == 0:
            assert np.asarray(got[3]) == 0


def framework_or_skip(name):
    # Not importorskip, which takes the folder notebooks/mxnet for MXNet.
    if why_missing(name):
        pytest.skip(why_missing(name))
    return importlib.import_module(FRAMEWORKS[name].module)


def test_mxnet_gets_a_gradient_whatever_else_has_none():
    mx = framework_or_skip("mxnet")
    from pooling.mxnet import attention_pooling

    mx.npx.set_np()
    arrays = [*data(9, 14), np.float32(2)]
    full = pooling_gradients(*arrays, np.ones(14))
    for i in range(4):
        leaves = [mx.np.array(x) for x in arrays]
        leaves[i].attach_grad()
        with mx.autograd.record():
            loss = attention_pooling(*leaves).sum()
        loss.backward()
        got = leaves[i].grad.asnumpy()
        np.testing.assert_allclose(got, full[i], rtol=1e-4, atol=1e-5)


def test_tensorflow_pools_in_a_graph_and_with_a_keras_variable():
    tf = framework_or_skip("tensorflow")
    import keras

    from pooling.tensorflow import attention_pooling

    arrays = data(50, 60)
    spec = [tf.TensorSpec([None], tf.float32)] * 3
    pool = tf.function(lambda q, k, v: attention_pooling(q, k, v, 4.0), spec)
    error = abs(pool(*arrays).numpy() - exact(*arrays, 4)).max()
    assert error <= 1e-5
    with pytest.raises(tf.errors.InvalidArgumentError, match="keys: at least"):
        pool([1.0], [], [])
    w = keras.Variable(4.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(attention_pooling(*map(tf.constant, arrays), w))
    assert np.isfinite(tape.gradient(loss, w.value))


def test_jax_pools_where_it_compiles_and_over_many_widths():
    jax = pytest.importorskip("jax")
    from pooling.jax import attention_pooling

    arrays = data(50, 60)
    widths = jax.numpy.array([0.5, 4.0, 100.0])
    pool = lambda w: attention_pooling(*arrays, w).sum()  # noqa: E731
    slopes = jax.jit(jax.vmap(jax.grad(pool)))(widths)
    for w, total, slope in zip(
        widths, jax.vmap(pool)(widths), slopes, strict=True
    ):
        full = pooling_gradients(*arrays, w, np.ones(60))
        assert total == pytest.approx(exact(*arrays, w).sum(), abs=1e-4)
        assert slope == pytest.approx(full[3], rel=1e-4, abs=1e-5)
    with pytest.raises(ValueError, match="w: finite numbers"):
        jax.grad(pool)(np.nan)


# What users have: kinds of input, and what each must be, or be told.

W2 = {
    "float16": np.float16(2),
    "float32": np.float32(2),
    "float64": np.float64(2),
    "longdouble": np.longdouble(2),
    "int64": np.int64(2),
    "uint8": np.uint8(2),
    "no axis": np.array(2.0),
    "one axis": np.array([2]),
    "two axes": np.array([[2.0]]),
    "other bytes first": np.array([2.0], ">f4"),
    "objects": np.array([2.0], object),
    "list": [2.0],
    "fraction": Fraction(2),
    "no mask": np.ma.array([2.0], mask=[False]),
}
NO_W = {
    "complex128": 2j,
    "complex64": np.complex64(2),
    "an array of complex": np.array(2j),
    "<U1": "4",
    "|S1": b"4",
    "NoneType": None,
    "date": date(2026, 1, 1),
    "datetime64": np.datetime64("2026"),
    "timedelta64": np.timedelta64(2),
    "Decimal": Decimal(2),
    "dict": {},
    "shape (2,)": [2.0, 3.0],
    "shape (0,)": [],
    "1 of 1 masked": np.ma.masked,
    "1 of 2 masked": np.ma.array([1.0, 2.0], mask=[True, False]),
    "beyond float64": -(10**400),
    "NaN or infinite": np.float32(np.inf),
}


def test_w_may_be_any_one_number(of):
    q, k, v = (of.make(x) for x in data(9, 14))
    expected = of.back(of.raw(q, k, v, 2.0))
    for kind, w in {**W2, "own": of.make(2), "[own]": of.make([2])}.items():
        assert of.back(of.raw(q, k, v, w)).tolist() == expected.tolist(), kind
    one = of.back(of.raw(q, k, v, 1))
    for w in (True, np.True_, of.make(1, "bool")):
        assert of.back(of.raw(q, k, v, w)).tolist() == one.tolist()


def test_what_is_no_w_is_named(of, framework):
    q, k, v = (of.make(x) for x in data(9, 14))
    cases = dict(NO_W)
    if framework != "mxnet":  # which has none
        cases["complex"] = of.make(2j, "complex64")
    for came, w in cases.items():
        with pytest.raises((TypeError, ValueError), match=r"^w: ") as caught:
            of.raw(q, k, v, w)
        assert came.removeprefix("an array of ") in str(caught.value), came


def test_w_beyond_the_type_means_the_nearest_key(of):
    q, k, v = (of.make(x) for x in ([0.1, 2.2], [0, 1, 2], [5, 6, 7]))
    for w in (1e300, -1e300, np.float64(1e300), of.make(1e300, "float64")):
        assert of.back(of.raw(q, k, v, w)).tolist() == [5, 7]


@pytest.mark.parametrize("columns", [(), (2,)], ids=str)
def test_values_near_the_largest_number_do_not_overflow(of, columns):
    limits = {"float16": 65504, "float32": 3.4e38, "float64": 1.79e308}
    q, k, _ = data(40, 60, dtype="float64")
    v = np.random.default_rng(3).choice([-1, 1, 0.5], (40, *columns))
    for dtype, largest in limits.items():
        by = np.array([largest, 1]) if columns else largest
        out = of.pool(q, k, v * by, w=4, dtype=dtype)
        expected = exact(*(x.astype(dtype) for x in (q, k, v)), 4)
        assert (abs(out / by - expected) <= 2 * TOLERANCE[dtype]).all()
        same = of.pool(q, k, np.full(40, largest), w=4, dtype=dtype)
        np.testing.assert_allclose(same, largest, rtol=1e-3)


def test_an_integer_is_not_forced_into_16_bits(of):
    q, v = of.make([1, 2], "float16"), of.make([100_000, 100_000], "int32")
    assert of.back(of.raw(q, q, v, 1)) == pytest.approx([100_000] * 2)


def test_gradients_of_huge_values_are_right_or_named(framework, capfd):
    q, k, v = data(9, 14, dtype="float64")
    v /= abs(v).max()
    weights = np.ones(14)
    small = gradients(framework, [q, k, v, np.float64(0.1)], weights)
    large = gradients(framework, [q, k, v * 1.7e308, np.float64(0.1)], weights)
    for i, by in enumerate((1.7e308, 1.7e308, 1, 1.7e308)):
        small_i, large_i = np.asarray(small[i]), np.asarray(large[i])
        np.testing.assert_allclose(large_i, small_i * by, rtol=1e-8)
    with pytest.raises(Exception, match=r"beyond|Check failed") as caught:
        gradients(framework, [q, k, v * 1.7e308, np.float64(4)], weights)
    if framework == "mxnet":  # prints what went wrong, and has its own error
        said = capfd.readouterr().out
    else:
        said = str(caught.value)
    assert "queries: gradient within" in said
    assert "float64 expected, came one beyond" in said


def test_far_outside_the_nearest_key_is_still_found(of):
    far = [1e15, -1e15]
    assert of.pool(far, [1, 2, 3], [5, 6, 7], w=2).tolist() == [7, 5]


MASKED = np.ma.array([1.0, 99.0, 3.0], mask=[0, 1, 0])
TAKEN = {
    "no mask": np.ma.array(ONES),
    "mask of nothing": np.ma.array(ONES, mask=[0, 0, 0]),
    "other bytes first": np.array(ONES, ">f8"),
    "long": np.array(ONES, np.longdouble),
    "unsigned": np.ones(3, "u8"),
    "bool": np.ones(3, bool),
    "objects": np.array([1, 1.0, Fraction(1)], object),
    "read-only": np.broadcast_to(1.0, 3),
    "strided": np.ones(6)[::2],
}
REFUSED = {
    "1 of 3 masked": MASKED,
    "complex128": np.ones(3) * 1j,
    "<U1": np.array(["1", "2", "3"]),
    "datetime64": np.array(["2026"] * 3, "M8[Y]"),
    "object: NoneType": np.array([1, None, 3]),
    "object: Decimal": np.array([Decimal(1)] * 3),
    "[('a', '<f4')]": np.ones(3, [("a", "f4")]),
    "(1, 3)": np.ones((1, 3)).view(np.matrix),
}


class csr_matrix:
    """Like SciPy's, which is no array to NumPy, either."""


LISTS = {
    "1 of 1 masked": [1.0, np.ma.masked, 3.0],
    "1 of 3 masked": [[1.0, 2.0, 3.0], MASKED],
    "object: csr_matrix": csr_matrix(),
    "object: set": {1.0},
    "object: generator": (x for x in ONES),
    "beyond float64": [1, 2, 10**400],
}


@pytest.mark.parametrize("framework", ["numpy", "jax", "binned"])
@pytest.mark.parametrize("role", range(3), ids=shared.ROLES[:3])
def test_numpys_other_arrays_are_taken_or_named(framework, role):
    if framework == "jax":
        framework_or_skip("jax")
    pool = binned.binned_pooling
    if framework != "binned":
        module = importlib.import_module(f"pooling.{framework}")
        pool = module.attention_pooling
    for kind, x in TAKEN.items():
        arrays = [ONES, ONES, ONES]
        arrays[role] = x
        assert np.asarray(pool(*arrays, 2)).tolist() == [1, 1, 1], kind
    cases = REFUSED if framework == "jax" else {**LISTS, **REFUSED}
    for came, x in cases.items():
        arrays[role] = x
        with pytest.raises((TypeError, ValueError)) as caught:
            pool(*arrays, 2)
        said = str(caught.value)
        assert said.startswith(f"{shared.ROLES[role]}: "), came
        assert came in said
    if framework == "numpy":
        for x in cases.values():
            with pytest.raises((TypeError, ValueError), match=r"^grad: "):
                pooling_gradients(ONES, ONES, ONES, 2, x)


def test_a_mask_is_never_ignored(of, framework):
    with pytest.raises(
        (TypeError, ValueError), match=r"^queries: .* came .*as"
    ):
        of.raw(MASKED, MASKED, MASKED, 4)


def test_numpy_does_not_lose_a_tensors_gradients(framework):
    own = FRAMEWORKS[framework].module
    if framework == "numpy":
        return
    tensors = {
        "pytorch": lambda m: m.ones(3, requires_grad=True),
        "tensorflow": lambda m: m.Variable(ONES),
        "mxnet": lambda m: m.np.ones(3),
    }
    from pooling.numpy import attention_pooling

    module = framework_or_skip(framework)
    if framework == "jax":
        pool = module.grad(lambda v: attention_pooling(ONES, ONES, v, 4).sum())
        with pytest.raises(TypeError, match=r"^values: .* came .*Tracer"):
            pool(module.numpy.ones(3))
        plain = attention_pooling(ONES, ONES, module.numpy.ones(3), 4)
        assert plain.tolist() == [1, 1, 1]
        return
    tensor = tensors[framework](module)
    for v in (tensor, [tensor[0]] * 3):
        for pool in (attention_pooling, binned.binned_pooling):
            with pytest.raises(
                TypeError, match=rf"^values: .* of {own}, whose"
            ):
                pool(ONES, ONES, v, 4)


def test_torch_func_maps_and_differentiates():
    torch = framework_or_skip("pytorch")
    from pooling.pytorch import attention_pooling

    arrays = [*data(9, 14, (2,), dtype="float64"), np.float64(2)]
    tensors = [torch.tensor(x) for x in arrays]
    full = pooling_gradients(*arrays, np.ones((14, 2)))
    loss = lambda *args: attention_pooling(*args).sum()  # noqa: E731
    slopes = torch.func.grad(loss, (0, 1, 2, 3))
    for got, expected in zip(slopes(*tensors), full, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    widths = torch.tensor([0.5, 2.0, 9.0], dtype=torch.float64)
    many = torch.vmap(slopes, in_dims=(None, None, None, 0))(
        *tensors[:3], widths
    )
    for got, expected in zip(many, full, strict=True):
        np.testing.assert_allclose(got[1], expected, rtol=1e-9, atol=1e-12)
    q, k, v, w = tensors
    rows = torch.func.jacrev(lambda v: attention_pooling(q, k, v, w))(v[:, 0])
    np.testing.assert_allclose(rows.sum(dim=0), full[2][:, 0], rtol=1e-9)
    with torch.inference_mode():
        q, k, v = (torch.tensor(x) for x in arrays[:3])
    w = w.clone().requires_grad_()
    attention_pooling(q, k, v, w).sum().backward()
    assert w.grad == pytest.approx(full[3])


def test_torch_refuses_by_name_what_it_cannot_do():
    torch = framework_or_skip("pytorch")
    from torch.autograd import forward_ad, functional

    from pooling.pytorch import attention_pooling

    x = torch.tensor([1.0, 2.0, 3.5])
    w = torch.tensor(2.0, requires_grad=True)
    pool = lambda w: attention_pooling(x * 1.3, x, x, w)  # noqa: E731
    loss = lambda w: pool(w).sum()  # noqa: E731

    def dual():
        with forward_ad.dual_level():
            return pool(forward_ad.make_dual(w.detach(), w.detach()))

    def twice():
        (slope,) = torch.autograd.grad(loss(w), w, create_graph=True)
        slope.backward()

    fixed = w.detach()
    forward, second = "came one taken forward", "came a second one"
    refused = [
        (forward, dual),
        (forward, lambda: torch.func.jvp(pool, (fixed,), (fixed,))),
        (forward, lambda: torch.func.hessian(loss)(fixed)),
        (second, lambda: torch.func.grad(torch.func.grad(loss))(fixed)),
        (second, twice),
        (second, lambda: functional.hessian(loss, fixed)),  # was 0
        (second, lambda: functional.jvp(pool, fixed, fixed)),  # was 0
        ("torch.jit.trace", lambda: torch.jit.trace(pool, (fixed,))),
    ]
    for message, do in refused:
        with warnings.catch_warnings(), pytest.raises(RuntimeError) as caught:
            warnings.simplefilter("ignore")  # PyTorch's, of what it retires
            do()
        assert str(caught.value).startswith("attention_pooling: ")
        assert message in str(caught.value)
    with pytest.raises(TypeError, match=r"vectorize=True.*torch\.func will"):
        functional.jacobian(pool, fixed, vectorize=True)
    with pytest.raises(ValueError, match="a batch expected, came none"):
        torch.vmap(pool)(torch.ones(0))


def test_torch_refuses_by_name_tensors_without_plain_numbers():
    torch = framework_or_skip("pytorch")
    from pooling.pytorch import attention_pooling

    x = torch.tensor([1.0, 2.0, 3.5])
    mask = torch.tensor([True, False, True])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are prototypes
        odd = {
            "sparse_coo": x.to_sparse(),
            "meta": x.to("meta"),
            "nested": torch.nested.nested_tensor([x, x, x]),
            "MaskedTensor": torch.masked.masked_tensor(x, mask),
            "complex64": x * 1j,
            "float8": x.to(torch.float8_e4m3fn),
            "list": [x[0]] * 3,
        }
        for role in range(4):
            for came, tensor in odd.items():
                given = [x, x, x, torch.tensor(2.0)]
                given[role] = tensor
                with pytest.raises((TypeError, ValueError)) as caught:
                    attention_pooling(*given)
                said = str(caught.value)
                assert said.startswith(f"{shared.ROLES[role]}: ")
                assert came in said or came in ("nested", "list")
    plain = attention_pooling(x, x, x, 2)
    for same in (torch.nn.Parameter(x), (x * 1j).conj().imag * -1):
        assert torch.equal(attention_pooling(x, x, same, 2), plain)


def test_tensorflow_refuses_by_name_what_it_cannot_do():
    tf = framework_or_skip("tensorflow")
    import keras

    from pooling.tensorflow import attention_pooling

    x = tf.constant([1.0, 2.0, 3.5])
    odd = {
        "SparseTensor": tf.sparse.from_dense(x),
        "RaggedTensor": tf.ragged.constant([[1.0], [2.0], [3.0]]),
        "KerasTensor": keras.Input((3,)),
        "complex64": tf.cast(x, "complex64"),
        "string": tf.constant(["1", "2", "3"]),
        "list": [x[0]] * 3,
        "MaskedArray": MASKED,
    }
    for role in range(3):
        for came, tensor in odd.items():
            given = [x, x, x, 2.0]
            given[role] = tensor
            with pytest.raises(TypeError) as caught:
                attention_pooling(*given)
            assert str(caught.value).startswith(f"{shared.ROLES[role]}: ")
            assert came in str(caught.value)

    w = tf.Variable(2.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(attention_pooling(x * 1.3, x, x, w))
        slope = tape.gradient(loss, w)
    with pytest.raises(RuntimeError, match="came a second one"):
        outer.gradient(slope, w)

    pool = lambda v: attention_pooling(x, x, v, 2.0)  # noqa: E731
    with pytest.raises(
        ValueError, match=r"values: .* known, expected, came <unk"
    ):
        tf.function(pool, [tf.TensorSpec(None)])(x)
    compiled = tf.function(pool, jit_compile=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="which_XLA_can"):
        compiled(x)


def test_jax_takes_second_derivatives_but_none_forward_only(monkeypatch):
    jax = framework_or_skip("jax")
    from pooling.jax import attention_pooling

    jnp = jax.numpy
    monkeypatch.setattr(shared, "BLOCK", 12)  # several tiles
    arrays = [jnp.asarray(x) for x in (*data(5, 4), np.float32(1.3))]

    def dense(q, k, v, w):
        scores = -((w * (q[:, None] - k)) ** 2) / 2
        return ((jax.nn.softmax(scores, axis=1) @ v) ** 2).sum()

    ours = lambda *args: (attention_pooling(*args) ** 2).sum()  # noqa: E731
    expected = jax.hessian(dense, (0, 1, 2, 3))(*arrays)
    for twice in (
        jax.hessian(ours, (0, 1, 2, 3)),
        jax.jacrev(jax.jacrev(ours, (0, 1, 2, 3)), (0, 1, 2, 3)),
    ):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=2e-4),
            twice(*arrays),
            expected,
        )
    for forward in (jax.jacfwd(ours), lambda *args: jax.jvp(ours, args, args)):
        with pytest.raises(RuntimeError, match="came one taken forward"):
            forward(*arrays)


def test_jax_names_arrays_that_it_cannot_take():
    jax = framework_or_skip("jax")
    from jax.experimental.sparse import BCOO

    from pooling.jax import attention_pooling

    x = jax.numpy.ones(3)
    odd = {
        "BCOO": BCOO.fromdense(x),
        "complex64": x * 1j,
        "key<fry>": jax.random.key(0),
        "list": [1.0, 2.0, 3.0],
        "beyond float32": np.full(3, 1e300),  # as JAX has no float64 now
    }
    for role in range(3):
        for came, array in odd.items():
            given = [x, x, x, 2.0]
            given[role] = array
            with pytest.raises((TypeError, ValueError)) as caught:
                attention_pooling(*given)
            assert str(caught.value).startswith(f"{shared.ROLES[role]}: ")
            assert came in str(caught.value)
    with pytest.raises(TypeError, match=r"^w: .* complex64"):
        jax.jit(lambda w: attention_pooling(x, x, x, w))(2j)


def test_mxnet_names_other_arrays_and_its_switch():
    mx = framework_or_skip("mxnet")
    from pooling.mxnet import attention_pooling

    mx.npx.set_np()
    x = mx.np.ones(3)
    for role in range(4):
        given = [x, x, x, 2.0]
        given[role] = mx.nd.ones(3)
        with pytest.raises(TypeError, match=r"mxnet\.np array .* NDArray"):
            attention_pooling(*given)
    mx.npx.reset_np()
    try:
        with pytest.raises(RuntimeError, match=r"attention_pooling: npx\.set"):
            attention_pooling(x, x, x, 2.0)
    finally:
        mx.npx.set_np()


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs Linux's /proc"
)
def test_forward_and_backward_need_no_matrix(framework):
    def work(n):
        arrays = [*data(n, n), np.float32(4)]
        gradients(framework, arrays, np.ones(n, "float32"))

    work(6000)  # what happens only once: JAX compiles for each size
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = scale.mebibytes("VmHWM")
    work(6000)
    # The matrix, too large to come from memory that was freed before, takes
    # 137 MiB.
    assert scale.mebibytes("VmHWM") - before < 40


def test_a_module_imports_its_own_framework_only():
    others = {each.module for each in FRAMEWORKS.values()} - {"numpy"}
    code = f"""if True:
        import sys
        import pooling.numpy, pooling.binned
        assert not {others} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("w", [0, 0.2, 4, -23, 150])
def test_binning_keeps_its_tolerance(w, tolerance, monkeypatch):
    alone = []  # how many queries were not left to the grid
    pool = binned.attention_pooling
    monkeypatch.setattr(
        binned,
        "attention_pooling",
        lambda q, *rest: alone.append(len(q)) or pool(q, *rest),
    )
    cases = (2, 1, 0), (30, 1, 1e6), (3000, 1e-3, 0), (3000, 9, 2)
    for n, scale_x, shift in cases:
        q, k, v = data(n, 200, (2,), seed=n, dtype="float64")
        v *= 1, 1e4
        v += 0, 1e6
        q, k, sharp = q * scale_x + shift, k * scale_x + shift, w / scale_x
        out = binned.binned_pooling(q, k, v, sharp, tolerance)
        error = abs(out - pool(q, k, v, sharp)) / np.ptp(v, axis=0)
        assert error.max() <= tolerance + 1e-13
    assert sum(alone) < 600  # of 800: the grid did some of it


def test_coarse_cells_are_noticed():
    arrays = data(3000, 200, dtype="float64")
    for cells in (2, 10, 100, 1000):
        out = binned.binned_pooling(*arrays, 4, 1e-4, cells=cells)
        limit = 1e-4 * np.ptp(arrays[2])
        assert abs(out - exact(*arrays, 4)).max() <= limit


def test_binning_says_what_it_cannot_do():
    arrays = data(50, 40)
    with pytest.raises(ValueError, match=r"w, keys: .* cells .* limit"):
        binned.binned_pooling(*arrays, 1e6)
    with pytest.raises(ValueError, match=r"tolerance: .* came 0"):
        binned.binned_pooling(*arrays, 4, 0)
    for cells in (1, 2.5, True, np.float64(9), "9", 10**400):
        with pytest.raises(ValueError, match="cells: an integer"):
            binned.binned_pooling(*arrays, 4, cells=cells)
    for tolerance in (None, "1e-4", 1j, np.ma.masked, [1e-4, 1e-4]):
        with pytest.raises(
            (TypeError, ValueError), match=r"^tolerance: one nu"
        ):
            binned.binned_pooling(*arrays, 4, tolerance)
    with pytest.raises(ValueError, match="keys: at least one"):
        binned.binned_pooling([1], [], [], 4)


def test_binning_takes_numpys_scalars_and_the_largest_values():
    q, k, v = data(50, 40, dtype="float64")
    pool = binned.binned_pooling
    expected = pool(q, k, v, 2.0, 1e-4, cells=100)
    for cells in (np.int64(100), np.uint8(100)):
        got = pool(q, k, v, np.float32(2), np.float64(1e-4), cells)
        assert got.tolist() == expected.tolist()
    v /= abs(v).max()
    huge = pool(q, k, v * 1.79e308, 2, np.float32(1e-3))
    assert abs(huge / 1.79e308 - exact(q, k, v, 2)).max() <= 2e-3


def test_binning_takes_lists_equal_keys_no_queries_and_keeps_the_type():
    pool = binned.binned_pooling
    assert pool([1, 2], [3, 3], [4, 6], 1e9).tolist() == [5, 5]
    assert pool([], [3, 4], [[4], [6]], 4).shape == (0, 1)
    for dtype in ("float16", "float32"):
        arrays = data(500, 40, dtype=dtype)
        out = pool(*arrays, 4)
        assert out.dtype == dtype
        assert abs(out - exact(*arrays, 4)).max() < TOLERANCE[dtype]
