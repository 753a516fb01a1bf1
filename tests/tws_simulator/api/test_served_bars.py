"""Five-second bars, as a client is told them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import UNQUOTED

SPY = {**AAPL, "conId": 756733, "symbol": "SPY"}
BAR = 5 * SECOND


def _bars(core: GatewayCore, client: ScriptedClient, seconds: int, step_ns: int = SECOND // 4) -> list[Message]:
    told: list[Message] = []
    for _ in range(seconds * SECOND // step_ns):
        core.advance(core.state.now_ns + step_ns)
        told += of(client.replies(), "realtimeBar")
    return told


def _ask(client: ScriptedClient, req_id: int, what: str, **values: object) -> list[Message]:
    asked = {"contract": AAPL, "barSize": 5, "whatToShow": what, "useRTH": False, **values}
    return client.ask("reqRealTimeBars", reqId=req_id, **asked)


def test_bars_agree_with_the_trades_a_client_was_told() -> None:
    """Open, high, low, close, volume, average price and count of each bar are those of the ticks of its seconds."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="AllLast")
    assert _ask(client, 2, "TRADES") == []
    told: list[Message] = []
    for _ in range(480):
        core.advance(core.state.now_ns + SECOND // 4)
        told += client.replies()
    ticks = [each["historicalTickLast"] for each in of(told, "tickByTick")]
    bars = of(told, "realtimeBar")
    assert [bar["time"] for bar in bars] == list(range(START_NS // SECOND, START_NS // SECOND + 120, 5))
    price = None
    for bar in bars:
        of_bar = [tick for tick in ticks if bar["time"] <= tick["time"] < bar["time"] + 5]
        if not of_bar:
            assert price is None or (bar["open"], bar["high"], bar["low"], bar["close"]) == (price,) * 4
            assert (bar["volume"], bar["count"]) == (0, 0)
            continue
        prices = [tick["price"] for tick in of_bar]
        price = prices[-1]
        assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (prices[0], max(prices), min(prices), price)
        volume = sum(tick["size"] for tick in of_bar)
        assert (bar["volume"], bar["count"]) == (volume, len(of_bar))
        turnover = sum(Decimal(str(tick["price"])) * tick["size"] for tick in of_bar)
        assert abs(bar["WAP"] - turnover / volume) < Decimal("0.000001")


def test_five_seconds_without_a_trade_repeat_the_last_price() -> None:
    """With a volume and a count of 0: here of a stock that nobody trades."""
    core = gateway_core()
    client = ScriptedClient(core)
    still = next(listing for listing in UNQUOTED if listing.sec_type == "STK")
    contract = {"conId": still.con_id, "symbol": still.symbol, "exchange": "SMART"}
    assert _ask(client, 1, "TRADES", contract=contract) == []
    last = core.state.world.quote(still.con_id).last
    bars = _bars(core, client, 15)
    assert len(bars) == 3
    for bar in bars:
        assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (last,) * 4
        assert (bar["volume"], float(bar["WAP"]), bar["count"]) == (0, last, 0)


@pytest.mark.parametrize("what", ["BID", "ASK", "MIDPOINT"])
def test_bars_of_quotes_follow_the_quotes(what: str) -> None:
    """From where they stood to where they stand; volume, average price and count are -1: there are none."""
    core = gateway_core()
    client = ScriptedClient(core)
    _ask(client, 1, what)
    bars = _bars(core, client, 60)
    value = {
        "BID": lambda quote: quote.bid,
        "ASK": lambda quote: quote.ask,
        "MIDPOINT": lambda quote: round((quote.bid + quote.ask) / 2, 6),
    }[what]
    for before, bar in pairwise(bars):
        start_ns = bar["time"] * SECOND
        prices = [value(quote) for quote in core.state.world.tape.quotes(AAPL["conId"], start_ns, start_ns + BAR)]
        prices.insert(0, before["close"])
        expected = (prices[0], max(prices), min(prices), prices[-1])
        assert (bar["open"], bar["high"], bar["low"], bar["close"]) == expected
        assert (bar["volume"], bar["WAP"], bar["count"]) == (-1, -1, -1)


def test_bars_are_the_same_however_the_time_is_cut() -> None:
    """A step of a minute brings twelve bars, those of steps of a quarter second."""
    cut = []
    for step_ns in (SECOND // 4, 60 * SECOND):
        core = gateway_core()
        client = ScriptedClient(core)
        _ask(client, 1, "TRADES")
        cut.append([bar.values for bar in _bars(core, client, 120, step_ns)])
    assert cut[0] == cut[1]
    assert len(cut[0]) == 24


def test_a_request_within_a_bar_is_told_all_of_it() -> None:
    """Also of the seconds before it asked."""
    core = gateway_core()
    early, late = ScriptedClient(core, 1), ScriptedClient(core, 2)
    _ask(early, 1, "TRADES")
    core.advance(core.state.now_ns + 3 * SECOND)
    _ask(late, 1, "TRADES")
    core.advance(core.state.now_ns + 3 * SECOND)
    (first,), (second,) = of(early.replies(), "realtimeBar"), of(late.replies(), "realtimeBar")
    assert first.values == second.values


def test_regular_hours_leave_out_the_others() -> None:
    """Wednesday 09:29:50 to 09:30:10 in New York: bars before the open only for who asked for all hours."""
    start_ns = 1_795_617_000_000_000_000 - 10 * SECOND
    core = gateway_core(always_open=False)
    core = GatewayCore(core.state.options, start_ns)
    client = ScriptedClient(core)
    _ask(client, 1, "TRADES", useRTH=True)
    _ask(client, 2, "TRADES", useRTH=False)
    times = {1: [], 2: []}
    for bar in _bars(core, client, 20):
        times[bar["reqId"]].append(bar["time"] - start_ns // SECOND)
    assert times == {1: [10, 15], 2: [0, 5, 10, 15]}


def test_while_the_market_is_closed_there_are_no_bars() -> None:
    """A Sunday."""
    core = gateway_core(always_open=False)
    client = ScriptedClient(core)
    _ask(client, 1, "TRADES")
    assert _bars(core, client, 30) == []


def test_a_cancelled_subscription_is_silent() -> None:
    """And cancelling it again is error 300."""
    core = gateway_core()
    client = ScriptedClient(core)
    _ask(client, 1, "TRADES")
    assert client.ask("cancelRealTimeBars", reqId=1) == []
    assert _bars(core, client, 20) == []
    assert codes(client.ask("cancelRealTimeBars", reqId=1)) == [(1, 300)]


@pytest.mark.parametrize(("what", "code"), [("TRADES", 420), ("MIDPOINT", 10089), ("BID_ASK", 321)])
def test_without_live_data_there_are_no_bars(what: str, code: int) -> None:
    """420 for trades; bars of bid and ask together exist for nobody."""
    refused = _ask(ScriptedClient(gateway_core(entitled=False)), 1, what)
    assert codes(refused) == [(1, code)]
    if code == 420:
        assert refused[0]["errorMsg"] == (
            "Invalid Real-time Query:No market data permissions for ISLAND STK. Requested market data requires "
            "additional subscription for API. See link in 'Market Data Connections' dialog for more details."
        )


def test_bars_take_market_data_lines() -> None:
    """101 when all are taken, by quotes or by bars."""
    client = ScriptedClient(gateway_core(lines_max=2))
    client.ask("reqMktData", reqId=1, contract=AAPL)
    assert _ask(client, 2, "TRADES") == []
    assert codes(_ask(client, 3, "TRADES", contract=SPY)) == [(3, 101)]
    assert codes(client.ask("reqMktData", reqId=4, contract=AAPL)) == [(4, 101)]


def test_new_requests_are_paced() -> None:
    """420 for the sixty-first within ten minutes."""
    core = gateway_core(pacing="off")
    client = ScriptedClient(core)
    for req_id in range(1, 61):
        assert _ask(client, req_id, "TRADES") == []
        client.ask("cancelRealTimeBars", reqId=req_id)
    assert codes(_ask(client, 61, "TRADES")) == [(61, 420)]
    core.advance(core.state.now_ns + 600 * SECOND)
    assert names(_ask(client, 62, "TRADES")) == []
