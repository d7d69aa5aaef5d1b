"""Compare ways of pooling as n grows.

Prints one Markdown table: time over that of PyTorch's fused attention, fed by
hand; memory beyond the data; the largest error; and how fast the time grows.
The peers are installed in ``build/bench-venv``, beside the packages of this
environment.

Each run has a process, so a peak of memory of its own, and a limit: "out of
memory" is what happened. One thread. There, a way and the fused call take
turns, and a ratio is one of neighbours, so that a busy machine slows both.
"""

import argparse
import itertools
import json
import math
import os
import resource
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from importlib.metadata import (
    PackageNotFoundError,
    packages_distributions,
    version,
)
from pathlib import Path

import numpy as np

from tools.frameworks import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / "build" / "bench-venv"
PEERS = "statsmodels", "scikit-learn", "pykeops"
MOST_SECONDS = 60  # of a call
MOST_GIBIBYTES = 16  # of address space
W = 4.0
HAND = "SDPA by hand"


def torch_way(name):
    """Take a way from `tools.quality.scale`, as lesson 05 does."""

    def prepare(*arrays):
        import torch

        from tools.quality import scale

        torch.set_num_threads(1)
        tensors = [torch.tensor(x) for x in arrays]
        return lambda: getattr(scale, name)(*tensors).numpy()

    return prepare


def ours_numpy(q, k, v):
    """Ours, in NumPy."""
    from pooling.numpy import attention_pooling

    return lambda: attention_pooling(q, k, v, W)


def ours_pytorch(*arrays):
    """Ours, in PyTorch."""
    import torch

    from pooling.pytorch import attention_pooling

    torch.set_num_threads(1)
    tensors = [torch.tensor(x) for x in arrays]
    return lambda: attention_pooling(*tensors, W).numpy()


def ours_tensorflow(*arrays):
    """Ours, in TensorFlow."""
    import tensorflow as tf

    from pooling.tensorflow import attention_pooling

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tensors = [tf.constant(x) for x in arrays]
    return lambda: attention_pooling(*tensors, W).numpy()


def ours_mxnet(*arrays):
    """Ours, in MXNet."""
    from pooling.mxnet import attention_pooling, mx

    mx.npx.set_np()
    tensors = [mx.np.array(x) for x in arrays]
    return lambda: attention_pooling(*tensors, W).asnumpy()


def ours_jax(*arrays):
    """Ours, in JAX."""
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = flags  # before JAX first computes

    import jax.numpy as jnp

    from pooling.jax import attention_pooling

    arrays = [jnp.array(x) for x in arrays]
    attention_pooling(*arrays, W)  # it is compiled once for each n
    return lambda: np.asarray(attention_pooling(*arrays, W))


def ours_binned(q, k, v):
    """Ours, by a grid."""
    from pooling.binned import binned_pooling

    return lambda: binned_pooling(q, k, v, W)


def kernel_reg(q, k, v):
    """Statsmodels' local constant regression with a bandwidth given."""
    from statsmodels.nonparametric.kernel_regression import KernelReg

    model = KernelReg(v, k, "c", reg_type="lc", bw=[1 / W])
    return lambda: model.fit(q)[0]


def rbf_kernel(q, k, v):
    """Scikit-learn's kernel matrix, and the quotient."""
    from sklearn.metrics.pairwise import rbf_kernel

    def run():
        kernel = rbf_kernel(q[:, None], k[:, None], gamma=W**2 / 2)
        return kernel @ v / kernel.sum(axis=1)

    return run


def keops(q, k, v):
    """KeOps' lazy softmax."""
    from pykeops.numpy import LazyTensor

    def run():
        x, y = LazyTensor(q[:, None, None]), LazyTensor(k[None, :, None])
        scores = -((x - y) ** 2) * (W**2 / 2)
        values = LazyTensor(v[None, :, None])
        return scores.sumsoftmaxweight(values, axis=1)[:, 0]

    return run


WAYS = {
    HAND: torch_way("fused"),
    "the sources' way": torch_way("seeds"),
    "broadcasting": torch_way("broadcasting"),
    "pooling.numpy": ours_numpy,
    "pooling.pytorch": ours_pytorch,
    "pooling.tensorflow": ours_tensorflow,
    "pooling.mxnet": ours_mxnet,
    "pooling.jax": ours_jax,
    "pooling.binned": ours_binned,
    "statsmodels KernelReg": kernel_reg,
    "scikit-learn rbf_kernel": rbf_kernel,
    "KeOps": keops,
}


def data(n):
    """Return queries, keys and values, (n,) each."""
    return np.random.default_rng(0).uniform(0, 5, (3, n)).astype("float32")


def truth(q, k, v):
    """Return the exact answer in float64, a few queries at a time."""
    k, v = k.astype(float), v.astype(float)

    def answer(part):
        scores = -((W * (part[:, None].astype(float) - k)) ** 2) / 2
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weights @ v / weights.sum(axis=1)

    return np.concatenate([answer(part) for part in np.array_split(q, 100)])


