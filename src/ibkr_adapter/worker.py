"""The one place where threads start.

A thread here does one thing and shares one object. ``Worker`` runs one callable until it is told to stop; ``Serial``
runs the calls given to it, one after the other, for a dependency that blocks.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """A named thread around ``run``, which returns soon after ``stop`` was called.

    What ``run`` raises ends the thread and is handed to ``on_error``, on that thread. The thread is a daemon: a disk
    that never answers must not keep the process from ending.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        stop: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.name = name
        self._run = run
        self._stop = stop
        self._on_error = on_error
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"<Worker {self.name} {'running' if self.alive else 'not running'}>"

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; from any thread, any number of times."""
        self._stop()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when it has not come in time. A worker that was never started has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self.alive

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - whatever ends a thread must be told, or it dies in silence
            self._on_error(error)


class Serial:
    """Runs calls on one thread of its own, in the order given; at most ``bound`` may wait."""

    def __init__(self, name: str, *, bound: int = 64) -> None:
        self._bound = bound
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._worker = Worker(name, self._run, stop=self._send_stop, on_error=self._died)
        self._started = False
        self._stopped = False

    def __repr__(self) -> str:
        return f"<Serial {self._worker.name} waiting {self._calls.qsize()}>"

    async def call(self, function: Callable[[], T]) -> T:
        """The result of ``function``, run on the thread. A call that is cancelled while it runs still runs to its end.

        Raises ``RuntimeError`` once stopped, ``queue.Full`` at the bound.
        """
        if self._stopped:
            raise RuntimeError(f"{self._worker.name} is stopped")
        if not self._started:
            self._started = True
            self._worker.start()
        if self._calls.qsize() >= self._bound:
            raise queue.Full
        future: Future[T] = Future()
        self._calls.put((future, function))
        return await asyncio.wrap_future(future)

    def stop(self, timeout_s: float) -> bool:
        """Finish what waits, then end; False when that takes longer."""
        if not self._stopped:
            self._stopped = True
            self._worker.stop()
        return self._worker.join(timeout_s)

    def _send_stop(self) -> None:
        if self._started:
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who awaits the future
                future.set_exception(error)

    def _died(self, error: BaseException) -> None:
        raise error
