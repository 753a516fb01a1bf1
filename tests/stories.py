"""The lives of orders as the records that tell them, and a ledger that hears them."""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import (
    CancelIntended,
    CommissionReported,
    DoubtCause,
    Event,
    ExecutionReported,
    FrameSent,
    JournalEvent,
    NoticeReceived,
    OpenOrderReported,
    OrderDoubted,
    OrderStatusReported,
    SessionOpened,
)
from ibkr_adapter.notices import shipped
from tests.records import commission, echoed, execution, status

OPENED = SessionOpened(ts_recv_ns=1, epoch=1, gateway="a", client_id=1, server_version=203, connection_time="")


def frame(order_id: int = 11, *, cancel: bool = False) -> FrameSent:
    return FrameSent(ts_recv_ns=2, epoch=1, order_id=order_id, cancel=cancel, frame=b"")


def code(number: int, req_id: int = 11, text: str = "why") -> NoticeReceived:
    return NoticeReceived(ts_recv_ns=3, epoch=1, req_id=req_id, code=number, text=text)


def doubted() -> OrderDoubted:
    return OrderDoubted(ts_recv_ns=4, order_key="k1", cause=DoubtCause.NO_ANSWER)


def heard(ledger: Ledger, event: Event, out: Outbox | None = None) -> None:
    """As the engine takes it: what is no news is not written."""
    out = Outbox() if out is None else out
    if isinstance(event, OpenOrderReported | OrderStatusReported) and not ledger.orders.is_news(event):
        return
    if isinstance(event, ExecutionReported) and not ledger.executions.is_news(event):
        return
    if isinstance(event, CommissionReported) and not ledger.executions.is_news_of_commission(event):
        return
    ledger.record(event, out)


def told(*events: JournalEvent) -> list[JournalEvent]:
    """The journal of a service that hears these: the facts, each with what it made of its order."""
    out = Outbox()
    ledger = Ledger(shipped(), 1)
    for event in events:
        heard(ledger, event, out)
    return [append.event for append in out.appends]


FILLED = [
    frame(),
    echoed(status="PreSubmitted"),
    status(status="PreSubmitted"),
    echoed(status="Submitted"),
    status(status="Submitted"),
    execution("0000e0d5.1.01.01", quantity=60, cumulative_quantity=Decimal(60)),
    execution("0000e0d5.2.01.01", quantity=30),
    execution("0000e0d5.2.01.02", quantity=40),
    status(status="Filled", filled=Decimal(100), remaining=Decimal(0)),
    commission("0000e0d5.1.01.01"),
    commission("0000e0d5.2.01.02"),
]
CANCELLED = [
    frame(),
    echoed(status="PreSubmitted"),
    echoed(status="Submitted"),
    execution("0000e0d5.1.01.01", quantity=60),
    CancelIntended(ts_recv_ns=3, order_key="k1", order_id=11, actor="desk"),
    frame(cancel=True),
    status(status="PendingCancel"),
    status(status="Cancelled"),
    code(202),
    commission("0000e0d5.1.01.01"),
]
REJECTED = [frame(), echoed(status="Inactive"), status(status="Inactive"), code(201), status(status="Cancelled")]
IN_DOUBT_FILLED = [frame(), doubted(), execution("0000e0d5.1.01.01", quantity=100), commission("0000e0d5.1.01.01")]
