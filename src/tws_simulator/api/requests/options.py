"""Market data lines of options, and calculations about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tws_simulator.api.contracts.contracts import resolve_any
from tws_simulator.api.generic_ticks import parse
from tws_simulator.api.notices.market_data import NOT_MEASURABLE, SHOWING_DELAYED, bad_volatility, not_subscribed
from tws_simulator.api.notices.reference import NO_EXCHANGE, UNKNOWN_CONTRACT
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import check_new, is_entitled
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
    req_id, option = request.req_id, _option(gateway, request)
    check_new(session, KIND, request)
    gateway.quotas.check_line()
    ticks = parse(request.get("genericTickList", ""), "OPT")
    entitled = is_entitled(gateway, option.underlying)
    phase = gateway.world.calendar.phase(gateway.now_ns)
    if shown_type(session.market_data_type, phase, entitled=entitled) is None:
        session.send(option_parameters(req_id))
        raise Refused(not_subscribed(option.underlying, gateway.options.live_refusal_code))
    stream = OptionQuoteStream(
        req_id,
        option,
        gateway.world,
        generic_ticks=ticks,
        asked_type=session.market_data_type,
        entitled=entitled,
        now_ns=gateway.now_ns,
    )
    snapshot = request.get("snapshot") or request.get("regulatorySnapshot")
    if not snapshot:
        session.subscribe(KIND, req_id, stream)
    session.send(option_parameters(req_id))
    session.send(stream.data_type())
    if stream.delayed and not snapshot:
        session.send_error(req_id, SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)
    if snapshot:
        session.send(message("tickSnapshotEnd", reqId=req_id))


def _option(gateway: GatewayState, request: Message) -> Option:
    """The one that is meant."""
    contract = request.get("contract", {})
    if not contract.get("exchange"):
        raise Refused(NO_EXCHANGE)
    found = resolve_any(contract, new_york_date(gateway.now_ns))
    if not isinstance(found, Option):
        raise Refused(UNKNOWN_CONTRACT)
    return found


def _calculate_implied_volatility(gateway: GatewayState, session: Session, request: Message) -> None:
    option = _option(gateway, request)
    price, under_price = request.get("optionPrice", 0.0), request.get("underPrice", 0.0)
    _check_measurable(price, under_price)
    _answer(session, request, option_model.implied(option, under_price, price, gateway.now_ns))


def _calculate_option_price(gateway: GatewayState, session: Session, request: Message) -> None:
    option = _option(gateway, request)
    volatility, under_price = request.get("volatility", 0.0), request.get("underPrice", 0.0)
    _check_measurable(volatility, under_price)
    if volatility > _HIGHEST_VOLATILITY:
        raise Refused(bad_volatility(volatility))
    _answer(session, request, option_model.evaluate(option, under_price, volatility, gateway.now_ns))


def _check_measurable(*values: float) -> None:
    if not all(math.isfinite(value) and 1e-6 < value < 1e9 for value in values):
        raise Refused(NOT_MEASURABLE)


def _answer(session: Session, request: Message, computed: Computation) -> None:
    session.send(computation(request.req_id, CUSTOM, computed, RETURN_BASED))


def _cancel_calculation(gateway: GatewayState, session: Session, request: Message) -> None:
    """A calculation is answered at once; nothing is left to cancel, and IB says nothing."""


HANDLERS: dict[str, Handler] = {
    "calculateImpliedVolatility": _calculate_implied_volatility,
    "calculateOptionPrice": _calculate_option_price,
    "cancelCalculateImpliedVolatility": _cancel_calculation,
    "cancelCalculateOptionPrice": _cancel_calculation,
}
