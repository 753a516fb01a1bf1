"""Quotes, depth, tick by tick and five-second bars, as ib_async and ib_insync see them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from tests.conformance.conftest import START_NS
from tests.conformance.other_clients import OtherClient

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])

AAPL, SPY, TSLA = 265598, 756733, 76792991


def _near(price: float, wanted: float) -> bool:
    return abs(price / wanted - 1) < 0.02


def _count_updates(ticker: Any) -> list[Any]:
    updates: list[Any] = []
    ticker.updateEvent += lambda _: updates.append(list(ticker.ticks or ticker.domTicks or ticker.tickByTicks))
    return updates


async def _silent_after(client: OtherClient, cancel: Any, updates: list[Any]) -> None:
    """What was on its way when the cancel was read may still come; nothing after ten updates of another stock."""
    cancel()
    await client.answered()
    told = len(updates)
    other = client.ib.reqMktData(client.stock("SPY"))
    moves = _count_updates(other)
    await client.until(lambda: len(moves) >= 10)
    assert len(updates) == told


# Quotes


@every_version
async def test_a_quote_shows_the_market(client: OtherClient) -> None:
    """Bid below ask, both where the market is, sizes above nothing, and the day's prices around them."""
    ticker = client.ib.reqMktData(client.stock("AAPL"))
    await client.until(lambda: ticker.hasBidAsk() and ticker.last > 0 and ticker.volume >= 0 and ticker.close > 0)
    wanted = client.price(AAPL)
    assert ticker.bid < ticker.ask
    assert all(_near(each, wanted) for each in (ticker.bid, ticker.ask, ticker.last))
    assert min(ticker.bidSize, ticker.askSize, ticker.lastSize) > 0
    assert (ticker.marketDataType, ticker.minTick) == (1, 0.01)
    assert ticker.bboExchange
    assert ticker.low <= ticker.last <= ticker.high
    assert ticker.halted == 0.0


@every_version
async def test_a_quote_follows_the_market(client: OtherClient) -> None:
    """Bid, ask and last all move, never crossed at the end of a packet."""
    ticker = client.ib.reqMktData(client.stock("TSLA"))
    seen: set[tuple[float, float, float]] = set()

    def look() -> bool:
        if ticker.hasBidAsk():
            assert ticker.bid < ticker.ask
            seen.add((ticker.bid, ticker.ask, ticker.last))
        return all(len({each[field] for each in seen}) >= 3 for field in range(3))

    await client.until(look)


@every_version
async def test_a_cancelled_quote_falls_silent(client: OtherClient) -> None:
    """Others go on."""
    contract = client.stock("AAPL")
    ticker = client.ib.reqMktData(contract)
    updates = _count_updates(ticker)
    await client.until(lambda: len(updates) > 3)
    await _silent_after(client, lambda: client.ib.cancelMktData(contract), updates)


@every_version
async def test_snapshots_end_by_themselves(client: OtherClient) -> None:
    """Of several stocks at once, each complete when the client says so."""
    symbols = {"AAPL": AAPL, "SPY": SPY, "TSLA": TSLA}
    tickers = await client.within(client.ib.reqTickersAsync(*(client.stock(symbol) for symbol in symbols)))
    for ticker, con_id in zip(tickers, symbols.values(), strict=True):
        assert ticker.hasBidAsk()
        assert _near(ticker.marketPrice(), client.price(con_id))


async def test_quotes_of_the_unknown_are_refused(client: OtherClient) -> None:
    """200, and a ticker that stays empty."""
    ticker = client.ib.reqMktData(client.stock("NOSUCH"))
    await client.told(200)
    assert math.isnan(ticker.bid)


async def test_time_and_sales_come_as_volume_strings(client: OtherClient) -> None:
    """Generic tick 233: price, size, time, volume and average price of each trade."""
    ticker = client.ib.reqMktData(client.stock("SPY"), "233")
    await client.until(lambda: ticker.rtVolume > 0 and ticker.rtTime and ticker.vwap > 0)
    assert _near(ticker.vwap, client.price(SPY))
    assert ticker.rtTime.timestamp() >= START_NS // 10**9


