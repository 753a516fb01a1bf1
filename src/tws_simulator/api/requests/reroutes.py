"""Contracts for difference: they have no market of their own, and clients are sent to the share's.

As captured for a contract on IBM: one message with the share's conId and SMART; the client asks again for that.
"""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.contracts.contracts import resolve
from tws_simulator.api.session import Session
from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.universe import SMART, Listing

_CFD = "CFD"


def is_rerouted(session: Session, request: Message, reply: str) -> bool:
    """Whether ``request`` was about such a contract; then it has been answered with ``reply``, or refused."""
    contract = request.get("contract", {})
    if contract.get("secType") != _CFD:
        return False
    req_id = request.get("reqId", notices.NO_REQUEST)
    share = resolve({"symbol": contract.get("symbol", ""), "secType": "STK", "currency": contract.get("currency", "")})
    if isinstance(share, Listing):
        session.send(message(reply, reqId=req_id, conId=share.con_id, exchange=SMART))
    else:
        session.send_error(req_id, share)
    return True
