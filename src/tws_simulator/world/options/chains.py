"""Which options exist on a day: classes, expirations and strikes, from nothing but the date.

Nothing is listed beforehand. An option's conId is its description in a number (class, expiry, strike, right), so that
it is found without a search; these ids lie above all that IB has given out. As days pass, expirations are added and
the expired ones vanish; strikes of an expiry are only ever added.

Expiries fall on exchange days: a Friday that is a holiday gives way to the day before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from tws_simulator.world.instruments.listing import SMART, US_CENTRAL, US_EASTERN, Listing
from tws_simulator.world.instruments.universe import listing_named
from tws_simulator.world.time.calendar import Calendar, new_york_ns

Right = Literal["C", "P"]

# Venue -> its letter on the consolidated options feed.
OPTION_VENUE_LETTERS: Final[dict[str, str]] = {
    "AMEX": "A", "BOX": "B", "CBOE": "C", "EMERALD": "D", "EDGX": "E", "GEMINI": "H", "ISE": "I", "MERCURY": "J",
    "MIAX": "M", "PSE": "N", "PEARL": "P", "NASDAQOM": "Q", "SAPPHIRE": "S", "NASDAQBX": "T", "MEMX": "U", "CBOE2": "W",
    "PHLX": "X", "BATS": "Z",
}  # fmt: skip
_OPTION_EXCHANGES: Final = (SMART, *sorted(OPTION_VENUE_LETTERS))
_INDEX_EXCHANGES: Final = (SMART, "CBOE", "IBUSOPT")
_TYPES: Final = """
    ACTIVETIM AD ADJUST ALERT ALLOC AVGCOST COND CONDORDER DAY DEACT GAT GTC GTD IOC LIT LMT MIT MKT OCA SCALE STP
    STPLMT TRAIL TRAILLIT TRAILLMT TRAILMIT VOLAT WHATIF
