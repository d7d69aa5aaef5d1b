"""docs/regression.md, followed to the letter in a fresh repository."""

import json
import os
import re
import subprocess
import sysconfig
import venv
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
GUIDE = (ROOT / "docs" / "regression.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Nothing of the user's own, and no network: what the guide installs is here
# already, but for nbsight, which is built and installed as the guide says.
ENVIRONMENT = {
    **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PIP_NO_BUILD_ISOLATION": "false",  # means that there is none
    "PIP_NO_INDEX": "1",
    **{
        f"GIT_{who}_{what}": "reader@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


class Reader:
    """Does what each block of the guide says."""

    def __init__(self, folder):
        self.folder, self.said, self.states = folder, "", []
        venv.create(folder / "venv", with_pip=False)
        (packages,) = (folder / "venv").glob("lib/*/site-packages")
        (packages / "known.pth").write_text(sysconfig.get_path("purelib"))
        path = f"{folder / 'venv' / 'bin'}{os.pathsep}{ENVIRONMENT['PATH']}"
        self.environment = {**ENVIRONMENT, "PATH": path}

    def sh(self, block):
        answer = subprocess.run(
            ["bash", "-ec", f"exec 2>&1 </dev/null\n{block}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.said = answer.stdout
        fails = block.rstrip().endswith("# fails")
        assert bool(answer.returncode) == fails, (block, self.said)
        for line in block.splitlines():
            if line.startswith("cd "):
                self.folder /= line.split()[1]
        notebook = self.folder / "growth.ipynb"
        if notebook.exists():
            self.states.append((block, json.loads(notebook.read_text())))

    def diff(self, block):
        name, *lines = block.splitlines()
        path = self.folder / name.removeprefix("--- ")
        old, new = (
            "\n".join(line[1:] for line in lines if line[0] == sign)
            for sign in "-+"
        )
        text = path.read_text()
        assert text.count(old) == 1, (block, text)
        path.write_text(text.replace(old, new))

    def text(self, block):
        """Look for what the guide shows, line by line, in this order."""
        lines = [re.escape(line) for line in block.strip("\n").splitlines()]
        pattern = ".*".join(line.replace("…", "[^\n]*") for line in lines)
        assert re.search(pattern, self.said, re.DOTALL), (block, self.said)

    def follow(self, kind, block):
        first, _, rest = block.partition("\n")
        if first.startswith("# ") and "." in first:
            path = self.folder / first.removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rest)
        else:
            getattr(self, kind)(block)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader who has followed the whole guide."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "lessons").symlink_to(ROOT)
    reader = Reader(folder)
    for kind, block in FENCE.findall(GUIDE):
        reader.follow(kind, block)
    return reader


def test_the_guide_works_in_a_fresh_repository(reader):
    assert reader.folder.name == "example"
    reader.sh("git log --format=%s --name-only")
    log = reader.said.split("\n\n")
    assert "Growth: the legend says per cent" in log[0]
    assert log[1].splitlines()[0] == "growth.ipynb"
    assert len(reader.states) > 5


def test_only_accepting_changes_the_notebook_and_there_one_cell(reader):
    for (_, before), (block, after) in pairwise(reader.states):
        assert after == before or "nbsight accept" in block, block
    accepted = [i for i, (b, _) in enumerate(reader.states) if "accept" in b]
    before, after = reader.states[accepted[1] - 1 :][:2]
    pairs = zip(before[1]["cells"], after[1]["cells"], strict=True)
    (cell,) = [new for old, new in pairs if old != new]
    assert cell["source"] == ["draw(range(8))"]


def test_the_workflow_and_the_hook_run_the_guides_command(reader):
    path = reader.folder / ".github" / "workflows" / "notebooks.yml"
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True] == ["push", "pull_request"]  # YAML reads on as true
    (job,) = workflow["jobs"].values()
    assert all(len({"uses", "run"} & set(step)) == 1 for step in job["steps"])
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs[0] in GUIDE.replace("--quiet ", "").split("```yaml")[0]
    assert runs[1].startswith("python -m pytest ")
    reader.sh(runs[1])
    assert "6 passed" in reader.said
    path = reader.folder / ".pre-commit-config.yaml"
    (repository,) = yaml.safe_load(path.read_text())["repos"]
    (hook,) = repository["hooks"]
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert runs[1].startswith(f"{hook['entry']} ")
    assert hook["pass_filenames"] is False


def test_the_variables_that_the_guide_gives_to_make_are_used():
    makefile = (ROOT / "Makefile").read_text()
    variables = re.findall(r"\b([A-Z]+)=", GUIDE.split("## In this")[1])
    assert variables and all(f"$({each}" in makefile for each in variables)
