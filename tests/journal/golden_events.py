"""One journal with every kind of record, its fields filled: what ``golden/v1`` holds."""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.commands import Reason
from ibkr_adapter.events import (
    CancelIntended,
    ClientIdRefused,
    CompletedOrderReported,
    DoubtCause,
    FrameSent,
    GateChanged,
    JournalEvent,
    LeaseChanged,
    LossCause,
    NoticeReceived,
    OrderChanged,
    OrderDoubted,
    OrderLapsed,
    OrderNotFound,
    OrderRefused,
    SessionLost,
    SessionOpened,
    Started,
    Stopped,
    StreamsSwitched,
)
from tests.records import commission, echoed, execution, intended, status, terms

NO = Reason(code="trading_off", text="trading is switched off", remedy="set trading.enabled = true")

GOLDEN: list[JournalEvent] = [
    Started(ts_recv_ns=1, version="0.1.0", boot_id="boot", environment="paper", client_id=1, recovered_seq=0),
    SessionOpened(ts_recv_ns=2, epoch=1, gateway="a", client_id=1, server_version=203, connection_time="20261122"),
    GateChanged(ts_recv_ns=3, open=False, reasons=(NO,)),
    intended(outside_rth=True, tif="GTC"),
    OrderRefused(
        ts_recv_ns=4,
        order_key="k2",
        idempotency_key="i-k2",
        actor="desk",
        terms=terms(order_type="MKT", limit_price=None, quantity=Decimal("NaN"), account=""),
        reasons=(NO,),
        order_id=12,
    ),
    FrameSent(ts_recv_ns=5, epoch=1, order_id=11, cancel=False, frame=b"\x00\xff3\x0011\x00"),
    echoed(),
    status(),
    NoticeReceived(
        ts_recv_ns=6, epoch=1, req_id=11, code=399, text="held", ts_event_ns=5, advanced_reject='{"8229": "YES"}'
    ),
    CancelIntended(ts_recv_ns=7, order_key="k1", order_id=11, actor="desk"),
    execution(price=500.1 + 1e-13, average_price=1.1e16, liquidity=2, ts_event_ns=3),
    commission("x", "0.00000001", realized_pnl=-2.5),
    status(status="Filled", why_held="„locate” \u2028\n", parent_id=3),
    execution("0000e0d5.6.01.02"),
    echoed(
        kind=CompletedOrderReported,
        status="Cancelled",
        completed_status="Cancelled by Trader",
        completed_time="20261122 10:00:00",
        filled=Decimal("0.5"),
    ),
    OrderDoubted(ts_recv_ns=8, order_key="k1", cause=DoubtCause.VANISHED),
    OrderNotFound(ts_recv_ns=9, order_key="k1", evidence="not in 2 complete lists"),
    OrderLapsed(ts_recv_ns=10, order_key="k1", evidence="ended on an earlier day"),
    OrderChanged(
        ts_recv_ns=11,
        order_key="k1",
        order_id=11,
        client_id=1,
        gateway="a",
        terms=terms(),
        state="filled",
        filled=Decimal(100),
        remaining=Decimal(0),
        average_price=500.1,
        commission=Decimal("1.05"),
        perm_ids=(7001, 7002),
        detail="399: held",
        created_ns=1,
        idempotency_key="i-k1",
        actor="desk",
        cancel_asked=True,
        foreign=True,
    ),
    SessionLost(ts_recv_ns=12, epoch=1, gateway="a", client_id=1, cause=LossCause.RESET, detail="gone", unsent=2),
    Stopped(ts_recv_ns=13, boot_id="boot"),
    LeaseChanged(ts_recv_ns=14, held=False, epoch=7, detail="held by desk-b", lost=True),
    ClientIdRefused(ts_recv_ns=15, epoch=2, gateway="a", client_id=1, address="127.0.0.1:4002", detail="in use"),
    StreamsSwitched(ts_recv_ns=16, stopped=True, actor="cli:ann"),
]
