"""The official client is told the same market data in text and in protobuf, at every age of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.official.official_client import NEWEST, Call, OfficialClient, connected, stock
from tests.tws_simulator.wire.official_decoder import VERSIONS, one
from tws_simulator import Gateway, GatewayThread, running_gateway
from tws_simulator.api.streams.depth import DepthStream

SECOND = 1_000_000_000
START_NS = 1_795_444_200_000_000_000  # Monday 2026-11-23 09:30 in New York
OLDEST, NEWEST_TEXT = 176, 200
SERVED = [version for version in (151, OLDEST, NEWEST_TEXT, 206, 213, 226) if version <= NEWEST]
QUOTES, SMART_BOOK, ARCA_BOOK, LAST, ALL_LAST, BID_ASK, MIDPOINT, BARS, SNAPSHOT = range(1, 10)
TOLD = (
    "tickReqParams", "marketDataType", "tickPrice", "tickSize", "tickString", "tickGeneric", "tickSnapshotEnd",
    "updateMktDepth", "updateMktDepthL2", "tickByTickAllLast", "tickByTickBidAsk", "tickByTickMidPoint", "realtimeBar",
)  # fmt: skip


class StandingClock:
    """Moves when the test says so."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns


@contextmanager
def _gateway(version: int, **options: Any) -> Iterator[tuple[GatewayThread, StandingClock]]:
    clock = StandingClock()
    simulated = Gateway(seed=7, server_version=version, clock=clock, tick_interval_s=0.02, **options)
    with running_gateway(simulated) as gateway:
        yield gateway, clock


def _plain(value: Any) -> Any:
    """Attributes by their values; everything else as it is."""
    return vars(value) if hasattr(value, "__dict__") and not isinstance(value, Decimal) else value


def _ask_for_everything(client: OfficialClient) -> None:
    aapl, arca = stock("AAPL"), stock("AAPL", exchange="ARCA")
    client.reqMktData(QUOTES, aapl, "233,236,293", False, False, [])
    client.reqMktDepth(SMART_BOOK, aapl, 5, True, [])
    client.reqMktDepth(ARCA_BOOK, arca, 3, False, [])
    client.reqTickByTickData(LAST, aapl, "Last", 0, False)
    client.reqTickByTickData(ALL_LAST, aapl, "AllLast", 0, False)
    client.reqTickByTickData(BID_ASK, aapl, "BidAsk", 0, True)
    client.reqTickByTickData(MIDPOINT, aapl, "MidPoint", 0, False)
    client.reqRealTimeBars(BARS, aapl, 5, "TRADES", False, [])
    client.reqMktData(SNAPSHOT, stock("SPY"), "", True, False, [])
    client.wait_for("tickSnapshotEnd")


