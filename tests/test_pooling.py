"""Pooling at scale: exact, safe, in the input's type, in little memory."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import scale
from pooling import binned, shared
from pooling.numpy import pooling_gradients
from tools.frameworks import FRAMEWORKS, why_missing

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
    for cells in (1, 2.5):
        with pytest.raises(ValueError, match="cells: an integer"):
            binned.binned_pooling(*arrays, 4, cells=cells)
    with pytest.raises(ValueError, match="keys: at least one"):
        binned.binned_pooling([1], [], [], 4)


def test_binning_takes_lists_equal_keys_no_queries_and_keeps_the_type():
    pool = binned.binned_pooling
    assert pool([1, 2], [3, 3], [4, 6], 1e9).tolist() == [5, 5]
    assert pool([], [3, 4], [[4], [6]], 4).shape == (0, 1)
    for dtype in ("float16", "float32"):
        arrays = data(500, 40, dtype=dtype)
        out = pool(*arrays, 4)
        assert out.dtype == dtype
        assert abs(out - exact(*arrays, 4)).max() < TOLERANCE[dtype]


def test_the_benchmarks_table_says_what_failed():
    good = {"s": 2.0, "MiB": 3.0, "error": 1e-6, "ratio": 0.5}
    slow = {**good, "s": 200.0}
    found = {(name, n): good for name in scale.WAYS for n in (10, 100)}
    found["KeOps", 100] = {"failed": "out of memory"}
    found["pooling.numpy", 100] = slow
    rows = scale.table(found).splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert rows[-1].endswith("| out of memory | - |")
    (ours,) = (row for row in rows if "pooling.numpy" in row)
    assert ours.endswith("| 0.5 x, 3.0, 1e-06 | n^2.00 |")
