"""Market data lines of options, and calculations about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tws_simulator.api import data_notices, generic_ticks, notices
from tws_simulator.api.contracts.contracts import resolve_any
from tws_simulator.api.limits import data_limits
from tws_simulator.api.requests.subscribing import is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.option_quotes import (
    CUSTOM,
    RETURN_BASED,
    OptionQuoteStream,
    computation,
    option_parameters,
)
from tws_simulator.api.streams.quotes import KIND, shown_type
from tws_simulator.wire.row import Message, message
from tws_simulator.world.options import model as option_model
from tws_simulator.world.options.chains import FIRST_CON_ID, Option
from tws_simulator.world.options.model import Computation
from tws_simulator.world.time.calendar import new_york_date

_HIGHEST_VOLATILITY = 10.0


def is_option(contract: Mapping[str, Any]) -> bool:
    return contract.get("secType") == "OPT" or contract.get("conId", 0) >= FIRST_CON_ID


def req_option_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """As for stocks: parameters, kind of data, the notice about delayed data, all ticks, then changes or the end."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    option = _option(gateway, session, req_id, request)
    if option is None or not _may_open(gateway, session, req_id):
        return
    ticks = generic_ticks.parse(request.get("genericTickList", ""))
    if ticks is None:
        session.send_error(req_id, generic_ticks.refusal(request.get("genericTickList", ""), "OPT"))
        return
    entitled = is_entitled(gateway, option.underlying)
    session.send(option_parameters(req_id))
    phase = gateway.world.calendar.phase(gateway.now_ns)
    if shown_type(session.market_data_type, phase, entitled=entitled) is None:
        session.send_error(req_id, data_notices.not_subscribed(option.underlying, gateway.options.live_refusal_code))
        return
    stream = OptionQuoteStream(
        req_id,
        option,
        gateway.world,
        generic_ticks=ticks,
        asked_type=session.market_data_type,
        entitled=entitled,
        now_ns=gateway.now_ns,
    )
    session.send(stream.data_type())
    snapshot = request.get("snapshot") or request.get("regulatorySnapshot")
    if stream.delayed and not snapshot:
        session.send_error(req_id, data_notices.SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)
    if snapshot:
        session.send(message("tickSnapshotEnd", reqId=req_id))
    else:
        session.streams[KIND, req_id] = stream


def _may_open(gateway: GatewayState, session: Session, req_id: int) -> bool:
    if (KIND, req_id) in session.streams:
        session.send_error(req_id, data_notices.DUPLICATE_TICKER_ID)
        return False
    if data_limits.lines_taken(gateway.sessions) >= gateway.options.lines_max:
        session.send_error(req_id, data_notices.TOO_MANY_LINES)
        return False
    return True


def _option(gateway: GatewayState, session: Session, req_id: int, request: Message) -> Option | None:
    """The one that is meant; None when the request was refused."""
    contract = request.get("contract", {})
    if not contract.get("exchange"):
        session.send_error(req_id, notices.invalid("Please enter exchange"))
        return None
    found = resolve_any(contract, new_york_date(gateway.now_ns))
    if isinstance(found, Option):
        return found
    session.send_error(req_id, found if isinstance(found, tuple) else notices.UNKNOWN_CONTRACT)
    return None


def _calculate_implied_volatility(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    option = _option(gateway, session, req_id, request)
    price, under_price = request.get("optionPrice", 0.0), request.get("underPrice", 0.0)
    if option is None or not _measurable(session, req_id, price, under_price):
        return
    computed = option_model.implied(option, under_price, price, gateway.now_ns)
    _answer(session, req_id, computed)


def _calculate_option_price(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    option = _option(gateway, session, req_id, request)
    volatility, under_price = request.get("volatility", 0.0), request.get("underPrice", 0.0)
    if option is None or not _measurable(session, req_id, volatility, under_price):
        return
    if volatility > _HIGHEST_VOLATILITY:
        session.send_error(req_id, notices.invalid(f"Invalid volatility: {volatility}"))
        return
    _answer(session, req_id, option_model.evaluate(option, under_price, volatility, gateway.now_ns))


def _measurable(session: Session, req_id: int, *values: float) -> bool:
    if all(math.isfinite(value) and 1e-6 < value < 1e9 for value in values):
        return True
    session.send_error(req_id, notices.invalid("Option price, volatility and underlying price must be positive"))
    return False


def _answer(session: Session, req_id: int, computed: Computation) -> None:
    session.send(computation(req_id, CUSTOM, computed, RETURN_BASED))


def _cancel_calculation(gateway: GatewayState, session: Session, request: Message) -> None:
    """A calculation is answered at once; nothing is left to cancel, and IB says nothing."""


HANDLERS: dict[str, Handler] = {
    "calculateImpliedVolatility": _calculate_implied_volatility,
    "calculateOptionPrice": _calculate_option_price,
    "cancelCalculateImpliedVolatility": _cancel_calculation,
    "cancelCalculateOptionPrice": _cancel_calculation,
}
