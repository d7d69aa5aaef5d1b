"""Executes a notebook so that it can be verified later."""

import atexit
import os
import subprocess
import tempfile
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbclient.util import ensure_async

from . import startup_code, stop

# Set by users for their own sessions, or by pytest, to which ipykernel leaves
# what other processes print; would change what a notebook shows.
UNSET = "MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTEST_CURRENT_TEST"
ROOM = 100_000_000  # characters that a cell may put out


class CellFailed(Exception):
    """The execution stopped: in which cell (an index or None), and why."""

    def __init__(self, index: int | None, error: Exception) -> None:
        """Keep the index of the cell and nbclient's error."""
        super().__init__(str(error))
        self.index, self.error = index, error


class TooMuch(Exception):
    """A cell put out more than there is room for."""


class Client(NotebookClient):
    """nbclient's, which ends with what a cell may put out."""

    kept = 0

    def process_message(
        self, msg: dict[str, Any], cell: Any, cell_index: int
    ) -> Any:
        """Count what is kept; what is replaced or cleared is not."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "clear_output" or not cell.outputs:
            self.kept = 0
        if kind in ("stream", "display_data", "execute_result"):
            texts = [content.get("text"), *content.get("data", {}).values()]
            self.kept += sum(len(t) for t in texts if isinstance(t, str))
        if self.kept > ROOM:
            if self.task_poll_for_reply:
                self.task_poll_for_reply.cancel()  # as of a dead kernel
            return None
        result = super().process_message(msg, cell, cell_index)
        if self.output_hook_stack and self.kc:
            # An Output widget may have answered the kernel, and in sending
            # have used up the sign that the kernel's reply has come.
            self.kc.shell_channel.socket.get(zmq.EVENTS)
        return result


def joined(outputs: list[Any]) -> list[Any]:
    """Return a cell's outputs with neighbouring pieces of a stream joined."""
    result: list[Any] = []
    for name, group in groupby(outputs, lambda output: output.get("name")):
        pieces = list(group)
        if name is not None:  # a stream
            pieces[0]["text"] = "".join(each["text"] for each in pieces)
            del pieces[1:]
        result += pieces
    return result


def _leave(cell: Any, cell_index: int, execute_reply: Any) -> None:
    """Stop where exit() and quit() do, which a kernel does a little later."""
    for each in execute_reply["content"].get("payload", []):
        if each.get("source") == "ask_exit" and not each.get("keepkernel"):
            raise CellExecutionError("", "SystemExit", "0")


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
    notebook.metadata.pop("widgets", None)
    started: list[int] = []
    options.setdefault("record_timing", False)
    options.setdefault("shutdown_kernel", "immediate")
    client: Client = Client(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        on_notebook_start=lambda notebook: _describe_figures(client),
        on_cell_start=lambda cell, cell_index: started.append(cell_index),
        on_cell_executed=_leave,
        **options,
    )

    async def work(env: dict[str, str]) -> None:
        manager = client.km
        for again in (True, False):
            try:
                await client.async_execute(
                    cleanup_kc=True, env=env, stderr=subprocess.DEVNULL
                )
                break
            except RuntimeError:  # as when a port was taken meanwhile
                if started or not again:
                    raise
            finally:  # what nbclient leaves when a kernel does not start
                atexit.unregister(client._cleanup_kernel)
                if client.km and client.km.has_kernel:
                    await ensure_async(client.km.shutdown_kernel(now=True))
            client.kc = None  # with new ones, for these are closed
            client.km = manager and type(manager)(
                kernel_name=manager.kernel_name,
                kernel_spec_manager=manager.kernel_spec_manager,
            )

    try:
        with tempfile.TemporaryDirectory(prefix="nbsight") as profile:
            settings = Path(profile, "matplotlibrc")
            settings.touch()
            whole = {"PYTHONHASHSEED": "0"}
            whole |= {k: v for k, v in os.environ.items() if k not in UNSET}
            whole |= {"IPYTHONDIR": profile, "MATPLOTLIBRC": str(settings)}
            stop.run(work(whole | (env or {})))
    except Exception as raised:
        error = raised
        if client.kept > ROOM:
            error = TooMuch(f"more than {ROOM} characters were put out")
        raise CellFailed(started[-1] if started else None, error) from error
    finally:
        with suppress(KeyError):  # of a state that is not whole
            client.set_widgets_metadata()  # although a cell has failed
        for cell in code:
            cell.outputs = joined(cell.outputs)
    return notebook
