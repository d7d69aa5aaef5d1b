"""Small notebooks of the kinds that other people's repositories hold.

Each is accepted with nothing configured; then with the remedies that the
command itself named; and what was accepted is checked three times.
"""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from trials.runs import FOLDER, TREE, Source, environment, notebook, run

PRINTED = {"output_type": "stream", "name": "stdout", "text": ["old\n"]}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "old"}
RESULT = {"output_type": "pyout", "prompt_number": 1, "text": ["2"]}
PLT = "import matplotlib.pyplot as plt\n"
WIDGETS = f"{PLT}import ipywidgets as widgets\nout = widgets.Output()\n"
TABLE = "import pandas as pd\ntable = pd.DataFrame({'loss': [0.5, 2e-06]})\n"
PLOTLY = "import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1]))\n"
SHOW = "from IPython.display import *\n"
BOKEH = """from bokeh.plotting import figure, output_notebook, show
output_notebook()
p = figure()
p.line([1, 2], [3, 4])
show(p)"""


def cell(source: str, *tags: str, **fields: Any) -> Source:
    """Return a cell with tags or, by other fields, as a run left it."""
    return {"source": source, "metadata": {"tags": [*tags]}, **fields}


# Notebooks of which a cell is what is special.
CELLS: dict[str, Source] = {
    "random numbers": "import random\nrandom.random()",
    "NumPy's random numbers": "import numpy as np\nnp.random.rand(3)",
    "a set of texts": "print({'loss', 'rate', 'heads', 'width'})",
    "a dictionary in hash order": "dict.fromkeys({'a', 'b', 'c', 'd'}, 1)",
    "a uuid": "import uuid\nprint(uuid.uuid4())",
    "an address": "object()",
    "id()": "a = []\nid(a)",
    "a function's repr": "def f():\n    return 1\n\n\nf",
    "a list of lines": f"{PLT}plt.plot([1, 2, 4])",
    "a legend": f"{PLT}plt.plot([1, 2], label='a')\nplt.legend()",
    "a histogram": f"{PLT}plt.hist([1, 2, 2, 3])",
    "plt.show()": f"{PLT}plt.plot([1, 2, 4])\nplt.show()",
    "%time": "%time sum(range(1000))",
    "%timeit": "%timeit -n 10 -r 2 sum(range(100))",
    "! ls": "! ls -l",
    "os.getcwd()": "import os\nos.getcwd()",
    "a time": "from datetime import datetime\nprint(datetime.now())",
    "a temporary file": "import tempfile\nprint(tempfile.mkdtemp())",
    "a warning": "import warnings\nwarnings.warn('old', stacklevel=1)",
    "logging": "import logging\nlogging.warning('epoch 1')",
    "tqdm": "from tqdm import tqdm\nfor _ in tqdm(range(3)):\n    pass",
    "carriage returns": "for i in range(3):\n    print(i, end='\\r')",
    "a DataFrame": f"{TABLE}table",
    "describe()": f"{TABLE}table.describe()",
    "a Styler": f"{TABLE}table.style.highlight_max()",
    "plotly as it comes": f"{PLOTLY}fig.show()",
    "plotly's to_html": f"{PLOTLY}{SHOW}HTML(fig.to_html())",
    "altair": f"{TABLE}import altair as alt\nalt.Chart(table).mark_bar()",
    "bokeh": BOKEH,
    "a slider": f"{WIDGETS}widgets.IntSlider(value=3)",
    "Output() with text": f"{WIDGETS}with out:\n    print(1)\nout",
    "Output() with a figure": (
        f"{WIDGETS}with out:\n    plt.plot([1, 2])\n    plt.show()\nout"
    ),
    "interact": f"{WIDGETS}widgets.interact(lambda x: x + 1, x=3);",
    "a display that is updated": (
        f"{SHOW}shown = display('a', display_id=True)\nshown.update('b')"
    ),
    "clear_output": f"{SHOW}print(1)\nclear_output()\nprint(2)",
    "sys.exit(0)": "import sys\nprint(1)\nsys.exit(0)",
    "pytest.skip()": "import pytest\npytest.skip('no GPU')",
    "input()": "name = input('name? ')",
    "a long loop": "print(sum(i * i for i in range(3_000_000)))",
    "a module and ../data": (
        "import helper\nhelper.double(float(open('../data/n.csv').read()))"
    ),
    "writes into its folder": (
        "with open('n', 'a') as f:\n    f.write('1')\nopen('n').read()"
    ),
    "small numbers": "import numpy as np\nnp.array([1e-06, 0.1, -3e-08])",
    "LaTeX and Markdown": f"{SHOW}display(Latex('$x^2$'), Markdown('*0.5*'))",
    "JSON": f"{SHOW}JSON({{'rate': 3e-08, 'names': ['a']}})",
    "a PNG": "from PIL import Image\nImage.new('RGB', (2, 2), 'red')",
    "HTML with a script": f"{SHOW}HTML('<script>1</script>a')",
    "SVG": f"{SHOW}SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
    "audio": f"{SHOW}Audio([0, 1, 0, -1] * 9, rate=8000)",
    "a video": f"{SHOW}Video(b'1', embed=True, mimetype='video/mp4')",
    "raises": "1 / 0",
    "raises, tagged": cell("1 / 0", "raises-exception"),
    "NBVAL_IGNORE_OUTPUT": "# NBVAL_IGNORE_OUTPUT\nimport time\ntime.time()",
    "NBVAL_SKIP": "# NBVAL_SKIP\nprint(1)",
    "NBVAL_RAISES_EXCEPTION": "# NBVAL_RAISES_EXCEPTION\n1 / 0",
    "nbval's tags": cell("import time\ntime.time()", "nbval-ignore-output"),
    "papermill's parameters": cell("n = 3", "parameters"),
    "counts out of order": cell("a = 1", execution_count=7),
    "stale, never run": cell("print('new')", outputs=[PRINTED]),
    "an error that was": cell(
        "1", execution_count=1, outputs=[ERROR | {"traceback": ["old"]}]
    ),
    "collapsed": {"source": "1", "metadata": {"collapsed": True}},
    "attachments": {
        "cell_type": "markdown",
        "source": "![a](attachment:a.png)",
        "attachments": {"a.png": {"image/png": "iVBORw0KGgo="}},
    },
    "a raw cell": {"cell_type": "raw", "source": ["---\n", "a: 1\n"]},
}
SHEET_CELL: dict[str, Any] = {
    "cell_type": "code",
    "language": "python",
    "input": ["1 + 1"],
}
SHEET_CELL |= {"metadata": {}, "outputs": [RESULT], "prompt_number": 1}
SHEETS: dict[str, Any] = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
}
SHEETS |= {"worksheets": [{"metadata": {}, "cells": [SHEET_CELL]}]}
# Of each kind, the notebook; the last of them are special in their form.
NOTEBOOKS = {kind: notebook([source, "2"]) for kind, source in CELLS.items()}
NOTEBOOKS |= {
    "no ids, nbformat 4.4": notebook(["1"], minor=4),
    "no ids, nbformat 4.2": notebook(["1"], minor=2),
    "nbformat 3": SHEETS,
    "a byte order mark": notebook(["1"]),
    "no kernelspec": notebook(["1"], kernel=""),
    "a kernel that is missing": notebook(["1"], kernel="conda-env-x-py"),
    "Bash": notebook(["echo 0.5"], kernel="bash"),
    "R": notebook(["print(c(1e-06, 0.5))\n0.25"], kernel="ir"),
    "no code": notebook([{"cell_type": "markdown", "source": "# A title"}]),
    "empty": notebook([]),
}

