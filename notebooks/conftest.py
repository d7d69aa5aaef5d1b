"""Leave out the notebooks of frameworks that are missing, and say why."""

from pathlib import Path

from tools.frameworks import FRAMEWORKS, why_missing

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path):
    """Skip a framework's folder where the framework is not installed."""
    name = collection_path.name
    known = collection_path.parent == HERE and name in FRAMEWORKS
    return True if known and why_missing(name) else None


def pytest_terminal_summary(terminalreporter):
    """Say in one line each which notebooks were left out."""
    for name in FRAMEWORKS:
        reason = why_missing(name)
        if reason:
            terminalreporter.line(f"SKIPPED notebooks/{name}: {reason}")
