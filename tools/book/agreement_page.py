"""The page on agreement: every framework's predictions, laid over another.

Everything is read from the executed notebooks: each shared cell that draws a
line named "Pred" and prints "…: test MSE …" gives a row and a panel.
"""

import io
import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nbsight import MIME, artists
from tools.author.sources import Lesson
from tools.book.files import template
from tools.book.pages import Stored
from tools.frameworks import FRAMEWORKS

PRINTED = re.compile(r"^(.+?): (?:.*, )?test MSE (\d+\.\d+)$", re.MULTILINE)
LINE = re.compile(r'axes\[0\]\.lines\["(Truth|Pred)"\]\t(.*)')
STYLES = ["-", "--", "-.", ":", (0, (1, 3))]


def predictions(
    lessons: Iterable[tuple[Lesson, Stored]],
) -> list[dict[str, Any]]:
    """Find what the frameworks predict, and how well.

    Returns:
        Dicts with ``name``, ``label`` (of the cell), ``truth`` (x, y),
        ``curves`` {framework: (x, y)} and ``errors`` {framework: printed}.
    """
    found = []
    for lesson, outputs in lessons:
        for cell in lesson.cells:
            here = {
                name: of_cell(got[cell.id]) for name, got in outputs.items()
            }
            if cell.frameworks or not all(here.values()):
                continue
            names, errors, truth, curves = zip(*here.values(), strict=True)
            row = {"name": names[0], "truth": truth[0]}
            row["label"] = f"{lesson.name[:2]}-{cell.id}"
            row["errors"] = dict(zip(here, errors, strict=True))
            row["curves"] = dict(zip(here, curves, strict=True))
            found.append(row)
    return found


def of_cell(outputs: list[Any]) -> tuple[Any, ...]:
    """Return a cell's pooling, printed error, true and predicted (x, y)."""
    printed, lines = None, {}
    for output in outputs:
        printed = printed or PRINTED.search(output.get("text", ""))
        record = output.get("data", {}).get(MIME)
        for artist in artists(record) if record else ():
            line = LINE.fullmatch(artist)
            if line:
                path = json.loads(line[2])["path"]
                lines[line[1]] = np.array(path["x"]), np.array(path["y"])
    if not printed or len(lines) < 2:
        return ()
    return printed[1], printed[2], lines["Truth"], lines["Pred"]


def apart(row: dict[str, Any]) -> float:
    """Return the largest distance of a curve from the first framework's."""
    (_, first), *others = row["curves"].values()
    return max(float(np.abs(y - first).max()) for _, y in others)


@plt.style.context("d2lmini.look")
def draw(rows: list[dict[str, Any]]) -> str:
    """Return an SVG: for each pooling the curves, and how they differ."""
    fig = Figure(figsize=(1.6 * len(rows), 4.2), layout="constrained")
    axes = fig.subplots(2, len(rows), sharex=True, sharey="row", squeeze=False)
    for row, top, bottom in zip(rows, *axes, strict=True):
        top.plot(*row["truth"], color="0.6", lw=1, label="Truth")
        first = next(iter(row["curves"].values()))[1]
        for i, (name, (x, y)) in enumerate(row["curves"].items()):
            look = {"color": f"C{i}", "ls": STYLES[i % len(STYLES)]}
            top.plot(x, y, lw=5 - i, label=FRAMEWORKS[name].title, **look)
            bottom.plot(x, 1e6 * (y - first), lw=1.5, **look)
        top.set_title(row["name"], fontsize="medium")
        bottom.set(xlabel="x")
    axes[0, 0].set(ylabel="y", ylim=(-1, 5))
    axes[1, 0].set(ylabel="millionths")
    named = axes[0, 0].get_legend_handles_labels()
    fig.legend(*named, ncols=len(named[0]), loc="outside upper center")
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page's text; its figure is ``figures/agreement.svg``."""
    titles = [FRAMEWORKS[name].title for name in rows[0]["curves"]]
    head = ["pooling", *titles, "largest difference, millionths"]
    table = [" | ".join(head), "---" + " | ---:" * (len(head) - 1)]
    largest = [1e6 * apart(row) for row in rows]
    for row, most in zip(rows, largest, strict=True):
        link = f"[{row['name']}](#{row['label']})"
        parts = [link, *row["errors"].values(), f"{most:.0f}"]
        table.append(" | ".join(parts))
    return template("agreement").format(
        table="\n".join(f"| {line} |" for line in table),
        panels=len(rows),
        names=f"{', '.join(titles[:-1])} and {titles[-1]}",
        first=titles[0],
        n=len(rows[0]["truth"][0]),
        total=f"{max(largest):.0f}",
    )
