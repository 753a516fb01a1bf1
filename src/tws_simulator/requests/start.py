"""START_API, ids, accounts managed, clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tws_simulator import notices
from tws_simulator.requests.order_lists import send_open_orders
from tws_simulator.session import SessionState
from tws_simulator.wire.row import Message, message

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session

_SECOND = 1_000_000_000
# A gateway does not answer reqCurrentTime again this soon after an answer.
_TIME_AGAIN_NS = 4 * _SECOND


def start_api(gateway: GatewayCore, session: Session, request: Message) -> None:
    """Live orders first, if there are any, with one end marker; then accounts and ids; then the farms."""
    if session.state is not SessionState.AWAITING_START:
        return
    client_id = request.get("clientId", 0)
    if gateway.session_of(client_id) is not None:
        session.send_error(notices.NO_REQUEST, notices.CLIENT_ID_IN_USE)
        session.enter(SessionState.CLOSED)
        return
    session.client_id = client_id
    session.enter(SessionState.RUNNING)
    if gateway.exchange.open_orders(client_id):
        send_open_orders(gateway, session, client_id)
    greeting = [_managed_accounts(gateway), _next_valid_id(gateway, session)]
    for reply in reversed(greeting) if gateway.options.accounts_after_ids else greeting:
        session.send(reply)
    for farm in notices.FARMS:
        session.send_error(notices.NO_REQUEST, farm)


def _managed_accounts(gateway: GatewayCore) -> Message:
    return message("managedAccounts", accountsList=gateway.account)


def _next_valid_id(gateway: GatewayCore, session: Session) -> Message:
    return message("nextValidId", orderId=gateway.exchange.next_order_id(session.client_id))


def _req_ids(gateway: GatewayCore, session: Session, request: Message) -> None:
    session.send(_next_valid_id(gateway, session))


def _req_managed_accounts(gateway: GatewayCore, session: Session, request: Message) -> None:
    session.send(_managed_accounts(gateway))


def _req_current_time(gateway: GatewayCore, session: Session, request: Message) -> None:
    if gateway.now_ns - session.time_answered_ns < _TIME_AGAIN_NS:
        return
    session.time_answered_ns = gateway.now_ns
    session.send(message("currentTime", currentTime=gateway.now_ns // _SECOND))


def _req_current_time_in_millis(gateway: GatewayCore, session: Session, request: Message) -> None:
    session.send(message("currentTimeInMillis", currentTimeInMillis=gateway.now_ns // 1_000_000))


def _set_server_log_level(gateway: GatewayCore, session: Session, request: Message) -> None:
    """Silent, as in a real gateway."""


HANDLERS = {
    "reqIds": _req_ids,
    "reqManagedAccts": _req_managed_accounts,
    "reqCurrentTime": _req_current_time,
    "reqCurrentTimeInMillis": _req_current_time_in_millis,
    "setServerLogLevel": _set_server_log_level,
}
