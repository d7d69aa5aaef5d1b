"""What a Matplotlib figure shows, in numbers and words.

This file is handed to a running kernel as text, so it imports nothing of
this package. Matplotlib itself draws the figure into a renderer that paints
nothing but writes down every path, marker, text and image with its colours
and positions, under the name of the artist that drew it. So nothing has to
be listed by hand: what is drawn is noted, what is hidden is not.
"""

import base64
import itertools
import json
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, Tick
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.offsetbox import OffsetBox
from matplotlib.patches import Patch
from matplotlib.text import Text

LIMIT = 200  # an array with more elements is summarised
DIGITS = 7  # significant digits that are kept
CLOSE = 79  # Path.CLOSEPOLY, whose vertex means nothing

FONT = ["sans-serif", "normal", "normal"]  # the usual one is not noted
LAYOUT = Text, Axes, Axis, FigureBase, OffsetBox  # draw paths around texts
# Readable names; an artist that is not found here is named by its class.
KINDS: dict[type, str] = {
    Axes: "axes",
    Line2D: "lines",
    Patch: "patches",
    Collection: "collections",
    AxesImage: "images",
    Text: "texts",
}
PARTS = ["xaxis", "yaxis", "zaxis", "patch", "legend_", "legendPatch"]
PARTS += ["title", "_left_title", "_right_title", "label", "offsetText"]
PARTS += ["_suptitle", "_supxlabel", "_supylabel"]
PARTS += ["tick1line", "tick2line", "gridline", "label1", "label2"]


def describe(figure: Figure) -> dict[str, Any]:
    """Return what a figure shows as a dictionary for JSON.

    Its lines go through zlib and base 85, whose letters JSON need not escape:
    a third of the space. `artists` of this package unpacks them.
    Never raises: a failure stands in the dictionary under ``error``.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            with _layout_kept(figure):
                figure.draw_without_rendering()  # makes ticks and layout
                figure.set_layout_engine("none")
                recorder = Recorder(figure)
                recorder.draw(figure)
                text = json.dumps(recorder.entries(), ensure_ascii=False)
                lines = base64.b85encode(zlib.compress(text.encode(), 9))
                return {
                    "size": numbers(figure.get_size_inches()),
                    "dpi": figure.dpi,
                    "artists": lines.decode(),
                }
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


@contextmanager
def _layout_kept(figure: Figure) -> Iterator[None]:
    """Undo in the end what drawing does to a figure's layout."""
    engine, sides = figure.get_layout_engine(), vars(figure.subplotpars)
    before = sides.copy()
    places: list[Any] = [
        (axes, axes.get_position(original=True), axes.get_in_layout())
        for axes in figure.findobj(Axes)
    ]
    try:
        yield
    finally:
        figure.set_layout_engine(engine or "none")
        sides.update(before)
        for axes, place, in_layout in places:
            axes.set_position(place)
            axes.set_in_layout(in_layout)


