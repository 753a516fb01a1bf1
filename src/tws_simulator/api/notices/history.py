"""What is said about historical data: refusals, limits, cancellations."""

from __future__ import annotations

from tws_simulator.api.notices import Notice, invalid
from tws_simulator.api.notices.market_data import no_permissions
from tws_simulator.world.instruments.listing import Listing

_SERVICE = "Historical Market Data Service error message:"
_BAD_TIME = (
    "The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd "
    "and xx/xxxx are optional. E.g.: 20031126 15:59:00 US/Eastern  Note that there is a space between the date and "
    "time, and between the time and time-zone.  If no date is specified, current date is assumed. If no time-zone is "
    "specified, local time-zone is assumed(deprecated).  You can also provide yyyymmddd-hh:mm:ss time is in UTC. Note "
    "that there is a dash between the date and time in UTC notation."
)
PACING_VIOLATION = (162, f"{_SERVICE}Historical data request pacing violation")
TOO_LONG = (162, f"{_SERVICE}Time length exceed max.")
DUPLICATE_ID = (322, "Error processing request.-'bX' : cause - Duplicate ticker ID for API historical data query")
TOO_MANY_OPEN = (
    322,
    "Error processing request.-'bX' : cause - Only 50 simultaneous API historical data requests allowed.",
)
NOT_UP_TO_THE_SECOND = (
    2188,
    "Up-to-the-second historical data requires additional subscription for the API.",
)
AGGREGATED_TRADES = (10299, "Expected what to show is TRADES, please use that instead of AGGTRADES.")

BAD_BAR_SIZE = invalid(
    "Historical data bar size setting is invalid. Legal ones are: 1 secs, 5 secs, 10 secs, 15 secs, 30 secs, 1 min, "
    "2 mins, 3 mins, 5 mins, 10 mins, 15 mins, 20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, "
    "1W, 1M"
)
MUST_BE_YEARS = invalid("Historical data requests for durations longer than 365 days must be made in years.")
MUST_BE_DAYS = invalid("Historical data requests for durations longer than 86400 seconds must be made in days.")
# The wordings that follow are ours.
BAD_DURATION = invalid(
    "Historical data query duration is invalid. The format is an integer, a space and one of S, D, W, M, Y"
)
END_WITH_ADJUSTED = invalid("End Date/Time is not supported with ADJUSTED_LAST")
END_WITH_UPDATES = invalid("End Date/Time is not supported for requests that are kept up to date")
SMALL_WITH_UPDATES = invalid("Bar size must be 5 secs or larger for requests that are kept up to date")
SCHEDULE_BAR_SIZE = invalid("Bar size must be 1 day for what to show SCHEDULE")
ONE_TIME_ONLY = invalid("Either start or end date/time of historical ticks must be given, and not both")
TICKS_COUNT = invalid("Number of historical ticks must be between 1 and 1000")


def bad_what_to_show(what: str) -> Notice:
    return invalid(f"Historical data what to show setting is invalid: {what}")


def kind_with_updates(what: str) -> Notice:
    return invalid(f"What to show {what} is not supported for requests that are kept up to date")


def bad_period(period: str) -> Notice:
    return invalid(f"Invalid time period for a histogram: {period}")


# The wordings that follow are IB's.


def no_data(symbol: str, exchange: str, what: str) -> Notice:
    shown = what.capitalize() if what != "BID_ASK" else "Bid_Ask"
    return 162, f"{_SERVICE}HMDS query returned no data: {symbol}@{exchange or 'SMART'} {shown}"


def bars_not_permitted(listing: Listing) -> Notice:
    return 162, f"{_SERVICE}{no_permissions(listing)}"


def ticks_not_permitted(listing: Listing) -> Notice:
    return 10187, f"Failed to request historical ticks:{no_permissions(listing)}"


def invalid_step(seconds: int) -> Notice:
    return 162, f"{_SERVICE}invalid step: {seconds}"


def cancelled(req_id: int) -> Notice:
    return 162, f"{_SERVICE}API historical data query cancelled: {req_id}"


def unknown_query(req_id: int) -> Notice:
    return 366, f"No historical data query found for ticker id:{req_id}"


def bad_time(which: str) -> Notice:
    """``which`` is Start or End."""
    return 10314, f"{which} Date/Time: {_BAD_TIME}"
