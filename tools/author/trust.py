"""Let Jupyter show the stored figures, before `make lab` opens them.

Jupyter shows no picture of a notebook that it does not trust. It trusts what
this user has run or signed (`jupyter trust`). Signed here is what git's last
commit holds, not what lies in the folder: a signature is one of a notebook's
contents, wherever the file is. So the lessons are trusted as they were
published, and what somebody changed, added, linked or staged is not.

A student's sandbox sees this file and nothing else of tools.
"""

import contextlib
import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterable
from pathlib import Path

import nbformat
from jupyter_core.paths import jupyter_data_dir
from nbformat import NotebookNode
from nbformat.sign import NotebookNotary

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
ONE_AT_A_TIME = threading.Lock()  # the first makes the user's key


def committed(
    folder: str | Path, revision: str = "HEAD", name: str = "."
) -> list[bytes]:
    """Return the texts of notebooks that a git revision holds in a folder.

    All of them, or that of a name; where git knows nothing, there are none.
    """
    git = ["git", "archive", revision, name]
    try:
        held = subprocess.run(git, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or not in it
        return []
    with tarfile.open(fileobj=io.BytesIO(held.stdout)) as files:
        found = [file for file in files if file.name.endswith(".ipynb")]
        read = [files.extractfile(file) for file in found if file.isfile()]
        return [file.read() for file in read if file]


def read(text: str | bytes) -> NotebookNode | None:
    """Return a notebook, or None where it is broken: Jupyter will say it."""
    try:
        return nbformat.reads(text, as_version=4)
    except Exception:  # of many kinds
        return None


def sign(texts: Iterable[str | bytes], before: str | None = None) -> None:
    """Sign notebooks for this user; where that fails, say so and go on.

    What is broken is passed over. If not all of it was executed now, the
    notebook that it is made of (``before``) must be trusted already.
    """
    data = Path(jupyter_data_dir())
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ONE_AT_A_TIME:
            notary = NotebookNotary(data_dir=str(data))
            with contextlib.closing(notary.store):
                if before and not notary.check_signature(read(before)):
                    return
                for notebook in filter(None, map(read, texts)):
                    notary.sign(notebook)
    except Exception as error:  # a home that cannot be written, and the like
        print(f"Jupyter may hide stored figures: {error}", file=sys.stderr)


def published(folder: str | Path = NOTEBOOKS, revision: str = "HEAD") -> None:
    """Sign the notebooks that a revision holds, if git knows any."""
    texts = committed(folder, revision)
    sign(texts)
    if not texts:
        print("Not a git clone: `jupyter trust NOTEBOOK` shows its figures.")
