"""Contract details."""

from __future__ import annotations

from tws_simulator.api.contracts import details, resolve
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.world.universe import Listing


def _req_contract_details(gateway: GatewayState, session: Session, request: Message) -> None:
    """An unknown contract ends the request with error 200, without an end marker."""
    req_id, contract = request.get("reqId", -1), request.get("contract", {})
    found = resolve(contract)
    if not isinstance(found, Listing):
        session.send_error(req_id, found)
        return
    for row in details(req_id, contract, found, gateway.now_ns):
        session.send(row)
    session.send(message("contractDetailsEnd", reqId=req_id))


HANDLERS: dict[str, Handler] = {"reqContractDetails": _req_contract_details}
