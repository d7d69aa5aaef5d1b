"""Numbers in texts and JSON, and what else is an output."""

import pytest
from nbformat.v4 import new_output
from nbsight.compare import output_differences
from nbsight.execute import joined
from nbsight.widgets import WIDGET


def differences(*pair):
    """Compare two outputs that hold such data."""
    return output_differences(
        *([new_output("display_data", data)] for data in pair)
    )


def test_a_widget_is_compared_by_its_text_and_must_not_vanish():
    first, second = ({WIDGET: {"model_id": model}} for model in ("1f", "2e"))
    four, five = {"text/plain": "w = 4"}, {"text/plain": "w = 5"}
    assert differences(four | first, four | second) == []
    assert differences(four, four | second) == []
    assert differences(four | first, five | first)
    assert differences(four | first, four)


@pytest.mark.parametrize(
    ("stored", "now", "said"),
    [
        ({"a": [1.0, 2]}, {"a": [1.000001, 2]}, None),
        ({"a": [1.0, 2]}, {"a": [1.0, 3]}, "a[1]: stored 2, now 3"),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, "a: stored [1.0], now [1.0, 2.0]"),
        ({"a": 1}, {"b": 1}, "a: stored 1, now nothing"),
        ({"a": True}, {"a": 1}, "a: stored true, now 1"),
        ({"a": [True]}, {"a": [1]}, "a[0]: stored true, now 1"),
        ({"a": 1}, {"a": 1.0}, None),  # as JavaScript writes it
        ({"a": 1e-6}, {"a": 2e-6}, "a: stored 1e-06, now 2e-06"),
        ({"a": 0.00012}, {"a": 0.00013}, "a: stored 0.00012, now 0.00013"),
        ({"a": 1e-6}, {"a": 1.00001e-6}, None),
        ({"a": [[1.0], [1e-17]]}, {"a": [[1.0], [-3e-17]]}, None),
        ({"a": [1e6, 1e-10]}, {"a": [1e6, -1e-10]}, None),
        ({"a": [1.0, 1e-10]}, {"a": [1.0, -1e-10]}, "a[1]: stored 1e-10"),
        ({"a": [1e-6, 1e-19]}, {"a": [1e-6, 2e-19]}, "a[1]: stored 1e-19"),
        ({"a": [1.0, None]}, {"a": [1.0, 0.0]}, "a[1]: stored null, now 0.0"),
        ([{"b": 1.0}, {"b": 0.0}], [{"b": 1.0}, {"b": 1e-19}], None),
        ([{"b": 1.0}, {"b": 0.0}], [{"b": 1.0}, {"b": 0.1}], "[1].b: stored"),
        ([1.5] * 20, [1.5] * 21, "stored 20 values, now 21"),
        ([1.5] * 20, [2.5] * 20, "stored 1.5, now 2.5 (and 19 more of its"),
        ('{"a": [1.0, 2]}', '{"a":[1.000001,2]}', None),
        ('{"a": [1.0, 2]}', {"a": [1.0, 3]}, "a[1]: stored 2, now 3"),
    ],
)
def test_numbers_in_json_are_compared(stored, now, said):
    pair = [{"application/json": each} for each in (stored, now)]
    found = differences(*pair)
    assert said in found[0] if said else not found


def test_an_output_without_data_is_a_difference():
    whole, broken = new_output("display_data", {"text/plain": "1"}), {}
    broken.update(whole, data=None)
    for pair in ((whole, broken), (broken, whole), (broken, broken)):
        assert output_differences(*([each] for each in pair))


def test_a_picture_without_data_is_compared_by_the_byte():
    assert differences({"image/png": "iVBO"}, {"image/png": "iVBO"}) == []
    (line,) = differences({"image/png": "iVBO"}, {"image/png": "iVBP"})
    assert line == "image/png: differs, and has no figure data"


def test_a_stream_is_compared_as_it_looks():
    pieces, whole = (
        [new_output("stream", name="stdout", text=text) for text in texts]
        for texts in (("1 %\r", "2 %\n", "1.5\n"), ("2 %\n1.5\n",))
    )
    assert output_differences(joined(pieces), whole) == []
    assert output_differences(joined(pieces[:2]), whole)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_no_finite_number_equals_only_itself(value):
    def outputs(number):
        data = {"application/json": {"x": number}}
        return [{"output_type": "display_data", "data": data, "metadata": {}}]

    assert output_differences(outputs(value), outputs(value)) == []
    assert output_differences(outputs(value), outputs(1.0))
    assert output_differences(outputs(1.0), outputs(value))
