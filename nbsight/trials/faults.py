"""Changes that a check must see, and surroundings that it must not mind.

A fault is a change of a cell's code: what is stored is then no longer what
the code gives, as if a library or a colleague had changed something.
"""

from typing import Any, NamedTuple

from trials.runs import notebook

PLT = "import matplotlib.pyplot as plt"
NUMPY = "import numpy as np\nfrom IPython.display import JSON"
DISPLAY = "from IPython.display import HTML, Latex, Markdown, display"
LIBRARIES = """import altair as alt
import pandas as pd
import plotly.graph_objects as go
from bokeh.embed import json_item
from bokeh.plotting import figure, output_notebook, show
from IPython.display import JSON
output_notebook(hide_banner=True)"""
FRAME = """d = pd.DataFrame(
    {'name': ['a', 'c', 'b'], 'loss': [0.5, 0.2, 0.3]}, index=[0, 1, 2])
"""
PLOTLY = """fig = go.Figure(go.Scatter(
    x=[1, 2, 3], y=[2, 4.5, 8], name='train', mode='lines', line_color='red'))
fig.update_yaxes(title='loss', range=[0, 9])
"""
ALTAIR = """data = pd.DataFrame({'x': [1, 2, 3], 'y': [2, 4.5, 8]})
chart = alt.Chart(data, title='loss').mark_line(color='red')
chart = chart.encode(x='x', y=alt.Y('y').scale(domain=[0, 9]))
"""
BOKEH = """p = figure(title='loss', y_range=(0, 9))
p.line([1, 2, 3], [2, 4.5, 8], color='red', legend_label='train')
"""
CURVE = """plt.plot([0, 1, 2], [1, 2, 4], 'o-r', label='train')
plt.xlim(0, 3)
plt.ylabel('loss')
plt.legend()
plt.show()"""
IMAGE = "plt.imshow([[0, 1], [2, 3]], cmap='viridis')\nplt.show()"
OUTPUT = "out = widgets.Output()\nwith out:\n    "
LOOP = "for i in range(2):\n    print('epoch', i, 'loss', 0.5)"
MIXED = "print('a')\ndisplay(Markdown('**0.5**'))\ndisplay(Latex('$x^2$'))"
RAISES = "int('x')"  # on purpose: a tag says so

