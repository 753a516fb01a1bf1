"""Contract details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tws_simulator.contracts import details, resolve
from tws_simulator.universe import Listing
from tws_simulator.wire.row import Message, message

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session


def _req_contract_details(gateway: GatewayCore, session: Session, request: Message) -> None:
    """An unknown contract ends the request with error 200, without an end marker."""
    req_id, contract = request.get("reqId", -1), request.get("contract", {})
    found = resolve(contract)
    if not isinstance(found, Listing):
        session.send_error(req_id, found)
        return
    for row in details(req_id, contract, found, gateway.now_ns):
        session.send(row)
    session.send(message("contractDetailsEnd", reqId=req_id))


HANDLERS = {"reqContractDetails": _req_contract_details}
