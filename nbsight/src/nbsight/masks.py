"""What changes with each run, in printed texts: covered by name.

Each repetition in the patterns is bounded, so that they take linear time.
"""

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

from . import MIME
from .widgets import WIDGET

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CLOCK = r"\d{1,3}:\d\d:\d\d(?:[.,]\d{1,9})?(?:\ ?[AP]M)?"
ZONE = r"(?:Z(?!\w)|\ ?[+-]\d\d:?\d\d(?!\d)|\ (?:UTC|GMT))?"
DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
PLACE = r"[\w.+@~%-]{1,255}"

MASKS = {
    "addresses": re.compile(
        r"(?<=\bat\ )0x[0-9a-f]{1,16}(?!\w)"
        r"|(?<!\w)0x[0-9a-f]{9,16}(?!\w)",
        re.IGNORECASE,
    ),
    "html-ids": re.compile(
        rf"""
        # pandas' Styler
        (?<=[\#"'])T_[0-9a-f]{{5,32}}(?=_(?:level|row|col)\d|[^\w-])
        # plotly, bokeh, xarray; alone in JSON
        | (?<=["'\#-]){UUID}(?![\w-]) | \A{UUID}\Z
        | (?<=["'])p\d{{4,7}}(?=["']) | \Ap\d{{4,7}}\Z
        | (?<=altair-viz-)[0-9a-f]{{32}}(?!\w)
        | (?<=IPY_MODEL_)[0-9a-f]{{32}}(?!\w)
        | (?<=display_id=)[0-9a-f]{{32}}(?!\w)
        # Matplotlib's animations, scikit-learn
        | (?<=anim)(?:_[a-z_]{{1,20}}(?:\d_)?)?[0-9a-f]{{32}}(?!\w)
        | (?<!\w)sk-(?:container|estimator)-id-\d{{1,9}}(?!\w)
        """,
        re.VERBOSE,
    ),
    "uuids": re.compile(
        rf"(?<![0-9a-z])(?:{UUID}"
        r"|[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15})(?![0-9a-z])",
        re.IGNORECASE,
    ),
    "times": re.compile(
        rf"""
        # tqdm, IPython's %time and %timeit
        (?<=\[)\d{{1,4}}(?::\d\d){{1,2}}
            (?:(?:<|&lt;)(?:\?|\d{{1,4}}(?::\d\d){{1,2}}))?
            ,\ {{1,9}}(?:\?|\d[\d.]{{0,12}})\w{{0,20}}/\w{{1,20}}
        | (?<![\w.,])\d[\d,]{{0,15}}\ loops?\ each
        | (?<![\w.])(?:\d{{1,4}}(?:d|h|min)\ ){{1,3}}\d{{1,2}}s(?!\w)
        | (?:The\ slowest\ run\ took\ [\w\ .]{{1,200}}\n)?(?<![\w.])(?:
            \d{{1,9}}(?:\.\d{{1,18}})?
                \ ?(?:ns|[\u00b5\u03bcu]s|ms|secs?|seconds?|minutes?|hours?)
            | (?:\d{{1,9}}\.\d{{0,18}}\ ?|\d{{1,3}}|\d{{1,9}}\ )s
            | \d{{1,3}}min
          )(?:/step|(?![\w/-]))
        # times of the day, with or without a date
        | (?<![\w-])\d{{4}}-\d\d-\d\d[T\ ](?:{CLOCK}|\d\d:\d\d(?![\w:])){ZONE}
        | \b{DAY}\ {MONTH}\ [\ \d]\d\ {CLOCK}(?:\ [A-Z]{{3,4}})?\ \d{{4}}(?!\w)
        | \b{DAY},\ \d{{1,2}}\ {MONTH}\ \d{{4}}(?:\ {CLOCK}{ZONE})?(?!\w)
        | (?<![\w/])\d{{1,4}}/\d\d/\d{{2,4}},?\ {CLOCK}{ZONE}(?!\w)
        | (?<![\w:.]){CLOCK}{ZONE}(?![\w:])
        | (?<![\w:.])\d{{1,2}}:\d\d\ [AP]M(?!\w)
        | datetime\.(?:date|datetime|timedelta)\([\w\ ,=.-]{{1,99}}\)
        """,
        re.VERBOSE,
    ),
    "paths": re.compile(
        rf"""
        (?<!\w)file://[^\s"'<>)]{{1,999}}
        | (?<![\w/:.+])(?<!;base64,)/{PLACE}(?:/{PLACE}){{1,99}}
        | (?<![\w/:.+])/(?:tmp|root|content)(?![\w/.-])
        | (?<!\w)[A-Za-z]:(?:\\{{1,2}}{PLACE}){{1,99}}
        """,
        re.VERBOSE,
    ),
}
PLACEHOLDERS = {
    "addresses": "<address>",
    "html-ids": "<html-id>",
    "uuids": "<uuid>",
    "times": "<time>",
    "paths": "<path>",
}
# What plotting returns as the last line of a cell says nothing by its
# address, nor does the number of the process in a warning.
PLOTTED = re.compile(
    r"((?:<|&lt;)(?:matplotlib|mpl_toolkits|seaborn|contextlib\.ExitStack"
    r"|pandas\.io\.formats\.style)[\w.]{0,200}(?: object)? at )"
    r"0x[0-9a-fA-F]{1,16}(?=>|&gt;)"
)
PROCESS = re.compile(r"(?<=[\\/]ipykernel_)\d{1,10}(?=[\\/])")


def usual(text: str) -> str:
    """Return a text without what is never compared, asked for or not."""
    return PROCESS.sub("<process>", PLOTTED.sub(r"\1<address>", text))


def masked(
    text: str, names: Collection[str], hits: Counter[str] | None = None
) -> str:
    """Return a text in which the named masks cover what changes.

    How often each of them was used is added to ``hits``.
    """
    for name, mask in MASKS.items():
        if name in names:
            text, count = mask.subn(PLACEHOLDERS[name], text)
            if hits is not None and count:
                hits[name] += count
    return text


def masked_outputs(
    outputs: Any, names: Collection[str], hits: Counter[str] | None = None
) -> Any:
    """Return outputs, or a part of them, with all their texts masked."""
    if isinstance(outputs, str):
        return usual(masked(outputs, names, hits))
    if isinstance(outputs, list):
        return [masked_outputs(each, names, hits) for each in outputs]
    if not isinstance(outputs, dict):
        return outputs
    result, taken = type(outputs)(), Counter[str]()
    for key, value in outputs.items():
        name = masked(key, names, hits)
        taken[name] += 1
        if taken[name] > 1:  # two keys that are covered stay two
            name = f"{name} {taken[name]}"
        packed = _is_packed(key)
        result[name] = value if packed else masked_outputs(value, names, hits)
    return result


def _is_packed(key: str) -> bool:
    """Tell whether there is no text below a key, but packed data."""
    picture = key.startswith("image/") and not key.startswith("image/svg")
    return picture or key in (MIME, WIDGET, "application/pdf", "bdata")
