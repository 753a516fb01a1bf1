"""The market's day: sessions that open and close, auctions, orders that expire, and New York's midnight.

At midnight finished orders, and those that were never transmitted, are forgotten and the ledgers start a new day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.auctions import auctions_of
from tws_simulator.world.orders.lifecycle import OrderLifecycle
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import AT_CLOSE, OrderStatus
from tws_simulator.world.orders.working_order import WorkingOrder
from tws_simulator.world.time.calendar import Calendar, new_york_date, new_york_ns
from tws_simulator.world.time.schedule import Schedule


@dataclass(slots=True)
class _Turn:
    """What happens at one moment of the day."""

    opening: bool = False
    closing: bool = False
    midnight: bool = False


class TradingDays:
    """Notes its own next turn in the schedule, for as long as the world lives."""

    def __init__(
        self,
        lifecycle: OrderLifecycle,
        store: OrderStore,
        schedule: Schedule,
        calendar: Calendar,
        tape: Tape,
        ledgers: Mapping[str, Ledger],
        listings: Sequence[Listing],
    ) -> None:
        self._lifecycle = lifecycle
        self._store = store
        self._schedule = schedule
        self._calendar = calendar
        self._tape = tape
        self._ledgers = ledgers
        self._listings = listings

    def note_next(self) -> None:
        now_ns = self._store.now_ns
        first, ahead = new_york_date(now_ns), 0
        while True:
            turns = self._turns_of(first + timedelta(days=ahead))
            after = [ts_ns for ts_ns in turns if ts_ns > now_ns]
            if after:
                self._schedule.note(min(after), partial(self._play, turns[min(after)]))
                return
            ahead += 1

    def _turns_of(self, day: date) -> dict[int, _Turn]:
        turns: dict[int, _Turn] = {}

        def at(ts_ns: int) -> _Turn:
            return turns.setdefault(ts_ns, _Turn())

        at(new_york_ns(datetime.combine(day, time()))).midnight = True
        auctions, hours = auctions_of(self._calendar, day), self._calendar.day(day)
        if auctions is not None:
            at(auctions[0]).opening = True
            at(auctions[1]).closing = True
        if hours is not None and not self._calendar.always_open:
            at(hours.pre_open_ns)
            at(hours.post_close_ns)
        return turns

    def _play(self, turn: _Turn) -> None:
        now_ns = self._store.now_ns
        self._tape.turn(now_ns)
        if turn.opening:
            self._lifecycle.auction(self._listings, _trades_at_open)
        if turn.closing:
            self._lifecycle.auction(self._listings, _trades_at_close)
        for order in list(self._store.live.values()):
            never_sent = turn.midnight and order.status is OrderStatus.HELD
            if order.is_live and (never_sent or (order.expires_ns is not None and order.expires_ns <= now_ns)):
                self._lifecycle.expire(order)
        if turn.midnight:
            self._store.start_day()
            for ledger in self._ledgers.values():
                ledger.start_day(self._tape.marks())
        self._lifecycle.enter(self._calendar.phase(now_ns))
        self.note_next()


def _trades_at_open(order: WorkingOrder) -> bool:
    return order.ticket.tif == "OPG"


def _trades_at_close(order: WorkingOrder) -> bool:
    return order.ticket.order_type in AT_CLOSE and order.ticket.tif != "OPG"
