"""Where orders are entered, asked for and driven: one exchange for every client and account.

What happens to an order is told in parts: ``entry`` says which become orders, ``lifecycle`` how they live,
``closed_market`` what is told while they cannot trade, ``matching`` and the book how they do, ``triggers`` when stops
are set off, ``groups`` what one fill does to others, ``trading_days`` what the day does to all, ``order_store`` what
owners are told, ``notices`` in which words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.records import Execution, PlacementKind
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.book import Book
from tws_simulator.world.market.events import MarketEvent
from tws_simulator.world.market.mixing import mixed
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.entry import completed, refusal
from tws_simulator.world.orders.executions import ExecutionFilter
from tws_simulator.world.orders.interventions import Interventions
from tws_simulator.world.orders.lifecycle import OrderLifecycle
from tws_simulator.world.orders.notices import CodedText
from tws_simulator.world.orders.order_events import Bound, Notice, OrderEvent, OrderView
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket
from tws_simulator.world.orders.trading_days import TradingDays
from tws_simulator.world.orders.what_if import what_if
from tws_simulator.world.orders.working_order import WorkingOrder
from tws_simulator.world.time.calendar import Calendar
from tws_simulator.world.time.schedule import Schedule

ORDERS_PER_DAY_MAX: Final = 200_000  # at it, new orders are refused with 201
DEAD_ORDERS_TOLD_MAX: Final = 20  # a global cancel answers 161 for at most this many finished orders
CLIENT_THAT_BINDS: Final = 0


class Exchange:
    """Every call answers with what the owners of orders are to be told, and writes what the public sees on the tape.

    Time never runs backwards here: a ``now_ns`` before the latest one counts as the latest.
    """

    def __init__(
        self,
        tape: Tape,
        calendar: Calendar,
        ledgers: Mapping[str, Ledger],
        seed: int,
        start_ns: int,
        *,
        listings: Sequence[Listing] = LISTINGS,
        orders_max: int = ORDERS_PER_DAY_MAX,
    ) -> None:
        self._tape = tape
        self._ledgers = ledgers
        self._orders_max = orders_max
        self._store = OrderStore(ledgers, seed, start_ns)
        self._schedule = Schedule()
        self._lifecycle = OrderLifecycle(tape, self._store, self._schedule, calendar, seed)
        TradingDays(self._lifecycle, self._store, self._schedule, calendar, tape, ledgers, listings).note_next()
        self._interventions = Interventions(self._store, self._lifecycle)
        self._manual_orders = 0
        self._binds = False

    def place(self, ticket: OrderTicket, now_ns: int) -> list[OrderEvent]:
        """A new order, or new terms for a working one with the same id.

        New terms for a filled order are ignored in silence, as the gateway does.
        """
        self._set_clock(now_ns)
        self._place(ticket)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def place_manually(self, ticket: OrderTicket, now_ns: int) -> list[OrderEvent]:
        """An order entered at the gateway's own screen; client 0's, with order id 0 until that client binds it."""
        self._set_clock(now_ns)
        self._manual_orders += 1
        ticket = replace(ticket, client_id=CLIENT_THAT_BINDS, order_id=-self._manual_orders, transmit=True, parent_id=0)
        refused = refusal(ticket, self._ledgers, self._tape, None)
        if refused is not None:
            raise ValueError(f"{refused[0]} {refused[1]}")
        order = self._add(completed(ticket, self._ledgers), None)
        order.bound = self._binds
        if self._binds:
            self._tell_bound(order)
        self._lifecycle.transmit(order)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def bind(self, now_ns: int, *, from_now_on: bool = False) -> list[OrderEvent]:
        """Give the orders of the gateway's own screen ids; also those still to come, if told so."""
        self._set_clock(now_ns)
        self._binds = self._binds or from_now_on
        for order in list(self._store.live.values()):
            if not order.bound:
                order.bound = True
                self._tell_bound(order)
                self._store.tell_order(order)
        return self._store.take_events()

    def stop_binding(self) -> None:
        self._binds = False

    def cancel(self, client_id: int, order_id: int, now_ns: int) -> list[OrderEvent]:
        """Another client's order is not found: 10147; a finished one is not cancellable: 10148."""
        self._set_clock(now_ns)
        order = self._store.orders.get((client_id, order_id))
        working = self._store.living(client_id, order_id) if order is None or order.bound else []
        if not working and (order is None or not order.bound):
            self._tell_not_found(client_id, order_id)
        elif not working and order is not None:
            is_filled = order.status is OrderStatus.FILLED
            self._store.tell_notice(order.ticket, notices.finished(order_id, is_filled=is_filled))
        for each in working:
            if each.is_live:
                self._lifecycle.cancel(each, notices.BY_TRADER)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def global_cancel(self, client_id: int, now_ns: int) -> list[OrderEvent]:
        """Cancel every working order of every client; events go to their owners.

        First the caller gets a 161 for each of its latest orders that had been cancelled already. Then families come in
        no order that anybody could rely on, but each parent before its children; all as captured.
        """
        self._set_clock(now_ns)
        dead = [
            order
            for order in self._store.orders.values()
            if order.ticket.client_id == client_id and not order.is_live and order.status is not OrderStatus.FILLED
        ]
        for order in dead[-DEAD_ORDERS_TOLD_MAX:]:
            self._store.not_cancellable(order)
        for order in sorted(self._store.live.values(), key=_disorder):
            if order.is_live:  # its parent's end may have ended it
                self._lifecycle.cancel(order, notices.BY_TRADER)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def advance(self, now_ns: int, crowd: Sequence[MarketEvent]) -> list[OrderEvent]:
        """What the crowd, in order of time and up to ``now_ns``, and the clock did."""
        meet, schedule = self._lifecycle.meet, self._schedule
        for event in crowd:
            if event.ts_ns >= schedule.next_ns:
                self._run_schedule(event.ts_ns)
            meet(event)
        self._set_clock(now_ns)
        self._tape.turn(now_ns)
        return self._store.take_events()

    def fill(
        self, perm_id: int, shares: Decimal, price: Decimal | None, now_ns: int, *, force: bool = False
    ) -> list[OrderEvent]:
        """Shares from nobody in the book, and no more than a working order has left; all of them with ``force``.

        Without a ``price`` at the order's limit, or the last trade's.
        """
        self._set_clock(now_ns)
        if perm_id in self._store.by_perm_id:
            order = self._store.by_perm_id[perm_id]
            at = price or order.limit or self._tape.mark(order.ticket.con_id)
            self._interventions.fill(order, shares, at, force=force)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def hold(self, client_id: int, order_id: int, told_as: OrderStatus, now_ns: int) -> list[OrderEvent]:
        """Whatever works under this id does nothing until it is released; if nothing does, the next order of it."""
        self._set_clock(now_ns)
        working = self._store.living(client_id, order_id)
        for order in working:
            self._interventions.hold(order, told_as)
        if not working:
            self._interventions.await_order((client_id, order_id), told_as)
        return self._store.take_events()

    def release(self, client_id: int, order_id: int, now_ns: int) -> list[OrderEvent]:
        self._set_clock(now_ns)
        for order in self._store.living(client_id, order_id):
            self._interventions.release(order)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def release_all(self, now_ns: int) -> list[OrderEvent]:
        """Nothing is held, and nothing will be."""
        self._set_clock(now_ns)
        self._interventions.release_all()
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def double(self, perm_id: int, now_ns: int) -> list[OrderEvent]:
        """A working order works twice, under one order id; changing it changes the elder, cancelling it ends both."""
        self._set_clock(now_ns)
        order = self._store.by_perm_id.get(perm_id)
        if order is not None and order.is_live and order.bound:
            self._interventions.double(order)
        self._lifecycle.trigger_stops()
        return self._store.take_events()

    def book(self, con_id: int) -> Book:
        """KeyError for an instrument that is not listed."""
        return self._lifecycle.book(con_id)

    def open_orders(self, client_id: int | None = None) -> list[OrderView]:
        """Transmitted orders that still work, oldest first; of one client or of all, unbound ones too."""
        return [
            order.view()
            for order in self._store.live.values()
            if order.status is not OrderStatus.HELD
            and (client_id is None or (client_id == order.ticket.client_id and order.bound))
        ]

    def completed_orders(self) -> list[OrderView]:
        """Today's finished orders of every client."""
        return [order.view() for order in self._store.orders.values() if not order.is_live]

    def executions(self, wanted: ExecutionFilter | None = None) -> list[Execution]:
        """Today's fills, oldest first; the gateway knows no other day. Reports are in the ledgers' ``commissions``."""
        today = self._store.executions()
        return today if wanted is None else [execution for execution in today if wanted.matches(execution)]

    def forget_untransmitted(self) -> None:
        """A gateway that restarts has no orders any more that were never transmitted; in silence."""
        self._store.forget_untransmitted()

    def next_order_id(self, client_id: int) -> int:
        """One above the highest id this client used, in this or an earlier connection."""
        return self._store.next_order_id(client_id)

    @property
    def scheduled_count(self) -> int:
        """How many things are to happen at a later time."""
        return len(self._schedule)

    def __repr__(self) -> str:
        statuses = [order.status for order in self._store.orders.values()]
        counts = " ".join(f"{status.value} {statuses.count(status)}" for status in OrderStatus if status in statuses)
        return f"<Exchange {next(iter(self._ledgers))} {counts or 'no orders'}>"

    def _place(self, ticket: OrderTicket) -> None:
        key = (ticket.client_id, ticket.order_id)
        ids = self._store.order_ids(ticket.client_id)
        ids.seen = max(ids.seen, ticket.order_id)
        known = self._store.orders.get(key)
        if known is not None and known.status is OrderStatus.FILLED:
            self._store.record(ticket, PlacementKind.IGNORED)
            return
        modifies = known is not None and known.is_live
        refused = self._refusal(ticket, known if modifies else None, ids.accepted)
        if refused is not None:
            self._store.record(ticket, PlacementKind.REFUSED)
            self._store.tell_notice(ticket, refused)
            if refused == notices.MIN_QTY and not modifies:
                ids.accepted = max(ids.accepted, ticket.order_id)
                self._add(completed(ticket, self._ledgers), None).refused = True
            return
        new = PlacementKind.MODIFY if modifies else PlacementKind.NEW
        self._store.record(ticket, PlacementKind.WHAT_IF if ticket.what_if else new)
        ids.accepted = max(ids.accepted, ticket.order_id)
        ticket = completed(ticket, self._ledgers)
        if ticket.what_if:
            self._store.tell(what_if(ticket, self._store, self._tape))
        elif known is not None and modifies:
            self._lifecycle.modify(known, ticket)
        else:
            self._take_on(ticket)

    def _refusal(self, ticket: OrderTicket, changed: WorkingOrder | None, highest_id: int) -> CodedText | None:
        if changed is None and ticket.order_id <= highest_id:
            return notices.DUPLICATE_ID
        if changed is None and len(self._store.orders) >= self._orders_max:
            return notices.rejected(notices.TOO_MANY)
        refused = refusal(ticket, self._ledgers, self._tape, self._parent_of(ticket))
        if refused is None and ticket.min_qty:
            return notices.MIN_QTY
        if refused is None and changed is not None and changed.differs(ticket):
            return notices.CHANGED_ORDER
        return refused

    def _take_on(self, ticket: OrderTicket) -> None:
        parent = self._parent_of(ticket)
        if parent is not None and not ticket.oca_group:
            # The gateway links a bracket's children by itself: the group is the parent's permanent id.
            ticket = replace(ticket, oca_group=str(parent.perm_id))
        order = self._add(ticket, parent)
        order.held_as = self._interventions.arrived(order.key)
        if ticket.transmit:
            self._lifecycle.transmit(order)

    def _add(self, ticket: OrderTicket, parent: WorkingOrder | None) -> WorkingOrder:
        order = WorkingOrder(ticket, self._store.next_perm_id(), parent)
        self._store.add(order)
        return order

    def _parent_of(self, ticket: OrderTicket) -> WorkingOrder | None:
        return self._store.orders.get((ticket.client_id, ticket.parent_id)) if ticket.parent_id else None

    def _tell_not_found(self, client_id: int, order_id: int) -> None:
        code, text = notices.not_found(order_id)
        now_ns = self._store.now_ns
        self._store.tell(Notice(client_id=client_id, ts_ns=now_ns, order_id=order_id, code=code, text=text))

    def _tell_bound(self, order: WorkingOrder) -> None:
        client_id, order_id = order.key
        now_ns = self._store.now_ns
        self._store.tell(Bound(client_id=client_id, ts_ns=now_ns, order_id=order_id, perm_id=order.perm_id))

    def _set_clock(self, now_ns: int) -> None:
        self._run_schedule(now_ns)
        self._store.set_clock(now_ns)

    def _run_schedule(self, now_ns: int) -> None:
        while self._schedule.next_ns <= now_ns:
            self._store.set_clock(self._schedule.next_ns)
            self._schedule.take()()
            self._lifecycle.trigger_stops()


def _disorder(order: WorkingOrder) -> tuple[int, int]:
    return mixed((order.parent or order).perm_id), order.perm_id
