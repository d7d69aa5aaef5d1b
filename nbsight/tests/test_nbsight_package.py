"""The package says what it needs, and README.md what there is."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from nbsight.texts import DEFAULT, text_differences

import nbsight
from nbsight import masks, plugin

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SOURCES = {
    path.name: path.read_text("utf-8")
    for path in Path(nbsight.__file__).parent.glob("*.py")
}


def cells(heading):
    """Return the rows of the tables below a heading of README.md."""
    text = re.search(rf"(?ms)^##+ {heading}\n(.*?)(?=^##|\Z)", README)[1]
    bodies = re.findall(r"(?m)^\| ---.*\n((?:\|.*\n)+)", text)
    rows = "".join(bodies).splitlines()
    return [row.strip("| ").split(" | ") for row in rows]


def named(heading, pattern):
    """Return what a pattern finds first in the rows below a heading."""
    first = " ".join(row[0] for row in cells(heading))
    return set(re.findall(f"`{pattern}", first))


def helped(*command):
    """Return what a command says of itself."""
    run = subprocess.run(
        [sys.executable, "-m", "nbsight", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_the_package_requires_what_it_imports():
    needed = [each for each in requires("nbsight") if "extra" not in each]
    required = {re.split("[>=; ]", each)[0] for each in needed}
    imported = {
        name
        for path, text in SOURCES.items()
        if path != "figure.py"  # is handed to the kernel as text
        for name in re.findall(r"(?m)^(?:from|import) ([a-z]\w+)", text)
    }
    others = imported - sys.stdlib_module_names
    assert others
    known = packages_distributions()  # zmq comes with pyzmq
    assert {known[name][0].replace("_", "-") for name in others} <= required


def test_the_changelog_begins_with_this_version():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    version = re.search(r'(?m)^version = "(.*)"', project)[1]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"(?m)^## \[(.*?)\]", changes)[1] == version


def test_readme_names_every_option_and_mask():
    class Parser:
        def __init__(self):
            self.names = set()

        def addini(self, name, *_, **__):
            self.names.add(name)

    parser = Parser()
    plugin.pytest_addoption(parser)
    assert named("Options", r"(nbsight_\w+)`") == parser.names
    assert named("Options", r"([a-z-]+)`") == masks.MASKS.keys()


def test_readme_names_every_tag():
    words = r"nbsight-(?:stderr|varies)[a-z-]*|raises-exception"
    ours = set(re.findall(words, "\n".join(SOURCES.values())))
    tags = named("Tags", r"([a-z]\S+?)`")
    assert {tag for tag in ours if not tag.endswith("-")} <= tags
    for tag in tags:
        assert tag in ours or re.match("[ra]tol-", tag), tag


def test_readme_names_every_command_and_its_options():
    commands = re.search(r"\{(.*?)\}", helped())[1].split(",")
    assert named("First contact", r"nbsight (\w+) ") == {*commands}
    assert {*re.findall(r"nbsight (accept|diff|fix)\b", README)} == {*commands}
    for command in commands:
        options = re.findall(r"(?m)^  (--?[a-z][\w-]*)", helped(command))
        told = {
            option.split()[0].strip("`")
            for option, of, *_ in cells("First contact")
            if f"`{command}`" in of
        }
        assert told == {*options} - {"-h"}


@pytest.mark.parametrize("row", cells("Numbers"))
def test_numbers_pass_and_differ_as_readme_says(row):
    stored, now, verdict = (part.strip("`") for part in row)
    found = text_differences(stored, now, DEFAULT)
    assert bool(found) == verdict.startswith("differs"), found


def test_a_failure_looks_as_readme_shows():
    command = [sys.executable, ROOT / "docs" / "failure.py"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    (shown,) = re.findall(r"(?ms)^```text\n(.*?)^```", README)
    said = [line.strip("= ") for line in run.stdout.splitlines()]
    for line in shown.splitlines():
        assert any(each.startswith(line.strip()) for each in said), line
