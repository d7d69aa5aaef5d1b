"""A hub that runs, and students who log in to it as a browser does."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
import uuid

import psutil
import pytest
import requests
import websocket

from tools.author.sources import ROOT

NAMES = ("ada", "bob", "cyd")
TEACHER = "tess"


class Hub:
    """A running hub, and where it keeps what it keeps."""

    def __init__(self, folder):
        self.state = folder / "state"
        self.log = folder / "hub.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        names = folder / "class.txt"
        names.write_text("\n".join(NAMES))
        self.command = [
            *(sys.executable, "-m", "tools.classroom", "hub", "--names", names),
            *("--teacher", TEACHER, "--frameworks", "numpy"),
            *("--port", str(self.port), "--state", self.state),
        ]
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, stdout=stream, stderr=stream
            )
        for _ in range(600):
            if "JupyterHub is now running" in self.log.read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        pytest.fail(self.log.read_text())

    def passwords(self):
        lines = (self.state / "passwords.txt").read_text().splitlines()
        return dict(line.split("\t") for line in lines)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Student:
    """Somebody in front of a browser: cookies, forms and web sockets."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        self.web = requests.Session()
        self.home = f"{hub.url}/user/{name}/"

    def log_in(self, password=None):
        """Send the form; return the page that comes."""
        page = self.web.get(f"{self.hub.url}/hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
        return self.web.post(
            f"{self.hub.url}/hub/login",
            data={
                "username": self.name,
                "password": password or self.hub.passwords()[self.name],
                "_xsrf": xsrf,
            },
        )

    def come(self):
        """Log in and wait for the server; return the seconds that took."""
        begun = time.monotonic()
        self.log_in()
        while time.monotonic() < begun + 100:
            page = self.web.get(self.home + "lab")
            if page.ok and page.url.startswith(self.home):
                return time.monotonic() - begun
            time.sleep(0.3)
        raise AssertionError(self.hub.log.read_text()[-3000:])

    def leave(self):
        """Log out, and wait until the server has stopped."""
        assert self.processes()  # so it sees those that run
        self.web.get(f"{self.hub.url}/hub/logout")
        self.web.cookies.clear()
        for _ in range(100):
            if not self.processes():
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name}'s server still runs")

    def processes(self):
        """Return the command lines of the student's servers."""
        started = psutil.Process(self.hub.process.pid).children(recursive=True)
        lines = []
        for process in started:
            with contextlib.suppress(psutil.Error):  # it may have gone
                lines.append(" ".join(process.cmdline()))
        return [line for line in lines if f"/{self.name}/server.sock" in line]

    def ask(self, method, path, **options):
        """Send a request to the student's own server, or to another's."""
        where = f"/user/{self.name}/"
        token = [
            cookie.value
            for cookie in self.web.cookies
            if cookie.name == "_xsrf" and cookie.path == where
        ]
        return self.web.request(
            method,
            self.hub.url + path if path.startswith("/") else self.home + path,
            headers={"X-XSRFToken": token[0]} if token else {},
            **options,
        )

    def read(self, path):
        """Return a file's model by the contents API."""
        answer = self.ask("GET", f"api/contents/{path}")
        assert answer.ok, (path, answer.status_code)
        return answer.json()

    def save(self, path, kind, content):
        """Save a file by the contents API, as JupyterLab does."""
        model = {"type": kind, "content": content}
        model["format"] = "json" if kind == "notebook" else "text"
        answer = self.ask("PUT", f"api/contents/{path}", json=model)
        assert answer.ok, answer.text

    def run(self, *cells, path="lessons"):
        """Run cells in a fresh kernel; return what they print and raise.

        Args:
            cells: sources.
            path: the folder to run in.

        Returns:
            A list with a pair per cell: what it printed, and the name of the
            exception that it raised, or "".
        """
        asked = {"name": "python3", "path": f"{path}/some.ipynb"}
        kernel = self.ask("POST", "api/kernels", json=asked).json()["id"]
        cookies = "; ".join(
            f"{cookie.name}={cookie.value}"
            for cookie in self.web.cookies
            if cookie.path in ("/", f"/user/{self.name}/")
        )
        line = websocket.create_connection(
            f"{self.home}api/kernels/{kernel}/channels".replace("http", "ws"),
            cookie=cookies,
            origin=self.hub.url,
            timeout=90,
        )
        try:
            return [execute(line, cell) for cell in cells]
        finally:
            line.close()
            self.ask("DELETE", f"api/kernels/{kernel}")


def execute(line, source):
    """Send one cell over a kernel's web socket and collect what it gives."""
    name, printed, error = uuid.uuid4().hex, "", ""
    header = {"msg_id": name, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": name}
    content = {"code": source, "silent": False, "allow_stdin": False}
    content |= {"store_history": True, "user_expressions": {}}
    message = {"header": header, "parent_header": {}, "metadata": {}}
    line.send(json.dumps(message | {"channel": "shell", "content": content}))
    while True:
        answer = json.loads(line.recv())
        if answer["parent_header"].get("msg_id") != name:
            continue
        content = answer["content"]
        if answer["msg_type"] == "stream":
            printed += content["text"]
        elif answer["msg_type"] == "error":
            error = content["ename"]
        elif content.get("execution_state") == "idle":
            return printed, error


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """Start the hub as `make hub` does, and stop it in the end."""
    hub = Hub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()
