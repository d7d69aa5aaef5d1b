"""Why a notebook's outputs cannot be stored, and what would settle it.

Something is wrong with the run (a cell raises), or two runs differ: what
varies by itself would fail the check next time. Each is said in one line:
where, what, and the remedy.
"""

import copy
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from jupyter_client.kernelspec import KernelSpecManager

from . import MIME, artists, masks
from .cells import VARIES
from .compare import kind
from .texts import RTOL, Tolerance, text_differences
from .widgets import WIDGET

# Another hash seed, and a clock that shows another minute, hour and day.
ELSEWHERE = {"PYTHONHASHSEED": "1", "TZ": "NBS-23:17"}
STDERR = "nbsight-stderr-compare"
CURRENT = "give --current-env (and pytest --nbval-current-env)"
REPEAT = "let it run again, over what it made before"
# How a line of the check begins, what settles it, and the tag that does.
REMEDIES = (
    ("raised (Import|ModuleNotFound)Error", "install it for its kernel", ""),
    ("raised StdinNotImpl", "give it the value: nobody can be asked", ""),
    ("raised ", "mend it, or tag the cell {}", "raises-exception"),
    ("new output on std", "silence it, or tag the cell {}", STDERR),
    (r"\S+ would switch", "remove it, or set nbsight_allow_skip = true", ""),
    ("stopped by CellTimeout", "allow more by nbval's time-outs", ""),
    ("stopped by DeadKernel", "see what ends Python, or takes all memory", ""),
    ("stopped by NoSuchKernel", f"choose one in Jupyter, or {CURRENT}", ""),
    ("the notebook has no code", "leave it out of the check", ""),
    ("", "mend it", ""),
)
SAID = "in its line", "stored output"  # together with another line
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
LAYOUT = re.compile(rf"\s|{NUMBER.pattern}")


class Run(NamedTuple):
    """What an execution left: the notebook, what stopped or ended it."""

    new: Any
    stopped: Any
    ended: Any


class Objection(NamedTuple):
    """Why a cell cannot be stored: in words; and the tag that settles it."""

    cell: int | None
    line: str
    tag: str


def executed(file: Any, draft: str, *place: Any) -> Run:
    """Execute a draft, in its own place or another, and keep what came."""
    file.collect(draft)
    file.setup(*place)
    return Run(file.new, file.stopped, file.ended)


def verdict(file: Any, run: Run, draft: str) -> list[Any]:
    """Return what the check says of a draft, given an execution of it.

    In pairs: an item and the lines of what is wrong with it.
    """
    file.new, file.stopped, file.ended = run
    items = [item for item in file.collect(draft) if not item.skipped()]
    found = [(item, item.faults()) for item in items]
    return [pair for pair in found if pair[1]]


