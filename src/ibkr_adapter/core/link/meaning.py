"""What the state of the link means: for orders, for whoever is on call, and for whoever looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.snapshot import LinkView

if TYPE_CHECKING:
    from ibkr_adapter.core.link.link import Link

UNREADY_AFTER_NS = 60 * SECOND
"""A session that is open and not ready for this long alerts. Large downloads take seconds."""


def reasons(link: Link, now_ns: int) -> Iterator[Reason]:
    """Why no new order may be sent on this link."""
    if link.suspect:
        yield Reason(
            code="silent",
            text=f"nothing has come from the gateway for {link.heartbeat.silent_ns(now_ns) / SECOND:.0f} s",
            remedy="it opens by itself when the gateway answers; after 15 s the connection is made anew",
        )
    elif not link.ready:
        yield Reason(
            code="link", text=f"the link is {link.state.value}: {link.detail}", remedy="wait until it is ready"
        )
    if not link.gateway.trading:
        yield Reason(
            code="standby",
            text=f"gateway {link.gateway.name} serves data and account only",
            remedy=f"set gateways.{link.gateway.name}.trading = true if orders may go there",
        )
    if (window := link.calendar.closing(now_ns)) is not None:
        yield Reason(
            code="restart_window",
            text=f"planned window {link.calendar.words(window)}",
            remedy=f"it opens by itself when that is over; gateways.{link.gateway.name}.windows sets it",
        )
    yield from link.clocks.reasons(link.heartbeat.offset)


def conditions(link: Link) -> Iterator[Condition]:
    """What is wrong with the connection; a cause that is known speaks for the outage that it makes."""
    known = tuple(link.troubles.conditions())
    yield from known
    yield from link.clocks.conditions(link.heartbeat.offset)
    if link.halted:
        yield Condition(
            key="link/halted",
            severity=AlertSeverity.CRITICAL,
            text=f"stopped for good: {link.detail}",
            remedy="log the gateway in to the account of this environment, then restart the service",
        )
    elif link.reconciled_once:
        if link.gateways.on_standby:
            yield _standby(link)
    elif link.gateways.failing and not known:
        yield Condition(
            key="link/down",
            severity=AlertSeverity.CRITICAL,
            text=f"no session with {' or '.join(link.gateways.names)}: {link.lost_because}",
            remedy="see that the gateway runs and is logged in; `ibkr-adapter doctor` tells what is wrong",
            excusable=True,
        )
    if link.socket_open and not link.reconciled_once:
        yield Condition(
            key="link/unready",
            severity=AlertSeverity.CRITICAL,
            text=f"a session with {link.gateway.name} is open and does not become ready: {_awaited(link)}",
            remedy="the gateway does not answer all that is asked: see its own messages; restart it",
            after_ns=UNREADY_AFTER_NS,
            excusable=True,
            adds_up=False,
        )


def view(link: Link, now_ns: int) -> LinkView:
    """For whoever looks."""
    excuse = link.excuse(now_ns)
    offset = link.heartbeat.offset
    return LinkView(
        state=link.state.value,
        gateway=link.gateway.name,
        address=link.gateway.address,
        epoch=link.epoch,
        client_id=link.client_id,
        since_ns=link.since_ns,
        server_version=link.server_version,
        last_inbound_ns=link.heartbeat.last_inbound_ns,
        detail=link.detail,
        failures=link.gateways.failed_attempts,
        next_attempt_ns=link.gateways.next_attempt_ns,
        standby=link.gateways.on_standby,
        excuse=excuse.name if excuse is not None else "",
        excused_until_ns=excuse.until_ns if excuse is not None else None,
        clock_ahead_ns=offset.ahead_ns if offset is not None else None,
    )


def _awaited(link: Link) -> str:
    return f"{link.detail}; no end of {', '.join(link.awaited)}" if link.awaited else link.detail


def _standby(link: Link) -> Condition:
    return Condition(
        key="link/standby",
        severity=AlertSeverity.WARNING,
        text=f"the standby {link.gateway.name} is in use",
        remedy="nothing goes back by itself: restart the service once the environment's own gateway is well",
    )
