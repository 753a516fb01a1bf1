"""What the gateway does with each request; one module for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tws_simulator.requests import account, contracts, executions, market_data, orders, start
from tws_simulator.requests.start import start_api
from tws_simulator.session import SessionState

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session
    from tws_simulator.wire.row import Message

HANDLERS = {
    **start.HANDLERS,
    **market_data.HANDLERS,
    **contracts.HANDLERS,
    **account.HANDLERS,
    **orders.HANDLERS,
    **executions.HANDLERS,
}


def handle(gateway: GatewayCore, session: Session, message: Message) -> None:
    """Before START_API a gateway listens to nothing else."""
    if message.name == "startApi":
        start_api(gateway, session, message)
    elif session.state is SessionState.RUNNING:
        HANDLERS[message.name](gateway, session, message)
