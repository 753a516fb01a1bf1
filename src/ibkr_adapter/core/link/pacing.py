"""How fast we may speak: a sliding window over what was sent, with a reserve for cancels.

IB allows as many messages a second as half the market data lines, 50 for the usual 100, counted over any second, not
over calendar seconds. A third breach ends the session. So the window is exact, and outlives a reconnect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ibkr_adapter.clock import SECOND
from ibkr_adapter.effects import Outbox, Send
from ibkr_adapter.requests import Request, SendCancel, SendOrder


class Pacing:
    """At most ``messages_max`` sends fall in any second, and ``messages_reserved`` more if they are cancels.

    What does not fit waits in order: cancels, then orders, then everything else. Orders keep their order by id;
    a cancel never overtakes its own placement, since a placement that waits is cancelled before it is sent.

    Source: TWS API, "Pacing Limitations": 50 in a second, of which we leave 5 to spare.
    """

    WINDOW_NS = SECOND
    SLOW_NS = 60 * SECOND
    WAITING_MAX = 10_000
    """Requests that may wait; one more is our own bug (a loop that subscribes), and fails loudly."""

    def __init__(self, *, messages_max: int, messages_reserved: int) -> None:
        self.messages_max = messages_max
        self._reserved = messages_reserved
        self._slow_until_ns = 0
        self._sent_ns: deque[int] = deque()
        self._cancels: deque[Send] = deque()
        self._orders: deque[Send] = deque()
        self._rest: deque[Send] = deque()

    @property
    def waiting(self) -> int:
        return len(self._cancels) + len(self._orders) + len(self._rest)

    def last_second(self, now_ns: int) -> int:
        self._forget(now_ns)
        return len(self._sent_ns)

    def ask(self, request: Request, *, epoch: int) -> None:
        """Queue a request; ``release`` hands it out when the window allows."""
        if self.waiting >= self.WAITING_MAX:
            raise AssertionError(f"{self.waiting} requests wait to be sent: something asks in a loop")
        send = Send(epoch=epoch, request=request)
        if isinstance(request, SendCancel) and send in self._cancels:
            return  # one that waits already says the same
        self._lane(request).append(send)

    def withdraw(self, order_id: int) -> bool:
        """Take back a placement that still waits here. True if there was one."""
        for send in self._orders:
            if isinstance(send.request, SendOrder) and send.request.order_id == order_id:
                self._orders.remove(send)
                return True
        return False

    def forget_session(self, epoch: int) -> None:
        """Drop what waited for a session that is gone. The window stays as it is, and so does patience after a 100."""
        for lane in (self._cancels, self._orders, self._rest):
            kept = [send for send in lane if send.epoch != epoch]
            lane.clear()
            lane.extend(kept)

    def slow_down(self, now_ns: int) -> None:
        """100: the gateway counted too many of us, and ends a session that does it three times."""
        self._slow_until_ns = now_ns + self.SLOW_NS

    def limit(self, now_ns: int) -> int:
        """The most we send in a second, at this moment: half for a while after the gateway complained."""
        return self.messages_max if now_ns >= self._slow_until_ns else max(1, self.messages_max // 2)

    def release(self, now_ns: int, out: Outbox, confirm: Callable[[Send], bool]) -> None:
        """Send what fits now, if ``confirm`` still agrees to it; ask to be woken when more will fit."""
        self._forget(now_ns)
        limit = self.limit(now_ns)
        ceilings = (limit + self._reserved, limit, limit)
        for lane, ceiling in zip((self._cancels, self._orders, self._rest), ceilings, strict=True):
            while lane and len(self._sent_ns) < ceiling:
                send = lane.popleft()
                if confirm(send):
                    out.sends.append(send)
                    self._sent_ns.append(now_ns)
        if self.waiting:
            out.wake_at(self._sent_ns[0] + self.WINDOW_NS)

    def _forget(self, now_ns: int) -> None:
        while self._sent_ns and self._sent_ns[0] <= now_ns - self.WINDOW_NS:
            self._sent_ns.popleft()

    def _lane(self, request: Request) -> deque[Send]:
        if isinstance(request, SendCancel):
            return self._cancels
        if isinstance(request, SendOrder):
            return self._orders
        return self._rest
