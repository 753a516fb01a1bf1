"""Whether a gateway has IB after all: a question that only IB can answer.

What a gateway says of farms, and what ticks, speaks for the farms. Orders go another way, and nothing tells of that but
1101 and 1102, which not every gateway tells to every session. So a gateway in doubt is asked for the details of a
contract: the answer has to come from IB. Another contract each time, for it may remember those it was asked for.

One that says that it has lost IB, and has said nothing else for a long time, is asked as well. Its answer is then a
contradiction, and the session is made anew; the next one begins in doubt, and is asked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.planes import Planes, Upstream
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import ContractDescribed, SessionLost
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import Request, RequestContractDetails

AGAIN_NS = 30 * SECOND

LOST_FOR_LONG_NS = 5 * MINUTE
"""So long a gateway is believed that it has lost IB; most find it again within one."""

KNOWN_TO_IB = ("IBM", "KO", "GE", "XOM", "JNJ", "PG", "WMT", "CAT", "MMM", "DIS", "F", "T", "SPY", "QQQ", "IWM", "AAPL")
"""US stocks and funds that have been listed for decades, and are described to every login."""

LATE_ANSWERS = 4
"""An answer to one of the latest so many questions counts, however late it comes."""


class UpstreamProbe:
    """Asks while the present gateway is thought to be without IB."""

    def __init__(self, settings: Settings, request_ids: ReqIdCounter, planes: Planes) -> None:
        configured = {instrument.symbol for instrument in settings.instruments}
        self._contracts = tuple(symbol for symbol in KNOWN_TO_IB if symbol not in configured)
        self._request_ids = request_ids
        self._planes = planes
        self._questions = 0
        self._begin(Upstream.UNKNOWN)

    def _begin(self, upstream: Upstream) -> None:
        self._asked_as = upstream
        self._asked: deque[int] = deque(maxlen=LATE_ANSWERS)
        self._asked_ns: int | None = None

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self._begin(Upstream.UNKNOWN)

    def tick(self, ask: Callable[[Request], None], now_ns: int, out: Outbox, *, excused: bool) -> None:
        """Of a session that has named itself. ``excused``: a planned window explains that IB is lost."""
        if self._planes.upstream is not self._asked_as:
            self._begin(self._planes.upstream)
        due_ns = self._due_ns(now_ns)
        if due_ns is None:
            return
        if now_ns < due_ns:
            out.wake_at(due_ns)
        elif self._planes.doubted or not excused:
            self._asked_ns = now_ns
            self._asked.append(self._request_ids.take())
            ask(RequestContractDetails(req_id=self._asked[-1], instrument=self._next_contract()))
            out.wake_at(now_ns + AGAIN_NS)

    def answers(self, event: ContractDescribed) -> bool:
        """True if IB has spoken: it was asked in this state of its link, and described what it was asked for."""
        return self._planes.upstream is self._asked_as and event.req_id in self._asked

    def _due_ns(self, now_ns: int) -> int | None:
        if self._asked_ns is not None:
            return self._asked_ns + AGAIN_NS
        if self._planes.doubted:
            return now_ns
        lost_ns = self._planes.upstream_lost_ns
        return None if lost_ns is None else lost_ns + LOST_FOR_LONG_NS

    def _next_contract(self) -> Instrument:
        self._questions += 1
        return Instrument(symbol=self._contracts[(self._questions - 1) % len(self._contracts)])
