"""The decks as a class sees them: in a browser, opened as files."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("playwright")
pytest.importorskip("sphinx_revealjs")

from axe_playwright_python.sync_playwright import Axe

from tools.author import sources
from tools.book.__main__ import write

NAME = sources.names()[1]
FRAMEWORKS = ["numpy", "tensorflow"]  # the longest code is TensorFlow's
PROJECTOR = {"width": 1280, "height": 720}
# What lies outside of the screen, or is cut off within its own box.
OUTSIDE = """() => [...Reveal.getCurrentSlide().querySelectorAll("*")]
  .filter((e) => !e.closest("aside, mjx-assistive-mml, svg"))
  .filter((e) => {
    const { left, top, right, bottom, width } = e.getBoundingClientRect();
    const cut = getComputedStyle(e).display !== "inline" &&
      e.clientWidth && e.scrollWidth > e.clientWidth + 1;
    return cut || width && (left < 0 || top < 0 || right > innerWidth + 0.5 ||
      bottom > innerHeight + 0.5);
  }).map((e) => e.outerHTML.slice(0, 120))"""
STEP = """() => {
  const slide = Reveal.getCurrentSlide();
  const seen = (name) => [...slide.querySelectorAll(name)]
    .filter((e) => !e.closest(".fragment:not(.visible)")).length;
  return {
    place: Reveal.getSlidePastCount(),
    title: slide.querySelector("h1, h2").textContent,
    notes: slide.querySelector("aside.notes").textContent.trim(),
    predict: seen(".predict"), code: seen(".cell"),
    output: seen(".output"), figure: seen("img"), formula: seen(".math svg"),
    drawn: [...slide.querySelectorAll("img")].every((e) => e.naturalWidth),
    alt: [...slide.querySelectorAll("img")].every((e) => e.alt),
  };
}"""
LAST = "Reveal.isLastSlide() && !Reveal.availableFragments().next"


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """Build one lesson's decks from nothing."""
    return make(tmp_path_factory.mktemp("build"))


def make(folder):
    command = [sys.executable, "-m", "tools.book.slides"]
    command += ["--folder", str(folder), "--lesson", NAME]
    command += ["--frameworks", " ".join(FRAMEWORKS)]
    subprocess.run(command, check=True, cwd=sources.ROOT)
    return folder / "slides"


def walk(page):
    """Yield what each step of a deck shows, to its end."""
    while True:
        yield page.evaluate(STEP)
        if page.evaluate(LAST):
            return
        page.keyboard.press("ArrowRight")


@pytest.fixture(params=FRAMEWORKS)
def deck(request, decks):
    return decks / f"{NAME}-{request.param}.html"


def test_nothing_of_any_slide_is_cut_off_and_nothing_is_asked_for(deck, visit):
    visited = visit(**PROJECTOR)
    page = visited.open(deck)
    cut, steps = [], []
    for step in walk(page):
        steps.append(step)
        cut += [(step["title"], what) for what in page.evaluate(OUTSIDE)]
    assert cut == []
    assert len(steps) > 20
    assert visited.errors == []
    assert visited.outside == []


def test_every_slide_has_notes_and_every_picture_a_text(deck, visit):
    steps = list(walk(visit(**PROJECTOR).open(deck)))
    assert [step["title"] for step in steps if not step["notes"]] == []
    assert all(step["alt"] and step["drawn"] for step in steps)


def test_class_can_predict_before_it_sees_what_comes_out(deck, visit):
    steps = list(walk(visit(**PROJECTOR).open(deck)))
    asked = {step["title"] for step in steps if step["predict"]}
    assert len(asked) > 5
    for title in asked:
        here = [step for step in steps if step["title"] == title]
        first = next(i for i, step in enumerate(here) if step["predict"])
        assert not here[first]["output"], title
        assert not here[first]["figure"], title
        after = here[first + 1 :]
        assert any(step["output"] or step["figure"] for step in after), title


def test_window_names_lesson_and_framework(decks, visit):
    page = visit().open(decks / f"{NAME}-tensorflow.html")
    assert re.fullmatch(rf"{NAME[:2]} .+ \(TensorFlow\)", page.title())
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("kind", ["title", "code", "figure", "formula"])
def test_slides_have_no_serious_barrier(decks, visit, kind):
    page = visit(**PROJECTOR).open(decks / f"{NAME}-numpy.html")
    next(step for step in walk(page) if kind == "title" or step[kind])
    assert barriers(page) == []


def test_list_leads_to_every_deck_and_has_no_serious_barrier(decks, visit):
    page = visit(width=390).open(decks / "index.html")
    links = page.locator("a").evaluate_all("all => all.map((a) => a.href)")
    expected = [f"{NAME}-{name}.html" for name in FRAMEWORKS]
    assert [link.rpartition("/")[2] for link in links] == expected
    assert {path.name for path in decks.glob("*.html")} == {
        "index.html",
        *expected,
    }
    assert barriers(page) == []


def barriers(page):
    """Return what axe finds that is serious or critical."""
    found = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], one["nodes"][0]["html"]) for one in grave]


def test_speaker_view_follows_the_slides_and_leads_them(decks, visit):
    visited = visit(**PROJECTOR)
    page = visited.open(decks / f"{NAME}-numpy.html")
    with visited.context.expect_page() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    notes = speaker.locator(".speaker-controls-notes .value")
    notes.get_by_text("What you will do").wait_for()
    page.keyboard.press("ArrowRight")
    written = page.evaluate(STEP)["notes"].split()[:8]
    notes.get_by_text(" ".join(written)).first.wait_for()
    speaker.keyboard.press("ArrowRight")
    page.wait_for_function("Reveal.getSlidePastCount() === 2")
    assert visited.outside == []


def test_each_slide_prints_on_a_page_with_its_output(decks, visit):
    visited = visit(**PROJECTOR)
    page = visited.open(decks / f"{NAME}-numpy.html", "?print-pdf")
    page.wait_for_selector(".pdf-page")
    count = page.locator(".pdf-page").count()
    assert count == page.locator("section:not(.stack)").count() > 20
    hidden = page.locator(".fragment").evaluate_all(
        "all => all.filter((e) => getComputedStyle(e).visibility === 'hidden')"
    )
    assert hidden == []
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == count


def test_second_build_gives_the_same_bytes(decks, tmp_path):
    first = contents(decks)
    assert contents(make(tmp_path)) == first


def test_deck_that_is_no_longer_made_goes(decks, tmp_path):
    write(contents(decks) | {"old.html": b""}, tmp_path / "slides")
    make(tmp_path)
    assert not (tmp_path / "slides" / "old.html").exists()


def contents(folder):
    """Return {path: bytes} of all files in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
