"""The orders that are working, as openOrder and orderStatus pairs with an end marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tws_simulator.echoes import order_status
from tws_simulator.wire.row import message

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session


def send_open_orders(gateway: GatewayCore, session: Session, client_id: int | None) -> None:
    """Of one client, or of all."""
    for view in gateway.exchange.open_orders(client_id):
        session.send(gateway.echoes.open_order(view))
        session.send(order_status(view))
    session.send(message("openOrderEnd"))
