"""The book as its readers meet it: in a browser, opened as files."""

import itertools
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

pytest.importorskip("playwright")
from axe_playwright_python.sync_playwright import Axe

from tools.author import sources
from tools.book.pages import stored
from tools.frameworks import FRAMEWORKS

NAMES = sources.names()
PAGES = ["index", *NAMES, "learning", "teaching", "agreement"]
PAGES += ["what_the_sources_get_wrong", "search"]
LESSON = NAMES[1]
PHONE = {"width": 390, "height": 844, "has_touch": True}
SHOWN = ".sd-tab-set.frameworks:not(details *) > .sd-tab-content"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Build the whole book from nothing."""
    folder = tmp_path_factory.mktemp("build")
    make(folder)
    return folder / "book"


def make(folder):
    command = [sys.executable, "-m", "tools.book", "--folder", str(folder)]
    subprocess.run(command, check=True, cwd=sources.ROOT)


def shown(page):
    """Return the frameworks whose code the sets of tabs show now."""
    return page.evaluate(
        f"""() => [...new Set([...document.querySelectorAll("{SHOWN}")]
        .filter((content) => content.checkVisibility())
        .map((content) => content.previousElementSibling.dataset.syncId))]"""
    )


def bar(page, text):
    return page.get_by_role("group", name="Frameworks").get_by_text(
        text, exact=True
    )


def test_one_click_switches_every_set_of_tabs(book, visit):
    page = visit().open(book / f"{LESSON}.html")
    assert shown(page) == ["numpy"]
    for name, framework in FRAMEWORKS.items():
        bar(page, framework.title).click()
        assert shown(page) == [name]
    label = page.locator(".sd-tab-set.frameworks > label", has_text="PyTorch")
    label.nth(2).click()
    assert shown(page) == ["pytorch"]


def test_tabs_answer_to_the_keyboard(book, visit):
    page = visit().open(book / f"{LESSON}.html")
    page.locator(".sd-tab-set.frameworks > input").first.focus()
    page.keyboard.press("ArrowRight")
    assert shown(page) == ["pytorch"]


def test_the_choice_is_remembered_on_other_pages_and_later(book, visit):
    reader = visit()
    page = reader.open(book / f"{LESSON}.html")
    bar(page, "TensorFlow").click()
    assert shown(reader.open(book / f"{NAMES[2]}.html")) == ["tensorflow"]
    later = reader.context.new_page()
    later.goto((book / f"{LESSON}.html").as_uri())
    assert shown(later) == ["tensorflow"]


def test_links_carry_the_choice_where_nothing_is_remembered(book, visit):
    reader = visit()
    reader.context.add_init_script(
        "Storage.prototype.getItem = Storage.prototype.setItem ="
        "() => { throw new Error('forbidden'); };"
    )
    page = reader.open(book / f"{LESSON}.html")
    bar(page, "MXNet").click()
    page.locator(".related-pages a.next-page").click()
    page.wait_for_load_state("load")
    assert shown(page) == ["mxnet"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?framework=pytorch", ["pytorch"]),
        ("?framework=MXNet", ["mxnet"]),
        ("?framework=fortran", ["numpy"]),
        ("?framework=pytorch,numpy", ["numpy", "pytorch"]),
    ],
)
def test_an_address_carries_the_choice(book, visit, query, expected):
    assert shown(visit().open(book / f"{LESSON}.html", query)) == expected


def test_a_choice_stands_in_the_address(book, visit):
    page = visit().open(book / f"{LESSON}.html")
    bar(page, "PyTorch").click()
    assert page.url.endswith("?framework=pytorch")


def boxes(page):
    """Return [code's, figure's] boxes of the first sets that have them."""
    return page.evaluate(
        """() => ["div.cell", "img"].map((inside) => {
        const sets = [...document.querySelectorAll(".sd-tab-set.frameworks")];
        const set = sets.find((set) => set.querySelector(inside));
        return [...set.querySelectorAll(inside)]
            .filter((part) => part.checkVisibility())
            .map((part) => part.getBoundingClientRect().toJSON());
        })"""
    )


@pytest.mark.parametrize("names", ["pytorch,numpy", "numpy,tensorflow,mxnet"])
def test_side_by_side_puts_code_and_figures_in_columns(book, visit, names):
    page = visit(1920).open(book / f"{LESSON}.html", f"?framework={names}")
    for row in boxes(page):
        assert len(row) == len(names.split(","))
        assert len({round(box["top"]) for box in row}) == 1
        for left, right in itertools.pairwise(row):
            assert left["right"] <= right["left"]


def test_side_by_side_stacks_on_a_phone(book, visit):
    reader = visit(**PHONE)
    page = reader.open(book / f"{LESSON}.html", "?framework=numpy,pytorch")
    for upper, lower in boxes(page):
        assert upper["bottom"] <= lower["top"]
        assert upper["left"] == lower["left"]


def test_the_bar_adds_and_takes_away_columns(book, visit):
    page = visit(1920).open(book / f"{LESSON}.html")
    bar(page, "Side by side").click()
    assert shown(page) == ["numpy", "pytorch"]
    bar(page, "MXNet").click()
    assert shown(page) == ["numpy", "pytorch", "mxnet"]
    bar(page, "NumPy").click()
    assert shown(page) == ["pytorch", "mxnet"]
    bar(page, "Side by side").click()
    assert shown(page) == ["pytorch"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_what_the_notebooks_hold(book, name):
    lesson = sources.read(name)
    text = words((book / f"{name}.html").read_text("utf-8"))
    for framework, cells in stored(lesson).items():
        for cell in lesson.cells_of(framework):
            if {"solution", "check"} & set(cell.tags):
                continue  # their outputs are for those who run them
            for output in cells[cell.id]:
                printed = " ".join(output.get("text", "").split())
                assert printed in text, (framework, cell.id)
            if cell.kind == "code":
                assert " ".join(cell.source.split()) in text, cell.id


def words(html):
    """Return a page's text with all white space made one space."""
    collected = []
    parser = HTMLParser()
    parser.handle_data = collected.append
    parser.feed(html)
    return " ".join("".join(collected).split())


