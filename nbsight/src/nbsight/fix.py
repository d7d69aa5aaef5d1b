"""Mend a notebook's form without executing it: ``nbsight fix``.

What a notebook says is left alone: only what nbformat's own validation wants
is added, and what cannot be true (outputs of cells that were never run) goes.
Counts stay as they are: only an execution can put them right.
"""

import copy
import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nbformat

from . import report

# The fields that nbformat 4.5 wants in each part, with what stands there if
# nothing is known; other fields than these and those allowed are invalid.
CELL: dict[str, Any] = {"metadata": {}, "source": ""}
FIELDS: dict[str, dict[str, Any]] = {
    "notebook": {"metadata": {}, "cells": []},
    "markdown": CELL,
    "raw": CELL,
    "code": {**CELL, "outputs": [], "execution_count": None},
    "stream": {"name": "stdout", "text": ""},
    "display_data": {"data": {}, "metadata": {}},
    "execute_result": {"data": {}, "metadata": {}, "execution_count": None},
    "error": {"ename": "", "evalue": "", "traceback": []},
}
WRONG_PARTS = ValueError, LookupError, TypeError, AttributeError
VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ALLOWED = {"cell_type", "output_type", "id", "attachments"}
ALLOWED |= {"nbformat", "nbformat_minor"}


class Unfit(Exception):
    """Why a file cannot be mended, and what to do, in one line."""


def notebooks(given: Iterable[str | Path]) -> Iterator[Path]:
    """Yield the notebooks that are meant, once each, by absolute paths.

    Of a folder these are all below it, but for hidden ones.
    """
    seen = set()
    for path in map(Path, given):
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else []
        shown = [
            each
            for each in inside
            if "/." not in f"/{each.relative_to(path).as_posix()}"
        ]
        for each in shown or [path]:
            if each.resolve() not in seen:
                seen.add(each.resolve())
                yield each.parent.resolve() / each.name


def mended(path: Path) -> tuple[str, list[str]]:
    """Return a notebook's text in a valid form, and what was done to it.

    Raises:
        Unfit: only a person can mend it.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
        notebook = json.loads(text)
    except IsADirectoryError:
        raise Unfit("there is no notebook in this folder") from None
    except OSError as error:
        raise Unfit(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unfit("not a notebook: not UTF-8; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        why = f"not a notebook: no JSON ({error})"
        raise Unfit(f"{why}; restore an older version") from None
    done = ["byte order mark removed"] if data[:1] == b"\xef" else []
    notebook, converted = _converted(notebook)
    cells = notebook["cells"]
    try:
        done += converted + _fields(notebook) + _ids(cells) + _stale(cells)
        nbformat.validate(notebook)
    except WRONG_PARTS:
        why = "not a notebook: its parts are not what they should be"
        raise Unfit(f"{why}; restore an older version") from None
    except nbformat.ValidationError as error:
        place = "".join(f"[{step!r}]" for step in error.absolute_path)
        message = error.message.partition("\n")[0][:99]
        raise Unfit(
            f"not a notebook that nbformat accepts: {place} {message}; "
            "mend that by hand, or clear the cell's outputs in Jupyter"
        ) from None
    return dumps(notebook, text) if done else text, done


def _converted(notebook: Any) -> tuple[Any, list[str]]:
    """Return a notebook in nbformat 4.5, by nbformat's own conversion."""
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise Unfit("not a notebook: it states no nbformat")
    old, minor = notebook["nbformat"], notebook.get("nbformat_minor", 0)
    if old not in [*nbformat.versions] or not isinstance(minor, int):
        known = f"the nbformat {nbformat.__version__} that is installed"
        raise Unfit(f"nbformat {old} is not known to {known}; upgrade it")
    done = []
    if old < 4:
        logging.disable()  # what is invalid in between is mended, or told
        try:
            new = nbformat.reads(json.dumps(notebook), as_version=4)
            notebook = json.loads(nbformat.v4.writes(new))
        except (nbformat.ValidationError, *WRONG_PARTS) as error:
            why = f"nbformat cannot convert it from its version {old}"
            raise Unfit(f"{why} ({error}); restore an older file") from None
        finally:
            logging.disable(logging.NOTSET)
        for cell in notebook["cells"]:
            del cell["id"]  # it is random
    if (old, minor) < (4, 5):
        notebook["nbformat_minor"] = 5
        done.append(f"nbformat {old}.{minor} converted to 4.5")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(type(c) is dict for c in cells):
        raise Unfit("not a notebook: it has no list of cells")
    return notebook, done


