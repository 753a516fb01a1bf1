"""One subscription to five-second bars: each bar of the past five seconds, on the marks of the clock.

Bars of trades are those of the tape, and so agree with every printed trade; five seconds without one repeat the last
price with a volume of 0. Bars of bid, ask and midpoint have no volume, which IB writes as -1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from tws_simulator.api.streams.stream import Moment
from tws_simulator.api.streams.tick_by_tick import midpoint
from tws_simulator.wire.row import Message, message
from tws_simulator.world.market.events import QuoteChanged
from tws_simulator.world.time.calendar import Phase
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

KIND = "bars"
TRADES = "TRADES"
BAR_NS: Final = 5_000_000_000
_MADE_UP_AT_ONCE_MAX: Final = 720
"""An hour: who lets the clock jump further is told the latest."""
_SIDES: Final[dict[str, Callable[[QuoteChanged], float]]] = {
    "BID": lambda quote: quote.bid,
    "ASK": lambda quote: quote.ask,
    "MIDPOINT": midpoint,
}
SHOWN: Final = frozenset({TRADES, *_SIDES})

_Figures = tuple[float, float, float, float, int, float, int]
"""Open, high, low, close, volume, average price, count."""


class BarStream:
    """``what`` is one of ``SHOWN``. ``regular_hours`` leaves out bars of the hours before and after."""

    def __init__(self, req_id: int, con_id: int, world: World, *, what: str, regular_hours: bool, now_ns: int) -> None:
        self.req_id = req_id
        self.con_id = con_id
        self._world = world
        self._what = what
        self._phases = {Phase.REGULAR} if regular_hours else {Phase.PRE, Phase.REGULAR, Phase.POST}
        self._next_ns = now_ns - now_ns % BAR_NS
        self._price = self._price_before(self._next_ns)

    def tell(self, moment: Moment) -> Iterator[Message]:
        due = (moment.now_ns - self._next_ns) // BAR_NS
        self._next_ns += max(due - _MADE_UP_AT_ONCE_MAX, 0) * BAR_NS
        while self._next_ns + BAR_NS <= moment.now_ns:
            start_ns = self._next_ns
            self._next_ns += BAR_NS
            if self._world.calendar.phase(start_ns) in self._phases:
                yield self._bar(start_ns)

    def _bar(self, start_ns: int) -> Message:
        figures = self._of_trades(start_ns) if self._what == TRADES else self._of_quotes(start_ns)
        opening, high, low, self._price, volume, average, count = figures
        return message(
            "realtimeBar",
            reqId=self.req_id,
            time=start_ns // SECOND_NS,
            open=opening,
            high=high,
            low=low,
            close=self._price,
            volume=Decimal(volume),
            WAP=Decimal(repr(round(average, 6))),
            count=count,
        )

    def _of_trades(self, start_ns: int) -> _Figures:
        found = self._world.tape.bars(self.con_id, start_ns, start_ns + BAR_NS)
        if not found:
            return self._price, self._price, self._price, self._price, 0, self._price, 0
        bar = found[0]
        return bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.count

    def _of_quotes(self, start_ns: int) -> _Figures:
        quotes = self._world.tape.quotes(self.con_id, start_ns, start_ns + BAR_NS)
        prices = [self._price, *map(_SIDES[self._what], quotes)]
        return prices[0], max(prices), min(prices), prices[-1], -1, -1.0, -1

    def _price_before(self, ts_ns: int) -> float:
        """What stood when the running bar began, as far as is known."""
        if self._what == TRADES:
            return self._world.quote(self.con_id).last
        shown = _SIDES[self._what]
        earlier = self._world.tape.quotes(self.con_id, ts_ns - 12 * BAR_NS, ts_ns)
        return shown(earlier[-1] if earlier else self._world.tape.standing(self.con_id))
