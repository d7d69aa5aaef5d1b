"""Re-execute the notebooks in changed surroundings.

None of them may change what a lesson says. Each row of the table is one run of
the check; what cannot be had on a machine is left out, with the reason.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.author.sources import ROOT

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SETTINGS = {
    "one thread": dict.fromkeys(THREADS, "1"),
    "two threads": dict.fromkeys(THREADS, "2"),
    "four threads": dict.fromkeys(THREADS, "4"),
    "TensorFlow, four threads": {
        "TF_NUM_INTRAOP_THREADS": "4",
        "TF_NUM_INTEROP_THREADS": "4",
    },
    "PyTorch without vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "PyTorch with AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "MKL, SSE4.2": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "MKL, compatible": {"MKL_CBWR": "COMPATIBLE"},
    "oneDNN, SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "OpenBLAS, Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "OpenBLAS, Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "NumPy without AVX2": {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "another locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "another hash seed": {"PYTHONHASHSEED": "4711"},
    "a user's Matplotlib style": {"MATPLOTLIBRC": "{folder}/matplotlibrc"},
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
    root: Path = ROOT,
    cwd: Path = ROOT,
    prefix: tuple[str, ...] = (),
    **env: str,
) -> Outcome:
    """Run the check once.

    Args:
        frameworks: names, or [] for all.
        root: the checkout.
        cwd: working directory of pytest.
        prefix: command to run it under.
        env: variables to add.
    """
    command = [*prefix, sys.executable, "-m", "pytest", "--nbval", "-q"]
    command += ["-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
    command += ["-c", f"{root}/pyproject.toml", "--rootdir", str(root)]
    command += [f"{root}/notebooks/{name}" for name in frameworks or [""]]
    path = os.pathsep.join(
        [env.pop("first", ""), f"{root}", f"{root}/nbsight/src"]
    )
    with tempfile.TemporaryDirectory(prefix="pictures-") as pictures:
        answer = subprocess.run(
            [*command, "-o", f"nbsight_folder={pictures}"],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path.lstrip(os.pathsep), **env},
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
    return verify(frameworks, prefix=tuple(ALONE))


def with_package(
    frameworks: list[str], requirement: str, folder: Path
) -> Outcome:
    """Run the check with another version of a package in front."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(folder), requirement]
    if subprocess.run(command, capture_output=True).returncode:
        return None, "not to be had"
    found = next(folder.glob("*.dist-info")).stem
    ok, line = verify(frameworks, first=str(folder))
    return ok, f"{found}: {line}"


def rows(frameworks: list[str], folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield surroundings, and what came out."""
    (folder / "matplotlibrc").write_text("lines.linewidth: 9\n")
    for name, env in SETTINGS.items():
        env = {key: text.format(folder=folder) for key, text in env.items()}
        yield name, verify(frameworks, **env)
    yield "another working directory", verify(frameworks, cwd=folder)
    odd = copy_of(ROOT, folder / "Überall, mit Leerzeichen")
    yield "a path with spaces and umlauts", verify(frameworks, root=odd)
    yield "a read-only checkout", read_only(frameworks, odd)
    yield "no network", offline(frameworks)
    for name, requirement in PACKAGES.items():
        yield name, with_package(frameworks, requirement, folder / name)


def main(frameworks: list[str]) -> bool:
    """Print the table; tell whether any surroundings gave an alarm."""
    alarm = False
    with tempfile.TemporaryDirectory(prefix="surroundings-") as folder:
        start = time.perf_counter()
        for name, (ok, line) in rows(frameworks, Path(folder)):
            word = {True: "green", False: "ALARM", None: "left out"}[ok]
            seconds = time.perf_counter() - start
            print(f"{name:32} {word:9} {seconds:5.0f} s  {line}", flush=True)
            alarm = alarm or ok is False
            start = time.perf_counter()
    return alarm
