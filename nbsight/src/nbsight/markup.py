"""HTML and scripts compared: tables by cells, data in scripts as data."""

import json
import re
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Any, NamedTuple

from . import names
from .texts import Tolerance, changed, first, text_differences
from .tree import NOISE, close, plain_leaf, tree_differences

HIDDEN = "script", "style"  # elements whose text nobody reads
LINKS = "src", "href", "xlink:href", "action"  # say where, not who
CELL, ROWS = ("td", "th"), ("thead", "tbody", "tfoot")
START = re.compile(r"\{\s*\"|\[\s*[\[{\"\d-]")  # of JSON in a script
FLOAT = re.compile(r"(?<![\w.])-?\d{1,99}(?:\.\d{0,99})?(?:e[+-]?\d{1,3})?")
DECODER = json.JSONDecoder()
WINDOW = 4096  # characters of JSON that are looked at first
TRIALS = 10_000  # of what looks like JSON and is not, long ones count more
LONG = 20  # characters; shorter JSON is as good as a word


class Part(NamedTuple):
    """A piece of HTML: a tag, its end, or a text."""

    kind: str  # "<", "</", "text", "script" or "style"
    text: str  # the tag's name, or the text
    attrs: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        """Return it as it stands in HTML."""
        if self.kind not in ("<", "</"):
            return self.text
        attrs = "".join(
            f" {key}" if value is None else f' {key}="{value}"'
            for key, value in self.attrs
        )
        return f"{self.kind}{self.text}{attrs}>"


class Cell(NamedTuple):
    """A cell of a table: its tag and what is inside."""

    start: Part
    inside: list[Part]

    def text(self) -> str:
        """Return what a reader sees of it."""
        shown = (part.text for part in self.inside if part.kind == "text")
        return "".join(shown).strip()


class Row(NamedTuple):
    """A row of a table: its tag, whether it is a header, and its cells."""

    start: Part
    header: bool
    cells: list[Cell]


class Table(NamedTuple):
    """A table: its rows, and what else there is, as captions are."""

    rows: list[Row]
    rest: list[Part]


class Malformed(ValueError):
    """Why a text is no HTML that can be compared by its parts."""


