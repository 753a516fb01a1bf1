"""Level 1 subscriptions and snapshots."""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.contracts import resolve
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.quotes import DELAYED, KIND, LIVE, QuoteStream
from tws_simulator.wire.row import Message, message
from tws_simulator.world.universe import Listing

_TYPES = (1, 2, 3, 4)  # live, frozen, delayed, delayed frozen
_DELAYED_TYPES = (3, 4)


def _req_market_data_type(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, and without effect on lines already open: seen in captures."""
    wanted = request.get("marketDataType", 1)
    if wanted in _TYPES:
        session.market_data_type = wanted
    else:
        session.send_error(notices.NO_REQUEST, notices.invalid(f"Invalid market data type: {wanted}"))


def _req_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    listing = _checked(gateway, session, req_id, request)
    if listing is None:
        return
    data_type = LIVE if gateway.options.entitled else DELAYED
    ticks = _generic_ticks(request.get("genericTickList", ""))
    stream = QuoteStream(req_id, listing, gateway.world, generic_ticks=ticks, data_type=data_type)
    session.send(stream.parameters())
    if data_type == DELAYED and session.market_data_type not in _DELAYED_TYPES:
        session.send_error(req_id, notices.not_subscribed(listing))
        return
    session.send(stream.data_type())
    snapshot = request.get("snapshot", False) or request.get("regulatorySnapshot", False)
    if data_type == DELAYED and not snapshot:
        session.send_error(req_id, notices.SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.world.quote(listing.con_id)):
        session.send(tick)
    if snapshot:
        session.send(message("tickSnapshotEnd", reqId=req_id))
    else:
        session.streams[KIND, req_id] = stream


def _checked(gateway: GatewayState, session: Session, req_id: int, request: Message) -> Listing | None:
    """The listing asked for; None when the request was refused."""
    contract = request.get("contract", {})
    if (KIND, req_id) in session.streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
        return None
    lines = sum(kind == KIND for each in gateway.sessions for kind, _ in each.streams)
    if lines >= gateway.options.lines_max:
        session.send_error(req_id, notices.TOO_MANY_LINES)
        return None
    if not contract.get("exchange"):
        session.send_error(req_id, notices.invalid("Please enter exchange"))
        return None
    found = resolve(contract)
    if isinstance(found, Listing):
        return found
    session.send_error(req_id, found)
    return None


def _cancel_mkt_data(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    if session.streams.pop((KIND, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


def _generic_ticks(ticks: str) -> frozenset[int]:
    """ "233,236"; a prefix as in "mdoff,292" names no tick."""
    return frozenset(int(part) for part in ticks.split(",") if part.strip().isdigit())


HANDLERS: dict[str, Handler] = {
    "reqMarketDataType": _req_market_data_type,
    "reqMktData": _req_mkt_data,
    "cancelMktData": _cancel_mkt_data,
}
