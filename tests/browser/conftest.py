"""A Chromium for the tests of pages; without one they fail, and say so."""

import shutil
from pathlib import Path

import pytest
import reader
from playwright import sync_api

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
        pytest.fail("Chromium is not installed (Debian: chromium)")
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