def _everything_told(version: int) -> list[Call]:
    """While twenty-one seconds pass in one step, so that all versions are told in equal pieces."""
    with _gateway(version) as (gateway, clock), connected(gateway.port) as client:
        client.wait_for("nextValidId")
        _ask_for_everything(client)
        clock.now_ns += 21 * SECOND
        client.wait_for("realtimeBar", lambda *args: args[1] == START_NS // SECOND + 15)
        client.cancelMktDepth(SMART_BOOK, True)
        client.cancelMktDepth(ARCA_BOOK, False)
        for req_id in (LAST, ALL_LAST, BID_ASK, MIDPOINT):
            client.cancelTickByTickData(req_id)
        client.cancelRealTimeBars(BARS)
        client.cancelMktData(QUOTES)
        client.reqCurrentTime()
        client.wait_for("currentTime")
        return [(name, tuple(map(_plain, arguments))) for name, arguments in client.calls if name in TOLD]


@pytest.fixture(scope="module")
def told() -> dict[int, list[Call]]:
    return {version: _everything_told(version) for version in SERVED}


@pytest.mark.wire
def test_every_version_is_told_the_same(told: dict[int, list[Call]]) -> None:
    """Names, values and order of all callbacks: text of any age, protobuf, and what is in between."""
    reference = told[NEWEST_TEXT]
    assert {name for name, _ in reference} == set(TOLD)
    for version, calls in told.items():
        differing = [pair for pair in zip(calls, reference, strict=False) if not _equal(*pair)]
        assert not differing[:3], version
        assert len(calls) == len(reference)


def _equal(ours: Call, theirs: Call) -> bool:
    """The minimal tick is a number in text and in protobuf a decimal."""
    if ours[0] == theirs[0] == "tickReqParams":
        return [str(each) for each in ours[1]] == [str(each) for each in theirs[1]]
    return ours == theirs


@pytest.mark.wire
def test_the_bars_of_the_wire_agree_with_the_ticks_of_the_wire(told: dict[int, list[Call]]) -> None:
    """At each version: what a client adds up itself."""
    for calls in told.values():
        ticks = [arguments for name, arguments in calls if name == "tickByTickAllLast" and arguments[0] == ALL_LAST]
        bars = [arguments for name, arguments in calls if name == "realtimeBar"]
        assert len(bars) == 4
        for _, start, opening, high, low, close, volume, _, count in bars:
            of_bar = [tick for tick in ticks if start <= tick[2] < start + 5]
            prices = [tick[3] for tick in of_bar]
            assert (opening, high, low, close) == (prices[0], max(prices), min(prices), prices[-1])
            assert (volume, count) == (sum(tick[4] for tick in of_bar), len(of_bar))


@pytest.mark.wire
@pytest.mark.parametrize("version", [each for each in (OLDEST, NEWEST_TEXT, 213) if each <= NEWEST])
def test_refusals_reach_the_official_client(version: int) -> None:
    """Each with the id of its request: no right, no such book, no such subscription, too many."""
    with _gateway(version, not_entitled=("SPY",)) as (gateway, _), connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqMktDepth(1, stock("AAPL"), 5, False, [])
        client.wait_for_error(10092, 1)
        client.reqMktDepth(2, stock("SPY"), 5, True, [])
        client.wait_for_error(354, 2)
        client.cancelMktDepth(3, True)
        client.wait_for_error(310, 3)
        for req_id, symbol in enumerate(("AAPL", "MSFT", "QQQ", "IWM"), 10):
            client.reqMktDepth(req_id, stock(symbol), 5, True, [])
        client.wait_for_error(309, 13)
        client.reqTickByTickData(20, stock("SPY"), "AllLast", 0, False)
        client.wait_for_error(10189, 20)
        for req_id, symbol in enumerate(("AAPL", "MSFT", "QQQ", "IWM", "TSLA", "NVDA"), 21):
            client.reqTickByTickData(req_id, stock(symbol), "BidAsk", 0, False)
        client.wait_for_error(10190, 26)
        client.reqRealTimeBars(30, stock("SPY"), 5, "TRADES", False, [])
        client.wait_for_error(420, 30)
        client.reqRealTimeBars(31, stock("AAPL"), 5, "BID_ASK", False, [])
        client.wait_for_error(321, 31)
        client.reqMktData(40, stock("SPY"), "", False, False, [])
        client.wait_for_error(10089, 40)
        client.reqMktData(41, stock("AAPL"), "999", False, False, [])
        client.wait_for_error(321, 41)


@pytest.mark.wire
def test_a_reset_reaches_the_official_client() -> None:
    """317, then the book anew, between rows that go on."""
    with _gateway(NEWEST_TEXT) as (gateway, clock), connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqMktDepth(1, stock("AAPL"), 5, True, [])
        client.wait_for("updateMktDepthL2", _is_last_row)
        client.calls.clear()
        gateway.call(_reset_depth)
        clock.now_ns += SECOND
        client.wait_for_error(317, 1)
        client.wait_for("updateMktDepthL2", _is_last_row)


def _is_last_row(*row: Any) -> bool:
    """The fifth row of the asks, inserted."""
    return row[1] == 4 and row[3:5] == (0, 0)


def _reset_depth(gateway: Gateway) -> None:
    (stream,) = gateway.core.state.sessions[0].streams.values()
    assert isinstance(stream, DepthStream)
    stream.reset()


# Decoders of all ages, without a socket


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"sv{version}")
def test_rows_of_depth_are_decoded(version: int) -> None:
    """With venue and flag, or without."""
    row = {"position": 3, "operation": 1, "side": 0, "price": 228.38, "size": Decimal(700)}
    assert one(version, "updateMktDepth", "updateMktDepth", reqId=1, marketDepthData=row) == (
        1, 3, 1, 0, 228.38, Decimal(700),
    )  # fmt: skip
    smart = {**row, "marketMaker": "IEX", "isSmartDepth": True}
    assert one(version, "updateMktDepthL2", "updateMktDepthL2", reqId=1, marketDepthData=smart) == (
        1, 3, "IEX", 1, 0, 228.38, Decimal(700), True,
    )  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"sv{version}")
def test_ticks_of_all_kinds_are_decoded(version: int) -> None:
    """With their attributes, which text carries as bits."""
    trade = {
        "time": 1_795_444_201,
        "price": 228.38,
        "size": Decimal(7),
        "tickAttribLast": {"pastLimit": False, "unreported": True},
        "exchange": "IEX",
        "specialConditions": "   I",
    }
    *values, attributes, exchange, conditions = one(
        version, "tickByTick", "tickByTickAllLast", reqId=1, tickType=2, historicalTickLast=trade
    )
    assert values == [1, 2, 1_795_444_201, 228.38, Decimal(7)]
    assert (attributes.pastLimit, attributes.unreported, exchange, conditions) == (False, True, "IEX", "   I")
    quote = {
        "time": 1_795_444_201,
        "priceBid": 228.37,
        "priceAsk": 228.38,
        "sizeBid": Decimal(100),
        "sizeAsk": Decimal(200),
        "tickAttribBidAsk": {"bidPastLow": True, "askPastHigh": False},
    }
    *values, attributes = one(
        version, "tickByTick", "tickByTickBidAsk", reqId=1, tickType=3, historicalTickBidAsk=quote
    )
    assert values == [1, 1_795_444_201, 228.37, 228.38, Decimal(100), Decimal(200)]
    assert (attributes.bidPastLow, attributes.askPastHigh) == (True, False)
    middle = {"time": 1_795_444_201, "price": 228.375, "size": Decimal(0)}
    told_middle = one(version, "tickByTick", "tickByTickMidPoint", reqId=1, tickType=4, historicalTickMidPoint=middle)
    assert told_middle == (1, 1_795_444_201, 228.375)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"sv{version}")
def test_bars_are_decoded(version: int) -> None:
    """Prices, volume, average price and count."""
    bar = {"open": 228.1, "high": 228.4, "low": 228.0, "close": 228.3, "volume": Decimal(2600), "count": 11}
    *values, volume, average, count = one(
        version, "realtimeBar", "realtimeBar", reqId=1, time=1_795_444_200, **bar, WAP=Decimal("228.25")
    )
    assert values == [1, 1_795_444_200, 228.1, 228.4, 228.0, 228.3]
    assert (volume, average, count) == (Decimal(2600), Decimal("228.25"), 11)
