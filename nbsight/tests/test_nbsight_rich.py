"""HTML, plots of other libraries and widgets: what a reader sees of them.

The outputs were recorded from plotly 6.9, altair 6.3, bokeh 3.9, pandas 3.0
and ipywidgets 8.1, and shortened by hand.
"""

import base64
import json
import struct
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbsight.compare import output_differences
from nbsight.execute import execute
from nbsight.widgets import STATE, WIDGET, States, states

from nbsight import MIME

DISPLAYED = "d6ef0eeb-3128-40be-a627-49d4e48a0662"
ANOTHER = "0a1f66c2-9b11-4c55-8a3e-77d0b1c2d3e4"
SET = "39744dd056d68b2241fead2b622b9e2b"


STATELESS = States({}, {})


def differences(stored, now, mime="text/html", both=STATELESS):
    """Compare two outputs that hold such data."""
    pair = ([new_output("display_data", {mime: x})] for x in (stored, now))
    return output_differences(*pair, states=both)


def packed(*values):
    """Return numbers in 8 bytes each, as base 64."""
    return base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()


PLOTLY = {
    "data": [
        {"name": "s", "x": {"dtype": "f8", "bdata": packed(0, 0.5, 1)}},
        {"type": "heatmap", "z": {"dtype": "f8", "shape": "2, 2"}},
    ],
    "layout": {"title": {"text": "loss"}, "width": 300, "font": {"size": 1.5}},
}
PLOTLY["data"][0] |= {"y": [1e-17, 2.3, None], "line": {"color": "#636efa"}}
PLOTLY["data"][1]["z"]["bdata"] = packed(1, 2, 3, 4)
PLOTLY_HTML = f"""<div>            <div id="{DISPLAYED}" style="width:100%">
</div><script>if (document.getElementById("{DISPLAYED}")) {{ Plotly.newPlot(
"{DISPLAYED}", {json.dumps(PLOTLY["data"])}, {json.dumps(PLOTLY["layout"])},
{{"responsive": true}} ) }};</script></div>"""

ALTAIR_HTML = f"""
<style>
  #altair-viz-da5d5b805f6e48db8f7c777f6e764a83.vega-embed {{ width: 100%; }}
</style>
<div id="altair-viz-da5d5b805f6e48db8f7c777f6e764a83"></div>
<script type="text/javascript">
  (function(spec, embedOpt){{
    if (outputDiv.id !== "altair-viz-da5d5b805f6e48db8f7c777f6e764a83") {{
      const paths = {{"vega": "https://cdn.jsdelivr.net/npm/vega@6?noext"}};
    }}
  }})({{"data": {{"name": "data-{SET}"}}, "mark": {{"type": "line"}},
  "datasets": {{"data-{SET}": [{{"x": 0.0, "y": 1e-17}}, {{"x": 0.75,
  "y": 0.68}}]}}}}, {{"mode": "vega-lite"}});
</script>"""
ALTAIR = json.loads(ALTAIR_HTML.partition("})(")[2].partition(', {"mode')[0])

BOKEH = f"""(function(root) {{
  const docs_json = {{"9fa24914-2722-43a6-b664-400557f01551":{{"roots":[
  {{"type":"object","name":"Figure","id":"p1008","attributes":{{"title":"t",
  "line_color":"#1f77b4","left":{{"type":"number","value":"nan"}},"data":
  {{"type":"map","entries":[["y",{{"type":"ndarray","array":{{"type":"bytes",
  "data":"H4sIAAEAAAAA/2NggADe/v1if84/te/O1Zld9fq9/crHFw79fPrCPvrqtlwLgUP2"
  ,"shape":[5],"dtype":"float64","order":"little"}}]]}}}}}}]}}}};
  const render_items = [{{"docid":"9fa24914-2722-43a6-b664-400557f01551",
  "roots":{{"p1008":"{DISPLAYED}"}}}}];
}})(window);"""
SINES = "H4sIAAEAAAAA/2NggADe/v1if84/te/O1Zld9fq9/crHFw79fPrCPvrqtlwL"
BOKEH = BOKEH.replace(f'{SINES}gUP2"', f'{SINES}gUP2APDitzIoAAAA"}}')

