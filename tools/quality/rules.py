"""The faults that can be planted: a rule per line, in code and in outputs.

Each is (rule, what, {field: value}): the fields of a node of code, or of a
notebook's cell, that become something else.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from nbformat import NotebookNode

from nbsight import MIME, texts

Rules = Iterator[tuple[str, str, dict[str, Any]]]
SWAP: dict[type, ast.AST] = {ast.Pow: ast.Mult()}
for one, other in (
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.Lt, ast.GtE),
    (ast.Gt, ast.LtE),
    (ast.Eq, ast.NotEq),
    (ast.In, ast.NotIn),
):
    SWAP |= {one: other(), other: one()}


def changes(source: str) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield (rule, what, function) for each fault that the rules know.

    The function returns the changed source, without its comments: most are
    never asked for it.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and node in alone:
            continue  # a docstring
        for rule, what, fields in in_code(node):
            plant = partial(planted, tree, node, fields)
            yield rule, f"line {getattr(node, 'lineno', 0)}: {what}", plant


def planted(tree: ast.AST, node: ast.AST, fields: dict[str, Any]) -> str:
    """Return the source of a tree in which one node is changed."""
    tree, node = copy.deepcopy((tree, node))
    for name, value in fields.items():
        setattr(node, name, value)
    return ast.unparse(tree)


def in_code(node: Any) -> Rules:
    """Yield what can be wrong with a node of a syntax tree."""
    text = short(node)
    match node:
        case ast.UnaryOp(ast.USub()):
            yield "sign", f"minus of {text}", {"op": ast.UAdd()}
        case ast.BinOp(left, ast.MatMult(), right):
            swap = {"left": right, "right": left}
            yield "operator", f"sides of {text}", swap
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in SWAP:
            yield "operator", f"operator of {text}", {"op": SWAP[type(op)]}
        case ast.Compare(ops=[op, *_]) if type(op) in SWAP:
            yield "comparison", f"comparison {text}", {"ops": [SWAP[type(op)]]}
        case ast.Constant(bool(value)):
            yield "constant", f"{value}", {"value": not value}
        case ast.Constant(int(value)):
            yield "constant", f"{value} + 1", {"value": value + 1}
        case ast.Constant(float(value)):
            more = value * 1.01 or 0.01
            yield "constant", f"{value} to {more:.6g}", {"value": more}
        case ast.Constant(str(value)) if value.strip():
            yield "text", f"{value[:30]!r}", {"value": misprint(value)}
        case ast.keyword("axis" | "dim", value):
            one = isinstance(value, ast.Constant) and value.value == 1
            axis = ast.Constant(0 if one else 1)
            yield "axis", f"{node.arg} of a call", {"value": axis}
        case ast.Call(function, args, keywords):
            name = ast.unparse(function)
            for i, keyword in enumerate(keywords):
                less = {"keywords": replaced(keywords, i)}
                yield "keyword", f"{keyword.arg} of {name} dropped", less
            for i in range(len(args) - 1):
                what = f"arguments {i + 1}, {i + 2} of {name} swapped"
                yield "arguments", what, {"args": swapped(args, i)}
            if name == "range":
                i = min(1, len(args) - 1)
                end = ast.BinOp(args[i], ast.Add(), ast.Constant(1))
                yield "range", f"end of {text}", {"args": [*args[:i], end]}
        case ast.List(items, ast.Load()) | ast.Tuple(items, ast.Load()):
            if items[1:]:
                yield "order", f"{text} swapped", {"elts": swapped(items, 0)}
        case _ if isinstance(getattr(node, "body", None), list):
            for i, line in enumerate(node.body):
                if is_step(line):
                    what = f"dropped {ast.unparse(line).splitlines()[0][:50]}"
                    less = {"body": replaced(node.body, i, ast.Pass())}
                    yield "statement", what, less


def short(node: ast.AST) -> str:
    """Return the beginning of a node's source, if it has one of its own."""
    if not isinstance(node, ast.expr | ast.stmt):
        return ""
    return ast.unparse(node)[:50].replace("\n", " ")


def is_step(line: ast.stmt) -> bool:
    """Tell whether a statement can be left out: no docstring, no block."""
    if isinstance(line, ast.Expr):
        return not isinstance(line.value, ast.Constant)
    return isinstance(line, ast.Assign | ast.AugAssign)


def misprint(text: str) -> str:
    """Return a text with another last letter."""
    last = len(text.rstrip()) - 1
    other = "~" if text[last] != "f" else "e"  # as in the format .3f
    return f"{text[:last]}{other}{text[last + 1 :]}"


def replaced(items: list, at: int, *others: Any) -> list:
    """Return a list with others, or with nothing, in the place of an item."""
    return [*items[:at], *others, *items[at + 1 :]]


def swapped(items: list, at: int) -> list:
    """Return a list with two neighbours swapped."""
    return [*items[:at], items[at + 1], items[at], *items[at + 2 :]]


def in_outputs(cells: list[NotebookNode], index: int) -> Rules:
    """Yield what can be wrong with the stored outputs of one of the cells.

    The data of the notebook's figures must be unpacked.
    """
    if cells[index].cell_type != "code":
        return
    given = cells[index].outputs
    elsewhere = outputs(cells[index + 1 :] + cells[:index])
    figures = (out.data for out in elsewhere if MIME in out.get("data", {}))
    other = next(figures, None)

    def output(at: int, **fields: Any) -> dict[str, Any]:
        changed = NotebookNode({**given[at], **fields})
        return {"outputs": replaced(given, at, changed)}

    yield "never run", "count removed", {"execution_count": None}
    for at, out in enumerate(given):
        what = f"output {at + 1}"
        less, more = replaced(given, at), [*given, out]
        yield "missing output", f"{what} removed", {"outputs": less}
        yield "extra output", f"{what} twice", {"outputs": more}
        text, data = out.get("text", ""), out.get("data", {})
        for place in digits(text):
            what = f"digit {place} of {text[:30]!r}"
            digit = str((int(text[place]) + 5) % 10)
            digits_now = f"{text[:place]}{digit}{text[place + 1 :]}"
            yield "digit", what, output(at, text=digits_now)
        if text:
            misread = text.replace("e", "a", 1) + "."
            yield "word", "a letter of its text", output(at, text=misread)
        if MIME in data:
            if other:
                wrong = output(at, data=other)
                yield "other figure", "that of another cell", wrong
            bare = {mime: data[mime] for mime in data if mime != MIME}
            yield "figure data", "removed", output(at, data=bare)
            lines = data[MIME]["artists"]
            for i in range(0, len(lines), 4):
                record = {**data[MIME], "artists": replaced(lines, i)}
                planted = output(at, data={**data, MIME: record})
                yield "artist", f"artist {i} removed", planted


def outputs(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return all outputs of cells."""
    return [out for cell in cells for out in cell.get("outputs", [])]


def digits(text: str) -> list[int]:
    """Return the places of the first two digits of each number in a text."""
    return [
        match.start() + at
        for match in texts.NUMBER.finditer(text)
        for at, letter in enumerate(match[0][:2])
        if letter.isdigit()
    ]
