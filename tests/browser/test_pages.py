"""The book as its readers meet it: in a browser, opened as files."""

import itertools
import re
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from reader import Reader, barriers, contents

from tools.author import sources
from tools.book import site
from tools.book.pages import stored
from tools.frameworks import FRAMEWORKS

NAMES = sources.names()
OTHERS = ["index", "learning", "teaching", "agreement", "search"]
OTHERS.append("what_the_sources_get_wrong")
SHORT, LESSON = NAMES[:2]
PHONE = {"width": 390, "height": 844}
OUTSIDE = """() => [...document.querySelectorAll(
  "article :is(p, li, img, h1, h2, mjx-container[display], details)")]
  .filter((part) => part.checkVisibility() && !part.closest("table"))
  .filter((part) => part.getBoundingClientRect().right > innerWidth)
  .map((part) => part.outerHTML.slice(0, 80))"""
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
    assert reader.outside == reader.errors == []


def test_a_page_has_no_serious_barrier_and_figures_have_texts(reader):
    images = "[...document.querySelectorAll('img')]"
    texts = reader.page.evaluate(f"{images}.map((image) => image.alt)")
    assert all(len(text) > 40 for text in texts)
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
        assert page.evaluate(OUTSIDE) == []
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
    lesson.locator(".sd-tab-set.frameworks > input >> nth=1").focus()
    lesson.keyboard.press("ArrowLeft")
    assert shown(lesson) == ["numpy"]


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


def test_the_choice_is_remembered_on_other_pages(book, visit):
    reader = visit()
    bar(reader.open(book / f"{SHORT}.html"), "TensorFlow").click()
    assert shown(reader.open(book / f"{NAMES[2]}.html")) == ["tensorflow"]


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


def test_a_lesson_is_copied_printed_and_read_in_the_dark(lesson):
    assert lesson.locator("div.cell button.copybtn").count() > 50
    assert lesson.locator("div.output button.copybtn").count() == 0
    lesson.emulate_media(media="print")
    assert not lesson.locator(".frameworks-bar").is_visible()
    assert lesson.locator("article h1").is_visible()
    lesson.emulate_media(media="screen", color_scheme="dark")
    colour = "(part) => getComputedStyle(part).backgroundColor"
    rgb = re.findall(r"\d+", lesson.locator("body").evaluate(colour))
    assert max(map(int, rgb[:3])) < 60
    picture = lesson.locator("img.picture").first  # stays on white
    assert picture.evaluate(colour) == "rgb(255, 255, 255)"


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
    page = visit().open(book / "search.html", "?q=Epanechnikov")
    page.locator("#search-results").get_by_text("04 Kernels").first.wait_for()


# What needs no browser, but the whole book.


@pytest.fixture(scope="module")
def parsed(book):
    """Return all pages, {path in the book: parsed}."""
    return {
        path.relative_to(book).as_posix(): BeautifulSoup(
            path.read_text("utf-8"), "html.parser"
        )
        for path in book.rglob("*.html")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_what_the_notebooks_hold_and_what_is_equal_once(
    parsed, name
):
    source = sources.read(name)
    text = " ".join(parsed[f"{name}.html"].get_text().split())
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


def test_no_link_is_broken(book, parsed):
    places = {
        book / name: {tag.get("id") for tag in page.select("[id]")}
        for name, page in parsed.items()
    }
    for name, page in parsed.items():
        for tag in page.select("[href], [src]"):
            url = urlsplit(tag.get("href") or tag.get("src"))
            if url.scheme or url.netloc:
                continue
            path = book / name
            if url.path:
                path = (path.parent / unquote(url.path)).resolve()
            assert path.is_file(), (name, tag)
            if url.fragment and path in places:
                assert unquote(url.fragment) in places[path], (name, tag)


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
    assert contents(tmp_path / "book") == contents(book)
