"""Order ids only go up: over sessions, over restarts, over a gateway that forgets.

A gateway may say a lower next id after a restart than it gave before. Reusing one puts the fills of two orders on one.
"""

from __future__ import annotations

from ibkr_adapter.core.link.requests import REQUEST_ID_FIRST, RESERVED_IDS


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

    @property
    def last(self) -> int:
        return self._last

    @property
    def used_up(self) -> bool:
        """Nothing is left below the ids of requests."""
        return self._last + 1 >= self.CEILING

    def seen(self, order_id: int) -> None:
        if self._last < order_id < self.CEILING:
            self._last = order_id

    def seen_of_others(self, order_id: int) -> None:
        """IB asks for ids above any seen on any order, whoever placed it."""
        if order_id < self.OF_OTHERS_MAX:
            self.seen(order_id)

    def named_next(self, order_id: int) -> bool:
        """The gateway's next valid id; False if it went back behind what was used."""
        if order_id <= self._last:
            return False
        self.seen(order_id - 1)
        return True

    def take(self) -> int:
        following = self._last + 1
        while following in RESERVED_IDS:
            following += 1
        assert following < self.CEILING, "the permit refuses before the ids are used up"
        self._last = following
        return following
