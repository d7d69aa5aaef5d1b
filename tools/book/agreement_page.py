"""The page on agreement: every framework's predictions, laid over another.

Everything is read from the executed notebooks: each shared cell that draws a
line named "Pred" and prints "…: test MSE …" gives a row and a panel.
"""

import io
import json
import re

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nbsight import artists
from tools.book.pages import MIME, NO_FIGURE, picture
from tools.frameworks import FRAMEWORKS

PRINTED = re.compile(r"^(.+?): (?:.*, )?test MSE (\d+\.\d+)$", re.MULTILINE)
FIGURE = "agreement.svg"
STYLES = ["-", "--", "-.", ":", (0, (1, 3))]


def lines_of(output):
    """Return {label: (x, y)} of the lines in a stored figure, 7 digits."""
    found = {}
    for artist in artists(output.get("data", {}).get(MIME, NO_FIGURE)):
        name, _, shown = artist.rpartition("\t")
        label = re.fullmatch(r'axes\[0\]\.lines\["(.+)"\]', name)
        path = json.loads(shown).get("path", {}) if label else {}
        if "x" in path:
            found[label[1]] = np.array(path["x"]), np.array(path["y"])
    return found


def predictions(lessons):
    """Find what the frameworks predict, and how well.

    Args:
        lessons: pairs of a lesson and what `lessons.stored` returns for it.

    Returns:
        A list of dicts with ``name``, ``label`` (of the cell), ``truth``,
        ``curves`` {framework: (x, y)} and ``errors`` {framework: printed}.
    """
    found = []
    for lesson, outputs in lessons:
        for cell in lesson.cells:
            here = {name: cells[cell.id] for name, cells in outputs.items()}
            row = {name: of_cell(given) for name, given in here.items()}
            if cell.frameworks or not all(row.values()):
                continue
            first = row[next(iter(row))]
            found.append(
                {
                    "name": first["name"],
                    "label": f"{lesson.name[:2]}-{cell.id}",
                    "truth": first["lines"]["Truth"],
                    "curves": {k: v["lines"]["Pred"] for k, v in row.items()},
                    "errors": {k: v["error"] for k, v in row.items()},
                }
            )
    return found


def of_cell(outputs):
    """Return the name, error and lines that a cell's outputs show, or {}."""
    text = "".join(output.get("text", "") for output in outputs)
    printed = PRINTED.search(text)
    lines = {}
    for output in outputs:
        lines |= lines_of(output)
    if not printed or not {"Truth", "Pred"} <= set(lines):
        return {}
    return {"name": printed[1], "error": printed[2], "lines": lines}


def apart(row):
    """Return {framework: largest distance of its curve from the first's}."""
    first = next(iter(row["curves"].values()))[1]
    return {
        name: float(np.abs(y - first).max())
        for name, (_, y) in row["curves"].items()
    }


@plt.style.context("d2lmini.look")
def draw(rows):
    """Return an SVG: for each pooling the curves, and how they differ."""
    across = min(3, len(rows))
    down = -(-len(rows) // across)
    fig = Figure(figsize=(9, 3.6 * down), layout="constrained")
    axes = fig.subplots(
        2 * down,
        across,
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": [2, 1] * down},
    )
    limit = 1.1 * max(1e-6, *(max(apart(row).values()) for row in rows)) * 1e6
    for ax in axes.flat[len(rows) :]:
        ax.set_visible(False)
    for k, row in enumerate(rows):
        top, bottom = axes[k // across * 2 :, k % across][:2]
        for ax in (top, bottom):
            ax.set_visible(True)
            ax.grid(color="0.88")
        top.plot(*row["truth"], color="0.6", lw=1, label="Truth")
        first = next(iter(row["curves"].values()))[1]
        widths = np.linspace(5, 1.5, len(row["curves"]))
        for i, (name, (x, y)) in enumerate(row["curves"].items()):
            look = {"color": f"C{i}", "label": FRAMEWORKS[name].title}
            style = STYLES[i % len(STYLES)]
            top.plot(x, y, lw=widths[i], ls=style, **look)
            bottom.plot(x, 1e6 * (y - first), lw=1.5, ls=style, **look)
        top.set(title=row["name"], ylim=(-1, 5))
        bottom.set(ylim=(-limit, limit))
    for ax in axes[-1]:
        ax.set(xlabel="x")
    for top, bottom in zip(axes[::2, 0], axes[1::2, 0], strict=True):
        top.set(ylabel="y")
        bottom.set(ylabel="millionths")
    axes[0, 0].legend(fontsize="small", ncols=2, loc="upper center")
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def page(rows):
    """Return the page's text; its figure is ``figures/agreement.svg``."""
    titles = [FRAMEWORKS[name].title for name in rows[0]["curves"]]
    head = ["pooling", *titles, "largest difference, millionths"]
    table = ["| " + " | ".join(head) + " |"]
    table.append("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        largest = max(apart(row).values())
        table.append(
            f"| [{row['name']}](#{row['label']}) | "
            + " | ".join(row["errors"].values())
            + f" | {1e6 * largest:.0f} |"
        )
    total = max(max(apart(row).values()) for row in rows)
    n = len(rows[0]["truth"][0])
    alt = (
        f"{len(rows)} panels, one for each pooling, with the predictions of "
        f"{', '.join(titles[:-1])} and {titles[-1]} drawn over one another: "
        "they cannot be told apart. Below, what they differ by, in millionths."
    )
    return AGREEMENT.format(
        table="\n".join(table),
        figure=picture(f"figures/{FIGURE}", alt),
        first=titles[0],
        n=n,
        total=f"{1e6 * total:.0f}",
    )


AGREEMENT = """\
# Do the frameworks agree?

Same data, same start, same loss: then the numbers should be the same too. Here
is what the executed notebooks say. A framework's column holds the test MSE as
its notebook prints it. The last one holds the largest distance between any
framework's prediction and {first}'s over the {n} queries, read from the
notebooks' figures; these keep seven digits, so a difference of 1 is their
grain.

{table}

The largest difference is {total} millionths. {first} computes in double
precision, the others in single, where neighbouring numbers near 3 lie 0.24
millionths apart; sums over the keys and training steps let that grow.

{figure}
"""