# Of each family, a notebook's first cell, and what may stand in its second:
# code, and what may change in it.
Family = tuple[str, dict[str, str]]
FAMILIES: dict[str, Family] = {
    "small": (
        NUMPY,
        {
            "print('lr', 1e-05)": "1e-05 → 2e-05",
            "print('p =', 3e-08)": "3e-08 → 9e-06",
            "print('x =', -5e-06)": "-5 → 5",
            "print(f'{0.00012:.5f} {1.5e-07}')": "12: → 13: | 7} → 8}",
            "print(f'{-0.001:.2f}')": "- → ",
            "{'rate': 4e-06, 'n': 3}": "4e → 5e",
            "0.0000123": "123 → 132",
            "np.array([1e-06, 2e-06])": "2e → 3e",
            "np.array([1.0, 2e-05])": "2e → 3e",
            "print('tensor([1.0000e-06])')": "1. → 9.",
            "1e-06 + 2e-06j": "2e → 3e",
            "JSON({'rate': 3e-08})": "3e-08 → 9e-06",
            "JSON([[1.0, 2e-06]])": "2e → 3e",
        },
    ),
    "tables": (
        "import pandas as pd",
        {
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
            "pd.DataFrame([[1e-06, 2e-06]])": "2e → 3e",
        },
    ),
    "widgets": (
        f"import ipywidgets as widgets\n{PLT}",
        {
            f"{OUTPUT}print('loss 0.5')\nout": "0.5 → 0.6 | loss → cost"
            " | print('loss 0.5') → pass",
            f"{OUTPUT}plt.plot([1, 2, 4])\n    plt.show()\nout": "4] → 5]"
            " | plt.show → plt.close",
            "widgets.IntSlider(value=3, max=9, description='heads')": (
                "3 → 4 | 9 → 8 | heads → width"
            ),
            "widgets.Dropdown(options=['adam', 'sgd'])": "sgd → SGD",
            "widgets.HTML('<b>0.5</b>')": "0.5 → 0.6",
            "widgets.VBox([widgets.IntSlider(3)])": "3 → 4",
            "widgets.interact(lambda x: x + 1, x=3);": "+ 1 → + 2",
        },
    ),
    "libraries": (
        LIBRARIES,
        {
            f"{PLOTLY}fig.show('plotly_mimetype')": "4.5 → 4.501"
            " | train → valid | red → blue | 9] → 10] | lines → markers"
            " | 2, 3], y=[2, 4.5, 8] → 3, 2], y=[2, 8, 4.5]"
            " | fig.update → fig.data = []\nfig.update",
            f"{ALTAIR}alt.renderers.enable('mimetype')\nchart": "4.5 → 4.501"
            " | loss → cost | red → blue | 9] → 10] | mark_line → mark_point",
            f"{BOKEH}JSON(json_item(p))": "4.5 → 4.501 | loss → cost"
            " | red → blue | 9) → 10)",
            f"{PLOTLY}fig.show()": "4.5 → 4.501",
            f"{ALTAIR}chart": "4.5 → 4.501",
            f"{BOKEH}show(p)": "4.5 → 4.501",
        },
    ),
    "figures": (
        PLT,
        {
            CURVE: "4] → 4.004] | train → valid | o-r → o-b | o-r → s-r"
            " | o-r → o:r | 3) → 4) | 'loss' → 'cost' | plt.legend()\n → "
            " | plt.legend → plt.yscale('log')\nplt.legend",
            IMAGE: "viridis → plasma | 3] → 3.01]",
        },
    ),
    "text": (
        DISPLAY,
        {
            LOOP: "epoch → step | 0.5 → 0.6 | (2) → (3) | 'loss → ' loss",
            MIXED: "'a' → 'b' | 0.5 → 0.6 | x^2 → x^3 | print('a')\n → "
            " | \ndisplay(L → \n(L | \ndisplay(M → \nprint(1)\ndisplay(M",
            "[3, 'a']": "3, 'a' → 'a', 3 | 'a' → 'a', None",
            "'text'": "'text' → print('text') | 'text' → 'text';",
        },
    ),
    "errors": (
        "import os\nimport sys\nimport warnings",
        {
            "a = 1\nprint(a)": "1 → 1 / 0 | (a) → (a, file=sys.stderr)"
            " | (a) → (a)\nprint('oh', file=sys.stderr)"
            " | (a) → (a)\nwarnings.warn('old', stacklevel=1)"
            " | (a) → (a)\nraise KeyboardInterrupt"
            " | (a) → (a)\nos._exit(1)",
            RAISES: "int('x') → 1 / 0 | x → y | x → 7 | int → print(1)\nint",
        },
    ),
}

# Changes that nobody could see or wants to know of.
NOISE: dict[str, Family] = {
    "the last digit": (
        f"{PLT}\nimport pandas as pd",
        {
            CURVE: "4] → 4.0000004]",
            "print('loss', 0.123456)": "456 → 457",
            "2.345678901234567": "567 → 569",
            FRAME.replace("0.3", "0.333333") + "d": "333333 → 333334",
        },
    ),
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
    first: str  # code of the cell before it
    code: str
    changed: str  # the code with the change
    what: str

    def before(self) -> dict[str, Any]:
        """Return the notebook without the fault, never run."""
        tags = ["raises-exception"] if self.code == RAISES else []
        cell = {"source": self.code, "metadata": {"tags": tags}}
        return notebook([self.first, cell])


def faults(families: dict[str, Family]) -> list[Fault]:
    """Return the faults of families."""
    found = []
    for family, (first, codes) in families.items():
        for code, edits in codes.items():
            for edit in edits.split(" | "):
                old, new = edit.split(" → ")
                changed = code.replace(old, new, 1)
                found.append(Fault(family, first, code, changed, edit))
    return found
