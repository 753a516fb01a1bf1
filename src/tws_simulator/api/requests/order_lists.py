"""The orders that are working, as openOrder and orderStatus pairs with an end marker."""

from __future__ import annotations

from tws_simulator.api.echoes import order_status
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState
from tws_simulator.wire.row import message


def send_open_orders(gateway: GatewayState, session: Session, client_id: int | None) -> None:
    """Of one client, or of all."""
    for view in gateway.world.exchange.open_orders(client_id):
        session.send(gateway.echoes.open_order(view))
        session.send(order_status(view))
    session.send(message("openOrderEnd"))
