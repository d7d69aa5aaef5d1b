"""Write notebooks: the one way, in one move, and over nobody's work."""

import hashlib
import json
import os
from decimal import Decimal
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.author import trust

# A handle into a living kernel: nothing that a reader of a file could see.
WIDGET = "application/vnd.jupyter.widget-view+json"
BY_HAND = """\
{path}: changed by hand, so it is left as it is.
  to keep the change: put it into {source}
      (or save the notebook under another name, outside notebooks/)
  to drop the change: make notebooks FORCE=1 {only}"""


def content_hash(notebook: NotebookNode) -> str:
    """Hash what a person edits in a notebook: cells, their order, their tags.

    Outputs are not part of it: running a notebook is no edit.
    """
    cells = []
    for cell in notebook.cells:
        kept = cell.metadata.get("tags", []), cell.get("attachments", {})
        cells.append([cell.cell_type, cell.source, *kept])
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def marks(path: Path) -> Path:
    """Return the folder that has a mark for each notebook written here."""
    return path.parents[2] / "build" / "written"


def changed_by_hand(path: Path, generated: NotebookNode) -> str | None:
    """Say that a build would destroy somebody's work, and the remedy.

    None when the cells are those that the source gives now, those of the last
    commit, or those that an earlier build wrote here.
    """
    if not path.exists():
        return None
    committed = map(trust.read, trust.committed(path.parent, name=path.name))
    ours = map(content_hash, [generated, *filter(None, committed)])
    notebook = trust.read(path.read_bytes())
    if notebook is not None:  # else it is no more our own writing
        found = content_hash(notebook)
        if found in ours or (marks(path) / found).exists():
            return None
    folder = path.parents[1]
    return BY_HAND.format(
        path=path.relative_to(folder.parent),
        source=f"{folder.name}/source/{path.stem}.md",
        only=f"FRAMEWORK={path.parent.name} LESSON={path.stem[:2]}",
    )


def number(text: str) -> int | float:
    """Return a JSON number as JavaScript writes it: 100, and not 100.0."""
    value = float(text)
    whole = value.is_integer() and abs(value) < 1e21
    return int(Decimal(text)) if whole else value


def dumps(notebook: NotebookNode) -> str:
    """Write a notebook the one way: sorted, indented, with a last newline.

    Numbers are written so that saving it in JupyterLab changes none.
    """
    plain = json.loads(json.dumps(notebook), parse_float=number)
    text: str = nbformat.writes(nbformat.from_dict(plain))
    return text.rstrip("\n") + "\n"


def put_in_place(
    notebook: NotebookNode, path: Path, before: str | None = None
) -> None:
    """Write a notebook in one move; the mark goes first.

    It was executed here, so Jupyter may show its figures here; of what is
    kept from ``before`` (a text), it may if it did already.
    """
    text = dumps(notebook)
    written = marks(path)
    written.mkdir(parents=True, exist_ok=True)
    (written / content_hash(notebook)).touch()
    partial = f"{path.parent.name}-{path.stem}-{os.getpid()}.partial"
    (written.parent / partial).write_text(text, encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    (written.parent / partial).replace(path)
    trust.sign([text], before)


def named(cell: NotebookNode) -> str:
    """Return what a person recognizes a cell by."""
    first = (cell.source.splitlines() or [""])[0]
    return f'cell {cell.get("id")} ("{first}")'


def explain(error: Exception, notebook: NotebookNode) -> str:
    """Say in a few lines which cell failed, and how."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{named(cell)}: {output.ename}: {output.evalue}"
    return f"{type(error).__name__}: {error}"


def tidy(notebook: NotebookNode) -> None:
    """Take out of the outputs, in place, what no reader and no check needs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
