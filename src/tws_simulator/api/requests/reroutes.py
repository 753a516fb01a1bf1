"""Contracts for difference: they have no market of their own, and clients are sent to the share's.

As captured for a contract on IBM: one message with the share's conId and SMART; the client asks again for that.
"""

from __future__ import annotations

from tws_simulator.api.contracts.contracts import resolve
from tws_simulator.api.session import Session
from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.listing import SMART

_CFD = "CFD"


def is_rerouted(session: Session, request: Message, reply: str) -> bool:
    """Whether ``request`` was about such a contract; then it has been answered with ``reply``, or is refused."""
    contract = request.get("contract", {})
    if contract.get("secType") != _CFD:
        return False
    share = resolve({"symbol": contract.get("symbol", ""), "secType": "STK", "currency": contract.get("currency", "")})
    session.send(message(reply, reqId=request.req_id, conId=share.con_id, exchange=SMART))
    return True
