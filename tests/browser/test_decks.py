"""The decks as a class sees them: in a browser, opened as files."""

import re

import pytest
from reader import Reader, barriers, contents

from tools.author import sources
from tools.book import slides

NAMES = sources.names()
FRAMEWORK = "tensorflow"  # the longest code
DECK = f"{NAMES[1]}-{FRAMEWORK}.html"
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
    """Build a deck of each lesson from nothing."""
    folder = tmp_path_factory.mktemp("build")
    slides.build(folder, NAMES, [FRAMEWORK])
    return folder / "slides"


@pytest.fixture(scope="module", params=NAMES)
def walked(request, browser, decks):
    """Go through a deck once: who reads it, and what each step shows."""
    reader = Reader(browser, **PROJECTOR)
    page = reader.open(decks / f"{request.param}-{FRAMEWORK}.html")
    steps = []
    for step in walk(page):
        steps.append(step | {"outside": page.evaluate(OUTSIDE)})
    yield reader, steps
    reader.context.close()


def walk(page):
    """Yield what each step of a deck shows, to its end."""
    while True:
        yield page.evaluate(STEP)
        if page.evaluate(LAST):
            return
        page.keyboard.press("ArrowRight")


def test_every_slide_fits_has_notes_and_asks_for_nothing(walked):
    reader, steps = walked
    assert len(steps) > 15
    assert [step for step in steps if step["outside"]] == []
    assert reader.errors == reader.outside == []
    assert [step["title"] for step in steps if not step["notes"]] == []
    assert all(step["alt"] and step["drawn"] for step in steps)


@pytest.mark.parametrize("walked", [NAMES[1]], indirect=True)
def test_class_can_predict_before_it_sees_what_comes_out(walked):
    _, steps = walked
    asked = {step["title"] for step in steps if step["predict"]}
    assert len(asked) > 5
    for title in asked:
        here = [step for step in steps if step["title"] == title]
        first = next(i for i, step in enumerate(here) if step["predict"])
        shown = [step["output"] or step["figure"] for step in here[first:]]
        assert any(shown) and not shown[0], title


def test_slides_have_no_serious_barrier(decks, visit):
    page = visit(**PROJECTOR).open(decks / DECK)
    assert re.fullmatch(rf"{NAMES[1][:2]} .+ \(TensorFlow\)", page.title())
    wanted = ["notes", "code", "output", "figure", "formula"]  # title first
    for step in walk(page):
        if any(step[kind] for kind in wanted):
            assert barriers(page) == [], step["title"]
            wanted = [kind for kind in wanted if not step[kind]]
    assert wanted == []


def test_list_leads_to_every_deck_and_has_no_serious_barrier(decks, visit):
    page = visit(**PROJECTOR).open(decks / "index.html")
    links = page.locator("td a").evaluate_all("all => all.map((a) => a.href)")
    expected = [f"{name}-{FRAMEWORK}.html" for name in NAMES]
    assert [link.rpartition("/")[2] for link in links] == expected
    made = {path.name for path in decks.glob("*.html")}
    assert made == {"index.html", *expected}
    assert page.evaluate(OUTSIDE) == []
    assert barriers(page) == []


def test_speaker_view_follows_the_slides_and_leads_them(decks, visit):
    reader = visit(**PROJECTOR)
    page = reader.open(decks / DECK)
    with reader.context.expect_page() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    notes = speaker.locator(".speaker-controls-notes .value")
    notes.get_by_text("What you will do").wait_for()
    page.keyboard.press("ArrowRight")
    written = page.evaluate(STEP)["notes"].split()[:8]
    notes.get_by_text(" ".join(written)).first.wait_for()
    speaker.keyboard.press("ArrowRight")
    page.wait_for_function("Reveal.getSlidePastCount() === 2")
    assert reader.outside == []


def test_each_slide_prints_on_a_page_with_its_output(decks, visit):
    page = visit(**PROJECTOR).open(decks / DECK, "?print-pdf")
    page.wait_for_selector(".pdf-page")
    count = page.locator(".pdf-page").count()
    assert count == page.locator("section:not(.stack)").count() > 20
    hidden = page.locator(".fragment").evaluate_all(
        "all => all.filter((e) => getComputedStyle(e).visibility === 'hidden')"
    )
    assert hidden == []
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == count


def test_a_second_build_gives_the_same(decks, tmp_path):
    slides.build(tmp_path, NAMES, [FRAMEWORK])
    assert contents(tmp_path / "slides") == contents(decks)
