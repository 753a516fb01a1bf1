"""Account summary and positions."""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams import positions, summaries
from tws_simulator.wire.row import Message, message

_SUMMARIES_MAX = 2
_SECOND = 1_000_000_000


def _req_account_summary(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    known = {row.tag for row in gateway.world.ledger.summary(gateway.world.marks())}
    tags = frozenset(tag.strip() for tag in request.get("tags", "").split(",") if tag.strip())
    key = (summaries.KIND, req_id)
    if key not in session.streams and sum(kind == summaries.KIND for kind, _ in session.streams) >= _SUMMARIES_MAX:
        session.send_error(req_id, notices.TOO_MANY_SUMMARIES)
    elif not tags or not (tags & known or any(tag.startswith("$") for tag in tags)):
        session.send_error(req_id, notices.invalid("Invalid account summary tags"))
    else:
        interval_ns = int(gateway.options.account_interval_s * _SECOND)
        stream = session.streams[key] = summaries.SummaryStream(req_id, gateway.world, tags, interval_ns)
        for row in stream.changes(gateway.now_ns):
            session.send(row)
        session.send(message("accountSummaryEnd", reqId=req_id))


def _cancel_account_summary(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    if session.streams.pop((summaries.KIND, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


def _req_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    stream = session.streams[positions.KIND, 0] = positions.PositionStream(gateway.world)
    for position in stream.changes():
        session.send(position)
    session.send(message("positionEnd"))


def _cancel_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    session.streams.pop((positions.KIND, 0), None)


HANDLERS: dict[str, Handler] = {
    "reqAccountSummary": _req_account_summary,
    "cancelAccountSummary": _cancel_account_summary,
    "reqPositions": _req_positions,
    "cancelPositions": _cancel_positions,
}
