"""Numbers in texts and JSON, and what else is an output."""

import pytest
from nbformat.v4 import new_output
from nbsight.compare import WIDGET, output_differences
from nbsight.execute import joined
from nbsight.texts import DEFAULT, Tolerance, text_differences


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("loss 0.123456", "loss 0.123460"),
        ("loss 2.31, 3 epochs", "loss 2.32, 3 epochs"),
        ("[0.1234567 0.7654321]", "[0.1234571 0.7654324]"),
        ("loss 1.000e-03", "loss 1.001e-03"),
        ("  9.99999", " 10.00000"),
        ("-0.000003", "0.000002"),
        ("mean nan, top inf", "mean nan, top inf"),
        ("at 1.23e999, 2.50001", "at 1.23e999, 2.50002"),
    ],
)
def test_noise_in_a_text_passes(stored, now):
    assert text_differences(stored, now, DEFAULT) == []


@pytest.mark.parametrize(
    ("stored", "now", "said"),
    [
        ("loss 2.3456", "loss 2.3459", "stored 2.3456, now 2.3459"),
        ("loss 0.001234", "loss 0.001334", "stored 0.001234, now 0.001334"),
        ("tensor([1., 2.])", "tensor([1., 3.])", "stored 2., now 3."),
        ("200001 steps", "200002 steps", "stored 200001, now 200002"),
        ("loss 0.50", "loss 0.500", "another format"),
        ("loss 1e-3", "loss 0.001", "another format"),
        ("loss  0.5", "loss 0.5", "another width"),
        ("loss 0.5", "Loss 0.5", 'stored "loss 0.5", now "Loss 0.5"'),
        ("loss nan", "loss 0.5", 'stored "loss nan"'),
        ("loss inf", "loss -inf", 'now "loss -inf"'),
        ("loss 1.23e999", "loss 1.24e999", "stored 1.23e999, now 1.24e999"),
        ("torch 2.5.1", "torch 2.6.1", "2.6.1"),
        ("a\nb 1.234", "a\nb 1.334", "line 2: stored 1.234, now 1.334"),
        ("a\nb", "a\nb\nc", "(2 lines stored, 3 now)"),
        ("1.5 2.5", "1.6 2.6", "stored 1.5, now 1.6 (and 1 more numbers)"),
        (f"{'a' * 99}b", f"{'a' * 99}c", "stored ...aaaaaaaaaaaa"),
    ],
)
def test_a_fault_in_a_text_is_said(stored, now, said):
    (line,) = text_differences(stored, now, DEFAULT)
    assert said in line


def test_a_stated_tolerance_is_used():
    wide = Tolerance(rtol=1e-2, tagged=True)
    assert text_differences("2.3456", "2.3500", wide) == []
    assert text_differences("2.3456", "2.4000", wide)


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
