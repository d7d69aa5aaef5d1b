"""Changes that a check must see, and surroundings that it must not mind.

A fault is a change of a cell's code: what is stored is then no longer what
the code gives, as if a library or a colleague had changed something.
"""

from typing import Any, NamedTuple

from trials.runs import notebook

PLT = "import matplotlib.pyplot as plt\n"
NUMPY = "import numpy as np\n"
SHOW = "from IPython.display import JSON, Latex, Markdown, display\n"
FRAME = """import pandas as pd
d = pd.DataFrame(
    {'name': ['a', 'c', 'b'], 'loss': [0.5, 0.2, 0.3]}, index=[0, 1, 2])
"""
PLOTLY = """import plotly.graph_objects as go
fig = go.Figure(go.Scatter(
    x=[1, 2, 3], y=[2, 4.5, 8], name='train', mode='lines', line_color='red'))
fig.update_yaxes(title='loss', range=[0, 9])
"""
ALTAIR = """import altair as alt
import pandas as pd
data = pd.DataFrame({'x': [1, 2, 3], 'y': [2, 4.5, 8]})
chart = alt.Chart(data, title='loss').mark_line(color='red')
chart = chart.encode(x='x', y=alt.Y('y').scale(domain=[0, 9]))
"""
BOKEH = """from bokeh.embed import json_item
from bokeh.plotting import figure, output_notebook, show
p = figure(title='loss', y_range=(0, 9))
p.line([1, 2, 3], [2, 4.5, 8], color='red', legend_label='train')
"""
CURVE = f"""{PLT}plt.plot([0, 1, 2], [1, 2, 4], 'o-r', label='train')
plt.xlim(0, 3)
plt.ylabel('loss')
plt.legend()
plt.show()"""
IMAGE = f"{PLT}plt.imshow([[0, 1], [2, 3]], cmap='viridis')\nplt.show()"
WIDGETS = "import ipywidgets as widgets\n"
OUTPUT = f"{WIDGETS}out = widgets.Output()\nwith out:\n    "
LOOP = "for i in range(2):\n    print('epoch', i, 'loss', 0.5)"
MIXED = f"""{SHOW}print('a')
display(Markdown('**0.5**'))
display(Latex('$x^2$'))"""
RAISES = "int('x')"  # on purpose: a tag says so

