"""Pooling at scale: exact, safe, in the input's type, in little memory."""

import importlib
import os
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anyarray import to_numpy
from pooling import binned, shared
from pooling.numpy import attention_pooling as numpy_pooling
from pooling.numpy import pooling_gradients
from tools.frameworks import FRAMEWORKS, chosen, why_missing
from tools.quality import scale

CHOICE = chosen(os.environ.get("LESSON_FRAMEWORKS", "")) or list(FRAMEWORKS)
# The largest error in units of the values' spread, by the type computed in.
TOLERANCE = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}
ONES = np.ones(3)
MASKED = np.ma.array([1.0, 99.0, 3.0], mask=[0, 1, 0])


def loaded(framework):
    """The framework, ready for use."""
    module = importlib.import_module(FRAMEWORKS[framework].module)
    if framework == "mxnet":
        module.npx.set_np()
    return module


@pytest.fixture(autouse=True)
def doubles(request):
    """Let JAX have float64, which it has only where it is told to."""
    callspec = getattr(request.node, "callspec", None)
    if not callspec or callspec.params.get("framework") != "jax":
        yield
        return
    jax = loaded("jax")
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def only(framework):
    """Keep a test with this framework, where it is chosen and installed."""
    if framework in CHOICE and not why_missing(framework):
        return pytest.mark.parametrize("framework", [framework])
    return lambda test: None


@pytest.fixture
def of(framework):
    """The function, a maker of arrays, and the way back to NumPy."""
    lib = loaded(framework)
    make = {
        "numpy": lambda x, dtype: x.astype(dtype),
        "pytorch": lambda x, dtype: lib.as_tensor(x).to(getattr(lib, dtype)),
        "tensorflow": lambda x, dtype: lib.cast(lib.constant(x), dtype),
        "mxnet": lambda x, dtype: lib.np.array(x.astype(dtype), dtype=dtype),
        "jax": lambda x, dtype: lib.numpy.asarray(x).astype(dtype),
    }[framework]
    module = importlib.import_module(f"pooling.{framework}")
    of = SimpleNamespace(lib=lib, raw=module.attention_pooling)
    of.make = lambda x, dtype="float32": make(np.asarray(x), dtype)
    of.back = lambda x: to_numpy(x).astype(float)
    of.pool = lambda *arrays, w, dtype="float32": of.back(
        of.raw(*(of.make(x, dtype) for x in arrays), w)
    )
    return of


def exact(queries, keys, values, w):
    """The definition, in float64, with the whole matrix."""
    q, k, v = (np.asarray(x, "float64") for x in (queries, keys, values))
    scores = -((w * (q[:, None] - k)) ** 2) / 2
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ v / weights.sum(axis=1).reshape(-1, *[1] * (v.ndim - 1))


def data(n=40, m=60, columns=(), dtype="float32"):
    """Queries beyond the keys too; what was drawn is rounded to the type."""
    r = np.random.default_rng(0)
    q, k = r.uniform(-1, 6, m), r.uniform(0, 5, n)
    return [x.astype(dtype) for x in (q, k, r.normal(size=(n, *columns)))]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_it_is_the_average_of_the_definition(of, dtype):
    for columns in ((), (2,)):
        arrays = data(columns=columns, dtype=dtype)
        for w in (0, 0.3, 4, -4, 23, 100, 1e15, 1e30):
            expected = exact(*arrays, w)
            out = of.pool(*arrays, w=w, dtype=dtype)
            assert out.shape == expected.shape
            assert abs(out - expected).max() <= TOLERANCE[dtype], w


def test_thousands_of_keys_and_an_offset_cost_no_accuracy(of, monkeypatch):
    monkeypatch.setattr(shared, "BLOCK", 5000)  # each query sees its own keys
    q, k, v = data(5000, 60)
    # The last: the distance of float32 numbers there.
    for shift, offset, limit in (0, 0, 1e-5), (-1e6, 0, 1e-5), (0, 1e4, 1e-3):
        moved = [(x + shift).astype("f") for x in (q, k)]
        moved.append((v + offset).astype("f"))
        for w in (4, 100):
            error = abs(of.pool(*moved, w=w) - exact(*moved, w)).max()
            assert error <= limit, (shift, offset, w)


