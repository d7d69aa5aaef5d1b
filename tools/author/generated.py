"""Store what a generated notebook gives now, on purpose: `make accept`.

``nbsight.accept`` does it, for any notebook. Added here is what holds for
those that are generated: only a notebook whose cells are those that its source
gives is touched, it is written as a build writes it, and `make check` has to
be content afterwards.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbsight.accept import Store

from tools.author import check, house_rules, notebooks, sources, trust
from tools.frameworks import FRAMEWORKS


def origin(path: Path) -> tuple[sources.Lesson, str] | None:
    """Return the lesson and framework that a notebook is made from, if any.

    ``FOLDER/numpy/NAME.ipynb`` is generated if there is a
    ``FOLDER/source/NAME.md``.
    """
    framework = path.parent.name
    source = path.parent.parent / "source"
    if framework in FRAMEWORKS and (source / f"{path.stem}.md").exists():
        return sources.read(path.stem, source), framework
    return None


class Generated(Store):
    """Notebooks, of which some are made from a lesson's source."""

    yes = "YES=1"

    def objection(self, path: Path) -> str | None:
        """Refuse a notebook that is not what its source gives."""
        try:
            found = origin(path)
        except sources.LessonError as error:
            return str(error)
        if not found:
            return None
        lesson, framework = found
        generated = lesson.notebook(framework)
        notebook = nbformat.read(path, as_version=4)
        return notebooks.changed_by_hand(path, generated) or next(
            check.compare_cells(notebook, generated), None
        )

    def tidy(self, path: Path, notebook: NotebookNode) -> None:
        """Do what a build does with its outputs."""
        if origin(path):
            notebooks.tidy(notebook)

    def faults(self, path: Path, draft: Path) -> list[str]:
        """Ask the check of sources and stored notebooks."""
        found = origin(path)
        if not found:
            return []
        broken = house_rules.problems(found[0])
        return [*broken, *check.check_notebook(*found, draft.parents[1])]

    def write(self, path: Path, text: str) -> None:
        """Write it as a build does, with its mark."""
        if not origin(path):
            super().write(path, text)
            return
        notebook = nbformat.reads(text, as_version=4)
        notebook.metadata = sources.METADATA  # JupyterLab adds its Python's
        trust.sign(trust.committed(path.parent, name=path.name))
        notebooks.put_in_place(notebook, path, path.read_text("utf-8"))