class Parser(HTMLParser):
    """Reads HTML into a list of its parts, in linear time."""

    def __init__(self) -> None:
        """Begin with no parts."""
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []
        self.pieces: list[str] = []
        self.kind = "text"  # of the text that comes

    def read(self, text: str) -> list[Part]:
        """Return the parts of a text.

        Raises:
            Malformed: a tag, comment or script has no end. To find that out
                again for every one of them would take quadratic time.
        """
        try:
            self.feed(text)
            if "<" in self.rawdata or self.cdata_elem:
                raise Malformed
            self.close()
        except AssertionError:  # what the parser says to <![...
            raise Malformed from None
        self._add()
        return self.parts

    def _add(self, *part: Part) -> None:
        """Add the text that has come, and then a part."""
        if self.pieces:
            self.parts.append(Part(self.kind, "".join(self.pieces)))
            self.pieces = []
        self.parts += part

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Add a tag; the order of its attributes means nothing."""
        self._add(Part("<", tag, tuple(sorted(dict(attrs).items()))))
        self.kind = tag if tag in HIDDEN else "text"

    def handle_endtag(self, tag: str) -> None:
        """Add the end of a tag."""
        self._add(Part("</", tag))
        self.kind = "text"

    def handle_data(self, data: str) -> None:
        """Keep a piece of text."""
        self.pieces.append(data)


def markup_differences(
    stored: str, now: str, tolerance: Tolerance, place: str = "text/html"
) -> list[str]:
    """Compare HTML by what it shows; if it is malformed, as text."""
    if stored == now:
        return []
    try:
        old, new = Parser().read(stored), Parser().read(now)
    except Malformed:
        return text_differences(stored, now, tolerance, place)
    known = names.pairs(_names(old), _names(new))
    if known:
        new = [_renamed(part, known) for part in new]
    return _parts(_blocks(old), _blocks(new), tolerance, place)


def _names(parts: list[Part]) -> Iterator[str]:
    """Yield the names in HTML that a reader does not see."""
    for part in parts:
        if part.kind in HIDDEN:
            yield from names.HASH.findall(part.text)
        for key, value in part.attrs:
            if key == "id" and value:
                yield value
            if value and key not in LINKS:
                yield from names.HASH.findall(value)


def _renamed(part: Part, known: dict[str, str]) -> Part:
    if part.kind in HIDDEN:
        return part._replace(text=names.renamed(part.text, known))
    attrs = tuple(
        (key, value if value is None else names.renamed(value, known))
        for key, value in part.attrs
    )
    return part._replace(attrs=attrs)


def _blocks(parts: list[Part]) -> list[Part | Table]:
    """Return the parts of HTML with its tables as such."""
    blocks: list[Part | Table] = []
    depth = 0
    inside: list[Any] = []  # parts of a table
    for part in parts:
        if part.text == "table" and part.kind in ("<", "</"):
            depth += 1 if part.kind == "<" else -1
            if depth == 1 and part.kind == "<":
                inside = []
            if depth == 0 and part.kind == "</":
                blocks += [inside[0], _table(inside[1:]), part]
                continue
        if depth > 0:
            inside.append(part)
        else:
            depth = 0
            blocks.append(part)
    return blocks + inside if depth > 0 else blocks


def _table(parts: list[Part]) -> Table:
    """Return the table that parts make; tables inside stay in their cell."""
    table, depth, head = Table([], []), 0, False
    cell: Cell | None = None
    for part in parts:
        start = part.kind == "<"
        if part.text == "table" and part.kind != "text":
            depth += 1 if start else -1
        tag = "" if depth or part.kind == "text" else part.text
        if tag in ROWS or tag == "tr":
            cell = None
        if tag in ROWS:
            head = start and tag == "thead"
        if start and tag == "tr":
            table.rows.append(Row(part, head, []))
        elif start and tag in CELL:
            cell = Cell(part, [])
            if not table.rows:
                table.rows.append(Row(Part("<", "tr"), head, []))
            table.rows[-1].cells.append(cell)
        elif tag in CELL:
            cell = None
        elif cell:
            cell.inside.append(part)
        elif tag != "tr" and (part.kind != "text" or part.text.strip()):
            table.rest.append(part)
    rows = [
        row._replace(header=row.header or _all_headers(row.cells))
        for row in table.rows
    ]
    return table._replace(rows=rows)


def _all_headers(cells: list[Cell]) -> bool:
    return bool(cells) and all(cell.start.text == "th" for cell in cells)


def _parts(
    old: list[Any], new: list[Any], tolerance: Tolerance, place: str
) -> list[str]:
    """Compare parts in order, up to the first that is of another kind."""
    found: list[str] = []
    behind: list[str] = []  # in scripts and styles
    for one, other in zip_longest(old, new):
        if isinstance(one, Table) and isinstance(other, Table):
            found += _tables(one, other, tolerance)
        elif one == other:
            continue
        elif _kinds(one, other) == {"text"}:
            found += text_differences(one.text, other.text, tolerance, place)
        elif _kinds(one, other) in ({"script"}, {"style"}):
            old_text, text = one.text, other.text
            behind += script_differences(old_text, text, tolerance, one.kind)
        elif pair := _documents(one, other):
            found += markup_differences(*pair, tolerance, f"{place} document")
        else:
            found.append(changed(place, _shown(one), _shown(other)))
            break
    return found + behind


def _kinds(*parts: Part | Table | None) -> set[str]:
    return {part.kind if isinstance(part, Part) else "" for part in parts}


def _documents(one: Any, other: Any) -> tuple[str, str] | None:
    """Return the HTML inside two tags that differ only by that, or None."""
    if _kinds(one, other) != {"<"} or one.text != other.text:
        return None
    old, new = dict(one.attrs), dict(other.attrs)
    documents = old.pop("srcdoc", None), new.pop("srcdoc", None)
    if old != new or None in documents:
        return None
    return documents[0] or "", documents[1] or ""


def _shown(part: Part | Table | None) -> str:
    """Return in a word what a part is."""
    return "table" if isinstance(part, Table) else str(part or "the end")


def _tables(old: Table, new: Table, tolerance: Tolerance) -> list[str]:
    """Compare two tables, cell by cell."""
    found = _parts(old.rest, new.rest, tolerance, "table")
    for word, header in (("header rows", True), ("rows", False)):
        counts = [
            sum(row.header is header for row in table.rows)
            for table in (old, new)
        ]
        if counts[0] != counts[1]:
            found.append(f"table: stored {counts[0]} {word}, now {counts[1]}")
    columns, numbers = _columns(old), _Scales(old)
    bodies = 0
    for one, other in zip(old.rows, new.rows, strict=False):
        bodies += not one.header
        row = "table header" if one.header else f"table row {bodies}"
        if one.start != other.start:
            found.append(changed(row, str(one.start), str(other.start)))
        if len(one.cells) != len(other.cells):
            counts = [len(each.cells) for each in (one, other)]
            found.append(f"{row}: stored {counts[0]} cells, now {counts[1]}")
        for i, pair in enumerate(zip(one.cells, other.cells, strict=False)):
            if pair[0] == pair[1]:
                continue
            right = len(one.cells) - i
            name = f"column {i + 1}"
            if not one.header and columns.get(right):
                name = f'column "{columns[right]}"'
            lines = _cell(*pair, tolerance, f"{row}, {name}")
            if not (lines and numbers.noise(*pair, right)):
                found += lines
    return found


def _cell(old: Cell, new: Cell, tolerance: Tolerance, place: str) -> list[str]:
    """Compare two cells: the tag with its spans, then what is inside."""
    if old.start != new.start:
        tags = changed(place, str(old.start), str(new.start))
        return [tags, *_parts(old.inside, new.inside, tolerance, place)]
    return _parts(old.inside, new.inside, tolerance, place)


def _columns(table: Table) -> dict[int, str]:
    """Return the columns' names, counted from the right.

    There, because labels of rows that span several are not repeated. What
    stands above several columns is left out.
    """
    headers = [row.cells for row in table.rows if row.header]
    widest = max(map(len, headers), default=0)
    names: dict[int, list[str]] = {}
    for cells in headers:
        if len(cells) == widest:
            for i, cell in enumerate(cells):
                names.setdefault(widest - i, []).append(cell.text())
    return {
        at: " ".join(filter(None, each))[:40] for at, each in names.items()
    }


class _Scales:
    """Of each column, the largest number in it; read when it is needed."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.largest: dict[int, float] | None = None

    def noise(self, old: Cell, new: Cell, column: int) -> bool:
        """Tell whether two cells differ by what is noise in their column."""
        one, other = _number(old), _number(new)
        if one is None or other is None or old.start != new.start:
            return False
        if self.largest is None:
            self.largest = {}
            for row in self.table.rows:
                for i, cell in enumerate(row.cells):
                    at, number = len(row.cells) - i, _number(cell)
                    size = abs(number or 0.0)
                    self.largest[at] = max(self.largest.get(at, 0.0), size)
        return abs(one - other) <= NOISE * self.largest.get(column, 0.0)


