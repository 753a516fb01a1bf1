"""Events for tests that need some, with everything they do not care about filled in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.effects import Append
from ibkr_adapter.events import (
    CommissionReported,
    ExecutionReported,
    JournalEvent,
    OpenOrderReported,
    OrderIntended,
    OrderStatusReported,
    Quote,
    Source,
)
from ibkr_adapter.instruments import Instrument

SPY = Instrument(symbol="SPY", primary_exchange="ARCA", con_id=756733)


def quote(instrument: str = "SPY", ts_recv_ns: int = 1, **fields: Any) -> Quote:
    return Quote(**{"instrument": instrument, "ts_recv_ns": ts_recv_ns, "bid": 500.0, "source": Source.LIVE, **fields})


def terms(**fields: Any) -> OrderTerms:
    return OrderTerms(
        **{
            "instrument": SPY,
            "action": "BUY",
            "order_type": "LMT",
            "quantity": Decimal(100),
            "limit_price": Decimal("500.10"),
            "account": "DU1",
            **fields,
        }
    )


def apart(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Terms of an order, and what else was said of it."""
    named = {name: value for name, value in fields.items() if name in OrderTerms.__struct_fields__}
    return named, {name: value for name, value in fields.items() if name not in named}


def intended(order_key: str = "k1", order_id: int = 11, **fields: Any) -> OrderIntended:
    named, rest = apart(fields)
    return OrderIntended(
        **{
            "ts_recv_ns": 1,
            "order_key": order_key,
            "idempotency_key": f"i-{order_key}",
            "order_id": order_id,
            "client_id": 1,
            "gateway": "a",
            "epoch": 1,
            "actor": "desk",
            "terms": terms(**named),
            "reference_price": Decimal("500.05"),
            "expires_at_ns": 2,
            **rest,
        }
    )


def echoed(order_ref: str = "k1", order_id: int = 11, perm_id: int = 7001, status: str = "Submitted", **fields: Any):
    return fields.pop("kind", OpenOrderReported)(
        **{
            "ts_recv_ns": 2,
            "epoch": 1,
            "order_id": order_id,
            "client_id": 1,
            "perm_id": perm_id,
            "order_ref": order_ref,
            "account": "DU1",
            "instrument": SPY,
            "action": "BUY",
            "order_type": "LMT",
            "quantity": Decimal(100),
            "limit_price": Decimal("500.10"),
            "tif": "DAY",
            "status": status,
            **fields,
        }
    )


def status(order_id: int = 11, perm_id: int = 7001, status: str = "Submitted", **fields: Any) -> OrderStatusReported:
    return OrderStatusReported(
        **{
            "ts_recv_ns": 3,
            "epoch": 1,
            "order_id": order_id,
            "client_id": 1,
            "perm_id": perm_id,
            "status": status,
            "filled": Decimal(0),
            "remaining": Decimal(100),
            "average_price": 0.0,
            "last_price": 0.0,
            **fields,
        }
    )


def execution(exec_id: str = "0000e0d5.6.01.01", quantity: int = 100, **fields: Any) -> ExecutionReported:
    return ExecutionReported(
        **{
            "ts_recv_ns": 4,
            "epoch": 1,
            "req_id": -1,
            "exec_id": exec_id,
            "order_id": 11,
            "client_id": 1,
            "perm_id": 7001,
            "order_ref": "k1",
            "account": "DU1",
            "instrument": SPY,
            "side": "BOT",
            "quantity": Decimal(quantity),
            "price": 500.1,
            "cumulative_quantity": Decimal(quantity),
            "average_price": 500.1,
            "exchange": "ARCA",
            **fields,
        }
    )


def commission(exec_id: str = "0000e0d5.6.01.01", amount: str = "1.05", **fields: Any) -> CommissionReported:
    return CommissionReported(
        **{
            "ts_recv_ns": 5,
            "epoch": 1,
            "exec_id": exec_id,
            "commission": Decimal(amount),
            "currency": "USD",
            **fields,
        }
    )


def appends(events: list[JournalEvent], after_seq: int = 0) -> list[Append]:
    return [Append(seq=seq, event=event) for seq, event in enumerate(events, after_seq + 1)]
