"""Streams that are asked for and refused, or asked for again and not even answered: nothing comes of them."""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.clock import MINUTE
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.stream import Stream
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.windows import RESETS

DEAD_NS = MINUTE
TOLD_MAX = 10
"""So many are named in one alert."""


def conditions(
    subscriptions: Subscriptions, contracts: Contracts, now_ns: int, *, trading: bool
) -> Iterator[Condition]:
    """``trading``: orders are sent here, so that one without a price in its open market is a loss of more than data."""
    dead = [stream for stream in subscriptions if stream.wanted and stream.failed]
    if subscriptions.stopped or not dead:
        return
    critical = trading and any(contracts.hours(stream.key).liquid.opened_ns(now_ns) is not None for stream in dead)
    more = f" and {len(dead) - TOLD_MAX} more" if len(dead) > TOLD_MAX else ""
    yield Condition(
        key="data/dead",
        severity=AlertSeverity.CRITICAL if critical else AlertSeverity.WARNING,
        text=f"no data of {'; '.join(_named(stream) for stream in dead[:TOLD_MAX])}{more}",
        remedy="each is asked for again, at least every 5 minutes; a subscription that is missing is bought at IB",
        after_ns=DEAD_NS,
        excused_by=RESETS,
    )


def _named(stream: Stream) -> str:
    return f"{stream.name} ({stream.detail})" if stream.detail else stream.name
