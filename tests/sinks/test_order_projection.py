from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Outbox
from ibkr_adapter.errors import StoreError
from ibkr_adapter.events import (
    CancelIntended,
    CompletedOrderReported,
    FrameSent,
    GateChanged,
    JournalEvent,
    LossCause,
    NoticeReceived,
    OrderLapsed,
    Recorded,
    SessionLost,
    SessionOpened,
    Started,
)
from ibkr_adapter.notices import shipped
from ibkr_adapter.sinks.projection import SqliteProjection
from ibkr_adapter.sinks.sqlite import SqliteStore
from ibkr_adapter.snapshot import OrderView
from tests.journals import write_journal
from tests.records import commission, echoed, execution, intended, status
from tests.stories import CANCELLED, FILLED, OPENED, REJECTED, doubted, heard, told

TABLES = (
    *("ib_orders", "ib_order_perm_ids", "ib_order_events", "ib_executions", "ib_commissions", "ib_connections"),
    *("ib_client_ids", "ib_processes"),
)
PROJECTING = [sys.executable, str(Path(__file__).parent / "projecting_process.py")]
SENT = FrameSent(ts_recv_ns=2, epoch=1, order_id=11, cancel=False, frame=b"x")
LAPSED = OrderLapsed(ts_recv_ns=5, order_key="k1", evidence="two lists")
THEIRS = {"order_ref": "theirs", "client_id": 7, "perm_id": 8001}
EVERYTHING: list[JournalEvent] = [
    *FILLED,
    *CANCELLED,
    *REJECTED,
    doubted(),
    LAPSED,
    status(12, perm_id=7002),
    execution("0000e0d5.9.01.01", 7, order_ref="", order_id=0, client_id=0, perm_id=7002),
    echoed(**THEIRS),
    execution("0000e0d5.3.01.01", 5, **THEIRS),
    commission("0000e0d5.3.01.01"),
    echoed(order_ref="", client_id=0, order_id=0, perm_id=8002, kind=CompletedOrderReported, status="Filled"),
    SessionLost(ts_recv_ns=9, epoch=1, gateway="a", client_id=1, cause=LossCause.RESET),
    SessionOpened(ts_recv_ns=9, epoch=2, gateway="b", client_id=1, server_version=203, connection_time=""),
]
ORDER_COLUMNS = (
    *("order_key", "ours", "client_id", "order_id", "account", "instrument", "action", "order_type", "quantity"),
    *("limit_price", "tif", "state", "detail", "filled", "remaining", "average_price", "commission", "cancel_asked"),
    "created_ns",
)


def order_row(view: OrderView) -> tuple[object, ...]:
    """The core's view of an order as its row."""
    fields = {**{name: getattr(view, name) for name in view.__struct_fields__}, "ours": not view.foreign}
    return tuple(str(fields[c]) if isinstance(fields[c], Decimal) else fields[c] for c in ORDER_COLUMNS)


