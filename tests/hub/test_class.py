"""A class of three on one server, over two days."""

import copy
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import pytest

from tests.hub.conftest import NAMES, TEACHER, Student
from tools.author.sources import NOTEBOOKS, ROOT, names
from tools.classroom.hub import folders

CHANGED, UNTOUCHED = names()[:2]
NEW = "99_arrives_later"
MARK = "what {} wrote"


def place(lesson):
    return f"lessons/numpy/{lesson}.ipynb"


def at_once(task, students):
    """Do something for all students at the same time, as a class does."""
    with ThreadPoolExecutor(len(students)) as pool:
        return list(pool.map(task, students))


def sources(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"]]


@pytest.fixture(scope="module")
def day(hub):
    """Let three log in, run a lesson, change it, and keep a file."""
    students = [Student(hub, name) for name in NAMES]
    seconds = at_once(Student.come, students)
    print("log in, all at once:", [round(s, 1) for s in seconds], "seconds")

    def work(student):
        model = student.read(place(CHANGED))
        notebook = copy.deepcopy(model["content"])
        code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
        ran = student.run(
            *("".join(cell["source"]) for cell in code), path="lessons/numpy"
        )
        mine = nbformat.v4.new_markdown_cell(MARK.format(student.name))
        notebook["cells"].insert(1, mine)
        student.save(place(CHANGED), "notebook", notebook)
        student.save("mine.txt", "file", MARK.format(student.name))
        return ran

    ran = at_once(work, students)
    return SimpleNamespace(students=students, ran=ran)


def test_each_student_gets_the_lessons(day):
    for student in day.students:
        content = student.read("lessons/numpy")["content"]
        found = sorted(entry["name"] for entry in content)
        assert found == [f"{name}.ipynb" for name in names()]


def trusted(student, path):
    """Tell whether Jupyter shows the figures of a student's notebook."""
    cells = student.read(path)["content"]["cells"]
    told = {c["metadata"]["trusted"] for c in cells if "outputs" in c}
    (answer,) = told
    return answer


def test_the_lessons_figures_are_shown_and_a_forgers_are_not(day):
    forge = f"""\
text = open('{place(UNTOUCHED)}').read()
open('forged.ipynb', 'w').write(text.replace('</svg>', '<script/></svg>'))
"""
    for student in day.students:
        assert trusted(student, place(UNTOUCHED))
        assert trusted(student, place(CHANGED))  # saved in Jupyter
    student.run(forge, path="")
    assert not trusted(student, "forged.ipynb")


def test_each_student_can_run_a_whole_lesson(day):
    notebook = nbformat.read(NOTEBOOKS / "numpy" / f"{CHANGED}.ipynb", 4)
    stored = [
        "".join(o.text for o in cell.outputs if o.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert any(stored)
    for ran in day.ran:
        assert ran == [(printed, "") for printed in stored]


def test_no_student_sees_anothers_files(day, hub):
    ada, bob, _ = day.students
    homes = hub.state / "homes"
    look = """\
import glob, os
for path in paths:
    try:
        print(open(path).read() if os.path.isfile(path) else os.listdir(path))
    except OSError as error:
        print(type(error).__name__)
print(sorted(os.listdir('/students')))
print([p for p in glob.glob('/proc/[0-9]*') if 'bob' in
       open(p + '/cmdline').read()])
"""
    own = f"paths = {[f'/students/{ada.name}/mine.txt']}\n{look}"
    paths = [
        f"/students/{bob.name}/mine.txt",
        f"/students/{ada.name}/../{bob.name}/mine.txt",
        str(homes / bob.name / "mine.txt"),
        str(homes),
        f"/proc/1/root{homes}/{bob.name}/mine.txt",
        f"/proc/{hub.process.pid}/root{homes}/{bob.name}/mine.txt",
    ]
    (seen, _), (others, _) = ada.run(own, f"paths = {paths}\n{look}")
    mark = MARK.format(bob.name)
    assert (homes / bob.name / "mine.txt").read_text() == mark
    assert MARK.format(ada.name) in seen  # so it finds what is there
    assert mark not in others
    *answers, shown, processes = others.splitlines()
    refused = {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
    assert len(answers) == len(paths) and set(answers) <= refused, answers
    assert shown == f"['{ada.name}']" and processes == "[]"

    for path in (f"../{bob.name}/mine.txt", f"..%2F{bob.name}%2Fmine.txt"):
        answer = ada.ask("GET", f"api/contents/{path}")
        assert not answer.ok and mark not in answer.text, path
    assert mark in bob.ask("GET", "files/mine.txt").text
    for path in ("files/mine.txt", "api/contents/mine.txt", "lab"):
        answer = ada.ask("GET", f"/user/{bob.name}/{path}")
        assert answer.status_code == 403, (path, answer.status_code)
        assert mark not in answer.text


def test_no_student_reaches_anothers_server_or_the_hub_from_a_kernel(day, hub):
    ada, bob, _ = day.students
    server = bob.processes()[0].rpartition("=")[2]
    folder = server.rpartition(f"/{bob.name}/")[0]
    tries = f"""\
import http.client, os, socket
def ask(path, token):
    line = http.client.HTTPConnection('hub')
    line.sock = socket.socket(socket.AF_UNIX)
    line.sock.connect('{folder}/hub.sock')
    line.request('GET', path, headers={{'Authorization': 'token ' + token}})
    answer = line.getresponse()
    print(answer.status, os.path.basename(path))
    return answer.read().decode()
token = os.environ['JUPYTERHUB_API_TOKEN']
print(ask('/hub/api/user', token)[:200].count('ada'))
ask('/hub/api/users', token)
ask('/hub/api/users/bob', token)
ask('/hub/api/proxy', token)
for place in ('{folder}/bob/server.sock', '{folder}/proxy.sock'):
    try:
        socket.socket(socket.AF_UNIX).connect(place)
        print('reached')
    except OSError as error:
        print(type(error).__name__)
for port in ({hub.port}, 8888):
    with socket.socket() as line:
        print(port == 8888 or line.connect_ex(('127.0.0.1', port)) != 0)
with socket.socket() as line:
    print(line.connect_ex(('192.0.2.1', 80)) != 0)
"""
    ((printed, error),) = ada.run(tries)
    assert error == ""
    lines = printed.splitlines()
    assert lines[0] == "200 user" and int(lines[1]) >= 1  # its own, it may
    assert lines[2:5] in (
        ["403 users", "403 bob", "403 proxy"],
        ["403 users", "404 bob", "403 proxy"],
    )
    assert lines[5:7] == ["FileNotFoundError"] * 2
    assert lines[7:] == ["True"] * 3


def test_no_student_reads_secrets_or_changes_what_all_share(day, hub):
    ada = day.students[0]
    cookies = (hub.state / "cookie_secret").read_text().strip()
    wanted = [MARK.format(ada.name), cookies, hub.passwords()[TEACHER]]
    turned = [text[::-1] for text in wanted]  # for Jupyter keeps what it ran
    tries = f"""\
import glob, os, subprocess
told = dict(os.environ)
for path in glob.glob('/proc/[0-9]*/environ'):
    try:
        told[path] = open(path).read()
    except OSError:
        pass
print(len(told), str(told).count('CONFIGPROXY_AUTH_TOKEN'))
print(os.path.exists({str(hub.state)!r}), os.path.exists('/etc/shadow'))
status = open('/proc/self/status').read()
print(*(l.split()[1].strip('0') or 'none' for l in status.splitlines()
        if l.startswith('Cap')), 'NoNewPrivs:\\t1' in status)
import d2lmini, sys
for folder in (d2lmini.__path__[0], sys.prefix, sys.base_prefix,
               '/lessons.git', '/usr', {str(ROOT)!r}, os.environ['HOME']):
    try:
        open(folder + '/written', 'w').close()
        print('wrote', folder)
    except OSError as error:
        print(type(error).__name__)
for turned in {turned}:
    found = subprocess.run(
        ['grep', '-rlF', '-e', turned[::-1], '/etc', '/tmp', '/students',
         '/lessons.git'], capture_output=True, text=True)
    print(found.stdout.split())
"""
    ((printed, error),) = ada.run(tries)
    assert error == ""
    lines = printed.splitlines()
    assert lines[0].endswith(" 0")
    assert lines[1] == "False False"
    assert lines[2] == "none none none none none True"
    assert not any(line.startswith("wrote") for line in lines[3:9]), lines
    assert lines[9] == f"wrote /students/{ada.name}"  # so it can write
    assert lines[10] != "[]" and lines[11:] == ["[]", "[]"]
    assert not (ROOT / "written").exists()


def test_a_students_memory_has_a_limit(day):
    (_, small), (_, large) = day.students[0].run(
        "x = bytearray(2**29)", "y = bytearray(2**32)"
    )
    assert (small, large) == ("", "MemoryError")


@pytest.fixture(scope="module")
def next_day(day, hub, tmp_path_factory):
    """Log out, let the teacher hand out lessons, and log in again."""
    written = {
        name: day.students[0].read(place(name))["content"]
        for name in (CHANGED, UNTOUCHED)
    }
    day.students[0].save("lessons/numpy/note.txt", "file", "my note")
    at_once(Student.leave, day.students)
    notebooks = tmp_path_factory.mktemp("notebooks")
    (notebooks / "numpy").mkdir()
    for name in (*names(), NEW):
        source = name if name != NEW else CHANGED
        notebook = nbformat.read(NOTEBOOKS / "numpy" / f"{source}.ipynb", 4)
        if name in (CHANGED, UNTOUCHED, NEW):
            cell = nbformat.v4.new_markdown_cell("a new edition", id="edition")
            notebook.cells.append(cell)  # not where the student wrote
        nbformat.write(notebook, notebooks / "numpy" / f"{name}.ipynb")
    assert folders.publish(["numpy"], hub.state / "lessons.git", notebooks)
    at_once(Student.come, day.students)
    return written


def test_what_a_student_changed_stays_and_new_lessons_arrive(day, next_day):
    for student in day.students:
        mark = MARK.format(student.name)
        mine = student.read(place(CHANGED))["content"]
        assert mark in sources(mine)
        assert "a new edition" not in sources(mine)
        assert student.read("mine.txt")["content"] == mark
        for name in (UNTOUCHED, NEW):
            theirs = student.read(place(name))["content"]
            assert "a new edition" in sources(theirs)
            assert trusted(student, place(name))
    ada = day.students[0]
    kept = ada.read(place(CHANGED))["content"]
    assert json.dumps(kept) == json.dumps(next_day[CHANGED])
    assert ada.read("lessons/numpy/note.txt")["content"] == "my note"


def test_lessons_that_cannot_be_fetched_keep_nobody_out(day, next_day, hub):
    bob = day.students[1]
    repository = hub.state / "lessons.git"
    hidden = repository.rename(repository.with_name("hidden"))
    bob.leave()
    bob.come()
    note = bob.read("LESSONS_ARE_NOT_UP_TO_DATE.txt")["content"]
    assert "/lessons.git" in note
    assert MARK.format(bob.name) in sources(
        bob.read(place(CHANGED))["content"]
    )
    hidden.rename(repository)


def test_only_who_is_listed_gets_in_and_only_with_their_password(hub):
    assert "Invalid" not in Student(hub, NAMES[0]).log_in().text
    right = hub.passwords()[NAMES[0]]
    for name, password in (
        (NAMES[0], "wrong password"),
        (NAMES[1], right),
        ("eve", "her own choice"),
        (f"../{NAMES[0]}", right),
    ):
        page = Student(hub, name).log_in(password)
        assert page.status_code == 403 or "Invalid" in page.text, name
    assert not (hub.state / "homes" / "eve").exists()


def test_starting_it_again_hands_out_the_lessons_as_they_are(hub, next_day):
    def again():
        return subprocess.run(
            hub.command, cwd=ROOT, capture_output=True, text=True
        ).stdout

    assert "New lessons are out" in again()
    assert "No lesson has changed" in again()