def test_prose_and_equal_outputs_stand_there_once(book):
    html = (book / f"{LESSON}.html").read_text("utf-8")
    text = words(html)
    lesson = sources.read(LESSON)
    outputs = stored(lesson)
    for cell in lesson.cells:
        if cell.frameworks or {"check", "solution"} & set(cell.tags):
            continue
        if cell.kind == "code":
            assert text.count(" ".join(cell.source.split())) == 1
        found = [cells[cell.id] for cells in outputs.values()]
        for output in found[0]:
            printed = " ".join(output.get("text", "").split())
            if len(printed) > 20 and all(f == found[0] for f in found):
                assert text.count(printed) == 1, cell.id
    sentence = "It is right on average and wrong almost everywhere"
    assert text.count(sentence) == 1


def test_the_agreement_page_says_what_the_notebooks_print(book):
    text = words((book / "agreement.html").read_text("utf-8"))
    printed = r"(average pooling|nonparametric pooling|working recipe): .*?"
    rows = {}
    for framework in FRAMEWORKS:
        path = sources.NOTEBOOKS / framework / f"{LESSON}.ipynb"
        found = re.findall(printed + r"test MSE ([\d.]+)", path.read_text())
        for name, number in found:
            rows.setdefault(name, []).append(number)
    assert len(rows) == 3
    for name, numbers in rows.items():
        assert " ".join([name, *numbers[: len(FRAMEWORKS)]]) in text


class References(HTMLParser):
    """All that a page links to or loads, and the places on it."""

    def __init__(self, html):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in ("href", "src") and value:
                self.links.append(value)
            if key in ("id", "name"):
                self.ids.add(value)


def test_no_link_is_broken(book):
    pages = {
        path.relative_to(book).as_posix(): References(path.read_text("utf-8"))
        for path in book.rglob("*.html")
    }
    broken = []
    for name, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            path = (book / name).parent / unquote(url.path or Path(name).name)
            target = path.resolve().relative_to(book).as_posix()
            place = unquote(url.fragment)
            here = pages[target].ids if place and target in pages else {place}
            if not path.is_file() or place not in here:
                broken.append((name, link))
    assert not broken


def test_every_figure_has_a_text_of_its_own(book, visit):
    for name in PAGES:
        page = visit().open(book / f"{name}.html")
        texts = page.evaluate(
            "[...document.querySelectorAll('img')].map((i) => i.alt)"
        )
        assert all(len(text) > 40 for text in texts), name


