"""Print which jobs CI has, from the list of frameworks: ``name=JSON`` lines.

It runs on a machine's own Python, so it needs nothing but this repository.
"""

import json

from tools.frameworks import FRAMEWORKS


def jobs():
    """Return the jobs of both workflows, each a list of dictionaries.

    Returns:
        ``alone``: each framework on each Python and system with wheels of
        it; ``newest``: each once, on its newest Python.
    """
    found = {"alone": [], "newest": []}
    for framework in FRAMEWORKS.values():
        for python in framework.pythons:
            found["alone"] += [
                {"framework": framework.name, "python": python, "system": each}
                for each in framework.systems
            ]
        found["newest"].append(
            {
                "framework": framework.name,
                "python": framework.pythons[-1],
                "system": framework.systems[0],
            }
        )
    return found


if __name__ == "__main__":
    for name, listed in jobs().items():
        print(f"{name}={json.dumps(listed)}")
