"""A class of three on one server, over two days."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from tests.hub.conftest import NAMES, TEACHER, Student
from tools.author.sources import NOTEBOOKS, ROOT, names
from tools.classroom.hub import sandbox

pytestmark = pytest.mark.slow
CHANGED, UNTOUCHED = names()[:2]
NEW = "99_arrives_later"
REFUSED = {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
REFUSED |= {"ConnectionRefusedError", "OSError"}
# What a student tries, in a cell: each attempt gives a line.
TRY = """\
import d2lmini, http.client, os, socket
def sh(command):
    return os.popen(f'{command} 2>/dev/null').read().strip()
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


def place(lesson):
    return f"lessons/numpy/{lesson}.ipynb"


def mark(student):
    return f"what {student.name} wrote"


def at_once(task, students):
    """Do something for all students at the same time, as a class does."""
    with ThreadPoolExecutor(len(students)) as pool:
        return list(pool.map(task, students))


def grep(text):
    """Return an attempt to find a text in the files that a student sees."""
    places = "/etc /tmp /students /lessons.git"
    return f"sh('grep -rlF -e \\'{text}\\' {places}')"


def cells(student, path):
    """Return the sources of a notebook's cells."""
    return [cell["source"] for cell in student.read(path)["cells"]]


def trusted(student, path):
    """Tell whether Jupyter shows the figures of a student's notebook."""
    found = student.read(path)["cells"]
    (answer,) = {c["metadata"]["trusted"] for c in found if "outputs" in c}
    return answer


@pytest.fixture(scope="module")
def day(hub):
    """Let three log in, run a lesson, change it, and keep a file."""
    students = [Student(hub, name) for name in NAMES]
    at_once(Student.come, students)

    def work(student):
        content = student.read(place(CHANGED))
        code = [c["source"] for c in content["cells"] if "outputs" in c]
        keep = f"_ = open('mine.txt', 'w').write('{mark(student)}')"
        ran = student.run(*code, keep, path="lessons/numpy")
        mine = nbformat.v4.new_markdown_cell(mark(student))
        content["cells"].insert(1, mine)
        model = {"type": "notebook", "format": "json", "content": content}
        path = f"api/contents/{place(CHANGED)}"
        assert student.ask("PUT", path, json=model).ok  # as JupyterLab saves
        return ran

    return SimpleNamespace(students=students, ran=at_once(work, students))


