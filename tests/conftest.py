"""Fixtures shared by all tests: one parameter per installed framework."""

import os
import tempfile

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


def pytest_terminal_summary(terminalreporter):
    """Say in one line each for which frameworks no test was run."""
    for name in CHOICE:
        reason = why_missing(name)
        if reason:
            terminalreporter.line(f"SKIPPED tests of {name}: {reason}")
