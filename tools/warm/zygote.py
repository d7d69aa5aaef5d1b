"""A process that has imported what kernels need, and forks them.

It starts no thread and computes nothing. What depends on a kernel (its shell,
its working directory, its environment) is left to the kernel.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

from kernel import receive, send  # beside this file

# What a kernel imports until it is ready ...
KERNEL = (
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell"),
    *("IPython.extensions.storemagic", "IPython.core.magics", "sqlite3"),
    "ipykernel.debugger",
)
# ... what a picture needs, and what a framework keeps for its first use.
PICTURES = (
    *("matplotlib.pyplot", "matplotlib.style", "matplotlib_inline"),
    *("matplotlib.backends.backend_svg", "matplotlib_inline.backend_inline"),
)
LATER = {"torch": ("torch.optim", "torch._dynamo")}
# These look for a shell when they are imported, so a kernel does it (8 ms).
SHELL = "matplotlib.pyplot", "matplotlib_inline.backend_inline"
INLINE = "module://matplotlib_inline.backend_inline"
PR_SET_PDEATHSIG = 1


def preload(code, constants):
    """Execute a prologue, import the rest, and undo what a kernel would see.

    Args:
        code: of the prologue.
        constants: the environment variables that it sets.

    Returns:
        The environment variables that the prologue's imports added.
    """
    before = dict(os.environ)
    os.environ.setdefault("MPLBACKEND", INLINE)  # as ipykernel does
    for name in KERNEL:
        with contextlib.suppress(ImportError):  # another version of it
            importlib.import_module(name)
    flush()
    os.truncate(1, 0)  # what a kernel says before its first cell is not shown
    os.lseek(1, 0, os.SEEK_SET)
    exec(code, {"__name__": "prologue"})
    hidden = {"MPLBACKEND", *constants, *before}
    added = {k: v for k, v in os.environ.items() if k not in hidden}
    for name in PICTURES:
        importlib.import_module(name)
    for library in LATER.keys() & sys.modules.keys():
        for name in LATER[library]:
            importlib.import_module(name)
    for name in SHELL:
        parent, _, child = name.rpartition(".")
        del sys.modules[name]
        delattr(sys.modules[parent], child)
    numpy = sys.modules["numpy"]
    if numpy.__version__.startswith("1."):  # np.bool = np.bool_
        vars(numpy).pop("bool", None)
    return added


def flush():
    """Write what Python has not written yet."""
    sys.stdout.flush()
    sys.stderr.flush()


def unsound():
    """Say why what was imported cannot be forked, or return None."""
    threads = len(list(Path("/proc/self/task").iterdir())) - 1
    if threads:
        return f"imports start {threads} thread(s): set OMP_NUM_THREADS=1"
    roots = sys.prefix, sys.base_prefix, Path(__file__).parent
    roots = [Path(root).resolve() for root in roots]
    for name, module in list(sys.modules.items()):
        path = Path(getattr(module, "__file__", None) or "")
        if not path.is_absolute():  # none, or made up, as that of torch.ops
            continue
        if not any(path.resolve().is_relative_to(root) for root in roots):
            return f"imports reach code outside the environment: {name}"
    return None


class Zygote:
    """The loop that forks kernels and looks after them."""

    def __init__(self, path):
        """Listen on a socket of this path."""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.wait = selectors.DefaultSelector()
        self.wait.register(self.listener, selectors.EVENT_READ)
        self.wait.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self.kernels = {}  # link: (pid, pidfd)

    def serve(self):
        """Serve until the session ends; return a request in each kernel."""
        while True:
            for key, _ in self.wait.select():
                if key.fileobj is self.listener:
                    request = self.start()
                    if request:
                        return request
                elif key.data is None:  # stdin: the session is over
                    for link in list(self.kernels):
                        self.end(link)
                    return None
                elif key.data in self.kernels:
                    self.end(key.data)

    def start(self):
        """Fork a kernel; return the request in it, None in the zygote."""
        link, _ = self.listener.accept()
        link.settimeout(10)
        try:
            request, fds = receive(link, 3)
        except OSError:
            request = None
        if not request:
            link.close()
            return None
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            os.setsid()
            # Where libc has no prctl, there is ipykernel's own poller.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            self.close(link)
            for target, fd in enumerate(fds):
                os.dup2(fd, target)
                os.close(fd)
            return {**request, "zygote": parent}
        for fd in fds:
            os.close(fd)
        pidfd = os.pidfd_open(pid)
        self.kernels[link] = pid, pidfd
        self.wait.register(pidfd, selectors.EVENT_READ, link)
        self.wait.register(link, selectors.EVENT_READ, link)
        with contextlib.suppress(OSError):
            send(link, {"pid": pid})
        return None

    def end(self, link):
        """Kill a kernel whose stand-in went, or tell it how it ended."""
        pid, pidfd = self.kernels.pop(link)
        self.wait.unregister(link)
        self.wait.unregister(pidfd)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not ended:
            # Its session, too: it did setsid, or will have when it dies.
            for kill in os.killpg, os.kill:
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            send(link, {"status": status})
        link.close()
        os.close(pidfd)

    def close(self, link):
        """Close in a kernel what belongs to the zygote."""
        self.wait.close()
        self.listener.close()
        link.close()
        for other, (_, pidfd) in self.kernels.items():
            other.close()
            os.close(pidfd)


def become(request, added):
    """Make the forked process what a fresh kernel is, and run it."""
    os.environ.clear()
    os.environ.update({**added, **request["env"]})
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    launcher = importlib.util.find_spec("ipykernel_launcher").origin
    args = request["args"]
    sys.argv = [launcher, *args]
    sys.orig_argv = [sys.executable, "-m", "ipykernel_launcher", *args]
    importlib.invalidate_caches()
    # A fresh process draws these from the system; `random` does it itself.
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
    from ipykernel.kernelapp import launch_new_instance

    poll = f"--IPKernelApp.parent_handle={request['zygote']}"
    launch_new_instance(argv=[*args, poll])


def main():
    """Preload, say whether it can be forked, and fork."""
    path = sys.argv[1]
    sys.path.pop(0)  # the folder of this file
    order = json.loads(sys.stdin.readline())
    # Whatever is written while importing would be missing in a cell.
    said, answer = os.memfd_create("said"), os.dup(1)
    os.dup2(said, 1)
    os.dup2(said, 2)
    try:
        added = preload(order["code"], order["constants"])
        problem = unsound()
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}".split("\n")[0]
    flush()
    text = os.pread(said, 200, 0).decode(errors="replace").strip()
    if text and not problem:
        problem = f"imports print {text.splitlines()[0][:60]!r}"
    null = os.open(os.devnull, os.O_RDWR)
    for target in 1, 2:
        os.dup2(null, target)
    os.close(null)
    os.close(said)
    zygote = None if problem else Zygote(path)
    os.write(answer, json.dumps({"problem": problem}).encode() + b"\n")
    os.close(answer)
    if not zygote:
        return
    gc.collect()
    gc.freeze()  # a child's collections then do not copy these pages
    request = zygote.serve()
    if request:
        become(request, added)


if __name__ == "__main__":
    main()