def test_the_size_of_the_blocks_does_not_matter(of, monkeypatch):
    arrays = data()
    whole = of.pool(*arrays, w=4, dtype="float64")
    for size in (1, 500):
        monkeypatch.setattr(shared, "BLOCK", size)
        parts = of.pool(*arrays, w=4, dtype="float64")
        np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_a_block_is_never_larger_than_allowed(monkeypatch):
    monkeypatch.setattr(shared, "BLOCK", 500)
    for w in (0.0, 4.0, 300.0):
        *_, blocks = shared.plan(*data(300, 200)[:2], w)
        assert max((b - a) * (d - c) for a, b, c, d in blocks) <= 500


BY_HEART = {
    "equal keys": ([7, -3], [2, 2, 2], [1, 2, 6], 4, [3, 3]),
    "w is 0": ([7, -3], [2, 5, 8], [1, 2, 6], 0, [3, 3]),
    "ties": ([1, 5], [0, 2, 2], [10, 20, 20], 1e30, [50 / 3, 20]),
    "far away": ([1e15, -1e15], [1, 2, 3], [5, 6, 7], 2, [7, 5]),
    "w beyond float32": ([0.1, 2.2], [0, 1, 2], [5, 6, 7], -1e300, [5, 7]),
    "largest float16": ([0, 1], [0, 1, 2], [65504] * 3, 1, [65504] * 2),
    "one key": ([-1e6, 0, 9], [2], [5], 3, [5, 5, 5]),
    "no columns": ([1], [1, 2], np.ones((2, 0)), 3, np.ones((1, 0))),
    "no queries": ([], [1, 2], [1, 2], 3, []),
    "no queries, columns": ([], [1, 2], np.ones((2, 3)), 3, np.ones((0, 3))),
}


def test_few_keys_give_what_one_knows_by_heart(of):
    for case, (*arrays, w, expected) in BY_HEART.items():
        out = of.pool(*arrays, w=w)
        np.testing.assert_allclose(out, expected, rtol=1e-6, err_msg=case)
        assert out.shape == np.shape(expected)
    small = of.pool(*BY_HEART["largest float16"][:3], w=1, dtype="float16")
    assert small.tolist() == [65504] * 2


BAD = {
    "keys: at least one": ([1], [], [], 4),
    "keys: one axis expected, came shape (1, 3)": (ONES, [ONES], ONES, 4),
    "queries: one axis expected, came shape ()": (1.0, ONES, ONES, 4),
    "values: shape (3,) or (3, columns)": (ONES, ONES, ONES[:2], 4),
    "keys, expected, came (3, 1, 1)": (ONES, ONES, ONES[:, None, None], 4),
    "queries: finite numbers expected, came 1": ([np.nan, 1], ONES, ONES, 4),
    "keys: finite numbers": (ONES, [1, np.inf, 2], ONES, 4),
    "values: finite numbers": (ONES, ONES, [1, np.nan, 2], 4),
    "values: magnitudes up to 2.84e+37": (ONES, ONES, [1, 3e38, 2], 4),
    "w: finite numbers": (ONES, ONES, ONES, float("nan")),
    "queries, keys: too far apart": (ONES, [1, 2, 1e30], ONES, 4),
}


def test_bad_input_is_named(of):
    for message, (*arrays, w) in BAD.items():
        with pytest.raises(ValueError, match=re.escape(message)):
            of.pool(*arrays, w=w)


def test_the_result_has_the_type_of_the_input(of, framework):
    integers = "float64" if framework == "numpy" else "float32"
    types = {"float16": 2**-11, "float64": 1e-6, "int32": 1e-6}
    if framework not in ("numpy", "mxnet"):  # which have none
        types = {"bfloat16": 2**-8, **types}
    right = exact([1, 3, 8], [1, 3, 8], [1, 3, 8], 1.5)
    for dtype, limit in types.items():
        given = of.make([1, 3, 8], dtype)
        out = of.raw(given, given, given, 1.5)
        assert (integers if dtype == "int32" else dtype) in str(out.dtype)
        np.testing.assert_allclose(of.back(out), right, rtol=limit)
    mixed = of.raw(given, of.make([1, 2, 3], "float64"), of.make(ONES), 1)
    assert "float64" in str(mixed.dtype)
    q, v = of.make(ONES, "float16"), of.make(100_000 * ONES, "int32")
    assert of.back(of.raw(q, q, v, 1)) == pytest.approx(100_000 * ONES)


