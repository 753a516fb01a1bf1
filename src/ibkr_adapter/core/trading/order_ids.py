"""Order ids only go up: over sessions, over restarts, over a gateway that forgets.

A gateway may say a lower next id after a restart than it gave before. Reusing one puts the fills of two orders on one.
Each gateway counts for itself: what one has named is nothing that another goes back behind.
A gateway that names a next id where those of requests are leaves us none: it refuses any below.
"""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.clock import MINUTE
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.request_ids import REQUEST_ID_FIRST, RESERVED_IDS

WENT_BACK_NS = 5 * MINUTE
"""So long a step back counts as true: it has no end of its own."""

RESET_REMEDY = "reset the order id sequence in the gateway's API settings"


class OrderIds:
    """The next id is one more than every id used by us, named by the gateway, or seen on any order.

    The durable mark is the journal: an id is used only by an intent that is on disk.
    Source: TWS API, "The Next Valid Identifier"; why the journal: docs/decisions/0003.
    """

    CEILING = REQUEST_ID_FIRST
    """Ids from here up are requests; ids that other clients chose up there do not move our mark."""

    OF_OTHERS_MAX = CEILING // 2
    """Ids of other clients from here up are somebody's scheme (a date, a clock) and would use ours up at once."""

    def __init__(self) -> None:
        self._last = 0
        self._gateway = ""
        self._named: dict[str, int] = {}
        """By gateway: below this its next id cannot be, by what it said itself."""
        self._beyond: int | None = None
        self._went_back: tuple[int, int, int] | None = None

    @property
    def last(self) -> int:
        return self._last

    @property
    def used_up(self) -> bool:
        """Nothing is left below the ids of requests."""
        return self._beyond is not None or self._last + 1 >= self.CEILING

    @property
    def highest(self) -> int:
        """Used, seen, or named by the gateway."""
        return max(self._last, self._beyond or 0)

    def session_opened(self, gateway: str) -> None:
        """What is named and seen from here on is this gateway's word."""
        self._gateway = gateway

    def seen(self, order_id: int) -> None:
        if self._last < order_id < self.CEILING:
            self._last = order_id

    def seen_of_ours(self, order_id: int) -> None:
        """On an order of our own client id, by the gateway's word."""
        self.seen(order_id)
        if order_id < self.CEILING:
            self._named[self._gateway] = max(self._named.get(self._gateway, 0), order_id + 1)

    def seen_of_others(self, order_id: int) -> None:
        """IB asks for ids above any seen on any order, whoever placed it."""
        if order_id < self.OF_OTHERS_MAX:
            self.seen(order_id)

    def named_next(self, order_id: int) -> bool:
        """The gateway's next valid id; False if it went back behind what was used."""
        self._beyond = order_id if order_id >= self.CEILING else None
        if order_id <= self._last:
            return False
        self.seen(order_id - 1)
        return True

    def greeted(self, order_id: int, now_ns: int) -> None:
        """The next valid id at the start of a session. In the middle of one it may be older than our last order."""
        named = self._named.get(self._gateway, 0)
        if order_id < named:
            self._went_back = order_id, named, now_ns
        elif order_id < self.CEILING:
            self._named[self._gateway] = order_id

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        if self.used_up:
            yield Condition(
                key="order_ids/used_up",
                severity=AlertSeverity.CRITICAL,
                text=f"no order id is left: {self.highest} was used or named, and ids end below {self.CEILING}",
                remedy=RESET_REMEDY,
            )
        if self._went_back is not None and self._went_back[2] == now_ns:
            yield Condition(
                key="order_ids/went_back",
                severity=AlertSeverity.WARNING,
                text="the gateway names {} as next order id and had named {} before".format(*self._went_back),
                remedy="none needed: it is not followed; see whether the gateway was restored from an old state",
                once_for_ns=WENT_BACK_NS,
            )

    def take(self) -> int:
        following = self._last + 1
        while following in RESERVED_IDS:
            following += 1
        assert following < self.CEILING, "the permit refuses before the ids are used up"
        self._last = following
        return following