MASKS = "addresses", "uuids", "times", "html-ids", "paths"
# What accept may propose, and the line of pytest.ini that it means.
SETTINGS = {
    "nbsight_stderr": "nbsight_stderr = compare",
    "nbsight_allow_skip": "nbsight_allow_skip = true",
    "--nbval-current-env": "addopts = --nbval-current-env",
}
AGAIN: list[dict[str, str]] = [  # surroundings; the last in another folder
    {"PYTHONHASHSEED": "1"},
    {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "OMP_NUM_THREADS": "2"},
    {"PYTHONHASHSEED": "3", "LC_ALL": "C.UTF-8", "COLUMNS": "200"},
]


class Row(NamedTuple):
    """What became of a notebook."""

    kind: str
    accepted: bool
    remedies: list[str]  # that were needed, or did not help
    green: list[bool]  # each time that it was checked
    said: str  # why not, if it was not


def write(kind: str, folder: Path) -> Path:
    """Write a notebook into a project of its own; return its path."""
    path = folder / "notebooks" / "stranger.ipynb"
    path.parent.mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "n.csv").write_text("0.25\n")
    (path.parent / "helper.py").write_text("def double(x):\n    return 2 * x")
    encoding = "utf-8-sig" if kind == "a byte order mark" else "utf-8"
    path.write_text(json.dumps(NOTEBOOKS[kind], indent=1), encoding)
    return path


