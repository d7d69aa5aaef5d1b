"""What Jupyter starts as a kernel: a stand-in for the one that is forked.

It asks the session for a zygote and the zygote for a kernel, hands signals on
and ends as the kernel ends. If there is no zygote to be had it becomes an
ordinary kernel. It imports little, and nothing of this package: it starts in
10 ms.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys

SIGNALS = "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"


def send(link, message, fds=()):
    """Send an object as JSON, with its length before it, and descriptors."""
    data = json.dumps(message).encode()
    socket.send_fds(link, [len(data).to_bytes(8)], fds)
    link.sendall(data)


def receive(link, n_fds=0):
    """Receive what `send` sent: the object (None at the end) and fds."""
    head, fds, _, _ = socket.recv_fds(link, 8, n_fds)
    if len(head) < 8:
        return None, fds
    size, data = int.from_bytes(head), b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            return None, fds
        data += piece
    return json.loads(data), fds


def connect(path):
    """Return a connection to a socket of this machine."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    return link


def ask(session, request):
    """Return a connection to a zygote that has forked, and the kernel's pid.

    Raises:
        OSError, RuntimeError: there is none; a fresh kernel is needed.
    """
    with connect(session) as link:
        send(link, request)
        answer, _ = receive(link)
    if not answer or "zygote" not in answer:
        raise RuntimeError("a fresh kernel is needed")
    link = connect(answer["zygote"])
    send(link, request, [0, 1, 2])
    answer, _ = receive(link)
    if not answer:
        raise RuntimeError("the zygote died")
    return link, answer["pid"]


def stand_in(link, pid):
    """Hand on signals until the kernel ends; return its exit status."""

    def hand_on(number, _):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)

    for name in SIGNALS:
        signal.signal(getattr(signal, name), hand_on)
    parent = os.getppid()
    while not select.select([link], [], [], 0.5)[0]:
        if os.getppid() != parent:  # the zygote kills the kernel, see there
            return signal.SIGKILL
    answer, _ = receive(link)
    return answer["status"] if answer else signal.SIGKILL


def main():
    """Become a stand-in, or a fresh kernel."""
    env = dict(os.environ)
    session, code = env.pop("WARM_KERNELS", ""), env.pop("WARM_CODE", "")
    # The session has put its folder before the user's, if there were any.
    _, _, paths = env.pop("JUPYTER_PATH", "").partition(os.pathsep)
    if paths:
        env["JUPYTER_PATH"] = paths
    umask = os.umask(0)
    os.umask(umask)
    request = {
        "args": sys.argv[1:],
        "env": env,
        "cwd": os.getcwd(),  # noqa: PTH109
        "code": code,
        "umask": umask,
        "cores": sorted(os.sched_getaffinity(0)),
    }
    try:
        link, pid = ask(session, request)
    except (OSError, RuntimeError):
        fresh = [sys.executable, "-m", "ipykernel_launcher", *sys.argv[1:]]
        os.execve(sys.executable, fresh, env)
    status = stand_in(link, pid)
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
