"""How often historical data may be asked for.

Source: TWS API, "Historical data limitations": bars of 30 seconds and less may not be asked for identically within 15
seconds, nor six times within two seconds for the same contract, exchange and kind, nor more than sixty times within ten
minutes; bars of bid and ask count twice. Larger bars are not limited. The limits are the user's: all clients share
them. A request that is refused counts for none of them, which IB does not say.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from tws_simulator.api.limits.window import Window
from tws_simulator.world.time.units import SECOND_NS

SMALL_BAR_S_MAX: Final = 30

_IDENTICAL_NS: Final = 15 * SECOND_NS
_SAME_MAX, _SAME_NS = 5, 2 * SECOND_NS
_ALL_MAX, _ALL_NS = 60, 600 * SECOND_NS


class HistoricalPacing:
    """Remembers ten minutes of requests, at most sixty."""

    def __init__(self) -> None:
        self._all: Window[None] = Window(_ALL_NS)
        self._identical: Window[Hashable] = Window(_IDENTICAL_NS)
        self._same: Window[Hashable] = Window(_SAME_NS)

    def __repr__(self) -> str:
        return f"<HistoricalPacing {len(self._all)} of {_ALL_MAX} in ten minutes>"

    def admits(self, now_ns: int, request: Hashable, subject: Hashable, weight: int = 1) -> bool:
        """``request`` is all that was asked, ``subject`` its contract, exchange and kind; counts it when admitted."""
        if (
            self._all.count(now_ns) + weight > _ALL_MAX
            or self._identical.times(now_ns, request)
            or self._same.times(now_ns, subject) + weight > _SAME_MAX
        ):
            return False
        self._identical.add(now_ns, request)
        for _ in range(weight):
            self._all.add(now_ns, None)
            self._same.add(now_ns, subject)
        return True
