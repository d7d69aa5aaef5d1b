"""Stored data that are damaged or hostile: a line says so, and soon."""

import base64
import copy
import gzip
import json
import random
import time
import zlib

import pytest
from nbsight.compare import output_differences
from nbsight.drawn import figure_differences
from nbsight.widgets import STATE, WIDGET, states

from nbsight import MIME, artists, packed


def shown(data):
    """Return an output, as it stands in a notebook."""
    return {"output_type": "display_data", "data": data, "metadata": {}}


SUMMARY = {"shape": [20, 30], "low": 0, "high": 1.5, "mean": 0.5, "missing": 0}
SUMMARY["sums"] = [0.5, 1, -2, 1.25]
IMAGE = {"values": SUMMARY, "clim": [0, 1.5], "cmap_name": "viridis"}
IMAGE["cmap"] = ["#440154", "#fde725"]
TEXT = {"text": {"near": [[0.5, 0.9]], "text": "title 1.5", "size": 12.0}}
AXES = {"box": [0, 0, 1, 1], "xlim": [0, 5], "xscale": "linear"}
LINE = {"path": {"x": [0, 1.5, 2], "y": [1, "nan", 3], "color": "#1f77b4"}}
FIGURE = {
    "axes[0]": AXES,
    "axes[0].images[0]": IMAGE,
    'axes[0].lines["1.5"]': LINE,
    "axes[0].title": TEXT,
}
STATES = {
    "box": {"_model_name": "VBoxModel", "children": ["IPY_MODEL_out"]},
    "out": {
        "_model_name": "OutputModel",
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": "inside 1.5"}
        ],
        "layout": "IPY_MODEL_box",  # a circle
    },
}
DATA = {
    "text/html": "<table><tr><th>a<tr><td rowspan=2>1.5</table><p id=x>b",
    "text/plain": "1.5",
    "application/json": {
        "y": {"dtype": "f8", "bdata": "AAAAAAAA8D8=", "shape": "1"},
        "z": {
            "type": "ndarray",
            "array": {"type": "bytes", "data": "AAAAAAAA8D8="},
            "dtype": "float64",
            "shape": [1],
        },
        "rows": [{"a": 1, "b": 0.5}, {"a": 2, "b": 1e-17}],
    },
}
RECORD = {
    "outputs": [
        {"output_type": "stream", "name": "stdout", "text": "loss 0.5\n"},
        shown(DATA),
        shown({WIDGET: {"model_id": "box"}}),
    ],
    "metadata": {
        "widgets": {
            STATE: {
                "state": {
                    name: {
                        "state": state,
                        "buffers": [{"path": ["value"], "data": "AAAA"}],
                    }
                    for name, state in STATES.items()
                }
            }
        }
    },
    "figure": FIGURE,
}
DEEP = json.loads("[" * 900 + "]" * 900)
OTHERS = (None, True, -1, 0.5, 1e999, 10**400, "", "x", "[" * 99_999, [], {})
OTHERS += ([None], {"a": 1}, [10**9, "x"], DEEP)


def places(value, depth=20):
    """Yield the containers in a value with their keys."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list) and depth:
            yield from places(value[key], depth - 1)


def damaged(seed):
    """Return the record with something else in one to three places."""
    chosen, record = random.Random(seed), copy.deepcopy(RECORD)
    for _ in range(chosen.randint(1, 3)):
        inside, key = chosen.choice(list(places(record)))
        inside[key] = chosen.choice(OTHERS)
    return record


def compared(old, new):
    """Return all that differs between two records."""
    pair = [each.get("outputs") for each in (old, new)]
    both = states(*(each.get("metadata") for each in (old, new)))
    found = output_differences(*pair, states=both)
    figures = [
        {"size": [4, 3], "dpi": 100, "artists": lines(each.get("figure"))}
        for each in (old, new)
    ]
    return found + figure_differences(*figures)


def lines(figure):
    """Return a figure's data as they are after unpacking."""
    if not isinstance(figure, dict):
        return figure
    return [f"{name}\t{json.dumps(data)}" for name, data in figure.items()]