@contextmanager
def another_place(root: Path, folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that holds what a folder below a root holds.

    All that lies there, and in the folders above it up to the root, is linked.
    """
    with tempfile.TemporaryDirectory(prefix="nbsight-") as parent:
        try:
            place = _linked(root, folder, Path(parent))
        except OSError:  # no links here, or a folder above cannot be read
            place = folder
        yield place


def _linked(root: Path, folder: Path, parent: Path) -> Path:
    root = root if folder.is_relative_to(root) else folder
    place, real = parent / (root.name or "root"), root
    for step in (*folder.relative_to(root).parts, ""):
        place.mkdir()
        for entry in real.iterdir():
            if entry.name != step:
                (place / entry.name).symlink_to(entry)
        if step:
            place, real = place / step, real / step
    return place


def wrong(file: Any, run: Run, draft: str) -> list[Objection]:
    """Return what would not pass the check, although it has just been run."""
    found = verdict(file, run, draft)
    if run.stopped:  # the others were not run
        found = [each for each in found if each[0].index == run.stopped.index]
    objections = []
    for item, lines in found:
        main = [line for line in lines if not line.startswith(SAID)]
        for line in main or lines:
            _, remedy, tag = next(r for r in REMEDIES if re.match(r[0], line))
            if "NoSuchKernel" in line:
                kernels = ", ".join(KernelSpecManager().find_kernel_specs())
                line += f" (there are: {kernels})"
            objections.append(_objection(item, line, remedy, tag))
    return objections


def varying(file: Any, first: Run, second: Run, draft: str) -> list[Objection]:
    """Return what passes the check after the first run, but not the second."""
    known = {item.index for item, _ in verdict(file, first, draft)}
    if second.stopped:
        return [
            _objection(item, f"{lines[0]} (when run again)", REPEAT, "")
            for item, lines in verdict(file, second, draft)
            if item.index == second.stopped.index
        ]
    found = [
        (item, lines)
        for item, lines in verdict(file, second, draft)
        if item.index not in known
    ]
    faulty = {item.index for item, _ in found} | known
    found += [
        (item, [_clock(item)])
        for item in file.items[1:]
        if item.index not in faulty and _clock(item)
    ]
    cells = {item.index for item, _ in found}
    names = _masks(file, second, draft, cells) if found else {}
    file.new = second.new
    return [
        _objection(
            item,
            f"varies by itself: {lines[0]}",
            *_remedy(item, names.get(item.index, [])),
        )
        for item, lines in found
    ]


def _objection(item: Any, line: str, remedy: str, tag: str) -> Objection:
    where = f"{item.name} ({item.cell.get('id')}) " if item.cell else ""
    what = f"{line[:99]}..." if len(line) > 102 else line
    # What controls a terminal is shown and not obeyed.
    what = "".join(c if c.isprintable() else repr(c)[1:-1] for c in what)
    return Objection(item.index, f"{where}{what}; {remedy.format(tag)}", tag)


def _masks(
    file: Any, run: Run, draft: str, cells: set[int | None]
) -> dict[int | None, list[str]]:
    """Return the masks under which cells do not vary, one if one is enough."""
    enough: dict[int | None, list[str]] = {}
    known = sorted(masks.MASKS, key="html-ids".__eq__)  # these in the end
    for names in [[name] for name in known] + [known]:
        new = nbformat.from_dict(copy.deepcopy(run.new))
        old = nbformat.reads(draft, as_version=4)
        for cell in (*old.cells, *new.cells):
            if cell.cell_type == "code":
                cell.outputs = masks.masked_outputs(cell.outputs, names)
        masked = run._replace(new=nbformat.from_dict(new))
        left = verdict(file, masked, json.dumps(old))
        for index in cells - {item.index for item, _ in left}:
            outputs = run.new.cells[index].outputs
            usual = masks.masked_outputs(outputs, [])
            enough[index] = [
                name
                for name in names
                if masks.masked_outputs(outputs, [name]) != usual
            ]
            cells = cells - {index}
    return enough


def _remedy(item: Any, names: list[str]) -> tuple[str, str]:
    """Return what helps against a cell's variation, and the tag that does."""
    if item.index is None:
        return "edit what it shows", ""
    old, new = item.pair
    if [*map(kind, old)] != [*map(kind, new)]:
        return "edit it, so that it always shows the same outputs", ""
    pairs = zip(old, new, strict=True)
    streams = {kind(one) for one, other in pairs if one != other}
    tag = VARIES
    if streams == {"stderr"}:
        tag = "nbsight-stderr-ignore"
    was, now = _text(old), _text(new)
    what = "edit it"
    if names:
        names = [*item.config.getini("nbsight_masks"), *names]
        what = f"set nbsight_masks = {' '.join(names)} for pytest"
    elif sorted(re.findall(r"\w+", was)) == sorted(re.findall(r"\w+", now)):
        what = "sort what comes in another order"
    elif LAYOUT.sub("", was) == LAYOUT.sub("", now):
        what = "seed it"
        if (size := _size(was, now)) > RTOL and len(old) == 1:
            tolerance = Tolerance(rtol=1.01 * size)
            if not text_differences(was, now, tolerance):
                what += f", or tag it rtol-... (they are {size:.2g} apart)"
    elif "figure" in map(kind, old):
        what = "seed what it draws"
    return f"{what}, or tag the cell {{}}", tag


def _clock(item: Any) -> str:
    """Return what a cell says of the clock, if it counts seconds.

    From one run to the next these are the same within the tolerance, and
    tomorrow they are not.
    """
    if VARIES in item.cell.metadata.get("tags", []):
        return ""
    pair = (NUMBER.findall(_text(outputs)) for outputs in item.pair)
    for old, new in zip(*pair, strict=False):
        if old != new and 1e9 < float(old) < float(new) < 2e9 and "." in old:
            return f"{old}, then {new}, are seconds since 1970"
    return ""


def _text(outputs: list[Any]) -> str:
    """Return what outputs say, figures by their data."""
    said = []
    for output in outputs:
        said += [output.get("text", ""), output.get("evalue", "")]
        for mime, value in output.get("data", {}).items():
            if mime == MIME:
                said += artists(value)
            elif mime != WIDGET and not mime.startswith("image/"):
                said.append(str(value))
    return "\n".join(said)


def _size(was: str, now: str) -> float:
    """Return how far numbers in two texts are apart, as a share of one."""
    pairs = zip(NUMBER.findall(was), NUMBER.findall(now), strict=False)
    numbers = [(float(one), float(other)) for one, other in pairs]
    return max((abs(a - b) / abs(a) for a, b in numbers if a), default=0.0)
