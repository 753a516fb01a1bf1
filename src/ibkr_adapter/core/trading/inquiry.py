"""Asking the broker what it knows, and what follows from the answer.

Every session begins with it, and it is repeated while there is a question: an order in doubt, one that a code made
suspect, or a list whose end never came. The answer is four lists (open orders, completed orders, executions since
midnight, positions); only when each has shown its end does the absence of an order from them mean anything, and only
twice, ten seconds apart, does it mean that the order is not there. Of an order of an earlier day it means less: it
does not work any more, but what it did before midnight the lists do not show.

A list that stays empty and without its end while later questions are answered is a list that the gateway forgot to
end. It proves nothing; but if everything else agrees that nothing can be missing from it (no order of ours may still
trade, and what is held is what was held when all was known and what was executed since), nothing is lost by that. A
process that has not known all yet has nothing to compare with; but if the journal has no order of today either, then a
list of executions has nothing of ours to show.

End markers of orders name no request, so two inquiries never overlap: one that is wanted meanwhile follows. And a
gateway that has lost IB answers from what it remembers, so what it answers then is no evidence of absence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ibkr_adapter.calendar import new_york_day
from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.planes import Planes
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.account_sources import PositionsSource
from ibkr_adapter.core.trading.accounts import Accounts
from ibkr_adapter.core.trading.downloads import Answer, Download, Downloads
from ibkr_adapter.core.trading.holdings import Holdings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.order import Order, OrderState
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import DoubtCause, OrderDoubted, OrderLapsed, OrderNotFound
from ibkr_adapter.requests import (
    Request,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestExecutions,
)
from ibkr_adapter.windows import RESETS

ORDER_LISTS = (Download.OPEN_ORDERS, Download.COMPLETED_ORDERS, Download.EXECUTIONS)

DAY_NS = 25 * 60 * MINUTE
"""No day is longer, in New York in autumn."""

UNCONFIRMED_NS = 2 * MINUTE
"""A list that is asked for so long without its end will not end by itself."""

URGENT_NS = SECOND
"""A new question is asked after this much quiet, an old one every ``inquiry_every_ns``."""

FILL_INQUIRIES_MAX = 3
"""So often the executions are asked for when an order is filled further than they show; then it is only told."""


class Inquiry:
    """One inquiry at a time; it remembers which orders the broker named in it, and which ones were missing before."""

    def __init__(
        self,
        settings: Settings,
        request_ids: ReqIdCounter,
        ledger: Ledger,
        planes: Planes,
        accounts: Accounts,
        positions: PositionsSource,
    ) -> None:
        self._every_ns = settings.inquiry_every_ns
        self._apart_ns = settings.absence_apart_ns
        self._request_ids = request_ids
        self._ledger = ledger
        lists = (*ORDER_LISTS, Download.POSITIONS) if settings.account else ORDER_LISTS
        self.downloads = Downloads(settings.download_timeout_ns, lists)
        self._planes = planes
        self._accounts = accounts
        self._positions = positions
        self._holdings = Holdings(ledger.executions)
        self._asked_ns = 0
        self._judged = True
        self._no_evidence = False
        self._wanted_again = False
        self._executions_ids: set[int] = set()
        self._unconfirmed: tuple[Download, ...] = ()
        self._named: set[str] = set()
        self._questioned: set[str] = set()
        self._asked_for_fills: dict[str, int] = {}
        self._misses: dict[str, _Misses] = {}
        """By order key; of orders that may still trade, and no others."""

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Lists whose end was missing at the last inquiry that finished. Being asked again does not confirm them."""
        unended = (d for d in self._unconfirmed if self.downloads.answer(d) is not Answer.COMPLETE)
        return tuple(download.value for download in unended)

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no new order may be sent."""
        if unconfirmed := self.unconfirmed:
            yield Reason(code="unconfirmed", text=f"no end marker came for: {', '.join(unconfirmed)}")

    def conditions(self) -> Iterator[Condition]:
        """The gateway works, and yet no order may be sent."""
        if unconfirmed := self.unconfirmed:
            yield Condition(
                key="orders/unconfirmed",
                severity=AlertSeverity.CRITICAL,
                text=f"no order is sent: the gateway does not end its list of {', '.join(unconfirmed)}",
                remedy="it is asked for again and again; if it stays so, restart the gateway",
                after_ns=UNCONFIRMED_NS,
                excused_by=RESETS,
            )

    @property
    def awaited(self) -> tuple[str, ...]:
        """Lists that were asked for again because their end did not come, and whose end has not come since."""
        silent = (d for d in self.downloads.waiting if self.downloads.tries(d) > 1)
        return tuple(download.value for download in silent)

    def session_lost(self) -> None:
        self.downloads.clear()
        self._judged = True
        self._wanted_again = False
        self._unconfirmed = ()

    def begin(self, ask: Callable[[Request], None], now_ns: int) -> None:
        """Ask for the lists of orders. That of positions begins a subscription: others ask for it, we await its end."""
        self._named.clear()
        self._questioned.clear()
        self._asked_ns = now_ns
        self._judged = False
        self._no_evidence = False
        self._wanted_again = False
        self._executions_ids.clear()
        if not self._positions.stands:
            self.downloads.forget(Download.POSITIONS)
        for download in ORDER_LISTS:
            self._ask(download, ask, now_ns)

    def positions_asked(self, now_ns: int) -> None:
        """Its end is awaited, as that of the lists."""
        self.downloads.asked(Download.POSITIONS, now_ns)

    def restored(self, ask: Callable[[Request], None], now_ns: int) -> None:
        """The gateway has IB back: what it answered until now may be old, what it answers from now on is not."""
        if self._judged:
            self.begin(ask, now_ns)
        else:
            self._no_evidence = True
            self._wanted_again = True

    def named(self, order: Order | None) -> None:
        """The broker spoke of it: it is there, whatever was missing before."""
        if order is None:
            return
        self._misses.pop(order.key, None)
        if not self._judged and order.at_risk and not order.foreign:
            self._named.add(order.key)

    def questioned(self, order: Order) -> None:
        """A code raised a question: what was asked before is no answer to it."""
        if not self._judged:
            self._questioned.add(order.key)

    def is_ours(self, req_id: int) -> bool:
        """An execution list of this inquiry, be it the answer to its first question or to the repeat."""
        return req_id in self._executions_ids

    def tick(self, ask: Callable[[Request], None], now_ns: int, out: Outbox) -> bool:
        """Ask again what stayed silent; judge once all has come. True at the moment an inquiry finishes."""
        if self._planes.without_ib:
            self._no_evidence = True
        self._ask_the_silent(ask, now_ns)
        if (deadline_ns := self.downloads.next_deadline_ns) is not None:
            out.wake_at(deadline_ns)
        if self._judged or not self.downloads.finished:
            return False
        if self._wanted_again:
            self.begin(ask, now_ns)
            return False
        self._judged = True
        missing_nothing = self._missing_nothing(now_ns)
        self._unconfirmed = () if missing_nothing else self.downloads.unconfirmed
        if self.downloads.complete and not self._no_evidence:
            self._judge(now_ns, out)
            missing_nothing = self._positions_known
        if missing_nothing:
            self._holdings.confirmed(self._accounts.positions)
        return True

    def _ask_the_silent(self, ask: Callable[[Request], None], now_ns: int) -> None:
        """Once more, and behind it what was answered before: that tells a silent list from a silent gateway."""
        again = [
            download
            for download in self.downloads.expired(now_ns)
            if self.downloads.tries(download) < 2 or self.downloads.give_up(download) is not Answer.UNCONFIRMED
        ]
        for download in (*again, *(self.downloads.witnesses() if again else ())):
            self._ask(download, ask, now_ns)

    @property
    def _positions_known(self) -> bool:
        return self.downloads.answer(Download.POSITIONS) is Answer.COMPLETE

    def _missing_nothing(self, now_ns: int) -> bool:
        """Whether everything else says that one list without rows and end hides nothing of ours."""
        return (
            len(self.downloads.unconfirmed) == 1
            and not self._no_evidence
            and not self._ledger.orders.at_risk
            and not self._ledger.orders.short_of_fills
            and self._positions_known
            and (self._holdings.agree(self._accounts.positions) or self._nothing_to_execute(now_ns))
        )

    def _nothing_to_execute(self, now_ns: int) -> bool:
        """It is the list of executions, which begins at midnight, and no order of ours was sent since."""
        today = new_york_day(now_ns)
        sent = (order for order in self._ledger.orders.recent(now_ns - DAY_NS) if order.state is not OrderState.REFUSED)
        return (
            not self._holdings.known
            and self.downloads.unconfirmed == (Download.EXECUTIONS,)
            and not any(new_york_day(order.created_ns) == today for order in sent)
        )

    def ask_again(self, ask: Callable[[Request], None], now_ns: int, out: Outbox) -> None:
        """While a question stands, repeat the inquiry: soon for a new one, at ease for an old one."""
        questioned = self._ledger.orders.questioned + self._short_and_hoped_for()
        if not (questioned or self.unconfirmed) or not self._judged or self._planes.without_ib:
            return
        new = any(order.updated_ns >= self._asked_ns for order in questioned)
        due_ns = self._asked_ns + (URGENT_NS if new else self._every_ns)
        if now_ns >= due_ns:
            self.begin(ask, now_ns)
        else:
            out.wake_at(due_ns)

    def _ask(self, download: Download, ask: Callable[[Request], None], now_ns: int) -> None:
        if download is Download.POSITIONS:
            ask(self._positions.again(now_ns))
            return
        self.downloads.asked(download, now_ns)
        match download:
            case Download.OPEN_ORDERS:
                ask(RequestAllOpenOrders())
            case Download.COMPLETED_ORDERS:
                ask(RequestCompletedOrders())
            case Download.EXECUTIONS:
                req_id = self._request_ids.take()
                self._executions_ids.add(req_id)
                ask(RequestExecutions(req_id=req_id))

    def _judge(self, now_ns: int, out: Outbox) -> None:
        """All lists are complete: what do they say of each order that may still be at risk?"""
        at_risk = self._ledger.orders.at_risk
        self._misses = {order.key: self._misses[order.key] for order in at_risk if order.key in self._misses}
        for order in self._ledger.orders.short_of_fills:
            self._asked_for_fills[order.key] = self._asked_for_fills.get(order.key, 0) + 1
        for order in at_risk:
            if not self._ledger.orders.here(order):
                continue  # another gateway's, or another client id's: this session's lists say nothing of it
            if order.state is OrderState.INTENDED and order.handed_ns is None:
                continue  # still here, on its way to the disk
            if order.handed_ns is not None and order.handed_ns >= self._asked_ns:
                continue  # sent after we asked
            if order.key in self._questioned:
                continue  # the question arose after we asked
            if order.key in self._named:
                self._ledger.orders.answered(order.key)
            else:
                self._missed(order, now_ns, out)

    def _short_and_hoped_for(self) -> list[Order]:
        """Orders short of fills, for as long as asking has sense: the lists reach back to midnight only."""
        short = self._ledger.orders.short_of_fills
        self._asked_for_fills = {o.key: self._asked_for_fills.get(o.key, 0) for o in short}
        return [order for order in short if self._asked_for_fills[order.key] < FILL_INQUIRIES_MAX]

    def _missed(self, order: Order, now_ns: int, out: Outbox) -> None:
        misses = self._misses.setdefault(order.key, _Misses(first_ns=self._asked_ns))
        misses.count += 1
        twice = misses.count >= 2 and self._asked_ns - misses.first_ns >= self._apart_ns
        if order.rejection or (order.state is OrderState.IN_DOUBT and twice):
            self._ledger.record(_absence(order, misses.count, now_ns), out)
        elif order.state is not OrderState.IN_DOUBT:
            self._ledger.record(OrderDoubted(ts_recv_ns=now_ns, order_key=order.key, cause=DoubtCause.VANISHED), out)


@dataclass(slots=True)
class _Misses:
    """In how many complete lists in a row an order was missing, and when the first of them was asked for."""

    first_ns: int
    count: int = 0


def _absence(order: Order, misses: int, now_ns: int) -> OrderNotFound | OrderLapsed:
    """What complete lists prove that do not name the order: they reach back to midnight, and no further."""
    if order.rejection or new_york_day(order.created_ns) == new_york_day(now_ns):
        evidence = f"not in {misses} complete lists of open orders, completed orders and executions"
        return OrderNotFound(ts_recv_ns=now_ns, order_key=order.key, evidence=evidence)
    return OrderLapsed(
        ts_recv_ns=now_ns,
        order_key=order.key,
        evidence="ended on an earlier day; the lists since midnight do not show how: compare positions",
    )
