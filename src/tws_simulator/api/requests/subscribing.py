"""What all subscriptions check first (the id, the contract, the right to see its data), and how they are cancelled."""

from __future__ import annotations

from collections.abc import Callable

from tws_simulator.api.contracts.contracts import resolve
from tws_simulator.api.notices import DUPLICATE_TICKER_ID, Notice, unknown_ticker_id
from tws_simulator.api.notices.market_data import not_subscribed
from tws_simulator.api.notices.reference import NO_EXCHANGE
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.listing import Listing

_NO_LIVE_DATA = 354


def check_new(session: Session, kind: str, request: Message, refusal: Notice = DUPLICATE_TICKER_ID) -> None:
    """A second subscription under the same id is refused."""
    if (kind, request.req_id) in session.streams:
        raise Refused(refusal)


def instrument(gateway: GatewayState, session: Session, kind: str, request: Message) -> Listing:
    """The listing asked for."""
    contract = request.get("contract", {})
    check_new(session, kind, request)
    if not contract.get("exchange"):
        raise Refused(NO_EXCHANGE)
    found = resolve(contract)
    if found.con_id not in gateway.world.tape:
        raise Refused(not_subscribed(found, _NO_LIVE_DATA))
    return found


def is_entitled(gateway: GatewayState, listing: Listing) -> bool:
    return gateway.options.entitled and listing.symbol not in gateway.options.not_entitled


def end_of(session: Session, kind: str, req_id: int) -> Callable[[], None]:
    """What a stream calls that ends itself."""

    def end() -> None:
        session.unsubscribe(kind, req_id)

    return end


def cancel(kind: str) -> Handler:
    """Silent; error 300 where there is nothing to cancel."""

    def cancel_it(gateway: GatewayState, session: Session, request: Message) -> None:
        if session.unsubscribe(kind, request.req_id) is None:
            raise Refused(unknown_ticker_id(request.req_id))

    return cancel_it