FRAME = """<div>
<style scoped>
    .dataframe thead th { text-align: right; }
</style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;">
      <th></th>
      <th>price</th>
      <th>name</th>
    </tr>
  </thead>
  <tbody>
    <tr>
      <th>0</th>
      <td>1.000000e-01</td>
      <td>a &lt; b</td>
    </tr>
    <tr>
      <th>1</th>
      <td>1.000000e-17</td>
      <td rowspan="2">b</td>
    </tr>
  </tbody>
</table>
<p>2 rows and 2 columns</p>
</div>"""
COLUMN = """<table><tr><th>price</th></tr><tr><td>1.0e+03</td></tr>
<tr><td>1.1e-13</td></tr></table>"""
LEVELS = """<table><thead><tr><th></th><th colspan=2>both</th></tr>
<tr><th></th><th>a</th><th>b</th></tr>
<tr><th>at</th><th>price</th><th>price</th></tr></thead>
<tr><th>0</th><td>1.5</td><td>2.5</td></tr></table>"""
STYLED = """<style type="text/css">
#T_dde24_row0_col0, #T_dde24_row1_col1 { background-color: yellow; }
</style>
<table id="T_dde24">
  <thead><tr><th class="blank level0" >&nbsp;</th>
      <th id="T_dde24_level0_col0" class="col_heading" >price</th></tr></thead>
  <tbody>
    <tr><th id="T_dde24_level0_row0" class="row_heading" >0</th>
      <td id="T_dde24_row0_col0" class="data row0 col0" >0.10</td></tr>
    <tr><th id="T_dde24_level0_row1" class="row_heading" >1</th>
      <td id="T_dde24_row1_col1" class="data row1 col0" >0.20</td></tr>
  </tbody>
</table>"""


@pytest.mark.parametrize(
    ("mime", "stored", "replaced"),
    [
        ("text/html", PLOTLY_HTML, {DISPLAYED: ANOTHER}),
        (
            "text/html",
            ALTAIR_HTML,
            {"da5d5b805f6e48db8f7c777f6e764a83": "0" * 32},
        ),
        ("application/javascript", BOKEH, {"9fa24914": "aaaaaaaa"}),
        ("application/javascript", BOKEH, {DISPLAYED: ANOTHER}),
        ("application/vnd.bokehjs_load.v0+json", BOKEH, {DISPLAYED: ANOTHER}),
        ("text/html", STYLED, {"T_dde24": "T_01f7a"}),
        ("text/html", STYLED, {"T_dde24": "T_abcde"}),
        ("text/html", f'<p id="{SET}"><p for="{SET}">', {SET: "f" * 32}),
        ("text/html", f"<img id='_anim_img{SET}'>", {SET: "f" * 32}),
        # Noise, in a list, among records and in a column of a table.
        ("text/html", PLOTLY_HTML, {"1e-17": "-3e-17"}),
        ("text/html", ALTAIR_HTML, {"1e-17": "-3e-17"}),
        ("text/html", FRAME, {"1.000000e-17": "3.000000e-17"}),
        ("text/html", COLUMN, {"1.1e-13": "-2.0e-13"}),
        (
            "text/html",
            PLOTLY_HTML,
            {"2.3": "2.30000001"},
        ),
        # The order of attributes and space between a table's cells.
        (
            "text/html",
            FRAME,
            {'border="1" class="dataframe"': "class=dataframe border=1"},
        ),
        ("text/html", FRAME, {"    <tr>\n      <th>": "<tr><th>"}),
    ],
)
def test_what_is_only_a_name_or_noise_is_no_difference(mime, stored, replaced):
    now = stored
    for old, new in replaced.items():
        assert old in now
        now = now.replace(old, new)
    assert differences(stored, now, mime) == []
    assert differences(now, stored, mime) == []


# In HTML, what is replaced by what, and what the report has to say.
FAULTS = {
    LEVELS: """
<td>1.5 => <td>1.7 -> table row 1, column "a price": stored 1.5, now 1.7
<td>2.5 => <td>2.7 -> table row 1, column "b price": stored 2.5, now 2.7
""",
    FRAME: """
1.000000e-01 => 2.000000e-01 -> row 1, column "price": stored 1.000000e-01
<td>a => <td>c -> table row 1, column "name": stored "a < b", now "c < b"
price => cost -> table header, column 2: stored "price", now "cost"
span="2" => span="3" -> table row 2, column "name": stored "<td rowspan
<td>1.000000e-17</td> =>  -> table row 2: stored 3 cells, now 2
  </tbody> => <tr><td>1</tbody> -> table: stored 2 rows, now 3
2 rows => 3 rows -> text/html: stored 2, now 3
border="1" => border="2" -> text/html: stored "<table border
align: right; } => align: left; } -> style line 2: stored
<p>2 rows and 2 columns</p> =>  -> stored "<p>", now "</div>"
</div> => <!-- -> stored
""",
    STYLED: """
0.20 => 0.30 -> table row 2, column "price": stored 0.20, now 0.30
#T_dde24_row0_col0, => #T_dde24_level0_row0, -> style line 2
yellow => red -> style line 2
""",
    PLOTLY_HTML: f"""
2.3 => 2.4 -> [0].y[1]: stored 2.3, now 2.4
Plotly.newPlot => Plotly.react -> Plotly.react
getElementById("{DISPLAYED}") => getElementById("{ANOTHER}") -> script line
""",
    ALTAIR_HTML: """
0.68 => 0.69 -> datasets.data-3974[1].y: stored 0.68, now 0.69
"line" => "point" -> mark.type: stored "line"
""",
    f"<iframe srcdoc='{LEVELS}'></iframe>": """
<td>1.5 => <td>1.7 -> table row 1, column "a price": stored 1.5, now 1.7
""",
    "<script>map({center: [45.5, 1]})</script>": """
45.5 => 45.6 -> script: stored 45.5, now 45.6
""",
    f"<b>{SET}</b>": f"\n{SET} => {SET[::-1]} -> stored\n",
    f"<img src='{SET}.png'>": f"\n{SET} => {SET[::-1]} -> stored\n",
    "<p id='intro'>": "\nintro => outro -> stored\n",
}


