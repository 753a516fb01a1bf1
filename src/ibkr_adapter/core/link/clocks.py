"""Whether the times we act on are true: the gateway's clock against ours, and ours against what it was.

Orders expire and windows open by our clock, and what IB dates we compare with it. A second of difference is told; at
five no order is sent until the clocks agree again.
"""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.clock import SECOND
from ibkr_adapter.clock_offset import TOLD_NS, Offset, distance
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition

CLOSED_NS = 5 * SECOND


class Clocks:
    """``step_ns``: how far the machine's clock was moved since the service started."""

    def __init__(self) -> None:
        self._step_ns = 0

    def stepped(self, step_ns: int) -> None:
        self._step_ns = step_ns

    def reasons(self, offset: Offset | None) -> Iterator[Reason]:
        """Why no order is sent."""
        if offset is not None and offset.surely_ns > CLOSED_NS:
            yield Reason(
                code="clock",
                text=f"the gateway's clock is {distance(offset.ahead_ns)} ours",
                remedy="let both machines keep time by NTP",
            )
        elif abs(self._step_ns) > CLOSED_NS:
            yield Reason(
                code="clock",
                text=f"this machine's clock is {distance(self._step_ns)} where it was when the service started",
                remedy="set it right, or restart the service if it is right now",
            )

    def conditions(self, offset: Offset | None) -> Iterator[Condition]:
        if offset is not None and offset.worth_telling:
            yield Condition(
                key="clock/offset",
                severity=_severity(offset.surely_ns),
                text=f"the gateway's clock is {distance(offset.ahead_ns)} ours",
                remedy="let both machines keep time by NTP",
            )
        if abs(self._step_ns) > TOLD_NS:
            yield Condition(
                key="clock/step",
                severity=_severity(self._step_ns),
                text=f"this machine's clock was moved: it is {distance(self._step_ns)} where it was",
                remedy="let it keep time by NTP; restart the service if it is right now",
            )


def _severity(ns: int) -> AlertSeverity:
    return AlertSeverity.CRITICAL if abs(ns) > CLOSED_NS else AlertSeverity.WARNING
