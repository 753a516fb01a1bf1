"""How fast we speak, and who speaks first.

IB allows as many messages a second as half the market data lines, 50 for the usual 100, counted over any second, not
over calendar seconds. A third breach ends the session. So the window is exact, and outlives a reconnect.

What does not fit waits in lanes: cancels, orders, what is at risk, contract details, subscriptions, everything else.
Three rules decide who goes next:

- Cancels go first, and have a reserve of the window to themselves.
- Orders go next, at once. Everything else is *shaped*: at most ``burst_max`` in any tenth of a second, so that a full
  budget does not leave in one burst and the next order does not find the second used up at its beginning.
- A lane that has had no turn for a second has the next free one, before orders. So orders that use up every second
  still leave each of the other lanes one message of it, and no lane waits for good.

Requests whose class has limits of its own (history, bars, tick-by-tick, symbol search) are held back within their lane
by a rule of ``history_rules``; what is held back blocks nobody but its own class.

Source: TWS API, "Pacing Limitations": 50 in a second, of which we leave 5 to spare.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ibkr_adapter.clock import MILLISECOND, MINUTE, SECOND
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.history_rules import closes, rules
from ibkr_adapter.core.link.lanes import HeldQueue, Lane, Queue, Waiting, ends, lane_of, rank, undoes, undone_by
from ibkr_adapter.core.link.window import MessageWindow, Window
from ibkr_adapter.effects import Outbox, Send
from ibkr_adapter.events import SessionLost
from ibkr_adapter.requests import Request, SendCancel, SendOrder
from ibkr_adapter.snapshot import HeldView, LaneView, RateView

Expired = Callable[[Request], None]
Confirm = Callable[[Send], bool]


class Ask(Protocol):
    """How the parts of the core ask for something to be sent.

    ``priority``: the lower, the earlier within its lane. One that still waits at ``deadline_ns`` is never sent:
    ``expired`` is told instead.
    """

    def __call__(
        self, request: Request, *, priority: int = 0, deadline_ns: int | None = None, expired: Expired | None = None
    ) -> None: ...


class Pacing:
    """At most ``messages_max`` sends fall in any second, and ``messages_reserved`` more if they are cancels."""

    WINDOW_NS = SECOND
    SHAPE_NS = 100 * MILLISECOND
    TURN_NS = SECOND
    """A lane that has had no turn for so long has the next one."""
    SLOW_NS = MINUTE
    STRIKES = 3
    """IB ends a session at the third complaint (error 100)."""
    FORGIVEN_NS = 60 * MINUTE
    """Two complaints of the gateway within this time are told to somebody."""
    WAITING_MAX = 10_000
    """Requests that may wait; one more is our own bug (a loop that subscribes), and fails loudly."""

    def __init__(self, *, messages_max: int, messages_reserved: int, burst_max: int) -> None:
        self.messages_max = messages_max
        self._reserved = messages_reserved
        self._burst_max = burst_max
        self._window = MessageWindow(self.WINDOW_NS)
        self._shape = Window(self.SHAPE_NS)
        self._slow_until_ns = 0
        self._strikes = 0
        self._complaints_ns: deque[int] = deque(maxlen=3)
        self._queues = {lane: Queue() for lane in Lane}
        self._held = tuple(HeldQueue(rule) for rule in rules())
        self._all: tuple[Queue, ...] = (*self._queues.values(), *self._held)
        self._shaped = self._all[Lane.ORDERS + 1 :]
        self._turns_ns = dict.fromkeys(Lane, 0)
        self._asked = 0
        self._new: list[Waiting] = []
        self._deadlines: list[tuple[int, int, Waiting]] = []
        self.expired = 0

    @property
    def waiting(self) -> int:
        return sum(map(len, self._all))

    def last_second(self, now_ns: int) -> int:
        return self._window.look(now_ns)

    def ask(
        self,
        request: Request,
        *,
        epoch: int,
        priority: int = 0,
        deadline_ns: int | None = None,
        expired: Expired | None = None,
    ) -> None:
        """Queue a request; ``release`` hands it out when the window allows. See ``Ask``."""
        if self.waiting >= self.WAITING_MAX:
            raise AssertionError(f"{self.waiting} requests wait to be sent: something asks in a loop")
        send = Send(epoch=epoch, request=request)
        if isinstance(request, SendCancel) and any(waiting.send == send for waiting in self._queues[Lane.CANCELS]):
            return  # one that waits already says the same
        if undone_by(request) is not None and self._take_back(
            self._all, lambda waiting: undoes(request, waiting.send.request) and waiting.send.epoch == epoch
        ):
            return  # what it would end was never sent
        self._asked += 1
        order = (rank(request, priority), self._asked)
        waiting = Waiting(send, lane_of(request), order, deadline_ns, expired)
        self._queue(request).add(waiting)
        self._new.append(waiting)
        if deadline_ns is not None:
            heapq.heappush(self._deadlines, (deadline_ns, self._asked, waiting))

    def withdraw(self, order_id: int) -> bool:
        """Take back a placement that still waits here. True if there was one."""
        return self._take_back(
            (self._queues[Lane.ORDERS],),
            lambda waiting: isinstance(waiting.send.request, SendOrder) and waiting.send.request.order_id == order_id,
        )

    def spoke(self, now_ns: int) -> None:
        """The session has sent a message of its own, which the gateway counts like ours."""
        self._window.add(now_ns)

    def answered(self, req_id: int) -> None:
        """This request is open no more: its answer has come to its end, or a refusal, or it could not be sent at all.

        Each of these must be told here: a class of requests of which only so many may be open waits for it.
        """
        for held in self._held:
            held.closed(req_id)

    def reported(self, now_ns: int, *, unsent: int, written_ns: int) -> None:
        """The session tells how many frames its socket has not taken, and when the last write was over."""
        self._window.reported(now_ns, unsent=unsent, written_ns=written_ns)

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        """Drop what waited for a session that is gone. The windows stay as they are, and so does patience."""
        for queue in self._all:
            queue.keep(lambda waiting: waiting.send.epoch != event.epoch)
        for held in self._held:
            held.session_lost()
        self._window.session_lost(now_ns)
        self._strikes = 0

    def only_ends(self) -> None:
        """Drop what waits and would make more stand at the gateway, or only asks; orders are not for us to drop."""
        for queue in self._shaped:
            queue.keep(lambda waiting: ends(waiting.send.request))

    # The gateway's complaints.

    def slow_down(self, now_ns: int) -> None:
        """100: the gateway counted too many of us, and ends a session that does it three times."""
        self._slow_until_ns = now_ns + self.SLOW_NS
        self._complaints_ns.append(now_ns)
        self._strikes += 1

    @property
    def struck_out(self) -> bool:
        """The present session heard as many complaints as end one."""
        return self._strikes >= self.STRIKES

    def slowed(self, now_ns: int) -> bool:
        return now_ns < self._slow_until_ns

    def limit(self, now_ns: int) -> int:
        """The most we send in a second, at this moment: half for a while after the gateway complained."""
        return max(1, self.messages_max // 2) if self.slowed(now_ns) else self.messages_max

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        """One complaint may be a stall of the gateway, which then counts two seconds as one; two are no accident."""
        lately = sum(now_ns - complaint_ns < self.FORGIVEN_NS for complaint_ns in self._complaints_ns)
        if lately >= 2:
            yield Condition(
                key="pacing/violated",
                severity=AlertSeverity.CRITICAL,
                text="the gateway refused messages more than once within an hour: too many in a second",
                remedy="set pacing.lines to the market-data lines of this login, or lower pacing.messages_max",
            )

    # Sending.

    def release(self, now_ns: int, out: Outbox, confirm: Confirm) -> None:
        """Send what fits now, if ``confirm`` still agrees to it; ask to be woken when more will fit."""
        if not self.waiting:
            return
        self._expire(now_ns)
        for new in self._new:
            new.since_ns = now_ns
        self._new.clear()
        while self.waiting and (waiting := self._next(now_ns)) is not None:
            self._queue(waiting.send.request).remove(waiting)
            if confirm(waiting.send):
                out.sends.append(waiting.send)
                self._sent(waiting, now_ns)
        if self.waiting:
            self._ask_to_be_woken(now_ns, out)

    def _next(self, now_ns: int) -> Waiting | None:
        """Whose turn it is, if there is room for him."""
        used, limit = self._window.count(now_ns), self.limit(now_ns)
        if cancel := self._queues[Lane.CANCELS].first(now_ns):
            return cancel if used < limit + self._reserved else None
        if used >= limit:
            return None
        order = self._queues[Lane.ORDERS].first(now_ns)
        if self._shape.count(now_ns) >= self._burst_max or not any(self._shaped):
            return order
        shaped = [first for lane in Lane if lane > Lane.ORDERS and (first := self._first(lane, now_ns)) is not None]
        overdue = (first for first in shaped if now_ns - self._last_turn_ns(first) >= self.TURN_NS)
        return next(overdue, order or next(iter(shaped), None))

    def _first(self, lane: Lane, now_ns: int) -> Waiting | None:
        """Of the lane's own queue and of the held ones that belong to it."""
        found = [first for queue in self._queues_of(lane) if (first := queue.first(now_ns)) is not None]
        return min(found, key=lambda waiting: waiting.order, default=None)

    def _queues_of(self, lane: Lane) -> Iterator[Queue]:
        yield self._queues[lane]
        for held in self._held:
            if (waiting := next(iter(held), None)) is not None and waiting.lane is lane:
                yield held

    def _last_turn_ns(self, waiting: Waiting) -> int:
        return max(waiting.since_ns, self._turns_ns[waiting.lane])

    def _sent(self, waiting: Waiting, now_ns: int) -> None:
        request = waiting.send.request
        self._window.released(now_ns)
        self._turns_ns[waiting.lane] = now_ns
        if waiting.lane > Lane.ORDERS:
            self._shape.add(now_ns)
        for held in self._held:
            if held.rule.takes(request):
                held.rule.sent(request, now_ns)
        if (req_id := closes(request)) is not None:
            self.answered(req_id)

    def _expire(self, now_ns: int) -> None:
        """Those whose deadline has passed are told so; what they ask for then waits for the next release."""
        late: list[Waiting] = []
        while self._deadlines and (self._deadlines[0][0] <= now_ns or self._deadlines[0][2].gone):
            waiting = heapq.heappop(self._deadlines)[2]
            if not waiting.gone:
                self._queue(waiting.send.request).remove(waiting)
                late.append(waiting)
        self.expired += len(late)
        for waiting in late:
            if waiting.expired is not None:
                waiting.expired(waiting.send.request)

    def _ask_to_be_woken(self, now_ns: int, out: Outbox) -> None:
        """At the first moment at which any of those who wait may go, or is too late."""
        while self._deadlines and self._deadlines[0][2].gone:
            heapq.heappop(self._deadlines)
        if self._deadlines:
            out.wake_at(self._deadlines[0][0])
        if self._queues[Lane.CANCELS]:
            out.wake_at(self._room_ns(now_ns, self._reserved))
        room_ns = self._room_ns(now_ns, 0)
        if self._queues[Lane.ORDERS]:
            out.wake_at(room_ns)
        shaped_ns = max(room_ns, self._shape.room_ns(now_ns, self._burst_max))
        if any(self._first(lane, now_ns) for lane in Lane if lane > Lane.ORDERS):
            out.wake_at(shaped_ns)
        for held in self._held:
            if held and held.hold is not None and held.hold.until_ns is not None:
                out.wake_at(max(shaped_ns, held.hold.until_ns))

    def _room_ns(self, now_ns: int, reserved: int) -> int:
        """When the window has room for one more: at today's limit, or at the full one once that holds again."""
        room_ns = self._window.room_ns(now_ns, self.limit(now_ns) + reserved)
        if self.slowed(now_ns):
            full_ns = self._window.room_ns(now_ns, self.messages_max + reserved)
            room_ns = min(room_ns, max(full_ns, self._slow_until_ns))
        return room_ns

    # Where requests wait.

    def _queue(self, request: Request) -> Queue:
        for held in self._held:
            if held.rule.takes(request):
                return held
        return self._queues[lane_of(request)]

    def _take_back(self, queues: Iterable[Queue], unwanted: Callable[[Waiting], bool]) -> bool:
        for queue in queues:
            for waiting in queue:
                if unwanted(waiting):
                    queue.remove(waiting)
                    return True
        return False

    # What others may see.

    def view(self, now_ns: int) -> RateView:
        return RateView(
            last_second=self.last_second(now_ns),
            limit=self.limit(now_ns),
            waiting=self.waiting,
            reserved=self._reserved,
            halved_until_ns=self._slow_until_ns if self.slowed(now_ns) else None,
            expired=self.expired,
            lanes=tuple(
                LaneView(lane=lane.label, waiting=len(queue), since_ns=queue.since_ns)
                for lane, queue in self._queues.items()
            ),
            held=tuple(self._held_view(held) for held in self._held if held),
        )

    def _held_view(self, held: HeldQueue) -> HeldView:
        return HeldView(
            kind=held.rule.name,
            waiting=len(held),
            since_ns=held.since_ns,
            next_ns=held.hold.until_ns if held.hold else None,
            reason=held.hold.reason if held.hold else "",
        )
