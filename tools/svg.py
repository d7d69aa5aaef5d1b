"""Matplotlib's SVG pictures, with less text that shows the same.

Nothing is drawn anew: texts stay texts, and places keep a hundredth of a
point. What goes is what is said again for each tick, letter and line.
"""

import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter
from xml.sax.saxutils import escape

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
LOOK = "*{stroke-linejoin: round; stroke-linecap: butt}"  # Matplotlib's rule
FONT = "font-family", "font-size"
# What a group hands down to what it holds, and what it may clip at once.
SHARED = {"fill", "fill-opacity", "text-anchor", "font-style", "font-weight"}
SHARED |= {"stroke", "stroke-opacity", "stroke-dasharray", "clip-path", *FONT}
SHARED |= {"stroke-width", "stroke-linecap", "stroke-linejoin"}
ATTRIBUTES = SHARED | {"opacity", "stroke-dashoffset"}
USUAL = {"stroke-dashoffset": "0", "text-anchor": "start"}
ARGUMENTS = {"M": 1, "L": 1, "Q": 2, "C": 3, "z": 0}  # points a command has
LONG = re.compile(r"-?\d+\.\d{3,}")
MARK = re.compile(r"M0 0([hv]-?[\d.]+)")  # as of a tick: no area
PLAIN = re.compile(r"[A-Za-z][A-Za-z -]*")  # a font's name without quotes
HREF = f"{XLINK}href"


def compact(svg):
    """Return an SVG picture with less text that shows the same.

    What it does not know stays as it is, and so does a picture that is
    compact already.

    Args:
        svg: a text as Matplotlib's ``savefig`` writes it.
    """
    root = ET.fromstring(svg)
    if "style" in root.attrib:
        return svg
    for element in list(root.iter()):
        _shorten(element)
    used = set(re.findall(r"#([\w.-]+)", svg))
    shapes = []
    for parent in list(root.iter()):
        for defs in parent.findall(f"{SVG}defs"):
            parent.remove(defs)
            shapes += defs
    root[:] = _flat(root, used, {e.get("id"): e for e in shapes})
    # As a style, so that no page's own rules for pictures come before it.
    root.set("style", f"{_common_font(root)}stroke-linejoin:round")
    _gather(root)
    text = "".join(ET.tostring(e, "unicode") for e in [root, *shapes])
    shapes = [e for e in shapes if f"#{e.get('id', '')}" in text]
    if shapes:
        root.insert(0, ET.Element(f"{SVG}defs"))
        root[0].extend(shapes)
    return _written(root)


def _shorten(element):
    """Turn an element's style into attributes, and shorten all of them."""
    for child in list(element):
        said = child.tag == f"{SVG}style" and (child.text or "").strip()
        if said == LOOK or child.tag == f"{SVG}metadata":
            element.remove(child)
    parts = element.get("style", "").split(";")
    pairs = [part.partition(":") for part in parts if part.strip()]
    style = {key.strip(): value.strip() for key, _, value in pairs}
    if style.keys() <= ATTRIBUTES:
        element.attrib.pop("style", None)
        element.attrib.update(style)
    # Its cells are set on whole points of the screen: any step may be seen.
    exact = element.tag == f"{SVG}image"
    for key, value in list(element.items()):
        if key == "d":
            value = short_path(value)
        elif key == HREF and value.startswith("data:"):
            value = "".join(value.split())
        elif key == "font-family":
            names = [name.strip(" '") for name in value.split(",")]
            if all(map(PLAIN.fullmatch, names)):
                value = ",".join(names)
        elif key == "font-size":
            value = value.removesuffix("px")
        elif key in ("fill", "stroke"):
            value = re.sub(r"^#(.)\1(.)\2(.)\3$", r"#\1\2\3", value)
        elif exact:
            continue
        elif key in ("x", "y", "width", "height", "viewBox") or (
            key == "transform" and "scale" not in value
        ):
            value = LONG.sub(lambda at: _number(_hundredths(at[0])), value)
        if value == USUAL.get(key) or value.startswith("rotate(-0 "):
            del element.attrib[key]
        else:
            element.set(key, value)


def _hundredths(text):
    return round(100 * float(text))


def _number(hundredths):
    text = f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
    return re.sub(r"^(-?)0\.", r"\1.", text)


def short_path(d):
    """Return a path in steps instead of places, in hundredths.

    A step leads from one rounded place to the next, so that nothing adds up.
    A path with other commands than M, L, Q, C and z is left as it is.
    """
    commands = re.findall(r"([A-Za-z])([^A-Za-z]*)", d)
    text, start, at, last = "", [0, 0], [0, 0], ""
    for i, (name, rest) in enumerate(commands):
        points = [_hundredths(word) for word in rest.split()]
        if len(points) != 2 * ARGUMENTS.get(name, -1):
            return d
        letter, steps = name.lower(), points
        closes = commands[i + 1 : i + 2] and commands[i + 1][0] == "z"
        back = closes and points[-2:] == start  # exactly: no crumb of a line
        if name == "L" and back:
            continue
        if name == "M" or back:
            letter = name
            start = points if name == "M" else start
        elif points:
            steps = [x - at[k % 2] for k, x in enumerate(points)]
        if letter == "l" and 0 in steps:
            letter, steps = "hv"[steps[0] == 0], [sum(steps)]
        at = points[-2:] or start
        words = " ".join(map(_number, steps)).replace(" -", "-")
        if letter != last:
            words = letter + words
        elif not words.startswith("-"):
            words = f" {words}"
        text, last = text + words, letter
    return text


