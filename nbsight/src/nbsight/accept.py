"""Store what a notebook gives now, on purpose: python -m nbsight.accept.

The notebook is executed and compared by the check itself, so in the same
surroundings, with the same options and tolerances. What differs is shown; then
the question is asked. Only cells that differ get their new outputs. What would
not pass the check afterwards is refused.
"""

import argparse
import contextlib
import copy
import io
import json
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
import pytest

from . import report


class Store:
    """Notebooks as they come; a project that generates its own overrides."""

    yes = "--yes"  # how to agree beforehand

    def objection(self, path):
        """Say why a notebook must not be changed here, or return None."""

    def tidy(self, path, notebook):
        """Change, in place, what was executed into what is to be stored."""

    def faults(self, path, draft):
        """Return what is wrong with a draft of a notebook, besides the check.

        Args:
            path: of the notebook.
            draft: path of the draft, whose file and folder are named alike.
        """
        return []

    def write(self, path, text):
        """Put a notebook in its place in one move."""
        path = path.resolve()
        partial = path.with_name(f".{path.name}-{os.getpid()}.partial")
        try:
            partial.write_bytes(text.encode())
            shutil.copymode(path, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


class Accept:
    """Does, in pytest's place, what is done with the notebooks it found."""

    def __init__(self, store, yes, say):
        """Take a `Store`, the answer if it is known, and a print function."""
        self.store, self.yes, self.say = store, yes, say
        self.done = None  # of each notebook, whether it is as it should be

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config):
        """Work in this process, whatever is configured for the check."""
        config.option.dist = "no"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        """Go through the notebooks, in order."""
        if session.testsfailed:  # while they were collected: pytest says it
            return None
        self.done = []
        for file in dict.fromkeys(item.parent for item in session.items):
            if hasattr(file, "stopped"):
                self.done.append(self.notebook(file))
        return True

    def notebook(self, file):
        """Execute, show, ask and store one notebook; tell if all is well."""
        name = report.short(file.config, file.path)
        why = self.store.objection(file.path)
        if why:
            self.say(f"{name}: refused\n  {why}")
            return False
        before = file.path.read_bytes()
        self.say(f"{name}: executing")
        file.setup()
        found = verdict(file)
        if not found:
            self.say(f"{name}: nothing differs")
            return True
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder, file.path.parent.name, file.path.name)
            draft.parent.mkdir()
            text = self.draft(file, before.decode(), found)
            draft.write_bytes(text.encode())
            wrong = [report.summary(*each) for each in verdict(file, draft)]
            if file.stopped:
                at = file.stopped.index
                wrong = [
                    report.summary(item, lines)
                    for item, lines in found
                    if getattr(item, "index", None) == at
                ]
            wrong = wrong or self.store.faults(file.path, draft)
        if wrong:
            text = "\n".join(wrong).replace(str(draft), str(name))
            self.say(f"{text}\n{name}: refused, for it would not pass")
            return False
        for item, lines in found:
            self.say(report.summary(item, lines))
        page = f"{file.path.with_suffix('')}-differs"
        self.say(
            f"different: {len(found)} of {len(file.cells)} cells; stored and "
            f"new side by side:\n  {report.page(file.config, page, found)}"
        )
        if not self.agreed(name):
            return False
        if file.path.read_bytes() != before:
            self.say(f"{name}: changed meanwhile, so it is left; start again")
            return False
        self.store.write(file.path, text)
        self.say(f"{name}: accepted")
        return True

    def draft(self, file, before, found):
        """Return the notebook's text with new outputs where they differ."""
        old, new = json.loads(before), copy.deepcopy(file.new)
        self.store.tidy(file.path, new)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on ids: the check says it
            new = json.loads(nbformat.writes(new))
        changed, count = {getattr(item, "index", None) for item, _ in found}, 0
        for index, cell in enumerate(old.get("cells", [])):
            if cell["cell_type"] != "code":
                continue
            if index in changed:
                cell["outputs"] = new["cells"][index]["outputs"]
            if new["cells"][index]["execution_count"] is not None:
                cell["execution_count"] = count = count + 1
            count = cell["execution_count"] or count  # where it was skipped
            for output in cell["outputs"]:
                if "execution_count" in output:
                    output["execution_count"] = cell["execution_count"]
        return dumps(old, before)

    def agreed(self, name):
        """Ask whether to store; without a terminal the answer is no."""
        if self.yes:
            return True
        if not sys.stdin.isatty():
            self.say(
                f"{name}: left as it is, for there is no terminal to ask on; "
                f"to accept this all the same, give {self.store.yes}"
            )
            return False
        self.say("Store the new outputs? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return True
        self.say(f"{name}: left as it is")
        return False


def verdict(file, path=None):
    """Return what the check says of a notebook that has been executed.

    Args:
        file: a `plugin.NotebookFile` that has been set up.
        path: of a draft to be compared with that execution in its place.

    Returns:
        Pairs of a cell's item and the lines of what differs.
    """
    from .plugin import Mismatch, NotebookFile  # after pytest has started

    if path is not None:
        new, stopped = file.new, file.stopped
        file = NotebookFile.from_parent(file.parent, path=path)
        file.new, file.stopped = new, stopped
        file.setup_sanitize_files()
    found, file.cells = [], []
    for item in file.collect():
        file.cells += [item] if hasattr(item, "cell") else []
        try:
            item.runtest()
        except Mismatch as mismatch:
            found.append((item, mismatch.lines))
        except pytest.skip.Exception:
            pass
    return found


def dumps(notebook, like):
    """Write a notebook from JSON in the form that a text has, if it can be.

    Args:
        notebook: as read by ``json``.
        like: the text; where it has another form, nbformat's is taken.
    """
    indent = re.match(r"\{\s*\n([ \t]+)", like)
    end = like[len(like.rstrip()) :]
    for ascii_only in (False, True):
        form = {"ensure_ascii": ascii_only, "indent": indent and indent[1]}
        if json.dumps(json.loads(like), **form) + end == like:
            return json.dumps(notebook, **form) + end
    form = {"ensure_ascii": False, "indent": 1, "sort_keys": True}
    return json.dumps(notebook, **form) + "\n"


def main(store=None, arguments=None):
    """Read the command line and do it; return the status to exit with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(arguments)
    out, pytest_says = sys.stdout, io.StringIO()

    def say(text, end="\n"):
        print(text, end=end, file=out, flush=True)

    accept = Accept(store or Store(), chosen.yes, say)
    # No assertions are rewritten: modules that are imported already cannot be,
    # and where warnings are errors, pytest would end with that.
    options = ["--nbval", "--capture=no", "--assert=plain"]
    with contextlib.redirect_stdout(pytest_says):
        status = pytest.main([*options, *chosen.notebooks], [accept])
    if status == pytest.ExitCode.INTERRUPTED and accept.done is not None:
        say("\nstopped; what is written so far is whole")
    elif status or not accept.done:
        print(pytest_says.getvalue(), end="", file=sys.stderr)
        if not accept.done:
            print("no notebook was looked at", file=sys.stderr)
    return 0 if accept.done and all(accept.done) and not status else 1


if __name__ == "__main__":
    sys.exit(main())
