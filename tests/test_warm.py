"""Kernels that start warm (tools/warm) do what fresh ones do, and all end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import lesson as lessons
from tools.nbsight.compare import output_differences
from tools.nbsight.execute import execute
from tools.warm.prologue import constants, prologue

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="forked kernels need Linux"
)

# What a framework does only when it learns, besides lesson 01's first cells.
TRAIN = {
    "pytorch": """\
w = torch.zeros(50, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for _ in range(20):
    optimizer.zero_grad()
    ((w - torch.linspace(0, 1, 50)) ** 2).sum().backward()
    optimizer.step()""",
    "tensorflow": """\
w = tf.Variable(tf.zeros(50))
optimizer = tf.keras.optimizers.SGD(0.1)
for _ in range(20):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((w - tf.linspace(0.0, 1.0, 50)) ** 2)
    optimizer.apply_gradients([(tape.gradient(loss, w), w)])""",
    "mxnet": """\
w = mx.np.zeros(50)
w.attach_grad()
for _ in range(20):
    with mx.autograd.record():
        loss = ((w - mx.np.linspace(0, 1, 50)) ** 2).sum()
    loss.backward()
    w -= 0.1 * w.grad""",
    "jax": """\
w = jnp.zeros(50)
slope = jax.jit(jax.grad(lambda w: ((w - jnp.linspace(0, 1, 50)) ** 2).sum()))
for _ in range(20):
    w = w - 0.1 * slope(w)""",
}
SURROUNDINGS = """\
import os, random, signal, sys, threading
print(__name__, os.getcwd(), os.environ["MARKER"], sys.path, sys.flags)
print(os.path.basename(sys.argv[0]), sys.argv[1], len(sys.argv))
print(sys.orig_argv[1:4], "bool" in vars(np), sorted(os.environ))
print(os.getpgrp() == os.getpid() == os.getsid(0), os.umask(0o22))
print([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])
names = [thread.name for thread in threading.enumerate()]
print(sorted(name.rstrip("0123456789") for name in names))
print(sorted(name for name in globals() if not name.startswith("_")))
sys.stdin.read(), sys.__stdout__.fileno(), sys.__stderr__.fileno()"""
DRAW = "d2l.plot([w], xlabel='x', ylabel='w')"
# Without a seed: MXNet's own generator begins alike in each fresh process, and
# NumPy's is asked anyway; JAX has none without a seed.
RANDOM = {
    "pytorch": "torch.rand(1).item(), torch.initial_seed()",
    "tensorflow": "float(tf.random.uniform([]))",
}
# Executes notebooks one after the other in one session.
EXECUTE = """\
import sys, nbformat
from tools.nbsight.execute import execute
for path in sys.argv[1:]:
    folder = path.rpartition("/")[0]
    notebook = nbformat.read(path, as_version=4)
    nbformat.write(execute(notebook, folder), path)
"""


def surroundings(**more):
    """Return the environment of all runs here."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MARKER": "m", **more}
    env["PYTHONPATH"] = str(ROOT)
    for name in ("WARM_KERNELS", "JUPYTER_PATH"):  # these tests may be warm
        env.pop(name, None)
    return env


def warm(*command, **more):
    """Start a command in a session; `MARKER` finds its processes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tools.warm", sys.executable, *command],
        env=surroundings(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process, seconds=120):
    """Wait for a session; return its exit status and what it wrote."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()
    return process.returncode, said


