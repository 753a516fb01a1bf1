"""Keeps this machine's claim on a client id up to date, and answers the network thread whether it may place.

The rules are in ``claim.py``; here are the clock, Redis, the mark on disk, and those who want to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.errors import LeaseLapsed, LeaseLost, StoreError
from ibkr_adapter.events import LeaseChanged
from ibkr_adapter.lease.claim import LOOKS, Claim, Hold, Record, Take
from ibkr_adapter.lease.mark import EpochMark
from ibkr_adapter.lease.redis_epoch import RedisEpoch

RELEASE_S_MAX = 1.0

_log = structlog.get_logger()


class LeaseKeeper:
    """``may_place`` may be asked from any thread and never waits; everything else belongs to the loop."""

    def __init__(
        self,
        key: RedisEpoch,
        mark: EpochMark,
        *,
        client_id: int,
        name: str,
        token: str,
        ttl_ns: int,
        clock: Clock,
        tell: Callable[[LeaseChanged], None],
        boottime_ns: Callable[[], int] | None = None,
    ) -> None:
        self._key = key
        self._mark = mark
        self._client_id = client_id
        self._clock = clock
        self._tell = tell
        self._now_ns = boottime_ns or boottime
        self._claim = Claim(token, ttl_ns=ttl_ns, mark=mark.epoch)
        self._until_ns = 0
        self._told: tuple[bool, str] | None = None
        self._mine = Record(
            token=token,
            epoch=0,
            beat=0,
            name=name,
            host=socket.gethostname(),
            pid=os.getpid(),
            since_ns=0,
            ttl_ns=ttl_ns,
        )

    def __repr__(self) -> str:
        return f"<LeaseKeeper {self._key.key} {self._claim!r}>"

    def may_place(self) -> bool:
        """The lease is held and its deadline has not passed, by a clock that also counts while the machine sleeps.

        One integer, written by the loop and read here: no lock is needed, and none could be waited for.
        """
        return self._now_ns() < self._until_ns

    def check(self) -> None:
        """Raise ``LeaseLapsed`` unless we hold it at this moment: asked before each connection that uses the id.

        What was told of it last may be old: a process that was stopped goes on with what was due before it looks.
        """
        if not self.may_place():
            raise LeaseLapsed(f"the lease of client id {self._client_id} is not held at this moment: not connected")

    async def run(self) -> None:
        """Until cancelled. Raises ``LeaseLost`` when another has taken the client id."""
        while self._claim.state is not Hold.LOST:
            await self._step()
            now_ns = self._now_ns()
            await asyncio.sleep(max(0, self._claim.next_ns(now_ns) - now_ns) / SECOND)
        await asyncio.sleep(self._claim.ttl_ns / LOOKS / SECOND)  # the session is closed meanwhile
        raise LeaseLost(
            f"the lease of client id {self._client_id} is lost: {self._who()} took it",
            remedy="nothing, if a supervisor starts this service again: it then stands by",
        )

    async def release(self) -> None:
        """Let the next one have it at once; our session must be closed by now."""
        self._until_ns = 0
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(RELEASE_S_MAX):
                if await self._key.release(self._claim.token):
                    _log.info("lease_released", client_id=self._client_id, epoch=self._claim.epoch)
        with contextlib.suppress(StoreError):
            await self._key.close()

    async def _step(self) -> None:
        claim, asked_ns = self._claim, self._now_ns()
        step = claim.step(asked_ns)
        try:
            self._mark.rise(step.epoch if isinstance(step, Take) else claim.mark)
            done, record = await self._key.perform(step, replace(self._mine, since_ns=self._clock.now_ns()))
        except StoreError as error:
            claim.failed(error.message, self._now_ns())
        else:
            claim.answered(step, done, record, asked_ns=asked_ns, now_ns=self._now_ns())
        self._until_ns = claim.until_ns
        self._say()

    def _say(self) -> None:
        """Whom it concerns is told of each change, once."""
        held, detail = self._claim.state is Hold.HELD, self._detail()
        if (held, detail) == self._told:
            return
        self._told = held, detail
        lost = self._claim.state is Hold.LOST
        event = LeaseChanged(
            ts_recv_ns=self._clock.now_ns(),
            held=held,
            epoch=self._claim.epoch if held else self._claim.mark,
            detail=detail,
            lost=lost,
            blind=not held and bool(self._claim.trouble),
        )
        (_log.info if held or self._claim.state is Hold.WATCHING else _log.error)(
            "lease_held" if held else "lease_standby" if self._claim.state is Hold.WATCHING else "lease_not_held",
            client_id=self._client_id,
            epoch=event.epoch,
            detail=detail,
        )
        self._tell(event)

    def _detail(self) -> str:
        claim = self._claim
        if claim.state is Hold.HELD:
            return f"held by {self._mine.name}, epoch {claim.epoch}"
        if claim.trouble:
            return claim.trouble
        if claim.state is Hold.LOST:
            return f"{self._who()} took it"
        if claim.seen is None or claim.seen.vacant:
            wait_s = claim.watching_for_ns / SECOND
            return f"nothing in Redis says who has it; taken when that stays so for {wait_s:g} s"
        return f"held by {self._who()}" if claim.seen.token != claim.token else "our own hold lapsed; taken again soon"

    def _who(self) -> str:
        record = self._claim.seen
        if record is None or record.vacant:
            return "nobody"
        since = datetime.fromtimestamp(record.since_ns // SECOND, UTC)
        return (
            f"{record.name or 'another'} (host {record.host or 'unknown'}, process {record.pid}, epoch {record.epoch})"
            f" since {since:%Y-%m-%d %H:%M:%S} UTC"
        )


def boottime() -> int:
    """Nanoseconds since the machine started, those in which it slept included, where the system can tell."""
    return time.clock_gettime_ns(_BOOTTIME)


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