@pytest.mark.parametrize("entitled", [False])
async def test_delayed_quotes_are_shown_to_whom_live_ones_are_not(client: OtherClient) -> None:
    """Type 3, delayed tick numbers, and 10167 as a notice that ends nothing."""
    client.ib.reqMarketDataType(3)
    ticker = client.ib.reqMktData(client.stock("AAPL"))
    kinds: set[int] = set()
    ticker.updateEvent += lambda _: kinds.update(tick.tickType for tick in ticker.ticks)
    await client.until(lambda: ticker.hasBidAsk() and ticker.last > 0)
    assert ticker.marketDataType == 3
    assert _near(ticker.bid, client.price(AAPL))
    assert {66, 67, 68} <= kinds
    await client.told(10167)


@pytest.mark.parametrize("entitled", [False])
async def test_live_quotes_need_a_subscription(client: OtherClient) -> None:
    """10089, and a ticker that stays empty."""
    ticker = client.ib.reqMktData(client.stock("AAPL"))
    _, _, text = await client.told(10089)
    assert "Delayed market data is available" in text
    assert math.isnan(ticker.bid)


async def test_an_option_quote_has_greeks(client: OtherClient) -> None:
    """Model greeks of a call: delta between 0 and 1, the stock's price beneath."""
    underlying = await client.qualified("AAPL")
    chains = await client.within(client.ib.reqSecDefOptParamsAsync("AAPL", "", "STK", underlying.conId))
    chain = next(each for each in chains if each.exchange == "SMART" and each.tradingClass == "AAPL")
    strike = min(chain.strikes, key=lambda each: abs(each - client.price(AAPL)))
    option = client.api.Option("AAPL", chain.expirations[2], strike, "C", "SMART", currency="USD")
    await client.within(client.ib.qualifyContractsAsync(option))
    ticker = client.ib.reqMktData(option, "106")
    await client.until(lambda: ticker.hasBidAsk() and ticker.modelGreeks and ticker.modelGreeks.delta)
    greeks = ticker.modelGreeks
    assert 0.2 < greeks.delta < 0.8
    assert greeks.gamma > 0
    assert greeks.theta < 0
    assert 0.05 < greeks.impliedVol < 2
    assert _near(greeks.undPrice, client.price(AAPL))


# Depth


