"""Today's executions: all of them, then all their commissions, then the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tws_simulator.api.echoes import commission_report, exec_details
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.text import Values
from tws_simulator.world.calendar import new_york_time
from tws_simulator.world.tickets import ExecutionFilter

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1)


def _req_executions(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", -1)
    wanted = _filter(request.get("executionFilter", {}), gateway.now_ns)
    executions = gateway.world.exchange.executions(wanted)
    for execution in executions:
        session.send(exec_details(req_id, execution))
    for execution in executions:
        session.send(commission_report(gateway.world.ledger.commissions[execution.exec_id]))
    session.send(message("execDetailsEnd", reqId=req_id))


def _filter(asked: Values, now_ns: int) -> ExecutionFilter:
    """Client id 0 means every client, not client 0."""
    return ExecutionFilter(
        client_id=asked.get("clientId") or None,
        account=asked.get("acctCode") or None,
        since_ns=_since(asked.get("time", ""), now_ns),
        symbol=asked.get("symbol") or None,
        sec_type=asked.get("secType") or None,
        exchange=asked.get("exchange") or None,
        side=asked.get("side") or None,
    )


def _since(text: str, now_ns: int) -> int | None:
    """ "20260413 15:27:04" with or without a zone in New York, or "20260413-15:27:04" in UTC."""
    day_and_time = text[:17]
    for layout, is_utc in (("%Y%m%d-%H:%M:%S", True), ("%Y%m%d %H:%M:%S", False)):
        try:
            moment = datetime.strptime(day_and_time, layout)
        except ValueError:
            continue
        offset = timedelta(0) if is_utc or text.endswith("UTC") else _new_york_offset(now_ns)
        return int((moment - _EPOCH - offset).total_seconds()) * _SECOND
    return None


def _new_york_offset(now_ns: int) -> timedelta:
    utc = datetime.fromtimestamp(now_ns // _SECOND, UTC).replace(tzinfo=None)
    return new_york_time(now_ns).replace(tzinfo=None, microsecond=0) - utc


HANDLERS: dict[str, Handler] = {"reqExecutions": _req_executions}
