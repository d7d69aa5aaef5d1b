"""The documents for teachers, learners and contributors say what is so."""

import re

import pytest
from test_lessons import numbers_in, numbers_shown, vouched_for

from tools.author import sources
from tools.book.pages import MINUTES
from tools.frameworks import FRAMEWORKS

ROOT = sources.ROOT
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/*.md",
        "benchmarks/*.md",
        "notebooks/source/what*.md",
        "nbsight/*.md",
        "tools/**/README.md",
    )
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[([^]]*)\]\(\s*([^)\s]+)\s*\)")
CELL = re.compile(r"notebooks/(\w+)/(\w+)\.ipynb#cell-id=([\w-]+)")
FENCE = re.compile(r"^```.*?^```|`[^`\n]*`", re.S | re.M)
TEACHING, LEARNING = "docs/teaching.md", "docs/learning.md"


def read(document):
    return (ROOT / document).read_text("utf-8")


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", LINK.sub(r"\1", heading).lower())
    return plain.replace(" ", "-")


def rows(text):
    """Return the rows of a text's tables, without their heads."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = table.strip().splitlines()[2:]
        found += [
            [part.strip() for part in line.strip("|").split("|")]
            for line in lines
        ]
    return found


def section(document, title):
    """Return what stands below a heading of level 2 that begins so."""
    found = re.search(
        rf"^## {title}.*?(?=^## |\Z)", read(document), re.S | re.M
    )
    return found[0]


def linked(text):
    """Return (words, lesson's name, cell id) of all links to cells."""
    return [
        (" ".join(words.split()), *CELL.search(target).groups()[1:])
        for words, target in LINK.findall(text)
        if CELL.search(target)
    ]


def minutes(name):
    opening = sources.read(name).cells[0].source
    return int(MINUTES.search(" ".join(opening.split()))[1])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document):
    text = FENCE.sub("", read(document))
    broken = []
    for _, target in LINK.findall(text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / document).parent / file if file else ROOT / document
        if not path.exists():
            broken.append(target)
        elif anchor and path.suffix == ".md":
            headings = sources.headings_of(path.read_text("utf-8"))
            if anchor not in map(slug, headings):
                broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", [TEACHING, LEARNING])
def test_every_linked_cell_is_in_every_framework_and_named_rightly(document):
    found = linked(read(document))
    assert len(found) > 20
    for words, name, cell_id in found:
        lesson = sources.read(name)
        for framework in FRAMEWORKS:
            cells = {cell.id: cell for cell in lesson.cells_of(framework)}
            assert cell_id in cells, f"{document}: {name}, {cell_id}"
            # The book's pages have targets at code cells only.
            assert cells[cell_id].kind == "code", cell_id
        assert words == f"{name[:2]} {cells[cell_id].heading}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_is_named_exists(document):
    named = re.findall(r"(?:`|^|then )make ([a-z]+)\b", read(document), re.M)
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(named) <= {*known}


@pytest.mark.parametrize(
    ("title", "whole"), [("Fifty minutes", 50), ("Ninety minutes", 90)]
)
def test_a_plan_fills_its_time_and_stars_are_the_cells_on_no_slide(
    title, whole
):
    plan = section(TEACHING, title)
    assert sum(int(row[0]) for row in rows(plan)) == whole
    for row in rows(plan):
        assert linked(row[2])
        for link in row[2].split("["):
            for _, name, cell_id in linked(f"[{link}"):
                cells = sources.read(name).cells
                cell = next(c for c in cells if c.id == cell_id)
                assert bool(cell.slide) != (r"\*" in link), cell_id


# What is said, and the links to the cells that say it.
SAID = [
    (row[-1], row[2])
    for title in ("Fifty minutes", "Ninety minutes", "What readers asked")
    for row in rows(section(TEACHING, title))
]
SAID += [(row[2], row[3]) for row in rows(section(LEARNING, "Checkpoints"))]


@pytest.mark.parametrize("row", SAID, ids=lambda row: row[0][:40])
def test_what_a_cell_is_said_to_show_it_shows(row):
    said, cells = row
    shown = [
        number
        for _, name, cell_id in linked(cells)
        for number in numbers_shown(name)[cell_id]
    ]
    missing = [n for n in numbers_in(said) if not vouched_for(n, shown)]
    assert not missing, f"no linked cell shows {missing}"


def test_checkpoints_are_one_for_each_lesson_with_its_minutes_and_check():
    found = rows(section(LEARNING, "Checkpoints"))
    assert [row[0] for row in found] == [n[:2] for n in sources.names()]
    for row, name in zip(found, sources.names(), strict=True):
        assert int(row[1]) == minutes(name)
        assert {where for _, where, _ in linked(row[3] + row[4])} == {name}
        [(_, _, cell_id)] = linked(row[4])
        cells = {cell.id: cell for cell in sources.read(name).cells}
        assert "check" in cells[cell_id].tags


def paths():
    """Yield (heading, its minutes, its rows) of the ways in learning.md."""
    parts = re.split(r"^## ", read(LEARNING), flags=re.M)
    for part in parts:
        found = re.match(r"(.*): (\d+) minutes\n", part)
        if found:
            yield found[1], int(found[2]), rows(part)


@pytest.mark.parametrize("path", paths(), ids=lambda path: path[0])
def test_a_way_takes_the_minutes_of_its_lessons(path):
    _, whole, steps = path
    numbers = {name[:2]: name for name in sources.names()}
    assert sum(int(step[0]) for step in steps) == whole
    for taken, do, stop in steps:
        lesson = re.match(r"lesson (\d\d)", do)[1]
        assert int(taken) == minutes(numbers[lesson])
        assert f"the checkpoint of {lesson}" in stop
        cells = {c.id: c for c in sources.read(numbers[lesson]).cells}
        for _, name, cell_id in linked(do + stop):
            assert name == numbers[lesson]
            assert cell_id in cells
            if cell_id in stop:
                assert "check" in cells[cell_id].tags
        titles = " ".join(c.source for c in cells.values())
        for number in re.findall(r"exercises? (\d)", do + stop):
            assert f"### Exercise {number}:" in titles


def test_there_are_five_ways_and_teaching_names_all_lessons_minutes():
    assert len(list(paths())) == 5
    given = re.search(
        r"alone: ([\d, and]+)\s+minutes", " ".join(read(TEACHING).split())
    )[1]
    numbers = [int(n) for n in re.findall(r"\d+", given)]
    assert numbers == [minutes(name) for name in sources.names()]


def test_every_framework_has_a_line_and_a_measurement():
    text = section(TEACHING, "Which framework")
    measured = {row[0]: row for row in rows(text)}
    for framework in FRAMEWORKS.values():
        assert f"- **{framework.title}**" in text
        assert all(float(n) >= 0 for n in measured[framework.title][2:])


def test_readme_links_both():
    text = read("README.md")
    assert f"]({TEACHING})" in text and f"]({LEARNING})" in text
