"""Five-second bars. Whatever bar size is asked for, they are of five seconds."""

from __future__ import annotations

from tws_simulator.api import data_notices, notices
from tws_simulator.api.limits import data_limits
from tws_simulator.api.requests.subscribing import instrument, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.bars import KIND, SHOWN, TRADES, BarStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import Listing


def _req_real_time_bars(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    listing = instrument(gateway, session, KIND, request)
    if listing is None:
        return
    what = request.get("whatToShow", "").upper()
    refusal = _refusal(gateway, what, listing)
    if refusal is not None:
        session.send_error(req_id, refusal)
        return
    session.streams[KIND, req_id] = BarStream(
        req_id,
        listing.con_id,
        gateway.world,
        what=what,
        regular_hours=request.get("useRTH", False),
        now_ns=gateway.now_ns,
    )


def _refusal(gateway: GatewayState, what: str, listing: Listing) -> tuple[int, str] | None:
    if what not in SHOWN:
        return notices.invalid(f"Invalid what to show for real-time bars: {what}")
    if not is_entitled(gateway, listing):
        return data_notices.bars_not_subscribed(listing) if what == TRADES else data_notices.not_subscribed(listing)
    if data_limits.lines_taken(gateway.sessions) >= gateway.options.lines_max:
        return data_notices.TOO_MANY_LINES
    if not gateway.bars_pace.allows(gateway.now_ns):
        return data_notices.BARS_TOO_FAST
    return None


def _cancel_real_time_bars(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    if session.streams.pop((KIND, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


HANDLERS: dict[str, Handler] = {
    "reqRealTimeBars": _req_real_time_bars,
    "cancelRealTimeBars": _cancel_real_time_bars,
}
