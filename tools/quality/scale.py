"""Measure what pooling costs as n grows; writes ``d2lmini/scale.csv``.

Five ways to the same prediction, in PyTorch on one thread. Each run has a
process, so a peak of memory of its own, and a limit: "out of memory" is quick.
"""

import math
import multiprocessing
import os
import resource
import statistics
import time
from pathlib import Path

import torch
from torch.nn.functional import scaled_dot_product_attention

TARGET = Path(__file__).parents[2] / "d2lmini" / "scale.csv"
SIZES = 1_000, 3_000, 10_000, 30_000, 100_000
ROUNDS = 3
MOST_SECONDS = 60  # of a run
MOST_GIBIBYTES = 16  # of address space
CHUNK = 250_000  # scores at a time
W = 4.0


def seeds(q, k, v):
    """Repeat all three into matrices, as the lessons' sources do."""
    keys, values = k.repeat(len(q), 1), v.repeat(len(q), 1)
    queries = q.repeat_interleave(len(k)).reshape(-1, len(k))
    weights = torch.softmax(-(((queries - keys) * W) ** 2) / 2, dim=1)
    return torch.bmm(weights.unsqueeze(1), values.unsqueeze(-1)).reshape(-1)


def broadcasting(q, k, v):
    """Let all queries share one row of keys and values."""
    return torch.softmax(-(((q[:, None] - k) * W) ** 2) / 2, dim=1) @ v


def chunks(q, k, v):
    """Broadcast, for a few queries at a time."""
    out = torch.empty_like(q)
    size = max(1, CHUNK // len(k))
    for start in range(0, len(q), size):
        part = slice(start, start + size)
        out[part] = broadcasting(q[part], k, v)
    return out


def fused(q, k, v):
    """Call PyTorch's own attention on two features, keys centred."""
    q, k = (q - k.mean()) * W, (k - k.mean()) * W
    Q = torch.stack([q, torch.ones_like(q)], dim=1)[None, None]
    K = torch.stack([k, -(k**2) / 2], dim=1)[None, None]
    V = torch.stack([v, torch.zeros_like(v)], dim=1)[None, None]
    return scaled_dot_product_attention(Q, K, V, scale=1.0)[0, 0, :, 0]


def binning(q, k, v, cells=2048):
    """Share keys out to a grid, convolve by FFT, interpolate (1-d only)."""
    low = min(q.min(), k.min()).double()
    step = (max(q.max(), k.max()).double() - low) / (cells - 1)

    def on_grid(x):
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


METHODS = seeds, broadcasting, chunks, fused, binning


def run(method, n, connection):
    """Send seconds and MiB of one run; nan, nan when memory runs out."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_GIBIBYTES * 2**30,) * 2)
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.rand(3, n, generator=generator) * 5
    method(q[:50], k[:50], v[:50])  # what happens only once
    torch.empty(8_000_000)  # malloc keeps smaller blocks once it has seen it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    try:
        method(q, k, v)
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        return connection.send((math.nan, math.nan))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    connection.send((seconds, (peak - before) / 1024))


def measure(method, n):
    """Return one run's seconds and MiB; inf, nan when it takes too long."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(method, n, sender))
    process.start()
    sender.close()
    try:
        late = not receiver.poll(MOST_SECONDS)
        return (math.inf, math.nan) if late else receiver.recv()
    except EOFError:
        raise SystemExit(f"{method.__name__}, n = {n}: it died") from None
    finally:
        process.kill()
        process.join()


def main():
    """Measure everything and write the table in one move."""
    results = {}
    for _ in range(ROUNDS):
        for method in METHODS:
            for n in SIZES:
                rounds = results.setdefault((method.__name__, n), [])
                # What failed once fails again, and takes its time.
                if all(math.isfinite(seconds) for seconds, _ in rounds):
                    rounds.append(measure(method, n))
    today, version = time.strftime("%Y-%m-%d"), torch.__version__.split("+")[0]
    lines = [
        f"# {today}, PyTorch {version}, one thread of {os.cpu_count()} cores",
        f"# n queries, n keys; median of {ROUNDS} interleaved rounds",
        f"# nan: over {MOST_GIBIBYTES} GiB; inf: over {MOST_SECONDS} s",
        "method,n,seconds,mebibytes",
    ]
    for (name, n), rounds in results.items():
        seconds, mebibytes = map(statistics.median, zip(*rounds))  # noqa: B905
        lines.append(f"{name},{n},{seconds:.4g},{mebibytes:.4g}")
    new = TARGET.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(TARGET)


if __name__ == "__main__":
    main()