def rows(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def tables(path: Path) -> dict[str, list[tuple]]:
    return {table: rows(path, f"SELECT * FROM {table}") for table in (*TABLES, "ib_journal_cursor")}


async def project(path: Path, journal: Path, durable_seq: int, *then: int) -> None:
    """Open, which catches up with ``durable_seq``; then as woken by later records."""
    store = SqliteStore(path)
    projection = SqliteProjection(store, journal, durable_seq=durable_seq)
    await projection.open()
    for seq in then:
        await projection.write([Recorded(ts_recv_ns=1, seq=seq, record=status())])
    await projection.close()
    store.close()


async def projected(directory: Path, *events: JournalEvent) -> Path:
    """The store after what a service journals when it hears these events, its session first."""
    seq = write_journal(directory / "journal", told(OPENED, *events))
    await project(directory / "store", directory / "journal", seq)
    return directory / "store"


async def test_an_order_with_its_fill_and_commission(tmp_path: Path) -> None:
    """The whole life of an order ends up in its row, its events, and one execution with its commission."""
    store = await projected(
        tmp_path,
        Started(ts_recv_ns=1, version="0", boot_id="boot", environment="paper", client_id=1, recovered_seq=0),
        GateChanged(ts_recv_ns=1, open=True),
        intended(),
        SENT,
        echoed(),
        execution(),
        status(status="Filled"),
        commission(realized_pnl=2.5),
        SessionLost(ts_recv_ns=9, epoch=1, gateway="a", client_id=1, cause=LossCause.RESET, detail="gone"),
    )
    order = "SELECT order_key, ours, client_id, order_id, account, instrument, quantity, limit_price, state, filled"
    assert rows(store, f"{order} FROM ib_orders") == [("k1", 1, 1, 11, "DU1", "SPY", "100", "500.10", "filled", "100")]
    assert rows(store, "SELECT kind, order_key FROM ib_order_events WHERE kind != 'order_changed' ORDER BY seq") == [
        ("order_intended", "k1"),
        ("frame_sent", "k1"),
        ("open_order", "k1"),
        ("execution", "k1"),
        ("order_status", "k1"),
        ("commission", "k1"),
    ]
    fill = "SELECT exec_id, order_key, quantity, price, commission, commission_currency, realized_pnl, superseded_by"
    assert rows(store, f"{fill} FROM ib_executions") == [
        ("0000e0d5.6.01.01", "k1", "100", 500.1, "1.05", "USD", 2.5, None)
    ]
    connection = "SELECT boot, epoch, gateway, event, server_version, cause, detail"
    assert rows(store, f"{connection} FROM ib_connections") == [
        ("boot", 1, "a", "opened", 203, None, ""),
        ("boot", 1, "a", "lost", None, "reset", "gone"),
    ]


async def test_a_commission_may_come_first(tmp_path: Path) -> None:
    """It waits for its execution and is joined to that one only."""
    store = await projected(tmp_path, commission(), intended(), execution("0000e0d5.7.01.01"), execution())
    assert rows(store, "SELECT exec_id, commission FROM ib_executions ORDER BY exec_id") == [
        ("0000e0d5.6.01.01", "1.05"),
        ("0000e0d5.7.01.01", None),
    ]


@pytest.mark.parametrize("order", ["01 02", "02 01", "01 03 02", "03 01 02 03", "9 10"])
async def test_a_correction_supersedes_whatever_the_order_of_arrival(tmp_path: Path, order: str) -> None:
    """Only the highest revision counts, late lower ones and repeats included; revisions are numbers, not text."""
    store = await projected(
        tmp_path, intended(), *(execution(f"0000e0d5.6.01.{revision}", int(revision)) for revision in order.split())
    )
    last = max(order.split(), key=int)
    assert rows(store, "SELECT exec_id FROM ib_executions WHERE superseded_by IS NULL") == [(f"0000e0d5.6.01.{last}",)]
    assert {row[0] for row in rows(store, "SELECT superseded_by FROM ib_executions")} <= {
        None,
        f"0000e0d5.6.01.{last}",
    }
    assert rows(store, "SELECT filled FROM ib_orders") == [(str(int(last)),)]


async def test_the_same_execution_counts_once_for_each_account(tmp_path: Path) -> None:
    """Account and execution id together are the identity: a repeat adds nothing, another account does."""
    store = await projected(tmp_path, intended(), *[execution(quantity=10)] * 2, execution(account="DU2"))
    assert rows(store, "SELECT account, quantity FROM ib_executions") == [("DU1", "10"), ("DU2", "100")]


async def test_an_order_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    """By our key, by order id, or by any permanent id it ever had."""
    store = await projected(
        tmp_path,
        intended(),
        status(perm_id=7001),
        echoed(perm_id=7002),
        execution("e.1.01", 10, order_ref="", order_id=0, perm_id=7001),
        execution("f.1.01", 20, order_ref="", order_id=0, perm_id=7002),
        NoticeReceived(ts_recv_ns=3, epoch=1, req_id=11, code=399, text="held"),
        NoticeReceived(ts_recv_ns=3, epoch=1, req_id=-1, code=2104, text="farm"),
    )
    assert rows(store, "SELECT perm_id, order_key FROM ib_order_perm_ids") == [(7001, "k1"), (7002, "k1")]
    assert rows(store, "SELECT filled FROM ib_orders") == [("30",)]
    assert rows(store, "SELECT DISTINCT order_key FROM ib_executions") == [("k1",)]
    told_apart = "SELECT order_key, count(*) FROM ib_order_events WHERE kind != 'order_changed' GROUP BY 1"
    assert rows(store, told_apart) == [("k1", 6)]


async def test_orders_of_others_are_kept_apart(tmp_path: Path) -> None:
    """An order seen but not sent by us has its own row, also when it bears the number of one of ours."""
    store = await projected(
        tmp_path,
        intended(),
        echoed(order_ref="theirs", client_id=7, perm_id=8001),
        execution("x.1.01", 5, order_ref="theirs", client_id=7, perm_id=8001),
        echoed(order_ref="", client_id=0, order_id=0, perm_id=8002, kind=CompletedOrderReported, status="Filled"),
    )
    assert rows(store, "SELECT order_key, ours, client_id, state, filled FROM ib_orders ORDER BY 1") == [
        ("k1", 1, 1, "intended", "0"),
        ("perm:8001", 0, 7, "working", "5"),
        ("perm:8002", 0, 0, "filled", "0"),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(EVERYTHING), max_size=40))
