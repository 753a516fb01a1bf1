"""Level 1 subscriptions and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tws_simulator import notices
from tws_simulator.contracts import resolve
from tws_simulator.quotes import DELAYED, LIVE, QuoteStream
from tws_simulator.universe import Listing
from tws_simulator.wire.row import Message, message

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session

_TYPES = (1, 2, 3, 4)  # live, frozen, delayed, delayed frozen
_DELAYED_TYPES = (3, 4)


def _req_market_data_type(gateway: GatewayCore, session: Session, request: Message) -> None:
    """Silent, and without effect on lines already open: seen in captures."""
    wanted = request.get("marketDataType", 1)
    if wanted in _TYPES:
        session.market_data_type = wanted
    else:
        session.send_error(notices.NO_REQUEST, notices.invalid(f"Invalid market data type: {wanted}"))


def _req_mkt_data(gateway: GatewayCore, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    listing = _checked(gateway, session, req_id, request)
    if listing is None:
        return
    data_type = LIVE if gateway.options.entitled else DELAYED
    stream = QuoteStream(
        req_id, listing, generic_ticks=_generic_ticks(request.get("genericTickList", "")), data_type=data_type
    )
    session.send(stream.parameters())
    if data_type == DELAYED and session.market_data_type not in _DELAYED_TYPES:
        session.send_error(req_id, notices.not_subscribed(listing))
        return
    session.send(stream.data_type())
    snapshot = request.get("snapshot", False) or request.get("regulatorySnapshot", False)
    if data_type == DELAYED and not snapshot:
        session.send_error(req_id, notices.SHOWING_DELAYED)
    for tick in stream.whole_picture(gateway.market.quote(listing.con_id)):
        session.send(tick)
    if snapshot:
        session.send(message("tickSnapshotEnd", reqId=req_id))
    else:
        session.quote_streams[req_id] = stream


def _checked(gateway: GatewayCore, session: Session, req_id: int, request: Message) -> Listing | None:
    """The listing asked for; None when the request was refused."""
    contract = request.get("contract", {})
    if req_id in session.quote_streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
        return None
    if sum(len(each.quote_streams) for each in gateway.sessions) >= gateway.options.lines_max:
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


def _cancel_mkt_data(gateway: GatewayCore, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    if session.quote_streams.pop(req_id, None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


def _generic_ticks(ticks: str) -> frozenset[int]:
    """ "233,236"; a prefix as in "mdoff,292" names no tick."""
    return frozenset(int(part) for part in ticks.split(",") if part.strip().isdigit())


HANDLERS = {
    "reqMarketDataType": _req_market_data_type,
    "reqMktData": _req_mkt_data,
    "cancelMktData": _cancel_mkt_data,
}
