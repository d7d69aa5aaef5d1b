"""Re-execute the notebooks in changed surroundings.

None of them may change what a lesson says. Each row of the table is one run of
the check; what cannot be had on a machine is left out, with the reason.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.author.sources import ROOT

SETTINGS = {
    "one thread": "OMP_NUM_THREADS=1",
    "two threads": "OMP_NUM_THREADS=2",
    "four threads": "OMP_NUM_THREADS=4",
    "TensorFlow": "TF_NUM_INTRAOP_THREADS=4 TF_NUM_INTEROP_THREADS=4",
    "PyTorch without vectors": "ATEN_CPU_CAPABILITY=default",
    "PyTorch with AVX2": "ATEN_CPU_CAPABILITY=avx2",
    "MKL, SSE4.2": "MKL_ENABLE_INSTRUCTIONS=SSE4_2",
    "MKL, compatible": "MKL_CBWR=COMPATIBLE",
    "oneDNN, SSE4.1": "ONEDNN_MAX_CPU_ISA=SSE41",
    "OpenBLAS, Haswell": "OPENBLAS_CORETYPE=Haswell",
    "OpenBLAS, Sandybridge": "OPENBLAS_CORETYPE=Sandybridge",
    "NumPy without AVX2": "NPY_DISABLE_CPU_FEATURES=AVX2,FMA3",
    "another time zone": "TZ=Asia/Kathmandu",
    "another locale": "LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8",
    "another hash seed": "PYTHONHASHSEED=4711",
    "a user's Matplotlib style": "MATPLOTLIBRC={folder}/matplotlibrc",
}
PACKAGES = {
    "Matplotlib 3.10": "matplotlib<3.11",
    "the newest Matplotlib": "matplotlib",
    "TensorFlow before this": "tensorflow-cpu<2.21",
}
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-"]
Outcome = tuple[bool | None, str]  # None: left out; the last line printed


def verify(
    frameworks: list[str],
    settings: str = "",
    root: Path = ROOT,
    cwd: Path = ROOT,
    packages: Path | str = "",
    prefix: Iterable[str] = (),
) -> Outcome:
    """Run the check once.

    Args:
        frameworks: names.
        settings: variables to add, as in "A=1 B=2".
        root: the checkout.
        cwd: working directory of pytest.
        packages: a folder of packages that come first.
        prefix: command to run it under.
    """
    command = [*prefix, sys.executable, "-m", "pytest", "--nbval", "-q"]
    command += ["-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
    command += ["-c", f"{root}/pyproject.toml", "--rootdir", str(root)]
    command += [f"{root}/notebooks/{name}" for name in frameworks]
    env = dict(setting.split("=") for setting in settings.split())
    path = f"{packages}{os.pathsep}{root}".strip(os.pathsep)
    with tempfile.TemporaryDirectory(prefix="pictures-") as pictures:
        answer = subprocess.run(
            [*command, "-o", f"nbsight_folder={pictures}"],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": path} | env,
            capture_output=True,
            text=True,
        )
    lines = answer.stdout.strip().splitlines() or [answer.stderr[-200:]]
    if answer.returncode:
        print(*lines[-30:], sep="\n", file=sys.stderr)
    return answer.returncode == 0, lines[-1]


def copy_of(root: Path, target: Path) -> Path:
    """Copy what git tracks, so that nothing else comes along."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=root)
    for name in listed.decode().strip("\0").split("\0"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    return target


def read_only(frameworks: list[str], root: Path) -> Outcome:
    """Run the check in a checkout that cannot be written to."""
    for path in sorted(root.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    ok, line = verify(frameworks, root=root)
    for path in root.rglob("*"):
        path.chmod(0o755)
    return ok, f"{line} as root: modes only" if os.geteuid() == 0 else line


def offline(frameworks: list[str]) -> Outcome:
    """Run the check without a network."""
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        return None, "unshare is not allowed here"
    return verify(frameworks, prefix=ALONE)


def with_package(frameworks: list[str], wanted: str, folder: Path) -> Outcome:
    """Run the check with another version of a package in front."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(folder), wanted]
    if subprocess.run(command, capture_output=True).returncode:
        return None, "not to be had"
    found = next(folder.glob("*.dist-info")).stem
    ok, line = verify(frameworks, packages=folder)
    return ok, f"{found}: {line}"


def rows(frameworks: list[str], folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield surroundings, and what came out."""
    (folder / "matplotlibrc").write_text("lines.linewidth: 9\n")
    for name, settings in SETTINGS.items():
        yield name, verify(frameworks, settings.format(folder=folder))
    yield "another working directory", verify(frameworks, cwd=folder)
    odd = copy_of(ROOT, folder / "Überall, mit Leerzeichen")
    yield "a path with spaces and umlauts", verify(frameworks, root=odd)
    yield "a read-only checkout", read_only(frameworks, odd)
    yield "no network", offline(frameworks)
    for name, wanted in PACKAGES.items():
        yield name, with_package(frameworks, wanted, folder / name)


def main(frameworks: list[str]) -> bool:
    """Print the table; tell whether any surroundings gave an alarm."""
    words = {True: "green", False: "ALARM", None: "left out"}
    alarms = 0
    with tempfile.TemporaryDirectory(prefix="surroundings-") as folder:
        for name, (ok, line) in rows(frameworks, Path(folder)):
            print(f"{name:32} {words[ok]:9} {line}", flush=True)
            alarms += ok is False
    return alarms > 0