@pytest.mark.parametrize(
    ("stored", "fault"),
    [(h, row) for h in FAULTS for row in FAULTS[h].split("\n")[1:-1]],
)
def test_a_fault_in_html_is_seen_and_placed(stored, fault):
    change, said = fault.split(" -> ")
    old, new = change.split(" => ")
    assert old in stored
    now = stored.replace(old, new, 1)
    found = differences(stored, now)
    assert any(said in line for line in found), found
    assert differences(now, stored)


def test_the_numbers_of_a_table_are_told_one_by_one():
    now = FRAME.replace("1.000000e-01", "0.5").replace("1.000000e-17", "0.7")
    assert len(differences(FRAME, now)) == 2


def test_an_address_counts_only_where_nothing_else_is_shown():
    old, new = "<Map at 0x7f689d4cef50>", "<Map at 0x7f67a8e80a90>"
    assert differences(old, new, "text/plain")
    shown = [{"text/plain": x, "text/html": "<p>"} for x in (old, new)]
    pair = ([new_output("display_data", x)] for x in shown)
    assert output_differences(*pair) == []


def changed(value, *path):
    """Return a copy of a plot's data with a value at a path."""
    copy = json.loads(json.dumps(PLOTLY))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return copy


X = {"dtype": "f8", "bdata": packed(0, 0.625, 1)}
Z, FIVE = ("data", 1, "z"), packed(1, 2, 3, 5)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (changed(2.4, "data", 0, "y", 1), "data[0].y[1]: stored 2.3, now 2.4"),
        (changed(0, "data", 0, "y", 2), "data[0].y[2]: stored null, now 0"),
        (changed(X, "data", 0, "x"), "data[0].x[1]: stored 0.5, now 0.625"),
        (changed("4", *Z, "shape"), "data[1].z: stored [[1.0, 2.0], [3.0"),
        (changed(FIVE, *Z, "bdata"), "data[1].z[1][1]: stored 4.0, now 5.0"),
        (changed("#0", "data", 0, "line", "color"), "data[0].line.color"),
        (changed(301, "layout", "width"), "layout.width: stored 300, now 301"),
        (changed("L", "layout", "title"), "layout.title: stored {"),
        (changed(PLOTLY["data"][::-1], "data"), "data[0].name"),
        (changed(1, "layout", "height"), "layout.height: stored nothing, now"),
        # The same in another form, as older plotly and JSON's writers have.
        (changed([0, 0.5, 1], "data", 0, "x"), None),
        (changed([[1, 2], [3, 4]], "data", 1, "z"), None),
        (changed(300.0, "layout", "width"), None),
        (changed(1.500001, "layout", "font", "size"), None),
    ],
)
def test_plotly_is_compared_by_its_data(now, said):
    found = differences(PLOTLY, now, "application/vnd.plotly.v1+json")
    assert said in found[0] if said else found == []


def test_altair_is_compared_by_its_data_whose_name_follows_them():
    text = json.dumps(ALTAIR).replace(SET, "f" * 32)
    mime = "application/vnd.vegalite.v5+json"
    assert differences(ALTAIR, json.loads(text), mime) == []
    now = json.loads(text.replace("0.68", "0.69"))
    (line,) = differences(ALTAIR, now, mime)
    assert line == "datasets.data-3974[1].y: stored 0.68, now 0.69"


