"""What the control port tells of a gateway: plain tables, numbers of money and shares as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from tws_simulator.api.wire_times import exchange_time
from tws_simulator.faults.library import all_scenarios
from tws_simulator.gateway import Gateway
from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.orders.order_events import OrderView

RECORDS_MAX = 10_000
"""Of each list in one answer; ``since`` asks for later ones."""


def status(gateway: Gateway) -> dict[str, Any]:
    state = gateway.core.state
    scenario = gateway.director.scenario
    return {
        "host": gateway.host,
        "port": gateway.port,
        "listening": state.door.is_open,
        "seed": state.options.seed,
        "server_version": state.options.server_version,
        "time_ns": state.now_ns,
        "time": exchange_time(state.now_ns),
        "scenario": scenario.name if scenario is not None else None,
        "faults_done": gateway.director.acted,
        "faults_skipped": gateway.director.skipped,
        "clients": [
            {
                "client_id": session.client_id,
                "connection": session.peer.connection,
                "state": session.state.value,
                "server_version": session.codec.server_version,
                "streams": dict(Counter(kind for kind, _ in session.streams)),
                "requests": session.requests,
                "replies": session.replies,
                "held_back": len(session.backlog),
            }
            for session in state.sessions
        ],
        "dropped_clients": gateway.server.dropped_clients,
        "orders_open": len(state.world.exchange.open_orders()),
        "requests": dict(state.requests),
        "unsupported": {str(msg_id): count for msg_id, count in state.unsupported.items()},
    }


def scenarios() -> list[dict[str, Any]]:
    return [
        {"name": each.name, "rows": list(each.rows), "description": each.description, "options": dict(each.options)}
        for each in all_scenarios().values()
    ]


def ledger(gateway: Gateway, since: int) -> dict[str, Any]:
    """The truth against which a client's books are checked, of every account.

    An execution that was corrected stays in the list; the correction comes later, under the id with the next number
    after the last dot, and counts in its place, as does its commission.
    """
    world = gateway.core.state.world
    return {"since": since, "accounts": {name: books_of(books, since) for name, books in world.ledgers.items()}}


def books_of(books: Ledger, since: int) -> dict[str, Any]:
    until = since + RECORDS_MAX
    executions = books.executions[since:until]
    return {
        "cash_usd": str(books.cash_usd),
        "positions": [plain(position) for position in books.positions()],
        "executions_total": len(books.executions),
        "executions": [plain(execution) for execution in executions],
        "commissions": [plain(books.commissions[execution.exec_id]) for execution in executions],
        "placements_total": len(books.placements),
        "placements": [plain(placement) for placement in books.placements[since:until]],
    }


def orders(gateway: Gateway) -> dict[str, Any]:
    exchange = gateway.core.state.world.exchange
    completed = exchange.completed_orders()
    return {
        "open": [_order(view) for view in exchange.open_orders()[:RECORDS_MAX]],
        "completed_total": len(completed),
        "completed": [_order(view) for view in completed[-RECORDS_MAX:]],
    }


def _order(view: OrderView) -> dict[str, Any]:
    told: dict[str, Any] = plain(view)
    ticket = told.pop("ticket")
    ticket.pop("sent", None)  # the client's own words, of which the other fields are the sense
    return {**ticket, **told}


def plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value
