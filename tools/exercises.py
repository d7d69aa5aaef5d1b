"""Make a learner's stub, and the folded solution, from a lesson's solution.

In a source, an exercise is a question, then one or more code cells tagged
``solution``, a code cell tagged ``check`` and a prose cell tagged ``answer``.
A notebook shows a stub where the solution stood, and after the check a folded
text with the solution's code and the answer.
"""

import ast
import copy

FOLDED = """\
<details>
<summary>Solution</summary>

{code}

{answer}

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


def folded(solutions, answer):
    """Return the prose that hides the solutions' code and the answer."""
    code = "\n\n".join(f"```python\n{source}\n```" for source in solutions)
    return FOLDED.format(code=code, answer=answer.strip())


def for_learners(cells):
    """Return a framework's cells as its notebook shows them.

    Args:
        cells: those of the source, each with ``kind``, ``source``, ``tags``.
    """
    shown, solutions = [], []
    for cell in cells:
        cell = copy.copy(cell)
        if "solution" in cell.tags:
            solutions.append(cell.source)
            cell.source = stub(cell.source)
            cell.tags = ["stub"]
        elif "answer" in cell.tags:
            cell.source = folded(solutions, cell.source)
            cell.tags, solutions = ["solution"], []
        shown.append(cell)
    return shown


def problems(cells):
    """Yield (cell, what) where an exercise does not have its three parts.

    Args:
        cells: the cells of one framework, in order.
    """
    wanted = {"solution": "check", "check": "answer", "answer": None}
    expected, last = None, None
    for cell in cells:
        part = next((tag for tag in cell.tags if tag in wanted), None)
        if part == "solution" and expected in (None, "check"):
            if not stub(cell.source):
                yield cell, "a solution that leaves the learner nothing to do"
            if not cell.heading.startswith("Exercise"):
                yield cell, "a solution that stands under no exercise"
        elif part and part != expected:
            yield cell, f"'{part}' is out of place: solution, check, answer"
        elif not part and expected == "answer" and cell.kind == "code":
            yield cell, "expected the answer here, after the check"
        expected = wanted[part] if part else expected
        last = cell
    if expected:
        yield last, f"the last exercise has no {expected}"
