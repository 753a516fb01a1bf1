"""How often historical data may be asked for.

Source: TWS API, "Historical data limitations": bars of 30 seconds and less may not be asked for identically within 15
seconds, nor six times within two seconds for the same contract, exchange and kind, nor more than sixty times within ten
minutes; bars of bid and ask count twice. Larger bars are not limited. The limits are the user's: all clients share
them. A request that is refused counts for none of them, which IB does not say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

SMALL_BAR_S_MAX: Final = 30
OPEN_MAX: Final = 50
"""Requests that are kept up to date, at once."""

_SECOND_NS: Final = 1_000_000_000
_IDENTICAL_NS: Final = 15 * _SECOND_NS
_SAME_MAX, _SAME_NS = 5, 2 * _SECOND_NS
_ALL_MAX, _ALL_NS = 60, 600 * _SECOND_NS


class HistoricalPacing:
    """Remembers ten minutes of requests, at most sixty."""

    def __init__(self) -> None:
        self._admitted: deque[tuple[int, Hashable, Hashable]] = deque()

    def __repr__(self) -> str:
        return f"<HistoricalPacing {len(self._admitted)} of {_ALL_MAX} in ten minutes>"

    def admits(self, now_ns: int, request: Hashable, subject: Hashable, weight: int = 1) -> bool:
        """``request`` is all that was asked, ``subject`` its contract, exchange and kind; counts it when admitted."""
        while self._admitted and self._admitted[0][0] <= now_ns - _ALL_NS:
            self._admitted.popleft()
        if len(self._admitted) + weight > _ALL_MAX:
            return False
        same = 0
        for then_ns, earlier, about in reversed(self._admitted):
            if then_ns <= now_ns - _IDENTICAL_NS:
                break
            if earlier == request:
                return False
            same += about == subject and then_ns > now_ns - _SAME_NS
        if same + weight > _SAME_MAX:
            return False
        self._admitted.extend([(now_ns, request, subject)] * weight)
        return True