def test_the_record_as_it_is_has_no_differences():
    assert compared(RECORD, copy.deepcopy(RECORD)) == []


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_damaged_data_give_lines_and_never_an_exception(first):
    for seed in range(first, first + 100):
        other = damaged(seed)
        for pair in ((RECORD, other), (other, RECORD), (other, other)):
            found = compared(*pair)
            assert all(type(line) is str for line in found), seed


def packed_lines(text):
    """Return a figure's data whose lines are this text."""
    content = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return {"size": [4, 3], "dpi": 100, "artists": content}


def test_what_unpacks_to_too_much_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(packed, "LIMIT", 2**20)
    bomb = packed_lines(" " * 2**24 + "[]")
    with pytest.raises(ValueError, match="unpacks to more than 1 MB"):
        artists(bomb)
    (line,) = figure_differences(bomb, packed_lines("[]"))
    assert "the stored figure has no readable data" in line
    assert "unpacks to more than 1 MB" in line
    content = base64.b64encode(gzip.compress(bytes(2**24))).decode()
    array = {"dtype": "uint8", "value": content, "shape": [2**24]}
    one, other = ({"application/json": each} for each in (array, [0] * 9))
    pair = ([shown(each)] for each in (one, other))
    (line,) = output_differences(*pair)
    assert "cannot be read: it unpacks to more than 1 MB" in line


@pytest.mark.parametrize(
    ("array", "said"),
    [
        ({"bdata": "AAAAAAA="}, "5 bytes are no whole number of values of 8"),
        ({"bdata": "AAAAA"}, "cannot be read"),
        ({"bdata": "AAAAAAAA8D8=", "shape": "2, 3"}, "but it holds 1 values"),
        ({"bdata": "AAAAAAAA8D8=", "shape": "a"}, "cannot be read"),
        ({"bdata": "AAAAAAAA8D8=", "shape": [-1, -1]}, "cannot be read"),
    ],
)
def test_a_packed_array_that_is_damaged_is_named(array, said):
    data = [{"y": {"dtype": "f8", **each}} for each in (array, {"bdata": ""})]
    pair = ([shown({"application/json": each})] for each in data)
    (line,) = output_differences(*pair)
    assert line.startswith("y: a packed array") and said in line


@pytest.mark.parametrize("mime", ["application/json", "text/html", MIME])
def test_what_is_nested_too_deep_gives_a_line(mime):
    deep = "[" * 10**5 + "]" * 10**5
    if mime == MIME:
        deep = packed_lines(deep)
    elif mime == "text/html":
        deep = deep.replace("[", "<table><td>").replace("]", "</table>")
    pair = [deep, {**packed_lines("[]")} if mime == MIME else "[]"]
    outputs = ([shown({mime: each})] for each in pair)
    (line,) = output_differences(*outputs)
    assert len(line) < 300
    value = json.loads("[" * 900 + "1" + "]" * 900)
    pair = ([shown({"application/json": x})] for x in (value, [2]))
    assert output_differences(*pair)


def lasts(action):
    """Return how long something takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


LONG = {
    "text/html": ["<!--", "<a", "<a b='\"", "</", "<table><td>", "<td>1.5 "],
    "application/javascript": ['{"', "[1,", '[{"a":', '"{', "[[1],[2]],"],
}


@pytest.mark.parametrize(
    ("mime", "piece"), [(m, p) for m in LONG for p in LONG[m]]
)
def test_many_hostile_characters_take_linear_time(mime, piece):
    text = piece * (3 * 10**5 // len(piece))
    pair = ([shown({mime: text + x})] for x in "ab")
    assert lasts(lambda: output_differences(*pair)) < 60  # not hours


def test_many_names_take_linear_time():
    old, new = (
        [f'axes[0].lines["{label}{i}.5"]\t{{}}' for i in range(3 * 10**4)]
        for label in "ab"
    )
    figures = ({"size": [4, 3], "dpi": 100, "artists": x} for x in (old, new))
    assert lasts(lambda: figure_differences(*figures)) < 60  # not hours
