"""The head of a notebook: the imports that can be done before it is run."""

import ast
import sys

from tools.frameworks import FRAMEWORKS

# What a zygote may import for a notebook: no module that somebody edits.
LIBRARIES = {each.module for each in FRAMEWORKS.values()}
LIBRARIES |= {"matplotlib", "IPython"} | sys.stdlib_module_names


def prologue(cells):
    """Return the statements that a notebook begins with, as far as harmless.

    Imports of the frameworks and of the standard library are; so are constants
    for ``os.environ``, which libraries read when they are imported, and
    ``np.bool = np.bool_``. The first other statement ends the prologue: after
    it, an import may give something else.

    Args:
        cells: the texts of the code cells.

    Returns:
        Python code of whole statements, "" if the first is another already.
    """
    lines = []
    for cell in cells:
        try:
            statements = ast.parse(cell).body
        except SyntaxError:  # IPython's own syntax, too
            break
        for statement in statements:
            if not harmless(statement):
                return "\n".join(lines)
            lines.append(ast.unparse(statement))
    return "\n".join(lines)


def harmless(statement):
    """Tell whether a zygote may execute a statement."""
    match statement:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module]
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(
            targets=[
                ast.Subscript(
                    value=ast.Attribute(ast.Name("os"), "environ"),
                    slice=ast.Constant(value=str()),
                )
            ],
            value=ast.Constant(value=str()),
        ):
            return True
        case ast.Assign(
            targets=[ast.Attribute(ast.Name(one), "bool")],
            value=ast.Attribute(ast.Name(other), "bool_"),
        ):
            return one == other
        case _:
            return False
    return all(name.split(".")[0] in LIBRARIES for name in modules)


def imported(code):
    """Return the names of the top modules that a prologue imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def constants(code):
    """Return the names of the environment variables that a prologue sets."""
    return [
        node.slice.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Subscript)
    ]
