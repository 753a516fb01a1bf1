"""The time in which a gateway has no connection to the broker, though its clients notice nothing on their sockets."""

from __future__ import annotations

from typing import Literal

from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.orders import read_ticket
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState
from tws_simulator.wire.row import Message

Orders = Literal["queued", "lost", "working"]

REQUESTS_OF_ORDERS = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel"})
QUESTIONS = frozenset({"reqContractDetails", "reqMatchingSymbols"})
"""Only the broker knows the answer."""
_HELD_MAX = 10_000


class Outage:
    """What is done with orders meanwhile.

    ``queued`` is a gateway's setting "maintain and resubmit orders when connection is restored", on since 10.28.
    """

    def __init__(self, orders: Orders) -> None:
        self.held: list[tuple[Session, Message]] = []
        self._orders = orders

    def keeps(self, gateway: GatewayState, session: Session, request: Message) -> bool:
        """Whether a request does not reach the broker now; the gateway knows the ids of orders that it took."""
        if request.name in QUESTIONS:
            return True
        if request.name not in REQUESTS_OF_ORDERS or self._orders == "working":
            return False
        queues = self._orders == "queued" and len(self.held) < _HELD_MAX
        if queues:
            self.held.append((session, request))
        if request.name == "placeOrder":
            gateway.known.take(session.client_id, request.get("orderId", 0))
            if queues:
                _list(gateway, session, request)
        return True


def _list(gateway: GatewayState, session: Session, request: Message) -> None:
    """What nobody can read is refused when the link is back."""
    try:
        gateway.known.await_link(read_ticket(gateway, session, request))
    except Refused:
        return
