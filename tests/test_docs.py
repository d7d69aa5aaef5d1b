"""The documents for teachers, learners and contributors say what is so."""

import re
from functools import cache
from importlib.util import find_spec

from test_lessons import numbers_in, numbers_shown, vouched_for

from tools.author import sources
from tools.book.pages import begun
from tools.frameworks import FRAMEWORKS

ROOT = sources.ROOT
NAMES = {name[:2]: name for name in sources.names()}
TEACHING, LEARNING = "docs/teaching.md", "docs/learning.md"
FENCE = re.compile(r"^```.*?^```|`[^`\n]*`", re.S | re.M)
LINK = re.compile(r"\[([^]]*)\]\(\s*([^)\s]+)\s*\)")
CELL = re.compile(r"notebooks/(\w+)/(\w+)\.ipynb#cell-id=([\w-]+)")
PATTERNS = "*.md docs/*.md nbsight/*.md tools/**/README.md"
DOCUMENTS = {
    path: path.read_text("utf-8")
    for pattern in (*PATTERNS.split(), "notebooks/source/what*.md")
    for path in ROOT.glob(pattern)
}
lesson = cache(sources.read)


def text_of(document):
    return DOCUMENTS[ROOT / document]


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", LINK.sub(r"\1", heading).lower())
    return plain.replace(" ", "-")


def rows(text):
    """Return the rows of a text's tables, without their heads."""
    found = re.findall(r"^\|[ :|-]*-[ :|-]*\n((?:\|.*\n)+)", text, re.M)
    lines = [line.strip("|").split("|") for line in "".join(found).split("\n")]
    return [[part.strip() for part in line] for line in lines if line != [""]]


def section(document, title):
    """Return what stands below a heading of level 2 that begins so."""
    text = text_of(document)
    return re.search(rf"^## {title}.*?(?=^## |\Z)", text, re.S | re.M)[0]


def linked(text):
    """Return (words, cell, lesson's name) of all links to cells."""
    found = []
    for words, target in LINK.findall(text):
        place = CELL.search(target)
        if place:
            cells = {cell.id: cell for cell in lesson(place[2]).cells[::-1]}
            found.append((" ".join(words.split()), cells[place[3]], place[2]))
    return found


def test_every_link_leads_somewhere():
    for document, text in DOCUMENTS.items():
        for _, target in LINK.findall(FENCE.sub("", text)):
            file, _, anchor = target.partition("#")
            path = document.parent / file if file else document
            assert "://" in target or path.exists(), (document, target)
            if anchor and path.suffix == ".md" and "://" not in target:
                headings = sources.headings_of(path.read_text("utf-8"))
                assert anchor in map(slug, headings), (document, target)
    for document in TEACHING, LEARNING:
        assert f"]({document})" in text_of("README.md")


def test_every_command_that_is_named_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    for document, text in DOCUMENTS.items():
        named = re.findall(r"(?:`|^|then )make ([a-z]+)\b", text, re.M)
        assert set(named) <= {*targets}, document
        for module in re.findall(r"python -m (tools(?:\.\w+)*)", text):
            assert find_spec(module), document


def test_every_linked_cell_is_in_every_framework_and_named_rightly():
    for document in TEACHING, LEARNING:
        found = linked(text_of(document))
        assert len(found) > 20
        for words, cell, name in found:
            for framework in FRAMEWORKS:
                ids = {other.id for other in lesson(name).cells_of(framework)}
                assert cell.id in ids, f"{name}, {cell.id}"
            # The book's pages have targets at code cells only.
            assert cell.kind == "code", cell.id
            assert words == f"{name[:2]} {cell.heading}"


def test_a_plan_fills_its_time_and_stars_are_the_cells_on_no_slide():
    for title, whole in ("Fifty minutes", 50), ("Ninety minutes", 90):
        plan = rows(section(TEACHING, title))
        assert sum(int(row[0]) for row in plan) == whole
        for row in plan:
            assert linked(row[2])
            for link in row[2].split("["):
                for _, cell, _ in linked(f"[{link}"):
                    assert bool(cell.slide) != (r"\*" in link), cell.id


def test_what_a_cell_is_said_to_show_it_shows():
    for document, title, told, where in (
        (TEACHING, "Fifty minutes", -1, 2),
        (TEACHING, "Ninety minutes", -1, 2),
        (TEACHING, "What readers asked", -1, 2),
        (LEARNING, "Checkpoints", 2, 3),
    ):
        for row in rows(section(document, title)):
            shown = [
                number
                for _, cell, name in linked(row[where])
                for number in numbers_shown(name)[cell.id]
            ]
            for number in numbers_in(row[told]):
                assert vouched_for(number, shown), (number, row[told])


def test_checkpoints_are_one_for_each_lesson_with_its_minutes_and_check():
    found = rows(section(LEARNING, "Checkpoints"))
    assert [row[0] for row in found] == [*NAMES]
    for row, name in zip(found, NAMES.values(), strict=True):
        assert int(row[1]) == begun(lesson(name)).minutes
        assert {where for *_, where in linked(row[3] + row[4])} == {name}
        [(_, cell, _)] = linked(row[4])
        assert "check" in cell.tags


def test_each_of_five_ways_takes_the_minutes_of_its_lessons():
    parts = re.split(r"^## .*: (\d+) minutes\n", text_of(LEARNING), flags=re.M)
    assert len(parts[1::2]) == 5
    for whole, way in zip(parts[1::2], parts[2::2], strict=True):
        steps = rows(way.partition("\n## ")[0])
        assert sum(int(step[0]) for step in steps) == int(whole)
        for taken, do, stop in steps:
            number = re.match(r"lesson (\d\d)", do)[1]
            here = lesson(NAMES[number])
            assert int(taken) == begun(here).minutes
            assert f"the checkpoint of {number}" in stop
            for _, cell, name in linked(do + stop):
                assert name == here.name
                assert cell.id not in stop or "check" in cell.tags
            titles = " ".join(cell.source for cell in here.cells)
            for exercise in re.findall(r"exercises? (\d)", do + stop):
                assert f"### Exercise {exercise}:" in titles


def test_teaching_names_all_lessons_minutes():
    text = " ".join(text_of(TEACHING).split())
    given = re.search(r"alone: ([\d, and]+) minutes", text)[1]
    minutes = [begun(lesson(name)).minutes for name in NAMES.values()]
    assert [int(n) for n in re.findall(r"\d+", given)] == minutes


def test_every_framework_has_a_line_and_a_measurement():
    text = section(TEACHING, "Which framework")
    measured = {row[0]: row for row in rows(text)}
    for framework in FRAMEWORKS.values():
        assert f"- **{framework.title}**" in text
        assert all(float(n) >= 0 for n in measured[framework.title][2:])
