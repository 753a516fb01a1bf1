"""What the gateway does with each request; one module for each family."""

from __future__ import annotations

from tws_simulator.api.refused import Refused
from tws_simulator.api.requests import (
    account,
    bars,
    configuration,
    contracts,
    depth,
    executions,
    history,
    history_ticks,
    market_data,
    options,
    order_lists,
    orders,
    profit,
    reference,
    start,
    tick_by_tick,
)
from tws_simulator.api.requests.start import start_api
from tws_simulator.api.requests.unsupported import refuse_unknown
from tws_simulator.api.session import Session, SessionState
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message

__all__ = ["HANDLERS", "perform", "refuse_unknown", "serve"]

HANDLERS: dict[str, Handler] = {
    **start.HANDLERS,
    **market_data.HANDLERS,
    **depth.HANDLERS,
    **tick_by_tick.HANDLERS,
    **bars.HANDLERS,
    **options.HANDLERS,
    **contracts.HANDLERS,
    **reference.HANDLERS,
    **configuration.HANDLERS,
    **account.HANDLERS,
    **profit.HANDLERS,
    **orders.HANDLERS,
    **order_lists.HANDLERS,
    **executions.HANDLERS,
    **history.HANDLERS,
    **history_ticks.HANDLERS,
}

_ABOUT_AN_ORDER = ("placeOrder", "cancelOrder")


def serve(gateway: GatewayState, session: Session, message: Message) -> None:
    """Before START_API a gateway listens to nothing else."""
    if message.name == "startApi":
        start_api(gateway, session, message)
    elif session.state is SessionState.RUNNING:
        perform(gateway, session, message)


def perform(gateway: GatewayState, session: Session, message: Message) -> None:
    """Serve it or refuse it, also when its client has left meanwhile."""
    try:
        HANDLERS[message.name](gateway, session, message)
    except Refused as refused:
        about_order = message.name in _ABOUT_AN_ORDER
        session.send_error(message.get("orderId", 0) if about_order else message.req_id, refused.notice)
