"""Re-execute the notebooks in changed surroundings.

None of them may change what a lesson says. Each row of the table is one run of
the check. The newest releases are tried each week by CI.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-"]
Outcome = tuple[str, str]  # what came out; the last line printed


def verify(
    frameworks: list[str],
    settings: str = "",  # variables to add, as in "A=1 B=2"
    root: Path = ROOT,  # of the checkout
    cwd: Path = ROOT,
    prefix: list[str] | None = None,  # command to run it under
) -> Outcome:
    """Run the check once."""
    command = [*(prefix or []), sys.executable, "-m", "pytest", "--nbval"]
    command += ["-q", "-p", "no:cacheprovider", "-n", "2", "--dist=loadfile"]
    command += ["-c", f"{root}/pyproject.toml", "--rootdir", str(root)]
    command += [f"{root}/notebooks/{name}" for name in frameworks]
    env = dict(setting.split("=") for setting in settings.split())
    with tempfile.TemporaryDirectory(prefix="pictures-") as pictures:
        answer = subprocess.run(
            [*command, "-o", f"nbsight_folder={pictures}"],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(root)} | env,
            capture_output=True,
            text=True,
        )
    lines = answer.stdout.strip().splitlines() or [answer.stderr[-200:]]
    if answer.returncode:
        print(*lines[-30:], sep="\n", file=sys.stderr)
    return "ALARM" if answer.returncode else "green", lines[-1]


def read_only(frameworks: list[str], root: Path) -> Outcome:
    """Run the check in a checkout that cannot be written to."""
    for path in sorted(root.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    result, line = verify(frameworks, root=root)
    for path in root.rglob("*"):
        path.chmod(0o755)
    return result, f"{line} as root: modes only" if not os.geteuid() else line


def offline(frameworks: list[str]) -> Outcome:
    """Run the check without a network."""
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        return "left out", "unshare is not allowed here"
    return verify(frameworks, prefix=ALONE)


def rows(frameworks: list[str], folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield surroundings, and what came out."""
    (folder / "matplotlibrc").write_text("lines.linewidth: 9\n")
    for name, settings in SETTINGS.items():
        yield name, verify(frameworks, settings.format(folder=folder))
    yield "another working directory", verify(frameworks, cwd=folder)
    odd = folder / "Überall, mit Leerzeichen"
    copy = ["git", "checkout-index", "--all", f"--prefix={odd}/"]
    subprocess.run(copy, cwd=ROOT, check=True)
    yield "a path with spaces and umlauts", verify(frameworks, root=odd)
    yield "a read-only checkout", read_only(frameworks, odd)
    yield "no network", offline(frameworks)


def check_all(frameworks: list[str]) -> bool:
    """Print the table; tell whether any surroundings gave an alarm."""
    alarm = False
    with tempfile.TemporaryDirectory(prefix="surroundings-") as folder:
        for name, (result, line) in rows(frameworks, Path(folder)):
            print(f"{name:32} {result:9} {line}", flush=True)
            alarm |= result == "ALARM"
    return alarm
