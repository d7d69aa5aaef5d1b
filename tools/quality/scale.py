"""Measure what pooling costs as n grows: for lesson 05, and beside peers.

Each run has a process, so a peak of memory of its own, and a limit: "out of
memory" is what happened. One thread. There, a way and PyTorch's fused
attention take turns, and a ratio is one of neighbours, so that a busy machine
slows both. Linux only: it tells a process the peak of its memory.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from anyarray import to_numpy
from tools.author.sources import ROOT
from tools.quality.in_process import ARRAYS

LESSON = ROOT / "d2lmini" / "scale.csv"
ROUNDS = 3
SIZES = 1_000, 3_000, 10_000, 30_000, 100_000
MOST_SECONDS = 100  # of a process, with its imports and the fused call
MOST_GIBIBYTES = 16  # of address space
LATE, NO_MEMORY = f"not in {MOST_SECONDS} s", "out of memory"
CHUNK = 250_000  # scores at a time
W = 4.0
Results = dict[tuple[str, int], dict[str, Any]]
PEERS = "statsmodels", "scikit-learn", "pykeops"
BESIDE = ROOT / "build" / "peers"  # where they are installed
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false "
    "intra_op_parallelism_threads=1",
    "KEOPS_CACHE_FOLDER": f"{BESIDE}/keops",
}

# Ways to pool tensors of PyTorch, (n,) each


def seeds(q: Any, k: Any, v: Any) -> Any:
    """Repeat all three into matrices, as the lessons' sources do."""
    keys, values = k.repeat(len(q), 1), v.repeat(len(q), 1)
    queries = q.repeat_interleave(len(k)).reshape(-1, len(k))
    weights = (-(((queries - keys) * W) ** 2) / 2).softmax(dim=1)
    return weights.unsqueeze(1).bmm(values.unsqueeze(-1)).reshape(-1)


def broadcasting(q: Any, k: Any, v: Any) -> Any:
    """Let all queries share one row of keys and values."""
    return (-(((q[:, None] - k) * W) ** 2) / 2).softmax(dim=1) @ v


