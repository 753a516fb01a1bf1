"""Market depth: one venue's book, or SMART's of all of them."""

from __future__ import annotations

from tws_simulator.api import data_notices, notices
from tws_simulator.api.limits import data_limits
from tws_simulator.api.requests.reroutes import is_rerouted
from tws_simulator.api.requests.subscribing import end_of, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.depth import KIND, DepthStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import SMART, Listing, canonical_exchange

_WITH_DEPTH = ("STK", "FUT", "CASH")


def _req_mkt_depth(gateway: GatewayState, session: Session, request: Message) -> None:
    if is_rerouted(session, request, "rerouteMktDepthReq"):
        return
    req_id = request.get("reqId", notices.NO_REQUEST)
    listing = instrument(gateway, session, KIND, request)
    if listing is None or not _is_allowed(gateway, session, request, listing):
        return
    venue = _venue(request)
    key = (KIND, req_id)
    stream = DepthStream(
        req_id,
        listing,
        gateway.world,
        rows=request.get("numRows", 1),
        venue=venue,
        shifting=gateway.options.shifting_depth,
        ended=end_of(session, key),
    )
    session.streams[key] = stream
    if venue is None:
        session.send_error(req_id, data_notices.smart_depth_venues(listing))
    for row in stream.changes():
        session.send(row)


def _is_allowed(gateway: GatewayState, session: Session, request: Message, listing: Listing) -> bool:
    req_id = request.get("reqId", notices.NO_REQUEST)
    if _venue(request) == SMART or listing.sec_type not in _WITH_DEPTH:
        session.send_error(req_id, data_notices.DEPTH_NOT_SUPPORTED)
        return False
    shown = data_limits.instruments_with_depth(gateway.sessions)
    if listing.con_id not in shown and len(shown) >= gateway.options.depths_max:
        session.send_error(req_id, data_notices.too_many_depths(gateway.options.depths_max))
        return False
    if not is_entitled(gateway, listing):
        session.send_error(req_id, data_notices.depth_not_subscribed(listing))
        return False
    return True


def _venue(request: Message) -> str | None:
    """None for the book of all venues."""
    exchange = canonical_exchange(request["contract"]["exchange"])
    return None if exchange == SMART and request.get("isSmartDepth") else exchange


def _cancel_mkt_depth(gateway: GatewayState, session: Session, request: Message) -> None:
    """The flag must be that of the request; otherwise nothing is found, and the rows go on."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    stream = session.streams.get((KIND, req_id))
    if not isinstance(stream, DepthStream) or stream.smart is not bool(request.get("isSmartDepth")):
        session.send_error(req_id, data_notices.unknown_depth(req_id))
        return
    del session.streams[KIND, req_id]
    for row in stream.late(gateway.options.late_ticks):
        session.send(row)


HANDLERS: dict[str, Handler] = {"reqMktDepth": _req_mkt_depth, "cancelMktDepth": _cancel_mkt_depth}
