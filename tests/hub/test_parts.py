"""The hub's parts, each without a hub."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from traitlets.config.loader import PyFileConfigLoader

from tools.author.sources import ROOT, names
from tools.classroom.hub import folders, sandbox, server
hub = server

HERE = ROOT / "tools" / "classroom" / "hub"
VALUES = yaml.safe_load((HERE / "values.yaml").read_text())


def pull(home, repository):
    """Begin to pull lessons into a home, as a student's server does."""
    env = {
        **os.environ,
        "HOME": str(home),
        "USER": "ada",
        "LESSONS_FROM": str(repository),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    # All of it dies at once, as it does with a student's server.
    mortal = ["bwrap", "--unshare-pid", "--die-with-parent"]
    mortal += ["--dev-bind", "/", "/", "--proc", "/proc"]
    return subprocess.Popen(
        [*mortal, "sh", HERE / "pull.sh"], env=env, stderr=subprocess.DEVNULL
    )


def edition(folder, number):
    """Write so many notebooks that putting them into a home takes a while."""
    (folder / "numpy").mkdir(exist_ok=True)
    first = f"00_new_{number}"  # git writes it before the others
    for name in (first, *names(), *(f"9{i}_more" for i in range(200))):
        text = f"edition {number}\n" + f"{name} {number}\n" * 1000
        (folder / "numpy" / f"{name}.ipynb").write_text(text)
    return first


def whole(lessons, mine):
    """Return the edition that all of a student's notebooks are of."""
    found = {
        path.read_text().partition("\n")[0] if path.stat().st_size else path
        for path in (lessons / "numpy").iterdir()
        if path != mine and not path.name.startswith("00_new")
    }
    assert len(found) == 1, found
    return found.pop()


def test_a_pull_that_is_killed_leaves_nothing_broken(tmp_path):
    notebooks, home = tmp_path / "notebooks", tmp_path / "home"
    repository = tmp_path / "lessons.git"
    notebooks.mkdir(), home.mkdir()
    there = home / "lessons"
    mine = there / "numpy" / f"{names()[0]}.ipynb"
    for number in range(5):
        first = edition(notebooks, number)
        assert folders.publish(["numpy"], repository, notebooks)
        process = pull(home, repository)
        while process.poll() is None and not list(
            home.glob(f"*/numpy/{first}.ipynb")
        ):
            pass
        process.kill()  # with the first file written, and not the last
        assert process.wait() != 0
        if number:
            assert whole(there, mine) == f"edition {number - 1}"
            assert mine.read_text() == "mine"
        else:
            assert not there.exists()
        assert pull(home, repository).wait() == 0
        assert whole(there, mine) == f"edition {number}"
        assert not number or mine.read_text() == "mine"
        mine.write_text("mine")
    assert not list(home.glob(".lessons.[no]*"))
    assert not list(home.glob("*.txt"))


def test_a_pull_that_is_killed_between_its_last_steps_is_taken_back(tmp_path):
    home = tmp_path / "home"
    (home / ".lessons.old" / "numpy").mkdir(parents=True)
    (home / ".lessons.old" / "numpy" / "mine.ipynb").write_text("mine")
    (home / ".lessons.new").mkdir()
    assert pull(home, tmp_path / "nowhere").wait() == 0
    assert (home / "lessons/numpy/mine.ipynb").read_text() == "mine"


def test_a_pull_that_fails_leaves_a_note_until_one_does_not(tmp_path):
    notebooks, home = tmp_path / "notebooks", tmp_path / "home"
    notebooks.mkdir(), home.mkdir()
    note = home / "LESSONS_ARE_NOT_UP_TO_DATE.txt"
    assert pull(home, tmp_path / "nowhere").wait() == 0
    assert "nowhere" in note.read_text() and not (home / "lessons").exists()
    edition(notebooks, 0)
    folders.publish(["numpy"], tmp_path / "lessons.git", notebooks)
    assert pull(home, tmp_path / "lessons.git").wait() == 0
    assert not note.exists() and (home / "lessons").is_dir()


def test_one_machine_and_the_cluster_share_their_settings(
    tmp_path, monkeypatch
):
    given = {"STATE": tmp_path, "RUN": tmp_path, "PORT": 8000, "TEACHER": "t"}
    given |= {"NAMES": "a b t", "PROXY": "node\nproxy"}
    for name, value in given.items():
        monkeypatch.setenv(f"HUB_{name}", str(value))
    c = PyFileConfigLoader(str(HERE / "jupyterhub_config.py")).load_config()
    for name, settings in VALUES["hub"]["config"].items():
        for key, value in settings.items():
            assert c[name][key] == value
    single = VALUES["singleuser"]
    assert c.Spawner.environment == single["extraEnv"]
    assert c.Spawner.mem_limit == single["memory"]["limit"]
    assert c.Spawner.cpu_guarantee == single["cpu"]["guarantee"]
    culler = " ".join(c.JupyterHub.services[0]["command"])
    assert f"--timeout={VALUES['cull']['timeout']} " in culler
    # The same script fetches the lessons, from an image of this repository.
    command = single["lifecycleHooks"]["postStart"]["exec"]["command"]
    assert command[0] == "sh"
    script = ROOT / Path(command[1]).relative_to("/srv/repo")
    shown = sandbox.command("a", tmp_path, tmp_path, tmp_path, 2**30)
    assert script == sandbox.PULL and str(script) in shown
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000"


def test_the_clusters_file_holds_no_secret_and_opens_nothing():
    def keys(part):
        for key, value in part.items() if isinstance(part, dict) else ():
            yield key
            yield from keys(value)

    secret = re.compile("secret|token|password$|passphrase|key$", re.I)
    assert [key for key in keys(VALUES) if secret.search(key)] == []
    assert VALUES["proxy"]["service"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    "text, message",
    [
        ("ada\n../bob\n", "line 2: expected a name of small letters"),
        ("ada\n\nada # again\n", "line 3: 'ada' is there twice"),
    ],
)
def test_a_class_that_cannot_be_read_says_where(tmp_path, text, message):
    path = tmp_path / "class.txt"
    path.write_text(text)
    with pytest.raises(SystemExit, match=re.escape(message)):
        hub.read_names(path)


def test_each_name_gets_one_password_that_only_the_teacher_can_read(tmp_path):
    assert hub.give_passwords(["ada", "bob"], tmp_path) == 2
    assert hub.give_passwords(["ada", "bob", "cyd"], tmp_path) == 1
    lines = (tmp_path / "passwords.txt").read_text().splitlines()
    given = dict(line.split("\t") for line in lines)
    assert list(given) == ["ada", "bob", "cyd"]
    assert len(set(given.values())) == 3
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="LESSONS: expected a folder with"):
        folders.publish(["numpy"], tmp_path / "lessons.git", tmp_path)


def test_what_is_missing_on_the_machine_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="'node' was not found"):
        hub.proxy(tmp_path / "proxy")
    assert "bubblewrap" in sandbox.why_not(tmp_path, tmp_path, 2**30)


def test_a_home_keeps_its_user(tmp_path):
    first, uid = sandbox.home_of(tmp_path, "ada")
    other = sandbox.home_of(tmp_path, "bob")[1]
    assert first.stat().st_mode & 0o777 == 0o700
    assert sandbox.home_of(tmp_path, "ada") == (first, uid)
    if sandbox.as_root():
        assert uid >= sandbox.FIRST_UID and other == uid + 1
