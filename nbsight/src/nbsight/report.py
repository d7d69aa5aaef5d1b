"""What a failure says, and the page with both runs side by side."""

import base64
import html
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

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
    shown = summary(item, lines)
    if lines[0].startswith("not run"):
        return shown
    if any("<img" in output for run in _outputs(item) for output in run):
        name = f"{item.path.with_suffix('')}-{item.name}"
        shown += f"\n  both pictures: {page(name, [(item, lines)])}"
    path = short(item.config.rootpath, item.path)
    rerun = item.config.getini("nbsight_rerun").format(path=path)
    return f"{shown}\n  rerun: {rerun}"


def summary(item: Any, lines: list[str]) -> str:
    """Return where an item is, and the first lines of what is wrong."""
    shown = [f"  {line}"[:WIDTH] for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN} more")
    return "\n".join([_title(item)[:WIDTH], *shown])


def short(root: Path, path: Path) -> Path:
    """Return a path as it is shown: within the root without the root."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def page(name: str, found: list[tuple[Any, list[str]]]) -> Path:
    """Write what is stored and what came out side by side; return where.

    Each of ``found`` is a cell's item and the lines of what differs there.
    """
    config, title = found[0][0].config, html.escape(_title(found[0][0]))
    folder = config.rootpath / config.getini("nbsight_folder")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[\s/\\:]+", "-", f"{short(config.rootpath, Path(name))}")
    path = folder / f"{name.strip('-')}.html"
    sections = ""
    for item, lines in found:
        pairs = zip_longest(*_outputs(item), fillvalue="none")
        sections += SECTION.format(
            title=html.escape(_title(item)),
            lines="".join(f"<li>{html.escape(line)}" for line in lines),
            rows="".join(f"<tr><td>{old}<td>{new}" for old, new in pairs),
        )
    path.write_text(PAGE.format(title=title, sections=sections), "utf-8")
    return short(Path.cwd(), path)


def _title(item: Any) -> str:
    """Return where an item is: its notebook, its number, id, heading, code."""
    path, heading = short(item.config.rootpath, item.path), ""
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
