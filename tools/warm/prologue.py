"""The head of a notebook: the imports that can be done before it is run."""

import ast
import re
import sys
from importlib.util import find_spec

from tools.frameworks import FRAMEWORKS

FIRST = {each.module for each in FRAMEWORKS.values()}
# A notebook may import these before, too; they are left to its kernel.
MAGIC = re.compile(r"^(\s*)%\w.*$", re.MULTILINE)
OTHERS = {"matplotlib", "IPython"} | sys.stdlib_module_names


def prologue(cells):
    """Return what can be done before a notebook is run, in the short form.

    Imports of the frameworks can; so can constants for ``os.environ``, which
    libraries read when they are imported, and ``np.bool = np.bool_``. What is
    of another kind ends the prologue: after it, an import may give something
    else. Notebooks that import the same frameworks, with the same
    settings, have the same prologue.

    Args:
        cells: the texts of the code cells.

    Returns:
        Python code, a statement a line, "" if there is nothing to do.
    """
    lines = []
    for cell in cells:
        try:
            statements = ast.parse(MAGIC.sub(r"\1pass", cell)).body
        except SyntaxError:  # IPython's other syntax, too
            break
        for statement in statements:
            found = short(statement)
            if found is None:
                return "\n".join(lines)
            lines += [line for line in found if line not in lines]
    return "\n".join(lines)


def short(statement):
    """Return the lines that stand for a statement, or None if none may."""
    match statement:
        case ast.Import(names=names):
            modules = [alias.name.split(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module.split(".")[0]]
        case ast.Expr(value=ast.Constant()):
            return []
        case ast.Assign(
            targets=[
                ast.Subscript(
                    value=ast.Attribute(ast.Name("os"), "environ"),
                    slice=ast.Constant(value=str()),
                )
            ],
            value=ast.Constant(value=str()),
        ):
            return ["import os", ast.unparse(statement)]
        case ast.Assign(
            targets=[ast.Attribute(ast.Name("np" | "numpy"), "bool")],
            value=ast.Attribute(ast.Name("np" | "numpy"), "bool_"),
        ):
            return ["import numpy", "numpy.bool = numpy.bool_"]
        case ast.If(
            test=ast.UnaryOp(
                op=ast.Not(),
                operand=ast.Call(
                    func=ast.Name("find_spec"), args=[ast.Constant(value=name)]
                ),
            ),
            orelse=[],
        ) if find_spec(name):
            return []  # nothing is missing, so nothing is installed
        case _:
            return None
    if not FIRST.issuperset(set(modules) - OTHERS):
        return None
    return [f"import {name}" for name in modules if name in FIRST]


def imported(code):
    """Return the names of the top modules that a prologue imports."""
    return {
        line.removeprefix("import ")
        for line in code.splitlines()
        if line.startswith("import ")
    }


def constants(code):
    """Return the names of the environment variables that a prologue sets."""
    return [
        node.slice.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Subscript)
    ]