def proposed(said: str) -> list[str]:
    """Return which remedies accept names in what it says."""
    found = [n for n in (*SETTINGS, "--tags", "nbsight fix") if n in said]
    masks = " ".join(re.findall(r"nbsight_masks.*", said))
    return found + [name for name in MASKS if name in masks]


def configuration(remedies: list[str]) -> str:
    """Return a pytest.ini with these remedies."""
    lines = [line for name, line in SETTINGS.items() if name in remedies]
    masks = " ".join(name for name in MASKS if name in remedies)
    return "\n".join(["[pytest]", *lines, f"nbsight_masks = {masks}\n"])


def reason(said: str, which: int = 0) -> str:
    """Return one of the lines that say why a notebook is refused or red."""
    lines = [line.strip() for line in said.splitlines() if line[:2] == "  "]
    return (lines or said.strip().splitlines() or [""])[which][:99]


def judge(python: Path, folder: Path, kind: str) -> Row:
    """Accept a notebook, with remedies if there must be, and check it."""
    home = folder / re.sub(r"\W+", "-", kind).strip("-")
    path, remedies = write(kind, home), list[str]()
    while True:
        (home / "pytest.ini").write_text(configuration(remedies))
        if "nbsight fix" in remedies:
            run(home, python, "-m", "nbsight", "fix", path)
        accept = ["nbsight", "accept", "--yes"]
        accept += ["--tags"] if "--tags" in remedies else []
        status, said = run(home, python, "-m", *accept, path)
        new = [name for name in proposed(said) if name not in remedies]
        if not status or not new:
            break
        remedies += new
    if status:
        return Row(kind, False, remedies, [], reason(said, -1))
    green, why = [], ""
    for changes in AGAIN:
        if changes is AGAIN[-1]:
            home = shutil.copytree(home, folder / "elsewhere" / home.name)
        command = "-m", "pytest", "--nbval", "-q"
        status, said = run(home, python, *command, **changes)
        green.append(not status)
        why = why or (reason(said) if status else "")
    return Row(kind, True, remedies, green, why)


def judge_all(kinds: list[str]) -> bool:
    """Print a table; tell whether nbsight falls short of what it promises.

    Nine in ten can be accepted, and none that was accepted fails later.
    """
    chosen = [k for k in NOTEBOOKS if any(part in k for part in kinds or [k])]
    python = environment("strangers", f"{TREE}")
    folder = FOLDER / "strangers"
    shutil.rmtree(folder, ignore_errors=True)
    accepted, count = list[Row](), len(chosen)
    print("kind | accepted | remedies | checked three times | why not")
    with ThreadPoolExecutor(2) as pool:
        for row in pool.map(partial(judge, python, folder), chosen):
            word = "yes" if row.accepted else "no"
            green = " ".join("green" if each else "RED" for each in row.green)
            columns = row.kind, word, ", ".join(row.remedies), green, row.said
            print(" | ".join(columns), flush=True)
            accepted += [row] if row.accepted else []
    first = sum(not row.remedies for row in accepted)
    print(f"accepted as they came: {first} of {count}")
    print(f"accepted after the remedies: {len(accepted)} of {count}")
    for i in range(len(AGAIN)):
        n = sum(row.green[i] for row in accepted)
        print(f"green in check {i + 1}: {n} of {len(accepted)}")
    all_green = all(all(row.green) for row in accepted)
    return not all_green or len(accepted) < 0.9 * count
