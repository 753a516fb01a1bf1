"""What all market data requests check first: the request id, the contract, and whether the client may see its data."""

from __future__ import annotations

from collections.abc import Callable

from tws_simulator.api import data_notices, notices
from tws_simulator.api.contracts.contracts import resolve
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import Listing


def instrument(gateway: GatewayState, session: Session, kind: str, request: Message) -> Listing | None:
    """The listing asked for; None when the request was refused."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    contract = request.get("contract", {})
    if (kind, req_id) in session.streams:
        session.send_error(req_id, data_notices.DUPLICATE_TICKER_ID)
        return None
    if not contract.get("exchange"):
        session.send_error(req_id, notices.invalid("Please enter exchange"))
        return None
    found = resolve(contract)
    if not isinstance(found, Listing):
        session.send_error(req_id, found)
        return None
    if found.con_id not in gateway.world.tape:
        session.send_error(req_id, data_notices.not_subscribed(found, 354))
        return None
    return found


def is_entitled(gateway: GatewayState, listing: Listing) -> bool:
    return gateway.options.entitled and listing.symbol not in gateway.options.not_entitled


def end_of(session: Session, key: tuple[str, int]) -> Callable[[], None]:
    """What a stream calls that ends itself."""

    def end() -> None:
        session.streams.pop(key, None)

    return end
