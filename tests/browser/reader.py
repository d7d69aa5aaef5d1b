"""Somebody who reads a page, and hears of all that goes wrong on it."""

import hashlib

from axe_playwright_python.sync_playwright import Axe


class Reader:
    """A page in a fresh profile, with all that goes wrong on it."""

    def __init__(self, browser, width=1280, height=900, **options):
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, **options)
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


def contents(folder):
    """Return {path: hash of the content} of the files in a folder."""
    return {
        path.relative_to(folder): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def barriers(page, **options):
    """Return what axe calls serious or critical: rule, first place, count."""
    page.evaluate(
        "document.querySelectorAll('details').forEach((d) => d.open = true)"
    )
    options = {"resultTypes": ["violations"], **options}
    return [
        (rule["id"], rule["nodes"][0]["html"][:200], len(rule["nodes"]))
        for rule in Axe().run(page, options=options).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
