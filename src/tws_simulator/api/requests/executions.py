"""Today's executions: all of them, then all their commissions, then the end."""

from __future__ import annotations

from tws_simulator.api.echoes import commission_report, exec_details
from tws_simulator.api.notices.history import bad_time
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.wire_times import read_time
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.orders.executions import ExecutionFilter


def _req_executions(gateway: GatewayState, session: Session, request: Message) -> None:
    wanted = _filter(request.get("executionFilter", {}), gateway.now_ns)
    executions = gateway.known.executions(wanted)
    for execution in executions:
        session.send(exec_details(request.req_id, execution, session.codec.server_version))
    for execution in executions:
        session.send(commission_report(gateway.world.ledgers[execution.account].commissions[execution.exec_id]))
    session.send(message("execDetailsEnd", reqId=request.req_id))


def _filter(asked: Values, now_ns: int) -> ExecutionFilter:
    """Client id 0 means every client, not client 0. A time that cannot be read is refused: it would filter nothing."""
    time = asked.get("time", "").strip()
    since_ns = read_time(time, now_ns, day_means="its start")
    if time and since_ns is None:
        raise Refused(bad_time("Start"))
    return ExecutionFilter(
        client_id=asked.get("clientId") or None,
        account=asked.get("acctCode") or None,
        since_ns=since_ns,
        symbol=asked.get("symbol") or None,
        sec_type=asked.get("secType") or None,
        exchange=asked.get("exchange") or None,
        side=asked.get("side") or None,
    )


HANDLERS: dict[str, Handler] = {"reqExecutions": _req_executions}
