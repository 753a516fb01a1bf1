"""One line of the log for each transition: connects, disconnects, notices, and what becomes of orders. None for data.

Lines are made of events only, so nothing can be logged that did not happen. Every line that concerns an instrument has
its ``symbol``, every line that concerns our client id has that.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import structlog

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import (
    AlertChanged,
    AlertSeverity,
    BrokerTime,
    JournalEvent,
    LinkChanged,
    NoticeReceived,
    OrderChanged,
    OrderRefused,
    SessionLost,
    SessionOpened,
    StreamsSwitched,
)
from ibkr_adapter.fanout import Subscription
from ibkr_adapter.notices import Notice
from ibkr_adapter.requests import Request
from ibkr_adapter.snapshot import SinkView

ORDERS_REMEMBERED: Final = 1_000
"""Orders whose last line is remembered, so that a commission that comes later is no second ``order_filled``."""

UNKNOWN_EVERY_NS: Final = 60 * SECOND
"""A code that no table knows has one line, then one a minute: nobody can say how often IB will send it."""

UNKNOWN_CODES_MAX: Final = 200
"""Unknown codes told apart; those beyond share one line a minute."""

_LEVELS: Final = {"info": "info", "warning": "warning"}
_LINK_LEVELS: Final = {"ready": "info", "suspect": "warning", "halted": "error"}
_ALARMING: Final = frozenset({"rejected", "refused", "in_doubt", "not_found", "lapsed"})

_log = structlog.get_logger()


class Reporter:
    """Writes the lines; ``client_id`` is ours."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._available_epoch = 0
        self._told: dict[str, tuple[str, Decimal]] = {}
        self._unknown: dict[int, tuple[int, int]] = {}

    def connected(self, event: SessionOpened) -> None:
        _log.info(
            "connected",
            gateway=event.gateway,
            client_id=event.client_id,
            epoch=event.epoch,
            server_version=event.server_version,
        )

    def told_time(self, event: BrokerTime) -> None:
        """The first answer of a session: the gateway has given us the client id, and speaks with us."""
        if event.epoch > self._available_epoch:
            self._available_epoch = event.epoch
            _log.info("client_id_available", client_id=self._client_id, epoch=event.epoch)

    def disconnected(self, event: SessionLost, *, stopping: bool) -> None:
        """A warning, unless it belongs to a stop. What we ended for its silence is a failure like any other."""
        getattr(_log, "info" if stopping else "warning")(
            "disconnected",
            gateway=event.gateway,
            client_id=event.client_id,
            epoch=event.epoch,
            cause=event.cause.value,
            detail=event.detail,
            unsent=event.unsent,
        )

    def link(self, change: LinkChanged) -> None:
        """What a connect or a disconnect does not say: ready, suspect, halted."""
        if change.state in _LINK_LEVELS:
            getattr(_log, _LINK_LEVELS[change.state])(
                f"link_{change.state}",
                gateway=change.gateway,
                client_id=self._client_id,
                epoch=change.epoch,
                detail=change.detail,
            )

    def notice(self, event: NoticeReceived, notice: Notice, symbol: str) -> None:
        unwritten = self._unwritten(event) if notice.unknown else 0
        if unwritten is None:
            return
        getattr(_log, _LEVELS.get(notice.severity, "error"))(
            "notice",
            req_id=event.req_id,
            client_id=self._client_id,
            **({"symbol": symbol} if symbol else {}),
            error_code=event.code,
            text=event.text,
            meaning=notice.text,
            **({"unwritten": unwritten} if unwritten else {}),
        )

    def _unwritten(self, event: NoticeReceived) -> int | None:
        """How many of this unknown code were left out since its last line; ``None`` if this one is left out too."""
        full = len(self._unknown) >= UNKNOWN_CODES_MAX
        key = event.code if event.code in self._unknown or not full else -1
        last_ns, count = self._unknown.get(key, (None, 0))
        if last_ns is not None and event.ts_recv_ns - last_ns < UNKNOWN_EVERY_NS:
            self._unknown[key] = (last_ns, count + 1)
            return None
        self._unknown[key] = (event.ts_recv_ns, 0)
        return count

    def recorded(self, record: JournalEvent) -> None:
        """An order's intent, refusal, sending, fills and end, each once; and who switched market data."""
        match record:
            case StreamsSwitched():
                _log.warning("streams_stopped" if record.stopped else "streams_started", actor=record.actor)
            case OrderRefused():
                _log.warning(
                    "order_refused",
                    order_key=record.order_key,
                    order_id=record.order_id,
                    client_id=self._client_id,
                    symbol=record.terms.instrument.key,
                    actor=record.actor,
                    reasons=[reason.code for reason in record.reasons],
                )
            case OrderChanged() if not record.foreign and record.state != "refused":
                self._order(record)
            case _:
                pass

    def _order(self, order: OrderChanged) -> None:
        if self._told.get(order.order_key) == (order.state, order.filled):
            return
        self._told.pop(order.order_key, None)
        self._told[order.order_key] = (order.state, order.filled)
        if len(self._told) > ORDERS_REMEMBERED:
            self._told.pop(next(iter(self._told)))
        getattr(_log, "warning" if order.state in _ALARMING else "info")(
            f"order_{order.state}",
            order_key=order.order_key,
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.terms.instrument.key,
            filled=str(order.filled),
            remaining=str(order.remaining),
            **({"detail": order.detail} if order.detail else {}),
        )

    def alert(self, event: AlertChanged) -> None:
        level = "info" if not event.raised else "error" if event.severity is AlertSeverity.CRITICAL else "warning"
        getattr(_log, level)(
            "alert_raised" if event.raised else "alert_resolved",
            key=event.key,
            severity=event.severity.value,
            text=event.text,
            **({"remedy": event.remedy} if event.remedy else {}),
            for_s=round((event.ts_recv_ns - event.since_ns) / SECOND, 1),
        )

    def not_encodable(self, request: Request, detail: str) -> None:
        instrument = getattr(request, "instrument", None)
        _log.error(
            "request_not_encodable",
            request=type(request).__name__,
            client_id=self._client_id,
            **({"symbol": instrument.key} if instrument is not None else {}),
            detail=detail,
        )

    def left_uncancelled(self, count: int) -> None:
        _log.warning(
            "subscriptions_not_cancelled",
            client_id=self._client_id,
            count=count,
            detail="the time for it was over; the gateway ends them with the session",
        )

    def journal_failed(self, detail: str) -> None:
        _log.error("journal_failed", detail=detail, gate="closed until a restart")

    def wall_clock_stepped(self, step_ns: int) -> None:
        _log.warning("wall_clock_stepped", step_s=round(step_ns / SECOND, 3))


# --- Of those who take what we publish ----------------------------------------------------------------------------


def slow_consumer(subscription: Subscription) -> None:
    _log.warning("slow_consumer", consumer=subscription.name, bound=subscription.bound, dropped=subscription.dropped)


def sink_changed(status: SinkView) -> None:
    if status.up:
        _log.info("sink_up", sink=status.name)
    else:
        _log.warning("sink_down", sink=status.name, detail=status.detail)