def _number(cell: Cell) -> float | None:
    """Return the finite number that a cell shows, if it shows one."""
    text = cell.text()
    if len(text) > 40 or not re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e300 else None


def script_differences(
    stored: str, now: str, tolerance: Tolerance, place: str
) -> list[str]:
    """Compare scripts and styles: JSON in them as such, the rest as text."""
    if stored == now:
        return []
    old, new = list(_pieces(stored)), list(_pieces(now))
    if len(old) != len(new):
        return text_differences(stored, now, tolerance, place)
    found = []
    leaf = partial(plain_leaf, tolerance)
    for i, (one, other) in enumerate(zip(old, new, strict=True)):
        if isinstance(one, str) and isinstance(other, str):
            found += _code(one, other, tolerance, place)
        else:
            name = re.search(r"(\w+) *[=:] *$", old[i - 1][-99:])
            at = name[1] if name else f"{place} value {(i + 1) // 2}"
            found += tree_differences(one, other, at, leaf)
    return found


def _code(old: str, new: str, tolerance: Tolerance, place: str) -> list[str]:
    """Compare code, whose numbers have all their digits, unlike printed."""
    found = text_differences(old, new, tolerance, place)
    if found or old == new:
        return first(found, " lines")
    pairs = zip(FLOAT.findall(old), FLOAT.findall(new), strict=False)
    found = [
        f"{place}: stored {one}, now {other}"
        for one, other in pairs
        if one != other and not close(float(one), float(other), tolerance)
    ]
    return first(found, " numbers")


def _pieces(text: str) -> Iterator[Any]:
    """Yield in turn the texts of a script and the JSON between them."""
    done = at = failed = 0
    while failed < TRIALS and (start := START.search(text, at)):
        at = start.start()
        value, length = _decoded(text, at)
        if value is not None and length >= LONG:
            yield text[done:at]
            yield value
            done = at + length
        elif value is None:
            failed += 1 + length // WINDOW
        at += 1 if value is None else length
    yield text[done:]


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """Return JSON that begins at a place or None, and what was read.

    An error costs time for all characters before it, so a part is tried.
    """
    window = text[at : at + WINDOW]
    try:
        return DECODER.raw_decode(window)
    except json.JSONDecodeError as error:
        cut = "Unterminated" in error.msg or error.pos > WINDOW - 99
        if not cut:
            return None, error.pos
    except (ValueError, RecursionError):  # thousands of digits or brackets
        return None, len(text)
    try:
        return DECODER.raw_decode(text[at:])
    except (ValueError, RecursionError):
        return None, len(text)
