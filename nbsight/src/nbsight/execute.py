"""Executes a notebook so that it can be verified later."""

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from nbclient import NotebookClient

from . import startup_code

# Set by users for their own sessions, or by pytest, to which ipykernel leaves
# what other processes print; would change what a notebook shows.
UNSET = "MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTEST_CURRENT_TEST"


class CellFailed(Exception):
    """The execution stopped: in which cell (an index or None), and why."""

    def __init__(self, index: int | None, error: Exception) -> None:
        """Keep the index of the cell and nbclient's error."""
        super().__init__(str(error))
        self.index, self.error = index, error


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


async def _describe_figures(client: Any) -> None:
    """Have a client's kernel add data to the figures that it shows."""
    if client.km.kernel_spec.language.lower() == "python":
        code = startup_code()
        sent = client.kc.execute(code, silent=True, store_history=False)
        reply = await client.async_wait_for_reply(sent)
        if reply is None or reply["content"]["status"] != "ok":
            raise RuntimeError(f"nbsight cannot start: {reply}")


def execute(
    notebook: Any,
    folder: Path | str,
    env: dict[str, str] | None = None,
    **options: Any,
) -> Any:
    """Execute a notebook in place, in a folder, and return it.

    The options are nbclient's, such as ``timeout`` or ``kernel_name``. The
    kernel gets an IPython profile and Matplotlib settings of its own, and the
    variables in ``env``. Python's hash seed is the same in all runs where
    nothing else is said, so that sets do not change their order.

    Raises:
        CellFailed: an error, a time-out or a dead kernel stopped it.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    started: list[int] = []
    options.setdefault("record_timing", False)
    options.setdefault("shutdown_kernel", "immediate")
    client: NotebookClient = NotebookClient(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        on_notebook_start=lambda notebook: _describe_figures(client),
        on_cell_start=lambda cell, cell_index: started.append(cell_index),
        **options,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="nbsight") as profile:
            settings = Path(profile, "matplotlibrc")
            settings.touch()
            whole = {"PYTHONHASHSEED": "0"}
            whole |= {k: v for k, v in os.environ.items() if k not in UNSET}
            whole |= {"IPYTHONDIR": profile, "MATPLOTLIBRC": str(settings)}
            env = whole | (env or {})
            client.execute(cleanup_kc=True, env=env, stderr=subprocess.DEVNULL)
    except asyncio.CancelledError:  # what Ctrl-C becomes in there
        raise KeyboardInterrupt from None
    except Exception as error:
        raise CellFailed(started[-1] if started else None, error) from error
    finally:
        for cell in code:
            cell.outputs = joined(cell.outputs)
    return notebook
