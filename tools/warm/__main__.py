"""Run a command in a session of warm kernels: python -m tools.warm COMMAND."""

import contextlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from ipykernel.kernelspec import get_kernel_dict

from tools.warm.kernel import receive, send
from tools.warm.prologue import constants, imported, prologue

HERE = Path(__file__).parent
# Variables that no library reads when it is imported. A zygote is for kernels
# that agree in all others. Of MATPLOTLIBRC, the content has to agree.
PRIVATE = {"IPYTHONDIR", "JPY_PARENT_PID", "JPY_SESSION_NAME"}
PRIVATE |= {"MATPLOTLIBRC", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER"}
LIMIT = 8  # zygotes of a session: each holds some 300 MB


class Zygote:
    """A zygote, seen from the session."""

    problem = "imports are not done"  # why it cannot be used, or None

    def __init__(self, path, code, env):
        """Start it."""
        self.path = str(path)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "zygote.py", self.path],
            stdin=subprocess.PIPE,  # its end tells the zygote to end
            stdout=subprocess.PIPE,
            env=env,
            cwd=path.parent,
            start_new_session=True,  # Ctrl-C is for the command
        )
        order = {"code": code, "constants": constants(code)}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def wait(self):
        """Wait until it can be used, or cannot."""
        answer = self.process.stdout.readline()
        self.problem = (
            json.loads(answer)["problem"] if answer else "imports kill it"
        )
        self.process.stdout.close()

    def end(self):
        """End it, and its kernels with it."""
        if self.problem:  # it has no kernels, and may still import
            self.process.kill()
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Session(socketserver.ThreadingUnixStreamServer):
    """Answers each kernel's question for a zygote."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder):
        """Listen in a folder that only this user can enter."""
        self.folder = folder
        self.zygotes, self.locks = {}, {}
        self.lock, self.fresh, self.forked = threading.Lock(), Counter(), 0
        super().__init__(str(folder / "session"), None)

    def finish_request(self, link, _):
        """Send a kernel the socket of its zygote, or the reason for none."""
        request, _ = receive(link)
        if request:
            zygote, problem = self.zygote(request)
            with self.lock:
                if problem:
                    self.fresh[problem] += 1
                else:
                    self.forked += 1
            send(link, {} if problem else {"zygote": zygote.path})

    def zygote(self, request):
        """Return the zygote for a request, started if need be, or why not."""
        cells = []
        with contextlib.suppress(OSError, ValueError):
            cells = json.loads(Path(request["code"]).read_text("utf-8"))
        code, folder = prologue(cells), Path(request["cwd"])
        for name in {"numpy", "IPython", "matplotlib"} | imported(code):
            for path in folder / name, folder / f"{name}.py":
                if path.exists():
                    return None, f"{path} may be meant by an import"
        if (folder / "matplotlibrc").exists():
            return None, f"{folder / 'matplotlibrc'} changes Matplotlib"
        if request["cores"] != sorted(os.sched_getaffinity(0)):
            return None, "a kernel may use other cores than the session"
        env, settings = dict(request["env"]), None
        if "MATPLOTLIBRC" in env:
            try:
                settings = Path(env["MATPLOTLIBRC"]).read_bytes()
            except OSError:
                return None, "MATPLOTLIBRC is not a file"
        env = {k: v for k, v in env.items() if k not in PRIVATE}
        key = code, settings, tuple(sorted(env.items()))
        with self.lock:
            if key not in self.locks and len(self.locks) == LIMIT:
                return None, f"more than {LIMIT} surroundings"
            lock = self.locks.setdefault(key, threading.Lock())
            number = list(self.locks).index(key)
        with lock:
            if key not in self.zygotes:
                if settings is not None:
                    copy = self.folder / f"matplotlibrc-{number}"
                    copy.write_bytes(settings)
                    env["MATPLOTLIBRC"] = str(copy)
                path = self.folder / f"zygote-{number}"
                self.zygotes[key] = Zygote(path, code, env)
                self.zygotes[key].wait()
        return self.zygotes[key], self.zygotes[key].problem

    def report(self):
        """Return what there is to say, a line each."""
        return [
            f"warm: {count} kernel(s) started fresh: {reason}"
            for reason, count in self.fresh.items()
        ]


def install(folder):
    """Put a kernel into a folder that hides the one named python3."""
    spec = get_kernel_dict()
    spec["argv"] = [sys.executable, "-I", "-S", str(HERE / "kernel.py")]
    spec["argv"] += ["-f", "{connection_file}"]
    place = folder / "kernels" / "python3" / "kernel.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(spec))


def run(command):
    """Run a command in a session and return its exit status."""
    with tempfile.TemporaryDirectory(prefix="warm-") as name:
        folder = Path(name)
        install(folder)
        paths = [name, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        env = {
            **os.environ,
            "JUPYTER_PATH": os.pathsep.join(paths),
            "WARM_KERNELS": str(folder / "session"),
        }
        with Session(folder) as session:
            threading.Thread(target=session.serve_forever, daemon=True).start()
            # Ctrl-C reaches the command, too, and that is what ends.
            signal.signal(signal.SIGINT, lambda *_: None)
            process = subprocess.Popen(command, env=env)
            for each in signal.SIGTERM, signal.SIGHUP:
                signal.signal(each, lambda n, _: process.send_signal(n))
            try:
                status = process.wait()
            finally:
                session.shutdown()
                for zygote in session.zygotes.values():
                    zygote.end()
            for line in session.report():
                print(line, file=sys.stderr)
    return status if status >= 0 else 128 - status


def main():
    """Run the command, warm where this system can."""
    command = sys.argv[1:]
    if not command:
        sys.exit("usage: python -m tools.warm COMMAND ...")
    if not hasattr(os, "pidfd_open"):
        print("warm: fresh kernels; forking needs Linux", file=sys.stderr)
        sys.exit(subprocess.call(command))
    sys.exit(run(command))


if __name__ == "__main__":
    main()
