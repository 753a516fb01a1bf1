"""The course of an order from transmission to its end: when it starts, works, changes, and what it takes along.

An order that the market is open for is told as PreSubmitted, then Submitted when it works. A child waits for its
parent, a stop for its trigger, a good-after order for its time; whoever comes while the market is closed waits for it
to open (see ``closed_market``). Immediate-or-cancel and fill-or-kill orders outside the regular session end as
captured.

No capture shows a parent that is filled in part and then ends. Here children start once their parent is filled whole,
never for a part of it, and end with a parent that is cancelled: the shares that it got stay without their children.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.book import Book
from tws_simulator.world.market.events import MarketEvent
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.buying_power import shortfall
from tws_simulator.world.orders.closed_market import ROUND_NS, ClosedMarket
from tws_simulator.world.orders.conditions import Conditions
from tws_simulator.world.orders.entry import rejection
from tws_simulator.world.orders.groups import left_after, others_of
from tws_simulator.world.orders.matching import Matching
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import OUTSIDE_RTH, OrderStatus, OrderTicket
from tws_simulator.world.orders.triggers import Triggers
from tws_simulator.world.orders.working_order import WorkingOrder
from tws_simulator.world.time.calendar import Calendar, Phase
from tws_simulator.world.time.schedule import Schedule

_AT_ONCE: Final = frozenset({"IOC", "FOK"})
_WORKS_OR_WAITS: Final = frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.SUBMITTED})


class OrderLifecycle:
    """Knows what the market is doing as of the latest ``enter``."""

    def __init__(self, tape: Tape, store: OrderStore, schedule: Schedule, calendar: Calendar, seed: int) -> None:
        self._phase = calendar.phase(store.now_ns)
        self._matching = Matching(tape, store, seed, self._after_fill)
        self._triggers = Triggers()
        self._tape = tape
        self._store = store
        self._schedule = schedule
        self._calendar = calendar
        self._closed_market = ClosedMarket(store, schedule, calendar)
        self._conditions = Conditions(store, schedule, tape)

    def meet(self, event: MarketEvent) -> None:
        """The crowd moves; what concerns none of our orders only becomes public."""
        con_id = event.con_id
        if con_id in self._matching.busy or con_id in self._triggers.watched:
            self._store.set_clock(event.ts_ns)
            self._matching.meet(event)
            self.trigger_stops()
        else:
            self._tape.record(event)

    def enter(self, phase: Phase) -> None:
        """The market begins another part of its day."""
        self._phase = phase
        for order in list(self._store.live.values()):
            if order.is_live:
                (self._open if self._accepts(order) else self._close)(order)

    def auction(self, listings: Sequence[Listing], takes_part: Callable[[WorkingOrder], bool]) -> None:
        """One of every instrument. Whoever takes part and does not trade is cancelled after it."""
        orders = [
            order
            for order in self._store.live.values()
            if takes_part(order) and not order.waits and not order.held_as and order.status in _WORKS_OR_WAITS
        ]
        for order in orders:
            self._submit(order)
        for listing in listings:
            self._matching.auction(listing, [each for each in orders if each.ticket.con_id == listing.con_id])
        for order in orders:
            if order.is_live:
                self.cancel(order, notices.BY_SYSTEM)

    def book(self, con_id: int) -> Book:
        """KeyError for an instrument that is not listed."""
        return self._matching.book(con_id)

    def transmit(self, order: WorkingOrder) -> None:
        """Send an order and, with it, the held ones of its bracket: parent first, then children by age."""
        family = [each for each in order.family if each.status is OrderStatus.HELD and not each.refused]
        for member in family:
            member.move(OrderStatus.PRE_SUBMITTED)
            self._keep_to_session(member)
            self._date(member)
        accepted = []
        for place, member in enumerate(family):
            if not member.is_live:
                continue  # gone with its parent
            reason = self._rejection(member.ticket, member, untested=family[place:])
            if reason is None:
                accepted.append(member)
            else:
                self._reject(member, reason)
        if not accepted:
            return
        if not self._accepts(accepted[0]) and accepted[0].held_as is None:
            self._wait(accepted)
            return
        for member in accepted:
            self._closed_market.tell_accepted(member)
        for member in accepted:
            self.start(member)

    def start(self, order: WorkingOrder) -> None:
        """Let an order work, or watch for its trigger, if nothing holds it back any more."""
        if order.status is not OrderStatus.PRE_SUBMITTED or order.held_as or order.waits or not self._accepts(order):
            return
        if (order.ticket.good_after_ns or 0) > self._store.now_ns or order.ticket.tif == "OPG":
            return
        if not order.conditions_met:
            if not order.ticket.conditions_cancel:
                self._conditions.wait(order, self.start)
                return
            self._cancel_when_met(order)
        if not order.is_live:
            return
        if order.elected:
            self._work(order)
        else:
            self._triggers.watch(order, self._tape.mark(order.ticket.con_id))

    def _rejection(self, ticket: OrderTicket, order: WorkingOrder, untested: Sequence[WorkingOrder] = ()) -> str | None:
        """Why these terms of an order are not taken on; ``untested`` are still to be looked at themselves."""
        reason = rejection(ticket, self._calendar, self._store.now_ns)
        if reason is not None:
            return reason
        live, ledger = self._store.live.values(), self._store.ledger(order)
        return shortfall(ticket, order, live, untested, ledger, self._tape.prices)

    def _keep_to_session(self, order: WorkingOrder, before: OrderTicket | None = None) -> None:
        """Types without a limit do not trade outside the regular session, whatever the client wants; told once."""
        if not _asks_in_vain(order.ticket):
            return
        order.outside_rth = False
        if before is None or not _asks_in_vain(before):
            self._store.tell_notice(order.ticket, notices.OUTSIDE_RTH_IGNORED)

    def modify(self, order: WorkingOrder, ticket: OrderTicket) -> None:
        """Terms that are not taken on leave the order as it was: 201, then its pair."""
        reason = None if order.status is OrderStatus.HELD else self._rejection(ticket, order)
        if reason is not None:
            self._store.tell_notice(order.ticket, notices.rejected(reason))
            self._store.tell_order(order)
            return
        limit, before = order.limit, order.ticket
        order.change(ticket)
        if order.status is OrderStatus.HELD:
            order.refused = False
            if ticket.transmit:
                self.transmit(order)
            return
        if order.remaining <= 0:
            # Fewer than are filled already: nothing is left to do. No capture shows it; this is the mildest reading.
            self.cancel(order, notices.BY_TRADER)
            return
        self._keep_to_session(order, before)
        self._date(order)
        self._triggers.forget(order)
        if not self._accepts(order):
            self._matching.withdraw(order)
            self._closed_market.changed(order)
            if order.status is OrderStatus.SUBMITTED:
                self._cancel_when_met(order)
            return
        self._store.tell_order(order)
        if order.status is not OrderStatus.SUBMITTED:
            self._matching.withdraw(order)
            self.start(order)
            return
        self._cancel_when_met(order)
        if not order.is_live:
            return
        same_terms = (limit, before.tif) == (order.limit, ticket.tif) and not order.at_auction
        if same_terms and before.quantity >= ticket.quantity and self._matching.rests(order):
            self._matching.reduced(order)
        else:
            self._matching.withdraw(order)
            self._work(order)

    def cancel(self, order: WorkingOrder, why: str) -> None:
        if why == notices.BY_TRADER:
            self._closed_market.hurry(order)
        self._leave(order)
        self._store.cancelled(order, why)
        self._cancel_children(order)

    def fill_outside(self, order: WorkingOrder, shares: Decimal, price: Decimal) -> None:
        """From nobody in the book; one that has ended only counts it."""
        was_live = order.is_live
        if order.status is OrderStatus.PRE_SUBMITTED and shares >= order.remaining:
            order.move(OrderStatus.SUBMITTED)
        self._matching.fill_outside(order, shares, price)
        if was_live:
            if not order.is_live:
                self._leave(order)
            self._after_fill(order, shares)

    def hold(self, order: WorkingOrder, told_as: OrderStatus) -> None:
        """An order that was accepted does nothing until it is released."""
        self._conditions.forget(order)
        self._closed_market.forget(order)
        self._triggers.forget(order)
        self._matching.withdraw(order)
        if order.status is OrderStatus.SUBMITTED:
            order.move(OrderStatus.PRE_SUBMITTED)
        order.held_as = told_as
        self._store.tell_order(order)

    def release(self, order: WorkingOrder) -> None:
        order.held_as = None
        if order.status is not OrderStatus.PRE_SUBMITTED:
            return
        if self._accepts(order):
            self._store.tell_order(order)
            self.start(order)
        else:
            self._wait([order])

    def expire(self, order: WorkingOrder) -> None:
        if order.status is OrderStatus.HELD:
            self._store.dropped(order)
        else:
            self.cancel(order, notices.EXPIRED)

    def _open(self, order: WorkingOrder) -> None:
        """The market opened for this order."""
        if order.status is OrderStatus.PRE_SUBMITTED:
            self._closed_market.forget(order)
            self.start(order)
        elif order.status is OrderStatus.SUBMITTED and not self._matching.rests(order):
            self._work(order)

    def _close(self, order: WorkingOrder) -> None:
        """The market closed for this order, which lives on."""
        self._matching.withdraw(order)
        self._triggers.forget(order)

    def trigger_stops(self) -> None:
        """Set off the stops that were reached by what became public since the last call."""
        while fresh := self._matching.take_fresh():
            for order in self._triggers.see(fresh):
                if order.is_live:
                    self._work(order)

    def _accepts(self, order: WorkingOrder) -> bool:
        """Whether the market is open for this order."""
        return self._phase is Phase.REGULAR or (order.outside_rth and self._phase is not Phase.CLOSED)

    def _cancel_when_met(self, order: WorkingOrder) -> None:
        """For an order whose conditions end it: from now on they are looked at, whether the market is open or not."""
        if order.ticket.conditions_cancel:
            self._conditions.wait(order, lambda met: self.cancel(met, notices.BY_SYSTEM))

    def _submit(self, order: WorkingOrder) -> None:
        if order.status is OrderStatus.PRE_SUBMITTED:
            order.move(OrderStatus.SUBMITTED)
            self._store.tell_order(order)

    def _work(self, order: WorkingOrder) -> None:
        self._submit(order)
        if order.at_auction:
            return
        at_once = order.ticket.tif in _AT_ONCE
        if order.ticket.tif != "FOK" or self._matching.can_fill(order):
            self._matching.work(order, rests=not at_once)
        if at_once and order.is_live:
            self.cancel(order, notices.BY_SYSTEM)

    def _wait(self, family: list[WorkingOrder]) -> None:
        """The market is closed for them."""
        first = family[0]
        opens_ns = self._calendar.next_open_ns(self._store.now_ns)
        if first.ticket.tif == "IOC":
            first.move(OrderStatus.SUBMITTED)
            self._store.tell_order(first)
            self._later(lambda: self._try_outside_hours(first))
        elif first.ticket.tif == "FOK":
            reason = notices.bad_tif_for_venue("FOK")
            self._unschedule(first)
            self._store.inactive(first, reason)
            self._cancel_children(first)
            self._later(lambda: self._store.rejected(first, reason))
        elif first.ticket.tif == "GTD" and (first.expires_ns or 0) <= opens_ns:
            self._store.tell_order(first)
            self._reject(first, notices.EXPIRES_TOO_SOON)
        else:
            self._closed_market.announce(family)

    def _try_outside_hours(self, order: WorkingOrder) -> None:
        """What an immediate-or-cancel order comes to: the gateway itself lets it trade outside the regular session."""
        if not order.is_live:
            return
        order.outside_rth = True
        self._store.tell_order(order)
        if self._accepts(order):
            self._matching.work(order, rests=False)
        if order.is_live:
            order.move(OrderStatus.PENDING_CANCEL)
            self._store.tell_order(order)
            self.cancel(order, notices.BY_SYSTEM)

    def _reject(self, order: WorkingOrder, reason: str) -> None:
        self._unschedule(order)
        self._store.inactive(order, reason)
        self._store.rejected(order, reason, again=reason != notices.CURRENCY_LEVERAGE)
        self._cancel_children(order)

    def _cancel_children(self, parent: WorkingOrder) -> None:
        for order in parent.children:
            if order.status is OrderStatus.HELD:
                self._store.dropped(order)
            elif order.is_live:
                self.cancel(order, notices.BY_SYSTEM)

    def _after_fill(self, order: WorkingOrder, shares: Decimal) -> None:
        """A fill ends or reduces the others of its group; a filled order starts its children."""
        for other in others_of(order, self._store.live):
            if not other.is_live or other.status is OrderStatus.HELD:
                continue
            left = left_after(order, shares, other)
            if left > 0:
                other.reduce(other.filled + left)
                self._matching.reduced(other)
                self._store.tell_order(other)
            else:
                self.cancel(other, notices.BY_SYSTEM)
        if order.status is OrderStatus.FILLED:
            self._unschedule(order)
            for child in order.children:
                self.start(child)

    def _leave(self, order: WorkingOrder) -> None:
        self._unschedule(order)
        self._closed_market.forget(order)
        self._triggers.forget(order)
        self._matching.withdraw(order)

    def _date(self, order: WorkingOrder) -> None:
        """When it ends by itself, and when it begins."""
        self._unschedule(order)
        ticket, now_ns = order.ticket, self._store.now_ns
        order.expires_ns = None
        if ticket.tif == "DAY":
            order.expires_ns = self._end_of_day(order)
        elif ticket.tif == "GTD" and ticket.good_till_ns is not None:
            order.expires_ns = ticket.good_till_ns
            at_ns = max(ticket.good_till_ns, now_ns + 1)
            self._schedule.note(at_ns, lambda: self._end_if_due(order), key=_end(order))
        if ticket.good_after_ns is not None and ticket.good_after_ns > now_ns:
            self._schedule.note(ticket.good_after_ns, lambda: self.start(order), key=_beginning(order))

    def _unschedule(self, order: WorkingOrder) -> None:
        """Nothing waits for it any more."""
        self._conditions.forget(order)
        self._schedule.forget(_end(order))
        self._schedule.forget(_beginning(order))

    def _end_if_due(self, order: WorkingOrder) -> None:
        if order.is_live and order.expires_ns is not None and order.expires_ns <= self._store.now_ns:
            self.expire(order)

    def _end_of_day(self, order: WorkingOrder) -> int:
        now_ns = self._store.now_ns
        ends = (day.post_close_ns if order.outside_rth else day.close_ns for day in self._calendar.days_from(now_ns))
        return next(ends_ns for ends_ns in ends if ends_ns > now_ns)

    def _later(self, action: Callable[[], None]) -> None:
        self._schedule.note(self._store.now_ns + ROUND_NS, action)


def _asks_in_vain(ticket: OrderTicket) -> bool:
    return ticket.outside_rth and ticket.order_type not in OUTSIDE_RTH


def _end(order: WorkingOrder) -> tuple[str, int]:
    return "end", order.perm_id


def _beginning(order: WorkingOrder) -> tuple[str, int]:
    return "beginning", order.perm_id
