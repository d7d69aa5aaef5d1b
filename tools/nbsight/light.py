"""To be imported before nbformat: saves a second of each process.

nbformat imports jsonschema, which compiles the grammar of IRIs where
JupyterLab has installed a package for it. No notebook has an IRI to check.
"""

import sys
from contextlib import suppress

if "jsonschema" not in sys.modules and "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # makes its import fail
    with suppress(ImportError):
        import jsonschema  # noqa: F401
    del sys.modules["rfc3987_syntax"]