def test_w_may_be_any_one_number_and_what_is_none_is_named(of):
    q, k, v = (of.make(x) for x in data())
    expected = of.back(of.raw(q, k, v, 1.0)).tolist()
    scalars = True, np.float16(1), np.longdouble(1), Fraction(1)
    arrays = [1], np.ones((1, 1)), np.ones(1, ">f4"), np.ma.ones(1)
    for w in (*scalars, *arrays, of.make([1]), of.make(1, "bool")):
        assert of.back(of.raw(q, k, v, w)).tolist() == expected, w
    others = {
        "NoneType": None,
        "<U1": "4",
        "complex128": 2j,
        "shape (2,)": [2.0, 3.0],
        "shape (0,)": [],
        "shape (3,)": of.make(ONES),
        "1 of 1 masked": np.ma.masked,
        "beyond float64": -(10**400),
        "NaN or infinite": np.float32(np.inf),
    }
    for came, w in others.items():
        said = f"^w: .*{re.escape(came)}"
        with pytest.raises((TypeError, ValueError), match=said):
            of.raw(q, k, v, w)


def odd_arrays(framework, lib, x):
    """What a framework has besides dense arrays of real numbers."""
    if framework == "pytorch":
        return {
            "float8": x.to(lib.float8_e4m3fn),
            "sparse_coo": x.to_sparse(),
            "meta": x.to("meta"),
            "Tensor": lib.nested.nested_tensor([x, x, x]),
            "MaskedTensor": lib.masked.masked_tensor(x, x > 1),
        }
    if framework == "tensorflow":
        return {
            "string": lib.constant(["1", "2", "3"]),
            "SparseTensor": lib.sparse.from_dense(x),
            "RaggedTensor": lib.ragged.constant([[1.0], [2.0], [3.0]]),
            "KerasTensor": lib.keras.Input((3,)),
        }
    if framework == "jax":
        sparse = importlib.import_module("jax.experimental.sparse")
        return {"BCOO": sparse.BCOO.fromdense(x), "key": lib.random.key(0)}
    return {"NDArray": lib.nd.ones(3)} if framework == "mxnet" else {}


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of prototypes
def test_what_is_no_dense_array_of_real_numbers_is_named(of, framework):
    good = of.make(ONES)
    odd = odd_arrays(framework, of.lib, good)
    odd |= {"str|<U3": "123", "masked|MaskedArray": MASKED}
    if framework != "numpy":  # which takes lists
        odd["list"] = [1.0, 2.0, 3.0]
    if framework != "mxnet":  # which has none
        odd["complex64"] = of.make(ONES, "complex64")
    for role, name in enumerate(shared.ROLES[:3]):
        for came, x in odd.items():
            given = [good, good, good, 4]
            given[role] = x
            said = f"^{name}: .*, came .*({came})"
            with pytest.raises((TypeError, ValueError), match=said):
                of.raw(*given)


TAKEN = (
    *([1, 1.0, 1], np.ma.array(ONES, mask=[0, 0, 0]), np.array(ONES, ">f8")),
    *(np.ones(6)[::2], np.array([1, 1.0, Fraction(1)], object), ONES > 0),
)


class csr_matrix:
    """Like SciPy's, which is no array to NumPy, either."""


REFUSED = {
    "1 of 3 masked": MASKED,
    "complex128": np.ones(3) * 1j,
    "<U1": np.array(["1", "2", "3"]),
    "datetime64": np.array(["2026"] * 3, "M8[Y]"),
    "object: NoneType": np.array([1, None, 3]),
    "object: Decimal": np.array([Decimal(1)] * 3),
    "[('a', '<f4')]": np.ones(3, [("a", "f4")]),
    "(1, 3)": np.ones((1, 3)).view(np.matrix),
    "1 of 1 masked": [1.0, np.ma.masked, 3.0],
    "NumPy cannot read": [[1], [1, 2], []],
    "object: csr_matrix": csr_matrix(),
    "object: generator": (x for x in ONES),
}


