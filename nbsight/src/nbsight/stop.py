"""Ends what runs when somebody says so: Ctrl-C and SIGTERM."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from typing import Any


def obey_sigterm() -> Callable[[], None]:
    """Have SIGTERM do what Ctrl-C does; return what undoes that."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return lambda: None
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def undo() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return undo


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, or until a signal interrupts this thread.

    It runs in a thread of its own. So signals come here, where they raise at
    once, and nbclient, which obeys them by closing the kernel under a cell
    that goes on, does not see them. The coroutine is cancelled and may clean
    up before the interrupt is raised further.
    """
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []
    ready = threading.Event()

    async def watched() -> None:
        task = asyncio.ensure_future(work)
        started.append((asyncio.get_running_loop(), task))
        ready.set()
        await task

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, watched())
        try:
            while not done.done():
                try:
                    done.result(timeout=0.5)  # Windows wakes for no signal
                except TimeoutError:
                    continue
        except BaseException:
            ready.wait()
            loop, task = started[0]
            if not done.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
    done.result()
