"""What a failure says, and the page with both runs side by side."""

import base64
import html
from pathlib import Path

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
<table>{rows}</table>
"""


def text(item, path, lines, cell=None):
    """Return the report of one failure, and write the page of its pictures.

    Args:
        item: the pytest item that failed.
        path: of the notebook.
        lines: what is wrong.
        cell: the item, if it is a cell.
    """
    config = item.config
    shown = summary(item, lines)
    if lines[0].startswith("not run"):
        return shown
    if cell is not None and any(_drawn(cell)):
        name = f"{Path(path).with_suffix('')}-{cell.name}"
        found = page(config, name, [(cell, lines)])
        shown += f"\n  both pictures: {found}"
    rerun = config.getini("nbsight_rerun").format(path=short(config, path))
    return f"{shown}\n  rerun: {rerun}"


def summary(item, lines):
    """Return where an item is, and the first lines of what is wrong."""
    shown = [f"  {line}"[:WIDTH] for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN} more")
    return "\n".join([_title(item)[:WIDTH], *shown])


def short(config, path):
    """Return a path as it is shown: within pytest's root without the root."""
    path = Path(path)
    if path.is_relative_to(config.rootpath):
        return path.relative_to(config.rootpath)
    return path


def page(config, name, found):
    """Write what is stored and what came out side by side.

    Args:
        config: pytest's.
        name: of the page, from which its file's name is made.
        found: pairs of a cell's item and the lines of what differs there.

    Returns:
        The path of the page, from the working directory if it is in there.
    """
    name = "-".join(short(config, name).parts).strip("/")
    folder = config.rootpath / config.getini("nbsight_folder")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace(' ', '-').replace('/', '')}.html"
    sections = [_section(item, lines) for item, lines in found]
    title = html.escape(_title(found[0][0]))
    path.write_text(
        PAGE.format(title=title, sections="".join(sections)), "utf-8"
    )
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _title(item):
    """Return where an item is: its notebook, its number, id, heading, code."""
    path = short(item.config, item.path)
    if not hasattr(item, "cell"):  # what concerns the notebook as a whole
        return f"{path}"
    heading = ""
    for cell in item.parent.nb.cells[: item.index]:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading = f' under "{line.strip("# ")}"'
    first = item.cell.source.strip().split("\n")[0]
    name = item.cell.get("id", "no id")
    return f"{path}, {item.name} ({name}){heading}: {first}"


def _pair(item):
    """Return the outputs that are stored, and those that came out."""
    return item.cell.outputs, item.parent.new.cells[item.index].outputs


def _drawn(item):
    """Tell of each output in either run whether it holds a picture."""
    for outputs in _pair(item):
        for output in outputs:
            data = output.get("data", {})
            yield "image/svg+xml" in data or "image/png" in data


def _shown(output):
    """Return one output as HTML: its picture, or else its text."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        content = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{content}">'
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{data["image/png"]}">'
    text = output.get("text") or output.get("evalue")
    text = text or data.get("text/plain") or f"{data}"
    return f"<pre>{html.escape(text)}</pre>"


def _section(item, lines):
    """Return both runs of a cell side by side."""
    stored, new = ([_shown(output) for output in each] for each in _pair(item))
    rows = "<tr><th>stored<th>now"
    for i in range(max(len(stored), len(new))):
        pair = [each[i] if i < len(each) else "none" for each in (stored, new)]
        rows += f"<tr><td>{pair[0]}<td>{pair[1]}"
    return SECTION.format(
        title=html.escape(_title(item)),
        lines="".join(f"<li>{html.escape(line)}" for line in lines),
        rows=rows,
    )
