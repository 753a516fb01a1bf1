"""Tick-by-tick subscriptions."""

from __future__ import annotations

from tws_simulator.api.notices.market_data import (
    bad_tick_by_tick_type,
    not_subscribed,
    tick_by_tick_not_subscribed,
    tick_by_tick_not_supported,
)
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import cancel, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.tick_by_tick import ALL_LAST, KIND, LAST, TYPES, TickByTickStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.listing import Listing

_SUPPORTED = ("STK", "FUT", "CASH")


def _req_tick_by_tick_data(gateway: GatewayState, session: Session, request: Message) -> None:
    listing = instrument(gateway, session, KIND, request)
    kind = request.get("tickType", "")
    _check(gateway, kind, listing)
    gateway.quotas.take_ticks(listing.con_id, kind, gateway.now_ns)
    stream = TickByTickStream(
        request.req_id,
        listing,
        gateway.world,
        tick_type=TYPES[kind],
        ignore_size=request.get("ignoreSize", False),
    )
    session.subscribe(KIND, request.req_id, stream)
    past = request.get("numberOfTicks", 0)
    if past > 0:
        session.send(stream.past(gateway.now_ns, past))


def _check(gateway: GatewayState, kind: str, listing: Listing) -> None:
    """Kinds are told by their exact spelling: "last" is none."""
    if kind not in TYPES:
        raise Refused(bad_tick_by_tick_type(kind))
    if listing.sec_type not in _SUPPORTED:
        raise Refused(tick_by_tick_not_supported(listing, kind))
    if not is_entitled(gateway, listing):
        traded = TYPES[kind] in (LAST, ALL_LAST)
        raise Refused(tick_by_tick_not_subscribed(listing) if traded else not_subscribed(listing))


HANDLERS: dict[str, Handler] = {
    "reqTickByTickData": _req_tick_by_tick_data,
    "cancelTickByTickData": cancel(KIND),
}
