"""Start a JupyterHub for a class on this machine: `make hub` runs this.

When it is running already, the lessons as they are now are handed out instead:
each student gets them at the next log-in.
"""

import argparse
import dbm
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import bcrypt
import yaml
from jupyterhub.traitlets import ByteSpecification

from tools.author.sources import NOTEBOOKS, ROOT
from tools.classroom.hub import folders, sandbox
from tools.frameworks import FRAMEWORKS, chosen, why_missing

HERE = Path(__file__).parent
VALUES = yaml.safe_load((HERE / "values.yaml").read_text())
PATTERN = VALUES["hub"]["config"]["Authenticator"]["username_pattern"]
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken


def read_names(path):
    """Read a class: one name on a line; what follows a # is left out.

    Args:
        path: path of the file.

    Returns:
        The names, in their order.

    Raises:
        SystemExit: in one line, when the file or a name in it cannot be used.
    """
    if not path.is_file():
        raise SystemExit(
            f"CLASS: expected a file with one name on a line, got '{path}'"
        )
    names = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if name in names:
            raise SystemExit(f"{path}, line {number}: '{name}' is there twice")
        names.append(checked(name, f"{path}, line {number}"))
    return names


def checked(name, place):
    """Return a name that the hub accepts, or stop and say where it is not."""
    if not re.fullmatch(PATTERN, name):
        raise SystemExit(
            f"{place}: expected a name of small letters, digits, - and _ that "
            f"begins with a letter and has 31 at most, got '{name}'"
        )
    return name


def give_passwords(names, state):
    """Give a password to each name that has none.

    They are made here, and not by whoever logs in first under a name.

    Args:
        names: all names that may log in.
        state: the hub's folder; ``passwords.txt`` in it gets the new ones.

    Returns:
        How many were given.
    """
    slips = state / "passwords.txt"
    slips.touch(mode=0o600)
    given = 0
    with (
        dbm.open(str(state / "passwords.dbm"), "c", 0o600) as hashes,
        slips.open("a") as file,
    ):
        for name in names:
            if name.encode() in hashes:
                continue
            password = "".join(secrets.choice(LETTERS) for _ in range(12))
            file.write(f"{name}\t{password}\n")
            file.flush()
            hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
            hashes[name.encode()] = hashed
            given += 1
    return given


def proxy(folder):
    """Return the proxy's command; install it where it is missing.

    Args:
        folder: where it is installed.

    Raises:
        SystemExit: in one line, when it cannot be installed.
    """
    program = Path("node_modules/configurable-http-proxy/bin")
    program /= "configurable-http-proxy"
    for name in ("node", "npm"):
        if not shutil.which(name):
            raise SystemExit(
                f"'{name}' was not found: JupyterHub's proxy needs Node.js 20 "
                "or later, with npm (Debian: nodejs, npm)"
            )
    lock = (HERE / "proxy" / "package-lock.json").read_bytes()
    there = folder / "package-lock.json"
    if not there.exists() or there.read_bytes() != lock:
        print("Installing the proxy (npm, some seconds) …", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent))
        for path in (HERE / "proxy").iterdir():
            shutil.copy(path, new)
        done = subprocess.run(
            ["npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"],
            cwd=new,
        )
        if done.returncode:
            shutil.rmtree(new)
            raise SystemExit("npm could not install the proxy (see above)")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    return [shutil.which("node"), str(folder / program)]


def main():
    """Prepare what is missing, then run the hub until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", default="", help="file, one name a line")
    parser.add_argument("--teacher", default="", help="may stop and see all")
    parser.add_argument("--frameworks", default="", help="names, or all")
    parser.add_argument("--lessons", type=Path, default=NOTEBOOKS)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "hub")
    arguments = parser.parse_args()
    frameworks = chosen(arguments.frameworks) or [
        name for name in FRAMEWORKS if not why_missing(name)
    ]
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up
    state = arguments.state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)

    def publish():
        repository = state / "lessons.git"
        return folders.publish(frameworks, repository, arguments.lessons)

    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            new = publish()
            print("The hub is running already.", end=" ")
            print("New lessons are out." if new else "No lesson has changed.")
            return
        if not arguments.names or not arguments.teacher:
            sys.exit(
                "Say who is in the class: make hub CLASS=class.txt "
                "TEACHER=name, where class.txt has one name on a line"
            )
        names = read_names(Path(arguments.names))
        teacher = checked(arguments.teacher, "TEACHER")
        publish()
        start(names, teacher, arguments.port, state, lock)


def start(names, teacher, port, state, lock):
    """Run the hub; its sockets are in a folder that goes when it ends."""
    with socket.socket() as line:
        if line.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"PORT: something answers at {port} already; say another")
    memory = ByteSpecification().validate(
        None, VALUES["singleuser"]["memory"]["limit"]
    )
    (state / "homes").mkdir(exist_ok=True)
    command = proxy(ROOT / "build" / "hub-proxy")
    # A socket's path has 107 characters at most, so it is not in `state`.
    with tempfile.TemporaryDirectory(prefix="hub-") as run:
        problem = sandbox.why_not(state, Path(run), memory)
        if problem:
            sys.exit(problem)
        given = give_passwords([*names, teacher], state)
        print(f"{given} new passwords are in {state / 'passwords.txt'}")
        print(f"The class is at http://127.0.0.1:{port}", flush=True)
        # A shell that runs this in the background has it ignored, and servers
        # that inherit that would not stop when asked to.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        hub = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterhub"),
                *("-f", str(HERE / "jupyterhub_config.py")),
            ],
            cwd=state,
            pass_fds=[lock.fileno()],  # locked as long as the hub lives
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "HUB_STATE": str(state),
                "HUB_RUN": run,
                "HUB_PORT": str(port),
                "HUB_NAMES": " ".join([*names, teacher]),
                "HUB_TEACHER": teacher,
                "HUB_PROXY": "\n".join(command),
            },
        )
        signal.signal(signal.SIGTERM, lambda *_: hub.terminate())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the hub gets it too
        hub.wait()
    sys.exit(hub.returncode)


if __name__ == "__main__":
    main()
