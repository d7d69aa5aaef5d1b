"""A hub that runs, and students who log in to it as a browser does."""

import contextlib
import json
import re
import socket
import sys
from collections import namedtuple

import psutil
import pytest
import requests
import websocket
from jupyter_client.session import Session
from requests.cookies import get_cookie_header

NAMES = ("ada", "bob", "cyd")
TEACHER = "tess"
Hub = namedtuple("Hub", "process command state port url passwords")


@pytest.fixture(scope="session")
def hub(tmp_path_factory, start):
    """Start the hub as `make hub` does, and stop it in the end."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "class.txt").write_text("\n".join(NAMES))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tools.classroom", "hub"]
    command += ["--names", folder / "class.txt", "--teacher", TEACHER]
    command += ["--frameworks", "numpy", "--port", str(port)]
    command += ["--state", folder / "state"]
    with start("JupyterHub is now running", command) as (process, _):
        slips = (folder / "state" / "passwords.txt").read_text().split()
        passwords = dict(zip(slips[::2], slips[1::2], strict=True))
        url, state = f"http://127.0.0.1:{port}", folder / "state"
        yield Hub(process, command, state, port, url, passwords)


class Student:
    """Somebody in front of a browser: cookies, forms and web sockets."""

    def __init__(self, hub, name):
        self.hub, self.name, self.web = hub, name, requests.Session()
        self.path = f"/user/{name}/"

    def log_in(self, password):
        """Send the form."""
        page = self.web.get(f"{self.hub.url}/hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)[1]
        sent = {"username": self.name, "password": password, "_xsrf": xsrf}
        self.web.post(f"{self.hub.url}/hub/login", data=sent)

    def come(self):
        """Log in, and wait for the server as the hub's page does."""
        self.log_in(self.hub.passwords[self.name])
        path = f"/hub/api/users/{self.name}/server/progress"
        xsrf = self.web.cookies.get("_xsrf", path="/hub/")
        answer = self.web.get(self.hub.url + path, params={"_xsrf": xsrf})
        assert '"ready": true' in answer.text
        assert self.ask("GET", "lab").ok

    def leave(self):
        """Log out, and wait until the server has stopped."""
        running = self.servers()
        assert running  # so it sees those that run
        self.web.get(f"{self.hub.url}/hub/logout")
        self.web.cookies.clear()
        assert not psutil.wait_procs(running, timeout=30)[1]

    def servers(self):
        """Return the processes of the student's server."""
        found = []
        for process in psutil.Process(self.hub.process.pid).children(True):
            with contextlib.suppress(psutil.Error, IndexError):  # it went
                if f"/{self.name}/server.sock" in process.cmdline()[-1]:
                    found.append(process)
        return found

    def ask(self, method, path, **options):
        """Send a request to the student's own server, or to another's."""
        url = self.hub.url + (path if path[0] == "/" else self.path + path)
        xsrf = self.web.cookies.get("_xsrf", path=self.path)
        headers = {"X-XSRFToken": xsrf}
        return self.web.request(method, url, headers=headers, **options)

    def read(self, path):
        """Return a file's or a folder's content by the contents API."""
        answer = self.ask("GET", f"api/contents/{path}")
        assert answer.ok, (path, answer.status_code)
        return answer.json()["content"]

    def run(self, source, path=""):
        """Run a cell in a fresh kernel; return what it prints, and raises."""
        asked = {"name": "python3", "path": f"{path}/some.ipynb"}
        kernel = self.ask("POST", "api/kernels", json=asked).json()["id"]
        url = f"{self.hub.url}{self.path}api/kernels/{kernel}/channels"
        sent = get_cookie_header(self.web.cookies, requests.Request(url=url))
        url, origin = url.replace("http", "ws"), self.hub.url
        sent = {"cookie": sent, "origin": origin, "timeout": 120}
        line = websocket.create_connection(url, **sent)
        content = {"code": source, "silent": False, "store_history": False}
        content |= {"allow_stdin": False, "user_expressions": {}}
        message = Session().msg("execute_request", content)
        printed = error = state = ""
        with contextlib.closing(line):
            line.send(json.dumps(message | {"channel": "shell"}, default=str))
            while state != "idle":
                answer = json.loads(line.recv())
                if answer["parent_header"].get("msg_id") == message["msg_id"]:
                    printed += answer["content"].get("text", "")
                    error = answer["content"].get("ename", error)
                    state = answer["content"].get("execution_state")
        self.ask("DELETE", f"api/kernels/{kernel}")
        return printed, error
