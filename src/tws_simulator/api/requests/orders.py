"""Placing, changing, cancelling and listing orders."""

from __future__ import annotations

from decimal import Decimal

from tws_simulator.api import notices
from tws_simulator.api.contracts import resolve
from tws_simulator.api.requests.order_lists import send_open_orders
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.text import Values
from tws_simulator.world.tickets import Notice, OrderTicket
from tws_simulator.world.universe import SMART, Listing

_CLIENT_THAT_BINDS = 0
_PRESET_TIF = "DAY"
_FIRST_SERVER_VERSION_WITHOUT_PRESET_TIF = 203  # orders are protobuf from here on


def _place_order(gateway: GatewayState, session: Session, request: Message) -> None:
    order_id, contract, order = request.get("orderId", 0), request.get("contract", {}), request.get("order", {})
    found = resolve(contract)
    if not isinstance(found, Listing):
        session.send_error(order_id, found)
        return
    ticket = _ticket(session, order_id, found, contract, order)
    events = gateway.world.exchange.place(ticket, gateway.now_ns)
    refused = bool(events) and all(isinstance(event, Notice) for event in events)
    if not refused:
        gateway.echoes.remember(session.client_id, order_id, order)
    gateway.deliver(events)


def _ticket(session: Session, order_id: int, listing: Listing, contract: Values, order: Values) -> OrderTicket:
    limit = order.get("lmtPrice")
    return OrderTicket(
        client_id=session.client_id,
        order_id=order_id,
        con_id=listing.con_id,
        symbol=listing.symbol,
        action=order.get("action", ""),
        order_type=order.get("orderType", ""),
        quantity=order.get("totalQuantity", Decimal(0)),
        limit_price=None if limit is None else Decimal(str(limit)),
        tif=order.get("tif", "") or _preset_tif(session),
        order_ref=order.get("orderRef", ""),
        account=order.get("account", ""),
        exchange=contract.get("exchange", SMART),
        transmit=order.get("transmit", False),
        outside_rth=order.get("outsideRth", False),
        parent_id=order.get("parentId", 0),
        oca_group=order.get("ocaGroup", ""),
        what_if=order.get("whatIf", False),
    )


def _preset_tif(session: Session) -> str:
    """In text an empty time in force means the preset: ib_insync and ib_async leave it empty and trade.

    A protobuf order without one is refused (10052), as seen in captures of server version 225.
    """
    return _PRESET_TIF if session.codec.server_version < _FIRST_SERVER_VERSION_WITHOUT_PRESET_TIF else ""


def _cancel_order(gateway: GatewayState, session: Session, request: Message) -> None:
    gateway.deliver(gateway.world.exchange.cancel(session.client_id, request.get("orderId", 0), gateway.now_ns))


def _global_cancel(gateway: GatewayState, session: Session, request: Message) -> None:
    gateway.deliver(gateway.world.exchange.global_cancel(session.client_id, gateway.now_ns))


def _req_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    send_open_orders(gateway, session, session.client_id)


def _req_all_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    send_open_orders(gateway, session, None)


def _req_auto_open_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    """Nothing to bind: nobody enters orders at the simulated gateway's own screen. No end marker, as in a real one."""
    if session.client_id != _CLIENT_THAT_BINDS:
        refusal = notices.invalid("Only the default client (i.e 0) can auto bind orders.")
        session.send_error(notices.NO_REQUEST, refusal)


def _req_completed_orders(gateway: GatewayState, session: Session, request: Message) -> None:
    for view in gateway.world.exchange.completed_orders():
        session.send(gateway.echoes.completed_order(view))
    session.send(message("completedOrdersEnd"))


HANDLERS: dict[str, Handler] = {
    "placeOrder": _place_order,
    "cancelOrder": _cancel_order,
    "reqGlobalCancel": _global_cancel,
    "reqOpenOrders": _req_open_orders,
    "reqAllOpenOrders": _req_all_open_orders,
    "reqAutoOpenOrders": _req_auto_open_orders,
    "reqCompletedOrders": _req_completed_orders,
}