def test_every_framework_can_be_taken_home_whole(book):
    for framework in FRAMEWORKS:
        path = book / "notebooks" / f"attention-pooling-{framework}.zip"
        with zipfile.ZipFile(path) as archive:
            files = {name.split("/", 1)[1] for name in archive.namelist()}
        expected = {f"notebooks/{name}.ipynb" for name in NAMES}
        assert expected <= files
        assert {"pyproject.toml", "d2lmini/__init__.py"} <= files
        for name in NAMES:
            taken, source = (
                nbformat.read(path / framework / f"{name}.ipynb", 4)
                for path in (book / "notebooks", sources.NOTEBOOKS)
            )
            assert taken.cells[1:] == source.cells[1:]
            link = f"(../../{name}.html?framework={framework})"
            assert link in taken.cells[0].source


def test_search_finds_a_lesson(book, visit):
    reader = visit()
    page = reader.open(book / "search.html", "?q=Epanechnikov")
    page.wait_for_selector("#search-results li a")
    assert "04 Kernels" in page.locator("#search-results").inner_text()
    assert not reader.errors


def test_code_has_a_copy_button_and_printed_text_has_none(book, visit):
    page = visit().open(book / f"{LESSON}.html")
    assert page.locator("div.cell button.copybtn").count() > 50
    assert page.locator("div.output button.copybtn").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_else_and_says_no_error(book, visit, name):
    reader = visit()
    page = reader.open(book / f"{name}.html")
    page.wait_for_timeout(300)
    assert reader.outside == []
    assert reader.errors == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(book, visit, name):
    for query in ("", "?framework=numpy,pytorch"):
        page = visit(**PHONE).open(book / f"{name}.html", query)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
        # Formulas scroll by themselves; nothing else sticks out of the page.
        outside = page.evaluate(
            """() => [...document.querySelectorAll(
            "article p, article li, article img, article h1, article h2,"
            + "article mjx-container[display], article details")]
            .filter((part) => part.checkVisibility())
            .filter((part) => part.getBoundingClientRect().right > innerWidth)
            .filter((part) => !part.closest("table"))
            .map((part) => part.outerHTML.slice(0, 80))"""
        )
        assert outside == []


def test_the_live_figure_starts_where_the_notebook_is_and_moves(book, visit):
    reader = visit()
    page = reader.open(book / f"{LESSON}.html")
    figure = page.locator(".live-figure")
    path = sources.NOTEBOOKS / "numpy" / f"{LESSON}.ipynb"
    stored = re.search(r"Live\(.*\): (leave-one-out.* keys)", path.read_text())
    status = figure.get_by_role("status")
    status.get_by_text(stored[1]).wait_for()
    slider = figure.get_by_role("slider", name="w, the inverse width")
    slider.focus()
    page.keyboard.press("End")
    status.get_by_text("w = 100,").wait_for()
    assert stored[1] not in status.inner_text()
    assert reader.errors == []


def barriers(page, **options):
    """Return what axe calls serious or critical: rule, first place, count."""
    page.evaluate(
        "document.querySelectorAll('details').forEach((d) => d.open = true)"
    )
    result = Axe().run(page, options=options)
    return [
        (rule["id"], rule["nodes"][0]["html"][:200], len(rule["nodes"]))
        for rule in result.response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_barrier(book, visit, name):
    path = book / f"{name}.html"
    assert barriers(visit().open(path)) == []
    assert barriers(visit(**PHONE).open(path)) == []
    page = visit(color_scheme="dark").open(path)
    assert barriers(page, runOnly=["color-contrast"]) == []


def test_columns_have_no_serious_barrier(book, visit):
    path = book / f"{NAMES[0]}.html"
    assert barriers(visit(1920).open(path, "?framework=mxnet,numpy")) == []


def test_dark_pages_are_dark_and_figures_stay_on_white(book, visit):
    page = visit(color_scheme="dark").open(book / f"{LESSON}.html")
    colour = "(part) => getComputedStyle(part).backgroundColor"
    rgb = re.findall(r"\d+", page.locator("body").evaluate(colour))
    assert max(map(int, rgb[:3])) < 60
    picture = page.locator("img.picture").first
    assert picture.evaluate(colour) == "rgb(255, 255, 255)"


def test_a_second_build_gives_the_same_bytes(book, tmp_path):
    make(tmp_path)
    first, second = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (book, tmp_path / "book")
    )
    assert set(first) == set(second)
    assert [p for p in first if first[p] != second[p]] == []


def test_a_page_prints_without_bars_and_buttons(book, visit):
    page = visit().open(book / f"{LESSON}.html")
    page.emulate_media(media="print")
    assert not page.locator(".frameworks-bar").is_visible()
    assert page.locator("article h1").is_visible()