def written(path, *sources):
    """Write a notebook and return its path as text."""
    cells = [
        new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return str(path)


def outputs(path):
    """Return the outputs of a notebook's cells."""
    return [cell.outputs for cell in nbformat.read(path, 4).cells]


def alive(marker):
    """Return the pids of processes whose environment holds a marker."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            env = (process / "environ").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended just now
            continue
        if f"MARKER={marker}".encode() in env and state[0] != "Z":
            found.append(int(process.name))
    return found


def wait_until(condition, seconds=60):
    """Wait until a condition holds; say whether it does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def test_only_what_is_harmless_is_done_beforehand():
    code = prologue(
        [
            "import os, math\nos.environ['A'] = '1'\nimport numpy as np\n",
            "np.bool = np.bool_\nfrom torch import nn  # comment",
            "from mine import this\nimport tensorflow",
        ]
    )
    assert code.splitlines() == [
        "import os",
        "os.environ['A'] = '1'",
        "import numpy",
        "numpy.bool = numpy.bool_",
        "import torch",
    ]
    assert constants(code) == ["A"]
    for other in ("import d2lmini", "x = 1", "os.environ[a] = '1'", "%pip"):
        assert prologue(["import numpy", other, "import torch"]) == (
            "import numpy"
        )


def test_warm_kernels_show_what_fresh_ones_show(framework, tmp_path):
    imports, *first = [
        cell.source
        for cell in lessons.read(lessons.names()[0]).cells_of(framework)
        if cell.kind == "code"
    ][:5]
    sources = [
        imports,
        SURROUNDINGS,
        *first,
        TRAIN.get(framework, "w = weights"),
        DRAW,
        "import matplotlib as mpl\nprint(d2l.plt.get_backend())\n"
        "print(dict(mpl.rcParams), mpl.matplotlib_fname()[-12:])",
        f"{RANDOM.get(framework, 'random.random()')}, np.random.rand()",
    ]
    paths = [
        written(tmp_path / f"{name}.ipynb", *sources)
        for name in ("fresh", "first", "second")
    ]
    fresh = [sys.executable, "-c", EXECUTE, paths[0]]
    subprocess.run(fresh, env=surroundings(), check=True)
    process = warm("-c", EXECUTE, *paths[1:])
    assert finish(process, 300) == (0, "")  # no kernel was fresh
    stored, first, second = map(outputs, paths)
    for cell in range(len(sources) - 1):
        assert not output_differences(stored[cell], first[cell]), cell
        assert not output_differences(stored[cell], second[cell]), cell
    values = {str(each[-1][0].data) for each in (stored, first, second)}
    assert len(values) == 3


def test_a_changed_module_is_seen(tmp_path):
    change = "from pathlib import Path\nPath('mine.py').write_text('x = 2')"
    first = written(tmp_path / "1.ipynb", "import numpy, mine", "mine.x")
    middle = written(tmp_path / "2.ipynb", change)
    last = written(tmp_path / "3.ipynb", "import numpy, mine", "mine.x")
    (tmp_path / "mine.py").write_text("x = 1")
    process = warm("-c", EXECUTE, first, middle, last)
    assert finish(process) == (0, "")
    found = [outputs(path)[1][0].data["text/plain"] for path in (first, last)]
    assert found == ["1", "2"]


def test_a_fresh_kernel_is_taken_and_named_where_a_fork_would_differ(tmp_path):
    (tmp_path / "matplotlib.py").touch()
    path = written(tmp_path / "1.ipynb", "import numpy", "6 * 7")
    status, said = finish(warm("-c", EXECUTE, path))
    assert (status, said.count("started fresh")) == (0, 1)
    assert "matplotlib.py may be meant by an import" in said
    assert outputs(path)[1][0].data["text/plain"] == "42"


def test_imports_that_print_are_left_to_a_fresh_kernel(tmp_path):
    path = written(tmp_path / "1.ipynb", "import numpy", "6 * 7")
    process = warm("-c", EXECUTE, path, PYTHONPROFILEIMPORTTIME="1")
    assert "started fresh: imports print" in finish(process)[1]
    assert outputs(path)[1][0].data["text/plain"] == "42"


INTERRUPT = """\
import sys, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute("import time; print('on'); time.sleep(60)", stop_on_error=False)
while client.get_iopub_msg(timeout=20)["msg_type"] != "stream":
    pass
manager.interrupt_kernel()
while "ename" not in (reply := client.get_shell_msg(timeout=20)["content"]):
    pass
print(reply["ename"])
client.execute("import os; os._exit(3)")
while manager.is_alive():
    time.sleep(0.1)
print(manager.provisioner.process.returncode)
client.stop_channels()
manager.cleanup_resources()
"""


def test_signals_and_the_exit_status_are_handed_on():
    process = warm("-c", INTERRUPT)
    _, said = finish(process)
    assert said.splitlines()[-2:] == ["KeyboardInterrupt", "3"]


CHECK = ("-m", "pytest", "-q", "-p", "tools.nbsight.plugin", "--nbval")
CHECK += ("-p", "no:cacheprovider")


@pytest.mark.parametrize("how", ["success", "failure"])
def test_nothing_is_left_after(how, tmp_path):
    last = "1" if how == "success" else "1 / 0"
    path = written(tmp_path / "1.ipynb", "import numpy", last)
    if how == "success":
        done = execute(nbformat.read(path, as_version=4), tmp_path)
        nbformat.write(done, path)
    status, said = finish(warm(*CHECK, path, MARKER=path))
    assert status == (how == "failure"), said
    assert "started fresh" not in said
    assert alive(path) == []


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_stopped_by(how, tmp_path):
    code = "from pathlib import Path\nPath('pid').touch()\n"
    code += "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\n"
    path = written(tmp_path / "1.ipynb", code + "time.sleep(600)")
    process = warm(*CHECK, path, MARKER=path)
    assert wait_until((tmp_path / "pid").exists)
    assert wait_until(lambda: len(alive(path)) == 6)  # session ... sleep
    if how == "Ctrl-C":  # the terminal sends it to the group
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(getattr(signal, how))
    finish(process)
    assert wait_until(lambda: alive(path) == [], 20), alive(path)


def test_many_kernels_start_at_once(tmp_path):
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
import nbformat, json
from tools.nbsight.execute import execute
def one(_):
    notebook = nbformat.read(sys.argv[1], as_version=4)
    return execute(notebook, ".").cells[1].outputs[0].data["text/plain"]
with ThreadPoolExecutor(4) as pool:
    print(json.dumps(list(pool.map(one, range(20)))))
"""
    path = written(tmp_path / "1.ipynb", "import os, numpy", "os.getpid()")
    process = warm("-c", code, path)
    _, said = finish(process)
    assert len(set(json.loads(said))) == 20
