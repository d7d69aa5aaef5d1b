"""A Chromium for the tests of pages; they are skipped where none is."""

import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
reader = pytest.importorskip("reader")  # which needs axe

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


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Return a function that makes a `Reader`; afterwards all are gone."""
    readers = []

    def make(**options):
        readers.append(reader.Reader(browser, **options))
        return readers[-1]

    yield make
    for one in readers:
        one.context.close()
