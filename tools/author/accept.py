"""Store what a notebook gives now, on purpose: `make accept` runs this file.

tools/nbsight/accept.py does it, for any notebook. Added here is what holds for
those that are generated: only a notebook whose cells are those that its source
gives is touched, it is written as a build writes it, and `make check` has to
be content afterwards.
"""

import sys

import nbformat

from nbsight import accept
from tools.author import build, check, sources, trust
from tools.frameworks import FRAMEWORKS


def origin(path):
    """Return (lesson, framework) that a notebook is made from, or None.

    Args:
        path: of a notebook; ``FOLDER/numpy/NAME.ipynb`` is generated if there
            is a ``FOLDER/source/NAME.md``.
    """
    framework = path.parent.name
    source = path.parent.parent / "source"
    if framework in FRAMEWORKS and (source / f"{path.stem}.md").exists():
        return sources.read(path.stem, source), framework
    return None


class Generated(accept.Store):
    """Notebooks, of which some are made from a lesson's source."""

    yes = "YES=1"

    def objection(self, path):
        """Refuse a notebook that is not what its source gives."""
        try:
            found = origin(path)
        except sources.LessonError as error:
            return str(error)
        if not found:
            return None
        lesson, framework = found
        generated = lesson.notebook(framework)
        folder = path.parents[1]
        if build.changed_by_hand(path, generated, folder.parent / "build"):
            return build.CHANGED_BY_HAND.format(
                path=path.relative_to(folder.parent),
                source=f"{folder.name}/source/{path.stem}.md",
                only=f"FRAMEWORK={framework} LESSON={path.stem[:2]}",
            )
        notebook = nbformat.read(path, as_version=4)
        return next(check.compare_cells(notebook, generated), None)

    def tidy(self, path, notebook):
        """Do what a build does with its outputs."""
        if origin(path):
            build.tidy(notebook)

    def faults(self, path, draft):
        """Ask the check of the stored notebooks."""
        found = origin(path)
        if not found:
            return []
        return list(check.check_notebook(*found, draft.parents[1]))

    def write(self, path, text):
        """Write it as a build does, with its mark."""
        if not origin(path):
            return super().write(path, text)
        notebook = nbformat.reads(text, as_version=4)
        notebook.metadata = sources.METADATA  # JupyterLab adds its Python's
        folder, before = path.parents[2] / "build", path.read_text("utf-8")
        trust.sign([build.committed(path)])
        return build.put_in_place(notebook, path, folder, before)


if __name__ == "__main__":
    notebooks = [each for each in sys.argv[1:] if each != "--yes"]
    sys.exit(accept.accept(notebooks, "--yes" in sys.argv, Generated()))
