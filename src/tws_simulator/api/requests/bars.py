"""Five-second bars. Whatever bar size is asked for, they are of five seconds."""

from __future__ import annotations

from tws_simulator.api.notices.market_data import bad_bars, bars_not_subscribed, not_subscribed
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import cancel, instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.bars import KIND, SHOWN, TRADES, BarStream
from tws_simulator.wire.row import Message


def _req_real_time_bars(gateway: GatewayState, session: Session, request: Message) -> None:
    listing = instrument(gateway, session, KIND, request)
    what = request.get("whatToShow", "").upper()
    if what not in SHOWN:
        raise Refused(bad_bars(what))
    if not is_entitled(gateway, listing):
        raise Refused(bars_not_subscribed(listing) if what == TRADES else not_subscribed(listing))
    gateway.quotas.take_bars(gateway.now_ns)
    stream = BarStream(
        request.req_id,
        listing.con_id,
        gateway.world,
        what=what,
        regular_hours=request.get("useRTH", False),
        now_ns=gateway.now_ns,
    )
    session.subscribe(KIND, request.req_id, stream)


HANDLERS: dict[str, Handler] = {
    "reqRealTimeBars": _req_real_time_bars,
    "cancelRealTimeBars": cancel(KIND),
}