def test_the_table_of_orders_is_what_the_core_knows(story: list[JournalEvent]) -> None:
    """Whatever is said in whatever order: every field of every order, and whose each execution is."""
    out = Outbox()
    ledger = Ledger(shipped(), 1)
    for event in (OPENED, intended(), intended("k2", 12), *story):
        heard(ledger, event, out)
    with tempfile.TemporaryDirectory() as directory:
        seq = write_journal(Path(directory) / "journal", [append.event for append in out.appends])
        store = Path(directory) / "store"
        asyncio.run(project(store, Path(directory) / "journal", seq))
        assert {row[0]: row for row in rows(store, f"SELECT {', '.join(ORDER_COLUMNS)} FROM ib_orders")} == {
            view.order_key: order_row(view) for view in ledger.orders.views()
        }
        known = {(perm_id, view.order_key) for view in ledger.orders.views() for perm_id in view.perm_ids}
        assert set(rows(store, "SELECT perm_id, order_key FROM ib_order_perm_ids")) == known
        assert dict(rows(store, "SELECT exec_id, order_key FROM ib_executions WHERE superseded_by IS NULL")) == {
            view.exec_id: view.order_key or None for view in ledger.executions.views()
        }
        assert rows(store, "SELECT * FROM ib_quarantine") == []


async def test_a_statement_of_a_crashed_life_reaches_the_table(tmp_path: Path) -> None:
    """The fact was durable, what it made of the order was not: the next start tells it."""
    journal = tmp_path / "journal"
    first = told(OPENED, intended(), execution())[:-1]
    seq = write_journal(journal, first)
    ledger = Ledger(shipped(), 1)
    for number, event in enumerate(first, 1):
        ledger.recover(number, event)
    out = Outbox()
    ledger.tell_untold(9, out)
    seq = write_journal(journal, [append.event for append in out.appends])
    await project(tmp_path / "store", journal, seq)
    assert rows(tmp_path / "store", "SELECT state, filled FROM ib_orders") == [("filled", "100")]


# --- What a store will not take ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["12345678901", "12345678901234567890", "9" * 400])
async def test_an_execution_id_may_end_in_any_digits(tmp_path: Path, digits: str) -> None:
    """A tail that is no revision belongs to the id: two such fills are two fills, and no number is too large."""
    store = await projected(tmp_path, intended(), execution(f"e.{digits}", 40), execution(f"e.{digits[:-1]}5", 60))
    assert rows(store, "SELECT revision, superseded_by FROM ib_executions") == [(0, None), (0, None)]
    assert rows(store, "SELECT filled, state FROM ib_orders") == [("100", "filled")]
    assert rows(store, "SELECT * FROM ib_quarantine") == []


async def test_what_a_store_refuses_for_good_is_put_aside(tmp_path: Path) -> None:
    """A number beyond SQLite: its records are in quarantine with the reason, what follows is written, all is said."""
    journal = tmp_path / "journal"
    seq = write_journal(
        journal, told(OPENED, intended(), echoed("", order_id=1 << 70, client_id=7, perm_id=9), intended("k2", 12))
    )
    store = SqliteStore(tmp_path / "store")
    projection = SqliteProjection(store, journal, durable_seq=seq)
    assert projection.concern == ""
    for _ in ("once", "and after a restart"):
        await projection.open()
        assert projection.concern.startswith("2 refused and in ib_quarantine, the last is record 5: ")
        await projection.close()
    store.close()
    refused = rows(tmp_path / "store", "SELECT seq, kind, error FROM ib_quarantine ORDER BY seq")
    assert [(seq, kind) for seq, kind, _ in refused] == [(4, "open_order"), (5, "order_changed")]
    assert all("OverflowError" in error for *_, error in refused)
    assert rows(tmp_path / "store", "SELECT order_key FROM ib_orders ORDER BY 1") == [("k1",), ("k2",)]
    assert rows(tmp_path / "store", "SELECT seq FROM ib_journal_cursor") == [(seq,)]


async def test_a_full_disk_is_no_refusal(tmp_path: Path) -> None:
    """An outage is waited for: nothing is put aside, and all of it is there in the end."""
    journal = tmp_path / "journal"
    seq = write_journal(journal, told(OPENED, intended()))
    store = SqliteStore(tmp_path / "store")
    await store.connect()
    with closing(sqlite3.connect(tmp_path / "store")) as other:
        other.execute("BEGIN IMMEDIATE")
        projection = SqliteProjection(SqliteStore(tmp_path / "store", busy_timeout_ms=1), journal, durable_seq=seq)
        with pytest.raises(StoreError, match="locked"):
            await projection.open()
        other.rollback()
    store.close()
    await project(tmp_path / "store", journal, seq)
    assert rows(tmp_path / "store", "SELECT count(*) FROM ib_quarantine") == [(0,)]
    assert rows(tmp_path / "store", "SELECT state FROM ib_orders") == [("intended",)]


