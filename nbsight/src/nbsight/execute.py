"""Executes a notebook so that it can be verified later."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from nbclient import NotebookClient

from . import startup_code

# Set by users for their own sessions; would change what a notebook shows.
UNSET = "MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS"


class CellFailed(Exception):
    """The execution stopped: in which cell (an index or None), and why."""

    def __init__(self, index: int | None, error: Exception) -> None:
        """Keep the index of the cell and nbclient's error."""
        super().__init__(str(error))
        self.index, self.error = index, error


class Client(NotebookClient):
    """nbclient with data for every figure.

    ``current`` is the index of the cell that was started last.
    """

    current: int | None = None

    def __init__(self, nb: Any, **options: Any) -> None:
        """Take nbclient's options; times are not recorded by default."""
        options.setdefault("record_timing", False)
        options.setdefault("shutdown_kernel", "immediate")
        options["on_notebook_start"] = self._prepare
        options["on_cell_start"] = self._start
        super().__init__(nb, **options)

    async def _prepare(self, notebook: Any) -> None:
        """Have the kernel describe its figures."""
        km, kc = cast(Any, self.km), cast(Any, self.kc)  # both are set
        if km.kernel_spec.language.lower() == "python":
            sent = kc.execute(startup_code(), silent=True, store_history=False)
            reply = await self.async_wait_for_reply(sent)
            if reply is None or reply["content"]["status"] != "ok":
                raise RuntimeError(f"nbsight cannot start: {reply}")

    def _start(self, cell: Any, cell_index: int) -> None:
        self.current = cell_index


@contextmanager
def kernel_environment() -> Iterator[dict[str, str]]:
    """Give the environment variables of a kernel that no user has changed.

    It gets an IPython profile and Matplotlib settings of its own.
    """
    with tempfile.TemporaryDirectory(prefix="nbsight") as folder:
        settings = Path(folder, "matplotlibrc")
        settings.touch()
        env = {k: v for k, v in os.environ.items() if k not in UNSET}
        yield env | {"IPYTHONDIR": folder, "MATPLOTLIBRC": str(settings)}


def joined(outputs: list[Any]) -> list[Any]:
    """Return a cell's outputs with neighbouring pieces of a stream joined."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else {}
        if "name" in output and output["name"] == last.get("name"):  # streams
            last["text"] += output["text"]
        else:
            result.append(output)
    return result


def execute(notebook: Any, folder: Path | str, **options: Any) -> Any:
    """Execute a notebook in place, in a folder, and return it.

    The options are nbclient's, such as ``timeout`` or ``kernel_name``.

    Raises:
        CellFailed: an error, a time-out or a dead kernel stopped it.
    """
    resources = {"metadata": {"path": str(folder)}}
    client = Client(notebook, resources=resources, **options)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    try:
        with kernel_environment() as env:
            client.execute(cleanup_kc=True, env=env, stderr=subprocess.DEVNULL)
    except asyncio.CancelledError:  # what Ctrl-C becomes in there
        raise KeyboardInterrupt from None
    except Exception as error:
        raise CellFailed(client.current, error) from error
    finally:
        for cell in code:
            cell.outputs = joined(cell.outputs)
    return notebook
