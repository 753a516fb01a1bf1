"""History as ib_async and ib_insync see it."""

from __future__ import annotations

import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.conformance.conftest import START_NS
from tests.conformance.other_clients import OtherClient

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])

AAPL, SPY = 265598, 756733
STARTED = datetime.datetime.fromtimestamp(START_NS // 10**9, datetime.UTC)


async def _bars(client: OtherClient, duration: str, size: str, what: str = "TRADES", **more: Any) -> Any:
    asked = {"endDateTime": "", "useRTH": True, **more}
    return await client.within(
        client.ib.reqHistoricalDataAsync(
            client.stock("AAPL"), durationStr=duration, barSizeSetting=size, whatToShow=what, **asked
        )
    )


@every_version
@pytest.mark.parametrize("what", ["TRADES", "MIDPOINT"])
async def test_minute_bars_lie_on_their_marks(client: OtherClient, what: str) -> None:
    """Oldest first, on marks of five minutes, prices in order; volume with trades only."""
    bars = await _bars(client, "2 D", "5 mins", what)
    assert len(bars) > 70
    for bar in bars:
        assert (bar.date.minute % 5, bar.date.second) == (0, 0)
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert all(earlier.date < later.date for earlier, later in pairwise(bars))
    assert (bars[0].date.hour, bars[0].date.minute) == (9, 30)
    assert all((bar.volume > 0) == (what == "TRADES") for bar in bars[:-1])


async def test_day_bars_have_dates(client: OtherClient) -> None:
    """A date and no time; weekends have none."""
    bars = await _bars(client, "1 M", "1 day")
    assert 18 <= len(bars) <= 24
    assert all(type(bar.date) is datetime.date and bar.date.weekday() < 5 for bar in bars)
    assert abs(bars[-1].close / client.price(AAPL) - 1) < 0.1


async def test_seconds_since_1970_are_told_when_asked(client: OtherClient) -> None:
    """Format 2: the client makes times in UTC of them."""
    bars = await _bars(client, "3600 S", "1 min", formatDate=2, useRTH=False)
    assert bars[-1].date.tzinfo is not None
    assert all(bar.date.timestamp() % 60 == 0 for bar in bars)


async def test_the_end_can_be_chosen(client: OtherClient) -> None:
    """No bar later than the end that was asked for."""
    end = datetime.datetime(2026, 11, 20, 17, 0, tzinfo=datetime.UTC)
    bars = await _bars(client, "1 D", "30 mins", endDateTime=end, formatDate=2)
    assert bars
    assert bars[-1].date < end


async def test_history_kept_up_to_date_grows(client: OtherClient) -> None:
    """The running bar changes, then another begins; all are on marks of five seconds."""
    # The same request again within fifteen seconds would be a pacing violation: no two clients ask alike.
    bars = await _bars(client, f"{300 + client.client_id} S", "5 secs", keepUpToDate=True, useRTH=False)
    grown: list[bool] = []
    bars.updateEvent += lambda _, is_new: grown.append(is_new)
    await client.until(lambda: grown.count(True) >= 3)
    client.ib.cancelHistoricalData(bars)
    assert False in grown
    assert all(bar.date.second % 5 == 0 for bar in bars)
    assert all(earlier.date < later.date for earlier, later in pairwise(bars))
    assert abs(bars[-1].close / client.price(AAPL) - 1) < 0.02


async def test_the_oldest_date_is_told(client: OtherClient) -> None:
    """As text and as seconds the same moment, years back."""
    told = await client.within(client.ib.reqHeadTimeStampAsync(client.stock("AAPL"), "TRADES", True, 2))
    assert told < STARTED - datetime.timedelta(days=3650)
    text = await client.within(client.ib.reqHeadTimeStampAsync(client.stock("AAPL"), "TRADES", True, 1))
    assert text == told.replace(tzinfo=None)


@every_version
async def test_past_trades_can_be_asked_for(client: OtherClient) -> None:
    """In order, with price, size and exchange, about as many as asked."""
    start = datetime.datetime(2026, 11, 20, 15, 0, tzinfo=datetime.UTC)
    ticks = await client.within(client.ib.reqHistoricalTicksAsync(client.stock("AAPL"), start, "", 100, "TRADES", True))
    assert len(ticks) >= 100
    assert ticks[0].time >= start
    assert all(earlier.time <= later.time for earlier, later in pairwise(ticks))
    assert all(tick.price > 0 and tick.size > 0 and tick.exchange for tick in ticks)


async def test_past_quotes_can_be_asked_for(client: OtherClient) -> None:
    """Bid below ask."""
    end = datetime.datetime(2026, 11, 20, 18, 0, tzinfo=datetime.UTC)
    ticks = await client.within(client.ib.reqHistoricalTicksAsync(client.stock("AAPL"), "", end, 50, "BID_ASK", True))
    assert len(ticks) >= 50
    assert ticks[-1].time <= end
    assert all(0 < tick.priceBid < tick.priceAsk for tick in ticks)


async def test_past_midpoints_can_be_asked_for(client: OtherClient) -> None:
    """A price each."""
    start = datetime.datetime(2026, 11, 20, 15, 0, tzinfo=datetime.UTC)
    ticks = await client.within(
        client.ib.reqHistoricalTicksAsync(client.stock("AAPL"), start, "", 20, "MIDPOINT", True)
    )
    assert len(ticks) >= 20
    assert all(tick.price > 0 for tick in ticks)


async def test_the_schedule_lists_sessions(client: OtherClient) -> None:
    """From half past nine to four, in the exchange's time."""
    schedule = await client.within(client.ib.reqHistoricalScheduleAsync(client.stock("AAPL"), 5))
    assert schedule.timeZone == "US/Eastern"
    assert len(schedule.sessions) >= 4
    for session in schedule.sessions:
        assert session.startDateTime == f"{session.refDate}-09:30:00"
        assert session.endDateTime.startswith(f"{session.refDate}-1")


async def test_a_histogram_counts_trades_by_price(client: OtherClient) -> None:
    """Prices of the past days with the size that traded at each."""
    items = await client.within(client.ib.reqHistogramDataAsync(client.stock("AAPL"), True, "3 days"))
    assert len({item.price for item in items}) == len(items) > 5
    assert all(item.count > 0 for item in items)


async def test_history_of_the_unknown_is_refused(client: OtherClient) -> None:
    """200, and no bars."""
    bars = await client.within(
        client.ib.reqHistoricalDataAsync(client.stock("NOSUCH"), "", "1 D", "5 mins", "TRADES", True)
    )
    assert not bars
    await client.told(200)