def chunks(q: Any, k: Any, v: Any) -> Any:
    """Broadcast, for a few queries at a time."""
    out = q.new_empty(len(q))
    size = max(1, CHUNK // len(k))
    for start in range(0, len(q), size):
        part = slice(start, start + size)
        out[part] = broadcasting(q[part], k, v)
    return out


def fused(q: Any, k: Any, v: Any) -> Any:
    """Call PyTorch's own attention on two features, keys centred."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    q, k = (q - k.mean()) * W, (k - k.mean()) * W
    Q = torch.stack([q, torch.ones_like(q)], dim=1)[None, None]
    K = torch.stack([k, -(k**2) / 2], dim=1)[None, None]
    V = torch.stack([v, torch.zeros_like(v)], dim=1)[None, None]
    return scaled_dot_product_attention(Q, K, V, scale=1.0)[0, 0, :, 0]


def binning(q: Any, k: Any, v: Any, cells: int = 2048) -> Any:
    """Share keys out to a grid, convolve by FFT, interpolate (1-d only)."""
    import torch

    low = min(q.min(), k.min()).double()
    step = (max(q.max(), k.max()).double() - low) / (cells - 1)

    def on_grid(x: Any) -> Any:
        place = (x.double() - low) / step
        left = place.long().clamp(0, cells - 2)
        return left, place - left

    left, share = on_grid(k)
    sums = torch.zeros(2, 2 * cells, dtype=torch.float64)  # padded with 0
    for row, what in enumerate([v.double(), torch.ones_like(share)]):
        sums[row].index_add_(0, left, what * (1 - share))
        sums[row].index_add_(0, left + 1, what * share)
    far = torch.arange(2 * cells)
    far = torch.minimum(far, 2 * cells - far) * step
    kernel = torch.fft.rfft(torch.exp(-((far * W) ** 2) / 2))
    top, total = torch.fft.irfft(torch.fft.rfft(sums) * kernel, 2 * cells)
    curve = (top / total)[:cells]
    left, share = on_grid(q)
    return curve[left] * (1 - share) + curve[left + 1] * share


# All ways to pool NumPy's arrays, (n,) each


def through(framework: str, place: str, *more: float) -> Callable:
    """Give a framework's arrays to a function, by its name."""

    def pool(*arrays: np.ndarray) -> np.ndarray:
        function = resolve_name(place)
        if framework == "mxnet":
            resolve_name("mxnet.util:set_np")()
        given = map(resolve_name(ARRAYS[framework]), arrays)
        return to_numpy(function(*given, *more))

    return pool


def kernel_reg(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Statsmodels' local constant regression with a bandwidth given."""
    from statsmodels.nonparametric.kernel_regression import KernelReg

    return KernelReg(v, k, "c", reg_type="lc", bw=[1 / W]).fit(q)[0]


def rbf(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Scikit-learn's kernel matrix, and the quotient."""
    from sklearn.metrics.pairwise import rbf_kernel

    kernel = rbf_kernel(q[:, None], k[:, None], gamma=W**2 / 2)
    return kernel @ v / kernel.sum(axis=1)


def keops(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """KeOps' lazy softmax."""
    from pykeops.numpy import LazyTensor

    x, y = LazyTensor(q[:, None, None]), LazyTensor(k[None, :, None])
    scores = -((x - y) ** 2) * (W**2 / 2)
    values = LazyTensor(v[None, :, None])
    return scores.sumsoftmaxweight(values, axis=1)[:, 0]


LESSON_WAYS = {
    name: through("pytorch", f"{__name__}:{name}")
    for name in ("seeds", "broadcasting", "chunks", "fused", "binning")
}
WAYS = LESSON_WAYS | {
    f"pooling.{name}": through(name, f"pooling.{name}:attention_pooling", W)
    for name in ARRAYS
}
WAYS |= {
    "pooling.binned": through("numpy", "pooling.binned:binned_pooling", W),
    "statsmodels KernelReg": kernel_reg,
    "scikit-learn rbf_kernel": rbf,
    "KeOps": keops,
}


# Measuring them


def mebibytes(field: str) -> float:
    """Return a line of this process's status, such as its peak of memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def seconds_of(call: Callable, *given: Any) -> tuple[float, np.ndarray]:
    """Call it; return the seconds it took, and its result."""
    start = time.perf_counter()
    out = call(*given)
    return time.perf_counter() - start, out


def costs(way: str, n: int) -> dict[str, float]:
    """Measure one way, in this process; "ratio" is to the fused call."""
    q, k, v = np.random.default_rng(0).uniform(0, 5, (3, n)).astype("float32")
    pool, by_hand = WAYS[way], WAYS["fused"]
    for warm in pool, by_hand:  # what happens only once
        warm(q[:100], k[:100], v[:100])
    if way == "pooling.jax":
        pool(q, k, v)  # it is compiled once for each n
    resource.setrlimit(resource.RLIMIT_AS, (MOST_GIBIBYTES * 2**30,) * 2)
    Path("/proc/self/clear_refs").write_text("5")  # forget the imports' peak
    before = mebibytes("VmHWM")
    first, out = seconds_of(pool, q, k, v)
    memory = mebibytes("VmHWM") - before
    some = slice(None, None, max(1, n // 1000))
    double = q[some].astype(float), k.astype(float), v.astype(float)
    error = np.abs(out[some] - WAYS["pooling.numpy"](*double)).max()
    # The first call was a warm-up, unless it took long.
    turns: list[dict[str, float]] = []
    start = time.perf_counter()
    while not turns or (len(turns) < 9 and time.perf_counter() < start + 3):
        hand, _ = seconds_of(by_hand, q, k, v)
        took = first if first > 5 else seconds_of(pool, q, k, v)[0]
        turns.append({"s": took, "ratio": took / hand})
    return {**medians(turns), "MiB": memory, "error": float(error)}


def measure(way: str, n: int) -> dict[str, Any]:
    """Measure one way in its own process: `costs`, or how it "failed"."""
    code = "import json; from tools.quality import scale; "
    code += f"print(json.dumps(scale.costs({way!r}, {n})))"
    path = f"{ROOT}{os.pathsep}{BESIDE}"
    try:
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"failed": LATE}
    if answer.returncode:
        *_, last = ["it died", *answer.stderr.splitlines()]
        return {"failed": NO_MEMORY if "memory" in last.lower() else last}
    return json.loads(answer.stdout.splitlines()[-1])


def measure_all(
    ways: Iterable[str], sizes: Iterable[int], rounds: int
) -> Results:
    """Measure ways in turns; return medians. What failed is not repeated."""
    results = {(way, n): [measure(way, n)] for n in sizes for way in ways}
    for _ in range(rounds - 1):
        for (way, n), found in results.items():
            if "failed" not in found[-1]:
                found.append(measure(way, n))
    return {
        key: found[-1] if "failed" in found[-1] else medians(found)
        for key, found in results.items()
    }


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each of the costs over the rounds."""
    return {x: statistics.median(r[x] for r in rounds) for x in rounds[0]}


def table(results: Results) -> str:
    """Write what `measure_all` found as a Markdown table."""
    ways, sizes = (
        list(dict.fromkeys(of)) for of in zip(*results, strict=True)
    )
    heads = ["way", *(f"n = {n:,}: time, MiB, error" for n in sizes)]
    rows = [heads, ["---"] * len(heads)]
    for way in ways:
        rows.append([way])
        for n in sizes:
            cost = results[way, n]
            form = "{s:.3g} s" if way == "fused" else "{ratio:.3g} x"
            form += ", {MiB:.1f}, {error:.0e}"
            form = "{failed}" if "failed" in cost else form
            rows[-1].append(form.format(**cost))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def measure_lesson() -> None:
    """Measure lesson 05's table anew and write it in one move."""
    found = measure_all(LESSON_WAYS, SIZES, ROUNDS)
    release = version("torch").partition("+")[0]
    today, cores = time.strftime("%Y-%m-%d"), os.cpu_count()
    lines = [
        f"# {today}, PyTorch {release}, one thread of {cores} cores",
        f"# n queries, n keys; median of {ROUNDS} interleaved rounds",
        f"# nan: over {MOST_GIBIBYTES} GiB; inf: over {MOST_SECONDS} s",
        "method,n,seconds,mebibytes",
    ]
    numbers = {NO_MEMORY: "nan,nan", LATE: "inf,nan"}
    for way, n in itertools.product(LESSON_WAYS, SIZES):
        cost = found[way, n]
        form = "{s:.4g},{MiB:.4g}" if "s" in cost else numbers[cost["failed"]]
        lines.append(f"{way},{n},{form.format(**cost)}")
    new = LESSON.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(LESSON)
