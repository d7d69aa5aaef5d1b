"""A sandbox for each student's server, made by bubblewrap.

It shows a server the system's programs, Python, the student's own home and
the lessons, and nothing else of the machine: no other home, nothing of the
hub, no other process and no network. What a student runs is arbitrary code,
so the border is the kernel's, not Jupyter's.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Unicode

from tools.author.sources import PACKAGES, ROOT

AS_ROOT = os.geteuid() == 0  # so each student can be a user of their own
# Above every range that distributions and container tools hand out.
FIRST_UID = 2_000_000_000
MOST_PROCESSES = 512  # of a student
SCRATCH = 256 * 2**20  # bytes in /tmp and in /dev/shm, which are memory
SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]
SYSTEM += ["/sys/devices/system/cpu", "/etc/alternatives", "/etc/fonts"]
SYSTEM += ["/etc/hosts", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl"]
SYSTEM += ["/etc/mime.types", "/etc/nsswitch.conf"]
# What is read from the checkout; the notebooks come from the repository.
PULL = ROOT / "tools/classroom/hub/pull.sh"
CODE = [PULL, *(ROOT / package for package in PACKAGES)]
CODE += [ROOT / "tools/author/trust.py"]
PACKAGE = {"bwrap": "bubblewrap", "git": "git"}
PACKAGE |= {"prlimit": "util-linux", "setpriv": "util-linux"}
# The pull never fails. Matplotlib announces a first font search on stderr.
START = f"""\
cd
[ -e "$MPLCONFIGDIR" ] || cp -r '{sys.prefix}/matplotlib' "$MPLCONFIGDIR"
sh '{PULL}'
exec "$@"
"""


def address(path: Path) -> str:
    """Return the address of a socket, as JupyterHub writes it."""
    return "http+unix://" + str(path).replace("/", "%2F")


def home_of(homes: Path, name: str) -> tuple[Path, int]:
    """Return a student's home and its user's number; make it if missing.

    Whom it belongs to says which user the student is, so there is no list
    that could be lost: to root's hub, each home is another user's.
    """
    home = homes / name
    if not home.exists():
        taken = [path.stat().st_uid for path in homes.iterdir()]
        uid = max([FIRST_UID - 1, *taken]) + 1 if AS_ROOT else os.getuid()
        new = homes / f".{name}"  # no home is ever seen half made
        new.mkdir(mode=0o700, exist_ok=True)
        os.chown(new, uid, uid)
        new.rename(home)
    return home, home.stat().st_uid


def command(
    name: str, homes: Path, run: Path, lessons: Path, memory: int
) -> list[str]:
    """Return the beginning of a command that runs in a student's sandbox.

    Of this run's sockets, in the folder ``run``, the student gets two: the
    hub's, and that of the own server. A process may hold ``memory`` bytes.
    """
    home, uid = home_of(homes, name)
    own = run / name
    own.mkdir(mode=0o700, exist_ok=True)
    os.chown(own, uid, uid)
    files = {
        "passwd": f"{name}:x:{uid}:{uid}::/students/{name}:/bin/bash\n",
        # Git wants to be told of another's folder.
        "gitconfig": "[safe]\n\tdirectory = /lessons.git\n",
    }
    for file, text in files.items():
        (run / f"{name}.{file}").write_text(text)
        (run / f"{name}.{file}").chmod(0o644)
    places: list[tuple[Path | str, Path | str]]
    places = [(path, path) for path in (sys.base_prefix, sys.prefix, *CODE)]
    places += [(run / f"{name}.{file}", f"/etc/{file}") for file in files]
    places += [(lessons, "/lessons.git"), (run / "hub.sock", run / "hub.sock")]
    made = ["bwrap", "--die-with-parent", "--new-session", "--chdir", "/"]
    made += [f"--unshare-{kind}" for kind in ("pid", "ipc", "uts", "net")]
    made += ["--unshare-cgroup-try", "--hostname", "class"]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            made += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            made += shown("--ro-bind", path, path)
    made += ["--proc", "/proc", "--dev", "/dev"]
    for temp in ("/tmp", "/dev/shm"):
        made += ["--perms", "1777", "--size", str(SCRATCH), "--tmpfs", temp]
    for source, place in places:
        if not str(place).startswith("/usr/") and Path(source).exists():
            made += shown("--ro-bind", source, place)
    made += shown("--bind", own, own)
    made += shown("--bind", home, f"/students/{name}")
    limits = ["prlimit", f"--data={memory}", "--core=0"]
    if not AS_ROOT:
        return [*made, "--unshare-user", "--", *limits, "--"]
    made += ["--cap-drop", "ALL"]
    for right in ("SETUID", "SETGID", "SETPCAP"):
        made += ["--cap-add", f"CAP_{right}"]
    return [
        *(*made, "--", *limits, f"--nproc={MOST_PROCESSES}", "--"),
        *("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"),
        *("--no-new-privs", "--"),
    ]


def shown(how: str, source: str | Path, place: str | Path) -> list[str]:
    """Return bubblewrap's options for one folder, and for those above it."""
    above = [str(path) for path in reversed(Path(place).parents)][1:]
    options = [part for p in above for part in ("--perms", "0755", "--dir", p)]
    return [*options, how, str(source), str(place)]


