"""Profit and loss subscriptions."""

from __future__ import annotations

from tws_simulator.api.accounts.account_books import check_account
from tws_simulator.api.requests.subscribing import cancel, check_new
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.pnl import KIND, SINGLE_KIND, PnlSingleStream, PnlStream
from tws_simulator.wire.row import Message


def _req_pnl(gateway: GatewayState, session: Session, request: Message) -> None:
    account = check_account(gateway.world, request.get("account", ""))
    _open(gateway, session, KIND, request, PnlStream(request.req_id, account, gateway.known.books))


def _req_pnl_single(gateway: GatewayState, session: Session, request: Message) -> None:
    """Of a contract that is not held nothing is told, not even a refusal."""
    account = check_account(gateway.world, request.get("account", ""))
    stream = PnlSingleStream(request.req_id, account, gateway.known.books, request.get("conId", 0))
    _open(gateway, session, SINGLE_KIND, request, stream)


def _open(gateway: GatewayState, session: Session, kind: str, request: Message, stream: PnlStream) -> None:
    check_new(session, kind, request)
    session.subscribe(kind, request.req_id, stream)
    for row in stream.changes(gateway.now_ns):
        session.send(row)


HANDLERS: dict[str, Handler] = {
    "reqPnL": _req_pnl,
    "cancelPnL": cancel(KIND),
    "reqPnLSingle": _req_pnl_single,
    "cancelPnLSingle": cancel(SINGLE_KIND),
}