"""
OPTION_ORDER_TYPES: Final = tuple(_TYPES.split())
PENNIES_RULE: Final = 32
NICKELS_RULE: Final = 110

_EXCHANGE_DAYS: Final = Calendar(always_open=False)
_FRIDAY: Final = 4
_DAILY_AHEAD: Final = timedelta(days=14)
_WEEKLY_AHEAD: Final = timedelta(days=49)
_MONTHS_AHEAD: Final = 12
_YEARS_AHEAD: Final = 2
_FINE_WITHIN: Final = timedelta(days=60)
_EPOCH: Final = date(2020, 1, 1)
FIRST_CON_ID: Final = 1 << 30
_STRIKE_BITS, _DAY_BITS, _CLASS_BITS = 12, 13, 4
_OCC: Final = re.compile(r"([A-Z0-9 ]{6})(\d{6})([CP])(\d{8})\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionClass:
    """The options of one trading class.

    ``cycle``: d every exchange day of the next two weeks, w every Friday of the next seven, m every third Friday of
    the next twelve months and the next two Januaries, q the last exchange day of the next four quarters.
    ``settles_at_open`` options trade for the last time on the day before they expire. Strikes are multiples of
    ``strike_step``: each one within ``fine_share`` of the reference price for near expiries, each fifth up to
    ``wide_share``. ``strikes`` other than empty are the only ones. ``number`` is part of every conId: never reuse one.
    """

    number: int
    name: str
    symbol: str
    cycle: str
    strike_step: float
    fine_share: float = 0.10
    wide_share: float = 0.40
    strikes: tuple[float, ...] = ()
    settles_at_open: bool = False
    exchanges: tuple[str, ...] = _OPTION_EXCHANGES
    market_rule: int = PENNIES_RULE
    multiplier: int = 100

    @property
    def underlying(self) -> Listing:
        return listing_named(self.symbol)


CLASSES: Final = (
    OptionClass(number=0, name="SPY", symbol="SPY", cycle="dwmq", strike_step=1.0, market_rule=26),
    OptionClass(number=1, name="QQQ", symbol="QQQ", cycle="dwmq", strike_step=1.0, market_rule=26),
    OptionClass(number=2, name="AAPL", symbol="AAPL", cycle="wm", strike_step=2.5, fine_share=0.15),
    # An adjusted class: after a split or a merger its options deliver something else. As captured: one strike.
    OptionClass(number=3, name="2AAPL", symbol="AAPL", cycle="m", strike_step=2.5, strikes=(230.0,)),
    OptionClass(number=4, name="NVDA", symbol="NVDA", cycle="wm", strike_step=1.0, fine_share=0.15),
    OptionClass(number=5, name="TSLA", symbol="TSLA", cycle="wm", strike_step=2.5, fine_share=0.20),
    OptionClass(number=6, name="MSFT", symbol="MSFT", cycle="wm", strike_step=2.5),
    OptionClass(
        number=7, name="SPX", symbol="SPX", cycle="m", strike_step=5.0, fine_share=0.05, settles_at_open=True,
        exchanges=_INDEX_EXCHANGES, market_rule=NICKELS_RULE,
    ),
    OptionClass(
        number=8, name="SPXW", symbol="SPX", cycle="dwmq", strike_step=5.0, fine_share=0.05,
        exchanges=_INDEX_EXCHANGES, market_rule=NICKELS_RULE,
    ),
)  # fmt: skip
_CLASS_BY_NAME: Final = {each.name: each for each in CLASSES}
_CLASS_BY_NUMBER: Final = {each.number: each for each in CLASSES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option contract. ``expiry`` is the day it settles, ``last_trade_day`` the last on which it trades."""

    option_class: OptionClass
    expiry: date
    strike: float
    right: Right

    @property
    def con_id(self) -> int:
        kind = self.option_class
        packed = kind.number << _DAY_BITS | (self.expiry - _EPOCH).days
        packed = packed << _STRIKE_BITS | round(self.strike / _strike_unit(kind))
        return FIRST_CON_ID | packed << 1 | (self.right == "P")

    @property
    def symbol(self) -> str:
        return self.option_class.symbol

    @property
    def underlying(self) -> Listing:
        return self.option_class.underlying

    @property
    def local_symbol(self) -> str:
        """As the options industry writes it: root of six places, date, right, strike in thousandths."""
        return f"{self.option_class.name:<6}{self.expiry:%y%m%d}{self.right}{round(self.strike * 1000):08d}"

    @property
    def trading_class(self) -> str:
        return self.option_class.name

    @property
    def last_trade_day(self) -> date:
        return last_trade_day(self.option_class, self.expiry)

    @property
    def last_moment(self) -> str:
        """When trading ends: an index class that settles at the open is done at the close of the day before."""
        if self.symbol == "SPX":
            return f"{self.last_trade_day:%Y%m%d} 15:00:00 {US_CENTRAL}"
        return f"{self.last_trade_day:%Y%m%d} 16:00:00 {US_EASTERN}"

    @property
    def settles_ns(self) -> int:
        """Until when it has time value."""
        hour, minute = (9, 30) if self.option_class.settles_at_open else (16, 0)
        return new_york_ns(datetime(self.expiry.year, self.expiry.month, self.expiry.day, hour, minute))


def classes_of(symbol: str) -> tuple[OptionClass, ...]:
    """The classes on an underlying, the standard one first."""
    return tuple(each for each in CLASSES if each.symbol == symbol)


def option(trading_class: str, expiry: date, strike: float, right: Right, today: date) -> Option | None:
    """None for a contract that is not listed on ``today``."""
    kind = _CLASS_BY_NAME.get(trading_class)
    if kind is None or right not in ("C", "P") or expiry not in expirations(kind, today):
        return None
    if strike not in strikes(kind, expiry, today):
        return None
    return Option(option_class=kind, expiry=expiry, strike=strike, right=right)


def by_con_id(con_id: int, today: date) -> Option | None:
    packed = con_id ^ FIRST_CON_ID
    if con_id < FIRST_CON_ID or packed >> (_CLASS_BITS + _DAY_BITS + _STRIKE_BITS + 1):
        return None
    right: Right = "P" if packed & 1 else "C"
    packed >>= 1
    steps, packed = packed & ((1 << _STRIKE_BITS) - 1), packed >> _STRIKE_BITS
    days, number = packed & ((1 << _DAY_BITS) - 1), packed >> _DAY_BITS
    kind = _CLASS_BY_NUMBER.get(number)
    if kind is None:
        return None
    return option(kind.name, _EPOCH + timedelta(days=days), steps * _strike_unit(kind), right, today)


