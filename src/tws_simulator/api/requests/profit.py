"""Profit and loss subscriptions."""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.accounts.account_books import Refusal, no_account
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.pnl import KIND, SINGLE_KIND, PnlSingleStream, PnlStream
from tws_simulator.wire.row import Message
from tws_simulator.world.accounts.ledger import Ledger


def _req_pnl(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    ledger = _ledger(gateway, request)
    if isinstance(ledger, tuple):
        session.send_error(req_id, ledger)
    else:
        _open(gateway, session, KIND, req_id, PnlStream(req_id, ledger, gateway.world))


def _req_pnl_single(gateway: GatewayState, session: Session, request: Message) -> None:
    """Of a contract that is not held nothing is told, not even a refusal."""
    req_id = request.get("reqId", notices.NO_REQUEST)
    ledger = _ledger(gateway, request)
    if isinstance(ledger, tuple):
        session.send_error(req_id, ledger)
    else:
        stream = PnlSingleStream(req_id, ledger, gateway.world, request.get("conId", 0))
        _open(gateway, session, SINGLE_KIND, req_id, stream)


def _ledger(gateway: GatewayState, request: Message) -> Ledger | Refusal:
    """Of one account, which must be named."""
    account = request.get("account", "")
    return gateway.world.ledgers.get(account) or no_account(account)


def _open(gateway: GatewayState, session: Session, kind: str, req_id: int, stream: PnlStream) -> None:
    if (kind, req_id) in session.streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
        return
    session.streams[kind, req_id] = stream
    for row in stream.changes(gateway.now_ns):
        session.send(row)


def _cancel_pnl(gateway: GatewayState, session: Session, request: Message) -> None:
    _cancel(session, KIND, request)


def _cancel_pnl_single(gateway: GatewayState, session: Session, request: Message) -> None:
    _cancel(session, SINGLE_KIND, request)


def _cancel(session: Session, kind: str, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    if session.streams.pop((kind, req_id), None) is None:
        session.send_error(req_id, notices.unknown_ticker_id(req_id))


HANDLERS: dict[str, Handler] = {
    "reqPnL": _req_pnl,
    "cancelPnL": _cancel_pnl,
    "reqPnLSingle": _req_pnl_single,
    "cancelPnLSingle": _cancel_pnl_single,
}
