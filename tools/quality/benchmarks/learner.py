"""What a learner waits for: imports, JupyterLab, a figure that moves.

Each row sets two things side by side that were measured in turns, round by
round; it holds the median ratio and its range.
"""

import itertools
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[3]
PLAIN = "import matplotlib.pyplot, IPython.display"


def cpu(code):
    """Return the CPU seconds of a fresh Python that runs some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratio_row(what, ratios, goal):
    """Return one row of the table: what, median, range, goal."""
    middle = statistics.median(ratios)
    low, high = min(ratios), max(ratios)
    return [what, f"{middle:.3g}", f"{low:.3g} to {high:.3g}", goal]


def imports(rounds):
    """Measure what `import d2lmini` adds."""
    ratios = []
    for _ in range(rounds):  # single starts vary by more than is measured
        pairs = [
            (cpu(f"{PLAIN}; import d2lmini"), cpu(PLAIN)) for _ in range(10)
        ]
        with_it, without = zip(*pairs, strict=True)
        ratios.append(statistics.median(with_it) / statistics.median(without))
    what = "import pyplot, IPython.display, d2lmini / without d2lmini (CPU)"
    return ratio_row(what, ratios, "1.03")


def until_answer(command, environment):
    """Return the seconds until a JupyterLab server answers; then stop it."""
    with tempfile.TemporaryFile("w+") as log:
        start = time.perf_counter()
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while time.perf_counter() < start + 120:
                log.seek(0)
                found = re.search(r"http://127\S+token=\w+", log.read())
                if found and answers(found[0]):
                    return time.perf_counter() - start
                time.sleep(0.02)
            raise TimeoutError(f"{command[0]} did not answer in 120 s")
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def answers(address):
    """Tell whether a server has an answer at an address."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def lab(rounds):
    """Measure `make lab` beside JupyterLab started by hand."""
    plain = [sys.executable, "-m", "jupyter", "lab", "--no-browser"]
    plain += ["--ServerApp.ip=127.0.0.1", "--allow-root", "notebooks"]
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        # No browser is opened, by either of them.
        settings = {"ServerApp": {"open_browser": False}}
        Path(folder, "jupyter_server_config.json").write_text(
            json.dumps(settings)
        )
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": folder}
        for _ in range(rounds):
            made = until_answer(["make", "lab"], environment)
            ratios.append(made / until_answer(plain, environment))
    return ratio_row("make lab / jupyter lab, until it answers", ratios, "1.2")


class Kernel:
    """A kernel that runs cells and keeps what they send."""

    def __enter__(self):
        """Start it."""
        self.manager, self.client = start_new_kernel(cwd=str(ROOT))
        return self

    def __exit__(self, *_):
        """Stop it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code):
        """Run a cell; return (printed text, pictures, their bytes)."""
        printed, pictures, size = "", 0, 0
        self.times = []

        def hear(message):
            nonlocal printed, pictures, size
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if "image/svg+xml" in content.get("data", {}):
                pictures += 1
                self.times.append(time.perf_counter())
                size += len(content["data"]["image/svg+xml"])

        self.client.execute_interactive(code, output_hook=hear, timeout=300)
        return printed, pictures, size


START = """
import time
import d2lmini as d2l
d2l.Animator().add(0, 1.0)  # fonts and all that the first figure loads
"""
LOOP = """
animator = d2l.Animator(xlabel="step", ylabel="loss")
for step in range({n}):
    animator.add(step, 1 / (step + 1))
"""
SLOW = """
animator = d2l.Animator(xlabel="step", ylabel="loss")
for step in range(300):
    animator.add(step, 1 / (step + 1))
    time.sleep(0.01)