async def _watch_depth(client: OtherClient, ticker: Any, rows_max: int, updates_wanted: int) -> None:
    """Sorted and uncrossed after each packet, while ``updates_wanted`` of them change the book."""
    changes = 0

    def look() -> bool:
        nonlocal changes
        changes += bool(ticker.domTicks)
        bids, asks = [row.price for row in ticker.domBids], [row.price for row in ticker.domAsks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert not bids or not asks or bids[0] < asks[0]
        assert max(len(bids), len(asks)) <= rows_max
        assert all(row.size > 0 for row in [*ticker.domBids, *ticker.domAsks])
        return changes >= updates_wanted and bool(bids) and bool(asks)

    await client.until(look)


@every_version
async def test_smart_depth_is_sorted_and_uncrossed(client: OtherClient) -> None:
    """Through many updates; each row names its exchange."""
    ticker = client.ib.reqMktDepth(client.stock("AAPL"), 5, isSmartDepth=True)
    await _watch_depth(client, ticker, 5, 40)
    assert all(row.marketMaker for row in [*ticker.domBids, *ticker.domAsks])
    assert _near(ticker.domBids[0].price, client.price(AAPL))


async def test_depth_of_one_exchange_is_sorted_and_uncrossed(client: OtherClient) -> None:
    """The book of one venue."""
    ticker = client.ib.reqMktDepth(client.stock("AAPL", "NASDAQ"), 5)
    await _watch_depth(client, ticker, 5, 25)
    assert _near(ticker.domAsks[0].price, client.price(AAPL))


async def test_cancelled_depth_falls_silent(client: OtherClient) -> None:
    """Others go on."""
    contract = client.stock("AAPL")
    ticker = client.ib.reqMktDepth(contract, 5, isSmartDepth=True)
    updates = _count_updates(ticker)
    await client.until(lambda: len(updates) > 3)
    await _silent_after(client, lambda: client.ib.cancelMktDepth(contract, isSmartDepth=True), updates)


# Tick by tick


async def _ticks(client: OtherClient, kind: str, wanted: int = 10) -> list[Any]:
    contract = client.stock("SPY")
    ticker = client.ib.reqTickByTickData(contract, kind)
    ticks: list[Any] = []
    ticker.updateEvent += lambda _: ticks.extend(ticker.tickByTicks)
    await client.until(lambda: len(ticks) >= wanted)
    client.ib.cancelTickByTickData(contract, kind)
    await client.answered()
    return ticks


@every_version
@pytest.mark.parametrize("kind", ["Last", "AllLast"])
async def test_each_trade_is_told(client: OtherClient, kind: str) -> None:
    """Price, size and exchange."""
    for tick in await _ticks(client, kind):
        assert tick.tickType == {"Last": 1, "AllLast": 2}[kind]
        assert _near(tick.price, client.price(SPY))
        assert tick.size > 0
        assert tick.exchange


async def test_each_change_of_the_best_prices_is_told(client: OtherClient) -> None:
    """Bid below ask, with sizes."""
    for tick in await _ticks(client, "BidAsk"):
        assert 0 < tick.bidPrice < tick.askPrice
        assert min(tick.bidSize, tick.askSize) > 0
        assert _near(tick.askPrice, client.price(SPY))


async def test_each_change_of_the_midpoint_is_told(client: OtherClient) -> None:
    """Between bid and ask."""
    ticks = await _ticks(client, "MidPoint", 5)
    assert all(_near(tick.midPoint, client.price(SPY)) for tick in ticks)


async def test_cancelled_tick_by_tick_falls_silent(client: OtherClient) -> None:
    """Others go on."""
    contract = client.stock("AAPL")
    ticker = client.ib.reqTickByTickData(contract, "AllLast")
    updates = _count_updates(ticker)
    await client.until(lambda: len(updates) > 1)
    await _silent_after(client, lambda: client.ib.cancelTickByTickData(contract, "AllLast"), updates)


# Five-second bars


@every_version
async def test_bars_come_on_five_second_marks(client: OtherClient) -> None:
    """One after the other, each five seconds after the last, with prices in order and a volume."""
    bars = client.ib.reqRealTimeBars(client.stock("SPY"), 5, "TRADES", False)
    await client.until(lambda: len(bars) >= 4)
    client.ib.cancelRealTimeBars(bars)
    seconds = [bar.time.timestamp() for bar in bars]
    assert all(each % 5 == 0 for each in seconds)
    assert {later - earlier for earlier, later in pairwise(seconds)} == {5}
    for bar in bars:
        assert bar.low <= min(bar.open_, bar.close) <= max(bar.open_, bar.close) <= bar.high
        assert _near(bar.close, client.price(SPY))
    assert sum(bar.volume for bar in bars) > 0
    assert sum(bar.count for bar in bars) > 0


@pytest.mark.parametrize("what", ["MIDPOINT", "BID", "ASK"])
async def test_bars_of_quotes_have_no_volume(client: OtherClient, what: str) -> None:
    """Only trades have one; -1 or 0 says that there is none."""
    bars = client.ib.reqRealTimeBars(client.stock("SPY"), 5, what, False)
    await client.until(lambda: len(bars) >= 2)
    assert all(bar.time.timestamp() % 5 == 0 for bar in bars)
    assert all(bar.volume <= 0 for bar in bars)
    assert all(_near(bar.close, client.price(SPY)) for bar in bars)
