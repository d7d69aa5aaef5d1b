"""What a failure says, and the page with both pictures beside it."""

import base64
import html
from pathlib import Path

SHOWN = 5  # differences in one report
WIDTH = 160  # characters in one line

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>td {{ vertical-align: top; padding: 1em; border: 1px solid }}</style>
<h1>{title}</h1>
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
    path = Path(path)
    if path.is_relative_to(config.rootpath):
        path = path.relative_to(config.rootpath)
    title = f"{path}"
    if cell is not None:
        title = f"{path}, {_place(cell)}"
    if lines[0].startswith("not run"):
        return f"{title[:WIDTH]}\n  {lines[0]}"
    shown = [f"  {line}"[:WIDTH] for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN} more")
    if cell is not None:
        page = _page(cell, path, title, lines)
        if page:
            shown.append(f"  both pictures: {page}")
    rerun = config.getini("nbsight_rerun").format(path=path)
    return "\n".join([title[:WIDTH], *shown, f"  rerun: {rerun}"])


def _place(item):
    """Return where a cell is: its number, its id, its heading, its code."""
    heading = ""
    for cell in item.parent.nb.cells[: item.index]:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading = f' under "{line.strip("# ")}"'
    first = item.cell.source.strip().split("\n")[0]
    name = item.cell.get("id", "no id")
    return f"{item.name} ({name}){heading}: {first}"


def _pictures(outputs):
    """Return the pictures among outputs as HTML."""
    for output in outputs:
        data = output.get("data", {})
        if "image/svg+xml" in data:
            content = base64.b64encode(data["image/svg+xml"].encode()).decode()
            kind = "svg+xml"
        elif "image/png" in data:
            content, kind = data["image/png"], "png"
        else:
            continue
        yield f'<img src="data:image/{kind};base64,{content}">'


def _page(item, path, title, lines):
    """Write both runs' pictures side by side; return where, or None."""
    stored = list(_pictures(item.cell.outputs))
    new = list(_pictures(item.parent.new.cells[item.index].outputs))
    if not stored and not new:
        return None
    rows = "<tr><th>stored<th>now"
    for i in range(max(len(stored), len(new))):
        pair = [each[i] if i < len(each) else "none" for each in (stored, new)]
        rows += f"<tr><td>{pair[0]}<td>{pair[1]}"
    folder = item.config.rootpath / item.config.getini("nbsight_folder")
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join([*path.with_suffix("").parts, item.name]).strip("/")
    page = folder / f"{name.replace(' ', '-').replace('/', '')}.html"
    page.write_text(
        PAGE.format(
            title=html.escape(title),
            lines="".join(f"<li>{html.escape(line)}" for line in lines),
            rows=rows,
        ),
        "utf-8",
    )
    if page.is_relative_to(item.config.rootpath):
        page = page.relative_to(item.config.rootpath)
    return page
