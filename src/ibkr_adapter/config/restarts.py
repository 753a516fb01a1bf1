"""When a gateway and IB are expected to be away: the windows of a file, over those that every gateway has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from msgspec.structs import replace

from ibkr_adapter.calendar import LocalTime, similar_zones
from ibkr_adapter.config.defaults import PRODUCTION, SIMULATED
from ibkr_adapter.config.model import Section
from ibkr_adapter.config.typing import NAME, typed
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.windows import Window, WindowKind

WINDOWS_MAX: Final = 50
PATIENCE_MINUTES_MAX: Final = 12 * 60
DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class WindowTable(Section, frozen=True, kw_only=True):
    """One window as a file writes it; a name that every gateway has may leave out what stays as it is."""

    name: str
    kind: WindowKind = WindowKind.RESTART
    days: str | tuple[str, ...] = "daily"
    at: str
    minutes: int = 30
    patience_minutes: int | None = None


_GATEWAY_RESTART: Final = WindowTable(name="gateway_restart", at="04:45", minutes=45)
"""Long enough for a restart that slips to 05:05 and comes once more ten minutes later."""

_PRODUCTION: Final = (
    WindowTable(name="gateway_restart", at="04:45", minutes=15),
    WindowTable(name="production_restart", at="05:00"),
)
"""Production restarts at 05:00: the window of 04:45 ends where that of production begins, so none overlaps."""

_BROKER: Final = (
    WindowTable(
        name="nightly_reset",
        kind=WindowKind.BROKER,
        days=("sun", "mon", "tue", "wed", "thu", "fri"),
        at="00:15",
        minutes=90,
    ),
    WindowTable(name="weekend_reset", kind=WindowKind.BROKER, days=("fri",), at="23:00", minutes=4 * 60),
    WindowTable(name="sunday_login", kind=WindowKind.LOGIN, days=("sun",), at="01:00", minutes=11 * 60),
)
"""IB's side of North America. Source: IB's system status page (Sun-Fri 00:15-01:45, Fri 23:00-Sat 03:00 ET), and its
page on automatic restarts: tokens end on Sunday at 01:00 ET. The excuse of the login ends at
noon, six hours before the futures open: whoever has the second factor may be out on a Sunday.
"""


def default_windows(environment: str) -> tuple[WindowTable, ...]:
    """A simulator restarts when it is told to, and IB never resets it."""
    if environment == SIMULATED:
        return ()
    return (*(_PRODUCTION if environment == PRODUCTION else (_GATEWAY_RESTART,)), *_BROKER)


def check_time_zone(zone: str, path: str) -> None:
    try:
        LocalTime(zone)
    except ValueError:
        similar = similar_zones(zone)
        remedy = f"did you mean {' or '.join(similar)}?" if similar else "as America/New_York, Europe/London, UTC"
        raise ConfigurationError(path, f"there is no time zone {zone[:60]!a}", remedy=remedy) from None


def windows_of(tables: object, path: str, environment: str) -> tuple[Window, ...]:
    """``tables`` is what a file gives a gateway: ``None`` keeps the defaults, an empty list leaves no window."""
    rows = {row.name: row for row in default_windows(environment)}
    if tables is None:
        return tuple(_window(row, path) for row in rows.values())
    if not isinstance(tables, list):
        raise ConfigurationError(path, "expected a list", remedy=f"write each window as [[{path}]], or {path} = []")
    if not tables:
        return ()
    if len(tables) > WINDOWS_MAX:
        raise ConfigurationError(path, f"{len(tables)} are more than {WINDOWS_MAX}", remedy="days can be a list")
    given: dict[str, int] = {}
    places = dict.fromkeys(rows, path)
    for index, table in enumerate(tables):
        where = f"{path}[{index}]"
        name = table.get("name") if isinstance(table, dict) else None
        row = typed(WindowTable, table, where, rows.get(name) if isinstance(name, str) else None)
        if row.name in given:
            raise ConfigurationError(
                f"{where}.name",
                f"{row.name[:60]!a} is already the name of {path}[{given[row.name]}]",
                remedy="each window of a gateway has a name of its own",
            )
        given[row.name] = index
        rows[row.name], places[row.name] = row, where
    windows = tuple(_window(row, places[name]) for name, row in rows.items() if row.minutes != 0)
    _check_apart(windows, path)
    return windows


def _window(row: WindowTable, path: str) -> Window:
    if not NAME.fullmatch(row.name):
        raise ConfigurationError(f"{path}.name", "a window's name is letters, digits, _ and -", remedy="rename it")
    time = _TIME.fullmatch(row.at)
    if time is None:
        raise ConfigurationError(f"{path}.at", f"{row.at[:20]!a} is no time of day", remedy='as "04:45" or "23:00"')
    if row.minutes >= DAY_MINUTES:
        raise ConfigurationError(
            f"{path}.minutes",
            f"{row.name} would last a day or more",
            remedy=f"at most {DAY_MINUTES - 1}; list the days",
        )
    if row.minutes < 1:
        raise ConfigurationError(f"{path}.minutes", "not a length", remedy="1 or more; 0 switches the window off")
    patience = row.patience_minutes
    if patience is not None and row.kind is not WindowKind.RESTART:
        raise ConfigurationError(
            f"{path}.patience_minutes", f"a window of kind {row.kind} excuses until its end", remedy="change minutes"
        )
    if patience is not None and not 1 <= patience <= PATIENCE_MINUTES_MAX:
        raise ConfigurationError(f"{path}.patience_minutes", "not a patience", remedy=f"1 to {PATIENCE_MINUTES_MAX}")
    window = Window(
        name=row.name,
        kind=row.kind,
        days=_days(row.days, f"{path}.days"),
        start_minute=int(time[1]) * 60 + int(time[2]),
        minutes=row.minutes,
    )
    return window if patience is None else replace(window, patience_minutes=patience)


def _days(given: str | tuple[str, ...], path: str) -> frozenset[int]:
    if given == "daily":
        return frozenset(range(7))
    if isinstance(given, str) or not given or not set(given) <= set(DAYS):
        raise ConfigurationError(path, "not days of the week", remedy=f'"daily", or a list of {", ".join(DAYS)}')
    return frozenset(DAYS.index(day) for day in given)


def _check_apart(windows: Sequence[Window], path: str) -> None:
    """Two windows of one kind never hold together: which of them excuses what would be anybody's guess."""
    for one, other in combinations(windows, 2):
        if one.kind is other.kind and any(_overlap(a, b) for a in _week(one) for b in _week(other)):
            raise ConfigurationError(
                path,
                f"{one.name} ({_shown(one)}) and {other.name} ({_shown(other)}) overlap",
                remedy=f"shorten or move one of them, or switch it off with minutes = 0; both are of kind {one.kind}",
            )


def _week(window: Window) -> Iterator[tuple[int, int]]:
    """Start and length of each, in minutes of the week."""
    for day in window.days:
        yield day * DAY_MINUTES + window.start_minute, window.minutes


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """On the circle of a week: Sunday night runs into Monday."""
    return (other[0] - one[0]) % WEEK_MINUTES < one[1] or (one[0] - other[0]) % WEEK_MINUTES < other[1]


def _shown(window: Window) -> str:
    end = window.start_minute + window.minutes
    return f"{_clock(window.start_minute)}–{_clock(end)}"


def rows_of(windows: Sequence[Window], environment: str) -> Iterator[WindowTable]:
    """As a file would write them, with the defaults that are switched off."""
    names = {window.name for window in windows}
    for row in default_windows(environment):
        if row.name not in names:
            yield replace(row, minutes=0)
    for window in windows:
        everyday = len(window.days) == len(DAYS)
        yield WindowTable(
            name=window.name,
            kind=window.kind,
            days="daily" if everyday else tuple(DAYS[day] for day in sorted(window.days)),
            at=_clock(window.start_minute),
            minutes=window.minutes,
            patience_minutes=window.patience_minutes if window.kind is WindowKind.RESTART else None,
        )


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"
