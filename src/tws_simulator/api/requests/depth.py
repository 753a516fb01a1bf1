"""Market depth: one venue's book, or SMART's of all of them."""

from __future__ import annotations

from tws_simulator.api.notices.market_data import (
    DEPTH_NOT_SUPPORTED,
    depth_not_subscribed,
    smart_depth_venues,
    unknown_depth,
)
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.reroutes import is_rerouted
from tws_simulator.api.requests.subscribing import end_of, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.depth import KIND, DepthStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.listing import SMART
from tws_simulator.world.instruments.universe import canonical_exchange

_WITH_DEPTH = ("STK", "FUT", "CASH")


def _req_mkt_depth(gateway: GatewayState, session: Session, request: Message) -> None:
    if is_rerouted(session, request, "rerouteMktDepthReq"):
        return
    listing = instrument(gateway, session, KIND, request)
    venue = _venue(request)
    if venue == SMART or listing.sec_type not in _WITH_DEPTH:
        raise Refused(DEPTH_NOT_SUPPORTED)
    gateway.quotas.check_depth(listing.con_id)
    if not is_entitled(gateway, listing):
        raise Refused(depth_not_subscribed(listing))
    stream = DepthStream(
        request.req_id,
        listing,
        gateway.world,
        rows=request.get("numRows", 1),
        venue=venue,
        shifting=gateway.options.shifting_depth,
        ended=end_of(session, KIND, request.req_id),
    )
    session.subscribe(KIND, request.req_id, stream)
    if venue is None:
        session.send_error(request.req_id, smart_depth_venues(listing))
    for row in stream.changes():
        session.send(row)


def _venue(request: Message) -> str | None:
    """None for the book of all venues."""
    exchange = canonical_exchange(request["contract"]["exchange"])
    return None if exchange == SMART and request.get("isSmartDepth") else exchange


def _cancel_mkt_depth(gateway: GatewayState, session: Session, request: Message) -> None:
    """The flag must be that of the request; otherwise nothing is found, and the rows go on."""
    stream = session.streams.get((KIND, request.req_id))
    if not isinstance(stream, DepthStream) or stream.smart is not bool(request.get("isSmartDepth")):
        raise Refused(unknown_depth(request.req_id))
    session.unsubscribe(KIND, request.req_id)
    for row in stream.late(gateway.options.late_ticks):
        session.send(row)


HANDLERS: dict[str, Handler] = {"reqMktDepth": _req_mkt_depth, "cancelMktDepth": _cancel_mkt_depth}
