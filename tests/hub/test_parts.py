"""The hub's parts, each without a hub."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.author.sources import ROOT
from tools.classroom.hub import folders, sandbox, server

pytestmark = pytest.mark.slow
# A gitpuller that has written half of an edition when the pull is killed.
KILLED = """\
#!/bin/sh
echo half > .lessons.new/numpy/01_a.ipynb
kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)
"""


def pull(folder, *before):
    """Fetch lessons, as a student's server does; return the exit status.

    Programs are looked for in the folder ``before`` at first.
    """
    path = [*before, Path(sys.executable).parent, os.environ["PATH"]]
    env = {"USER": "ada", "PATH": ":".join(map(str, path))}
    env["LESSONS_FROM"] = str(folder / "lessons.git")
    env = {**os.environ, **env, "HOME": str(folder / "home")}
    return subprocess.run(["sh", sandbox.PULL], env=env).returncode


def edition(folder, text):
    """Hand out notebooks with a text, one of them outside of `numpy`."""
    (folder / "new" / "numpy").mkdir(parents=True, exist_ok=True)
    for name in ("numpy/01_a", "numpy/02_b", "03_of_a_kit"):
        (folder / "new" / f"{name}.ipynb").write_text(text)
    assert folders.publish(["numpy"], folder / "lessons.git", folder / "new")


def test_a_pull_that_fails_or_is_killed_leaves_nothing_broken(tmp_path):
    home, killer = tmp_path / "home", tmp_path / "bin"
    home.mkdir(), killer.mkdir()
    (killer / "gitpuller").write_text(KILLED)
    (killer / "gitpuller").chmod(0o755)
    lessons = home / "lessons" / "numpy"
    mine, theirs = lessons / "01_a.ipynb", lessons / "02_b.ipynb"
    note = home / "LESSONS_ARE_NOT_UP_TO_DATE.txt"
    assert pull(tmp_path) == 0 and "lessons.git" in note.read_text()
    edition(tmp_path, "first")
    assert pull(tmp_path) == 0 and theirs.read_text() == "first"
    assert not note.exists()
    mine.write_text("mine")
    (home / "lessons/.git/index.lock").touch()  # the student's git was killed
    edition(tmp_path, "second")
    for _ in range(2):
        assert pull(tmp_path, killer) == -9
        assert mine.read_text() == "mine" and theirs.read_text() == "first"
        (home / "lessons").rename(home / ".lessons.old")  # killed a bit later
    assert pull(tmp_path) == 0
    assert mine.read_text() == "mine" and theirs.read_text() == "second"
    assert (home / "lessons" / "03_of_a_kit.ipynb").read_text() == "second"
    assert not [*home.glob(".lessons.[no]*")] and not note.exists()


def test_one_machine_and_the_cluster_share_their_settings(tmp_path):
    values, single = server.VALUES, server.VALUES["singleuser"]
    c = server.settings(["ada"], "tess", 8000, tmp_path, tmp_path)
    for name, shared in values["hub"]["config"].items():
        assert shared.items() <= c[name].items()
    assert c.Spawner.environment == single["extraEnv"]
    assert f"{c.Spawner.mem_limit >> 30}G" == single["memory"]["limit"]
    culler = c.JupyterHub.services[0]["command"]
    assert f"--timeout={values['cull']['timeout']}" in culler
    # The same script fetches the lessons, from an image of this repository.
    _, script = single["lifecycleHooks"]["postStart"]["exec"]["command"]
    assert ROOT / Path(script).relative_to("/srv/repo") == sandbox.PULL
    # Neither is open to the world, and the cluster's holds no secret.
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert values["proxy"]["service"]["type"] == "ClusterIP"
    secret = re.compile(r"^\s*\w*(secret|token|password|key)s?:", re.I | re.M)
    assert not secret.search((server.HERE / "values.yaml").read_text())


def test_each_name_gets_one_password_that_only_the_teacher_can_read(tmp_path):
    assert server.give_passwords(["ada", "bob", "ada"], tmp_path) == 2
    assert server.give_passwords(["ada", "bob", "cyd"], tmp_path) == 1
    slips = (tmp_path / "passwords.txt").read_text().split()
    assert slips[::2] == ["ada", "bob", "cyd"] and len(set(slips)) == 6
    assert not any(path.stat().st_mode & 0o077 for path in tmp_path.iterdir())


def test_what_is_missing_or_wrong_is_named(tmp_path, monkeypatch):
    file = tmp_path / "class.txt"
    for text, message in (
        ("ada\n../bob\n", "line 2: expected a name of small letters"),
        ("ada\n\nada # again\n", "line 3: 'ada' is there twice"),
    ):
        file.write_text(text)
        with pytest.raises(SystemExit, match=message):
            server.read_names(file)
    with pytest.raises(SystemExit, match="LESSONS: expected a folder with"):
        folders.publish(["numpy"], tmp_path / "lessons.git", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="'node' was not found"):
        server.proxy(tmp_path / "proxy")
    with pytest.raises(SystemExit, match="bubblewrap"):
        sandbox.try_out(tmp_path, tmp_path, 2**30)