def numbers(values: Any, limit: int = LIMIT, digits: int = DIGITS) -> Any:
    """Return an array as rounded lists, or the summary of a large one.

    The summary holds weighted sums of blocks of the array: each element has
    its own weight, so a change of one or a swap of two is seen, while noise
    in all of them averages out.
    """
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    if values.size <= limit:
        return _rounded(values.tolist(), digits)
    finite = values[np.isfinite(values)]
    shown = finite if finite.size else np.zeros(1)
    low, high, mean = shown.min(), shown.max(), shown.mean()
    away = 2 * (high - low) or 1.0  # stands for what is no number
    flat = np.nan_to_num(
        values.ravel() - mean, nan=away, posinf=2 * away, neginf=-2 * away
    )
    hashed = np.arange(1, flat.size + 1, dtype=np.uint64)
    for shift, factor in ((16, 0x45D9F3B), (15, 0x2C1B3C6D)):
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
        hashed &= np.uint64(0xFFFFFFFF)
    unit = hashed / 2.0**32
    weights = np.where(hashed & np.uint64(4), 1, -1) * (0.5 + unit / 2)
    blocks = int(np.clip(flat.size // 64, 4, 64))
    sums = [part.sum() for part in np.array_split(flat * weights, blocks)]
    return {
        "shape": list(values.shape),
        "low": _rounded(low, digits),
        "high": _rounded(high, digits),
        "mean": _rounded(mean, digits),
        "missing": int(values.size - finite.size),
        "sums": _rounded(sums, digits - 1),
    }


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if not np.isfinite(value):
        return str(float(value))
    value = float(f"{value:.{digits}g}")
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _hex(color: Any) -> str | None:
    if color is None:
        return None
    return to_hex(color, keep_alpha=len(color) > 3 and color[3] < 1)


def _together(values: list[Any]) -> Any:
    """Return one value for a list of equal ones; a long list in short."""
    if all(value == values[0] for value in values):
        return values[0]
    if all(isinstance(value, int | float) for value in values):
        return numbers(values)
    if len(values) <= LIMIT:
        return values
    if all(re.match("#[0-9a-f]{6}", str(value)) for value in values):
        rows = [bytes.fromhex(value[1:].ljust(8, "f")) for value in values]
        return numbers(np.array([list(row) for row in rows]) / 255)
    return {"n": len(values), "sum": _sum(repr(values))}


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _shape(path: Any, transform: Any) -> tuple[Any, str | None]:
    """Return a path's points and, as ``1x1 2x99``, its kinds of segments."""
    points = transform.transform(path.vertices)
    if path.codes is None:
        return points, None
    runs = ((c, len(list(run))) for c, run in itertools.groupby(path.codes))
    text = " ".join(f"{code}x{length}" for code, length in runs)
    text = text if len(text) < 60 else _sum(text)
    return points[path.codes != CLOSE], text


class Recorder(RendererBase):
    """A renderer that notes what is drawn, and by which artist."""

    def __init__(self, figure: Figure) -> None:
        """Prepare for one figure, measuring text as Matplotlib's Agg does."""
        super().__init__()
        self.figure, self.dpi = figure, figure.dpi
        # Of each artist its name and its axes.
        self.names: dict[Any, tuple[str, Any]] = {figure: ("figure", None)}
        self.counts: Counter[Any] = Counter()
        self._name_artists(figure, "figure.", None)
        self.stack: list[Any] = [figure]  # who draws, the innermost last
        # Of each name and kind of mark: artists, points and styles.
        self.notes: dict[str, dict[str, list[Any]]] = {}
        self.offset: Any = None  # of its marker that comes next
        agg = RendererAgg(figure.bbox.width, figure.bbox.height, figure.dpi)
        vars(self).update(
            points_to_pixels=agg.points_to_pixels,
            get_canvas_width_height=agg.get_canvas_width_height,
            get_text_width_height_descent=agg.get_text_width_height_descent,
            flipy=lambda: False,  # measure from the bottom
            option_image_nocomposite=lambda: True,  # one by one
        )

    def _name_artists(self, parent: Any, prefix: str, axes: Any) -> None:
        """Name all artists below one, such as ``axes[0].lines["Pred"]``.

        The ticks of an axis share a name and so are described together.
        """
        parts = {} if isinstance(parent, OffsetBox) else vars(parent)
        parts = {id(parts[k]): k.strip("_") for k in PARTS if k in parts}
        children = parent.get_children()
        if isinstance(parent, FigureBase):
            children = parent.axes + children
        for child in children:
            if child in self.names:
                continue
            if isinstance(child, OffsetBox):  # only arranges others
                self.names[child] = f"{prefix}box", axes
                self._name_artists(child, prefix, axes)
                continue
            name = parts.get(id(child)) or self._kind(child, parent, prefix)
            name, inside = f"{prefix}{name}", axes
            name = re.sub(r"axis\.(label|(minor_)?ticks)$", r"\1", name)
            if isinstance(child, Axes):
                name, inside = name.removeprefix("figure."), child
            self.names[child] = name, inside
            self._name_artists(child, f"{name}.", inside)

    def _kind(self, artist: Any, parent: Any, prefix: str) -> str:
        """Return an artist's kind, with its label or else its number."""
        if isinstance(artist, Tick):
            return "minor_ticks" if artist in parent.minorTicks else "ticks"
        if hasattr(artist, "spine_type"):
            return f'spines["{artist.spine_type}"]'
        kinds = [KINDS[kind] for kind in KINDS if isinstance(artist, kind)]
        kind, label = [*kinds, type(artist).__name__][0], artist.get_label()
        self.counts[prefix, kind] += 1
        if kind == "axes" or not label or str(label).startswith("_"):
            return f"{kind}[{self.counts[prefix, kind] - 1}]"
        self.counts[prefix, kind, label] += 1
        more = self.counts[prefix, kind, label]
        return f'{kind}["{label}"' + (f" no. {more}]" if more > 1 else "]")

    def draw(self, figure: Figure) -> None:
        """Draw a figure, following which of its artists is at work."""
        with ExitStack() as undo:
            for artist in self.names:
                follow = partial(self._follow, artist, artist.draw)
                undo.enter_context(mock.patch.object(artist, "draw", follow))
            figure.draw(self)

    def _follow(self, artist: Any, draw: Any, *args: Any, **more: Any) -> None:
        self.stack.append(artist)
        if isinstance(artist, Axes) and artist.get_visible():
            self.notes.setdefault(self.names[artist][0], {})
        draw(*args, **more)
        self.stack.pop()

    def _note(
        self, kind: str, points: Any, gc: Any, shape: Any = None, **values: Any
    ) -> None:
        """Note a mark of the artist at work: its points and its style."""
        lined, face = kind in ("path", "markers"), values.get("face")
        width = float(gc.get_linewidth()) if lined else 0.0
        hatch = gc.get_hatch() if lined else None
        if face is not None:
            alpha = 1.0 if len(face) < 4 else face[3]
            alpha = gc.get_alpha() if gc.get_forced_alpha() else alpha
            values["face"] = _hex((*face[:3], alpha))
        if kind == "text" or width:
            values["color"] = _hex(gc.get_rgb())
        if width:
            cap, join = str(gc.get_capstyle()), str(gc.get_joinstyle())
            values["width"] = width
            values["cap"] = None if cap == "butt" else cap
            values["join"] = None if join == "round" else join
            if gc.get_dashes()[1] is not None:
                values["dashes"] = numbers(np.hstack(gc.get_dashes()))
        if hatch:
            values["hatch"] = hatch
            values["hatch_color"] = _hex(gc.get_hatch_color())
            values["hatch_width"] = float(gc.get_hatch_linewidth())
        if lined and not gc.get_antialiased():
            values["antialiased"] = False
        if gc.get_sketch_params() is not None:
            values["sketch"] = numbers(gc.get_sketch_params())
        clip = gc.get_clip_rectangle(), gc.get_clip_path()[0]
        values["clipped"] = True if clip != (None, None) else None
        if shape is not None:
            low, span = shape.min(0), np.ptp(shape, axis=0)
            relative = (shape - low) / np.where(span > 0, span, 1.0)
            values["shape"] = numbers(relative.round(3), 24)
            if kind == "markers":
                values["dims"] = numbers(span * 72 / self.figure.dpi, 9, 4)
        artist = self.stack[-1]
        kinds = self.notes.setdefault(self.names[artist][0], {})
        kinds.setdefault(kind, []).append((artist, points, values))

    def draw_path(
        self, gc: Any, path: Any, transform: Any, rgbFace: Any = None
    ) -> None:
        """Note a path, or one marker of a scattered collection."""
        points, codes = _shape(path, transform)
        if not len(points):
            return
        style = {"face": rgbFace, "codes": codes, "n": len(points)}
        artist = self.stack[-1]
        if self.offset is not None:
            self._note("markers", [self.offset], gc, points, **style)
        elif isinstance(artist, LAYOUT) or None in self._frames(artist):
            self._note("path", points, gc, points, **style)
        else:
            self._note("path", points, gc, **style)

    def draw_markers(self, gc: Any, *args: Any) -> None:
        """Note the markers of a line, or a collection drawn as such."""
        marker, marker_trans, path, trans, face = [*args, None][:5]
        points = trans.transform(path.vertices)
        if not points.any():  # a path of its own without an offset
            self.draw_path(gc, marker, marker_trans, face)
            return
        shape, codes = _shape(marker, marker_trans)
        self._note("markers", points, gc, shape, face=face, codes=codes)

    def _iter_collection(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Go through a collection's paths, markers where they have offsets."""
        offsets, offset_trans = args[2:4]
        scattered = np.any(offset_trans.transform(offsets))
        base: Any = super()
        for x, y, *rest in base._iter_collection(*args, **kwargs):
            self.offset = (x, y) if scattered else None
            yield x, y, *rest
        self.offset = None

    def draw_quad_mesh(self, gc: Any, *args: Any) -> None:
        """Note the corners and colours of a mesh."""
        master, _, _, coordinates, _, _, facecolors, _, edgecolors = args
        points = master.transform(np.reshape(coordinates, (-1, 2)))
        edges = _together([_hex(color) for color in edgecolors] or [None])
        faces = _together([_hex(color) for color in facecolors])
        self._note("path", points, gc, faces=faces, edges=edges)

    def draw_gouraud_triangles(
        self, gc: Any, triangles: Any, colors: Any, transform: Any
    ) -> None:
        """Note the corners and colours of shaded triangles."""
        points = transform.transform(np.reshape(triangles, (-1, 2)))
        faces = [_hex(color) for color in np.reshape(colors, (-1, 4))]
        self._note("path", points, gc, faces=_together(faces))

    def draw_image(
        self, gc: Any, x: float, y: float, im: Any, transform: Any = None
    ) -> None:
        """Note where an image lies and, coarsely, what it looks like."""
        height, width = im.shape[:2]
        points = np.array([[x, y], [x + width, y + height]])
        if transform is not None:
            points = transform.transform(np.eye(3)[:, :2][[2, 0, 1]])
        look = [
            part.reshape(-1, im.shape[2]).mean(0) / 255
            for rows in np.array_split(im, min(4, height))
            for part in np.array_split(rows, min(4, width), 1)
        ]
        self._note("image", points, gc, look=numbers(look, 999, 3))

    def draw_text(
        self, gc: Any, *args: Any, mtext: Any = None, **ismath: Any
    ) -> None:
        """Note a text, its font and its place."""
        x, y, text, prop, angle = args[:5]
        font = [*prop.get_family(), prop.get_style(), prop.get_weight()]
        values = {"text": text, "size": prop.get_size_in_points()}
        values["font"] = None if font == FONT else " ".join(map(str, font))
        values["angle"] = angle or None
        if mtext is not None:
            values["align"] = f"{mtext.get_ha()} {mtext.get_va()}"
        self._note("text", np.array([[x, y]]), gc, **values)

    draw_tex = draw_text

    def stop_filter(self, filter_func: Any) -> None:
        """Note that the artist's pixels are filtered."""
        self._note("filter", np.zeros((1, 2)), self.new_gc())

    def _frames(self, artist: Any, offsets: bool = False) -> list[Any]:
        """Return per dimension what positions are measured in, or None.

        None means pixels: what moves with the size of texts, such as a
        legend or an arrow to one, is compared less closely.
        """
        get = getattr(artist, "get_data_transform", artist.get_transform)
        if offsets:
            get = getattr(artist, "get_offset_transform", get)
        transform, axes = get(), self.names[artist][1]
        found: list[Any] = [None, None]
        test = getattr(transform, "contains_branch_separately", None)
        test = test or transform.contains_branch_seperately
        frames = [axes.transData, axes.transAxes] if axes else []
        for frame in [*frames, self.figure.transFigure]:
            for i, inside in enumerate(test(frame)):
                found[i] = found[i] or (frame if inside else None)
        return found

    def _places(self, frames: list[Any], points: Any) -> dict[str, Any]:
        places = {
            "xy"[i]: numbers(frame.inverted().transform(points)[:, i])
            for i, frame in enumerate(frames)
            if frame is not None
        }
        if None in frames:
            near = np.array([points.min(0), points.max(0)])
            near = (near / self.figure.bbox.size).round(3)
            places["near"] = near.ravel().tolist()
        return places

    def entries(self) -> list[str]:
        """Return a line for each artist, in drawing order: name and JSON."""
        often = Counter(name for name, _ in self.names.values())
        alone = {n: a for a, (n, _) in self.names.items() if often[n] == 1}
        lines = []
        for name, kinds in self.notes.items():
            entry = self._extras(alone.get(name))
            for kind, notes in kinds.items():
                entry[kind] = self._entry(kind, notes)
            fields = json.dumps(entry, separators=(",", ":"))
            lines.append(f"{name}\t{fields}")
        return lines

    def _entry(self, kind: str, notes: list[Any]) -> dict[str, Any]:
        """Return what marks of one kind have in common, and their list."""
        owner, frames = notes[0][0], [None, None]
        points = np.concatenate([points for _, points, _ in notes])
        if kind != "image" and not isinstance(owner, LAYOUT):
            frames = self._frames(owner, kind == "markers")
        entry = self._places(frames, points)
        if kind == "text":  # each one's own place
            near = points / self.figure.bbox.size
            entry = {"near": near.round(3).tolist()}
        for key in {key: 0 for _, _, values in notes for key in values}:
            value = _together([values.get(key) for _, _, values in notes])
            if value is not None and (key != "n" or len(notes) > 1):
                entry[key] = value
        return entry

    def _extras(self, artist: Any) -> dict[str, Any]:
        """Return the numbers an artist stands for, beside how it is drawn."""
        extras: dict[str, Any] = {}
        if isinstance(artist, Axes):
            extras["box"] = numbers(artist.get_position().bounds, digits=4)
            extras["aspect"] = str(artist.get_aspect())
            for axis in "xyz":
                if hasattr(artist, f"get_{axis}lim"):
                    limits = getattr(artist, f"get_{axis}lim")()
                    extras[f"{axis}lim"] = numbers(limits)
                    scale = getattr(artist, f"get_{axis}scale")()
                    extras[f"{axis}scale"] = scale
        if isinstance(artist, Line2D) and isinstance(artist.get_marker(), str):
            extras["marker"] = artist.get_marker()
        if isinstance(artist, Text):
            point = [artist.get_unitless_position()]
            points = artist.get_transform().transform(point)
            extras = self._places(self._frames(artist), points)
            extras.pop("near", None)
            if hasattr(artist, "xy"):  # where an annotation points to
                x, y = artist.xy
                end = artist.convert_xunits(x), artist.convert_yunits(y)
                extras["xy"] = numbers(end)
        if isinstance(artist, AxesImage):
            extras["extent"] = numbers(artist.get_extent())
            extras["origin"] = artist.origin
            extras["interpolation"] = artist.get_interpolation()
        values = getattr(artist, "get_array", lambda: None)()
        if values is not None:
            extras["values"] = numbers(values)
            if np.ndim(values) < 3 and artist.norm.scaled():
                norm, cmap = artist.norm, artist.get_cmap()
                extras["clim"] = numbers([norm.vmin, norm.vmax])
                middle = np.linspace(norm.vmin, norm.vmax, 5)
                extras["norm"] = numbers(norm(middle))
                steps = [0.0, 0.25, 0.5, 0.75, 1.0, -1.0, 2.0, np.nan]
                extras["cmap_name"] = str(cmap.name)
                extras["cmap"] = [_hex(cmap(step)) for step in steps]
                table = cmap(np.linspace(0, 1, 256))
                extras["cmap_table"] = numbers(table)["sums"]
        return extras
