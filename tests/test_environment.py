"""The set-up: one place for versions, and nothing of any machine."""

import itertools
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tools import frameworks, setup_env
from tools.author.sources import ROOT, names
from tools.frameworks import FRAMEWORKS

PROJECTS = [
    tomllib.loads((ROOT / path / "pyproject.toml").read_text())["project"]
    for path in (".", "nbsight")
]
EXTRAS = PROJECTS[0]["optional-dependencies"]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
TESTED = {"python_version": "3.11", "sys_platform": "linux"}
TESTED |= {"platform_machine": "x86_64"}
EVERY = [*FRAMEWORKS]


def run(*command):
    # Nothing of what a `make` above these tests was given.
    env = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True
    )


def tracked_files():
    listed = run("git", "ls-files", "-z").stdout.split("\0")
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned():
    pins = (ROOT / "tools" / "pins.txt").read_text().split()
    pinned = {normal(pin.split("==")[0]) for pin in pins if "==" in pin}
    ours = {project["name"] for project in PROJECTS}
    direct = itertools.chain(*(each["dependencies"] for each in PROJECTS))
    for line in itertools.chain(direct, *EXTRAS.values()):
        needed = Requirement(line)
        here = not needed.marker or needed.marker.evaluate(TESTED)
        if here and needed.name not in ours:
            assert normal(needed.name) in pinned, line


def test_versions_are_pinned_in_one_place_and_no_machine_is_named():
    exact = re.compile(r"\b[a-z][\w-]*==\d")
    # Put together here, so that this file does not hold them either.
    words = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org"]
    words += ["download." + "pytorch", str(ROOT.parent) + "/", "/root" + "/"]
    for path in tracked_files():
        if path.suffix == ".png":
            continue
        text = path.read_text()
        assert not [word for word in words if word in text], path
        if path.name in ("pins.txt", "LICENSE") or path.suffix == ".svg":
            continue
        # MXNet has had its last release; its range is that one version.
        allowed = ["mxnet" + "==1"] if path.name == "pyproject.toml" else []
        if path.suffix != ".ipynb":  # it installs nothing; its data are noise
            assert set(exact.findall(text)) <= set(allowed), path


def test_each_framework_has_an_extra_and_mxnets_alone_wants_an_old_numpy():
    assert set(FRAMEWORKS) <= set(EXTRAS)
    for extra, lines in EXTRAS.items():
        old = [line for line in lines if line.startswith("numpy<")]
        assert bool(old) == (extra == "mxnet"), extra


def test_the_conda_environment_uses_the_same_pins_and_all_extras():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    pins, ours, check = pip["pip"]
    assert pins == "-c tools/pins.txt"
    assert ours == f"-e .[{','.join([*EVERY, setup_env.ALWAYS, 'test'])}]"
    assert check == "-e ./nbsight"


def test_a_folder_is_not_taken_for_a_framework(tmp_path, monkeypatch):
    # notebooks/mxnet is a folder, and pytest puts notebooks/ on the path.
    (tmp_path / "jaxless").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    fake = frameworks.Framework("jaxless", "JAXless", "jaxless")
    monkeypatch.setitem(frameworks.FRAMEWORKS, "jaxless", fake)
    reason = frameworks.why_missing("jaxless")
    assert reason.startswith("JAXless is not installed")
    assert reason.endswith('make setup FRAMEWORKS="jaxless" adds it')


def test_readme_names_every_framework_and_links_every_notebook():
    text = (ROOT / "README.md").read_text()
    *most, last = titles = [each.title for each in FRAMEWORKS.values()]
    words = f" in {', '.join(most)} and {last}."
    assert words in " ".join(text.split())
    assert f"| lesson | {' | '.join(titles)} |\n" in text
    for name in names():
        for framework in FRAMEWORKS:
            assert f"(notebooks/{framework}/{name}.ipynb)" in text


