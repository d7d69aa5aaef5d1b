"""Mending a notebook's form: nothing is executed here."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbsight.fix import dumps, fix

V3 = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "level": 2, "source": "Old"},
                {
                    "cell_type": "code",
                    "language": "python",
                    "input": "1 + 1",
                    "prompt_number": 1,
                    "outputs": [
                        {
                            "output_type": "pyout",
                            "prompt_number": 1,
                            "text": "2",
                        }
                    ],
                },
            ]
        }
    ],
}
V2 = {
    "nbformat": 2,
    "metadata": {},
    "worksheets": [
        {"cells": [{"cell_type": "code", "input": "1", "outputs": []}]}
    ],
}


def v4(minor=5, metadata=None, **fields):
    """A notebook of three cells, the first one with these fields."""
    cells = [new_code_cell("1"), new_code_cell("1"), new_markdown_cell("1")]
    for number, cell in enumerate(cells):
        cell.id = f"id-{number}"
        if minor < 5:
            del cell["id"]
    for name, value in fields.items():
        if value is None:
            del cells[0][name]
        else:
            cells[0][name] = value
    return {
        "cells": cells,
        "metadata": metadata or {},
        "nbformat": 4,
        "nbformat_minor": minor,
    }


BOM = b"\xef\xbb\xbf"
STALE = [{"output_type": "display_data", "data": None}]
MENDED = {
    "v3": (V3, ["nbformat 3.0 converted to 4.5", "2 missing or invalid ids"]),
    "v2": (V2, ["nbformat 2.0 converted to 4.5"]),
    "4.0": (v4(0), ["nbformat 4.0 converted to 4.5", "3 missing"]),
    "4.4": (v4(4), ["nbformat 4.4 converted to 4.5", "3 missing"]),
    "missing id": (v4(id=None), ["1 missing or invalid ids given"]),
    "repeated id": (v4(id="id-1"), ["1 missing or invalid ids given"]),
    "invalid id": (v4(id="ä b"), ["1 missing or invalid ids given"]),
    "long id": (v4(id="a" * 65), ["1 missing or invalid ids given"]),
    "number as id": (v4(id=7), ["1 missing or invalid ids given"]),
    "BOM": (BOM + json.dumps(v4()).encode(), ["byte order mark removed"]),
    "stale": (v4(outputs=STALE), ["outputs of cells never run removed (1)"]),
    "odd count": (v4(execution_count="3"), ["odd counts removed (1)"]),
    "fields": (
        v4(outputs=None, prompt_number=1),
        ["added (outputs)", "removed (prompt_number)"],
    ),
    "output": (
        v4(
            outputs=[{"output_type": "execute_result", "data": {}}],
            execution_count=1,
        ),
        ["added (execution_count, metadata)"],
    ),
    "kernel": (
        v4(metadata={"kernelspec": {"name": "a"}, "language_info": {}}),
        ["added (display_name)", "removed (language_info)"],
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_nbformat_wants_is_mended_and_said(case, tmp_path, capsys):
    notebook, words = MENDED[case]
    if not isinstance(notebook, bytes):
        notebook = json.dumps(notebook).encode()
    paths = [tmp_path / name for name in ("one.ipynb", "other.ipynb")]
    for path in paths:
        path.write_bytes(notebook)
    assert fix(paths) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all(word in said[0] for word in words), said
    after = paths[0].read_bytes()
    assert after != notebook
    assert after == paths[1].read_bytes()  # so ids are not random
    valid = json.loads(after)
    nbformat.validate(valid)
    assert valid["nbformat_minor"] == 5
    ids = [cell["id"] for cell in valid["cells"]]
    assert len({*ids}) == len(ids)
    assert fix(paths) == 0
    assert capsys.readouterr().out.count("nothing to mend") == 2
    assert paths[0].read_bytes() == after


NUMBER = [{"output_type": "display_data", "data": 5, "metadata": {}}]
UNFIT = {
    "no JSON": ("{", "no JSON"),
    "nothing": ("", "no JSON"),
    "nested": ("[" * 100_000, "no JSON"),
    "a list": ("[]", "states no nbformat"),
    "a setting": ("{}", "states no nbformat"),
    "no cells": ('{"nbformat": 4}', "no list of cells"),
    "odd cells": ('{"nbformat": 4, "cells": [3]}', "no list of cells"),
    "odd metadata": (json.dumps(v4() | {"metadata": 3}), "not a notebook"),
    "no worksheets": ('{"nbformat": 3, "worksheets": [{}]}', "version 3"),
    "from the future": ('{"nbformat": 99, "cells": []}', "99 is not known"),
    "no UTF-8": ("ä".encode("utf-16"), "save it as UTF-8"),
    "an output": (
        json.dumps(v4(outputs=NUMBER, execution_count=1)),
        "['cells'][0]['outputs'][0]['data'] 5 is not of type 'object'",
    ),
}


def test_what_only_a_person_can_mend_is_told_and_stops_nothing(
    tmp_path, capsys
):
    for name, (text, _) in UNFIT.items():
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / f"{name}.ipynb").write_bytes(data)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    last = tmp_path / "zz.ipynb"
    last.write_text(json.dumps(v4(4)))
    (tmp_path / "empty").mkdir()
    assert fix([tmp_path, tmp_path / "missing.ipynb", tmp_path / "empty"]) == 1
    out, said = capsys.readouterr()
    assert "zz.ipynb: nbformat 4.4 converted to 4.5" in out
    for name, (_, words) in UNFIT.items():
        (line,) = [x for x in said.splitlines() if f"/{name}.ipynb: " in x]
        assert words in line
    assert "missing.ipynb: cannot be read: No such file" in said
    assert "empty: there is no notebook in this folder" in said
    assert {path: path.read_bytes() for path in before} == before


def test_of_a_folder_each_visible_notebook_is_mended_once(tmp_path, capsys):
    hidden = tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb"
    hidden.parent.mkdir()
    target = tmp_path / "kept elsewhere"
    for path in (hidden, target, tmp_path / "b [1].ipynb"):
        path.write_text(json.dumps(v4(4), indent="\t") + "\n\n")
    before = hidden.read_bytes()
    link = tmp_path / "a.ipynb"
    link.symlink_to(target.name)
    locked = tmp_path / "c.ipynb"
    locked.write_text(json.dumps(v4(4)))
    locked.chmod(0o444)
    assert fix([tmp_path, target, tmp_path / "b [1].ipynb"]) == 1
    out, said = capsys.readouterr()
    assert out.count("converted") == 2
    assert "c.ipynb: it is read-only; allow writing" in said
    assert hidden.read_bytes() == before
    assert link.is_symlink()
    assert '\n\t"nbformat_minor": 5\n}\n\n' in target.read_text()


@pytest.mark.parametrize(
    "form", [{"indent": 2}, {"ensure_ascii": False}, {"ensure_ascii": True}]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_form_of_a_file_is_kept(form, end):
    notebook = {"cells": ["é", {"b": 1, "a": []}], "nbformat": 4}

    def text():
        return (json.dumps(notebook, **form) + "\n").replace("\n", end)

    before = text()
    notebook["nbformat_minor"] = 5
    assert dumps(notebook, before) == text()
