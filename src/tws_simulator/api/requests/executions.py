"""Today's executions: all of them, then all their commissions, then the end."""

from __future__ import annotations

from tws_simulator.api.echoes import commission_report, exec_details
from tws_simulator.api.moments import read_moment
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.text import Values
from tws_simulator.world.orders.tickets import ExecutionFilter


def _req_executions(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    wanted = _filter(request.get("executionFilter", {}))
    executions = gateway.world.exchange.executions(wanted)
    for execution in executions:
        session.send(exec_details(req_id, execution))
    for execution in executions:
        session.send(commission_report(gateway.world.ledgers[execution.account].commissions[execution.exec_id]))
    session.send(message("execDetailsEnd", reqId=req_id))


def _filter(asked: Values) -> ExecutionFilter:
    """Client id 0 means every client, not client 0."""
    return ExecutionFilter(
        client_id=asked.get("clientId") or None,
        account=asked.get("acctCode") or None,
        since_ns=read_moment(asked.get("time", "")),
        symbol=asked.get("symbol") or None,
        sec_type=asked.get("secType") or None,
        exchange=asked.get("exchange") or None,
        side=asked.get("side") or None,
    )


HANDLERS: dict[str, Handler] = {"reqExecutions": _req_executions}