@pytest.mark.parametrize(
    ("asked", "before", "extras", "pinned", "wanted"),
    [
        (None, [], "", True, EVERY),
        (["pytorch"], [], "", True, ["pytorch"]),
        (None, ["pytorch"], "book", True, ["pytorch", "book"]),
        (["numpy"], ["pytorch", "book"], "", True, "numpy pytorch book"),
        (None, [], "", False, [name for name in EVERY if name != "mxnet"]),
        (["mxnet"], [], "", False, ["mxnet"]),
    ],
)
def test_set_up_installs_what_is_asked_for_and_keeps_what_is_there(
    asked, before, extras, pinned, wanted
):
    wanted = wanted.split() if isinstance(wanted, str) else wanted
    assert setup_env.wanted(asked, before, extras, pinned) == wanted


def test_an_environment_keeps_its_python(tmp_path):
    assert setup_env.version_of(tmp_path) is None
    python = setup_env.python_of(tmp_path)
    python.parent.mkdir()
    python.touch()
    (tmp_path / "pyvenv.cfg").write_text("home = /x\nversion = 3.10.2\n")
    assert setup_env.version_of(tmp_path) == (3, 10)
    set_up = (sys.executable, "tools/setup_env.py", "--venv", str(tmp_path))
    answer = run(*set_up, "--insist")
    assert answer.returncode == 1
    assert "has Python 3.10, and PYTHON is 3." in answer.stderr


def test_only_goals_that_test_install_what_tests_need():
    def extras(*goals):
        shown = run("make", "--no-print-directory", "-n", *goals).stdout
        return re.search(r"--extras '(.*?)'", shown)[1].split()

    assert extras("lab") == extras("setup") == []
    assert extras("notebooks") == ["test"]
    assert extras("check", "slides") == ["test", "book"]
    assert extras("test", "SLOW=1") == ["test", "book", "browser", "hub"]


def test_a_missing_python_gives_one_clear_line(tmp_path):
    make = ("make", "-s", "--no-print-directory", "setup", "PYTHON=")
    answer = run(*make, f"VENV={tmp_path / 'venv'}")
    assert answer.returncode != 0
    (line,) = answer.stdout.splitlines()
    assert "Python 3.11 or newer" in line


def test_make_shows_a_short_list_of_goals_and_workflows_use_only_these():
    shown = run("make", "--no-print-directory").stdout
    goals = re.findall(r"^  make ([a-z]+) ", shown, re.M)
    assert {"lab", "test", "notebooks", "check", "nbval"} <= set(goals)
    assert len(goals) <= 14
    for name, workflow in WORKFLOWS.items():
        used = re.findall(r"\bmake ([a-z]+)", str(workflow))
        assert set(used) <= set(goals), name
    assert "bash .ci/run" in str(WORKFLOWS["test"])


@pytest.mark.parametrize(
    ("workflow", "job"), [("test", "alone"), ("weekly", "newest")]
)
def test_ci_runs_each_framework_alone(workflow, job):
    matrix = WORKFLOWS[workflow]["jobs"][job]["strategy"]["matrix"]
    assert matrix["framework"] == EVERY


def test_ci_runs_the_check_on_every_python_that_it_supports():
    steps = WORKFLOWS["test"]["jobs"]["nbsight"]["steps"]
    (pythons,) = (
        step["with"]["python-version"].split()
        for step in steps
        if "python-version" in step.get("with", {})
    )
    claimed = re.findall(r":: (3\.\d+)", " ".join(PROJECTS[1]["classifiers"]))
    assert pythons == claimed
    assert PROJECTS[1]["requires-python"] == f">={claimed[0]}"
    assert any(step.get("run", "").startswith("nox") for step in steps)


def test_the_check_carries_the_licence_of_this_repository():
    ours, its = (ROOT / path / "LICENSE" for path in (".", "nbsight"))
    assert ours.read_bytes() == its.read_bytes()
