"""Executes a notebook so that it can be verified later."""

import asyncio
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.utils import ensure_async, run_sync
from nbclient import NotebookClient
from traitlets import Any

from . import startup_code

# Set by users for their own sessions; would change what a notebook shows.
UNSET = "MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS"


class CellFailed(Exception):
    """The execution stopped: in which cell (an index or None), and why."""

    def __init__(self, index, error):
        """Keep the index of the cell and nbclient's error."""
        super().__init__(str(error))
        self.index, self.error = index, error


class Client(NotebookClient):
    """nbclient with data for every figure and the same result everywhere.

    The kernel gets an IPython profile and Matplotlib settings of its own, so
    a user's do not matter. ``current`` is the index of the cell that was
    started last.
    """

    current = Any(None, help="index of the cell that was started last")

    def __init__(self, nb, **options):
        """Take nbclient's options; times are not recorded by default."""
        options.setdefault("record_timing", False)
        options.setdefault("shutdown_kernel", "immediate")
        super().__init__(nb, **options)

    async def async_start_new_kernel_client(self):
        """Start the client and have the kernel describe its figures."""
        kc = await super().async_start_new_kernel_client()
        if self.km.kernel_spec.language.lower() == "python":
            code = startup_code()
            sent = kc.execute(code, silent=True, store_history=False)
            reply = await self.async_wait_for_reply(await ensure_async(sent))
            if reply is None or reply["content"]["status"] != "ok":
                raise RuntimeError(f"nbsight cannot start: {reply}")
        return kc

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def async_execute(self, reset_kc=False, **options):
        """Execute all cells in surroundings that no user has changed."""
        with kernel_environment(**options.pop("env", {})) as env:
            options.setdefault("stderr", subprocess.DEVNULL)
            return await super().async_execute(reset_kc, env=env, **options)

    execute = run_sync(async_execute)

    async def async_execute_cell(self, cell, cell_index, *args, **options):
        """Execute one cell and remember which."""
        self.current = cell_index
        return await super().async_execute_cell(
            cell, cell_index, *args, **options
        )

    execute_cell = run_sync(async_execute_cell)


@contextmanager
def kernel_environment(**more):
    """Give the environment variables of a kernel that no user has changed.

    Args:
        more: variables to add to those of this process.
    """
    with tempfile.TemporaryDirectory(prefix="nbsight") as folder:
        settings = Path(folder, "matplotlibrc")
        settings.touch()
        env = {**os.environ, **more}
        env |= {"IPYTHONDIR": folder, "MATPLOTLIBRC": str(settings)}
        yield {key: env[key] for key in env if key not in UNSET}


def _is_code(cell):
    return cell.cell_type == "code"


def joined(outputs):
    """Return a cell's outputs with neighbouring pieces of a stream joined."""
    result = []
    for output in outputs:
        last = result[-1] if result else {}
        if (
            output["output_type"] == "stream"
            and last.get("output_type") == "stream"
            and last["name"] == output["name"]
        ):
            last["text"] += output["text"]
        else:
            result.append(output)
    return result


def execute(notebook, folder, **options):
    """Execute a notebook in place, in a folder, and return it.

    Args:
        notebook: as read by nbformat, version 4.
        folder: where its kernel works.
        options: of nbclient, such as ``timeout`` or ``kernel_name``.

    Raises:
        CellFailed: an error, a time-out or a dead kernel stopped it.
    """
    resources = {"metadata": {"path": str(folder)}}
    client = Client(notebook, resources=resources, **options)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    try:
        client.execute(cleanup_kc=True)
    except asyncio.CancelledError:  # what Ctrl-C becomes in there
        raise KeyboardInterrupt from None
    except Exception as error:
        raise CellFailed(client.current, error) from error
    finally:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = joined(cell.outputs)
    return notebook
