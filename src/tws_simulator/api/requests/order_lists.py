"""Lists of orders: those that work, as pairs with an end marker, and those that are finished."""

from __future__ import annotations

from tws_simulator.api.echoes import completed_order, open_order, order_status, pending_order
from tws_simulator.api.notices.session import ONLY_CLIENT_0_BINDS, READ_ONLY
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.world.orders.disorder import disordered
from tws_simulator.world.orders.exchange import CLIENT_THAT_BINDS
from tws_simulator.world.orders.tickets import OrderStatus


def send_open_orders(gateway: GatewayState, session: Session, client_id: int | None) -> None:
    """Of one client, or of all."""
    for view in disordered(gateway.known.open_orders(client_id)):
        session.send(open_order(view))
        session.send(order_status(view))
    for ticket in gateway.known.pending_orders(client_id):
        for told in pending_order(ticket):
            session.send(told)
    session.send(message("openOrderEnd"))


def _req_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    """Client 0 thereby binds the orders of the gateway's own screen, those that are there now; not in a read-only one.

    There the list is told all the same, since reading is allowed.
    """
    if session.client_id == CLIENT_THAT_BINDS and not gateway.options.read_only:
        gateway.deliver(gateway.world.exchange.bind(gateway.now_ns))
    send_open_orders(gateway, session, session.client_id)


def _req_all_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    send_open_orders(gateway, session, None)


def _req_auto_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    """From now on orders of the gateway's own screen are client 0's. No end marker, as in a real one.

    A read-only gateway refuses it, as all that would change an order.
    """
    if session.client_id != CLIENT_THAT_BINDS:
        raise Refused(ONLY_CLIENT_0_BINDS)
    if gateway.options.read_only:
        raise Refused(READ_ONLY)
    if request.get("autoBind", False):
        gateway.deliver(gateway.world.exchange.bind(gateway.now_ns, from_now_on=True))
    else:
        gateway.world.exchange.stop_binding()


def _req_completed_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    """Everybody's. First comes a stray status of each order of this client that was cancelled, as captured."""
    completed = disordered(gateway.known.completed_orders())
    for view in completed:
        if view.status is OrderStatus.CANCELLED and view.ticket.client_id == session.client_id:
            session.send(order_status(view))
    for view in completed:
        if view.ticket.order_id > 0 or not request.get("apiOnly", False):
            session.send(completed_order(view))
    session.send(message("completedOrdersEnd"))


HANDLERS: dict[str, Handler] = {
    "reqOpenOrders": _req_open_orders,
    "reqAllOpenOrders": _req_all_open_orders,
    "reqAutoOpenOrders": _req_auto_open_orders,
    "reqCompletedOrders": _req_completed_orders,
}
