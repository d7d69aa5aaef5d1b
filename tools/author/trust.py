"""Let Jupyter show the stored figures: `make lab` runs this file first.

Jupyter shows no picture of a notebook that it does not trust. It trusts what
this user has run or signed (`jupyter trust`). Signed here is what git's last
commit holds, not what lies in the folder: a signature is one of a notebook's
contents, wherever the file is. So the lessons are trusted as they were
published, and what somebody changed, added, linked or staged is not.
"""

import contextlib
import io
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import nbformat
from jupyter_core.paths import jupyter_data_dir
from nbformat.sign import NotebookNotary

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
ONE_AT_A_TIME = threading.Lock()  # the first makes the user's key


def committed(folder, revision="HEAD"):
    """Return the text of each notebook that git holds below a folder.

    Raises:
        OSError, subprocess.CalledProcessError: no git, or no such revision.
    """
    git = ["git", "archive", revision]
    held = subprocess.run(git, cwd=folder, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(held.stdout)) as files:
        return [
            files.extractfile(file).read()
            for file in files
            if file.isfile() and file.name.endswith(".ipynb")
        ]


def read(text):
    """Return a notebook, or None where it is broken: Jupyter will say it."""
    try:
        return nbformat.reads(text, as_version=4)
    except Exception:  # of many kinds
        return None


def sign(texts, before=None):
    """Sign notebooks for this user; where that fails, say so and go on.

    Args:
        texts: of notebooks; what is broken is passed over.
        before: of the notebook that they are made from, if not all of them
            was executed now: it must be trusted already.
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


def main(folder=NOTEBOOKS, revision="HEAD"):
    """Sign what a revision holds below a folder, if git knows it."""
    try:
        sign(committed(folder, revision))
    except (OSError, subprocess.CalledProcessError):
        print("Not a git clone: `jupyter trust NOTEBOOK` shows its figures.")


if __name__ == "__main__":
    main(*sys.argv[1:])
