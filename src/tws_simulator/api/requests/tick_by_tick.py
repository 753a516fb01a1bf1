"""Tick-by-tick subscriptions."""

from __future__ import annotations

from tws_simulator.api import data_notices, notices
from tws_simulator.api.limits import data_limits
from tws_simulator.api.requests.subscribing import instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.tick_by_tick import ALL_LAST, KIND, LAST, TYPES, TickByTickStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import Listing

_SECOND_NS = 1_000_000_000
_SUPPORTED = ("STK", "FUT", "CASH")


def _req_tick_by_tick_data(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    listing = instrument(gateway, session, KIND, request)
    if listing is None or not _is_allowed(gateway, session, request, listing):
        return
    kind = request["tickType"]
    pause_ns = int(gateway.options.tick_by_tick_pause_s * _SECOND_NS)
    gateway.pauses.start(_pause(session, listing, kind), gateway.now_ns, pause_ns)
    stream = TickByTickStream(
        req_id,
        listing,
        gateway.world,
        tick_type=TYPES[kind],
        ignore_size=request.get("ignoreSize", False),
    )
    session.streams[KIND, req_id] = stream
    past = request.get("numberOfTicks", 0)
    if past > 0:
        session.send(stream.past(gateway.now_ns, past))


def _is_allowed(gateway: GatewayState, session: Session, request: Message, listing: Listing) -> bool:
    refusal = _refusal(gateway, session, request.get("tickType", ""), listing)
    if refusal is None:
        return True
    session.send_error(request.get("reqId", notices.NO_REQUEST), refusal)
    return False


def _refusal(gateway: GatewayState, session: Session, kind: str, listing: Listing) -> tuple[int, str] | None:
    """Kinds are told by their exact spelling: "last" is none."""
    if kind not in TYPES:
        return notices.invalid(f"Invalid tick-by-tick type: {kind}")
    if listing.sec_type not in _SUPPORTED:
        return data_notices.tick_by_tick_not_supported(listing, kind)
    if not is_entitled(gateway, listing):
        traded = TYPES[kind] in (LAST, ALL_LAST)
        return data_notices.tick_by_tick_not_subscribed(listing) if traded else data_notices.not_subscribed(listing)
    full = data_limits.tick_by_tick_taken(gateway.sessions) >= gateway.options.tick_by_tick_max
    if full or gateway.pauses.rests(_pause(session, listing, kind), gateway.now_ns):
        return data_notices.TOO_MANY_TICK_BY_TICK
    return None


def _pause(session: Session, listing: Listing, kind: str) -> tuple[int, int, str]:
    return session.peer.connection, listing.con_id, kind


def _cancel_tick_by_tick_data(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    if session.streams.pop((KIND, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


HANDLERS: dict[str, Handler] = {
    "reqTickByTickData": _req_tick_by_tick_data,
    "cancelTickByTickData": _cancel_tick_by_tick_data,
}
