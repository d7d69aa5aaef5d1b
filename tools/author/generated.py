"""Store what a generated notebook gives now, on purpose: `make accept`.

``nbsight.accept`` does it, for any notebook. Added here is what holds for
those that are generated: only a notebook whose cells are those that a sound
source gives is touched, and it is written as a build writes it.
"""

from pathlib import Path

import nbformat
from nbsight.accept import Store

from tools.author import check, house_rules, notebooks, sources, trust
from tools.frameworks import FRAMEWORKS


def is_generated(path: Path) -> bool:
    """Tell whether ``F/numpy/NAME.ipynb`` has its ``F/source/NAME.md``."""
    source = path.parents[1] / "source" / f"{path.stem}.md"
    return path.parent.name in FRAMEWORKS and source.exists()


class Generated(Store):
    """Notebooks, of which some are made from a lesson's source."""

    yes = "YES=1"
    tags = ""  # they stand in the source

    def objection(self, path: Path) -> str | None:
        """Refuse a notebook that is not what its source gives."""
        if not is_generated(path):
            return None
        source = path.parents[1] / "source"
        lessons, found = house_rules.sound(source, path.stem)
        if found:
            return found[0]
        generated = lessons[0].notebook(path.parent.name)
        by_hand = notebooks.changed_by_hand(path, generated)
        if by_hand:
            return by_hand
        notebook = nbformat.read(path, as_version=4)
        return next(check.compare_cells(notebook, generated), None)

    def write(self, path: Path, text: str) -> None:
        """Write it as a build does, with its mark."""
        if not is_generated(path):
            super().write(path, text)
            return
        notebook = nbformat.reads(text, as_version=4)
        notebook.metadata = sources.METADATA  # JupyterLab adds its Python's
        notebooks.tidy(notebook)
        trust.sign(trust.committed(path.parent, name=path.name))
        notebooks.put_in_place(notebook, path, path.read_text("utf-8"))