def by_local_symbol(text: str, today: date) -> Option | None:
    """Only in the padded form."""
    found = _OCC.match(text)
    if found is None:
        return None
    root, day, right, strike = found.groups()
    try:
        expiry = datetime.strptime(day, "%y%m%d").date()
    except ValueError:
        return None
    return option(root.rstrip(), expiry, int(strike) / 1000, "C" if right == "C" else "P", today)


def listed(kind: OptionClass, today: date) -> Iterator[Option]:
    """Every option of a class, by expiry, strike and right."""
    for expiry in expirations(kind, today):
        for strike in strikes(kind, expiry, today):
            yield Option(option_class=kind, expiry=expiry, strike=strike, right="C")
            yield Option(option_class=kind, expiry=expiry, strike=strike, right="P")


@lru_cache(maxsize=64)
def expirations(kind: OptionClass, today: date) -> tuple[date, ...]:
    """The days on which options of this class settle, from ``today`` on."""
    found: set[date] = set()
    if "d" in kind.cycle:
        found.update(_days(today, today + _DAILY_AHEAD))
    if "w" in kind.cycle:
        found.update(_weeklies(today, today + _WEEKLY_AHEAD))
    if "m" in kind.cycle:
        found.update(_monthlies(today))
    if "q" in kind.cycle:
        found.update(_quarter_ends(today))
    return tuple(sorted(day for day in found if day >= today and not _over(kind, day, today)))


@lru_cache(maxsize=512)
def strikes(kind: OptionClass, expiry: date, today: date) -> tuple[float, ...]:
    """Rising; near expiries have every step around the reference price, far ones every fifth."""
    if kind.strikes:
        return kind.strikes
    step, centre = kind.strike_step, kind.underlying.reference_price
    first = int(centre * (1 - kind.wide_share) / (5 * step)) * 5
    last = int(centre * (1 + kind.wide_share) / step) + 1
    fine = expiry - today <= _FINE_WITHIN
    return tuple(
        steps * step
        for steps in range(max(first, 1), last + 1)
        if steps % 5 == 0 or (fine and abs(steps * step - centre) <= centre * kind.fine_share)
    )


def all_strikes(kind: OptionClass, today: date) -> tuple[float, ...]:
    """Those of any expiry, as IB lists them: not every pair of a date and a strike exists."""
    return tuple(sorted({strike for expiry in expirations(kind, today) for strike in strikes(kind, expiry, today)}))


def last_trade_day(kind: OptionClass, expiry: date) -> date:
    """The day that IB writes for an expiry."""
    return _exchange_day_before(expiry) if kind.settles_at_open else expiry


def _strike_unit(kind: OptionClass) -> float:
    return 5.0 if kind.symbol == "SPX" else 0.5


def _over(kind: OptionClass, expiry: date, today: date) -> bool:
    return last_trade_day(kind, expiry) < today


def _days(first: date, last: date) -> Iterator[date]:
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        if _EXCHANGE_DAYS.day(day) is not None:
            yield day


def _weeklies(first: date, last: date) -> Iterator[date]:
    friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7)
    while friday <= last:
        yield _exchange_day_until(friday)
        friday += timedelta(days=7)


def _monthlies(today: date) -> Iterator[date]:
    months = [_month(today, ahead) for ahead in range(_MONTHS_AHEAD + 1)]
    months += [(today.year + ahead, 1) for ahead in range(1, _YEARS_AHEAD + 1)]
    for year, month in months:
        yield third_friday(year, month)


def _quarter_ends(today: date) -> Iterator[date]:
    for ahead in range(_MONTHS_AHEAD + 1):
        year, month = _month(today, ahead)
        if month % 3 == 0:
            following, first = _month(date(year, month, 1), 1)
            yield _exchange_day_until(date(following, first, 1) - timedelta(days=1))


def third_friday(year: int, month: int) -> date:
    """The third Friday, or the exchange day before it."""
    first = date(year, month, 1)
    return _exchange_day_until(first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14))


def _month(day: date, ahead: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + ahead, 12)
    return day.year + years, month + 1


def _exchange_day_until(day: date) -> date:
    while _EXCHANGE_DAYS.day(day) is None:
        day -= timedelta(days=1)
    return day


def _exchange_day_before(day: date) -> date:
    return _exchange_day_until(day - timedelta(days=1))
