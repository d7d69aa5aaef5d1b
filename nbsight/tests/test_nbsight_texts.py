"""Printed texts: which change is seen, which noise passes, in which time."""

import time

import pytest
from nbsight.masks import MASKS, masked, usual
from nbsight.texts import DEFAULT, Tolerance, close, text_differences

NOISE = [
    ("loss 0.123456", "loss 0.123460"),
    ("loss 2.31, 3 epochs", "loss 2.32, 3 epochs"),
    ("[0.1234567 0.7654321]", "[0.1234571 0.7654324]"),
    ("loss 1.000e-03", "loss 1.001e-03"),
    ("lr 1.000e-05", "lr 1.001e-05"),
    ("  9.99999", " 10.00000"),
    ("mean nan, top inf", "mean nan, top inf"),
    ("at 1.23e999, 2.50001", "at 1.23e999, 2.50002"),
    ("1,234.5 rows", "1,234.6 rows"),
    # Rounding noise around zero, whatever its sign and form.
    ("1.2e-17", "-3e-17"),
    ("sum 0.0", "sum 1.1102230246251565e-16"),
    ("[1.5, -2e-16]", "[1.5, 0.0]"),
    ("[1.e+00 2.e-16]", "[ 1.e+00 -1.e-16]"),
    ("[100. 1.e-13]", "[100. 3.e-14]"),
    ("[1. 0.]", "[1.00000000e+00 1.11022302e-16]"),
    ("[[ 1. -0.]\n [ 0.  1.]]", "[[1. 0.]\n [0. 1.]]"),
    ("[1.+0.j 2.-3.e-17j]", "[1.-0.j 2.+1.e-17j]"),
    ("   a   b\n0 1.0 1e-17", "    a    b\n0 1.0 -1e-17"),
    (
        "     a    b\n0  1.0  1.5\n1  0.0  2.5",
        "              a    b\n0  1.000000e+00  1.5\n1  1.110223e-16  2.5",
    ),
    (
        "[1.e+00 1.e-16 1.e+00\n 1.e+00]",
        "[ 1.e+00 -1.e-16\n  1.e+00  1.e+00]",
    ),
    # The same in arrays that say that they are of 32-bit floats.
    ("tensor([1.0000e+00, -2.9802e-08])", "tensor([1.0000e+00, 5.9605e-08])"),
    ("[tensor([1., 2.98e-08]), 3]", "[tensor([1., 5.96e-08]), 3]"),
    (
        "tensor([1.0000, 0.0000], grad_fn=<AddBackward0>)",
        "tensor([1.0000e+00, 2.9802e-08], grad_fn=<AddBackward0>)",
    ),
    (
        "tensor([146.3437, 0.0053, 0.0000], dtype=torch.float64)",
        "tensor([1.4634e+02, 5.2776e-03, 2.8e-17], dtype=torch.float64)",
    ),
    (
        "Array([1.e+00, 1.e-08], dtype=float32)",
        "Array([ 1.e+00, -1.e-08], dtype=float32)",
    ),
    (
        "tf.Tensor([1.e+00 1.e-08], shape=(2,), dtype=float32)",
        "tf.Tensor([1.e+00 3.e-08], shape=(2,), dtype=float32)",
    ),
    (
        "[1.e+00 1.e-08]\n<NDArray 2 @cpu(0)>",
        "[1.e+00 3.e-08]\n<NDArray 2 @cpu(0)>",
    ),
    # Numbers printed in full have as many digits as they need.
    ("0.3", "0.30000000000000004"),
    ("[1.0, 5e-324]", "[0.9999999999999999, 5e-324]"),
    ("lr 9.999999999999999e-06", "lr 1e-05"),
    ("loss 2.302585124969482", "loss 2.3025848865509033"),
    (
        "array([0.1234567, 0.5      ], dtype=float32)",
        "array([0.12345673, 0.5       ], dtype=float32)",
    ),
]


@pytest.mark.parametrize(("stored", "now"), NOISE)
def test_noise_in_a_text_passes(stored, now):
    assert text_differences(stored, now, DEFAULT) == []
    assert text_differences(now, stored, DEFAULT) == []


