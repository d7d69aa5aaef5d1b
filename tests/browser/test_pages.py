"""The book as its readers meet it: in a browser, opened as files."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from reader import Reader, barriers

from tools.author import sources
from tools.book import site
from tools.book.pages import stored
from tools.frameworks import FRAMEWORKS

NAMES = sources.names()
OTHERS = ["index", "learning", "teaching", "agreement", "search"]
OTHERS.append("what_the_sources_get_wrong")
SHORT, LESSON = NAMES[:2]
PHONE = {"width": 390, "height": 844}
SHOWN = ".sd-tab-set.frameworks:not(details *) > .sd-tab-content"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Build the whole book from nothing."""
    folder = tmp_path_factory.mktemp("build")
    site.build(folder)
    return folder / "book"


@pytest.fixture(scope="module", params=[*NAMES, *OTHERS])
def reader(request, browser, book):
    """Open each page once, for all that is asked of every page."""
    reader = Reader(browser)
    reader.name = request.param
    reader.open(book / f"{reader.name}.html")
    yield reader
    reader.context.close()


@pytest.fixture(scope="module")
def lesson(browser, book):
    """Open a lesson once, for those who press its buttons."""
    reader = Reader(browser, width=1920)
    yield reader.open(book / f"{LESSON}.html")
    reader.context.close()


def test_a_page_asks_nobody_else_and_says_no_error(reader):
    reader.page.wait_for_load_state("networkidle")
    assert reader.outside == []
    assert reader.errors == []


def test_every_figure_has_a_text_of_its_own(reader):
    texts = reader.page.evaluate(
        "[...document.querySelectorAll('img')].map((i) => i.alt)"
    )
    assert all(len(text) > 40 for text in texts)


def test_a_page_has_no_serious_barrier(reader):
    # Colours are the same in all lessons, and to look at all takes long.
    skip = reader.name in NAMES and reader.name != LESSON
    contrast = {"color-contrast": {"enabled": not skip}}
    assert barriers(reader.page, rules=contrast) == []
    if not skip:
        reader.page.emulate_media(color_scheme="dark")
        assert barriers(reader.page, runOnly=["color-contrast"]) == []
        reader.page.emulate_media(color_scheme="light")


def test_a_phone_needs_no_sideways_scrolling(reader):
    page = reader.page
    page.set_viewport_size(PHONE)
    side = page.locator(".frameworks-bar .side")
    for _ in range(1 + side.count()):  # one framework, then two
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
        # What scrolls is reached by keyboard.
        rule = ["scrollable-region-focusable"]
        assert barriers(page, runOnly=rule) == []
        if side.count():
            side.click()


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


def test_one_click_switches_every_set_of_tabs_and_the_address(lesson):
    assert shown(lesson) == ["numpy"]
    for name, framework in FRAMEWORKS.items():
        bar(lesson, framework.title).click()
        assert shown(lesson) == [name]
        assert lesson.url.endswith(f"?framework={name}")
    tabs = lesson.locator(".sd-tab-set.frameworks > label", has_text="PyTorch")
    tabs.nth(2).click()
    assert shown(lesson) == ["pytorch"]


def test_tabs_answer_to_the_keyboard(lesson):
    bar(lesson, "NumPy").click()
    lesson.locator(".sd-tab-set.frameworks > input").first.focus()
    lesson.keyboard.press("ArrowRight")
    assert shown(lesson) == ["pytorch"]


def test_the_bar_adds_and_takes_away_columns(lesson):
    bar(lesson, "NumPy").click()
    for pressed, expected in (
        ("Side by side", ["numpy", "pytorch"]),
        ("MXNet", ["numpy", "pytorch", "mxnet"]),
        ("NumPy", ["pytorch", "mxnet"]),
        ("Side by side", ["pytorch"]),
    ):
        bar(lesson, pressed).click()
        assert shown(lesson) == expected


def test_the_choice_is_remembered_on_other_pages_and_later(book, visit):
    reader = visit()
    bar(reader.open(book / f"{SHORT}.html"), "TensorFlow").click()
    assert shown(reader.open(book / f"{NAMES[2]}.html")) == ["tensorflow"]
    later = reader.context.new_page()
    later.goto((book / f"{SHORT}.html").as_uri())
    assert shown(later) == ["tensorflow"]


def test_links_carry_the_choice_where_nothing_is_remembered(book, visit):
    reader = visit()
    reader.context.add_init_script(
        "Storage.prototype.getItem = Storage.prototype.setItem ="
        "() => { throw new Error('forbidden'); };"
    )
    page = reader.open(book / f"{SHORT}.html")
    bar(page, "MXNet").click()
    page.locator(".related-pages a.next-page").click()
    page.wait_for_load_state("load")
    assert shown(page) == ["mxnet"]


