"""Account summaries, account updates and positions."""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.accounts.account_books import ledgers_of
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams import portfolio, positions, summaries
from tws_simulator.wire.row import Message, message

_SUMMARIES_MAX = 2
_SECOND = 1_000_000_000


def _req_account_summary(gateway: GatewayState, session: Session, request: Message) -> None:
    """``double_summaries`` tells every row, and the end, twice: seen in captures of group "All" of a paper account."""
    req_id, world = request.get("reqId", notices.NO_REQUEST), gateway.world
    known = {row.tag for row in world.ledger.summary(world.marks())}
    tags = frozenset(tag.strip() for tag in request.get("tags", "").split(",") if tag.strip())
    group = request.get("group", "")
    ledgers = ledgers_of(world, group)
    key = (summaries.KIND, req_id)
    if key not in session.streams and sum(kind == summaries.KIND for kind, _ in session.streams) >= _SUMMARIES_MAX:
        session.send_error(req_id, notices.TOO_MANY_SUMMARIES)
    elif not tags or not (tags & known or any(tag.startswith(summaries.LEDGER) for tag in tags)):
        session.send_error(req_id, notices.invalid("Invalid account summary tags"))
    elif not group or not isinstance(ledgers, dict):
        session.send_error(req_id, notices.invalid(f"Unified group name '{group}' is invalid"))
    else:
        stream = session.streams[key] = summaries.SummaryStream(req_id, world, ledgers, tags, _interval_ns(gateway))
        times = 2 if gateway.options.double_summaries else 1
        for row in stream.changes(gateway.now_ns):
            for _ in range(times):
                session.send(row)
        for _ in range(times):
            session.send(message("accountSummaryEnd", reqId=req_id))


def _cancel_account_summary(gateway: GatewayState, session: Session, request: Message) -> None:
    _cancel(session, summaries.KIND, request)


def _req_account_updates(gateway: GatewayState, session: Session, request: Message) -> None:
    """One account at a time: another one, or ``subscribe`` false, ends the subscription with 2100."""
    key = (portfolio.KIND, 0)
    ledgers = ledgers_of(gateway.world, request.get("acctCode", "") or gateway.world.account)
    if not isinstance(ledgers, dict):
        session.send_error(notices.NO_REQUEST, ledgers)
        return
    if not request.get("subscribe", False):
        if session.streams.pop(key, None) is not None:
            session.send_error(notices.NO_REQUEST, notices.ACCOUNT_UNSUBSCRIBED)
        return
    account, ledger = next(iter(ledgers.items()))
    running = session.streams.get(key)
    if isinstance(running, portfolio.PortfolioStream) and running.account != account:
        session.send_error(notices.NO_REQUEST, notices.ACCOUNT_UNSUBSCRIBED)
    stream = portfolio.PortfolioStream(account, ledger, gateway.world, _interval_ns(gateway))
    session.streams[key] = stream
    for row in stream.changes(gateway.now_ns):
        session.send(row)
    session.send(message("accountDownloadEnd", accountName=stream.account))


def _req_account_updates_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    key = (portfolio.MULTI_KIND, req_id)
    ledgers = ledgers_of(gateway.world, request.get("account", ""))
    if not isinstance(ledgers, dict):
        session.send_error(req_id, ledgers)
    elif key in session.streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
    else:
        stream = session.streams[key] = portfolio.AccountUpdatesStream(
            req_id,
            ledgers,
            gateway.world,
            ledger_only=request.get("ledgerAndNLV", False),
            interval_ns=_interval_ns(gateway),
        )
        for row in stream.changes(gateway.now_ns):
            session.send(row)
        session.send(message("accountUpdateMultiEnd", reqId=req_id))


def _cancel_account_updates_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    _cancel(session, portfolio.MULTI_KIND, request)


def _req_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    stream = positions.PositionStream(gateway.world.ledgers, positions.position)
    session.streams[positions.KIND, 0] = stream
    for position in stream.changes(gateway.now_ns):
        session.send(position)
    session.send(message("positionEnd"))


def _cancel_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    session.streams.pop((positions.KIND, 0), None)


def _req_positions_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    key = (positions.MULTI_KIND, req_id)
    ledgers = ledgers_of(gateway.world, request.get("account", ""))
    if not isinstance(ledgers, dict):
        session.send_error(req_id, ledgers)
    elif key in session.streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
    else:
        stream = positions.PositionStream(ledgers, positions.position_multi(req_id))
        session.streams[key] = stream
        for position in stream.changes(gateway.now_ns):
            session.send(position)
        session.send(message("positionMultiEnd", reqId=req_id))


def _cancel_positions_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    _cancel(session, positions.MULTI_KIND, request)


def _cancel(session: Session, kind: str, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    if session.streams.pop((kind, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


def _interval_ns(gateway: GatewayState) -> int:
    return int(gateway.options.account_interval_s * _SECOND)


HANDLERS: dict[str, Handler] = {
    "reqAccountSummary": _req_account_summary,
    "cancelAccountSummary": _cancel_account_summary,
    "reqAccountUpdates": _req_account_updates,
    "reqAccountUpdatesMulti": _req_account_updates_multi,
    "cancelAccountUpdatesMulti": _cancel_account_updates_multi,
    "reqPositions": _req_positions,
    "cancelPositions": _cancel_positions,
    "reqPositionsMulti": _req_positions_multi,
    "cancelPositionsMulti": _cancel_positions_multi,
}
