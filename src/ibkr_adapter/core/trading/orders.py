"""Orders as a fold over journal records: the same function makes the state live and after a restart.

What an order is follows from what we intended, what left the socket, and what the broker said of it. Broker messages
repeat, come late and come out of order, so a status only ever moves an order along ``TRANSITIONS``; what would move it
back is old news. No code ends an order: a code raises a question (``suspect``), and the broker's lists answer it.

An order whose outcome is not known is IN_DOUBT. It holds its risk, is never sent again, and leaves that state by
evidence only: the broker names it, or two complete snapshots do not know it. Those begin at midnight: an order of an
earlier day that they do not know has LAPSED. It cannot trade any more; what it did on its own day they do not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from msgspec.structs import replace

from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.core.trading.executions import Executions, Fill
from ibkr_adapter.core.trading.order import AWAITING_WORD, STATUS_STATES, Order, view
from ibkr_adapter.core.trading.order import OrderState as S
from ibkr_adapter.events import (
    CancelIntended,
    CommissionReported,
    CompletedOrderReported,
    ExecutionReported,
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
    SessionOpened,
)
from ibkr_adapter.naming import NamesAnOrder, foreign_key, named_key, whose
from ibkr_adapter.notices import Effect, NoticeTable
from ibkr_adapter.snapshot import OrderView

_QUESTIONS = frozenset({Effect.REJECT_ORDER, Effect.FAIL_REQUEST, Effect.SUSPECT_ORDER})


class Orders:
    """Every order of ours that the journal knows, and those of others that the broker showed us."""

    FOREIGN_MAX = 10_000
    ENDED_SHOWN = 200

    def __init__(self, notices: NoticeTable, executions: Executions) -> None:
        self._notices = notices
        self._executions = executions
        self._by_key: dict[str, Order] = {}
        self._live: dict[str, Order] = {}
        self._short: dict[str, Order] = {}
        self._by_id: dict[tuple[str, int, int], Order] = {}
        self._by_perm_id: dict[int, Order] = {}
        self._foreign: dict[str, Order] = {}
        self._strays: dict[str, OrderStatusReported] = {}
        self._gateway = ""
        self._client_id = 0
        self.anomalies = 0

    def __iter__(self) -> Iterator[Order]:
        """Ours, then the foreign ones."""
        yield from self._by_key.values()
        yield from self._foreign.values()

    def of(self, order_key: str) -> Order | None:
        return self._by_key.get(order_key)

    def by_id(self, order_id: int) -> Order | None:
        """Our order of this id at the gateway of the present session."""
        return self._by_id.get((self._gateway, self._client_id, order_id))

    @property
    def at_risk(self) -> list[Order]:
        """Ours that may still trade. Few, while those that ended may be many: kept apart, and settled when read."""
        for key in [key for key, order in self._live.items() if not order.at_risk]:
            del self._live[key]
        return list(self._live.values())

    @property
    def questioned(self) -> list[Order]:
        """Those about which the broker must be asked."""
        return [order for order in self.at_risk if order.state is S.IN_DOUBT or order.suspect]

    @property
    def short_of_fills(self) -> list[Order]:
        """Those of which the broker says that more is filled than executions were shown for."""
        return list(self._short.values())

    def recent(self, since_ns: int) -> Iterator[Order]:
        """Ours since then, newest first, whatever became of them."""
        for order in reversed(self._by_key.values()):
            if order.created_ns < since_ns:
                return
            yield order

    def here(self, order: Order) -> bool:
        """It belongs to the gateway and client id of the present session, so what that session says concerns it."""
        return (order.gateway, order.client_id) == (self._gateway, self._client_id)

    def awaits_word(self, event: NamesAnOrder) -> bool:
        """Even a fill that was counted before is news of an order that was not known to be there."""
        order = self.named(event)
        return order is not None and (order.state in AWAITING_WORD or order.absent)

    def is_news(self, event: OpenOrderReported | OrderStatusReported) -> bool:
        """False for an echo or a status that repeats the last one of its order: duplicates are normal at IB."""
        order = self.named(event)
        if order is not None:
            if order.state in AWAITING_WORD or order.absent:
                return True
            held = order.echo if isinstance(event, OpenOrderReported) else order.status
        elif isinstance(event, OpenOrderReported):
            return True
        else:
            held = self._strays.get(foreign_key(event, self._gateway))
        return held is None or _without_time(held) != _without_time(event)

    def raises_question(self, event: NoticeReceived) -> bool:
        """Codes after which nobody knows whether the order still lives."""
        return self._notices.of(event.code).effect in _QUESTIONS

    def answered(self, order_key: str) -> None:
        """The broker's complete lists name it: a question about it is settled, until another arises or we restart."""
        self._by_key[order_key].suspect = False

    # The fold.

    def apply(self, event: JournalEvent) -> Order | None:
        """Fold one record; the order that it is about, if any."""
        match event:
            case SessionOpened():
                self._gateway, self._client_id = event.gateway, event.client_id
                return None
            case OrderIntended():
                return self._intended(event)
            case OrderRefused() if event.order_id is not None:
                detail = "; ".join(reason.text for reason in event.reasons)
                return self._move(event.order_key, S.REFUSED, event.ts_recv_ns, detail)
            case FrameSent():
                return self._sent(event)
            case CancelIntended():
                return self._cancel_asked(event)
            case OrderDoubted():
                return self._move(
                    event.order_key, S.IN_DOUBT, event.ts_recv_ns, f"outcome unknown: {event.cause.value}"
                )
            case OrderNotFound():
                return self._absent(event, S.NOT_FOUND)
            case OrderLapsed():
                return self._absent(event, S.LAPSED)
            case OpenOrderReported() | OrderStatusReported():
                return self._reported(event)
            case ExecutionReported():
                return self._executed(event)
            case CommissionReported():
                return self._charged(self._executions.apply_commission(event))
            case NoticeReceived():
                return self._noticed(event)
            case OrderChanged():
                self._told(event)
        return None

    def _told(self, event: OrderChanged) -> None:
        """Not folded: it follows from the others. Remembered, so that it is not told twice."""
        order = self._by_key.get(event.order_key) or self._foreign.get(event.order_key)
        if order is not None:
            order.told = event

    def _intended(self, event: OrderIntended) -> Order:
        order = Order(
            key=event.order_key,
            order_id=event.order_id,
            client_id=event.client_id,
            gateway=event.gateway,
            terms=event.terms,
            created_ns=event.ts_recv_ns,
            updated_ns=event.ts_recv_ns,
            intent=event,
        )
        identity = (event.gateway, event.client_id, event.order_id)
        if identity in self._by_id or event.order_key in self._by_key:
            raise AssertionError(f"order id {event.order_id} or key {event.order_key} was used before")
        self._by_key[order.key] = self._live[order.key] = order
        self._by_id[identity] = order
        return order

    def _sent(self, event: FrameSent) -> Order | None:
        order = self.by_id(event.order_id)
        if order is not None and not event.cancel and order.move(S.SENT):
            order.updated_ns = event.ts_recv_ns
        return order

    def _cancel_asked(self, event: CancelIntended) -> Order | None:
        order = self._by_key.get(event.order_key)
        if order is not None:
            order.cancel_asked = True
        return order

    def _absent(self, event: OrderNotFound | OrderLapsed, state: S) -> Order | None:
        order = self._by_key.get(event.order_key)
        if order is None:
            return None
        if order.rejection and order.move(S.REJECTED):
            order.absent = True
        elif order.state is S.IN_DOUBT:
            order.move(state)
            order.detail = event.evidence
        order.updated_ns = event.ts_recv_ns
        return order

    def _reported(self, event: OpenOrderReported | OrderStatusReported) -> Order | None:
        order = self._known(event) or self._stranger(event)
        if order is None:
            return None
        self._spoken_of(order, event)
        if isinstance(event, OrderStatusReported):
            order.status = event
        else:
            order.echo = event
            quantity = event.quantity or order.terms.quantity
            order.terms = replace(order.terms, quantity=quantity, limit_price=event.limit_price)
        order.updated_ns = event.ts_recv_ns
        if event.status:
            self._follow_status(order, event)
        self._count_short(order)
        return order

    def _count_short(self, order: Order) -> None:
        if order.short_of_fills:
            self._short[order.key] = order
        else:
            self._short.pop(order.key, None)

    def _spoken_of(self, order: Order, event: NamesAnOrder) -> None:
        """The broker spoke of it, which may revive it, and perhaps gave it one more permId."""
        if not order.foreign:
            self._live[order.key] = order
        if event.perm_id:
            order.perm_ids.add(event.perm_id)
            if not order.foreign:
                self._by_perm_id[event.perm_id] = order

    def _follow_status(self, order: Order, event: OpenOrderReported | OrderStatusReported) -> None:
        state = STATUS_STATES.get(event.status)
        if state is S.CANCELLED and order.rejection and order.filled == 0 and not order.cancel_asked:
            state = S.REJECTED
        if state is not None and order.move(state) and state is S.HELD:
            order.suspect = True
        if isinstance(event, CompletedOrderReported) and event.completed_status:
            order.detail = event.completed_status.strip()
        elif isinstance(event, OrderStatusReported) and event.why_held:
            order.detail = f"held: {event.why_held}"
        if order.terminal and not order.foreign:
            order.suspect = False

    def _executed(self, event: ExecutionReported) -> Order | None:
        order = self._known(event)
        key = order.key if order is not None else ""
        replaced = self._executions.apply(event, key)
        if order is None:
            return None
        self._spoken_of(order, event)
        if replaced is not None:
            _count(order, replaced, sign=-1)
        _count(order, Fill(event=event, order_key=key), sign=1)
        order.updated_ns = event.ts_recv_ns
        if order.filled >= order.terms.quantity:
            order.move(S.FILLED)
        elif order.state in (S.INTENDED, S.SENT, S.IN_DOUBT, S.NOT_FOUND, S.LAPSED) or order.absent:
            order.move(S.WORKING)
        self._count_short(order)
        return self._charged(key)

    def _charged(self, order_key: str) -> Order | None:
        order = self._by_key.get(order_key) or self._foreign.get(order_key)
        if order is not None:
            order.commission = self._executions.commission_of(order_key)
        return order

    def _noticed(self, event: NoticeReceived) -> Order | None:
        """A code about one of our orders: it raises a question and, for a refusal, says what the answer may be."""
        order = self.by_id(event.req_id)
        if order is None:
            return None
        effect = self._notices.of(event.code).effect
        order.detail = f"{event.code}: {event.text.strip()}"
        if effect in (Effect.REJECT_ORDER, Effect.FAIL_REQUEST):
            order.rejection = order.detail
        if effect in _QUESTIONS and not order.terminal:
            order.suspect = True
        if order.state is S.CANCELLED and order.rejection and order.filled == 0 and not order.cancel_asked:
            order.move(S.REJECTED)
        order.updated_ns = event.ts_recv_ns
        return order

    def _move(self, order_key: str, state: S, ts_ns: int, detail: str) -> Order | None:
        order = self._by_key.get(order_key)
        if order is not None and order.move(state):
            order.detail = detail
            order.updated_ns = ts_ns
        return order

    # Whose order is it?

    def named(self, event: NamesAnOrder) -> Order | None:
        """The order that a message is about, ours or a foreign one that we were shown."""
        ours = whose(
            event,
            self._gateway,
            by_key=self._by_key.get,
            by_id=lambda *identity: self._by_id.get(identity),
            by_perm_id=self._by_perm_id.get,
            numbers=lambda order: (order.client_id, order.order_id),
        )
        return ours or self._foreign.get(foreign_key(event, self._gateway))

    def _known(self, event: NamesAnOrder) -> Order | None:
        order = self.named(event)
        ours = order is not None and not order.foreign
        if not ours and named_key(event) and (self._gateway, event.client_id, event.order_id) in self._by_id:
            self.anomalies += 1  # our id under another key: somebody else used it, and it is not our order
        return order

    def _stranger(self, event: OpenOrderReported | OrderStatusReported) -> Order | None:
        """An order of another client, of a person at the screen, or of a life we have no journal of."""
        if not isinstance(event, OpenOrderReported):
            self._strayed(event)
            return None
        if len(self._foreign) >= self.FOREIGN_MAX:
            self._foreign.pop(next(iter(self._foreign)))
        order = Order(
            key=foreign_key(event, self._gateway),
            order_id=event.order_id,
            client_id=event.client_id,
            gateway=self._gateway,
            terms=OrderTerms(
                instrument=event.instrument,
                action=event.action,
                order_type=event.order_type,
                quantity=event.quantity,
                limit_price=event.limit_price,
                tif=event.tif,
                account=event.account,
            ),
            created_ns=event.ts_recv_ns,
            updated_ns=event.ts_recv_ns,
            foreign=True,
            state=S.SENT,
        )
        self._foreign[order.key] = order
        return order

    def _strayed(self, event: OrderStatusReported) -> None:
        """A status of an order that nobody has shown us: gateways repeat those with every list."""
        if len(self._strays) >= self.FOREIGN_MAX:
            self._strays.pop(next(iter(self._strays)))
        self._strays[foreign_key(event, self._gateway)] = event

    def views(self) -> tuple[OrderView, ...]:
        """All that may still trade, the newest of those that ended, and the foreign ones; newest first."""
        shown = {order.key: order for order in islice(reversed(self._by_key.values()), self.ENDED_SHOWN)}
        shown |= {order.key: order for order in (*self.at_risk, *islice(reversed(self._foreign.values()), 100))}
        return tuple(view(order) for order in sorted(shown.values(), key=lambda o: o.created_ns, reverse=True))


def _count(order: Order, fill: Fill, *, sign: int) -> None:
    quantity = fill.event.quantity * sign
    order.filled += quantity
    order.paid += quantity * Decimal(str(fill.event.price))


def _without_time(event: OpenOrderReported | OrderStatusReported) -> tuple[object, ...]:
    """What a message says, apart from when and in which session it was said."""
    return tuple(getattr(event, name) for name in event.__struct_fields__ if name not in ("ts_recv_ns", "epoch"))
