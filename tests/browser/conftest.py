"""A Chromium for the tests of pages; they are skipped where none is."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
# What keeps it from asking the network for anything of its own.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """A page in a fresh profile, with all that goes wrong on it."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors, self.outside = [], []
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self.asked)

    def heard(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def asked(self, request):
        near = ("file:", "data:", "blob:", "http://127.0.0.1")
        if not request.url.startswith(near):
            self.outside.append(request.url)

    def open(self, path, query=""):
        """Open a file, and wait until its formulas are set."""
        self.page.goto(path.as_uri() + query)
        self.page.wait_for_load_state("load")
        self.page.evaluate("window.MathJax?.startup?.promise")
        return self.page


@pytest.fixture
def visit(browser):
    """Return a function that makes a `Visit`; afterwards all are closed."""
    visits = []

    def make(width=1280, height=900, **options):
        size = {"width": width, "height": height}
        visits.append(Visit(browser, viewport=size, **options))
        return visits[-1]

    yield make
    for visit in visits:
        visit.context.close()