def _fields(notebook: Any) -> list[str]:
    """Add fields that nbformat wants, and remove those that it forbids."""
    added: set[str] = set()
    removed: set[str] = set()
    cells = notebook["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs") or []]
    parts = [("notebook", notebook)]
    parts += [(cell.get("cell_type"), cell) for cell in cells]
    parts += [(o["output_type"], o) for o in outputs if "output_type" in o]
    for kind, part in parts:
        wanted = FIELDS.get(kind, part)
        missing = {
            key: value
            for key, value in wanted.items()
            if key not in part or (part[key] is None and value is not None)
        }
        part.update(copy.deepcopy(missing))
        added |= missing.keys()
        extra = part.keys() - wanted.keys() - ALLOWED
        if notebook["nbformat_minor"] == 5:  # later ones may have more
            for key in extra:
                del part[key]
            removed |= extra
    metadata = notebook["metadata"]
    for key in {"kernelspec", "language_info"} & {*metadata}:
        if "name" not in metadata[key]:
            del metadata[key]
            removed.add(key)
        elif key == "kernelspec" and "display_name" not in metadata[key]:
            metadata[key]["display_name"] = metadata[key]["name"]
            added.add("display_name")
    return [
        f"{what} ({', '.join(sorted(names))})"
        for what, names in (
            ("missing fields added", added),
            ("invalid fields removed", removed),
        )
        if names
    ]


def _ids(cells: list[Any]) -> list[str]:
    """Give ids where they are missing, invalid or used before.

    They are not random, as nbformat's are, but a hash of the cell's source:
    the same notebook gets the same ids again.
    """
    taken, without = set(), []
    for cell in cells:
        name = cell.get("id")
        valid = isinstance(name, str) and VALID_ID.fullmatch(name)
        if valid and name not in taken:
            taken.add(name)
        else:
            without.append(cell)
    for cell in without:
        name = json.dumps(cell.get("source"))
        while not VALID_ID.fullmatch(name) or name in taken:
            name = hashlib.sha256(name.encode()).hexdigest()[:8]
        cell["id"] = name
        taken.add(name)
    return [f"{len(without)} missing or invalid ids given"] if without else []


def _stale(cells: list[Any]) -> list[str]:
    """Remove outputs of cells that were never run, as their counts say."""
    odd = [
        cell
        for cell in cells
        if (count := cell.get("execution_count")) is not None
        and (type(count) is not int or count < 0)
    ]
    for cell in odd:
        cell["execution_count"] = None
    stale = [
        cell
        for cell in cells
        if cell.get("outputs") and cell.get("execution_count") is None
    ]
    for cell in stale:
        cell["outputs"] = []
    removed = (
        (len(odd), "odd counts"),
        (len(stale), "outputs of cells never run"),
    )
    return [f"{what} removed ({number})" for number, what in removed if number]


def dumps(notebook: Any, like: str) -> str:
    """Write a notebook from JSON in the form that a text has."""
    indent = re.match(r"\{\s*\n([ \t]+)", like)
    # Halves of surrogate pairs can stand in a file as escapes alone.
    escaped = (like.isascii() and "\\u" in like) or "\\ud" in like
    text = json.dumps(
        notebook, ensure_ascii=escaped, indent=indent and indent[1]
    )
    if "\r\n" in like:
        text = text.replace("\n", "\r\n")
    return text + like[len(like.rstrip()) :]


def unwritable(path: Path) -> str | None:
    """Say why a notebook cannot be replaced, or return None."""
    path = path.resolve()
    for each, what in ((path, "it"), (path.parent, "its folder")):
        # An administrator may write all the same; the mode says what is meant.
        if not os.access(each, os.W_OK) or not each.stat().st_mode & 0o222:
            return f"{what} is read-only; allow writing to it (chmod u+w)"
    return None


def write(path: Path, text: str) -> None:
    """Put a notebook in its place in one move, behind a link, too.

    Raises:
        OSError: the disk is full, or it may not be written.
    """
    path = path.resolve()
    partial = path.with_name(f".nbsight-{os.getpid()}.partial")
    try:
        partial.write_bytes(text.encode())
        shutil.copymode(path, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def fix(given: Iterable[str | Path]) -> int:
    """Mend notebooks; return the status to exit with."""
    status = 0
    for path in notebooks(given):
        name = report.visible(f"{report.short(Path.cwd(), path)}")
        try:
            text, done = mended(path)
            said = "; ".join(done) or "nothing to mend"
            if done and (why := unwritable(path)):
                raise Unfit(why)
            if done:
                write(path, text)
            print(f"{name}: {said}")
        except (Unfit, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    return status
