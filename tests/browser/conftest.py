"""A Chromium for the tests of pages; without one they fail, and say so."""

import shutil
from pathlib import Path

import pytest
import reader
from playwright import sync_api


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
        options = {"executable_path": found, "args": ["--disable-gpu"]}
        with playwright.chromium.launch(**options) as browser:
            yield browser


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
