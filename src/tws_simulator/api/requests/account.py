"""Account summaries, account updates and positions."""

from __future__ import annotations

from collections.abc import Iterable

from tws_simulator.api.accounts.account_books import ALL, accounts_of, check_account
from tws_simulator.api.notices import NO_REQUEST
from tws_simulator.api.notices.accounts import ACCOUNT_UNSUBSCRIBED, BAD_TAGS, TOO_MANY_SUMMARIES, bad_group
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import cancel, check_new
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams import portfolio, positions, summaries
from tws_simulator.wire.row import Message, message
from tws_simulator.world.time.units import SECOND_NS

NO_ID = 0
"""Of subscriptions that have no request id."""
_SUMMARIES_MAX = 2


def _req_account_summary(gateway: GatewayState, session: Session, request: Message) -> None:
    """``double_summaries`` tells every row, and the end, twice: seen in captures of group "All" of a paper account."""
    req_id, books, group = request.req_id, gateway.known.books, request.get("group", "")
    open_ids = {stream_id for kind, stream_id in session.streams if kind == summaries.KIND}
    if len(open_ids - {req_id}) >= _SUMMARIES_MAX:
        raise Refused(TOO_MANY_SUMMARIES)
    tags = frozenset(tag.strip() for tag in request.get("tags", "").split(",") if tag.strip())
    known = {row.tag for row in books[gateway.world.first_account].summary(books.marks())}
    if not tags & known and not any(tag.startswith(summaries.LEDGER) for tag in tags):
        raise Refused(BAD_TAGS)
    if group != ALL and group not in books:
        raise Refused(bad_group(group))
    accounts = accounts_of(gateway.world, group)
    stream = summaries.SummaryStream(req_id, books, accounts, tags, _interval_ns(gateway))
    session.subscribe(summaries.KIND, req_id, stream)
    times = 2 if gateway.options.double_summaries else 1
    for row in [*stream.changes(gateway.now_ns), message("accountSummaryEnd", reqId=req_id)]:
        for _ in range(times):
            session.send(row)


def _req_account_updates(gateway: GatewayState, session: Session, request: Message) -> None:
    """One account at a time: another one, or ``subscribe`` false, ends the subscription with 2100."""
    account = request.get("acctCode", "")
    if account in ("", ALL):
        account = gateway.world.first_account
    check_account(gateway.world, account)
    if not request.get("subscribe", False):
        if session.unsubscribe(portfolio.KIND, NO_ID) is not None:
            session.send_error(NO_REQUEST, ACCOUNT_UNSUBSCRIBED)
        return
    running = session.streams.get((portfolio.KIND, NO_ID))
    stream = portfolio.PortfolioStream(account, gateway.known.books, _interval_ns(gateway))
    session.subscribe(portfolio.KIND, NO_ID, stream)
    if isinstance(running, portfolio.PortfolioStream) and running.account != account:
        session.send_error(NO_REQUEST, ACCOUNT_UNSUBSCRIBED)
    _tell(session, stream.changes(gateway.now_ns), message("accountDownloadEnd", accountName=account))


def _req_account_updates_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    accounts = accounts_of(gateway.world, request.get("account", ""))
    check_new(session, portfolio.MULTI_KIND, request)
    stream = portfolio.AccountUpdatesStream(
        request.req_id,
        accounts,
        gateway.known.books,
        ledger_only=request.get("ledgerAndNLV", False),
        interval_ns=_interval_ns(gateway),
    )
    session.subscribe(portfolio.MULTI_KIND, request.req_id, stream)
    _tell(session, stream.changes(gateway.now_ns), message("accountUpdateMultiEnd", reqId=request.req_id))


def _req_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    stream = positions.PositionStream(gateway.world.accounts, gateway.known.books, positions.position)
    session.subscribe(positions.KIND, NO_ID, stream)
    _tell(session, stream.changes(gateway.now_ns), message("positionEnd"))


def _cancel_positions(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, whether or not anything is cancelled."""
    session.unsubscribe(positions.KIND, NO_ID)


def _req_positions_multi(gateway: GatewayState, session: Session, request: Message) -> None:
    accounts = accounts_of(gateway.world, request.get("account", ""))
    check_new(session, positions.MULTI_KIND, request)
    stream = positions.PositionStream(accounts, gateway.known.books, positions.position_multi(request.req_id))
    session.subscribe(positions.MULTI_KIND, request.req_id, stream)
    _tell(session, stream.changes(gateway.now_ns), message("positionMultiEnd", reqId=request.req_id))


def _tell(session: Session, rows: Iterable[Message], end: Message) -> None:
    for row in rows:
        session.send(row)
    session.send(end)


def _interval_ns(gateway: GatewayState) -> int:
    return int(gateway.options.account_interval_s * SECOND_NS)


HANDLERS: dict[str, Handler] = {
    "reqAccountSummary": _req_account_summary,
    "cancelAccountSummary": cancel(summaries.KIND),
    "reqAccountUpdates": _req_account_updates,
    "reqAccountUpdatesMulti": _req_account_updates_multi,
    "cancelAccountUpdatesMulti": cancel(portfolio.MULTI_KIND),
    "reqPositions": _req_positions,
    "cancelPositions": _cancel_positions,
    "reqPositionsMulti": _req_positions_multi,
    "cancelPositionsMulti": cancel(positions.MULTI_KIND),
}
