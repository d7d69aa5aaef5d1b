"""Masks: what libraries print anew each time is covered, and nothing else."""

from collections import Counter

import pytest
from nbsight.masks import MASKS, masked, masked_outputs, usual

import nbsight

HEX = ("4091b30136e54a78ba9e156c16b2dd72", "f9988003d66948f28947a23bda238f1e")
UUIDS = (
    "c2127384-5dad-4965-9405-efb86167de9e",
    "cb0b90be-0507-1e54-9b32-523919e35d78",
)


def pairs(text, *texts):
    """Return a text with each of two values in its place, for some texts."""
    return [tuple(each.format(*v) for v in texts) for each in text]


CHANGES = {
    "addresses": [
        ("<object object at 0x7f3c072e31a0>", "<object object at 0x55d0c0>"),
        ("0x000001F2A4B5C6D0", "0x000001F2A4B5C6D8"),
        ("[<A at 0x10a2b3c40>, 1.5]", "[<A at 0x10a2b3c50>, 1.5]"),
    ],
    "uuids": pairs(
        ["id {}", "UUID('{}')", "run-{}.csv"], [UUIDS[0]], [UUIDS[1]]
    )
    + pairs(["{}", "model_{}"], [HEX[0]], [HEX[1]]),
    "times": [
        (
            "CPU times: user 3 µs, sys: 0 ns, total: 3 µs\nWall time: 1min 2s",
            "CPU times: user 1.2 s, sys: 0 ns, total: 2 s\nWall time: 59.9 s",
        ),
        (
            "1.23 ms ± 45.6 µs per loop (mean ± std. dev. of 7 runs, "
            "1,000 loops each)",
            "The slowest run took 4.54 times longer than the fastest. This "
            "could mean that an intermediate result is being cached.\n"
            "80.6 ns ± 33 ns per loop (mean ± std. dev. of 7 runs, "
            "1 loop each)",
        ),
        (
            "x: 100%|##| 3/3 [00:12<00:00, 4.51it/s, loss=0.5]",
            "x: 100%|##| 3/3 [1:00:12<00:00,  1.51s/it, loss=0.5]",
        ),
        ("0%|  | 0/3 [00:00<?, ?it/s]", "0%|  | 0/3 [00:01<00:07, 1.5it/s]"),
        ("3/3 ━━ 3s 2ms/step - loss: 0.5", "3/3 ━━ 12s 8ms/step - loss: 0.5"),
        ("took 0.1631 sec", "took 1.2 sec"),
        ("in 12s", "in 5min"),
        ("Wed Nov 25 20:10:18 2026", "Thu Nov  5 09:00:00 UTC 2026"),
        ("2026-11-25 20:10:18.057188", "2026-11-25T20:10+01:00"),
        ("2026-11-25 20:10:18,057 INFO", "2026-11-26 20:10:19,001 INFO"),
        ("Timestamp('2026-11-25 20:10:18')", "Timestamp('2026-11-26 00:00')"),
        ("datetime.datetime(2026, 1, 2, 3)", "datetime.datetime(2026, 1, 3)"),
        ("Time: 20:10:18  AIC: 2.1", "Time: 20:10:19  AIC: 2.1"),
        ("Date: Wed, 25 Nov 2026", "Date: Thu, 26 Nov 2026"),
        ("11/25/26 20:10:18", "11/26/26 20:10:18"),
        ("8:10 PM", "12:59 AM"),
        ("0 days 00:00:05.5", "0 days 00:00:06"),
    ],
    "html-ids": [
        *pairs(
            [
                '<td id="T_{}_row0_col1" class="data">1.0</td>',
                "#T_{} th {{ color: red }}",
            ],
            ["61c6a"],
            ["0b1d2"],
        ),
        *pairs(
            [
                '<div id="{}" class="plotly-graph-div"></div>',
                'document.getElementById("{}")',
                "id='section-{}'",
            ],
            [UUIDS[0]],
            [UUIDS[1]],
        ),
        *pairs(
            [
                "#altair-viz-{}.vega-embed {{",
                "<DisplayHandle display_id={}>",
                '<img id="_anim_img{}">',
                '<input id="_anim_radio1_{}">',
                "var anim{} = 1",
                '"IPY_MODEL_{}"',
            ],
            [HEX[0]],
            [HEX[1]],
        ),
        ('data-root-id="p1001"', 'data-root-id="p1040"'),
        ('id="sk-container-id-1"', 'id="sk-container-id-12"'),
    ],
    "paths": [
        ("/tmp/ipykernel_123/456.py:1: W", "/home/me/lib/x.py:1: W"),
        ("PosixPath('/home/me/x.csv')", "PosixPath('/home/you/x.csv')"),
        ("in '/tmp'", "in '/home/me'"),
        ("file:///home/a%20b/c.html", "file:///C:/x.html"),
        ("C:\\Users\\me\\x.py", "/home/me/x.py"),
        ("'C:\\\\Users\\\\x.py'", "'D:\\\\x.py'"),
        ("path=/usr/lib/python3.11/site-packages, 2", "path=/opt/lib, 2"),
    ],
}


