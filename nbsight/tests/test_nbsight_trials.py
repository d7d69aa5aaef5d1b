"""The trials: a handful of their notebooks and faults, which need nothing."""

import contextlib
import io
from collections import Counter

import nbformat
import pytest
from nbsight.accept import accept
from nbsight.execute import execute
from trials.faults import FAMILIES, LOOP, NOISE, RAISES, faults
from trials.strangers import NOTEBOOKS, configuration, proposed, write

KINDS = "no ids, nbformat 4.4", "a byte order mark", "stale, never run"


def check(folder):
    """Run the check over a folder; return what pytest prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        options = ["--capture=no", "--assert=plain", "-p", "no:cacheprovider"]
        pytest.main(["--nbval", *options, f"--rootdir={folder}", str(folder)])
    return printed.getvalue()


@pytest.mark.parametrize("families", [FAMILIES, NOISE])
def test_every_edit_changes_code_that_runs(families):
    for fault in faults(families):
        assert fault.changed != fault.code
        for code in (fault.code, fault.changed):
            compile(code, fault.what, "exec")


def test_there_are_faults_and_notebooks_of_each_family_and_kind():
    number = Counter(fault.family for fault in faults(FAMILIES))
    assert min(number.values()) >= 8 and number.total() >= 60
    assert len(NOTEBOOKS) >= 45


def test_notebooks_of_strangers_are_accepted_and_stay_green(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = [write(kind, tmp_path / kind) for kind in KINDS]
    assert accept(paths, yes=True) == 0
    said = check(tmp_path)
    assert "failed" not in said and " passed in " in said, said


def test_planted_faults_are_caught(tmp_path):
    chosen = [f for f in faults(FAMILIES) if f.code in (LOOP, RAISES)]
    right = {
        fault.code: execute(nbformat.from_dict(fault.before()), tmp_path)
        for fault in chosen
    }
    for number, fault in enumerate(chosen[1::2]):
        notebook = right[fault.code]
        notebook.cells[0].source = fault.changed
        nbformat.write(notebook, tmp_path / f"n{number}.ipynb")
    said = check(tmp_path)
    assert f"{len(chosen[1::2])} failed" in said, said


def test_remedies_are_read_from_what_accept_says():
    said = (
        "  Cell 1 (a) varies; set nbsight_masks = uuids times for pytest\n"
        "left as it is; to accept this all the same, give --tags\n"
    )
    assert proposed(said) == ["--tags", "uuids", "times"]
    assert "nbsight_masks = uuids times\n" in configuration(proposed(said))
