"""The set-up: one place for versions, and nothing of any machine."""

import itertools
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tools import ci_jobs, frameworks, setup_env
from tools.author.sources import ROOT, names
from tools.frameworks import FRAMEWORKS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TESTED = {"python_version": "3.11", "sys_platform": "linux"}
TESTED |= {"platform_machine": "x86_64"}
PINS = dict(
    line.split("==")
    for line in (ROOT / "tools" / "pins.txt").read_text().split()
    if "==" in line
)


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned():
    pinned = {normal(name) for name in PINS}
    extras = PROJECT["optional-dependencies"].values()
    for line in itertools.chain(PROJECT["dependencies"], *extras):
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name == PROJECT["name"] or (
            marker and not marker.evaluate(TESTED)
        ):
            continue
        assert normal(requirement.name) in pinned, line


def test_versions_are_pinned_in_one_place_only():
    exact = re.compile(r"\b[a-z][\w-]*==\d")
    for path in tracked_files():
        if path.name in ("pins.txt", "LICENSE") or path.suffix == ".svg":
            continue
        found = exact.findall(path.read_text())
        # MXNet has had its last release; its range is that one version.
        allowed = ["mxnet" + "==1"] if path.name == "pyproject.toml" else []
        assert found == allowed, path


def test_only_the_mxnet_extra_asks_for_an_old_numpy():
    for extra, lines in PROJECT["optional-dependencies"].items():
        old = [line for line in lines if line.startswith("numpy<")]
        assert bool(old) == (extra == "mxnet"), extra


def test_the_conda_environment_uses_the_same_pins_and_all_extras():
    text = (ROOT / "environment.yml").read_text()
    environment = yaml.safe_load(text)
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip["pip"][0] == "-c tools/pins.txt"
    extras = re.search(r"\[(.*)\]", pip["pip"][1])[1].split(",")
    assert extras == [*FRAMEWORKS, *setup_env.ALWAYS, "test"]


def test_every_framework_has_an_extra():
    assert set(FRAMEWORKS) <= set(PROJECT["optional-dependencies"])


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


def test_no_registry_and_no_path_of_a_machine_is_written_anywhere():
    # Put together here, so that this file does not hold them either.
    words = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org"]
    words += ["download." + "pytorch", str(ROOT.parent) + "/", "/root" + "/"]
    for path in tracked_files():
        if path.exists() and path.suffix not in (".png",):
            text = path.read_text()
            assert not [word for word in words if word in text], path


def test_readme_figure_is_what_the_lesson_draws(tmp_path):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.quality",
            "figure",
            str(tmp_path / "f.svg"),
        ],
        cwd=ROOT,
        check=True,
    )
    drawn, stored = (
        # Its ids are hashes of what NumPy prints, which is its version's.
        re.sub(r"\bp[0-9a-f]{10}\b", "id", path.read_text())
        for path in (tmp_path / "f.svg", ROOT / "docs" / "three-poolings.svg")
    )
    assert drawn == stored


@pytest.mark.parametrize(
    ("asked", "before", "changed", "wanted"),
    [
        (None, [], False, list(FRAMEWORKS)),
        (["pytorch"], [], False, ["pytorch"]),
        (None, ["pytorch"], False, []),
        (["numpy"], ["pytorch"], False, ["numpy", "pytorch"]),
        (["pytorch"], ["numpy", "pytorch"], False, []),
        (None, ["numpy"], True, ["numpy"]),
    ],
)
def test_set_up_installs_what_is_asked_for_and_keeps_what_is_there(
    asked, before, changed, wanted
):
    stamp = {"digest": "old" if changed else "now", "installed": before}
    assert setup_env.needed(asked, stamp if before else {}, "now") == wanted


def test_set_up_adds_an_extra_once_and_keeps_it():
    stamp = {"digest": "now", "installed": ["pytorch"]}
    wanted = ["pytorch", "book"]
    assert setup_env.needed(None, stamp, "now", "book") == wanted
    stamp["installed"] = wanted
    assert setup_env.needed(None, stamp, "now", "book") == []
    assert setup_env.needed(["numpy"], stamp, "now") == ["numpy", *wanted]


def test_what_holds_others_back_comes_without_pins_only_when_asked_for():
    every = setup_env.needed(None, {}, "now", pinned=False)
    assert every == [name for name in FRAMEWORKS if name != "mxnet"]
    asked = setup_env.needed(["mxnet"], {}, "now", pinned=False)
    assert asked == ["mxnet"]


def test_an_environment_keeps_its_python(tmp_path):
    assert setup_env.version_of(tmp_path) is None
    python = setup_env.python_of(tmp_path)
    python.parent.mkdir()
    python.touch()
    (tmp_path / "pyvenv.cfg").write_text("home = /x\nversion = 3.10.2\n")
    assert setup_env.version_of(tmp_path) == (3, 10)
    command = [sys.executable, "tools/setup_env.py", "--venv", tmp_path]
    answer = subprocess.run(
        [*command, "--insist"], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 1
    assert "has Python 3.10, and PYTHON is 3." in answer.stderr


def test_only_goals_that_test_install_what_tests_need():
    def extras(*goals):
        shown = subprocess.run(
            ["make", "--no-print-directory", "-n", *goals],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return re.search(r"--extras '(.*?)'", shown)[1].split()

    assert extras("lab") == extras("setup") == []
    assert extras("notebooks") == ["test"]
    assert extras("check", "slides") == ["test", "book"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_sound_and_runs_nothing_but_what_anyone_can(path):
    check = [sys.executable, "-m", "check_jsonschema", str(path)]
    check += ["--builtin-schema", "vendor.github-workflows"]
    answer = subprocess.run(check, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout
    text = path.read_text()
    targets = re.findall(r"\bmake ((?:[a-z]+ )+)", text)
    known = re.findall(
        r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.M
    )
    assert targets or ".ci/run" in text
    assert set(" ".join(targets).split()) <= set(known)
    # Which frameworks and notebooks there are is not written down again.
    assert not re.search("|".join([*FRAMEWORKS, "ipynb"]), text)


def test_ci_runs_each_framework_alone_on_each_python():
    jobs = ci_jobs.jobs()
    found = {(job["framework"], job["python"]) for job in jobs["alone"]}
    for framework in FRAMEWORKS.values():
        for python in framework.pythons:
            assert (framework.name, python) in found
    assert [job["framework"] for job in jobs["newest"]] == [*FRAMEWORKS]
    classes = {f"3.{minor}" for minor in (11, 12, 13)}
    assert {python for _, python in found} == classes


def test_make_without_a_target_prints_what_there_is():
    text = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in ("lab", "test", "setup", "notebooks", "check", "nbval"):
        assert f"make {target}" in text


def test_a_missing_python_gives_one_clear_line(tmp_path):
    answer = subprocess.run(
        [
            "make",
            "-s",
            "--no-print-directory",
            "setup",
            "PYTHON=",
            f"VENV={tmp_path / 'venv'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode != 0
    lines = answer.stdout.splitlines()
    assert len(lines) == 1
    assert "Python 3.11 or newer" in lines[0]
