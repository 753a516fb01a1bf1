"""What we know about money: order ids, orders, executions and the outcome of every idempotency key, as one fold.

``record`` writes a fact and applies it; ``recover`` applies the facts of the journal at the start. There is no third
way to change an order, so what a restart finds is what was known before it.

Behind a fact that changed an order ``record`` writes what the order is now (``OrderChanged``), so that nobody who reads
the journal has to fold it a second time. These statements are results, not facts: recovery only remembers them as told.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ibkr_adapter.commands import OrderTerms, Reason
from ibkr_adapter.core.records import Records
from ibkr_adapter.core.trading.executions import Executions
from ibkr_adapter.core.trading.order import Order, news_of
from ibkr_adapter.core.trading.order_ids import OrderIds
from ibkr_adapter.core.trading.orders import Orders
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import (
    ExecutionReported,
    JournalEvent,
    OpenOrderReported,
    OrderIntended,
    OrderRefused,
    OrderStatusReported,
    SessionOpened,
    StreamsSwitched,
)
from ibkr_adapter.notices import NoticeTable


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What became of an idempotency key: the order it made, or the reasons it was refused for."""

    order_key: str
    terms: OrderTerms
    reasons: tuple[Reason, ...] = ()


class Ledger:
    """The fold over the journal."""

    KEYS_KEPT = 100_000

    def __init__(self, notices: NoticeTable, client_id: int) -> None:
        self.records = Records(0)
        self.order_ids = OrderIds()
        self.executions = Executions()
        self.orders = Orders(notices, self.executions)
        self.last_epoch = 0
        self.streams_switched: StreamsSwitched | None = None
        self._client_id = client_id
        self._keys: dict[str, KeyOutcome] = {}

    def recover(self, seq: int, event: JournalEvent) -> None:
        """One record of the journal, at the start and in order."""
        self.records.last_seq = self.records.durable_seq = seq
        self._apply(event)

    def record(self, event: JournalEvent, out: Outbox) -> int:
        """Write a fact, apply it, write what it made of its order; the sequence number of the fact."""
        seq = self.records.append(event, out)
        order = self._apply(event)
        if order is not None:
            self._tell(order, event.ts_recv_ns, out)
        return seq

    def tell_untold(self, now_ns: int, out: Outbox) -> None:
        """After recovery: the last life may have ended between a fact and what it made of an order."""
        for order in self.orders:
            self._tell(order, now_ns, out)

    def saw_id(self, event: OpenOrderReported | OrderStatusReported | ExecutionReported) -> None:
        """Our next order id lies above every id of any order."""
        if event.client_id == self._client_id:
            self.order_ids.seen_of_ours(event.order_id)
        else:
            self.order_ids.seen_of_others(event.order_id)

    def outcome_of(self, idempotency_key: str) -> KeyOutcome | None:
        return self._keys.get(idempotency_key)

    def _tell(self, order: Order, ts_ns: int, out: Outbox) -> None:
        if (statement := news_of(order, ts_ns)) is not None:
            order.told = statement
            self.records.append(statement, out)

    def _apply(self, event: JournalEvent) -> Order | None:
        match event:
            case SessionOpened():
                self.last_epoch = max(self.last_epoch, event.epoch)
                self.order_ids.session_opened(event.gateway)
            case StreamsSwitched():
                self.streams_switched = event
            case OrderIntended():
                self.order_ids.seen(event.order_id)
                self._remember(event.idempotency_key, KeyOutcome(event.order_key, event.terms))
            case OrderRefused():
                self._remember(event.idempotency_key, KeyOutcome(event.order_key, event.terms, event.reasons))
            case OpenOrderReported() | OrderStatusReported() | ExecutionReported():
                self.saw_id(event)
        return self.orders.apply(event)

    def _remember(self, key: str, outcome: KeyOutcome) -> None:
        if len(self._keys) >= self.KEYS_KEPT:
            self._keys.pop(next(iter(self._keys)))
        self._keys[key] = outcome


def same_terms(known: OrderTerms, wanted: OrderTerms) -> bool:
    """Equal in every term; an account left out, and a contract's number, are filled in once a session told them."""
    if known.account and wanted.account and known.account != wanted.account:
        return False
    return known.instrument.key == wanted.instrument.key and all(
        _equal(getattr(known, name), getattr(wanted, name)) for name in _COMPARED
    )


_COMPARED = [name for name in OrderTerms.__struct_fields__ if name not in ("account", "instrument")]


def _equal(known: object, wanted: object) -> bool:
    """Numbers by value; what is no number by its spelling, because comparing it raises."""
    for value in (known, wanted):
        if isinstance(value, Decimal) and not value.is_finite():
            return str(known) == str(wanted)
    return known == wanted
