"""What the made-up past says of the day on which the simulation begins, as the day's figures need it."""

from __future__ import annotations

from tws_simulator.world.history.past import Past
from tws_simulator.world.history.spans import Span, merged
from tws_simulator.world.instruments.universe import listing
from tws_simulator.world.market.tape import Morning
from tws_simulator.world.time.calendar import Calendar, TradingDay, new_york_date


def morning(past: Past, calendar: Calendar, con_id: int) -> Morning | None:
    """Of the latest day that had begun, so that a simulation from a Sunday on shows Friday; None if nothing traded.

    Volume and money are those of all hours, prices those of the regular session once that has begun.
    """
    if con_id not in past or not listing(con_id).average_volume:
        return None
    day = past.day(con_id, _latest(calendar, past.end_ns).day)
    whole = merged(day.spans(regular_only=False)) if day is not None else None
    if day is None or whole is None or not whole.count:
        return None
    return _told(whole, day.regular or whole, past.ticks_per_usd(con_id))


def _latest(calendar: Calendar, ts_ns: int) -> TradingDay:
    today = calendar.day(new_york_date(ts_ns))
    if today is not None and today.pre_open_ns <= ts_ns:
        return today
    return calendar.days_before(new_york_date(ts_ns), 1)[0]


def _told(whole: Span, session: Span, ticks_per_usd: int) -> Morning:
    return Morning(
        open=session.open / ticks_per_usd,
        high=session.high / ticks_per_usd,
        low=session.low / ticks_per_usd,
        volume=whole.volume,
        turnover=whole.turnover / ticks_per_usd,
        trade_count=whole.count,
    )
