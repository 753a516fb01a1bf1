"""What the market did before the simulation began: made up from the seed, the same however it is asked for.

Every day's closing price comes from a seeded walk that starts at the closing price the live market gives and goes
back in time; days of all instruments share a common factor. A day is parted into its periods, half hours, five
minutes, minutes, five seconds and seconds as they are asked for, each part drawn from a seed of its own: what a bar
says depends neither on what was asked before nor on the size of the bars.

The past has the hours of the stock exchange, also where the simulated market never closes: that market is open at
night so that programs can be tried at any hour, and no program expects bars of last Sunday. On the day on which the
simulation begins the past ends, at a full second, where the live market's first price is.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from tws_simulator.world.history.spans import Span, merged, parted
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.crowd import MARKET_VOLATILITY, TRADING_DAYS
from tws_simulator.world.market.mixing import bell
from tws_simulator.world.time.calendar import Calendar, TradingDay, new_york_date
from tws_simulator.world.time.units import SECOND_NS

FIRST_DAYS: Final = {
    "AAPL": date(1980, 12, 12), "MSFT": date(1986, 3, 13), "SPY": date(1993, 1, 29), "AMZN": date(1997, 5, 15),
    "NVDA": date(1999, 1, 22), "QQQ": date(1999, 3, 10), "IWM": date(2000, 5, 26), "GOOGL": date(2004, 8, 19),
    "TSLA": date(2010, 6, 29), "META": date(2012, 5, 18), "GOOG": date(2014, 3, 27),
}  # fmt: skip
"""When these listings began to trade; the past of AAPL began so in a captured head timestamp."""
FIRST_DAY: Final = date(2004, 1, 23)  # of all others: about where IB's own records begin
YEARLY_GROWTH: Final = 0.07
PULL_PER_DAY: Final = 0.004  # towards the line of steady growth, so that decades stay plausible
PARTS_KEPT: Final = 20_000
"""Parted stretches kept, the latest used; each is at most some dozen spans."""

_STEPS_S: Final = (1800, 300, 60, 5, 1)
_SHARES_PER_TRADE: Final = 150  # as in captured hourly bars of AAPL
_EXTENDED_SHARE: Final = 0.02  # of a day's volume, before the open and after the close each
_PRICE_MIN: Final = 100  # ticks
_UNITS_WITHOUT_VOLUME: Final = 5_000_000  # traded in a day of currencies and indexes, so that their prices move


@dataclass(frozen=True, slots=True)
class PastDay:
    """The periods of one day that lie in the past, each with trades; ``hours`` are those of the exchange."""

    hours: TradingDay
    pre: Span | None
    regular: Span | None
    post: Span | None

    def spans(self, *, regular_only: bool) -> list[Span]:
        periods = (self.regular,) if regular_only else (self.pre, self.regular, self.post)
        return [span for span in periods if span is not None]


class Past:
    """``opening`` are the live market's first prices, ``closes`` its closing prices of the day before; both in USD."""

    def __init__(
        self,
        listings: Iterable[Listing],
        seed: int,
        start_ns: int,
        opening: Mapping[int, float],
        closes: Mapping[int, float],
    ) -> None:
        self.end_ns = start_ns - start_ns % SECOND_NS
        self._calendar = Calendar(always_open=False)
        self._tracks = {
            listing.con_id: _Track(listing, seed, self.end_ns, opening[listing.con_id], closes[listing.con_id])
            for listing in listings
        }
        self._parts: OrderedDict[tuple[int, int, int], list[Span]] = OrderedDict()

    def __contains__(self, con_id: int) -> bool:
        return con_id in self._tracks

    def __repr__(self) -> str:
        return f"<Past of {len(self._tracks)} listings until {new_york_date(self.end_ns)}>"

    def ticks_per_usd(self, con_id: int) -> int:
        return self._tracks[con_id].ticks_per_usd

    def first_day(self, con_id: int) -> TradingDay:
        day = self._tracks[con_id].first_day
        while (hours := self._calendar.day(day)) is None:
            day += timedelta(days=1)
        return hours

    def hours(self, con_id: int, day: date) -> TradingDay | None:
        """None where the exchange was closed, the listing did not exist yet, or the past is over."""
        if day < self._tracks[con_id].first_day:
            return None
        hours = self._calendar.day(day)
        return hours if hours is not None and hours.pre_open_ns < self.end_ns else None

    def day(self, con_id: int, day: date) -> PastDay | None:
        return self._tracks[con_id].day(day) if self.hours(con_id, day) is not None else None

    def span(self, con_id: int, since_ns: int, until_ns: int, *, regular_only: bool) -> Span | None:
        """The seconds that start from ``since_ns`` to before ``until_ns`` as one stretch; None without hours."""
        return merged(
            piece
            for period in self._periods(con_id, since_ns, until_ns, regular_only)
            for piece in self._inside(con_id, period, 0, since_ns, until_ns)
        )

    def seconds(
        self, con_id: int, since_ns: int, until_ns: int, *, regular_only: bool, newest_first: bool = False
    ) -> Iterator[Span]:
        """The seconds that had trades, one by one; drawn as they are taken."""
        for period in self._periods(con_id, since_ns, until_ns, regular_only, newest_first=newest_first):
            yield from self._seconds_of(con_id, period, 0, since_ns, until_ns, newest_first)

    def _periods(
        self, con_id: int, since_ns: int, until_ns: int, regular_only: bool, *, newest_first: bool = False
    ) -> Iterator[Span]:
        until_ns = min(until_ns, self.end_ns)
        since_ns = max(since_ns, self.first_day(con_id).pre_open_ns)
        if since_ns >= until_ns:
            return
        first, last = new_york_date(since_ns), new_york_date(until_ns - 1)
        for ahead in range((last - first).days + 1):
            day = self.day(con_id, last - timedelta(days=ahead) if newest_first else first + timedelta(days=ahead))
            spans = day.spans(regular_only=regular_only) if day is not None else []
            for span in reversed(spans) if newest_first else spans:
                if span.start_ns < until_ns and since_ns < span.end_ns:
                    yield span

    def _inside(self, con_id: int, span: Span, level: int, since_ns: int, until_ns: int) -> Iterator[Span]:
        if level == len(_STEPS_S):
            if since_ns <= span.start_ns:  # a second is told whole, by where it starts
                yield span
            return
        if since_ns <= span.start_ns and span.end_ns <= until_ns:
            yield span
            return
        for part in self._parts_of(con_id, span, level):
            if part.start_ns < until_ns and since_ns < part.end_ns:
                yield from self._inside(con_id, part, level + 1, since_ns, until_ns)

    def _seconds_of(
        self, con_id: int, span: Span, level: int, since_ns: int, until_ns: int, newest_first: bool
    ) -> Iterator[Span]:
        if not span.count or span.start_ns >= until_ns or span.end_ns <= since_ns:
            return
        if level == len(_STEPS_S):
            if since_ns <= span.start_ns:
                yield span
            return
        parts = self._parts_of(con_id, span, level)
        for part in reversed(parts) if newest_first else parts:
            yield from self._seconds_of(con_id, part, level + 1, since_ns, until_ns, newest_first)

    def _parts_of(self, con_id: int, span: Span, level: int) -> list[Span]:
        key = (con_id, span.start_ns, level)
        parts = self._parts.get(key)
        if parts is not None:
            self._parts.move_to_end(key)
            return parts
        parts = self._parts[key] = self._tracks[con_id].parted(span, _STEPS_S[level])
        if len(self._parts) > PARTS_KEPT:
            self._parts.popitem(last=False)
        return parts


