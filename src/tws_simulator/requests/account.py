"""Account summary and positions."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tws_simulator import notices, summaries
from tws_simulator.contracts import described
from tws_simulator.universe import find
from tws_simulator.wire.row import Message, message

if TYPE_CHECKING:
    from tws_simulator.accounts import Position
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session

_SUMMARIES_MAX = 2


def _req_account_summary(gateway: GatewayCore, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    known = {row.tag for row in gateway.ledger.summary(gateway.market.marks())}
    tags = frozenset(tag.strip() for tag in request.get("tags", "").split(",") if tag.strip())
    if req_id not in session.summaries and len(session.summaries) >= _SUMMARIES_MAX:
        session.send_error(req_id, notices.TOO_MANY_SUMMARIES)
    elif not tags or not (tags & known or any(tag.startswith("$") for tag in tags)):
        session.send_error(req_id, notices.invalid("Invalid account summary tags"))
    else:
        subscription = summaries.SummarySubscription(req_id, gateway.account, tags)
        session.summaries[req_id] = subscription
        summaries.tell(gateway, session, subscription)
        session.send(message("accountSummaryEnd", reqId=req_id))


def _cancel_account_summary(gateway: GatewayCore, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    if session.summaries.pop(req_id, None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


def _req_positions(gateway: GatewayCore, session: Session, request: Message) -> None:
    session.wants_positions = True
    send_positions(gateway, session, None)
    session.send(message("positionEnd"))


def _cancel_positions(gateway: GatewayCore, session: Session, request: Message) -> None:
    session.wants_positions = False


def send_positions(gateway: GatewayCore, session: Session, con_ids: Collection[int] | None) -> None:
    """The positions in these instruments, or all."""
    for held in gateway.ledger.positions():
        if con_ids is None or held.con_id in con_ids:
            session.send(_position(gateway.account, held))


def _position(account: str, held: Position) -> Message:
    listing = find(con_id=held.con_id)
    assert listing is not None, f"a position in {held.con_id}, which is not listed"
    return message(
        "position",
        account=account,
        contract=described(listing, listing.primary_exchange),
        position=held.shares,
        avgCost=float(held.average_cost_usd),
    )


HANDLERS = {
    "reqAccountSummary": _req_account_summary,
    "cancelAccountSummary": _cancel_account_summary,
    "reqPositions": _req_positions,
    "cancelPositions": _cancel_positions,
}
