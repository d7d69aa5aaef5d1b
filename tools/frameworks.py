"""The one list of frameworks: everything that loops over them reads it.

A framework is added here, in ``pyproject.toml`` (its extra) and in
``tools/pins.txt``; docs/authoring.md has the whole checklist.
"""

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """One framework: its tag and folder, and how readers call it."""

    name: str  # the tag in the sources, the folder, the extra
    title: str  # how readers call it
    module: str  # what its notebooks import
    wheels: str = ""  # where it can be installed, when not everywhere
    holds_back: bool = False  # wants old releases of what others use, too


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("numpy", "NumPy", "numpy"),
        Framework("pytorch", "PyTorch", "torch"),
        Framework("tensorflow", "TensorFlow", "tensorflow"),
        Framework(
            "mxnet",
            "MXNet",
            "mxnet",
            wheels="MXNet 1.9.1 has wheels for Linux and Intel Macs only",
            holds_back=True,
        ),
        Framework(
            "jax", "JAX", "jax", wheels="JAX has no wheels for Intel Macs"
        ),
    )
}


def why_missing(name: str) -> str | None:
    """Say in one line why a framework cannot be used here, and the remedy.

    Args:
        name: a key of ``FRAMEWORKS``.

    Returns:
        None when the framework is installed.
    """
    framework = FRAMEWORKS[name]
    found = importlib.util.find_spec(framework.module)
    if found and found.origin:  # a mere folder of that name has no origin
        return None
    note = f" ({framework.wheels})" if framework.wheels else ""
    return (
        f"{framework.title} is not installed{note}: "
        f'make setup FRAMEWORKS="{name}" adds it'
    )


def chosen(text: str) -> list[str] | None:
    """Read a choice of frameworks such as ``"numpy pytorch"``.

    Args:
        text: names separated by spaces or commas; empty means no choice.

    Returns:
        The names in the order of ``FRAMEWORKS``, or None without a choice.

    Raises:
        SystemExit: for a name that is not in the list, in one line.
    """
    names = text.replace(",", " ").split()
    for name in names:
        if name not in FRAMEWORKS:
            known = " ".join(FRAMEWORKS)
            raise SystemExit(f"Unknown framework '{name}'; known: {known}")
    return [name for name in FRAMEWORKS if name in names] or None
