"""A line for each notebook that starts in a worker, and that is finished."""

import time
from collections import Counter

import pytest


def _notebook(nodeid):
    """Return the path of the notebook that a test belongs to, or None."""
    path, _, rest = nodeid.partition("::")
    return path if rest and path.endswith(".ipynb") else None


class Progress:
    """Counts the tests of each notebook, in the process that reports."""

    def __init__(self, config):
        """Take pytest's configuration."""
        self.config = config
        self.left, self.all = Counter(), 0  # tests of each notebook
        self.started, self.failed, self.done = {}, Counter(), 0

    def pytest_collection_finish(self, session):
        """Count what was collected here."""
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        """Count what a worker has collected; the others find the same."""
        if not self.all:
            self._expect(ids)

    def _expect(self, ids):
        self.left = Counter(filter(None, map(_notebook, ids)))
        self.all = len(self.left)

    def pytest_runtest_logstart(self, nodeid):
        """Say which notebook a worker starts; alone, pytest says it."""
        name = _notebook(nodeid)
        if name is None or name in self.started:
            return
        self.started[name] = time.monotonic()
        if self.config.getoption("dist", "no") != "no":
            self._say(f"{'now':>6}", name)

    def pytest_runtest_logreport(self, report):
        """Note what fails."""
        self.failed[_notebook(report.nodeid)] += report.failed

    def pytest_runtest_logfinish(self, nodeid):
        """Say it, when this was the last test of a notebook."""
        name = _notebook(nodeid)
        self.left[name] -= 1
        if name is None or self.left[name]:
            return
        self.done += 1
        seconds = f"{time.monotonic() - self.started[name]:4.0f} s"
        bad = self.failed[name]
        result = f"{bad} FAILED" if bad else "ok"
        self._say(seconds, f"{name}  {result}", red=bool(bad))

    def _say(self, what, name, **markup):
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter._tw.width_of_current_line:
            reporter.line("")
        done = f"[{self.done}/{self.all}]".rjust(2 * len(str(self.all)) + 3)
        reporter.write_line(f"{done} {what}  {name}", **markup)


def register(config):
    """Say how far it is, but quietly under ``-q`` and in a worker."""
    quiet = config.getoption("verbose", -1) < 0 or hasattr(
        config, "workerinput"
    )
    if config.option.nbval and not quiet:
        config.pluginmanager.register(Progress(config), "nbsight-progress")
