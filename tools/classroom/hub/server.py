"""A JupyterHub for a class on this machine: `python -m tools.classroom hub`.

When it is running already, the lessons as they are now are handed out instead:
each student gets them at the next log-in.
"""

import dbm
import fcntl
import json
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
from traitlets.config import Config

from tools.author.sources import ROOT
from tools.classroom.hub import folders, sandbox
from tools.frameworks import FRAMEWORKS, chosen, why_missing

HERE = Path(__file__).parent
# What one machine shares with a class on Kubernetes is said there.
VALUES = yaml.safe_load((HERE / "values.yaml").read_text())
PATTERN = VALUES["hub"]["config"]["Authenticator"]["username_pattern"]
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken


def read_names(path: Path) -> list[str]:
    """Read a class: one name on a line; what follows a # is left out."""
    if not path.is_file():
        sys.exit(f"CLASS: expected a file, one name on a line, got '{path}'")
    names: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name in names:
            sys.exit(f"{path}, line {number}: '{name}' is there twice")
        if name:
            names.append(checked(name, f"{path}, line {number}"))
    return names


def checked(name: str, place: str) -> str:
    """Return a name that the hub accepts, or stop and say where it is not."""
    if not re.fullmatch(PATTERN, name):
        sys.exit(
            f"{place}: expected a name of small letters, digits, - and _ that "
            f"begins with a letter and has 31 at most, got '{name}'"
        )
    return name


def give_passwords(names: list[str], state: Path) -> int:
    """Give a password to each name that has none; return how many were given.

    They are made here, and not by whoever logs in first under a name;
    ``passwords.txt`` in the hub's folder gets the new ones.
    """
    slips = state / "passwords.txt"
    slips.touch(mode=0o600)
    with dbm.open(str(state / "passwords.dbm"), "c", 0o600) as hashes:
        new = [n for n in dict.fromkeys(names) if n.encode() not in hashes]
        for name in new:
            password = "".join(secrets.choice(LETTERS) for _ in range(12))
            with slips.open("a") as file:
                file.write(f"{name}\t{password}\n")
            hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
            hashes[name.encode()] = hashed
    return len(new)


def proxy(folder: Path) -> list[str]:
    """Return the proxy's command; install it in a folder if it is missing."""
    for name in ("node", "npm"):
        if not shutil.which(name):
            sys.exit(
                f"'{name}' was not found: JupyterHub's proxy needs Node.js 20 "
                "or later, with npm (Debian: nodejs, npm)"
            )
    lock = (HERE / "proxy" / "package-lock.json").read_bytes()
    there = folder / "package-lock.json"  # since npm has ended well
    if not there.exists() or there.read_bytes() != lock:
        print("Installing the proxy (npm, some seconds) …", flush=True)
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(HERE / "proxy", new)
        npm = ["npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"]
        if subprocess.run(npm, cwd=new).returncode:
            sys.exit("npm could not install the proxy (see above)")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    name = "configurable-http-proxy"
    return ["node", str(folder / "node_modules" / name / "bin" / name)]


def settings(
    names: list[str], teacher: str, port: int, state: Path, run: Path
) -> Config:
    """Return JupyterHub's configuration, all but the proxy's command.

    All speak over sockets in the folder ``run``, which only the hub can enter;
    the one port is the proxy's, on this machine only.
    """
    c = Config(VALUES["hub"]["config"])
    c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
    hub = sandbox.address(run / "hub.sock")
    c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = hub
    c.JupyterHub.hub_socket_mode = 0o666  # the folder keeps others out
    c.ConfigurableHTTPProxy.api_url = sandbox.address(run / "proxy.sock")
    c.ConfigurableHTTPProxy.pid_file = str(run / "proxy.pid")
    c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
    c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
    c.FirstUseAuthenticator.dbm_path = str(state / "passwords.dbm")
    c.Authenticator.allowed_users = [*names, teacher]
    c.Authenticator.admin_users = [teacher]
    single, cull = VALUES["singleuser"], VALUES["cull"]
    c.JupyterHub.spawner_class = f"{sandbox.__name__}.SandboxSpawner"
    c.SandboxSpawner.state, c.SandboxSpawner.run = str(state), str(run)
    c.Spawner.default_url = single["defaultUrl"]
    c.Spawner.start_timeout = single["startTimeout"]
    memory = single["memory"]["limit"]
    c.Spawner.mem_limit = ByteSpecification().validate(None, memory)
    c.Spawner.environment = single["extraEnv"]
    c.Spawner.env_keep = ["LANG", "LC_ALL"]
    c.Spawner.port = 8888  # Jupyter wants to see its own beside a socket
    if cull["enabled"]:
        command = [sys.executable, "-m", "jupyterhub_idle_culler"]
        command.append(f"--url={c.JupyterHub.bind_url}/hub/api")
        command.append(f"--timeout={cull['timeout']}")
        command.append(f"--cull-every={cull['every']}")
        c.JupyterHub.services = [{"name": "culler", "command": command}]
        scopes = ["list:users", "read:users:activity"]
        scopes += ["read:servers", "delete:servers"]
        role = {"name": "culler", "services": ["culler"], "scopes": scopes}
        c.JupyterHub.load_roles = [role]
    return c


def serve(
    names: str,
    teacher: str,
    frameworks: str,
    lessons: Path,
    port: int,
    state: Path,
) -> None:
    """Prepare what is missing, then run the hub until it is interrupted."""
    installed = [name for name in FRAMEWORKS if not why_missing(name)]
    handed = chosen(frameworks) or installed
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up
    state = state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            new = folders.publish(handed, state / "lessons.git", lessons)
            print("The hub is running already.", end=" ")
            print("New lessons are out." if new else "No lesson has changed.")
            return
        if not names or not teacher:
            sys.exit(
                "Say who is in the class: make hub CLASS=class.txt "
                "TEACHER=name, where class.txt has one name on a line"
            )
        students = read_names(Path(names))
        checked(teacher, "TEACHER")
        folders.publish(handed, state / "lessons.git", lessons)
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(f"PORT: something answers at {port}; say another")
        (state / "homes").mkdir(exist_ok=True)
        # A socket's path has 107 characters at most: it is not in `state`.
        with tempfile.TemporaryDirectory(prefix="hub-") as run:
            config = settings(students, teacher, port, state, Path(run))
            command = proxy(ROOT / "build" / "hub-proxy")
            config.ConfigurableHTTPProxy.command = command
            sandbox.try_out(state, Path(run), config.Spawner.mem_limit)
            given = give_passwords([*students, teacher], state)
            print(f"{given} new passwords are in {state / 'passwords.txt'}")
            print(f"The class is at http://127.0.0.1:{port}", flush=True)
            sys.exit(run_hub(config, Path(run), lock.fileno()))


def run_hub(config: Config, run: Path, lock: int) -> int:
    """Run JupyterHub; return its exit status. It, too, holds the lock."""
    path = run / "jupyterhub_config.json"
    path.write_text(json.dumps(config))
    # A shell that runs this in the background has it ignored, and servers
    # that inherit that would not stop when asked to.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    hub = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", path],
        cwd=run,
        pass_fds=[lock],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    signal.signal(signal.SIGTERM, lambda *_: hub.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the hub gets it too
    return hub.wait()
