"""The journal as SQL tables: orders, their events, executions, connections.

Pull-based. A published record only says "there is more"; what is written is read from the journal after the cursor that
stands in the store itself. Rows and cursor commit together, so a crash at any moment, a full disk, or a store that was
away for a day neither loses a record nor counts one twice. Only durable records are read: a record that a power cut
takes back must not survive it here.

What an order is the core has folded and states in the journal (``OrderChanged``); here it is only written down. A
record that the store refuses for good goes to a quarantine table with the reason, and the projection goes on.
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
    Event,
    ExecutionReported,
    FeedEvent,
    FrameSent,
    JournalEvent,
    NoticeReceived,
    OpenOrderReported,
    OrderChanged,
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
from ibkr_adapter.naming import NamesAnOrder, base_id, foreign_key, revision, whose
from ibkr_adapter.sinks import client_ids
from ibkr_adapter.sinks.sqlite import TRANSACTION_ROWS, SqliteStore, transaction

_REFUSALS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    OverflowError,
)
"""What SQLite says of a row it will never take; a full disk, a lock and a broken file are other errors."""


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
        self._refused: tuple[int, int, str] | None = None

    @property
    def concern(self) -> str:
        """What an operator should know of a store that works: records it would not take."""
        if self._refused is None:
            return ""
        count, seq, error = self._refused
        return f"{count} refused and in ib_quarantine, the last is record {seq}: {error}"

    async def open(self) -> None:
        """Open and catch up. ``StoreError`` when the store and the journal do not belong together."""
        connection = self._connection = await self._store.connect()

        def check() -> None:
            seq, hash_seen = connection.execute("SELECT seq, hash FROM ib_journal_cursor").fetchone()
            self._source.check(str(self._store.path), seq, hash_seen)
            self._refused = _refused(connection)

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
        refused = False
        with transaction(connection):
            (seq,) = connection.execute("SELECT seq FROM ib_journal_cursor").fetchone()
            records = self._source.after(seq, TRANSACTION_ROWS)
            for record in records:
                refused |= not _project(connection, record)
            if records:
                connection.execute(
                    "UPDATE ib_journal_cursor SET seq = ?, hash = ?", (records[-1].seq, records[-1].hash)
                )
        if refused:
            self._refused = _refused(connection)
        return bool(records)


def _refused(connection: sqlite3.Connection) -> tuple[int, int, str] | None:
    """How many records are in quarantine; number and error of the last."""
    found = connection.execute(
        "SELECT count(*) OVER (), seq, error FROM ib_quarantine ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return tuple(found) if found is not None else None


def _project(connection: sqlite3.Connection, record: Record) -> bool:
    """Write what one record says, all of it; False if the store refuses it, which it then says in quarantine."""
    connection.execute("SAVEPOINT record")
    try:
        _Rows(connection, record).write()
    except _REFUSALS as error:
        connection.execute("ROLLBACK TO record")
        connection.execute(
            "INSERT OR REPLACE INTO ib_quarantine VALUES (?, ?, ?, ?)",
            (record.seq, _writable(record.event.ts_recv_ns), _kind(record.event), ascii(error)),
        )
        return False
    finally:
        if connection.in_transaction:  # a full disk may have rolled all of it back
            connection.execute("RELEASE record")
    return True


def _writable(number: int) -> int:
    return number if abs(number) < 1 << 63 else 0


def _kind(event: JournalEvent) -> str:
    return str(event.__struct_config__.tag)


class _Rows:
    """The rows of one record."""

    def __init__(self, connection: sqlite3.Connection, record: Record) -> None:
        self._sql = connection.execute
        self._seq = record.seq
        self._boot = record.boot
        self._event = record.event
        self._ts_ns = record.event.ts_recv_ns

    def write(self) -> None:
        match self._event:
            case OrderChanged() as event:
                self._changed(event)
            case OrderIntended() | OrderRefused() | CancelIntended() | OrderDoubted() as event:
                self._order_event(event.order_key)
            case OrderNotFound() | OrderLapsed() as event:
                self._order_event(event.order_key)
            case FrameSent() as event:
                self._order_event(self._numbered(*self._session(), event.order_id))
            case OpenOrderReported() as event:  # and CompletedOrderReported
                self._order_event(self._whose(event) or foreign_key(event, self._session()[0]))
            case OrderStatusReported() as event:
                self._order_event(self._whose(event))
            case ExecutionReported() as event:
                self._executed(event)
            case CommissionReported() as event:
                self._commission(event)
            case NoticeReceived() as event:
                if key := self._numbered(*self._session(), event.req_id):
                    self._order_event(key)
            case SessionOpened() as event:
                self._connected(event, "opened", event.server_version)
            case SessionLost() as event:
                self._connected(event, "lost", None, event.cause, event.detail)
            case _:
                pass  # starts, stops, the gate and the lease are not about one order or one connection
        if isinstance(self._event, client_ids.Told):
            client_ids.project(self._sql, self._event, boot=self._boot, seq=self._seq)

    def _changed(self, event: OrderChanged) -> None:
        terms = event.terms
        row = {
            "order_key": event.order_key,
            "ours": not event.foreign,
            "client_id": event.client_id,
            "order_id": event.order_id,
            "gateway": event.gateway,
            "idempotency_key": event.idempotency_key,
            "actor": event.actor,
            "account": terms.account,
            "instrument": terms.instrument.key,
            "con_id": terms.instrument.con_id,
            "action": terms.action,
            "order_type": terms.order_type,
            "quantity": str(terms.quantity),
            "limit_price": _text(terms.limit_price),
            "tif": terms.tif,
            "outside_rth": terms.outside_rth,
            "state": event.state,
            "detail": event.detail,
            "filled": str(event.filled),
            "remaining": str(event.remaining),
            "average_price": event.average_price,
            "commission": _text(event.commission),
            "cancel_asked": event.cancel_asked,
            "created_ns": event.created_ns,
            "updated_ns": self._ts_ns,
            "seq": self._seq,
        }
        self._sql(
            "INSERT OR REPLACE INTO ib_orders VALUES (:order_key, :ours, :client_id, :order_id, :gateway,"
            " :idempotency_key, :actor, :account, :instrument, :con_id, :action, :order_type, :quantity, :limit_price,"
            " :tif, :outside_rth, :state, :detail, :filled, :remaining, :average_price, :commission, :cancel_asked,"
            " :created_ns, :updated_ns, :seq)",
            row,
        )
        for perm_id in event.perm_ids:
            self._sql("INSERT OR IGNORE INTO ib_order_perm_ids VALUES (?, ?)", (perm_id, event.order_key))
        self._order_event(event.order_key)

    def _executed(self, event: ExecutionReported) -> None:
        base, number = base_id(event.exec_id), revision(event.exec_id)
        key = self._whose(event) or self._foreign(event)
        (newest,) = self._sql(
            "SELECT max(revision) FROM ib_executions WHERE account = ? AND base_id = ?", (event.account, base)
        ).fetchone()
        superseded_by = None
        if newest is not None and newest > number:
            (superseded_by,) = self._sql(
                "SELECT exec_id FROM ib_executions WHERE account = ? AND base_id = ? AND revision = ?",
                (event.account, base, newest),
            ).fetchone()
        self._sql(
            "INSERT OR IGNORE INTO ib_executions (account, exec_id, base_id, revision, superseded_by, order_key,"
            " client_id, order_id, perm_id, instrument, con_id, side, quantity, price, cumulative_quantity,"
            " average_price, exchange, liquidity, ts_event_ns, ts_recv_ns, seq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.account,
                event.exec_id,
                base,
                number,
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
            (event.exec_id, event.account, base, number, number, -1 if newest is None else newest),
        )
        self._join_commission(event.exec_id)
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
        event: SessionOpened | SessionLost,
        what: str,
        server_version: int | None,
        cause: str = "",
        detail: str = "",
    ) -> None:
        self._sql(
            "INSERT OR REPLACE INTO ib_connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._seq,
                self._ts_ns,
                self._boot,
                event.epoch,
                event.gateway,
                event.client_id,
                what,
                server_version,
                cause or None,
                detail,
            ),
        )

    # --- parts ----------------------------------------------------------------------------------------------------

    def _order_event(self, key: str | None) -> None:
        """The record itself, under its order."""
        body = msgspec.to_builtins(self._event)
        self._sql(
            "INSERT INTO ib_order_events VALUES (?, ?, ?, ?, ?)",
            (self._seq, self._ts_ns, body.pop("type"), key, msgspec.json.encode(body, order="sorted").decode()),
        )

    def _whose(self, event: NamesAnOrder) -> str | None:
        """Our order that a message names: the core's own rule, asked of what the core has stated."""
        return whose(
            event,
            self._session()[0],
            by_key=self._ours,
            by_id=self._numbered,
            by_perm_id=self._known_as,
            numbers=self._numbers,
        )

    def _numbers(self, order_key: str) -> tuple[int, int]:
        row = self._sql("SELECT client_id, order_id FROM ib_orders WHERE order_key = ?", (order_key,)).fetchone()
        return int(row[0]), int(row[1])

    def _ours(self, order_key: str) -> str | None:
        return self._one("SELECT order_key FROM ib_orders WHERE ours AND order_key = ?", order_key)

    def _numbered(self, gateway: str, client_id: int, order_id: int) -> str | None:
        return self._one(
            "SELECT order_key FROM ib_orders WHERE ours AND client_id = ? AND order_id = ? AND gateway = ?",
            client_id,
            order_id,
            gateway,
        )

    def _known_as(self, perm_id: int) -> str | None:
        return self._one(
            "SELECT order_key FROM ib_order_perm_ids JOIN ib_orders USING (order_key) WHERE ours AND perm_id = ?"
            " ORDER BY ib_orders.created_ns DESC",
            perm_id,
        )

    def _foreign(self, event: NamesAnOrder) -> str | None:
        """An order that we merely see, if it was shown to us."""
        key = foreign_key(event, self._session()[0])
        return self._one("SELECT order_key FROM ib_orders WHERE NOT ours AND order_key = ?", key)

    def _session(self) -> tuple[str, int]:
        """Gateway and client id of the session that the record belongs to."""
        found = self._sql(
            "SELECT gateway, client_id FROM ib_connections WHERE event = 'opened' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return tuple(found) if found else ("", 0)

    def _one(self, sql: str, *arguments: object) -> str | None:
        found = self._sql(sql, arguments).fetchone()
        return str(found[0]) if found else None


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