@pytest.mark.parametrize("pool", [numpy_pooling, binned.binned_pooling])
def test_numpys_other_arrays_are_taken_or_named(pool):
    for role, name in enumerate(shared.ROLES[:3]):
        arrays = [ONES, ONES, ONES]
        for x in TAKEN:
            arrays[role] = x
            assert pool(*arrays, 2).tolist() == [1, 1, 1]
        for came, x in REFUSED.items():
            arrays[role] = x
            said = f"^{name}: .*{re.escape(came)}"
            with pytest.raises((TypeError, ValueError), match=said):
                pool(*arrays, 2)
    for x in REFUSED.values():
        with pytest.raises((TypeError, ValueError), match=r"^grad: "):
            pooling_gradients(ONES, ONES, ONES, 2, x)


def test_numpy_does_not_lose_a_tensors_gradients(of, framework):
    x = of.make(ONES)
    if framework == "jax":
        pool = of.lib.grad(lambda v: numpy_pooling(ONES, ONES, v, 4).sum())
        with pytest.raises(TypeError, match=r"^values: .* came .*Tracer"):
            pool(x)
    elif framework != "numpy":
        x = x.requires_grad_() if framework == "pytorch" else x
        for v in (x, [x[0]] * 3):
            with pytest.raises(TypeError, match=r"^values: .* of .*, whose"):
                numpy_pooling(ONES, ONES, v, 4)


def gradients(framework, arrays, weights):
    """Differentiate (weights * pooling).sum() in the framework's own way."""
    lib = loaded(framework)
    pool = importlib.import_module(f"pooling.{framework}").attention_pooling
    if framework == "numpy":
        return pooling_gradients(*arrays, weights)
    if framework == "pytorch":
        leaves = [lib.tensor(x, requires_grad=True) for x in arrays]
        (pool(*leaves) * lib.tensor(weights)).sum().backward()
        return [leaf.grad.numpy() for leaf in leaves]
    if framework == "tensorflow":
        leaves = [lib.Variable(x) for x in arrays]
        with lib.GradientTape() as tape:
            loss = lib.reduce_sum(pool(*leaves) * weights)
        return [x.numpy() for x in tape.gradient(loss, leaves)]
    if framework == "jax":
        loss = lambda *leaves: (pool(*leaves) * weights).sum()  # noqa: E731
        return lib.grad(loss, argnums=range(4))(*arrays)
    leaves = [lib.np.array(x, dtype=x.dtype) for x in arrays]
    for leaf in leaves:
        leaf.attach_grad()
    with lib.autograd.record():
        weights = lib.np.array(weights, dtype=weights.dtype)
        loss = (pool(*leaves) * weights).sum()
    loss.backward()
    return [leaf.grad.asnumpy() for leaf in leaves]


def test_gradients_are_the_slopes(framework, monkeypatch):
    monkeypatch.setattr(shared, "BLOCK", 40)  # several blocks
    weights = np.random.default_rng(1).normal(size=(14, 2))
    for w in (1.3, -4.0):
        arrays = [*data(9, 14, (2,), dtype="float64"), np.float64(w)]
        got = gradients(framework, arrays, weights)
        for i, (gradient, array) in enumerate(zip(got, arrays, strict=True)):
            assert np.shape(gradient) == np.shape(array)
            direction = np.random.default_rng(2).normal(size=np.shape(array))
            ends = []
            for step in (1e-6, -1e-6):
                moved = arrays.copy()
                moved[i] = moved[i] + step * direction
                ends.append((exact(*moved) * weights).sum())
            slope = (ends[0] - ends[1]) / 2e-6
            assert np.vdot(gradient, direction) == pytest.approx(slope, 1e-6)
    for w in (0.0, 1e30, 1e200):
        arrays[3] = np.float64(w)
        got = gradients(framework, arrays, weights)
        assert all(np.isfinite(np.asarray(x)).all() for x in got)
        assert w or np.asarray(got[3]) == 0


@only("mxnet")
def test_mxnet_gets_a_gradient_whatever_else_has_none(of):
    mx = of.lib
    arrays = [*data(9, 14), np.float32(2)]
    full = pooling_gradients(*arrays, np.ones(14))
    for i in range(4):
        leaves = [mx.np.array(x) for x in arrays]
        leaves[i].attach_grad()
        with mx.autograd.record():
            loss = of.raw(*leaves).sum()
        loss.backward()
        got = leaves[i].grad.asnumpy()
        np.testing.assert_allclose(got, full[i], rtol=1e-4, atol=1e-5)


