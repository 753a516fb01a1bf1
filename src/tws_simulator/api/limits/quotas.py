"""How much the clients of one user may ask for, all together.

Lines are taken by quotes and five-second bars. Depth is limited by instruments: one that is shown already may be asked
for again. Tick-by-tick subscriptions are limited in number, and whoever asks waits before the same kind of ticks of
the same instrument is asked for again. Of history see `historical_pacing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

from tws_simulator.api.limits.historical_pacing import HistoricalPacing
from tws_simulator.api.limits.window import Window
from tws_simulator.api.notices import history as historical
from tws_simulator.api.notices import market_data
from tws_simulator.api.options import Options
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.streams import bars, depth, history, quotes, tick_by_tick
from tws_simulator.world.time.units import SECOND_NS

BARS_MAX, BARS_WINDOW_NS = 60, 600 * SECOND_NS
"""New requests for five-second bars within ten minutes."""
DEPTHS_OF_ONE_MAX: Final = 32
"""Depth subscriptions to one instrument, which IB does not limit: each compares up to 120 rows at every step."""
KEPT_MAX: Final = 50
"""Historical requests that are kept up to date, at once."""
SYMBOLS_PAUSE_NS: Final = SECOND_NS
"""In which a client searches for symbols once."""

_LINE_KINDS: Final = (quotes.KIND, bars.KIND)


class Quotas:
    """``sessions`` are the gateway's, and change under it. What is too much is refused."""

    def __init__(self, options: Options, sessions: Sequence[Session]) -> None:
        self._options = options
        self._sessions = sessions
        self._bars: Window[None] = Window(BARS_WINDOW_NS)
        self._ticks: Window[Hashable] = Window(int(options.tick_by_tick_pause_s * SECOND_NS))
        self._symbols: Window[int] = Window(SYMBOLS_PAUSE_NS)
        self._historical = HistoricalPacing()

    def __repr__(self) -> str:
        return f"<Quotas {self._open(*_LINE_KINDS)} of {self._options.lines_max} lines, {self._historical!r}>"

    def check_line(self) -> None:
        if self._open(*_LINE_KINDS) >= self._options.lines_max:
            raise Refused(market_data.TOO_MANY_LINES)

    def check_depth(self, con_id: int) -> None:
        streams = (stream for session in self._sessions for stream in session.streams.values())
        shown = Counter(stream.con_id for stream in streams if isinstance(stream, depth.DepthStream))
        is_one_more = con_id not in shown and len(shown) >= self._options.depths_max
        if is_one_more or shown[con_id] >= DEPTHS_OF_ONE_MAX:
            raise Refused(market_data.too_many_depths(self._options.depths_max))

    def take_bars(self, now_ns: int) -> None:
        self.check_line()
        if self._bars.count(now_ns) >= BARS_MAX:
            raise Refused(market_data.BARS_TOO_FAST)
        self._bars.add(now_ns, None)

    def take_ticks(self, con_id: int, kind: str, now_ns: int) -> None:
        """Of one kind and instrument once in a while, by whichever client; what was refused does not count.

        IB words it as one request for the same instrument within 15 seconds. Its own sample program asks for Last,
        AllLast and BidAsk of one contract in one go, so kinds are told apart; clients are not, for a
        quota is the login's.
        """
        asked = (con_id, kind)
        if self._open(tick_by_tick.KIND) >= self._options.tick_by_tick_max or self._ticks.times(now_ns, asked):
            raise Refused(market_data.TOO_MANY_TICK_BY_TICK)
        self._ticks.add(now_ns, asked)

    def takes_symbols(self, session: Session, now_ns: int) -> bool:
        """Whether this search for symbols is answered; it counts when it is."""
        if self._symbols.times(now_ns, session.peer.connection):
            return False
        self._symbols.add(now_ns, session.peer.connection)
        return True

    def check_kept(self) -> None:
        if self._open(history.KIND) >= KEPT_MAX:
            raise Refused(historical.TOO_MANY_OPEN)

    def take_history(self, now_ns: int, request: Hashable, subject: Hashable, weight: int) -> None:
        """Of small bars: see `HistoricalPacing.admits`."""
        if self._options.historical_pacing and not self._historical.admits(now_ns, request, subject, weight):
            raise Refused(historical.PACING_VIOLATION)

    def _open(self, *kinds: str) -> int:
        return sum(kind in kinds for session in self._sessions for kind, _ in session.streams)
