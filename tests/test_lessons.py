"""What the prose of the lessons promises."""

import ast
import re
from functools import cache

import pytest
from printed import NUMBER

from tools.author import sources
from tools.quality.in_process import run_lesson

# What is no measurement is marked so: <!-- unmeasured: 1890 (a date) -->
MARKED = re.compile(r"<!-- unmeasured:(.*?)-->", re.S)
# Formulas of their own, code, links, and the names of lessons and sources.
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->"
    r"|[Ll]esson 0\d|Exercise \d+|(?<!,)\b00\d\b|^# 0\d|^\d+\. ",
    re.S | re.M,
)
EXPONENT = re.compile(r"[_^](?:\{[^}]*\}|.)|\\t?frac\{?\d\}?\{?\d\}?")


def numbers_in(prose):
    """Return the numbers that a prose cell states, as they are written."""
    marked = {
        number
        for words in MARKED.findall(prose)
        for number in NUMBER.findall(words)
    }
    text = EXPONENT.sub(" ", NO_PROSE.sub(" ", prose))
    text = plain(text.replace("\N{MINUS SIGN}", "-"))
    text = re.sub(r"(?<=[\w)])-(?=\d)", " ", text)  # 5-95: no minus
    found = re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e-?\d+)?", text)
    return [n for n in found if n not in marked]


def plain(text):
    """Return a text with 25 600 and 25,600 written as 25600."""
    return re.sub(r"(?<=\d)[ ,](?=\d{3}\b)", "", text)


def vouched_for(number, values):
    """Tell whether one of the values, rounded as the prose does, is it."""
    digits = len(number.partition("e")[0].partition(".")[2])
    if "e" in number:
        return any(
            f"{value:.{digits}e}" == f"{float(number):.{digits}e}"
            for value in values
        )
    return any(round(value, digits) == float(number) for value in values)


@cache
def numbers_shown(name):
    """Return {cell id: the numbers that it prints, sets or asserts}."""
    found = {
        ran.id: [float(n) for n in NUMBER.findall(plain(ran.printed))]
        for ran in run_lesson(name, "numpy")
    }
    for cell in sources.read(name).cells_of("numpy"):
        if cell.kind == "code":
            found[cell.id] += constants(ast.parse(cell.source))
    return found


def constants(node):
    """Yield the numbers in code; those that only steer it are left out."""
    steers = isinstance(node, ast.Subscript) or (
        isinstance(node, ast.Call) and ast.unparse(node.func) == "range"
    )
    if isinstance(node, ast.keyword):
        steers = node.arg in ("axis", "dim", "figsize", "keepdims")
    if steers:
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        for value in constants(node.operand):
            yield -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from constants(child)


@pytest.mark.parametrize("name", sources.names())
def test_every_number_in_the_prose_is_printed_or_used_by_a_cell(name):
    shown = [n for numbers in numbers_shown(name).values() for n in numbers]
    missing = [
        f"{number} (line {cell.line}, {cell.heading})"
        for cell in sources.read(name).cells
        for prose in (cell.alt, cell.source * (cell.kind == "markdown"))
        for number in numbers_in(prose)
        if not vouched_for(number, shown)
    ]
    assert not missing, "no cell vouches for: " + "; ".join(missing)


@pytest.mark.parametrize(
    ("prose", "found"),
    [
        ("It falls to 0.38, in 20 steps.", ["0.38", "20"]),
        ("from -45.92 to 25 600", ["-45.92", "25600"]),
        ("at $w = 4.12$ and $x^2$, `n = 7`, lesson 03", ["4.12"]),
        ("In the 1890s. <!-- unmeasured: 1890 (a date) -->", []),
        ("In 1964 he said 4. <!-- unmeasured: 1964 -->", ["4"]),
        ("$$y = 2 x$$ says 004", []),
    ],
)
def test_numbers_are_found_in_prose_unless_marked(prose, found):
    assert numbers_in(prose) == found


LINK = re.compile(r"\[([^]]*)\]\(\.\./numpy/(\w+)\.ipynb#cell-id=([\w-]+)\)")


def statements():
    """Return the rows of the page about the sources, cell by cell."""
    page = sources.SOURCE / "what_the_sources_get_wrong.md"
    lines = page.read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line[:2] == "| "]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def test_the_sources_page_has_all_known_statements():
    assert len(statements()) >= 14
    for who, *_ in statements():
        assert re.match(r"00[0-4](, 00[0-4])*( \(|$)", who), who


@pytest.mark.parametrize("row", statements(), ids=lambda row: row[1][:40])
def test_what_is_said_of_a_source_is_shown_by_the_linked_cells(row):
    _, _, true, where = row
    links, shown = LINK.findall(where), []
    assert links and not LINK.sub("", where).strip(", ")
    for words, name, cell_id in links:
        cells = {cell.id: cell for cell in sources.read(name).cells}
        assert words == f"{name[:2]} {cells[cell_id].heading}"
        shown += numbers_shown(name)[cell_id]
    missing = [n for n in numbers_in(true) if not vouched_for(n, shown)]
    assert not missing, f"not shown by the linked cells: {missing}"


@pytest.mark.parametrize("name", sources.names())
def test_a_lesson_opens_and_ends_as_readers_expect(name):
    text = (sources.SOURCE / f"{name}.md").read_text()
    for words in (
        "**What you will do.**",
        "**What you will learn.**",
        "**What you need.**",
        "minutes",
        "## What you saw",
        "## Exercises",
    ):
        assert words in text
    assert text.count("**Predict.**") >= 5
    assert text.index("## What you saw") < text.index("## Exercises")
