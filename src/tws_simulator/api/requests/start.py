"""START_API, ids, accounts managed, clock."""

from __future__ import annotations

from tws_simulator.api.accounts.account_books import account_list
from tws_simulator.api.notices import NO_REQUEST
from tws_simulator.api.notices.session import CLIENT_ID_IN_USE, FARMS, READ_ONLY
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.order_lists import send_open_orders
from tws_simulator.api.session import Session, SessionState
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.world.time.units import SECOND_NS

# A gateway does not answer reqCurrentTime again this soon after an answer.
_TIME_AGAIN_NS = 4 * SECOND_NS


def start_api(gateway: GatewayState, session: Session, request: Message) -> None:
    """Live orders first, if there are any, with one end marker; then accounts and ids; then the farms.

    Without a link to the broker nothing is known of any farm: that it is lost is told instead.
    """
    if session.state is not SessionState.AWAITING_START:
        return
    client_id = request.get("clientId", 0)
    if gateway.session_of(client_id) is not None:
        session.send_error(NO_REQUEST, CLIENT_ID_IN_USE)
        session.enter(SessionState.CLOSED)
        return
    session.peer.client_id = client_id
    session.enter(SessionState.RUNNING)
    if gateway.known.open_orders(client_id) or gateway.known.pending_orders(client_id):
        send_open_orders(gateway, session, client_id)
    greeting = [_managed_accounts(gateway), _next_valid_id(gateway, session)]
    for reply in reversed(greeting) if gateway.options.accounts_after_ids else greeting:
        session.send(reply)
    for notice in FARMS if gateway.known.lost is None else (gateway.known.lost,):
        session.send_error(NO_REQUEST, notice)


def _managed_accounts(gateway: GatewayState) -> Message:
    return message("managedAccounts", accountsList=account_list(gateway.world))


def _next_valid_id(gateway: GatewayState, session: Session) -> Message:
    return message("nextValidId", orderId=gateway.known.next_order_id(session.client_id))


def _req_ids(gateway: GatewayState, session: Session, request: Message) -> None:
    if gateway.options.read_only:
        raise Refused(READ_ONLY)
    session.send(_next_valid_id(gateway, session))


def _req_managed_accounts(gateway: GatewayState, session: Session, request: Message) -> None:
    session.send(_managed_accounts(gateway))


def _req_current_time(gateway: GatewayState, session: Session, request: Message) -> None:
    if gateway.steady_ns - session.time_answered_ns < _TIME_AGAIN_NS:
        return
    session.time_answered_ns = gateway.steady_ns
    session.send(message("currentTime", currentTime=gateway.now_ns // SECOND_NS))


def _req_current_time_in_millis(gateway: GatewayState, session: Session, request: Message) -> None:
    session.send(message("currentTimeInMillis", currentTimeInMillis=gateway.now_ns // 1_000_000))


def _set_server_log_level(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, as in a real gateway."""


HANDLERS: dict[str, Handler] = {
    "reqIds": _req_ids,
    "reqManagedAccts": _req_managed_accounts,
    "reqCurrentTime": _req_current_time,
    "reqCurrentTimeInMillis": _req_current_time_in_millis,
    "setServerLogLevel": _set_server_log_level,
}
