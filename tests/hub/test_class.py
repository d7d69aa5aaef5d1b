"""A class of three on one server, over two days."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from tests.hub.conftest import NAMES, TEACHER, Student
from tools.author.sources import NOTEBOOKS, ROOT, names
from tools.classroom.hub import sandbox

pytestmark = pytest.mark.slow
CHANGED, UNTOUCHED = (f"{name}.ipynb" for name in names()[:2])
NEW = "99_arrives_later.ipynb"
LESSONS = "lessons/numpy"
POOL = ThreadPoolExecutor(len(NAMES))  # all at once, as a class does it
EDITION = nbformat.v4.new_markdown_cell("a new edition")
REFUSED = {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
REFUSED |= {"ConnectionRefusedError", "OSError"}
# What a student tries, in a cell: each attempt gives a line.
TRY = """\
import d2lmini, http.client, os, socket
def sh(command):
    return os.popen(f'{command} 2>/dev/null').read().strip()
def find(text):
    places = '/etc /tmp /students /lessons.git'
    return sh(f'grep -rlF -e "{text}" {places}')
def connect(path):
    line = socket.socket(socket.AF_UNIX)
    line.connect(path)
    return line
def ask(path):
    line = http.client.HTTPConnection('hub')
    line.sock = connect(hub)
    token = 'token ' + os.environ['JUPYTERHUB_API_TOKEN']
    line.request('GET', '/hub/api/' + path, headers={'Authorization': token})
    return line.getresponse().status
for attempt in attempts:
    try:
        print(eval(attempt))
    except Exception as error:
        print(type(error).__name__)
"""


def mark(student):
    return f"what {student.name} wrote"


def cells(student, name):
    """Return the cells of a lesson, as its student has it."""
    return student.read(f"{LESSONS}/{name}")["cells"]


def trusted(student, name):
    """Tell whether Jupyter shows the figures of a student's lesson."""
    code = [cell for cell in cells(student, name) if "outputs" in cell]
    return all(cell["metadata"]["trusted"] for cell in code)


def work(student):
    """Log in, run a lesson, change it, and keep a file beside it."""
    student.come()
    content = student.read(f"{LESSONS}/{CHANGED}")
    code = [cell["source"] for cell in content["cells"] if "outputs" in cell]
    code.append(f"_ = open('mine.txt', 'w').write('{mark(student)}')")
    student.ran = student.run("\n".join(code), LESSONS)
    content["cells"].append(nbformat.v4.new_markdown_cell(mark(student)))
    model = {"type": "notebook", "format": "json", "content": content}
    path = f"api/contents/{LESSONS}/{CHANGED}"
    assert student.ask("PUT", path, json=model).ok  # as JupyterLab saves


@pytest.fixture(scope="module")
def students(hub):
    """A class at the end of its first day."""
    students = [Student(hub, name) for name in NAMES]
    list(POOL.map(work, students))
    return students


def test_each_student_gets_the_lessons_and_can_run_one(students):
    notebook = nbformat.read(NOTEBOOKS / "numpy" / CHANGED, 4)
    stored = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in stored)
    for student in students:
        there = {entry["name"] for entry in student.read(LESSONS)}
        assert there == {"mine.txt", *(f"{name}.ipynb" for name in names())}
        assert printed and student.ran == (printed, "")
        assert trusted(student, UNTOUCHED)  # Jupyter shows its figures


