"""Make a learner's stub, and the folded solution, from a lesson's solution.

In a source, an exercise is a question, then one or more code cells tagged
``solution``, a code cell tagged ``check``, two prose cells tagged ``hint`` and
one tagged ``answer``. A notebook shows a stub where the solution stood, and
after the check each hint, folded, and the solution's code with the answer.
"""

import ast

FORM = "solution, check, two hints, answer"  # what an exercise is made of
HINTS = "A first hint", "A second hint"
FOLDED = """\
<details>
<summary>{title}</summary>

{text}

</details>"""


def stub(source: str) -> str:
    """Return what a learner starts from in place of a solution.

    Its imports stay; what it assigns becomes ``...`` with the comment at the
    line's end; functions and methods keep signature and docstring; all else
    goes.
    """
    lines, kept = source.splitlines(), ""
    defined = False  # by the statement before
    for node in ast.parse(source).body:
        text = stub_of(node, lines)
        if text:
            defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
            kept += "\n\n\n" if defines or defined else "\n"
            kept, defined = kept + text, defines
    return kept.strip("\n")


def stub_of(node: ast.stmt, lines: list[str]) -> str:
    """Return the stub of one statement, or nothing."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "\n".join(lines[node.lineno - 1 : node.end_lineno])
    if isinstance(node, ast.Assign):
        targets = getattr(node.targets[0], "elts", node.targets[:1])
        names = ", ".join(map(ast.unparse, targets))
        dots = ", ".join("..." for _ in targets)
        comment = lines[: node.end_lineno][-1][node.end_col_offset :]
        return f"{names} = {dots}{comment}".rstrip()
    if isinstance(node, ast.FunctionDef):
        kept = header(node, lines)
        return f"{kept}\n{' ' * node.body[0].col_offset}return ..."
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        parts = [stub_of(method, lines) for method in methods]
        return "\n".join([header(node, lines), "\n\n".join(parts)])
    return ""


def header(node: ast.FunctionDef | ast.ClassDef, lines: list[str]) -> str:
    """Return the first lines of a function or class, with its docstring."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        return "\n".join(lines[node.lineno - 1 : first.end_lineno])
    kept = lines[node.lineno - 1 : first.lineno - 1]
    return "\n".join(x for x in kept if x.strip() and x.strip()[0] != "#")


def folded(title: str, *parts: str) -> str:
    """Return prose of which only the title is seen until it is opened."""
    text = "\n\n".join(part.strip() for part in parts)
    return FOLDED.format(title=title, text=text)