@only("mxnet")
def test_mxnet_names_its_switch(of):
    of.lib.npx.reset_np()
    with pytest.raises(RuntimeError, match=r"attention_pooling: npx\.set"):
        of.raw(ONES, ONES, ONES, 2.0)
    of.lib.npx.set_np()


@only("tensorflow")
def test_tensorflow_pools_in_a_graph_and_with_a_keras_variable(of):
    tf, arrays = of.lib, data()
    for spec in tf.TensorSpec([None], tf.float32), tf.TensorSpec(None):
        pool = tf.function(lambda *x: of.raw(*x, 4.0), [spec] * 3)
        error = abs(pool(*arrays).numpy() - exact(*arrays, 4)).max()
        assert error <= 1e-5
        with pytest.raises(tf.errors.InvalidArgumentError, match="keys: at"):
            pool([1.0], [], [])
    w = tf.keras.Variable([4.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(of.raw(*map(tf.constant, arrays), w))
    slope = pooling_gradients(*arrays, 4, np.ones(60))[3]
    assert tape.gradient(loss, w.value).numpy() == pytest.approx([slope], 1e-4)


@only("tensorflow")
def test_tensorflow_refuses_by_name_what_it_cannot_do(of):
    tf, x = of.lib, of.make([1.0, 2.0, 3.5])
    w = tf.Variable(2.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(of.raw(x * 1.3, x, x, w))
        slope = tape.gradient(loss, w)
    with pytest.raises(RuntimeError, match="came a second one"):
        outer.gradient(slope, w)
    compiled = tf.function(lambda v: of.raw(x, x, v, 2.0), jit_compile=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="which_XLA_can"):
        compiled(x)


@only("jax")
def test_jax_compiles_maps_and_differentiates_twice(of):
    jax, arrays = of.lib, data(9, 14, dtype="float64")
    pool = lambda w: of.raw(*arrays, w).sum()  # noqa: E731
    slope = lambda w: pooling_gradients(*arrays, w, np.ones(14))[3]  # noqa: E731
    widths = jax.numpy.array([0.5, 4.0])
    both = jax.jit(jax.vmap(jax.value_and_grad(pool)))(widths)
    twice = jax.vmap(jax.jacfwd(jax.grad(pool)))(widths)
    for w, total, once, second in zip(widths, *both, twice, strict=True):
        assert total == pytest.approx(exact(*arrays, w).sum())
        assert once == pytest.approx(slope(w))
        bend = (slope(w + 1e-4) - slope(w - 1e-4)) / 2e-4
        assert second == pytest.approx(bend, rel=1e-6)
    with pytest.raises(ValueError, match="w: finite numbers"):
        jax.grad(pool)(np.nan)


@only("jax")
def test_jax_without_float64_names_what_is_beyond(of):
    of.lib.config.update("jax_enable_x64", False)
    with pytest.raises(ValueError, match=r"^values: .* beyond float32"):
        of.raw(ONES, ONES, np.full(3, 1e300), 2.0)


@only("pytorch")
def test_torch_func_maps_and_differentiates(of):
    torch = of.lib
    arrays = [*data(9, 14, (2,), dtype="float64"), np.float64(2)]
    q, k, v, w = (torch.tensor(x) for x in arrays)
    full = pooling_gradients(*arrays, np.ones((14, 2)))
    loss = lambda *args: of.raw(*args).sum()  # noqa: E731
    slopes = torch.func.grad(loss, (0, 1, 2, 3))
    widths = torch.tensor([0.5, 2.0, 9.0], dtype=torch.float64)
    many = torch.vmap(slopes, in_dims=(None, None, None, 0))(q, k, v, widths)
    for one, row, right in zip(slopes(q, k, v, w), many, full, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(row[1], right, rtol=1e-9, atol=1e-12)
    rows = torch.func.jacrev(lambda v: of.raw(q, k, v, w))(v[:, 0])
    np.testing.assert_allclose(rows.sum(dim=0), full[2][:, 0], rtol=1e-9)
    with torch.inference_mode():
        q, k, v = (torch.tensor(x) for x in arrays[:3])
    w = w.clone().requires_grad_()
    of.raw(q, k, v, w).sum().backward()
    assert w.grad == pytest.approx(full[3])


@only("pytorch")
@pytest.mark.filterwarnings("ignore")  # of what PyTorch retires
def test_torch_refuses_by_name_what_it_cannot_do(of):
    torch, x, w = of.lib, of.make([1.0, 2.0, 3.5]), of.make(2.0)
    functional = torch.autograd.functional
    pool = lambda w: of.raw(x * 1.3, x, x, w)  # noqa: E731
    loss = lambda w: pool(w).sum()  # noqa: E731
    slope, jacobian = torch.func.grad(loss), functional.jacobian
    refused = {
        "came one taken forward": lambda: torch.func.jvp(pool, (w,), (w,)),
        "taken forward (jvp)": lambda: torch.func.hessian(loss)(w),
        "came a second one": lambda: torch.func.grad(slope)(w),
        "a second one": lambda: functional.hessian(loss, w),  # was 0
        "came torch.jit.trace": lambda: torch.jit.trace(pool, (w,)),
        "torch.func will": lambda: jacobian(pool, w, vectorize=True),
        "a batch expected, came none": lambda: torch.vmap(pool)(x[:0]),
    }
    for message, do in refused.items():
        with pytest.raises(Exception, match=re.escape(message)):
            do()


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs Linux's /proc"
)
def test_forward_and_backward_need_no_matrix(framework):
    def work(n):
        arrays = [*data(n, n), np.float32(4)]
        gradients(framework, arrays, np.ones(n, "float32"))

    work(60)  # what happens only once
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = scale.mebibytes("VmHWM")
    work(8000)  # for which the matrix takes 244 MiB
    assert scale.mebibytes("VmHWM") - before < 120


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_binning_keeps_its_tolerance(tolerance, monkeypatch):
    alone = []  # how many queries were not left to the grid
    pool = binned.attention_pooling
    monkeypatch.setattr(
        binned,
        "attention_pooling",
        lambda q, *rest: alone.append(len(q)) or pool(q, *rest),
    )
    cases = (2, 1, 0), (30, 1, 1e6), (1000, 1e-3, 0), (1000, 9, 2)
    for n, scale_x, shift in cases:
        q, k, v = data(n, 200, (2,), dtype="float64")
        v *= 1, 1e4
        v += 0, 1e6
        q, k = q * scale_x + shift, k * scale_x + shift
        for w in (0, 0.2, 4, -23):
            out = binned.binned_pooling(q, k, v, w / scale_x, tolerance)
            error = abs(out - pool(q, k, v, w / scale_x)) / np.ptp(v, axis=0)
            assert error.max() <= tolerance + 1e-13
    assert sum(alone) < 2400  # of 3200: the grid did some of it


def test_binning_says_what_it_cannot_do():
    pool, arrays = binned.binned_pooling, data()
    with pytest.raises(ValueError, match=r"w, keys: .* cells .* limit"):
        pool(*arrays, 1e6)
    with pytest.raises(ValueError, match=r"tolerance: .* came 0"):
        pool(*arrays, 4, 0)
    for cells in (1, 2.5, True, np.float64(9), "9", 10**400):
        with pytest.raises(ValueError, match="cells: an integer"):
            pool(*arrays, 4, cells=cells)
    for tolerance in (None, "1e-4", 1j, np.ma.masked, [1e-4, 1e-4]):
        with pytest.raises((TypeError, ValueError), match=r"^tolerance: one"):
            pool(*arrays, 4, tolerance)


def test_binning_takes_lists_equal_keys_coarse_cells_and_keeps_the_type():
    pool, arrays = binned.binned_pooling, data(40, 200, dtype="float64")
    for cells in (2, np.uint8(250)):
        out = pool(*arrays, 4, 1e-4, cells=cells)
        limit = 1e-4 * np.ptp(arrays[2])
        assert abs(out - exact(*arrays, 4)).max() <= limit
    assert pool([1, 2], [3, 3], [4, 6], 1e9).tolist() == [5, 5]
    assert pool([], [3, 4], [[4], [6]], 4).shape == (0, 1)
    for dtype in ("float16", "float32"):
        arrays = data(500, 40, dtype=dtype)
        out = pool(*arrays, np.float32(4), np.float32(1e-5))
        assert out.dtype == dtype
        assert abs(out - exact(*arrays, 4)).max() < TOLERANCE[dtype]