def mebibytes(field):
    """Return a line of this process's status, such as its peak of memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}")


def seconds_of(call):
    """Call it; return the seconds it took, and its result."""
    start = time.perf_counter()
    out = call()
    return time.perf_counter() - start, out


def run(name, n):
    """Run one way, in this process, and print what it took as JSON."""
    q, k, v = data(n)
    WAYS[name](q[:100], k[:100], v[:100])()  # what happens only once
    call, by_hand = WAYS[name](q, k, v), WAYS[HAND](q, k, v)
    WAYS[HAND](q[:100], k[:100], v[:100])()
    limit = MOST_GIBIBYTES * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5")  # forget the imports' peak
    before = mebibytes("VmHWM")
    print("started", flush=True)  # the clock of `child` starts here
    try:
        first, out = seconds_of(call)
    except (MemoryError, RuntimeError) as error:
        text = f"{type(error).__name__} {error}"
        if "memory" not in text.lower():
            raise
        return print(json.dumps({"failed": "out of memory"}))
    memory = mebibytes("VmHWM") - before
    print(f"took {first}", flush=True)
    some = slice(None, None, max(1, n // 1000))
    error = np.abs(out[some] - truth(q[some], k, v)).max()
    # The first call was a warm-up, unless it took long.
    seconds, ratios = [], []
    start = time.perf_counter()
    while not ratios or (len(ratios) < 9 and time.perf_counter() < start + 3):
        hand, _ = seconds_of(by_hand)
        took = first if first > 5 else seconds_of(call)[0]
        seconds.append(took)
        ratios.append(took / hand)
    medians = {"s": seconds, "ratio": ratios}
    result = {key: statistics.median(of) for key, of in medians.items()}
    print(json.dumps({**result, "MiB": memory, "error": float(error)}))


def child(name, n):
    """Run one way in a process of its own.

    Returns:
        A dict with "s", "ratio", "MiB" and "error", or with "failed".
    """
    command = [
        python_of_peers(),
        "-m",
        "tools.quality.benchmarks.scale",
        "--run",
        name,
    ]
    names = "OMP", "MKL", "OPENBLAS"
    surroundings = os.environ | {f"{x}_NUM_THREADS": "1" for x in names}
    surroundings |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    surroundings |= {"KEOPS_CACHE_FOLDER": str(VENV / "keops")}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*command, str(n)],
            cwd=ROOT,
            env=surroundings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        # The rest has no limit: imports and compilers take their time, and so
        # does the fused call, to compare with.
        late = threading.Timer(MOST_SECONDS, process.kill)
        for line in process.stdout:
            if line.startswith("started"):
                late.start()
            if line.startswith("took"):
                late.cancel()
        late.cancel()
        if process.wait() == -signal.SIGKILL:
            return {"failed": f"not in {MOST_SECONDS} s"}
        errors.seek(0)
        last = ["no message", *errors.read().splitlines()][-1]
    return {"failed": last} if process.returncode else json.loads(line)


def python_of_peers():
    """Return the Python that has the peers, and everything of this one."""
    return str(VENV / "bin" / "python")


def install_peers():
    """Make ``build/bench-venv``: the peers, beside what is installed here."""
    if (VENV / "ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = subprocess.check_output(
        [python_of_peers(), "-c", query], text=True
    )
    # --system-site-packages would give the base Python's, not this one's.
    beside = Path(there.strip()) / "beside.pth"
    beside.write_text(sysconfig.get_path("purelib") + "\n")
    pip = python_of_peers(), "-m", "pip", "install", "-qq"
    pins = "--constraint", str(ROOT / "tools" / "pins.txt")
    for peer in PEERS:  # one that cannot be built does not stop the others
        subprocess.run([*pip, *pins, peer], check=False)
    (VENV / "ready").touch()


def measure(sizes=(1_000, 10_000, 100_000), rounds=3):
    """Measure all ways.

    Args:
        sizes: numbers of queries, and of keys.
        rounds: how often; what failed once is not tried again.

    Returns:
        A dict from (way, n) to a dict with the medians "s", "MiB", "error" and
        "ratio" (of neighbouring times), or with "failed".
    """
    install_peers()
    found = {}
    for n in sizes:
        results = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, of_name in results.items():
                if not any("failed" in result for result in of_name):
                    of_name.append(child(name, n))
                    print(name, n, of_name[-1], file=sys.stderr)
        for name, of_name in results.items():
            found[name, n] = failed = of_name[-1]
            if "failed" in failed:
                continue
            found[name, n] = {
                key: statistics.median(result[key] for result in of_name)
                for key in of_name[0]
            }
    return found


def table(found):
    """Write what `measure` found as a Markdown table."""
    sizes = sorted({n for _, n in found})
    heads = [f"n = {n:,}: time, MiB, error" for n in sizes]
    heads += [f"growth to {n:,}" for n in sizes[1:]]
    lines = [" | ".join(["| way", *heads]) + " |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for name in WAYS:
        cells = []
        for n in sizes:
            f = found[name, n]
            if "failed" in f:
                cells.append(f["failed"])
                continue
            ratio = (
                f"{f['ratio']:.3g} x" if name != HAND else f"{f['s']:.3g} s"
            )
            cells.append(f"{ratio}, {f['MiB']:.1f}, {f['error']:.0e}")
        for a, b in itertools.pairwise(sizes):
            seconds = [found[name, n].get("s") for n in (a, b)]
            power = "-"
            if all(seconds):
                power = math.log(seconds[1] / seconds[0]) / math.log(b / a)
                power = f"n^{power:.2f}"
            cells.append(power)
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return "\n".join(lines)


def releases():
    """Return the names under which the frameworks are released."""
    installed = packages_distributions()
    modules = [each.module for each in FRAMEWORKS.values()]
    return [installed.get(name, [name])[0] for name in modules]


def versions():
    """Name the versions of all that is compared."""
    found = []
    paths = subprocess.check_output(
        [python_of_peers(), "-c", "import sys; print(*sys.path, sep='\\n')"],
        text=True,
    ).split("\n")
    sys.path += [path for path in paths if path not in sys.path]
    for name in (*releases(), *PEERS):
        try:
            found.append(f"{name} {version(name).split('+')[0]}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        return run(arguments.run[0], int(arguments.run[1]))
    sizes = arguments.sizes or (1_000, 10_000, 100_000)
    found = measure(sizes, arguments.rounds)
    print(f"{versions()}; one thread of {os.cpu_count()} cores\n")
    print(table(found))


if __name__ == "__main__":
    main()