def _flat(parent, used, shapes):
    """Return what a group holds, without groups and names that say nothing.

    Args:
        parent: the group.
        used: names that something in the picture refers to.
        shapes: the definitions by their names.
    """
    found = []
    for child in parent:
        name = child.get("id", "")
        if name not in used:
            child.attrib.pop("id", None)
        child[:] = _flat(child, used, shapes)
        if child.tag == f"{SVG}g" and not child.attrib:
            inside = list(child)
            if name.startswith("matplotlib.axis"):
                # Ticks of one axis do not overlap: first all grid lines, then
                # all marks, then all texts, so that equals are neighbours.
                inside.sort(key=_rank)
            found += inside
        elif child.tag == f"{SVG}g" and [*child.keys()] == ["transform"]:
            alone = len(child) == 1 and "transform" not in child[0].attrib
            if alone and "clip-path" not in child[0].attrib:
                child[0].set("transform", child.get("transform"))
                child = child[0]
            found.append(child)
        else:
            found.append(_mark(child, shapes))
    return found


def _rank(element):
    return "clip-path" not in element.attrib, "stroke" not in element.attrib


def _mark(element, shapes):
    """Return the mark of a tick as a path of its own, else the element."""
    shape = shapes.get(element.get(HREF, "")[1:])
    step = MARK.fullmatch(shape.get("d", "")) if shape is not None else None
    if not step or "x" not in element.attrib or "y" not in element.attrib:
        return element
    look = {k: v for k, v in element.items() if k not in ("x", "y", HREF)}
    own = {k: v for k, v in shape.items() if k not in ("d", "id")}
    if not own.items() <= look.items():
        return element
    x, y = (_number(_hundredths(element.get(key))) for key in "xy")
    d = f"M{x} {y}{step[1]}".replace(" -", "-")
    return ET.Element(f"{SVG}path", {**look, "fill": "none", "d": d})


def _common_font(root):
    """Take the usual font out of all texts; return it as a style."""
    texts = [e for e in root.iter() if e.tag in (f"{SVG}text", f"{SVG}tspan")]
    usual = []
    for key in FONT:
        often = Counter(e.get(key) for e in texts if key in e.attrib)
        # The list with the most alternatives stands for its first font, too.
        usual += sorted(often, key=lambda v: (v.count(","), often[v]))[-1:]
    for text in texts:
        text[:] = _joined_letters(text)
        for key, value in zip(FONT, usual, strict=False):
            if text.get(key) in (value, value.split(",")[0]):
                del text.attrib[key]
    return f"font:{usual[1]}px {usual[0]};" if len(usual) == 2 else ""


def _joined_letters(text):
    """Return a formula's pieces, neighbours of one style and height joined."""
    found = []
    for piece in text:
        x, letters = piece.get("x", ""), (piece.text or "").strip()
        one = len(letters) == len(x.split())
        rest = {**piece.attrib, "x": ""}
        if one and found and found[-1][0] == rest:
            before = found[-1][1]
            before.set("x", f"{before.get('x')} {x}")
            before.text += letters
        else:
            found.append((rest if one else None, piece))
    return [piece for _, piece in found]


def _look(element):
    """Return what an element may share with its neighbours, or None."""
    own = {k: v for k, v in element.items() if k in SHARED}
    if "transform" in element.attrib and "clip-path" in own:
        return None
    return own or None


def _gather(parent):
    """Say once what neighbours share; draw lines of one look as one path."""
    found = []
    for look, run in itertools.groupby(parent, _look):
        run = list(run)
        for group in run:
            if group.tag == f"{SVG}g":
                _gather(group)
        if look is None or len(run) == 1:
            found += run
        elif all(_is_line(e, look) for e in run):
            run[0].set("d", "".join(e.get("d") for e in run))
            found.append(run[0])
        else:
            found.append(ET.Element(f"{SVG}g", look))
            found[-1].extend(run)
            for e in run:
                for key in look:
                    del e.attrib[key]
    parent[:] = found


def _is_line(element, look):
    """Tell whether an opaque line, and nothing else, is drawn."""
    plain = element.tag == f"{SVG}path" and {*element.keys()} == {*look, "d"}
    return (
        plain and look.get("fill") == "none" and "stroke-opacity" not in look
    )


def _written(element):
    """Write an element with single quotes, which JSON need not escape."""

    def name(key):
        return key.replace(SVG, "").replace(XLINK, "xlink:")

    quoted = {"'": "&apos;", "\n": "&#10;"}
    parts = [f" {name(k)}='{escape(v, quoted)}'" for k, v in element.items()]
    if element.tag == f"{SVG}svg":
        parts.insert(0, f" xmlns='{SVG[1:-1]}' xmlns:xlink='{XLINK[1:-1]}'")
    text = element.text or ""
    inside = escape(text) if text.strip() else ""
    inside += "".join(map(_written, element))
    end = f">{inside}</{name(element.tag)}>" if inside else "/>"
    return f"<{name(element.tag)}{''.join(parts)}{end}"