"""
ONCE = """
X = list(range({n}))
d2l.plot(X, [1 / (x + 1) for x in X], "step", "loss")
"""


def in_kernel(kernel, code):
    """Return (CPU seconds of a cell with its last draw, pictures, bytes).

    What the kernel spends on two empty cells is taken off.
    """
    before = float(kernel.run("print(time.process_time())")[0])
    _, pictures, size = kernel.run(code)
    after = float(kernel.run("print(time.process_time())")[0])
    empty = float(kernel.run("print(time.process_time())")[0]) - after
    return after - before - empty, pictures, size


def animator(rounds):
    """Measure the Animator in a kernel, beside one figure of all points."""
    costs, sizes, growth, gaps = [], [], [], []
    with Kernel() as kernel:
        kernel.run(START)
        for _ in range(rounds):
            loop, _, sent = in_kernel(kernel, LOOP.format(n=500))
            once, _, size = in_kernel(kernel, ONCE.format(n=500))
            costs.append(loop / once)
            sizes.append(sent / size)
            few, _, _ = in_kernel(kernel, LOOP.format(n=10_000))
            many, _, _ = in_kernel(kernel, LOOP.format(n=100_000))
            growth.append(many / few)
            kernel.run(SLOW)
            pairs = itertools.pairwise(kernel.times)
            gaps.append(max(late - early for early, late in pairs))
    return [
        ratio_row("Animator, 500 adds / one draw of them (CPU)", costs, "3"),
        ratio_row("Animator, 500 adds / one figure (bytes)", sizes, "10"),
        ratio_row("Animator, 100 000 adds / 10 000 (CPU)", growth, "10"),
        ratio_row("Animator, longest wait for a new picture, s", gaps, "0.2"),
    ]


def script(rounds):
    """Measure adds in a script, where nothing is shown until it is asked."""
    code = """
import os; os.environ["MPLBACKEND"] = "agg"
import time, d2lmini as d2l
animator = d2l.Animator(xlabel="step", ylabel="loss")
losses = [1 / (i + 1) for i in range(10_000)]
start = time.process_time()
for step, loss in enumerate(losses):
    animator.add(step, loss)
print((time.process_time() - start) / 10)
"""
    command = [sys.executable, "-c", code]
    found = [
        1e3 * float(subprocess.check_output(command, cwd=ROOT))
        for _ in range(rounds)
    ]
    middle, low, high = statistics.median(found), min(found), max(found)
    return [
        "Animator in a script, 1000 adds",
        f"{middle:.2g} ms",
        f"{low:.2g} to {high:.2g}",
        "1 ms",
    ]


HEATMAPS = """
import os; os.environ["MPLBACKEND"] = "agg"
import io, time, numpy as np, d2lmini as d2l
from matplotlib import pyplot as plt

def like_d2l(matrices, xlabel, ylabel):
    rows, columns, *_ = matrices.shape
    fig, axes = plt.subplots(
        rows, columns, figsize=(2.5, 2.5), sharex=True, sharey=True
    )
    for ax, matrix in zip(axes.flat, matrices.reshape(-1, 10, 10)):
        image = ax.imshow(matrix, cmap="Reds")
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    fig.colorbar(image, ax=axes, shrink=0.6)

d2l.use_svg_display()
matrices = np.random.default_rng(0).random((8, 8, 10, 10))
for show in like_d2l, d2l.show_heatmaps, like_d2l, d2l.show_heatmaps:
    start = time.process_time()
    show(matrices, "keys", "queries")
    plt.savefig(io.BytesIO(), format="svg")
    plt.close()
    print(time.process_time() - start)  # the first two load fonts and more
"""


def heatmaps(rounds):
    """Measure 64 heatmaps beside a function that draws them as d2l's does."""
    ratios = []
    for _ in range(rounds):
        command = [sys.executable, "-c", HEATMAPS]
        said = subprocess.check_output(command, cwd=ROOT, text=True).split()
        *_, theirs, ours = map(float, said)
        ratios.append(ours / theirs)
    what = "8 x 8 heatmaps of 10 x 10 / drawn as by d2l's function (CPU)"
    return ratio_row(what, ratios, "1")


def table(rounds):
    """Return all that is measured here as a Markdown table."""
    rows = [
        ["what", "median", "range", "goal, at most"],
        ["---"] * 4,
        imports(2 * rounds),
        lab(rounds),
        *animator(rounds),
        script(2 * rounds),
        heatmaps(rounds),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
