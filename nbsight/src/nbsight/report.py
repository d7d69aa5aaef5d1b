"""What a failure says, and the page with both runs side by side."""

import base64
import html
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

SHOWN = 5  # differences in one report
WIDTH = 160  # characters in one line

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>td {{ vertical-align: top; padding: 1em; border: 1px solid }}</style>
{sections}
"""
SECTION = """<h1>{title}</h1>
<ul>{lines}</ul>
<table><tr><th>stored<th>now{rows}</table>
"""


def text(item: Any, lines: list[str]) -> str:
    """Return the report of a failure; write a page if there are pictures."""
    shown, config = summary(item, lines), item.config
    if lines[0].startswith("not run"):
        return shown
    if any("<img" in output for run in _outputs(item) for output in run):
        name = f"{item.path.with_suffix('')}-{item.name}"
        found = page(config, name, [(item, lines)])
        shown += f"\n  both pictures: {found}"
    rerun = config.getini("nbsight_rerun").format(
        path=short(config, item.path)
    )
    return f"{shown}\n  rerun: {rerun}"


def summary(item: Any, lines: list[str]) -> str:
    """Return where an item is, and the first lines of what is wrong."""
    shown = [f"  {line}"[:WIDTH] for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN} more")
    return "\n".join([_title(item)[:WIDTH], *shown])


def short(config: pytest.Config, path: Path) -> Path:
    """Return a path as it is shown: within pytest's root without the root."""
    return _without(config.rootpath, path)


def _without(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def page(config: pytest.Config, name: str, found: list[Any]) -> Path:
    """Write what is stored and what came out side by side; return where.

    Each of ``found`` is a cell's item and the lines of what differs there.
    """
    name = "-".join(short(config, Path(name)).parts).strip("/")
    folder = config.rootpath / config.getini("nbsight_folder")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace(' ', '-').replace('/', '')}.html"
    sections = [_section(item, lines) for item, lines in found]
    title = html.escape(_title(found[0][0]))
    text = PAGE.format(title=title, sections="".join(sections))
    path.write_text(text, "utf-8")
    return _without(Path.cwd(), path)


def _title(item: Any) -> str:
    """Return where an item is: its notebook, its number, id, heading, code."""
    path, heading = short(item.config, item.path), ""
    if not item.cell:  # what concerns the notebook as a whole
        return f"{path}"
    for cell in item.parent.nb.cells[: item.index]:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading = f' under "{line.strip("# ")}"'
    first = item.cell.source.strip().partition("\n")[0]
    name = item.cell.get("id", "no id")
    return f"{path}, {item.name} ({name}){heading}: {first}"


def _outputs(item: Any) -> list[list[str]]:
    """Return what is stored and what came out, as HTML."""
    if not item.cell:
        return []
    new = item.parent.new.cells[item.index]
    return [[_shown(each) for each in c.outputs] for c in (item.cell, new)]


def _shown(output: Any) -> str:
    """Return one output as HTML: its picture, or else its text."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        content = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{content}">'
    if "image/png" in data:
        content = html.escape(data["image/png"])
        return f'<img src="data:image/png;base64,{content}">'
    text = output.get("text") or output.get("evalue")
    text = text or data.get("text/plain") or f"{data}"
    return f"<pre>{html.escape(text)}</pre>"


def _section(item: Any, lines: list[str]) -> str:
    """Return both runs of a cell side by side."""
    return SECTION.format(
        title=html.escape(_title(item)),
        lines="".join(f"<li>{html.escape(line)}" for line in lines),
        rows="".join(
            f"<tr><td>{stored}<td>{new}"
            for stored, new in zip_longest(*_outputs(item), fillvalue="none")
        ),
    )
