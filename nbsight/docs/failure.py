"""Make the failure that README.md shows: ``python docs/failure.py [PNG]``.

It prints what the check says. The picture of the page needs Chromium.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CODE = """
def losses(epochs, rate=0.3):
    return [(1 - rate) ** epoch for epoch in range(epochs)]
"""
CELLS = [
    new_markdown_cell("## Training"),
    new_code_cell("from training import losses", id="imports"),
    new_code_cell("print(f'last loss {losses(6)[-1]:.4f}')", id="loss"),
    new_code_cell(
        "import matplotlib.pyplot as plt\n\n"
        "plt.figure(figsize=(5, 3))\n"
        "plt.plot(losses(6), label='train')\n"
        "plt.xlabel('epoch')\n"
        "plt.legend()\n"
        "plt.show()",
        id="curve",
    ),
]


def fail(folder: Path) -> str:
    """Accept a notebook, change the code beneath it, return what is said."""
    nbformat.write(new_notebook(cells=CELLS), folder / "lesson.ipynb")
    (folder / "training.py").write_text(CODE)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments, "lesson.ipynb"]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True
        )

    accepted = python("nbsight", "accept", "--yes")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    (folder / "training.py").write_text(CODE.replace("0.3", "0.31"))
    return python("pytest", "--nbval").stdout


def picture(page: Path, to: Path) -> None:
    """Take a picture of a page."""
    options = ["--headless", "--no-sandbox", "--hide-scrollbars"]
    options += ["--window-size=1000,820", f"--screenshot={to.absolute()}"]
    subprocess.run(
        ["chromium", *options, page.as_uri()],
        check=True,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(fail(Path(name)))
        for to in sys.argv[1:]:
            page = Path(name, "build", "nbsight", "lesson-Cell-2.html")
            picture(page, Path(to))
