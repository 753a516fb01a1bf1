"""Whether our client id is ours, where several machines share it: what the keeper of the lease last said.

Without the lease no new order is placed or changed, and no connection is made. One that stands is kept: while it
stands the gateway gives our client id to nobody else, and cancels on it only reduce risk. That ends when another has
taken the lease for good.
"""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.events import LeaseChanged
from ibkr_adapter.snapshot import LeaseView

DOUBT_NS = 2 * SECOND
"""A renewal that fails is tried again several times a second: what is over by then closed the gate and no more."""

BLIND_NS = 30 * SECOND


class LeaseState:
    """Where no lease is ``required`` the lock on this machine suffices, and the client id is ours from the start."""

    def __init__(self, *, required: bool, client_id: int, now_ns: int) -> None:
        self.required = required
        self.held = not required
        self.lost = False
        self.epoch = 0
        self.detail = "not asked for yet" if required else ""
        self._client_id = client_id
        self._was_held = False
        self._blind = False
        self._since_ns = now_ns

    def changed(self, event: LeaseChanged) -> None:
        if event.held != self.held:
            self._since_ns = event.ts_recv_ns
        self.held = event.held
        self.lost = self.lost or event.lost
        self.epoch = event.epoch
        self._blind = event.blind
        self.detail = event.detail
        self._was_held = self._was_held or event.held

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        if not self.held:
            yield Reason(
                code="lease",
                text=f"client id {self._client_id} is not ours: {self.detail}",
                remedy="this service takes over by itself when the lease is free"
                if not self._was_held
                else "see whether Redis works and who has ib:clientid",
            )

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        """A service that stands by is well; one that had the lease and has not, or cannot see who has it, is not."""
        if self._was_held and not self.held:
            yield Condition(
                key="lease/lost",
                severity=AlertSeverity.CRITICAL,
                text=f"the lease of client id {self._client_id} is not held: {self.detail}",
                remedy="no order is placed or changed until it is held again; see Redis, and the other machine",
                after_ns=0 if self.lost else DOUBT_NS,
            )
        elif self._blind:
            yield Condition(
                key="lease/blind",
                severity=AlertSeverity.CRITICAL,
                text=f"nobody can tell who has client id {self._client_id}: {self.detail}",
                remedy="start Redis, or correct redis.url: until then this machine takes over from nobody",
                after_ns=BLIND_NS,
            )

    def view(self) -> LeaseView:
        return LeaseView(
            required=self.required, held=self.held, epoch=self.epoch, since_ns=self._since_ns, detail=self.detail
        )