def test_each_student_gets_the_lessons_and_can_run_one(day):
    notebook = nbformat.read(NOTEBOOKS / "numpy" / f"{CHANGED}.ipynb", 4)
    stored = [
        ("".join(output.get("text", "") for output in cell.outputs), "")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert any(printed for printed, _ in stored)
    for student, ran in zip(day.students, day.ran, strict=True):
        there = {entry["name"] for entry in student.read("lessons/numpy")}
        assert there == {"mine.txt", *(f"{name}.ipynb" for name in names())}
        assert ran == [*stored, ("", "")]


def test_the_lessons_figures_are_shown_and_a_forgers_are_not(day):
    for student in day.students:
        assert trusted(student, place(UNTOUCHED))
        assert trusted(student, place(CHANGED))  # saved in Jupyter
    forge = f"text = open('{place(UNTOUCHED)}').read()\n"
    forge += "text = text.replace('</svg>', '<script/></svg>')\n"
    student.run(forge + "open('forged.ipynb', 'w').write(text)")
    assert not trusted(student, "forged.ipynb")


def test_no_student_sees_or_changes_what_is_not_theirs(day, hub):
    ada, bob, _ = day.students
    server = Path(bob.servers()[0].cmdline()[-1].partition("=")[2])
    run, homes = server.parents[1], hub.state / "homes"
    kept = "lessons/numpy/mine.txt"
    theirs = [f"/students/{path}bob/{kept}" for path in ("", "ada/../")]
    for root in ("", "/proc/1/root", f"/proc/{hub.process.pid}/root"):
        theirs.append(f"{root}{homes}/bob/{kept}")
    shared = ["/lessons.git", "/usr", ROOT, sys.prefix, sys.base_prefix]
    cookies = (hub.state / "cookie_secret").read_text().strip()
    expected = {
        f"open('/students/ada/{kept}').read()": {mark(ada)},
        **{f"open('{path}').read()": REFUSED for path in theirs},
        "os.listdir('/students')": {"['ada']"},
        "'bob' in sh('cat /proc/[0-9]*/cmdline')": {"False"},
        "'PROXY_AUTH' in sh('cat /proc/[0-9]*/environ')": {"False"},
        f"os.path.exists('{hub.state}')": {"False"},
        "os.path.exists('/etc/shadow')": {"False"},
        # What the hub tells with the own token: of oneself only.
        "ask('user')": {"200"},
        "ask('users')": {"403"},
        "ask('users/bob')": {"403", "404"},
        "ask('proxy')": {"403"},
        f"connect('{server}')": REFUSED,
        f"connect('{run}/proxy.sock')": REFUSED,
        f"socket.create_connection(('127.0.0.1', {hub.port}))": REFUSED,
        "socket.create_connection(('192.0.2.1', 80))": REFUSED,
        f"'mine.txt' in {grep(mark(ada))}": {"True"},
        grep(cookies): {""},
        grep(hub.passwords[TEACHER]): {""},
        "open('/students/ada/new', 'w').write('new')": {"3"},
        **{f"open('{path}/new', 'w')": REFUSED for path in shared},
        "open(d2lmini.__path__[0] + '/new', 'w')": REFUSED,
        "sh('grep Cap /proc/self/status | cut -f2 | uniq')": {"0" * 16},
        "sh('grep NoNewPrivs /proc/self/status')": {"NoNewPrivs:\t1"},
        "len(bytearray(2**29))": {str(2**29)},
        "bytearray(2**32)": {"MemoryError"},
    }
    told = f"attempts, hub = {list(expected)}, '{run}/hub.sock'\n{TRY}"
    ((printed, error),) = ada.run(told)
    assert error == ""
    pairs = zip(expected.items(), printed.splitlines(), strict=True)
    for (attempt, allowed), given in pairs:
        assert given in allowed, attempt
    # It is there, then, what was not found.
    assert (homes / "bob" / kept).read_text() == mark(bob)
    assert server.is_socket() and (run / "proxy.sock").is_socket()
    users = {path.stat().st_uid for path in homes.iterdir()}
    assert not sandbox.AS_ROOT or len(users) == len(NAMES)


def test_no_student_opens_anothers_server_or_files_by_address(day):
    ada, bob, _ = day.students
    kept = "lessons/numpy/mine.txt"
    for path in (f"../bob/{kept}", f"..%2Fbob%2F{kept}"):
        assert not ada.ask("GET", f"api/contents/{path}").ok, path
    assert mark(bob) in bob.ask("GET", f"files/{kept}").text
    for path in (f"files/{kept}", f"api/contents/{kept}", "lab"):
        assert ada.ask("GET", f"/user/bob/{path}").status_code == 403, path


def test_only_who_is_listed_gets_in_and_only_with_their_password(hub):
    right = hub.passwords[NAMES[0]]
    for name, password, status in (
        (NAMES[0], right, 200),
        (NAMES[0], "wrong password", 403),
        (NAMES[1], right, 403),
        ("eve", "her own choice", 403),
        (f"../{NAMES[0]}", right, 403),
    ):
        student = Student(hub, name)
        student.log_in(password)
        answer = student.ask("GET", "/hub/api/user")
        assert answer.status_code == status, name
    assert not (hub.state / "homes" / "eve").exists()


@pytest.fixture(scope="module")
def next_day(day, hub, tmp_path_factory):
    """Log out, let the teacher hand out lessons, and log in again."""
    written = [student.read(place(CHANGED)) for student in day.students]
    at_once(Student.leave, day.students)
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "numpy").mkdir()
    for name in (*names(), NEW):
        source = name if name != NEW else CHANGED
        notebook = nbformat.read(NOTEBOOKS / "numpy" / f"{source}.ipynb", 4)
        cell = nbformat.v4.new_markdown_cell("a new edition", id="edition")
        notebook.cells.append(cell)  # not where the student wrote
        nbformat.write(notebook, folder / "numpy" / f"{name}.ipynb")
    again = [*hub.command, "--lessons", folder]
    for said in ("New lessons are out", "No lesson has changed"):
        ran = subprocess.run(again, capture_output=True, text=True)
        assert said in ran.stdout
    at_once(Student.come, day.students)
    return written


def test_what_a_student_changed_stays_and_new_lessons_arrive(day, next_day):
    for student, written in zip(day.students, next_day, strict=True):
        assert student.read(place(CHANGED)) == written
        assert mark(student) in cells(student, place(CHANGED))
        assert student.read("lessons/numpy/mine.txt") == mark(student)
        for name in (UNTOUCHED, NEW):
            assert "a new edition" in cells(student, place(name))
            assert trusted(student, place(name))


def test_lessons_that_cannot_be_fetched_keep_nobody_out(day, next_day, hub):
    bob = day.students[1]
    bob.leave()
    (hub.state / "lessons.git").rename(hub.state / "hidden")
    bob.come()
    (hub.state / "hidden").rename(hub.state / "lessons.git")
    assert "/lessons.git" in bob.read("LESSONS_ARE_NOT_UP_TO_DATE.txt")
    assert mark(bob) in cells(bob, place(CHANGED))
