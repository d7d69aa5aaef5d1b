"""Re-execute the notebooks in changed surroundings: `make surroundings`.

None of them may change what a lesson says. Each row of the table is one run of
the check; what cannot be had on a machine is left out, with the reason.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
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


def verify(root=ROOT, env=None, cwd=None, prefix=(), frameworks=()):
    """Run the check once.

    Args:
        root: the checkout.
        env: variables to add.
        cwd: working directory of pytest.
        prefix: command to run it under.
        frameworks: names, or () for all.

    Returns:
        (ok, last line of the output, seconds).
    """
    paths = [f"{root}/notebooks/{name}" for name in frameworks]
    started = time.perf_counter()
    answer = subprocess.run(
        [
            *prefix,
            *(sys.executable, "-m", "pytest", "-p", "nbsight.plugin"),
            *("-p", "no:cacheprovider", "--nbval", "-q", "-n", "2"),
            *("--dist", "loadfile", "-c", f"{root}/pyproject.toml"),
            *("--rootdir", str(root)),
            *("-o", "nbsight_folder=" + tempfile.mkdtemp(prefix="pictures-")),
            *(paths or [f"{root}/notebooks"]),
        ],
        cwd=cwd or root,
        env={**os.environ, "PYTHONPATH": str(root), **(env or {})},
        capture_output=True,
        text=True,
    )
    lines = answer.stdout.strip().splitlines() or [answer.stderr[-200:]]
    if answer.returncode:
        print(*lines[-30:], sep="\n", file=sys.stderr)
    return answer.returncode == 0, lines[-1], time.perf_counter() - started


def copy_of(root, target):
    """Copy what git tracks, so that nothing else comes along."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True
    ).stdout.decode()
    for name in names.strip("\0").split("\0"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    return target


def with_package(requirement, folder, frameworks):
    """Run the check with another version of a package in front."""
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet"),
            *("--no-deps", "--target", str(folder), requirement),
        ],
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        return None, "not to be had", 0
    found = next(folder.glob("*.dist-info")).name.removesuffix(".dist-info")
    path = f"{folder}{os.pathsep}{ROOT}"
    ok, line, seconds = verify(env={"PYTHONPATH": path}, frameworks=frameworks)
    return ok, f"{found}: {line}", seconds


def rows(folder, frameworks):
    """Yield (surroundings, ok or None, what came out, seconds)."""
    (folder / "matplotlibrc").write_text("lines.linewidth: 9\n")
    for name, env in SETTINGS.items():
        env = {key: text.format(folder=folder) for key, text in env.items()}
        yield name, *verify(env=env, frameworks=frameworks)
    yield (
        "another working directory",
        *verify(cwd=folder, frameworks=frameworks),
    )
    odd = copy_of(ROOT, folder / "Überall, mit Leerzeichen")
    yield (
        "a path with spaces and umlauts",
        *verify(root=odd, frameworks=frameworks),
    )
    for path in sorted(odd.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    shown = *frameworks, "as root: modes only" if os.geteuid() == 0 else ""
    ok, line, seconds = verify(root=odd, frameworks=frameworks)
    yield "a read-only checkout", ok, f"{line} {shown[-1]}", seconds
    for path in odd.rglob("*"):
        path.chmod(0o755)
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"']
    if subprocess.run([*alone, "-", "true"], capture_output=True).returncode:
        yield "no network", None, "unshare is not allowed here", 0
    else:
        yield (
            "no network",
            *verify(prefix=[*alone, "-"], frameworks=frameworks),
        )
    for number, (name, requirement) in enumerate(PACKAGES.items()):
        target = folder / f"package-{number}"
        yield name, *with_package(requirement, target, frameworks)


def main():
    """Print the table; exit with 1 if any surroundings gave an alarm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default="", help="names, or all")
    names = parser.parse_args().frameworks.replace(",", " ").split()
    alarms = 0
    with tempfile.TemporaryDirectory(prefix="surroundings-") as folder:
        for name, ok, line, seconds in rows(Path(folder), names):
            word = {True: "green", False: "ALARM", None: "left out"}[ok]
            print(f"{name:32} {word:9} {seconds:4.0f} s  {line}", flush=True)
            alarms += ok is False
    sys.exit(alarms > 0)


if __name__ == "__main__":
    main()
