"""The service as its own process, which kills itself with SIGKILL at a named point of the next placement.

    python killed_service.py POINT PORT ACCOUNT DATA_DIR

Points: ``before_append``, ``after_append``, ``after_sync``, ``after_send``, ``after_acknowledgement``, ``after_fill``,
``after_fill_recorded``, or ``never``; ``disk_fails`` fails the sync of the intent instead. Everything else is the
service as it ships, with the patience of inquiries shortened.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Self

from msgspec.structs import replace

from ibkr_adapter import app, service
from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import Config
from ibkr_adapter.config.reading import simulated
from ibkr_adapter.core.engine import Engine
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Append, Durable
from ibkr_adapter.events import ExecutionReported, FrameSent, OpenOrderReported, OrderIntended
from ibkr_adapter.journal.writer import JournalWriter
from ibkr_adapter.ops import logging

ARRIVALS = {"after_send": FrameSent, "after_acknowledgement": OpenOrderReported, "after_fill": ExecutionReported}


class Impatient(Settings, frozen=True, kw_only=True):
    """Asks the broker sooner than a service does, so that a test need not wait."""

    @classmethod
    def of(cls, config: Config) -> Self:
        return replace(super().of(config), inquiry_every_ns=SECOND // 2, absence_apart_ns=SECOND // 2)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KilledEngine(Engine):
    """Dies when the broker's message of the point arrives, before anything is made of it."""

    deadly: type | None = None
    after_record = False

    def receive(self, happenings: Sequence[Any], now_ns: int, out: Any) -> None:
        kinds = {type(happening) for happening in happenings}
        if self.deadly is not None and self.deadly in kinds:
            die()
        if self.after_record and Durable in kinds and len(self.ledger.executions):
            die()
        super().receive(happenings, now_ns, out)


class KilledWriter(JournalWriter):
    """Dies before an intent is queued, or around the sync that makes it durable."""

    point = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, sync=self.sync)
        self.intent_queued = False

    def append(self, appends: Sequence[Append]) -> None:
        if any(isinstance(append.event, OrderIntended) for append in appends):
            if self.point == "before_append":
                die()
            self.intent_queued = True
        super().append(appends)

    def sync(self, descriptor: int) -> None:
        if self.intent_queued and self.point == "after_append":
            die()
        if self.intent_queued and self.point == "disk_fails":
            raise OSError(28, "No space left on device")
        os.fdatasync(descriptor)
        if self.intent_queued and self.point == "after_sync":
            die()


async def main(point: str, port: str, account: str, data_dir: str) -> None:
    KilledEngine.deadly = ARRIVALS.get(point)
    KilledEngine.after_record = point == "after_fill_recorded"
    KilledWriter.point = point
    service.Engine = KilledEngine  # type: ignore[misc]
    service.JournalWriter = KilledWriter  # type: ignore[misc]
    service.Settings = Impatient  # type: ignore[misc]
    logging.configure("warning")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = simulated(int(port), account, data_dir, "127.0.0.1:0")
    await app.serve(config, stop=stop, announce=lambda running: print("running", running.url, flush=True))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
