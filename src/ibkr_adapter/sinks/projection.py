"""The journal as SQL tables: orders, their events, executions, connections.

Pull-based. A published record only says "there is more"; what is written is read from the journal after the cursor that
stands in the store itself. Rows and cursor commit together, so a crash at any moment, a full disk, or a store that was
away for a day neither loses a record nor counts one twice. Only durable records are read: a record that a power cut
takes back must not survive it here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from ibkr_adapter.errors import StoreError
from ibkr_adapter.events import (
    CancelIntended,
    CommissionReported,
    CompletedOrderReported,
    Event,
    ExecutionReported,
    FeedEvent,
    FrameSent,
    NoticeReceived,
    OpenOrderReported,
    OrderDoubted,
    OrderIntended,
    OrderLapsed,
    OrderNotFound,
    OrderRefused,
    OrderStatusReported,
    Recorded,
    SessionLost,
    SessionOpened,
)
from ibkr_adapter.fanout import Overflow
from ibkr_adapter.journal.reader import JournalReader
from ibkr_adapter.journal.record import Record
from ibkr_adapter.sinks.sqlite import TRANSACTION_ROWS, SqliteStore, transaction

_FINALITY = {"refused": 1, "cancelled": 1, "rejected": 2, "filled": 3}
"""Final states give way only to what says more: the broker repeats "Cancelled" after a rejection, and a fill can cross
a cancel."""


class JournalSource:
    """The durable part of a journal, read forward from a projection's cursor."""

    def __init__(self, directory: Path, durable_seq: int) -> None:
        """``durable_seq``: the last record that is safe now; ``Recovery.last_seq`` at start."""
        self.durable_seq = durable_seq
        self._directory = directory
        self._reader: JournalReader | None = None

    def woken_by(self, batch: Iterable[FeedEvent]) -> None:
        seqs = [event.seq for event in batch if isinstance(event, Recorded)]
        self.durable_seq = max(self.durable_seq, *seqs, 0)

    def after(self, seq: int, limit: int) -> list[Record]:
        if self._reader is None or self._reader.after_seq != seq:
            self.close()
            self._reader = JournalReader(self._directory, seq)
        return self._reader.take(limit, up_to_seq=self.durable_seq)

    def check(self, store: str, seq: int, hash_seen: str | None = None) -> None:
        """``StoreError`` when a store has seen more than the journal holds, or something else."""
        remedy = (
            "the journal lost records, or this store belongs to another journal: restore the one, or move the other"
        )
        if seq > self.durable_seq:
            raise StoreError(
                f"{store} has seen record {seq} of a journal that ends at record {self.durable_seq}", remedy=remedy
            )
        if seq and hash_seen is not None:
            with JournalReader(self._directory, seq - 1) as reader:
                if [record.hash for record in reader.take(1)] != [hash_seen]:
                    raise StoreError(f"{store} has seen another record {seq} than the journal holds", remedy=remedy)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class SqliteProjection:
    """Keeps the order tables of a store in step with the journal."""

    name = "sqlite.orders"
    kinds: tuple[type[Event], ...] = (Recorded,)
    overflow = Overflow.CONFLATE

    def __init__(self, store: SqliteStore, directory: Path, *, durable_seq: int) -> None:
        self._store = store
        self._source = JournalSource(directory, durable_seq)
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open and catch up. ``StoreError`` when the store and the journal do not belong together."""
        connection = self._connection = await self._store.connect()

        def check() -> None:
            seq, hash_seen = connection.execute("SELECT seq, hash FROM ib_journal_cursor").fetchone()
            self._source.check(str(self._store.path), seq, hash_seen)

        await self._store.call(check)
        await self._catch_up(connection)

    async def write(self, batch: Sequence[FeedEvent]) -> None:
        assert self._connection is not None
        self._source.woken_by(batch)
        await self._catch_up(self._connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._store.call(connection.close)
            await self._store.call(self._source.close)

    async def _catch_up(self, connection: sqlite3.Connection) -> None:
        while await self._store.call(lambda: self._step(connection)):
            pass

    def _step(self, connection: sqlite3.Connection) -> bool:
        """Project the next records in one transaction; False when there were none."""
        with transaction(connection):
            (seq,) = connection.execute("SELECT seq FROM ib_journal_cursor").fetchone()
            records = self._source.after(seq, TRANSACTION_ROWS)
            for record in records:
                _Fold(connection, record).apply()
            if records:
                connection.execute(
                    "UPDATE ib_journal_cursor SET seq = ?, hash = ?", (records[-1].seq, records[-1].hash)
                )
        return bool(records)


class _Fold:
    """What one record changes in the tables."""

    def __init__(self, connection: sqlite3.Connection, record: Record) -> None:
        self._sql = connection.execute
        self._seq = record.seq
        self._boot = record.boot
        self._event = record.event
        self._ts_ns = record.event.ts_recv_ns

    def apply(self) -> None:
        match self._event:
            case OrderIntended() as event:
                self._intended(event)
            case OrderRefused() as event:
                if event.order_id is not None:
                    self._state(event.order_key, "refused", "; ".join(reason.text for reason in event.reasons))
                self._order_event(event.order_key)
            case CancelIntended() as event:
                self._sql(
                    "UPDATE ib_orders SET cancel_asked_ns = ? WHERE order_key = ?", (self._ts_ns, event.order_key)
                )
                self._order_event(event.order_key)
            case OrderDoubted() as event:
                self._state(event.order_key, "in_doubt", event.cause)
                self._order_event(event.order_key)
            case OrderNotFound() as event:
                self._state(event.order_key, "not_found", event.evidence)
                self._order_event(event.order_key)
            case OrderLapsed() as event:
                self._state(event.order_key, "lapsed", event.evidence)
                self._order_event(event.order_key)
            case FrameSent() as event:
                self._sent(event)
            case OpenOrderReported() as event:  # and CompletedOrderReported
                self._echoed(event)
            case OrderStatusReported() as event:
                self._status(event)
            case ExecutionReported() as event:
                self._executed(event)
            case CommissionReported() as event:
                self._commission(event)
            case NoticeReceived() as event:
                self._order_event(self._own(None, event.req_id))
            case SessionOpened() as event:
                self._connected(event.epoch, event.gateway, event.client_id, "opened", event.server_version)
            case SessionLost() as event:
                self._connected(event.epoch, event.gateway, event.client_id, "lost", None, event.cause, event.detail)
            case _:
                pass  # starts, stops and the gate are not about one order or one connection

    def _intended(self, event: OrderIntended) -> None:
        self._sql(
            "INSERT OR IGNORE INTO ib_orders (order_key, ours, client_id, order_id, gateway, idempotency_key, actor,"
            " account, instrument, action, order_type, quantity, limit_price, tif, state, created_ns, updated_ns, seq)"
            " VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?)",
            (
                event.order_key,
                event.client_id,
                event.order_id,
                event.gateway,
                event.idempotency_key,
                event.actor,
                event.account,
                event.instrument.key,
                event.action,
                event.order_type,
                str(event.quantity),
                None if event.limit_price is None else str(event.limit_price),
                event.tif,
                self._ts_ns,
                self._ts_ns,
                self._seq,
            ),
        )
        self._order_event(event.order_key)

    def _sent(self, event: FrameSent) -> None:
        key = self._own(None, event.order_id)
        if key is not None and not event.cancel:
            self._sql(
                "UPDATE ib_orders SET state = 'sent', updated_ns = ?, seq = ?"
                " WHERE order_key = ? AND state = 'intended'",
                (self._ts_ns, self._seq, key),
            )
        self._order_event(key)

    def _echoed(self, event: OpenOrderReported) -> None:
        key = self._find(event.order_ref, event.perm_id, event.client_id, event.order_id)
        if key is None:
            key = f"perm:{event.perm_id}" if event.perm_id else f"client:{event.client_id}:{event.order_id}"
            self._sql(
                "INSERT OR IGNORE INTO ib_orders (order_key, ours, client_id, order_id, account, instrument, action,"
                " order_type, quantity, limit_price, tif, state, created_ns, updated_ns, seq)"
                " VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)",
                (
                    key,
                    event.client_id,
                    event.order_id,
                    event.account,
                    event.instrument.key,
                    event.action,
                    event.order_type,
                    str(event.quantity),
                    None if event.limit_price is None else str(event.limit_price),
                    event.tif,
                    self._ts_ns,
                    self._ts_ns,
                    self._seq,
                ),
            )
        self._knows(event.perm_id, key)
        rejected = isinstance(event, CompletedOrderReported) and event.completed_status.startswith("Rejected")
        self._state(key, "rejected" if rejected else _state_word(event.status), event.completed_status)
        self._filled(key)
        self._order_event(key)

    def _status(self, event: OrderStatusReported) -> None:
        key = self._find("", event.perm_id, event.client_id, event.order_id)
        if key is not None:
            self._knows(event.perm_id, key)
            self._state(key, _state_word(event.status), event.why_held)
        self._order_event(key)

    def _executed(self, event: ExecutionReported) -> None:
        key = self._find(event.order_ref, event.perm_id, event.client_id, event.order_id)
        if key is None and event.perm_id:
            key = f"perm:{event.perm_id}"
        base_id, revision = _revision(event.exec_id)
        (newest,) = self._sql(
            "SELECT max(revision) FROM ib_executions WHERE account = ? AND base_id = ?", (event.account, base_id)
        ).fetchone()
        superseded_by = None
        if newest is not None and newest > revision:
            (superseded_by,) = self._sql(
                "SELECT exec_id FROM ib_executions WHERE account = ? AND base_id = ? AND revision = ?",
                (event.account, base_id, newest),
            ).fetchone()
        self._sql(
            "INSERT OR IGNORE INTO ib_executions (account, exec_id, base_id, revision, superseded_by, order_key,"
            " client_id, order_id, perm_id, instrument, con_id, side, quantity, price, cumulative_quantity,"
            " average_price, exchange, liquidity, ts_event_ns, ts_recv_ns, seq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.account,
                event.exec_id,
                base_id,
                revision,
                superseded_by,
                key,
                event.client_id,
                event.order_id,
                event.perm_id,
                event.instrument.key,
                event.instrument.con_id,
                event.side,
                str(event.quantity),
                event.price,
                str(event.cumulative_quantity),
                event.average_price,
                event.exchange,
                event.liquidity,
                event.ts_event_ns,
                self._ts_ns,
                self._seq,
            ),
        )
        self._sql(
            "UPDATE ib_executions SET superseded_by = ? WHERE account = ? AND base_id = ? AND revision < ?"
            " AND (superseded_by IS NULL OR ? > ?)",
            (event.exec_id, event.account, base_id, revision, revision, -1 if newest is None else newest),
        )
        self._join_commission(event.exec_id)
        if key is not None:
            self._knows(event.perm_id, key)
            self._filled(key)
        self._order_event(key)

    def _commission(self, event: CommissionReported) -> None:
        self._sql(
            "INSERT OR REPLACE INTO ib_commissions VALUES (?, ?, ?, ?, ?)",
            (event.exec_id, str(event.commission), event.currency, event.realized_pnl, self._seq),
        )
        self._join_commission(event.exec_id)
        found = self._sql("SELECT order_key FROM ib_executions WHERE exec_id = ?", (event.exec_id,)).fetchone()
        self._order_event(found[0] if found else None)

    def _join_commission(self, exec_id: str) -> None:
        self._sql(
            "UPDATE ib_executions SET (commission, commission_currency, realized_pnl) ="
            " (SELECT commission, currency, realized_pnl FROM ib_commissions WHERE exec_id = ?)"
            " WHERE exec_id = ? AND EXISTS (SELECT 1 FROM ib_commissions WHERE exec_id = ?)",
            (exec_id, exec_id, exec_id),
        )

    def _connected(
        self,
        epoch: int,
        gateway: str,
        client_id: int,
        what: str,
        server_version: int | None,
        cause: str | None = None,
        detail: str = "",
    ) -> None:
        self._sql(
            "INSERT INTO ib_connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._seq, self._ts_ns, self._boot, epoch, gateway, client_id, what, server_version, cause, detail),
        )

    # --- parts ----------------------------------------------------------------------------------------------------

    def _order_event(self, key: str | None) -> None:
        """The record itself, under its order; a notice that is about no order of ours is left out."""
        if key is None and isinstance(self._event, NoticeReceived):
            return
        body = msgspec.to_builtins(self._event)
        self._sql(
            "INSERT INTO ib_order_events VALUES (?, ?, ?, ?, ?)",
            (self._seq, self._ts_ns, body.pop("type"), key, msgspec.json.encode(body, order="sorted").decode()),
        )

    def _find(self, order_ref: str, perm_id: int, client_id: int, order_id: int) -> str | None:
        """Our key of an order the broker speaks of: by our own key, a permanent id, or our order id."""
        for sql, arguments in (
            ("SELECT order_key FROM ib_orders WHERE order_key = ? AND ours", (order_ref,)),
            ("SELECT order_key FROM ib_order_perm_ids WHERE perm_id = ?", (perm_id,)),
        ):
            if arguments[0] and (found := self._sql(sql, arguments).fetchone()):
                return str(found[0])
        return self._own(client_id, order_id)

    def _own(self, client_id: int | None, order_id: int) -> str | None:
        """Order ids are never used twice, so one names one order of ours."""
        found = self._sql(
            "SELECT order_key FROM ib_orders WHERE ours AND order_id = ? AND client_id = coalesce(?, client_id)",
            (order_id, client_id),
        ).fetchone()
        return str(found[0]) if found else None

    def _knows(self, perm_id: int, key: str) -> None:
        if perm_id:
            self._sql("INSERT OR IGNORE INTO ib_order_perm_ids VALUES (?, ?)", (perm_id, key))

    def _state(self, key: str, state: str, detail: str = "") -> None:
        found = self._sql("SELECT state FROM ib_orders WHERE order_key = ?", (key,)).fetchone()
        if found is None or _FINALITY.get(found[0], -1) >= _FINALITY.get(state, 0):
            return
        self._sql(
            "UPDATE ib_orders SET state = ?, detail = ?, updated_ns = ?, seq = ? WHERE order_key = ?",
            (state, detail, self._ts_ns, self._seq, key),
        )

    def _filled(self, key: str) -> None:
        """What the executions that count add up to; the broker's own sum repeats and lags."""
        found = self._sql("SELECT quantity FROM ib_orders WHERE order_key = ?", (key,)).fetchone()
        if found is None:
            return
        rows = self._sql("SELECT quantity FROM ib_executions WHERE order_key = ? AND superseded_by IS NULL", (key,))
        filled = sum((Decimal(quantity) for (quantity,) in rows), Decimal(0))
        self._sql("UPDATE ib_orders SET filled = ? WHERE order_key = ?", (str(filled), key))
        if filled and filled >= Decimal(found[0]):
            self._state(key, "filled")


def _revision(exec_id: str) -> tuple[str, int]:
    """``0000e0d5.1.01.02`` is revision 2 of ``0000e0d5.1.01``."""
    base_id, _, last = exec_id.rpartition(".")
    return (base_id, int(last)) if base_id and last.isdecimal() else (exec_id, 0)


_STATES = {
    "ApiPending": "pending_submit",
    "PendingSubmit": "pending_submit",
    "PendingCancel": "pending_cancel",
    "PreSubmitted": "pre_submitted",
    "Submitted": "submitted",
    "ApiCancelled": "cancelled",
    "Cancelled": "cancelled",
    "Filled": "filled",
    "Inactive": "inactive",
}


def _state_word(status: str) -> str:
    return _STATES.get(status, status.lower())
