"""The package says what it needs."""

import re
import sys
from importlib.metadata import requires
from pathlib import Path

import nbsight


def test_the_package_requires_what_it_imports():
    needed = [each for each in requires("nbsight") if "extra" not in each]
    required = {re.split("[>=; ]", each)[0] for each in needed}
    imported = {
        name
        for path in Path(nbsight.__file__).parent.glob("*.py")
        if path.name != "figure.py"  # is handed to the kernel as text
        for name in re.findall(
            r"(?m)^(?:from|import) ([a-z]\w+)", path.read_text()
        )
    }
    others = imported - sys.stdlib_module_names
    assert others
    assert {name.replace("_", "-") for name in others} <= required