# Of each family, what may stand in a notebook's cell, and the edits of it.
Edits = dict[str, str]
FAMILIES: dict[str, Edits] = {
    "small": {
        "print('lr', 1e-05)": "1e-05 → 2e-05",
        "print('p =', 3e-08)": "3e-08 → 9e-06",
        "print('x =', -5e-06)": "-5 → 5",
        "print(f'{0.00012:.5f} {1.5e-07}')": "12: → 13: | 7} → 8}",
        "print(f'{-0.001:.2f}')": "- → ",
        "{'rate': 4e-06, 'n': 3}": "4e → 5e",
        "0.0000123": "123 → 132",
        f"{NUMPY}np.array([1e-06, 2e-06])": "2e → 3e",
        f"{NUMPY}np.array([1.0, 2e-05])": "2e → 3e",
        "print('tensor([1.0000e-06])')": "1. → 9.",
        "1e-06 + 2e-06j": "2e → 3e",
        f"{SHOW}JSON({{'rate': 3e-08}})": "3e-08 → 9e-06",
        f"{SHOW}JSON([[1.0, 2e-06]])": "2e → 3e",
    },
    "tables": {
        f"{FRAME}d": "0.2 → 0.21 | 'b' → 'd' | loss → cost | 1, 2 → 1, 3"
        " | 0.5, 0.2, 0.3 → 5, 2, 3",
        f"{FRAME}d.head(3)": "(3) → (2) | .head(3) → .T",
        f"{FRAME}d.sort_values('loss')": "es('loss → es('name",
        f"{FRAME}d[['name', 'loss']]": "[['name', ' → [['",
        f"{FRAME}print(d)": "0.3 → 0.4 | d) → d[:2])",
        f"{FRAME}d.describe()": "0.3 → 0.31",
        f"{FRAME}d.style.set_uuid('t').highlight_max(color='red')": (
            "0.3 → 0.4 | red → lime"
        ),
        f"{FRAME}d[['loss']] / 1e6": "1e6 → 2e6",
    },
    "widgets": {
        f"{OUTPUT}print('loss 0.5')\nout": "0.5 → 0.6 | loss → cost"
        " | print('loss 0.5') → pass",
        f"{PLT}{OUTPUT}plt.plot([1, 2, 4])\n    plt.show()\nout": "4] → 5]"
        " | plt.show → plt.close",
        f"{WIDGETS}widgets.IntSlider(value=3, max=9, description='heads')": (
            "3 → 4 | 9 → 8 | heads → width"
        ),
        f"{WIDGETS}widgets.Dropdown(options=['adam', 'sgd'])": "sgd → SGD",
        f"{WIDGETS}widgets.HTML('<b>0.5</b>')": "0.5 → 0.6",
        f"{WIDGETS}widgets.VBox([widgets.IntSlider(3)])": "3 → 4",
        f"{WIDGETS}widgets.interact(lambda x: x + 1, x=3);": "+ 1 → + 2",
    },
    "libraries": {
        f"{PLOTLY}fig.show('plotly_mimetype')": "4.5 → 4.501"
        " | train → valid | red → blue | 9] → 10] | lines → markers"
        " | 2, 3], y=[2, 4.5, 8] → 3, 2], y=[2, 8, 4.5]"
        " | fig.update → fig.data = []\nfig.update",
        f"{SHOW}{ALTAIR}JSON(chart.to_dict())": "4.5 → 4.501"
        " | loss → cost | red → blue | 9] → 10] | mark_line → mark_point",
        f"{SHOW}{BOKEH}JSON(json_item(p))": "4.5 → 4.501 | loss → cost"
        " | red → blue | 9) → 10)",
        f"{PLOTLY}fig.show()": "4.5 → 4.501",
        f"{ALTAIR}chart": "4.5 → 4.501",
        f"{BOKEH}output_notebook()\nshow(p)": "4.5 → 4.501",
    },
    "figures": {
        CURVE: "4] → 4.004] | train → valid | o-r → o-b | o-r → s-r"
        " | o-r → o:r | 3) → 4) | 'loss' → 'cost' | plt.legend()\n → "
        " | plt.legend → plt.yscale('log')\nplt.legend",
        IMAGE: "viridis → plasma | 3] → 3.01]",
    },
    "text": {
        LOOP: "epoch → step | 0.5 → 0.6 | (2) → (3) | 'loss → ' loss",
        MIXED: "'a' → 'b' | 0.5 → 0.6 | x^2 → x^3 | print('a')\n → "
        " | \ndisplay(L → \n(L | \ndisplay(M → \nprint(1)\ndisplay(M",
        "[3, 'a']": "3, 'a' → 'a', 3 | 'a' → 'a', None",
        "'text'": "'text' → print('text') | 'text' → 'text';",
    },
    "errors": {
        "a = 1\nprint(a)": "1 → 1 / 0 | (a) → (a)\nraise KeyboardInterrupt"
        " | print(a) → import sys\nprint(a, file=sys.stderr)"
        " | (a) → (a)\nimport sys\nprint('oh', file=sys.stderr)"
        " | (a) → (a)\nimport warnings\nwarnings.warn('old', stacklevel=1)"
        " | (a) → (a)\nimport os\nos._exit(1)",
        RAISES: "int('x') → 1 / 0 | x → y | x → 7 | int → print(1)\nint",
    },
}

# Changes that nobody could see or wants to know of.
NOISE: dict[str, Edits] = {
    "the last digit": {
        CURVE: "4] → 4.0000004]",
        "print('loss', 0.123456)": "456 → 457",
        "2.345678901234567": "567 → 569",
        FRAME.replace("0.3", "0.333333") + "d": "333333 → 333334",
    },
}

# Changes of the environment; {home} is of a user with settings of their own.
SURROUNDINGS = {
    "another folder, time zone and hash seed": {
        "TZ": "Asia/Kathmandu",
        "PYTHONHASHSEED": "4711",
    },
    "two threads, a wide terminal, in Turkish": {
        "OMP_NUM_THREADS": "2",
        "COLUMNS": "200",
        "LC_ALL": "tr_TR.UTF-8",
    },
    "MPLBACKEND=agg": {"MPLBACKEND": "agg"},
    "another user": {"HOME": "{home}"},
}
SETTINGS = {  # that user's files
    ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\n",
    ".ipython/profile_default/ipython_config.py": (
        "get_config().InlineBackend.figure_formats = {'svg'}\n"
        "get_config().PlainTextFormatter.float_precision = '%.3f'\n"
    ),
}


class Fault(NamedTuple):
    """One change of a cell."""

    family: str
    code: str
    changed: str  # the code with the change
    what: str

    def before(self) -> dict[str, Any]:
        """Return the notebook without the fault, never run."""
        tags = ["raises-exception"] if self.code == RAISES else []
        cell = {"source": self.code, "metadata": {"tags": tags}}
        return notebook([cell])


def faults(families: dict[str, Edits]) -> list[Fault]:
    """Return the faults of families."""
    found = []
    for family, codes in families.items():
        for code, edits in codes.items():
            for edit in edits.split(" | "):
                old, new = edit.split(" → ")
                changed = code.replace(old, new, 1)
                found.append(Fault(family, code, changed, edit))
    return found