@pytest.mark.parametrize(
    ("name", "stored", "now"),
    [(name, *pair) for name in CHANGES for pair in CHANGES[name]],
)
def test_a_mask_covers_its_own_kind_and_no_more(name, stored, now):
    assert masked(stored, [name]) == masked(now, [name])
    for other in ("x 1", "x 1.5 y", "0.25,"):
        nearby = f"{stored} {other}"
        assert masked(nearby, [name]).endswith(f" {other}")
    assert masked(stored, []) == stored != now


@pytest.mark.parametrize(
    "text",
    [
        "12.5 m/s, 3.2 m, 3 x, 0.5 min 0.1 max, 1980s, 2 seconds-order",
        "2026-11-25, 16:9, x[10:20], 1-2-3, v2.5.1, 1e-05, (3, 4), -0.5",
        "0xff00ff 0xdeadbeef #1f77b4 d41d8cd98f00b204e9800998ecf8427e",
        "https://a.org/b/c </td> 1/2 text/plain x/y/z 3//4 <br/>",
        ";base64,/9j/4AAQ T_12345 = 3, p1006, a 'p-1', sk-learn",
    ],
)
def test_what_looks_alike_is_not_covered(text):
    assert masked(text, MASKS) == text


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        (
            "[<matplotlib.lines.Line2D object at 0x7f3c05ee4c10>]",
            "[<matplotlib.lines.Line2D object at 0x7f3c05ee4c50>]",
        ),
        (
            "<matplotlib.legend.Legend at 0x1>",
            "<matplotlib.legend.Legend at 0x2>",
        ),
        (
            "<mpl_toolkits.mplot3d.art3d.Line3D at 0x1>",
            "<mpl_toolkits.mplot3d.art3d.Line3D at 0x2>",
        ),
        (
            "<seaborn.axisgrid.FacetGrid at 0x1>",
            "<seaborn.axisgrid.FacetGrid at 0x2>",
        ),
        (
            "<pandas.io.formats.style.Styler at 0x1>",
            "<pandas.io.formats.style.Styler at 0x2>",
        ),
        ("<contextlib.ExitStack at 0x1>", "<contextlib.ExitStack at 0x2>"),
        ("/tmp/ipykernel_12/345.py:1: W", "/tmp/ipykernel_7/345.py:1: W"),
    ],
)
def test_what_plotting_returns_is_covered_unasked(stored, now):
    assert usual(stored) == usual(now)
    assert usual(f"{stored} 1") != usual(f"{now} 2")


def test_other_addresses_and_files_are_compared_unless_asked():
    for text in ("<object at 0x7f3c05ee>", "/tmp/ipykernel_12/345.py"):
        assert usual(text) != usual(text.replace("5", "6"))


def test_all_texts_of_outputs_are_masked_and_counted():
    address, hits = "<A at 0x7f3c072e31a0>", Counter()
    packed = {"image/png": f"iVBO{address}", nbsight.MIME: [address]}
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": address},
        {"output_type": "error", "ename": "E", "evalue": address},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {
                "text/plain": f"{address} {address}",
                "application/json": {UUIDS[0]: [1.5, address], UUIDS[1]: 2},
                "application/vnd.bokehjs_exec.v0+json": {"id": "p1001"},
                **packed,
            },
        },
    ]
    new = masked_outputs(outputs, MASKS, hits)
    assert new[0]["text"] == new[1]["evalue"] == "<A at <address>>"
    data = new[2]["data"]
    assert data["text/plain"] == "<A at <address>> <A at <address>>"
    assert data["application/json"] == {
        "<html-id>": [1.5, "<A at <address>>"],
        "<html-id> 2": 2,
    }
    assert packed.items() <= data.items()
    assert data["application/vnd.bokehjs_exec.v0+json"] == {"id": "<html-id>"}
    assert hits == {"addresses": 5, "html-ids": 3}
    assert outputs[0]["text"] == address  # what was given stays
