"""What the gateway tells of orders and fills: events of the exchange as messages.

openOrder repeats what the client sent and adds what the server filled in, as captured at server version 225.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tws_simulator.api.contracts.contracts import described
from tws_simulator.api.notices import error
from tws_simulator.api.wire_times import exchange_time, gateway_time, read_time
from tws_simulator.wire.row import Message, message, part
from tws_simulator.wire.values import Values
from tws_simulator.world.accounts.records import ZERO, Commission, Execution
from tws_simulator.world.instruments import universe
from tws_simulator.world.orders.order_events import (
    Bound,
    Commissioned,
    Echo,
    Executed,
    Notice,
    OrderEvent,
    OrderView,
    Status,
    WhatIf,
)
from tws_simulator.world.orders.tickets import TRAILING, TRIGGERED, OrderStatus, OrderTicket
from tws_simulator.world.time.calendar import new_york_ns, new_york_time
from tws_simulator.world.time.units import SECOND_NS

_CLOSE_HOUR = 16
_SUBMITTER = "simulated-user"
_NOT_ECHOED = frozenset(
    {"transmit", "displaySize", "softDollarTier", "overridePercentageConstraints", "advancedErrorOverride"}
    | {"manualOrderTime", "auxPrice", "trailStopPrice"}
)
_SERVER_DEFAULTS: Values = {
    "clearingIntent": "IB",
    "ocaType": 3,
    "triggerMethod": 0,
    "volatilityType": 0,
    "referencePriceType": 0,
    "deltaNeutralOrderType": "None",
    "deltaNeutralShortSaleSlot": 0,
    "origin": 0,
    "shortSaleSlot": 0,
    "exemptCode": -1,
    "adjustedOrderType": "None",
    "adjustableTrailingUnit": 0,
    "dontUseAutoPriceForHedge": True,
    "shareholder": "Not an insider or substantial shareholder",
    "routeMarketableToBbo": 0,
    "usePriceMgmtAlgo": 0,
    "submitter": _SUBMITTER,
    "seekPriceImprovement": 0,
}


_COMPETES: Values = {"minCompeteSize": 100, "competeAgainstBestOffset": 0.02}


def reply(event: OrderEvent, server_version: int) -> Message:
    match event:
        case Echo(order=order):
            return open_order(order)
        case Status(order=order):
            return order_status(order)
        case Executed(execution=execution):
            return exec_details(-1, execution, server_version)
        case Commissioned(report=report):
            return commission_report(report)
        case Notice(order_id=order_id, code=code, text=text, ts_ns=ts_ns):
            return error(order_id, (code, text), ts_ns)
        case Bound(client_id=client_id, order_id=order_id, perm_id=perm_id):
            return message("orderBound", permId=perm_id, clientId=client_id, orderId=order_id)
        case WhatIf():
            return _what_if(event)


def open_order(view: OrderView) -> Message:
    """Of one that was refused it says nothing but that: seen in captures of server version 225."""
    refused = view.status is OrderStatus.INACTIVE
    return message(
        "openOrder",
        orderId=view.ticket.order_id,
        contract=_contract(view),
        order=_order(view),
        orderState={"status": view.status.value} if refused else _state(view),
    )


def pending_order(ticket: OrderTicket) -> tuple[Message, Message]:
    """An order that waits in the gateway for a link to the broker, who has given it no permanent id yet."""
    view = OrderView(
        ticket=ticket,
        perm_id=0,
        status=OrderStatus.PENDING_SUBMIT,
        filled=ZERO,
        remaining=ticket.quantity,
        average_price=ZERO,
        last_price=ZERO,
        limit_price=ticket.limit_price,
    )
    return open_order(view), order_status(view)


def completed_order(view: OrderView) -> Message:
    """One that was rejected is called Cancelled here; the truth is in how it was completed."""
    state = _state(view)
    if view.status is OrderStatus.INACTIVE:
        state["status"] = OrderStatus.CANCELLED.value
    return message("completedOrder", contract=_contract(view), order=_order(view), orderState=state)


def _what_if(answer: WhatIf) -> Message:
    reply = open_order(answer.order)
    reply.values["order"] |= {"whatIf": True, "whatIfType": 1, **_COMPETES}
    state = reply.values["orderState"]
    state["commissionAndFees"] = float(answer.commission_usd)
    state["commissionAndFeesCurrency"] = state["marginCurrency"] = "USD"
    for measure, before, after in (
        ("initMargin", answer.initial_margin_before_usd, answer.initial_margin_after_usd),
        ("maintMargin", answer.maintenance_margin_before_usd, answer.maintenance_margin_after_usd),
        ("equityWithLoan", answer.equity_before_usd, answer.equity_after_usd),
    ):
        state[f"{measure}Before"] = float(before)
        state[f"{measure}Change"] = float(after - before)
        state[f"{measure}After"] = float(after)
    return reply


def _contract(view: OrderView) -> Values:
    return described(universe.listing(view.ticket.con_id), view.ticket.exchange or "SMART")


def _order(view: OrderView) -> Values:
    ticket = view.ticket
    sent = ticket.sent
    kept = {key: value for key, value in sent.items() if key not in _NOT_ECHOED and value not in (0, "", None)}
    own: dict[str, Any] = {
        "clientId": ticket.client_id,
        "orderId": ticket.order_id,
        "permId": view.perm_id,
        "parentId": ticket.parent_id,
        "action": ticket.action,
        "totalQuantity": ticket.quantity,
        "orderType": ticket.order_type,
        **_prices(view),
        "tif": ticket.tif,
        "outsideRth": view.outside_rth or None,
        "ocaGroup": ticket.oca_group or None,
        "ocaType": ticket.oca_type,
        "account": ticket.account,
        "orderRef": ticket.order_ref or None,
        "filledQuantity": view.filled,
        "parentPermId": view.parent_perm_id or None,
        "sharesAllocation": f"{view.perm_id}.0/{ticket.account}/{ticket.quantity}",
        "goodTillDate": _moment(ticket.good_till_ns),
        "goodAfterTime": _moment(ticket.good_after_ns),
        "autoCancelDate": _auto_cancel_date(view.placed_ns) if ticket.tif == "GTC" else None,
        "conditions": _conditions(kept, view.placed_ns),
    }
    if _competes(view):
        own |= _COMPETES
    return {**_SERVER_DEFAULTS, **kept, **part(own)}


def _prices(view: OrderView) -> Values:
    """Limit and auxiliary price are there, as 0, where they have no meaning; a trailing stop is there for all but MKT.

    That of a limit order is one above its limit, for no reason that anybody knows.
    """
    ticket = view.ticket
    limit = None if view.limit_price is None else float(view.limit_price)
    stop = None if view.stop_price is None else float(view.stop_price)
    aux = float(ticket.aux_price or 0) if ticket.order_type in TRIGGERED else 0.0
    by_percent = ticket.order_type in TRAILING and ticket.aux_price is None
    return {
        "lmtPrice": limit or 0.0,
        "auxPrice": None if by_percent else aux,
        "trailStopPrice": stop if stop is not None else None if limit is None else limit + 1,
    }


def _competes(view: OrderView) -> bool:
    """IOC says so in its first echo only, FOK in all of them, MKT once it is filled."""
    ticket = view.ticket
    if ticket.tif == "IOC":
        return not view.echoes
    return ticket.tif == "FOK" or (ticket.order_type == "MKT" and view.status is OrderStatus.FILLED)


def _moment(ts_ns: int | None) -> str | None:
    """In exchange time, whatever zone the client wrote."""
    return None if ts_ns is None else exchange_time(ts_ns)


def _auto_cancel_date(placed_ns: int) -> str:
    """When a GTC order ends by itself: at the close of the next quarter's last day, in the gateway's own zone."""
    placed = new_york_time(placed_ns)
    month = (placed.month - 1) // 3 * 3 + 6
    year, month = (placed.year + 1, month - 12) if month > 12 else (placed.year, month)
    close_ns = new_york_ns(datetime(year, month, monthrange(year, month)[1], _CLOSE_HOUR))
    return f"{datetime.fromtimestamp(close_ns // SECOND_NS, UTC):%Y%m%d %H:%M:%S} GMT"


def _conditions(kept: Values, placed_ns: int) -> list[Values] | None:
    """Times in exchange time here too."""
    conditions = []
    for condition in kept.get("conditions", ()):
        ts_ns = read_time(condition.get("time", ""), placed_ns, day_means="its end")
        conditions.append(condition if ts_ns is None else {**condition, "time": exchange_time(ts_ns)})
    return conditions or None


def order_status(view: OrderView) -> Message:
    return message(
        "orderStatus",
        orderId=view.ticket.order_id,
        status=view.status.value,
        filled=view.filled,
        remaining=view.remaining,
        avgFillPrice=float(view.average_price),
        permId=view.perm_id,
        parentId=view.ticket.parent_id,
        lastFillPrice=float(view.last_price),
        clientId=view.ticket.client_id,
        whyHeld=view.why_held or None,
        mktCapPrice=0.0,
    )


def exec_details(req_id: int, execution: Execution, server_version: int) -> Message:
    return message(
        "execDetails",
        reqId=req_id,
        contract=described(universe.listing(execution.con_id), execution.exchange),
        execution={
            "orderId": execution.order_id,
            "execId": execution.exec_id,
            "time": gateway_time(execution.ts_ns, server_version),
            "acctNumber": execution.account,
            "exchange": execution.exchange,
            "side": execution.side,
            "shares": execution.shares,
            "price": float(execution.price),
            "permId": execution.perm_id,
            "clientId": execution.client_id,
            "isLiquidation": False,
            "cumQty": execution.cum_qty,
            "avgPrice": float(execution.avg_price),
            "orderRef": execution.order_ref,
            "lastLiquidity": execution.liquidity,
            "isPriceRevisionPending": False,
            "submitter": _SUBMITTER,
        },
    )


def commission_report(report: Commission) -> Message:
    realized: Decimal | None = report.realized_pnl_usd
    return message(
        "commissionAndFeesReport",
        execId=report.exec_id,
        commissionAndFees=float(report.commission_usd),
        currency=report.currency,
        realizedPNL=None if realized is None else float(realized),
    )


def _state(view: OrderView) -> Values:
    commission = view.commission_usd
    return part(
        {
            "status": view.status.value,
            "commissionAndFees": None if commission is None else float(commission),
            "commissionAndFeesCurrency": None if commission is None else "USD",
            "completedTime": None if view.completed_ts_ns is None else exchange_time(view.completed_ts_ns),
            "completedStatus": view.completed_status or None,
        }
    )
