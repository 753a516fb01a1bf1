"""Level 1 subscriptions and snapshots."""

from __future__ import annotations

from tws_simulator.api.generic_ticks import parse
from tws_simulator.api.notices import unknown_ticker_id
from tws_simulator.api.notices.market_data import (
    REGULATORY_SNAPSHOT_FAILED,
    SHOWING_DELAYED,
    SNAPSHOT_WITH_GENERIC_TICKS,
    bad_data_type,
    not_subscribed,
)
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.options import is_option, req_option_data
from tws_simulator.api.requests.reroutes import is_rerouted
from tws_simulator.api.requests.subscribing import end_of, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.index_quotes import INDEX, IndexQuoteStream
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
from tws_simulator.world.instruments.listing import Listing

_TYPES = (LIVE, FROZEN, DELAYED, DELAYED_FROZEN)


def _req_market_data_type(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, and without effect on lines already open: seen in captures."""
    wanted = request.get("marketDataType", LIVE)
    if wanted not in _TYPES:
        raise Refused(bad_data_type(wanted))
    session.market_data_type = wanted


def _req_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    if is_option(request.get("contract", {})):
        req_option_data(gateway, session, request)
        return
    if is_rerouted(session, request, "rerouteMktDataReq"):
        return
    listing = instrument(gateway, session, KIND, request)
    gateway.quotas.check_line()
    ticks = parse(request.get("genericTickList", ""), listing.sec_type)
    if ticks and _is_snapshot(request):
        raise Refused(SNAPSHOT_WITH_GENERIC_TICKS)
    _check_shown(gateway, session, request, listing)
    kind_of_stream = IndexQuoteStream if listing.sec_type == INDEX else QuoteStream
    stream = kind_of_stream(
        request.req_id,
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
    session.subscribe(KIND, stream.req_id, stream)
    session.send(parameters(stream.req_id, stream.listing))
    session.send(stream.data_type())
    if stream.delayed:
        session.send_error(stream.req_id, SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)


def _take_snapshot(gateway: GatewayState, session: Session, stream: QuoteStream) -> None:
    """A snapshot may also be empty: seen in captures, and shown when the options say so."""
    if gateway.options.empty_snapshots:
        session.send(parameters(stream.req_id, stream.listing))
        session.send(message("tickSnapshotEnd", reqId=stream.req_id))
        return
    complete = stream.is_complete()
    if not complete:
        ended = end_of(session, KIND, stream.req_id)
        session.subscribe(KIND, stream.req_id, SnapshotStream(stream, gateway.now_ns, ended))
    session.send(stream.data_type())
    session.send(parameters(stream.req_id, stream.listing))
    for tick in stream.whole_picture(gateway.now_ns):
        session.send(tick)
    if complete:
        session.send(message("tickSnapshotEnd", reqId=stream.req_id))


def _check_shown(gateway: GatewayState, session: Session, request: Message, listing: Listing) -> None:
    """Whether the client may see anything; refused lines are told their parameters all the same."""
    entitled = is_entitled(gateway, listing)
    if request.get("regulatorySnapshot") and not entitled:
        raise Refused(REGULATORY_SNAPSHOT_FAILED)
    phase = gateway.world.calendar.phase(gateway.now_ns)
    if shown_type(session.market_data_type, phase, entitled=entitled) is None:
        session.send(parameters(request.req_id, listing))
        raise Refused(not_subscribed(listing, gateway.options.live_refusal_code))


def _is_snapshot(request: Message) -> bool:
    return bool(request.get("snapshot") or request.get("regulatorySnapshot"))


def _cancel_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """A few ticks were on their way already, and come before the answer to any later request."""
    stream = session.unsubscribe(KIND, request.req_id)
    if stream is None:
        raise Refused(unknown_ticker_id(request.req_id))
    if isinstance(stream, QuoteStream):
        for tick in stream.late(gateway.options.late_ticks):
            session.send(tick)


HANDLERS: dict[str, Handler] = {
    "reqMarketDataType": _req_market_data_type,
    "reqMktData": _req_mkt_data,
    "cancelMktData": _cancel_mkt_data,
}