SEEN = [
    ("loss 2.3456", "loss 2.3459"),
    ("loss 0.001234", "loss 0.001334"),
    ("[1., 2.]", "[1., 3.]"),
    ("200001 steps", "200002 steps"),
    ("{'lr': 1e-05}", "{'lr': 2e-05}"),
    ("p = 3e-08", "p = 9e-06"),
    ("x = -5e-06", "x = 5e-06"),
    ("0.00012", "0.00013"),
    ("0.000010", "0.000000"),
    ("-0.000003", "0.000002"),
    ("1.6e-19 C", "1.7e-19 C"),
    ("p 1e-20", "p 0.0"),
    ("1e-999", "2e-999"),
    ("3e-08+2e-09j", "3e-08+4e-09j"),
    ("1e-05s", "2e-05s"),
    ("1,234.5", "1,234.9"),
    ("-0.00", "0.00"),
    ("-0", "0"),
    ("[-0.]", "[0.]"),
    ("mean -0.00, std 1.00", "mean 0.00, std 1.00"),
    ("[1.0, 3e-08]", "[1.0, 9e-08]"),
    ("a      b\nx  1e-05", "a      b\nx  2e-05"),
    ("[[1.e+00 1.e-06]\n [1.e+00 1.e+00]]", "[[1.e+00 2.e-06]\n [1. 1.]]"),
    ("[1.e+09 1.e-06]", "[1.e+09 2.e-06]"),
    ("tensor([1.0000e-06])", "tensor([9.0000e-06])"),
    ("tensor([1.0000e-07])", "tensor([3.0000e-07])"),
    ("tensor([1.0000e+00, 2.0e-06])", "tensor([1.0000e+00, 3.0e-06])"),
    ("tensor([1.0000e+02, 2.0e-06])", "tensor([1.0000e+02, 3.0e-06])"),
    ("tensor([1.0000e+00, 4.2e-18])", "tensor([1.0000e+00, 9.2e-18])"),
    (
        "tensor([1., 1.e-08], dtype=torch.float64)",
        "tensor([1., 3.e-08], dtype=torch.float64)",
    ),
    (
        "(tensor([1.]), tensor([1.0000e-07]))",
        "(tensor([1.]), tensor([3.0000e-07]))",
    ),
    ("[1.0, 1e-16, 0.5]", "[1.0, 2e-16, 0.6]"),
    ("1e-16 0.50", "2e-16 0.5"),
    ("0.3", "0.30000412345678901"),
    ("[0.12345678, 1.]", "[0.1, 1.]"),
    ("[0.30041234, 1.]", "[0.3, 1.]"),
    ("[0.50001, 1.25]", "[0.5, 1.25]"),
    (f"1.00e-{'0' * 5000}5", f"1.00e-{'0' * 5000}6"),
    ("[0.5 0. ]", "[5.9e-01 1.0e-17]"),
    ("#100e10", "#100e11"),
    ("colour #00e100", "colour #00e200"),
    ("5f00e1 in git", "6f00e1 in git"),
    ("0x7f3a10", "0x7f3a11"),
]


@pytest.mark.parametrize(("stored", "now"), SEEN)
def test_a_change_is_seen_in_both_directions(stored, now):
    assert text_differences(stored, now, DEFAULT)
    assert text_differences(now, stored, DEFAULT)


@pytest.mark.parametrize(
    ("stored", "now", "said"),
    [
        ("loss 2.3456", "loss 2.3459", "stored 2.3456, now 2.3459"),
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
        ("1.234\nb\nd", "1.235\nc\nb\nd", 'line 2: stored "", now "c" (3'),
        ("1.5 2.5", "1.6 2.6", "stored 1.5, now 1.6 (and 1 more numbers)"),
        (f"{'a' * 99}b", f"{'a' * 99}c", "stored ...aaaaaaaaaaaa"),
    ],
)
def test_a_fault_in_a_text_is_said(stored, now, said):
    (line,) = text_differences(stored, now, DEFAULT)
    assert said in line


def test_a_stated_tolerance_holds_for_small_numbers_too():
    wide = Tolerance(rtol=1e-2, tagged=True)
    assert text_differences("2.3456", "2.3500", wide) == []
    assert text_differences("2.3456", "2.4000", wide)
    stated = Tolerance(atol=1e-5, tagged=True)
    assert text_differences("-5e-06, -0.00", "4e-06, 0.00", stated) == []
    assert text_differences("-5e-06", "6e-06", stated)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1.0, 1.000001, True),
        (1e-5, 2e-5, False),
        (1e-5, 1.00001e-5, True),
        (1e-16, -1e-16, True),
        (0.0, -0.0, True),
        (float("inf"), float("inf"), True),
        (float("inf"), 1.0, False),
        (1.0, float("nan"), False),
    ],
)
def test_floats_are_compared_by_the_same_rule(old, new, same):
    assert close(old, new, DEFAULT) is same


HOSTILE = [
    *(" ", "0", "-", "[", "\n", "1e", "-1", "1.1", "1e999999999 "),
    *("tensor([1.5 ", "12:34:", "/-", "'T_0"),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_texts_take_linear_time(unit):
    stored = unit * (200_000 // len(unit))
    started = time.monotonic()
    text_differences(stored, f"{stored}x", DEFAULT)
    text_differences(stored, f"x\n{stored.replace('1', '2')}", DEFAULT)
    usual(masked(stored, MASKS))
    # Where each character is held against each other one, it takes minutes.
    assert time.monotonic() - started < 20
