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

# Above every range that distributions and container tools hand out.
FIRST_UID = 2_000_000_000
MOST_PROCESSES = 512  # of a student
SCRATCH = 256 * 2**20  # bytes in /tmp and in /dev/shm, which are memory
SYSTEM = ["/usr", "/sys/devices/system/cpu"]
SYSTEM += ["/bin", "/sbin", "/lib", "/lib32", "/lib64"]
SYSTEM += [
    f"/etc/{name}"
    for name in (
        *("alternatives", "fonts", "hosts", "ld.so.cache", "localtime"),
        *("mime.types", "nsswitch.conf", "ssl"),
    )
]
# What is read from the checkout; the notebooks come from the repository.
PULL = ROOT / "tools/classroom/hub/pull.sh"
CODE = [PULL, *(ROOT / package for package in PACKAGES)]
CODE += [ROOT / "tools/author/trust.py"]
PROGRAMS = {
    "bwrap": "bubblewrap (Debian, Ubuntu, Fedora: bubblewrap)",
    "git": "git",
    "prlimit": "util-linux",
    "setpriv": "util-linux",
}
# The pull never fails. Matplotlib announces a first font search on stderr.
START = f"""\
cd
export MPLCONFIGDIR="$HOME/.config/matplotlib"
if [ ! -e "$MPLCONFIGDIR" ] && [ -e {sys.prefix}/matplotlib ]; then
    mkdir -p "$HOME/.config" && cp -r {sys.prefix}/matplotlib "$MPLCONFIGDIR"
fi
sh '{PULL}'
exec "$@"
"""


def as_root():
    """Tell whether each student can be given a user of their own."""
    return os.geteuid() == 0


def home_of(homes, name):
    """Return a student's home, and make it where it is missing.

    Whom it belongs to says which user the student is, so there is no list
    that could be lost: to root's hub, each home is another user's.

    Args:
        homes: the folder of all homes.
        name: a name that the hub has let in.

    Returns:
        The path of the home and the number of its user.
    """
    home = homes / name
    if not home.exists():
        taken = [path.stat().st_uid for path in homes.iterdir()]
        uid = max([FIRST_UID - 1, *taken]) + 1 if as_root() else os.getuid()
        new = homes / f".{name}"  # no home is ever seen half made
        new.mkdir(mode=0o700, exist_ok=True)
        os.chown(new, uid, uid)
        new.rename(home)
    return home, home.stat().st_uid


def command(name, homes, run, lessons, memory):
    """Return the beginning of a command that runs in a student's sandbox.

    Args:
        name: the student's name.
        homes: the folder of all homes.
        run: the folder of this run's sockets, of which the student gets two:
            the hub's, and that of the own server.
        lessons: the repository that lessons come from.
        memory: bytes that one process may hold.

    Returns:
        A list of arguments, to which those of the program are added.
    """
    home, uid = home_of(homes, name)
    own = run / name
    own.mkdir(mode=0o700, exist_ok=True)
    os.chown(own, uid, uid)
    known = run / f"{name}.passwd"
    known.write_text(f"{name}:x:{uid}:{uid}::/students/{name}:/bin/bash\n")
    known.chmod(0o644)
    trusted = run / "gitconfig"  # git wants to be told of another's folder
    trusted.write_text("[safe]\n\tdirectory = /lessons.git\n")
    trusted.chmod(0o644)

    binds = [(path, path) for path in (sys.base_prefix, sys.prefix, *CODE)]
    binds += [
        (known, "/etc/passwd"),
        (trusted, "/etc/gitconfig"),
        (lessons, "/lessons.git"),
        (run / "hub.sock", run / "hub.sock"),
    ]
    made = ["bwrap", "--die-with-parent", "--new-session", "--chdir", "/"]
    made += [f"--unshare-{kind}" for kind in ("pid", "ipc", "uts", "net")]
    made += ["--unshare-cgroup-try", "--hostname", "class"]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            made += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            made += shown("--ro-bind", path, path)
    made += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):
        made += ["--perms", "1777", "--size", str(SCRATCH), "--tmpfs", path]
    for source, place in binds:
        if not str(place).startswith("/usr/") and Path(source).exists():
            made += shown("--ro-bind", source, place)
    made += shown("--bind", own, own)
    made += shown("--bind", home, f"/students/{name}")
    limits = ["prlimit", f"--data={memory}", "--core=0"]
    if not as_root():
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


def shown(how, source, place):
    """Return bubblewrap's options for one folder, and for those above it."""
    above = [str(path) for path in reversed(Path(place).parents)][1:]
    options = [part for p in above for part in ("--perms", "0755", "--dir", p)]
    return [*options, how, str(source), str(place)]


def environment(name):
    """Return the environment variables that say who and where one is."""
    return {
        "USER": name,
        "LOGNAME": name,
        "HOME": f"/students/{name}",
        "SHELL": "/bin/bash",
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "LESSONS_FROM": "/lessons.git",
    }


def why_not(state, run, memory):
    """Try a sandbox, and say in some lines what keeps it from working.

    Args:
        state: the hub's folder.
        run: the folder of this run's sockets.
        memory: bytes that one process may hold.

    Returns:
        None when it works, else a message.
    """
    if not sys.platform.startswith("linux"):
        return (
            "The sandbox that keeps students apart is Linux's: see README.md"
        )
    for program, where in PROGRAMS.items():
        if not shutil.which(program):
            return f"'{program}' was not found; it is in {where}"
    homes = state / "probe"
    homes.mkdir(exist_ok=True)
    try:
        tried = subprocess.run(
            [
                *command("probe", homes, run, state / "lessons.git", memory),
                *(sys.executable, "-c", "import d2lmini, jupyterhub"),
            ],
            env=environment("probe"),
            capture_output=True,
            text=True,
        )
    except OSError as error:
        return f"A student's home cannot be made: {error}"
    finally:
        shutil.rmtree(homes)
        shutil.rmtree(run / "probe", ignore_errors=True)
    if tried.returncode == 0:
        return None
    last = (tried.stderr.strip().splitlines() or ["no message"])[-1]
    return (
        f"A student's server cannot start: {last}\nStudents must be able to "
        f"read {sys.prefix}, {sys.base_prefix} and {ROOT / 'd2lmini'}, and "
        "bubblewrap must be allowed to make namespaces "
        "(tools/classroom/hub/README.md)"
    )


class SandboxSpawner(LocalProcessSpawner):
    """Start each student's server in its sandbox, on a socket of its own."""

    state = Unicode(help="the hub's folder").tag(config=True)
    run = Unicode(help="the folder of this run's sockets").tag(config=True)

    def make_preexec_fn(self, name):
        """Leave it to the sandbox to become another user."""

    def user_env(self, env):
        """Add who and where the student is."""
        return {**env, **environment(self.user.name)}

    async def start(self):
        """Start the server; return its address, a socket's."""
        state, run = Path(self.state), Path(self.run)
        name = self.user.name
        socket = run / name / "server.sock"
        socket.unlink(missing_ok=True)
        self.cmd = [
            *command(
                name,
                *(state / "homes", run, state / "lessons.git"),
                self.mem_limit,
            ),
            *("sh", "-c", START, "sh", "jupyterhub-singleuser"),
            f"--ServerApp.sock={socket}",
        ]
        await super().start()
        address = "http+unix://" + str(socket).replace("/", "%2F")
        # The hub takes host and port from what is returned, and a socket
        # has neither: the address counts that is given here.
        self.server.bind_url = address
        return address
