"""The time in which a gateway has no connection to the broker, though its clients notice nothing on their sockets."""

from __future__ import annotations

from typing import Literal

from tws_simulator.api.session import Session
from tws_simulator.wire.row import Message

Orders = Literal["queued", "lost", "working"]

REQUESTS_OF_ORDERS = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel"})
_REPORTS = frozenset({"openOrder", "orderStatus", "commissionAndFeesReport"})
_HELD_MAX = 10_000


class Outage:
    """What is done with orders meanwhile, and whether fills are reported.

    ``queued`` is a gateway's setting "maintain and resubmit orders when connection is restored", on since 10.28.
    """

    def __init__(self, orders: Orders, *, fills_told: bool) -> None:
        self.held: list[tuple[Session, Message]] = []
        self._orders = orders
        self._fills_told = fills_told

    def keeps(self, session: Session, request: Message) -> bool:
        """Whether a request does not reach the broker now."""
        if request.name not in REQUESTS_OF_ORDERS or self._orders == "working":
            return False
        if self._orders == "queued" and len(self.held) < _HELD_MAX:
            self.held.append((session, request))
        return True

    def hides(self, reply: Message) -> bool:
        """Whether a report of an order does not reach the gateway now."""
        if self._fills_told:
            return False
        return reply.name in _REPORTS or (reply.name == "execDetails" and reply.get("reqId", -1) == -1)