def environment(name: str) -> dict[str, str]:
    """Return the environment variables that say who and where one is."""
    home, path = f"/students/{name}", f"{sys.prefix}/bin:/usr/bin:/bin"
    env = {"USER": name, "LOGNAME": name, "HOME": home, "PATH": path}
    env |= {"SHELL": "/bin/bash", "MPLCONFIGDIR": f"{home}/.matplotlib"}
    return env | {"LESSONS_FROM": "/lessons.git"}


def try_out(state: Path, run: Path, memory: int) -> None:
    """Start a sandbox, or stop and say what keeps it from working."""
    for program, package in PACKAGE.items():
        if not shutil.which(program):
            sys.exit(f"'{program}' was not found; Linux has it in {package}")
    homes = state / "probe"
    homes.mkdir(exist_ok=True)
    try:
        start = command("probe", homes, run, state / "lessons.git", memory)
        tried = subprocess.run(
            [*start, sys.executable, "-c", "import d2lmini, jupyterhub"],
            env=environment("probe"),
            capture_output=True,
            text=True,
        )
    except OSError as error:
        sys.exit(f"A student's home cannot be made: {error}")
    finally:
        shutil.rmtree(homes)
        shutil.rmtree(run / "probe", ignore_errors=True)
    if tried.returncode:
        last = (tried.stderr.strip().splitlines() or ["no message"])[-1]
        sys.exit(
            f"A student's server cannot start: {last}\nStudents must be able "
            f"to read {sys.prefix}, {sys.base_prefix} and {ROOT / 'd2lmini'}, "
            "and bubblewrap must be allowed to make namespaces "
            "(tools/classroom/hub/README.md)"
        )


class SandboxSpawner(LocalProcessSpawner):
    """Start each student's server in its sandbox, on a socket of its own."""

    state = Unicode(help="the hub's folder").tag(config=True)
    run = Unicode(help="the folder of this run's sockets").tag(config=True)

    def make_preexec_fn(self, name: str) -> None:
        """Leave it to the sandbox to become another user."""

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add who and where the student is."""
        return {**env, **environment(self.user.name)}

    async def start(self) -> str:
        """Start the server; return its address, a socket's."""
        state, run, name = Path(self.state), Path(self.run), self.user.name
        socket = run / name / "server.sock"
        socket.unlink(missing_ok=True)
        lessons = state / "lessons.git"
        self.cmd = [
            *command(name, state / "homes", run, lessons, self.mem_limit),
            *("sh", "-c", START, "sh", "jupyterhub-singleuser"),
            f"--ServerApp.sock={socket}",
        ]
        await super().start()
        # The hub takes host and port from what is returned, and a socket
        # has neither: the address counts that is given here.
        self.server.bind_url = address(socket)
        return address(socket)
