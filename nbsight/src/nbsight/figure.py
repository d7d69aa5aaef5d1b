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
from collections import Counter, defaultdict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, Tick
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import FigureBase
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
KINDS = {
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


def describe(figure):
    """Return what a figure shows as a dictionary for JSON.

    Never raises: a failure stands in the dictionary under ``error``.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _describe(figure)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def packed(record):
    """Return what `describe` returned with its lines in a third of the space.

    They go through zlib and base 85, whose letters JSON need not escape;
    `artists` of this package reads both forms.
    """
    if "artists" not in record:
        return record
    text = json.dumps(record["artists"], ensure_ascii=False)
    lines = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return {**record, "artists": lines}


def _describe(figure):
    """Draw a figure twice, then undo what each drawing does to its layout."""
    engine, pars = figure.get_layout_engine(), figure.subplotpars
    sides = "left", "right", "bottom", "top", "wspace", "hspace"
    sides = {side: getattr(pars, side) for side in sides}
    places = [
        (axes, axes.get_in_layout(), axes.get_position(original), which)
        for axes in figure.findobj(Axes)
        for which, original in (("original", True), ("active", False))
    ]
    try:
        figure.draw_without_rendering()  # ticks and layout exist afterwards
        figure.set_layout_engine("none")
        recorder = Recorder(figure)
        recorder.draw(figure)
        size, dpi = numbers(figure.get_size_inches()), figure.dpi
        return {"size": size, "dpi": dpi, "artists": recorder.entries()}
    finally:
        figure.set_layout_engine(engine or "none")
        pars.update(**sides)
        for axes, in_layout, place, which in places:
            axes.set_position(place, which=which)
            axes.set_in_layout(in_layout)


def numbers(values, limit=LIMIT, digits=DIGITS):
    """Return an array as rounded lists, or the summary of a large one.

    The summary holds weighted sums of blocks of the array: each element has
    its own weight, so a change of one or a swap of two is seen, while noise
    in all of them averages out.
    """
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    if values.size <= limit:
        return _rounded(values.tolist(), digits)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    mean = finite.mean() if finite.size else 0.0
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


def _rounded(value, digits):
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if not np.isfinite(value):
        return str(float(value))
    value = float(f"{value:.{digits}g}")
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _hex(color):
    color = None if color is None else tuple(color)
    return color and to_hex(color, len(color) > 3 and color[3] < 1)


def _together(values):
    """Return one value for a list of equal ones; a long list in short."""
    if all(value == values[0] for value in values):
        return values[0]
    if all(isinstance(value, int | float) for value in values):
        return numbers(values)
    if all(re.match("#[0-9a-f]{6}", str(value)) for value in values):
        if len(values) > LIMIT:
            rows = [bytes.fromhex(value[1:].ljust(8, "f")) for value in values]
            return numbers(np.array([list(row) for row in rows]) / 255)
    elif len(values) > LIMIT:
        return {"n": len(values), "sum": _sum(repr(values))}
    return values


def _sum(text):
    return f"{zlib.crc32(text.encode()):08x}"


def _codes(path):
    """Return a path's kinds of segments in short: ``1x1 2x99``."""
    if path.codes is None:
        return None
    runs = ((c, len(list(run))) for c, run in itertools.groupby(path.codes))
    text = " ".join(f"{code}x{length}" for code, length in runs)
    return text if len(text) < 60 else _sum(text)


def name_artists(parent, prefix="", axes=None, names=None, counts=None):
    """Return ``{artist: (its name, its axes)}`` for all artists below one.

    Names are such as ``axes[0].lines["Pred"]`` or ``axes[0].xlabel``. The
    ticks of an axis share one, so that they are described together.
    """
    names = {} if names is None else names
    counts = defaultdict(int) if counts is None else counts
    parts = {} if isinstance(parent, OffsetBox) else vars(parent)
    parts = {id(parts[key]): key.strip("_") for key in PARTS if key in parts}
    minor = parent.get_minor_ticks() if isinstance(parent, Axis) else []
    children = parent.get_children()
    if isinstance(parent, FigureBase):
        children = [*parent.axes, *children]
    for child in children:
        if child in names:
            continue
        if isinstance(child, OffsetBox):  # only arranges others
            names[child] = f"{prefix}box", axes
            name_artists(child, prefix, axes, names, counts)
            continue
        if id(child) in parts:
            name = parts[id(child)]
        elif isinstance(child, Tick):
            name = "minor_ticks" if child in minor else "ticks"
        elif hasattr(child, "spine_type"):
            name = f'spines["{child.spine_type}"]'
        else:
            kinds = [KINDS[kind] for kind in KINDS if isinstance(child, kind)]
            name = kinds[0] if kinds else type(child).__name__
            key, label = counts[name], str(child.get_label() or "_")
            counts[name] += 1
            if name != "axes" and not label.startswith("_"):
                counts[name, label] += 1
                more = counts[name, label]
                key = f'"{label}"' + (f" no. {more}" if more > 1 else "")
            name = f"{name}[{key}]"
        name = f"{prefix}{name}"
        name = re.sub(r"axis\.(label|(minor_)?ticks)$", r"\1", name)
        inside = child if isinstance(child, Axes) else axes
        if inside is child:
            name = name.removeprefix("figure.")
        names[child] = name, inside
        name_artists(child, f"{name}.", inside, names)
    return names


class Recorder(RendererBase):
    """A renderer that notes what is drawn, and by which artist."""

    def __init__(self, figure):
        """Prepare for one figure, measuring text as Matplotlib's Agg does."""
        super().__init__()
        self.figure, self.dpi = figure, figure.dpi
        self.names = {figure: ("figure", None)}
        name_artists(figure, "figure.", names=self.names)
        self.stack = [figure]  # who draws, the innermost last
        self.notes = {}  # name -> kind of mark -> list of notes
        self.offset = None  # of the marker of a collection that comes next
        agg = RendererAgg(*figure.bbox.size, figure.dpi)
        self.points_to_pixels = agg.points_to_pixels
        self.get_canvas_width_height = agg.get_canvas_width_height
        self.get_text_width_height_descent = agg.get_text_width_height_descent
        self.flipy = lambda: False  # measure from the bottom
        self.option_image_nocomposite = lambda: True  # one by one

    def draw(self, figure):
        """Draw a figure, following which of its artists is at work."""
        before = {}
        try:
            for artist in self.names:
                before[artist] = vars(artist).get("draw")
                artist.draw = self._followed(artist, artist.draw)
            figure.draw(self)
        finally:
            for artist, draw in before.items():
                del artist.draw
                if draw is not None:
                    artist.draw = draw

    def _followed(self, artist, draw):
        def follow(*args, **kwargs):
            self.stack.append(artist)
            if isinstance(artist, Axes) and artist.get_visible():
                self.notes.setdefault(self.names[artist][0], {})
            try:
                return draw(*args, **kwargs)
            finally:
                self.stack.pop()

        return follow

    def _note(self, kind, points, gc, face=None, shape=None, **values):
        """Note a mark of the artist at work: its points and its style."""
        if face is not None:
            alpha = 1.0 if len(face) < 4 else face[3]
            alpha = gc.get_alpha() if gc.get_forced_alpha() else alpha
            values["face"] = _hex((*face[:3], alpha))
        width, lined = gc.get_linewidth(), kind in ("path", "markers")
        if kind == "text" or (lined and width):
            values["color"] = _hex(gc.get_rgb())
        if lined and width:
            values["width"] = float(width)
            if gc.get_dashes()[1] is not None:
                values["dashes"] = numbers(np.hstack(gc.get_dashes()))
            cap, join = str(gc.get_capstyle()), str(gc.get_joinstyle())
            values["cap"] = None if cap == "butt" else cap
            values["join"] = None if join == "round" else join
        if lined and gc.get_hatch():
            values["hatch"] = gc.get_hatch()
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

    def draw_path(self, gc, path, transform, rgbFace=None):
        """Note a path, or one marker of a scattered collection."""
        points = transform.transform(path.vertices)
        if path.codes is not None:
            points = points[path.codes != CLOSE]
        if not len(points):
            return
        if self.offset is not None:
            where = np.array([self.offset])
            kind, shape = "markers", points
        else:
            kind, where, shape = "path", points, None
            artist = self.stack[-1]
            if isinstance(artist, LAYOUT) or None in self._frames(artist):
                shape = points
        codes = _codes(path)
        self._note(kind, where, gc, rgbFace, shape, codes=codes, n=len(points))

    def draw_markers(
        self, gc, marker_path, marker_trans, path, trans, rgbFace=None
    ):
        """Note the markers of a line, or a collection drawn as such."""
        points = trans.transform(path.vertices)
        shape = marker_trans.transform(marker_path.vertices)
        if not points.any():  # a path of its own without an offset
            self.draw_path(gc, marker_path, marker_trans, rgbFace)
        else:
            if marker_path.codes is not None:
                shape = shape[marker_path.codes != CLOSE]
            codes = _codes(marker_path)
            self._note("markers", points, gc, rgbFace, shape, codes=codes)

    def draw_path_collection(self, *args, **kwargs):
        """Note the paths one by one, as markers where they have offsets."""
        offsets, offset_trans = args[4:6]
        self.scattered = bool(np.any(offset_trans.transform(offsets)))
        try:
            super().draw_path_collection(*args, **kwargs)
        finally:
            self.offset = None

    def _iter_collection(self, *args, **kwargs):
        for x, y, *rest in super()._iter_collection(*args, **kwargs):
            self.offset = (x, y) if self.scattered else None
            yield x, y, *rest

    def draw_quad_mesh(
        self, gc, master, width, height, coordinates, offsets, offset_trans,
        facecolors, antialiased, edgecolors,
    ):  # fmt: skip
        """Note the corners and colours of a mesh."""
        points = master.transform(np.reshape(coordinates, (-1, 2)))
        edges = _together([_hex(c) for c in edgecolors] or [None])
        faces = _together([_hex(color) for color in facecolors])
        self._note("path", points, gc, faces=faces, edges=edges)

    def draw_gouraud_triangles(self, gc, points, colors, transform):
        """Note the corners and colours of shaded triangles."""
        points = transform.transform(np.reshape(points, (-1, 2)))
        colors = np.reshape(colors, (-1, 4))
        faces = _together([_hex(color) for color in colors])
        self._note("path", points, gc, faces=faces)

    def draw_image(self, gc, x, y, im, transform=None):
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

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        """Note a text, its font and its place."""
        font = [*prop.get_family(), prop.get_style(), prop.get_weight()]
        values = {"text": s, "size": prop.get_size_in_points()}
        values["font"] = None if font == FONT else " ".join(map(str, font))
        values["angle"] = angle or None
        if mtext is not None:
            values["align"] = f"{mtext.get_ha()} {mtext.get_va()}"
        self._note("text", np.array([[x, y]]), gc, **values)

    draw_tex = draw_text

    def stop_filter(self, filter_func):
        """Note that the artist's pixels are filtered."""
        self._note("filter", np.zeros((1, 2)), self.new_gc())

    def _frames(self, artist, offsets=False):
        """Return per dimension what positions are measured in, or None.

        None means pixels: what moves with the size of texts, such as a
        legend or an arrow to one, is compared less closely.
        """
        get = artist.get_transform
        if offsets and hasattr(artist, "get_offset_transform"):
            get = artist.get_offset_transform
        if hasattr(artist, "get_data_transform"):  # a patch
            get = artist.get_data_transform
        transform, axes, found = get(), self.names[artist][1], [None, None]
        test = getattr(transform, "contains_branch_separately", None)
        test = test or transform.contains_branch_seperately
        frames = [axes.transData, axes.transAxes] if axes else []
        for frame in [*frames, self.figure.transFigure]:
            for i, inside in enumerate(test(frame)):
                found[i] = found[i] or (frame if inside else None)
        return found

    def _places(self, frames, points):
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

    def entries(self):
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

    def _entry(self, kind, notes):
        """Return what marks of one kind have in common, and their list."""
        owner, frames = notes[0][0], [None, None]
        points = np.concatenate([points for _, points, _ in notes])
        if kind == "text":
            near = points / self.figure.bbox.size
            entry = {"near": near.round(3).tolist()}
        else:
            if kind != "image" and not isinstance(owner, LAYOUT):
                frames = self._frames(owner, kind == "markers")
            entry = self._places(frames, points)
        for key in {key: 0 for _, _, values in notes for key in values}:
            value = _together([values.get(key) for _, _, values in notes])
            if value is not None and (key != "n" or len(notes) > 1):
                entry[key] = value
        return entry

    def _extras(self, artist):
        """Return the numbers an artist stands for, beside how it is drawn."""
        extras = {}
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
            point = artist.get_unitless_position()
            point = artist.get_transform().transform([point])
            extras = self._places(self._frames(artist), point)
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
                extras["cmap"] = [_hex(cmap(step)) for step in steps]
                table = cmap(np.linspace(0, 1, 256))
                extras["cmap_table"] = numbers(table)["sums"]
        return extras
