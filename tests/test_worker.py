from __future__ import annotations

import asyncio
import queue
import threading

import pytest

from ibkr_adapter.worker import Serial, Worker


def test_a_worker_runs_until_it_is_told_to_stop() -> None:
    """Start runs the callable on a thread of the given name; stop makes it return; join says that it has."""
    stopping = threading.Event()
    names: list[str] = []

    def run() -> None:
        names.append(threading.current_thread().name)
        stopping.wait()

    worker = Worker("reader", run, stop=stopping.set, on_error=names.append)
    assert worker.join(0)
    worker.start()
    assert repr(worker) == "<Worker reader running>"
    assert not worker.join(0)
    worker.stop()
    worker.stop()
    assert worker.join(30)
    assert names == ["reader"]
    assert repr(worker) == "<Worker reader not running>"


def test_what_ends_a_worker_is_reported() -> None:
    """A thread does not die in silence, not even of SystemExit."""
    errors: list[BaseException] = []

    def run() -> None:
        raise SystemExit("over")

    worker = Worker("reader", run, stop=lambda: None, on_error=errors.append)
    worker.start()
    assert worker.join(30)
    assert [str(error) for error in errors] == ["over"]


async def test_calls_run_in_order_on_one_thread() -> None:
    """The same thread runs every call, one after the other."""
    serial = Serial("store")
    order: list[tuple[int, str]] = []
    await asyncio.gather(
        *(serial.call(lambda n=n: order.append((n, threading.current_thread().name))) for n in range(20))
    )
    assert order == [(n, "store") for n in range(20)]
    assert serial.stop(30)


async def test_what_a_call_raises_belongs_to_its_caller() -> None:
    """An error reaches who awaits it, and the thread goes on."""
    serial = Serial("store")
    with pytest.raises(ZeroDivisionError):
        await serial.call(lambda: 1 / 0)
    assert await serial.call(lambda: 1) == 1
    serial.stop(30)


async def test_waiting_calls_are_bounded() -> None:
    """A dependency that hangs makes callers fail, not wait without end; stop says that it could not finish."""
    serial = Serial("store", bound=2)
    hung, release = threading.Event(), threading.Event()
    first = asyncio.ensure_future(serial.call(lambda: (hung.set(), release.wait())))
    await asyncio.sleep(0)
    assert hung.wait(30)
    waiting = [asyncio.ensure_future(serial.call(lambda: None)) for _ in range(2)]
    await asyncio.sleep(0)
    assert repr(serial) == "<Serial store waiting 2>"
    with pytest.raises(queue.Full):
        await serial.call(lambda: None)
    assert not serial.stop(0.01)
    release.set()
    await asyncio.gather(first, *waiting)
    assert serial.stop(30)


async def test_nothing_is_called_after_stop() -> None:
    """A stopped thread refuses work at once; one that never ran stops as well."""
    serial = Serial("store")
    assert serial.stop(0)
    with pytest.raises(RuntimeError, match="store is stopped"):
        await serial.call(lambda: None)