def test_bokeh_is_compared_by_its_data():
    script = "application/javascript"
    now = BOKEH.replace('"title":"t"', '"title":"u"')
    (line,) = differences(BOKEH, now, script)
    assert '.attributes.title: stored "t", now "u"' in line
    start = BOKEH.index('"H4s')
    array = f'"{packed(0, 0.68, 1, 0.78, 0.14)}"'
    now = BOKEH[:start] + array + BOKEH[BOKEH.index("}", start) :]
    (line,) = differences(BOKEH, now, script)
    assert "data.entries[0][1][1]: stored 0.6816387600233341, now 0.68" in line
    now = BOKEH.replace(DISPLAYED, ANOTHER).replace("#1f77b4", "#1f77b5")
    (line,) = differences(BOKEH, now, script)
    assert ".attributes.line_color" in line


def notebook(salt, text="k is 2\n", value=2, options=("a", "b")):
    """Return the metadata of a run whose models' ids end with a salt.

    A box shows a slider, an output and itself; the output shows a text and
    a choice, whose layout is the box.
    """
    box, slider, out, choice = (
        f"{name}{salt}" for name in ("box", "slider", "out", "choice")
    )
    inside = [
        new_output("stream", text=text),
        new_output("display_data", {WIDGET: {"model_id": choice}}),
    ]
    children = [f"IPY_MODEL_{name}" for name in (slider, out, box)]
    models = {
        box: {"_model_name": "VBoxModel", "children": children},
        slider: {"description": "k", "value": value, "_view_count": salt},
        out: {"_model_name": "OutputModel", "outputs": inside},
        choice: {"_options_labels": [*options], "layout": f"IPY_MODEL_{box}"},
    }
    state = {name: {"state": model} for name, model in models.items()}
    return {"widgets": {STATE: {"state": state}}}


def views(stored, now):
    """Compare the view of the box in two runs."""
    pair = [{"model_id": "box1"}, {"model_id": "box2"}]
    return differences(*pair, WIDGET, states(stored, now))


def test_a_widget_whose_models_have_new_ids_is_the_same():
    assert views(notebook(1), notebook(2)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"text": "k is 3\n"},
            "widget.children[1].outputs: output 1 (stdout)",
        ),
        ({"value": 3}, "widget.children[0].value: stored 2, now 3"),
        ({"options": ("a", "c")}, '._options_labels[1]: stored "b", now "c"'),
    ],
)
def test_what_a_widget_shows_is_compared(change, said):
    found = views(notebook(1), notebook(2, **change))
    assert any(said in line for line in found), found


def test_without_a_stored_state_outputs_inside_cannot_be_compared():
    (line,) = views({}, notebook(2))
    assert line == (
        "the widget's state is not stored, so what its Output shows cannot "
        "be compared"
    )
    empty = json.loads(json.dumps(notebook(2)))
    empty["widgets"][STATE]["state"]["out2"]["state"]["outputs"] = []
    assert views({}, empty) == []
    assert views(notebook(1), {}) == [
        "the widget's state is stored, now missing"
    ]


# As a library of widgets speaks with Jupyter, and a figure.
SHOWN = """
import matplotlib.pyplot as plt
from comm import create_comm
state = {"_model_name": "LabelModel", "value": "loss 0.25"}
state |= {"_model_module": "labels", "_model_module_version": "1"}
comm = create_comm(target_name="jupyter.widget", data={"state": state})
view = {"model_id": comm.comm_id}
display({"application/vnd.jupyter.widget-view+json": view}, raw=True)
plt.plot([1, 2]);
"""


def written(folder, **metadata):
    """Return a notebook that was executed in a folder, and its path."""
    nb = new_notebook(cells=[new_code_cell(SHOWN, id="shown")])
    nb.metadata.update(metadata)
    execute(nb, folder)
    nb.cells[0].execution_count = 1
    return nb, folder / "shown.ipynb"


def test_the_check_compares_the_widgets_of_a_notebook(tmp_path):
    nb, path = written(tmp_path)
    check = [sys.executable, "-m", "pytest", "--nbval", path.name]
    for value, code in (("loss 0.25", 0), ("loss 0.35", 1)):
        for model in nb.metadata["widgets"][STATE]["state"].values():
            model["state"]["value"] = value
        nbformat.write(nb, path)
        done = subprocess.run(check, cwd=tmp_path, capture_output=True)
        said = done.stdout.decode()
        assert done.returncode == code, said
    assert "widget.value: stored 0.35, now 0.25" in said


def test_a_kernel_of_another_language_is_sent_no_python(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    spec = {"display_name": "other", "language": "other"}
    spec["argv"] = [sys.executable, "-m", "ipykernel", "-f"]
    spec["argv"].append("{connection_file}")
    folder = tmp_path / "kernels" / "other"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    other = {"name": "other", "display_name": "other"}
    for metadata, described in (({}, True), ({"kernelspec": other}, False)):
        nb, _ = written(tmp_path, **metadata)
        assert (MIME in nb.cells[0].outputs[-1].data) is described