class _Track:
    """One listing's past: closing prices back to its first day, and the days drawn from them."""

    def __init__(self, listing: Listing, seed: int, end_ns: int, opening_usd: float, close_usd: float) -> None:
        self.ticks_per_usd = listing.ticks_per_usd
        self.first_day = FIRST_DAYS.get(listing.symbol, FIRST_DAY)
        self._con_id = listing.con_id
        self._seed = seed
        self._end_ns = end_ns
        self._calendar = Calendar(always_open=False)
        self._opening = round(opening_usd * self.ticks_per_usd)
        self._average_volume = listing.average_volume or _UNITS_WITHOUT_VOLUME
        self._common = listing.beta * MARKET_VOLATILITY / math.sqrt(TRADING_DAYS)
        rest = max(listing.volatility**2 - (listing.beta * MARKET_VOLATILITY) ** 2, 0.0004)
        self._own = math.sqrt(rest / TRADING_DAYS)
        self._deviation = listing.volatility / math.sqrt(TRADING_DAYS)
        self._close = self._line = close_usd * self.ticks_per_usd
        self._latest = new_york_date(end_ns)
        self._walked_to = self._latest  # closes are known from here on
        self._closes: dict[date, int] = {}
        self._days: dict[date, PastDay] = {}

    def day(self, day: date) -> PastDay:
        """For a day with hours in the past. Days are kept: those of forty years are some thousands."""
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._last_day(day) if day == self._latest else self._whole_day(day)
        return found

    def parted(self, span: Span, step_s: int) -> list[Span]:
        step_ns = step_s * SECOND_NS
        first = span.start_ns - span.start_ns % step_ns + step_ns
        cuts = range(first, span.end_ns, step_ns)
        edges = [span.start_ns, *cuts, span.end_ns]
        weights = [(after - before) / step_ns for before, after in pairwise(edges)]
        if step_s == _STEPS_S[0]:
            weights = [weight * self._activity(edge) for weight, edge in zip(weights, edges, strict=False)]
        return parted(span, cuts, weights, self._luck("part", span.start_ns // SECOND_NS, step_s))

    def _activity(self, ts_ns: int) -> float:
        """The U of a session's volume: three times as busy at its ends as in the middle."""
        hours = self._calendar.day(new_york_date(ts_ns))
        assert hours is not None, "a stretch on a day without trading"
        if not hours.open_ns <= ts_ns < hours.close_ns:
            return 1.0
        from_middle = 2 * (ts_ns - hours.open_ns) / (hours.close_ns - hours.open_ns) - 1
        return 1.0 + 2.0 * from_middle * from_middle

    def _close_of(self, day: date) -> int:
        """The closing price, in ticks, of a whole day of the past."""
        while self._walked_to > day:
            self._walk_back()
        return self._closes[day]

    def _walk_back(self) -> None:
        """One calendar day: over days without trading the price stays."""
        before = self._walked_to - timedelta(days=1)
        if self._calendar.day(before) is not None:
            self._closes[before] = max(round(self._close), _PRICE_MIN)
            move = self._move(before)
            self._line /= 1 + YEARLY_GROWTH / TRADING_DAYS
            self._close = self._close / (1 + move)
            self._close += (self._line - self._close) * PULL_PER_DAY
        self._walked_to = before

    def _move(self, day: date) -> float:
        """The day's return, up to a tenth either way."""
        common = bell(_luck(self._seed, "market", day.toordinal()))
        own = bell(self._luck("day", day.toordinal()))
        return min(max(self._common * common + self._own * own, -0.1), 0.1)

    def _whole_day(self, day: date) -> PastDay:
        hours = self._calendar.day(day)
        assert hours is not None, f"{day} had no trading"
        luck = self._luck("periods", day.toordinal())
        close = self._close_of(day)
        before = self._late(self._day_before(day))
        opening = self._between(before, close, 0.3, luck)
        late = self._late(day)
        volume = self._volume(day, luck)
        extended = round(volume * _EXTENDED_SHARE)
        return PastDay(
            hours,
            self._period(hours.pre_open_ns, hours.open_ns, before, opening, 0.2, extended, luck),
            self._period(hours.open_ns, hours.close_ns, opening, close, 0.8, volume, luck),
            self._period(hours.close_ns, hours.post_close_ns, close, late, 0.1, extended, luck),
        )

    def _last_day(self, day: date) -> PastDay:
        """The day on which the simulation begins, up to that moment."""
        hours = self._calendar.day(day)
        assert hours is not None, f"{day} had no trading"
        luck = self._luck("periods", day.toordinal())
        price = self._late(self._day_before(day))
        volume = self._volume(day, luck)
        extended = round(volume * _EXTENDED_SHARE)
        edges = (hours.pre_open_ns, hours.open_ns, hours.close_ns, hours.post_close_ns)
        periods: list[Span | None] = []
        for start_ns, end_ns, shares, size in zip(
            edges, edges[1:], (extended, volume, extended), (0.2, 0.8, 0.1), strict=False
        ):
            until_ns = min(end_ns, self._end_ns)
            if until_ns <= start_ns:
                periods.append(None)
                continue
            ends = until_ns == self._end_ns or end_ns == hours.post_close_ns
            to = self._opening if ends else self._between(price, self._opening, 0.3, luck)
            part = (until_ns - start_ns) / (end_ns - start_ns)
            periods.append(
                self._period(start_ns, until_ns, price, to, size * math.sqrt(part), round(shares * part), luck)
            )
            price = to
        return PastDay(hours, *periods)

    def _day_before(self, day: date) -> date:
        return new_york_date(self._calendar.days_before(day, 1)[0].open_ns)

    def _late(self, day: date) -> int:
        """The last price after hours."""
        close = self._close_of(day)
        return max(round(close * (1 + 0.1 * self._deviation * bell(self._luck("late", day.toordinal())))), _PRICE_MIN)

    def _between(self, start: int, end: int, share: float, luck: random.Random) -> int:
        noise = start * self._deviation * 0.3 * bell(luck)
        return max(round(start + (end - start) * share + noise), _PRICE_MIN)

    def _volume(self, day: date, luck: random.Random) -> int:
        """Of the regular session; between half and one and a half of the average, and more on days of large moves."""
        large = abs(self._move(day)) / self._deviation
        return round(self._average_volume * (0.5 + 0.6 * luck.random() + 0.2 * large))

    def _period(
        self, start_ns: int, end_ns: int, opens: int, closes: int, size: float, volume: int, luck: random.Random
    ) -> Span:
        reach = opens * self._deviation * size
        high = max(opens, closes) + int(reach * luck.random() * luck.random())
        low = max(min(opens, closes) - int(reach * luck.random() * luck.random()), 1)
        count = max(volume // _SHARES_PER_TRADE, 4)
        volume = max(volume, count)
        turnover = volume * (opens + high + low + closes) // 4
        return Span(start_ns, end_ns, opens, high, low, closes, volume, turnover, count)

    def _luck(self, purpose: str, *numbers: int) -> random.Random:
        return _luck(self._seed, purpose, self._con_id, *numbers)


def _luck(seed: int, purpose: str, *numbers: int) -> random.Random:
    """A source of its own for each purpose, so that what is drawn does not depend on the order of questions."""
    text = f"past {seed} {purpose} {' '.join(map(str, numbers))}"
    return random.Random(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))  # noqa: S311
