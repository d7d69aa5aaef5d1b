"""What a failure says, and the page with both runs side by side."""

import base64
import html
import json
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

from . import MIME
from .places import ANSI

SHOWN = 5  # differences in one report
WIDTH = 160  # characters in one line
# On a page, of one text, of one picture, and of the outputs of one cell: so
# many characters are shown; that there are more is said.
TEXT, PICTURE, ROOM = 20_000, 5_000_000, 20_000_000
# What would move a terminal's cursor, colour it, or turn the text around.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufeff\ud800-\udfff]"
)
MAGIC = {  # how the pictures begin that are shown
    "image/png": b"\x89PNG\r\n",
    "image/jpeg": b"\xff\xd8",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
WORD = re.compile(r"(\s+|[][(){},;:=<>|]+)")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 2em auto; max-width: 90em; padding: 0 1em }}
h1 {{ font-size: 1.2em; overflow-wrap: anywhere }}
code, pre {{ font: 14px/1.4 ui-monospace, monospace }}
pre {{ margin: 0; overflow: auto; max-height: 40em; white-space: pre-wrap;
  overflow-wrap: anywhere }}
.faults, .source {{ border-left: .3em solid #c33; padding: .5em 1em;
  background: #8882 }}
.source {{ border-color: #888; margin: 1em 0; max-height: 20em }}
table {{ border-collapse: collapse; table-layout: fixed; width: 100% }}
th, td {{ border: 1px solid #8888; padding: .6em; vertical-align: top;
  text-align: left }}
.differs td {{ border-top: 3px solid #c33 }}
mark {{ background: #fc58; color: inherit; outline: 1px solid #c80 }}
img {{ background: #fff; max-width: 100% }}
summary, small {{ font-size: .85em; opacity: .7 }}
</style>
{sections}
<p>Run it again: <code>{rerun}</code>
</html>
"""
SECTION = """<h1>{title}</h1>
<pre class="faults">{lines}</pre>
<pre class="source">{source}</pre>
<table><tr><th>stored<th>now{rows}</table>
"""


def text(item: Any, lines: list[str]) -> str:
    """Return the report of a failure; write a page with both outputs."""
    shown = summary(item, lines)
    if lines[0].startswith("not run"):
        return shown
    if item.cell:
        name = f"{item.path.with_suffix('')}-{item.name}"
        shown += f"\n  {_both(item)}: {page(name, [(item, lines)])}"
    return f"{shown}\n  rerun: {_rerun(item)}"


def summary(item: Any, lines: list[str]) -> str:
    """Return where an item is, and the first lines of what is wrong."""
    shown = [f"  {_short(visible(line))}" for line in lines[:SHOWN]]
    # GitHub's runners obey lines that begin like this.
    shown = [re.sub(r"^\s*::", "  : :", line) for line in shown]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN} more")
    return "\n".join([_title(item)[:WIDTH], *shown])


def _short(line: str) -> str:
    """Return a line in its width: where it is, and what it ends with."""
    return (
        line if len(line) < WIDTH else f"{line[:60]} ... {line[60 - WIDTH :]}"
    )


def short(root: Path, path: Path) -> Path:
    """Return a path as it is shown: within the root without the root."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def folder(config: Any) -> Path:
    """Return where pages are written."""
    return Path(config.rootpath / config.getini("nbsight_folder"))


def visible(text: str) -> str:
    """Return a text in one line, with escapes for what cannot be seen."""
    return _controlled(text).replace("\n", "\\n")


def _controlled(text: str) -> str:
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


def page(name: str, found: list[tuple[Any, list[str]]]) -> str:
    """Write what is stored and what came out side by side; return where.

    Each of ``found`` is a cell's item and the lines of what differs there.
    Where nothing can be written, the reason is returned.
    """
    item = found[0][0]
    root = item.config.rootpath
    name = re.sub(r"[\s/\\:]+", "-", f"{short(root, Path(name))}").strip("-")
    path = folder(item.config) / f"{name}.html"
    content = PAGE.format(
        title=_escape(_title(item)),
        sections="".join(_section(*each) for each in found),
        rerun=_escape(_rerun(item)),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    except OSError as error:
        return f"not written, {error.strerror}: {visible(str(path))}"
    return visible(str(short(Path.cwd(), path)))


def _rerun(item: Any) -> str:
    """Return the command that verifies a notebook."""
    path = visible(str(short(item.config.rootpath, item.path)))
    return str(item.config.getini("nbsight_rerun")).replace("{path}", path)


def _title(item: Any) -> str:
    """Return where an item is: its notebook, its number, id, heading, code."""
    path, heading = short(item.config.rootpath, item.path), ""
    if not item.cell:  # what concerns the notebook as a whole
        return visible(f"{path}")
    for cell in item.parent.nb.cells[: item.index]:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading = f' under "{line.strip("# ")}"'
    first = item.cell.source.strip().partition("\n")[0]
    name = item.cell.get("id", "no id")
    heading = _short(heading)
    return visible(f"{path}, {item.name} ({name}){heading}: {first}"[:999])


def _both(item: Any) -> str:
    """Return what stands side by side on the page of a cell."""
    for outputs in item.pair:
        if any(
            "image/" in mime for o in outputs for mime in o.get("data", {})
        ):
            return "both pictures"
    return "both outputs"


def _section(item: Any, lines: list[str]) -> str:
    """Return what differs in a cell, and its outputs, as HTML."""
    rows, source = "", ""
    if item.cell:
        source, pairs = item.cell.source, list(zip_longest(*item.pair))
        for i, (old, now) in enumerate(pairs):
            if len(rows) > ROOM:
                rows += f"<tr><td colspan=2>and {len(pairs) - i} more"
                break
            row = "<tr>" if old == now else '<tr class="differs">'
            rows += f"{row}<td>{_shown(old, now)}<td>{_shown(now, old)}"
    return SECTION.format(
        title=_escape(_title(item)),
        lines=_escape(_cut("\n".join(lines))),
        source=_escape(_cut(source)),
        rows=rows,
    )


def _shown(output: Any, other: Any) -> str:
    """Return one output as HTML, its words marked that the other has not."""
    if output is None:
        return "<small>none</small>"
    parts, others = _texts(output), _texts(other or {})
    data = output.get("data", {})
    best = sorted(data, key=lambda mime: "svg" not in mime)
    images = [image for mime in best if (image := _image(mime, data[mime]))]
    shown = "".join(images[:1])
    for name, text in parts.items():
        if other is None or name not in others:
            words = _escape(_cut(text))
        else:
            words = _marked(_cut(text), _cut(others[name]))
        words = f"<pre>{words}</pre>"
        if name not in ("text/plain", "stdout"):
            folded = "text/plain" in parts
            words = f"<summary>{_escape(_cut(name))}</summary>{words}"
            words = f"<details{'' if folded else ' open'}>{words}</details>"
        shown += words
    return shown


def _texts(output: Any) -> dict[str, str]:
    """Return the texts of an output by their kinds."""
    if "name" in output:
        return {output["name"]: output["text"]}
    if "ename" in output:
        traceback = ANSI.sub("", "\n".join(output["traceback"]))
        said = f"{output['ename']}: {output['evalue']}"
        return {"error": said, "traceback": traceback}
    texts = {}
    for mime, data in sorted(
        output.get("data", {}).items(),
        key=lambda each: each[0] != "text/plain",
    ):
        if isinstance(data, str) and not _image(mime, data):
            texts[mime] = data
        elif not isinstance(data, str) and mime != MIME:
            texts[mime] = json.dumps(data, indent=1, ensure_ascii=False)
    return texts


def _image(mime: str, data: Any) -> str:
    """Return a picture as HTML, or nothing if it is none."""
    if not isinstance(data, str):
        return ""
    content = b""
    if mime == "image/svg+xml":
        content = data.encode("utf-8", "replace")
    elif mime in MAGIC:
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except ValueError:  # then it is shown as a text
            return ""
        if not content.startswith(MAGIC[mime]):
            return ""
    if len(content) > PICTURE:
        return f"<small>{mime}: {len(content)} bytes, not shown</small>"
    packed = base64.b64encode(content).decode()
    return f'<img src="data:{mime};base64,{packed}">' if content else ""


def _cut(text: str) -> str:
    """Return what there is room for of a text."""
    if len(text) <= TEXT:
        return text
    return f"{text[:TEXT]}\n... cut here; {len(text)} characters in all"


def _escape(text: str) -> str:
    """Return a text as HTML that shows it and does nothing else."""
    return html.escape(_controlled(text))


def _marked(text: str, other: str) -> str:
    """Return a text as HTML, what another text has not is marked."""
    lines, others = text.split("\n"), other.split("\n")
    known = set(others)
    if len(lines) != len(others):
        others = [line if line in known else "" for line in lines]
    shown = []
    for line, beside in zip(lines, others, strict=True):
        words, against = WORD.split(line), WORD.split(beside)
        if line == beside or len(lines) < 3:  # its report says it
            shown.append(_escape(line))
        elif len(words) != len(against):
            shown.append(f"<mark>{_escape(line)}</mark>")
        else:
            shown.append(
                "".join(
                    _escape(word)
                    if word == its
                    else f"<mark>{_escape(word)}</mark>"
                    for word, its in zip(words, against, strict=True)
                )
            )
    return "\n".join(shown)
