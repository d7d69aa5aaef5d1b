"""Make a learner's stub, and the folded solution, from a lesson's solution.

In a source, an exercise is a question, then one or more code cells tagged
``solution``, a code cell tagged ``check``, two prose cells tagged ``hint`` and
one tagged ``answer``. A notebook shows a stub where the solution stood, and
after the check each hint, folded, and the solution's code with the answer.
"""

import ast
import copy

FORM = "solution, check, two hints, answer"  # what an exercise is made of
HINTS = "A first hint", "A second hint"
FOLDED = """\
<details>
<summary>{title}</summary>

{text}

</details>"""


def stub(source):
    """Return what a learner starts from.

    Args:
        source: a solution. Its imports stay; what it assigns becomes ``...``
            with the comment at the line's end; functions and methods keep
            signature and docstring; all else goes.
    """
    lines, kept = source.splitlines(), ""
    before = None
    for node in ast.parse(source).body:
        text = stub_of(node, lines)
        if not text:
            continue
        defines = ast.FunctionDef | ast.ClassDef
        apart = isinstance(node, defines) or isinstance(before, defines)
        kept += ("\n\n\n" if apart else "\n") if kept else ""
        kept += text
        before = node
    return kept


def stub_of(node, lines):
    """Return the stub of one statement, or nothing."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "\n".join(lines[node.lineno - 1 : node.end_lineno])
    if isinstance(node, ast.Assign):
        targets = getattr(node.targets[0], "elts", node.targets[:1])
        names = ", ".join(map(ast.unparse, targets))
        dots = ", ".join("..." for _ in targets)
        comment = lines[node.end_lineno - 1][node.end_col_offset :]
        return f"{names} = {dots}{comment}".rstrip()
    if isinstance(node, ast.FunctionDef):
        kept = header(node, lines)
        return f"{kept}\n{' ' * node.body[0].col_offset}return ..."
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        parts = [stub_of(method, lines) for method in methods]
        return "\n".join([header(node, lines), "\n\n".join(parts)])
    return ""


def header(node, lines):
    """Return the first lines of a function or class, with its docstring."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        return "\n".join(lines[node.lineno - 1 : first.end_lineno])
    if isinstance(first, ast.FunctionDef) and first.decorator_list:
        first = first.decorator_list[0]
    kept = lines[node.lineno - 1 : first.lineno - 1]
    return "\n".join(x for x in kept if x.strip() and x.strip()[0] != "#")


def folded(title, *parts):
    """Return prose of which only the title is seen until it is opened."""
    text = "\n\n".join(part.strip() for part in parts)
    return FOLDED.format(title=title, text=text)


def for_learners(cells):
    """Return a framework's cells as its notebook shows them.

    Args:
        cells: those of the source, each with ``kind``, ``source``, ``tags``.
    """
    shown, solutions, titles = [], [], iter(HINTS)
    for cell in cells:
        cell = copy.copy(cell)
        if "solution" in cell.tags:
            solutions.append(f"```python\n{cell.source}\n```")
            cell.source = stub(cell.source)
            cell.tags = ["stub"]
        elif "check" in cell.tags:
            titles = iter(HINTS)
        elif "hint" in cell.tags:
            cell.source = folded(next(titles, HINTS[-1]), cell.source)
        elif "answer" in cell.tags:
            cell.source = folded("Solution", *solutions, cell.source)
            cell.tags, solutions = ["solution"], []
        shown.append(cell)
    return shown


def problems(cells):
    """Yield (cell, what) where an exercise does not have all of its parts.

    Args:
        cells: the cells of one framework, in order.
    """
    after = ["check", "hint", "hint", "answer"]  # a solution, or several
    missing, last = [], None
    for cell in cells:
        part = next((t for t in cell.tags if t in ["solution", *after]), "")
        if part == "solution" and missing in ([], after):
            if not stub(cell.source):
                yield cell, "a solution that leaves the learner nothing to do"
            if not cell.heading.startswith("Exercise"):
                yield cell, "a solution that stands under no exercise"
            missing = after
        elif part and missing[:1] != [part]:
            yield cell, f"'{part}' is out of place: expected {FORM}"
            missing = []
        elif part:
            missing = missing[1:]
        elif missing and missing != after and cell.kind == "code":
            yield cell, f"expected a prose cell tagged '{missing[0]}' here"
        last = cell
    if missing:
        yield last, f"the last exercise has no {missing[0]}: expected {FORM}"