def test_an_address_carries_the_choice(book, visit):
    reader = visit()
    for query, expected in (
        ("fortran", ["numpy"]),
        ("pytorch", ["pytorch"]),
        ("MXNet", ["mxnet"]),
        ("pytorch,numpy", ["numpy", "pytorch"]),
    ):
        page = reader.open(book / f"{SHORT}.html", f"?framework={query}")
        assert shown(page) == expected


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


def test_side_by_side_has_columns_and_on_a_phone_stacks(book, visit):
    reader = visit(width=1920)
    query = "?framework=numpy,tensorflow,mxnet"
    page = reader.open(book / f"{LESSON}.html", query)
    for row in boxes(page):
        assert len(row) == 3
        assert len({round(box["top"]) for box in row}) == 1
        for left, right in itertools.pairwise(row):
            assert left["right"] <= right["left"]
    assert barriers(page, rules={"color-contrast": {"enabled": False}}) == []
    page.set_viewport_size(PHONE)
    for column in boxes(page):
        assert len({box["left"] for box in column}) == 1
        for upper, lower in itertools.pairwise(column):
            assert upper["bottom"] <= lower["top"]


def test_code_has_a_copy_button_and_printed_text_has_none(lesson):
    assert lesson.locator("div.cell button.copybtn").count() > 50
    assert lesson.locator("div.output button.copybtn").count() == 0


def test_dark_pages_are_dark_and_figures_stay_on_white(lesson):
    lesson.emulate_media(color_scheme="dark")
    colour = "(part) => getComputedStyle(part).backgroundColor"
    rgb = re.findall(r"\d+", lesson.locator("body").evaluate(colour))
    assert max(map(int, rgb[:3])) < 60
    picture = lesson.locator("img.picture").first
    assert picture.evaluate(colour) == "rgb(255, 255, 255)"


def test_a_page_prints_without_bars_and_buttons(lesson):
    lesson.emulate_media(media="print")
    assert not lesson.locator(".frameworks-bar").is_visible()
    assert lesson.locator("article h1").is_visible()
    lesson.emulate_media(media="screen")


def test_the_live_figure_starts_where_the_notebook_is_and_moves(lesson):
    figure = lesson.locator(".live-figure")
    path = sources.NOTEBOOKS / "numpy" / f"{LESSON}.ipynb"
    said = re.search(r"Live\(.*\): (leave-one-out.* keys)", path.read_text())
    status = figure.get_by_role("status")
    status.get_by_text(said[1]).wait_for()
    figure.get_by_role("slider", name="w, the inverse width").focus()
    lesson.keyboard.press("End")
    status.get_by_text("w = 100,").wait_for()
    assert said[1] not in status.inner_text()


def test_search_finds_a_lesson(book, visit):
    reader = visit()
    page = reader.open(book / "search.html", "?q=Epanechnikov")
    page.wait_for_selector("#search-results li a")
    assert "04 Kernels" in page.locator("#search-results").inner_text()
    assert not reader.errors


# What needs no browser, but the whole book.


def words(html):
    """Return a page's text with all white space made one space."""
    collected = []
    parser = HTMLParser()
    parser.handle_data = collected.append
    parser.feed(html)
    return " ".join("".join(collected).split())


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_what_the_notebooks_hold_and_what_is_equal_once(
    book, name
):
    source = sources.read(name)
    text = words((book / f"{name}.html").read_text("utf-8"))
    outputs = stored(source)
    for cell in source.cells:
        if cell.kind != "code" or {"solution", "check"} & set(cell.tags):
            continue  # their outputs are for those who run them
        code = " ".join(cell.source.split())
        assert code in text, cell.id
        assert cell.frameworks or text.count(code) == 1, cell.id
        found = [outputs[n][cell.id] for n in cell.frameworks or FRAMEWORKS]
        for output in itertools.chain(*found):
            printed = " ".join(output.get("text", "").split())
            assert printed in text, cell.id
            if not cell.frameworks and len(printed) > 20:
                equal = all(other == found[0] for other in found)
                assert not equal or text.count(printed) == 1, cell.id


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


def test_every_notebook_can_be_taken_home_and_leads_back(book):
    for framework in FRAMEWORKS:
        assert (book / f"notebooks/attention-pooling-{framework}.zip").exists()
        for name in NAMES:
            taken, source = (
                nbformat.read(path / framework / f"{name}.ipynb", 4)
                for path in (book / "notebooks", sources.NOTEBOOKS)
            )
            assert taken.cells[1:] == source.cells[1:]
            link = f"(../../{name}.html?framework={framework})"
            assert link in taken.cells[0].source


def test_a_second_build_gives_the_same_bytes(book, tmp_path):
    site.build(tmp_path)
    first, second = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (book, tmp_path / "book")
    )
    assert set(first) == set(second)
    assert [p for p in first if first[p] != second[p]] == []
