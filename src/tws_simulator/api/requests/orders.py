"""Placing, changing and cancelling orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tws_simulator.api.contracts.contracts import resolve, resolve_any
from tws_simulator.api.notices.session import READ_ONLY
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.wire_times import read_time
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import Values
from tws_simulator.world.instruments.listing import SMART, Listing
from tws_simulator.world.options.chains import FIRST_CON_ID
from tws_simulator.world.orders.notices import BAD_CONDITION, BAD_GTD, NOT_TRADED, rejected
from tws_simulator.world.orders.tickets import Condition, ConditionKind, OrderTicket
from tws_simulator.world.time.calendar import new_york_date

_OPTIONS = ("OPT", "FOP")
_USUAL_OCA_TYPE = 3
_KINDS = frozenset(kind.value for kind in ConditionKind)
_THRESHOLDS = {
    ConditionKind.PRICE: "price",
    ConditionKind.MARGIN: "percent",
    ConditionKind.EXECUTION: "",
    ConditionKind.VOLUME: "volume",
    ConditionKind.CHANGE: "changePercent",
}
_ORDER_TYPE_ALIASES = {"STPLMT": "STP LMT", "STP_LMT": "STP LMT", "TRAILLIMIT": "TRAIL LIMIT"}
_PRESET_TIF = "DAY"
_FIRST_SERVER_VERSION_WITHOUT_PRESET_TIF = 203  # orders are protobuf from here on


def _place_order(gateway: GatewayState, session: Session, request: Message) -> None:
    if gateway.options.read_only:
        raise Refused(READ_ONLY)
    gateway.deliver(gateway.world.exchange.place(read_ticket(gateway, session, request), gateway.now_ns))


def read_ticket(gateway: GatewayState, session: Session, request: Message) -> OrderTicket:
    """What placeOrder asks for; Refused where that cannot be read."""
    order_id, contract, order = request.get("orderId", 0), request.get("contract", {}), request.get("order", {})
    found = _instrument(gateway, contract)
    return _ticket(session, order_id, found, contract, order, gateway.now_ns)


def _instrument(gateway: GatewayState, contract: Values) -> Listing:
    """Options are quoted by a model: there is no book to trade them in."""
    if contract.get("secType") not in _OPTIONS and contract.get("conId", 0) < FIRST_CON_ID:
        return resolve(contract)
    found = resolve_any(contract, new_york_date(gateway.now_ns))
    if not isinstance(found, Listing):
        raise Refused(rejected(NOT_TRADED))
    return found


def _ticket(
    session: Session, order_id: int, listing: Listing, contract: Values, order: Values, now_ns: int
) -> OrderTicket:
    return OrderTicket(
        client_id=session.client_id,
        order_id=order_id,
        con_id=listing.con_id,
        symbol=listing.symbol,
        action=order.get("action", ""),
        order_type=_order_type(order.get("orderType", "")),
        quantity=order.get("totalQuantity", Decimal(0)),
        limit_price=_price(order, "lmtPrice"),
        aux_price=_price(order, "auxPrice") or None,
        trail_stop_price=_price(order, "trailStopPrice") or None,
        trailing_percent=_price(order, "trailingPercent") or None,
        limit_offset=_price(order, "lmtPriceOffset"),
        tif=order.get("tif", "") or _preset_tif(session),
        good_till_ns=_order_time(order, "goodTillDate", now_ns),
        good_after_ns=_order_time(order, "goodAfterTime", now_ns),
        order_ref=order.get("orderRef", ""),
        account=order.get("account", ""),
        exchange=contract.get("exchange", SMART),
        transmit=order.get("transmit", False),
        outside_rth=order.get("outsideRth", False),
        parent_id=order.get("parentId", 0),
        oca_group=order.get("ocaGroup", ""),
        oca_type=order.get("ocaType", 0) or _USUAL_OCA_TYPE,
        trigger_method=order.get("triggerMethod", 0),
        min_qty=order.get("minQty", 0),
        display_size=order.get("displaySize", 0),
        has_active_times=bool(order.get("activeStartTime") or order.get("activeStopTime")),
        what_if=order.get("whatIf", False),
        conditions=tuple(
            _condition(each, now_ns) for each in order.get("conditions", ()) if each.get("type") in _KINDS
        ),
        conditions_cancel=order.get("conditionsCancelOrder", False),
        sent=order,
    )


def _time(sent: Values, name: str, now_ns: int) -> int | None:
    """A day alone means its last second."""
    return read_time(sent.get(name, ""), now_ns, day_means="its end")


def _order_time(order: Values, name: str, now_ns: int) -> int | None:
    """Refused whatever the time in force: what nobody can read is not passed over."""
    ts_ns = _time(order, name, now_ns)
    if ts_ns is None and order.get(name, "").strip():
        raise Refused(BAD_GTD)
    return ts_ns


def _condition(sent: Values, now_ns: int) -> Condition:
    kind = ConditionKind(sent["type"])
    threshold: Any = _time(sent, "time", now_ns) if kind is ConditionKind.TIME else sent.get(_THRESHOLDS[kind], 0)
    if kind is ConditionKind.TIME and threshold is None:
        raise Refused(BAD_CONDITION)
    return Condition(
        kind=kind,
        threshold=Decimal(str(threshold or 0)),
        is_more=sent.get("isMore", False),
        con_id=sent.get("conId", 0),
        symbol=sent.get("symbol", ""),
        joined_by_and=sent.get("isConjunctionConnection", False),
    )


def _order_type(name: str) -> str:
    return _ORDER_TYPE_ALIASES.get(name, name)


def _price(order: Values, name: str) -> Decimal | None:
    price = order.get(name)
    return None if price is None else Decimal(str(price))


def _preset_tif(session: Session) -> str:
    """In text an empty time in force means the preset: ib_insync and ib_async leave it empty and trade.

    A protobuf order without one is refused (10052), as seen in captures of server version 225.
    """
    return _PRESET_TIF if session.codec.server_version < _FIRST_SERVER_VERSION_WITHOUT_PRESET_TIF else ""


def _cancel_order(gateway: GatewayState, session: Session, request: Message) -> None:
    order_id = request.get("orderId", 0)
    if gateway.options.read_only:
        raise Refused(READ_ONLY)
    gateway.deliver(gateway.world.exchange.cancel(session.client_id, order_id, gateway.now_ns))


def _global_cancel(gateway: GatewayState, session: Session, request: Message) -> None:
    if gateway.options.read_only:
        raise Refused(READ_ONLY)
    gateway.deliver(gateway.world.exchange.global_cancel(session.client_id, gateway.now_ns))


HANDLERS: dict[str, Handler] = {
    "placeOrder": _place_order,
    "cancelOrder": _cancel_order,
    "reqGlobalCancel": _global_cancel,
}