async def test_a_cancel_asked_for_is_noted(tmp_path: Path) -> None:
    """That we asked is kept beside the state, which only the broker changes."""
    cancel = CancelIntended(ts_recv_ns=5, order_key="k1", order_id=11, actor="desk")
    store = await projected(tmp_path, intended(), cancel)
    assert rows(store, "SELECT state, cancel_asked, updated_ns FROM ib_orders") == [("intended", 1, 5)]


def days(orders: int) -> list[JournalEvent]:
    """Many orders with echoes, fills, a correction and commissions."""
    events: list[JournalEvent] = [OPENED]
    for number in range(1, orders + 1):
        ids = {"order_id": number, "perm_id": 7000 + number}
        events += [
            intended(f"k{number}", number),
            echoed(f"k{number}", **ids),
            execution(f"e{number}.01", 40, order_ref=f"k{number}", **ids),
            commission(f"e{number}.01"),
            execution(f"e{number}.02", 100, order_ref=f"k{number}", **ids),
            status(status="Filled", **ids),
        ]
    return told(*events)


async def test_in_one_go_or_record_by_record_it_is_the_same(tmp_path: Path) -> None:
    """Restarts after any record lose nothing and count nothing twice; doing it all again changes nothing."""
    journal = tmp_path / "journal"
    last_seq = write_journal(journal, days(6))
    await project(tmp_path / "once", journal, last_seq)
    for seq in range(0, last_seq + 1, 5):
        await project(tmp_path / "steps", journal, seq, seq + 1, seq + 3, seq)
    await project(tmp_path / "steps", journal, last_seq)
    await project(tmp_path / "steps", journal, last_seq, last_seq)
    assert tables(tmp_path / "steps") == tables(tmp_path / "once")
    assert rows(tmp_path / "once", "SELECT count(*), sum(filled) FROM ib_orders WHERE state = 'filled'") == [(6, 600)]
    assert rows(tmp_path / "once", "SELECT count(*) FROM ib_executions WHERE commission = '1.05'") == [(6,)]


async def test_only_durable_records_are_projected(tmp_path: Path) -> None:
    """A record on disk but not yet synced could vanish with the power; it must not survive in the store."""
    journal = tmp_path / "journal"
    write_journal(journal, days(1))
    await project(tmp_path / "store", journal, 2)
    assert rows(tmp_path / "store", "SELECT max(seq) FROM ib_order_events") == [(2,)]


@pytest.mark.parametrize("seed", range(3))
def test_killed_between_batches_it_goes_on_where_it_was(tmp_path: Path, seed: int) -> None:
    """kill -9 at random moments while projecting: after the last restart the tables are those of one quiet run."""
    draw = random.Random(seed)
    journal, store = tmp_path / "journal", tmp_path / "store"
    last_seq = write_journal(journal, days(20))
    seq = 0
    for _ in range(2):
        process = subprocess.Popen(
            [*PROJECTING, str(store), str(journal), str(seq), str(last_seq)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(draw.randrange(2, 50)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        ((seq,),) = rows(store, "SELECT seq FROM ib_journal_cursor")
    assert seq > 0
    asyncio.run(project(store, journal, last_seq))
    asyncio.run(project(tmp_path / "quiet", journal, last_seq))
    assert tables(store) == tables(tmp_path / "quiet")


async def test_a_journal_that_lost_records_is_noticed(tmp_path: Path) -> None:
    """The hash chain cannot show a missing end; the store, which has seen it, can."""
    store = await projected(tmp_path, intended(), status())
    write_journal(tmp_path / "shorter", [intended()])
    with pytest.raises(StoreError, match="has seen record 5 of a journal that ends at record 1"):
        await project(store, tmp_path / "shorter", 1)


async def test_a_journal_of_another_desk_is_noticed(tmp_path: Path) -> None:
    """The store keeps the hash of the last record it saw: another journal of the same length is not mixed in."""
    store = await projected(tmp_path, intended(), status())
    write_journal(tmp_path / "other", told(OPENED, intended("k2"), status()))
    with pytest.raises(StoreError, match="has seen another record 5 than the journal holds"):
        await project(store, tmp_path / "other", 5)
