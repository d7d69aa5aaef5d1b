"""Fixtures shared by all tests: one parameter per installed framework."""

import os
import re
import subprocess
import tempfile
import threading
from contextlib import contextmanager

# Before the first import of any of them: quiet TensorFlow, headless
# Matplotlib, and the name that MXNet 1.9.1 reads although NumPy dropped it.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["MPLBACKEND"] = "agg"

import numpy
import pytest

from tools.frameworks import FRAMEWORKS, chosen, why_missing

numpy.bool = numpy.bool_
# Signatures of what the tests build do not belong in the developer's home.
DATA = tempfile.TemporaryDirectory(prefix="jupyter-")
os.environ["JUPYTER_DATA_DIR"] = DATA.name

# `make test FRAMEWORK=pytorch` narrows the parameters of all tests.
CHOICE = chosen(os.environ.get("LESSON_FRAMEWORKS", "")) or list(FRAMEWORKS)


@pytest.fixture(params=[name for name in CHOICE if not why_missing(name)])
def framework(request):
    """Name of a framework that is installed."""
    return request.param


@pytest.fixture(scope="session")
def start():
    """Return what starts a server, and stops it in the end."""

    @contextmanager
    def until(ready, command, **options):
        """Yield the process, and the match of its line that it is ready."""
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, text=True, **options) as process:
            log = []
            for line in process.stdout:
                log.append(line)
                found = re.search(ready, line)
                if found:
                    break
            else:
                pytest.fail("".join(log))
            rest = threading.Thread(target=log.extend, args=[process.stdout])
            rest.start()
            yield process, found
            process.terminate()
            rest.join()

    return until


def pytest_terminal_summary(terminalreporter):
    """Say in one line each for which frameworks no test was run."""
    for name in CHOICE:
        reason = why_missing(name)
        if reason:
            terminalreporter.line(f"SKIPPED tests of {name}: {reason}")
