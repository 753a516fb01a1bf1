"""Level 1 subscriptions and snapshots."""

from __future__ import annotations

from tws_simulator.api import data_notices, generic_ticks, notices
from tws_simulator.api.limits import data_limits
from tws_simulator.api.requests.options import is_option, req_option_data
from tws_simulator.api.requests.reroutes import is_rerouted
from tws_simulator.api.requests.subscribing import end_of, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.quotes import (
    DELAYED,
    DELAYED_FROZEN,
    FROZEN,
    KIND,
    LIVE,
    QuoteStream,
    SnapshotStream,
    parameters,
    shown_type,
)
from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.universe import Listing

_TYPES = (LIVE, FROZEN, DELAYED, DELAYED_FROZEN)
_SNAPSHOT_WITH_GENERIC_TICKS = "Snapshot market data subscription is not applicable to generic ticks"


def _req_market_data_type(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, and without effect on lines already open: seen in captures."""
    wanted = request.get("marketDataType", LIVE)
    if wanted in _TYPES:
        session.market_data_type = wanted
    else:
        session.send_error(notices.NO_REQUEST, notices.invalid(f"Invalid market data type: {wanted}"))


def _req_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    if is_option(request.get("contract", {})):
        req_option_data(gateway, session, request)
        return
    if is_rerouted(session, request, "rerouteMktDataReq"):
        return
    req_id = request.get("reqId", notices.NO_REQUEST)
    listing = instrument(gateway, session, KIND, request)
    if listing is None:
        return
    if data_limits.lines_taken(gateway.sessions) >= gateway.options.lines_max:
        session.send_error(req_id, data_notices.TOO_MANY_LINES)
        return
    ticks = _generic_ticks(session, request, listing)
    if ticks is None or not _shows(gateway, session, request, listing):
        return
    stream = QuoteStream(
        req_id,
        listing,
        gateway.world,
        now_ns=gateway.now_ns,
        generic_ticks=ticks,
        asked_type=session.market_data_type,
        entitled=is_entitled(gateway, listing),
    )
    if _is_snapshot(request):
        _take_snapshot(gateway, session, stream)
    else:
        _open_line(gateway, session, stream)


def _open_line(gateway: GatewayState, session: Session, stream: QuoteStream) -> None:
    session.send(parameters(stream.req_id, stream.listing))
    session.send(stream.data_type())
    if stream.delayed:
        session.send_error(stream.req_id, data_notices.SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)
    session.streams[KIND, stream.req_id] = stream


def _take_snapshot(gateway: GatewayState, session: Session, stream: QuoteStream) -> None:
    """A snapshot may also be empty: seen in captures, and shown when the options say so."""
    if gateway.options.empty_snapshots:
        session.send(parameters(stream.req_id, stream.listing))
        session.send(message("tickSnapshotEnd", reqId=stream.req_id))
        return
    session.send(stream.data_type())
    session.send(parameters(stream.req_id, stream.listing))
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)
    if stream.is_complete():
        session.send(message("tickSnapshotEnd", reqId=stream.req_id))
        return
    key = (KIND, stream.req_id)
    session.streams[key] = SnapshotStream(stream, gateway.now_ns, end_of(session, key))


def _shows(gateway: GatewayState, session: Session, request: Message, listing: Listing) -> bool:
    """Whether the client may see anything; refused lines are told their parameters all the same."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    entitled = is_entitled(gateway, listing)
    if request.get("regulatorySnapshot") and not entitled:
        session.send_error(req_id, data_notices.REGULATORY_SNAPSHOT_FAILED)
        return False
    phase = gateway.world.calendar.phase(gateway.now_ns)
    if shown_type(session.market_data_type, phase, entitled=entitled) is not None:
        return True
    session.send(parameters(req_id, listing))
    session.send_error(req_id, data_notices.not_subscribed(listing, gateway.options.live_refusal_code))
    return False


def _generic_ticks(session: Session, request: Message, listing: Listing) -> frozenset[int] | None:
    """None when they were refused."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    asked = request.get("genericTickList", "")
    ticks = generic_ticks.parse(asked)
    if ticks is None:
        session.send_error(req_id, generic_ticks.refusal(asked, listing.sec_type))
    elif ticks and _is_snapshot(request):
        session.send_error(req_id, notices.invalid(_SNAPSHOT_WITH_GENERIC_TICKS))
        return None
    return ticks


def _is_snapshot(request: Message) -> bool:
    return bool(request.get("snapshot") or request.get("regulatorySnapshot"))


def _cancel_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """A few ticks were on their way already, and come before the answer to any later request."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    stream = session.streams.pop((KIND, req_id), None)
    if stream is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))
    elif isinstance(stream, QuoteStream):
        for tick in stream.late(gateway.options.late_ticks):
            session.send(tick)


HANDLERS: dict[str, Handler] = {
    "reqMarketDataType": _req_market_data_type,
    "reqMktData": _req_mkt_data,
    "cancelMktData": _cancel_mkt_data,
}