def test_no_student_sees_or_changes_what_is_not_theirs(students, hub):
    ada, bob, _ = students
    kept, homes = f"{LESSONS}/mine.txt", hub.state / "homes"
    server = Path(bob.servers()[0].cmdline()[-1].partition("=")[2])
    run = server.parents[1]
    theirs = [f"/students/{path}bob/{kept}" for path in ("", "ada/../")]
    for root in ("", "/proc/1/root", f"/proc/{hub.process.pid}/root"):
        theirs.append(f"{root}{homes}/bob/{kept}")
    shared = ["/lessons.git", "/usr", sys.prefix, sys.base_prefix]
    cookies = (hub.state / "cookie_secret").read_text().strip()
    expected = {
        f"open('/students/ada/{kept}').read()": {mark(ada)},
        **{f"open('{path}').read()": REFUSED for path in theirs},
        "os.listdir('/students')": {"['ada']"},
        "'bob' in sh('cat /proc/[0-9]*/cmdline')": {"False"},
        "'PROXY_AUTH' in sh('cat /proc/[0-9]*/environ')": {"False"},
        f"os.path.exists('{hub.state}')": {"False"},
        "os.path.exists('/etc/shadow')": {"False"},
        f"'{kept}' in find('{mark(ada)}')": {"True"},
        f"find('{cookies}')": {""},
        f"find('{hub.passwords[TEACHER]}')": {""},
        # What the hub tells with the own token: of oneself only.
        "ask('user')": {"200"},
        "ask('users')": {"403"},
        "ask('users/bob')": {"403", "404"},
        "ask('proxy')": {"403"},
        f"connect('{server}')": REFUSED,
        f"connect('{run}/proxy.sock')": REFUSED,
        f"socket.create_connection(('127.0.0.1', {hub.port}))": REFUSED,
        "socket.create_connection(('192.0.2.1', 80))": REFUSED,
        "open('/students/ada/new', 'w').write('new')": {"3"},
        # These are mounted so that nobody can write, whoever they are.
        **{f"open('{path}/new', 'w')": {"OSError"} for path in shared},
        "open(d2lmini.__path__[0] + '/new', 'w')": {"OSError"},
        f"open('{ROOT}/new', 'w')": REFUSED,
        "sh('grep Cap /proc/self/status | cut -f2 | uniq')": {"0" * 16},
        "sh('grep NoNewPrivs /proc/self/status')": {"NoNewPrivs:\t1"},
        "len(bytearray(2**29))": {str(2**29)},
        "bytearray(2**32)": {"MemoryError"},
    }
    told = f"attempts, hub = {list(expected)}, '{run}/hub.sock'\n{TRY}"
    printed, error = ada.run(told)
    assert error == ""
    pairs = zip(expected.items(), printed.splitlines(), strict=True)
    for (attempt, allowed), given in pairs:
        assert given in allowed, attempt
    # It is there, then, what was not found.
    assert (homes / "bob" / kept).read_text() == mark(bob)
    assert server.is_socket() and (run / "proxy.sock").is_socket()
    users = {path.stat().st_uid for path in homes.iterdir()}
    assert not sandbox.AS_ROOT or len(users) == len(NAMES)
    # By address, in the browser.
    assert mark(bob) in bob.ask("GET", f"files/{kept}").text
    assert not ada.ask("GET", f"api/contents/..%2Fbob%2F{kept}").ok
    for path in (f"files/{kept}", f"api/contents/{kept}", "lab"):
        assert ada.ask("GET", f"/user/bob/{path}").status_code == 403, path


def test_only_who_is_listed_gets_in_and_only_with_their_password(hub):
    right = hub.passwords["ada"]
    for name, password, status in (
        ("ada", right, 200),
        ("ada", "wrong password", 403),
        ("bob", right, 403),
        ("eve", "her own choice", 403),
        ("../ada", right, 403),
    ):
        student = Student(hub, name)
        student.log_in(password)
        answer = student.ask("GET", "/hub/api/user")
        assert answer.status_code == status, name
    assert not (hub.state / "homes" / "eve").exists()


@pytest.fixture(scope="module")
def next_day(students, hub, tmp_path_factory):
    """Log out, let the teacher hand out lessons, and log in again."""
    folder = tmp_path_factory.mktemp("lessons")
    shutil.copytree(NOTEBOOKS / "numpy", folder / "numpy")
    shutil.copy(folder / "numpy" / CHANGED, folder / "numpy" / NEW)
    for path in folder.glob("numpy/*.ipynb"):
        notebook = nbformat.read(path, 4)
        notebook.cells.insert(1, EDITION)  # not where the student wrote
        nbformat.write(notebook, path)
    list(POOL.map(Student.leave, students))
    again = [*hub.command, "--lessons", folder]
    for said in ("New lessons are out", "No lesson has changed"):
        ran = subprocess.run(again, capture_output=True, text=True)
        assert said in ran.stdout
    list(POOL.map(Student.come, students))
    return students


def test_what_a_student_changed_stays_and_new_lessons_arrive(next_day):
    for student in next_day:
        mine = [cell["source"] for cell in cells(student, CHANGED)]
        assert mine[-1] == mark(student) and EDITION.source not in mine
        assert student.read(f"{LESSONS}/mine.txt") == mark(student)
        for name in (UNTOUCHED, NEW):
            assert cells(student, name)[1]["source"] == EDITION.source
            assert trusted(student, name)


def test_lessons_that_cannot_be_fetched_keep_nobody_out(next_day, hub):
    bob = next_day[1]
    bob.leave()
    (hub.state / "lessons.git").rename(hub.state / "hidden")
    bob.come()
    assert "/lessons.git" in bob.read("LESSONS_ARE_NOT_UP_TO_DATE.txt")
    assert cells(bob, CHANGED)[-1]["source"] == mark(bob)
