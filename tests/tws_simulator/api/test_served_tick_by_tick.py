"""Tick-by-tick data of all four kinds, as a client is told it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.streams.stream import Moment
from tws_simulator.api.streams.tick_by_tick import ALL_LAST, LAST, TickByTickStream
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.events import QuoteChanged, Traded

SPY = {**AAPL, "conId": 756733, "symbol": "SPY"}
APPLE = LISTINGS[3]


def _asked(kind: str, **values: object) -> tuple[GatewayCore, ScriptedClient, int]:
    core = gateway_core()
    client = ScriptedClient(core)
    assert client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType=kind, **values) == []
    return core, client, core.state.now_ns


def _minute(core: GatewayCore, client: ScriptedClient) -> list[Message]:
    told: list[Message] = []
    for _ in range(60):
        core.advance(core.state.now_ns + SECOND)
        told += client.replies()
    return told


@pytest.mark.parametrize(("kind", "tick_type"), [("Last", 1), ("AllLast", 2)])
def test_every_trade_is_told(kind: str, tick_type: int) -> None:
    """As it was printed, in whole seconds; the crowd prints nothing that is not a last price."""
    core, client, start_ns = _asked(kind)
    told = _minute(core, client)
    printed = core.state.world.tape.trades(AAPL["conId"], start_ns)
    assert [tick["tickType"] for tick in told] == [tick_type] * len(printed)
    ticks = [tick["historicalTickLast"] for tick in told]
    assert [(tick["time"], tick["price"], tick["size"], tick["exchange"]) for tick in ticks] == [
        (trade.ts_ns // SECOND, trade.price, Decimal(trade.size), trade.exchange) for trade in printed
    ]
    assert len(printed) > 20


def test_every_change_of_the_quote_is_told() -> None:
    """Prices and sizes of both sides."""
    core, client, start_ns = _asked("BidAsk")
    told = _minute(core, client)
    quotes = core.state.world.tape.quotes(AAPL["conId"], start_ns + 1)
    ticks = [tick["historicalTickBidAsk"] for tick in told]
    assert [(tick["priceBid"], tick["priceAsk"], tick["sizeBid"], tick["sizeAsk"]) for tick in ticks] == [
        (quote.bid, quote.ask, Decimal(quote.bid_size), Decimal(quote.ask_size)) for quote in quotes
    ]
    assert {tick["tickType"] for tick in told} == {3}


def test_changes_of_size_alone_can_be_ignored() -> None:
    """No two ticks in a row then have the same prices."""
    core, client, _ = _asked("BidAsk", ignoreSize=True)
    told = [tick["historicalTickBidAsk"] for tick in _minute(core, client)]
    prices = [(tick["priceBid"], tick["priceAsk"]) for tick in told]
    assert len(prices) > 5
    assert all(before != after for before, after in pairwise(prices))


def test_every_change_of_the_midpoint_is_told() -> None:
    """Half way between bid and ask, once."""
    core, client, start_ns = _asked("MidPoint")
    told = [tick["historicalTickMidPoint"]["price"] for tick in _minute(core, client)]
    halves = [round((q.bid + q.ask) / 2, 6) for q in core.state.world.tape.quotes(AAPL["conId"], start_ns + 1)]
    assert len(told) > 5
    assert all(before != after for before, after in pairwise(told))
    assert set(told) <= set(halves)
    assert told[-1] == halves[-1]


def test_what_is_no_last_price_is_told_to_who_asks_for_all() -> None:
    """An odd lot is marked unreported, with condition I; one past the limits is marked so."""
    core = gateway_core()
    start = {"con_id": APPLE.con_id, "ts_ns": core.state.now_ns, "exchange": "ARCA"}
    prints = [
        Traded(**start, price=230.0, size=7),
        Traded(**start, price=99.0, size=100, past_limit=True, unreported=True),
        Traded(**start, price=230.01, size=100),
    ]
    moment = Moment.after(core.state.now_ns, prints)
    told = {
        kind: [
            each["historicalTickLast"]
            for each in TickByTickStream(1, APPLE, core.state.world, tick_type=kind, ignore_size=False).tell(moment)
        ]
        for kind in (LAST, ALL_LAST)
    }
    assert [tick["price"] for tick in told[LAST]] == [230.01]
    assert [tick["price"] for tick in told[ALL_LAST]] == [230.0, 99.0, 230.01]
    assert [tick["tickAttribLast"] for tick in told[ALL_LAST]] == [
        {"pastLimit": False, "unreported": True},
        {"pastLimit": True, "unreported": True},
        {"pastLimit": False, "unreported": False},
    ]
    assert [tick["specialConditions"] for tick in told[ALL_LAST]] == ["   I", "", ""]


def test_quotes_beyond_the_day_are_marked() -> None:
    """A bid below the day's low, an ask above its high."""
    core = gateway_core()
    con_id = APPLE.con_id
    stream = TickByTickStream(1, APPLE, core.state.world, tick_type=3, ignore_size=False)
    day = core.state.world.quote(con_id)
    moment = Moment.after(
        core.state.now_ns,
        [
            QuoteChanged(con_id=con_id, ts_ns=1, bid=day.low - 1, ask=day.high + 1, bid_size=100, ask_size=100),
            QuoteChanged(con_id=con_id, ts_ns=1, bid=day.low, ask=day.high, bid_size=100, ask_size=100),
        ],
    )
    marks = [tuple(each["historicalTickBidAsk"]["tickAttribBidAsk"].values()) for each in stream.tell(moment)]
    assert marks == [(True, True), (False, False)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Last", "historicalTicksLast"),
        ("AllLast", "historicalTicksLast"),
        ("BidAsk", "historicalTicksBidAsk"),
        ("MidPoint", "historicalTicks"),
    ],
)
def test_the_latest_ticks_come_first_when_asked_for(kind: str, name: str) -> None:
    """In one message that says it is the last, then the ticks that follow on."""
    core = gateway_core()
    client = ScriptedClient(core)
    core.advance(core.state.now_ns + 60 * SECOND)
    (past,) = client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType=kind, numberOfTicks=5)
    assert (past.name, past["isDone"], len(past[name])) == (name, True, 5)
    times = [tick["time"] for tick in past[name]]
    assert times == sorted(times)
    assert times[-1] <= core.state.now_ns // SECOND
    following = client.until(lambda each: each.name == "tickByTick")[-1]
    tick = next(value for key, value in following.values.items() if key.startswith("historicalTick"))
    assert tick["time"] >= times[-1]


def test_the_latest_ticks_reach_back_before_the_start() -> None:
    """To trades that the simulator never printed itself."""
    core = gateway_core()
    client = ScriptedClient(core)
    (past,) = client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="AllLast", numberOfTicks=1000)
    times = [tick["time"] for tick in past["historicalTicksLast"]]
    assert len(times) == 1000
    assert times == sorted(times)
    assert times[0] < core.state.now_ns // SECOND


def test_five_subscriptions_run_at_a_time_over_all_clients() -> None:
    """10190 for a sixth, until one is cancelled."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    for req_id, kind in enumerate(("Last", "AllLast", "BidAsk", "MidPoint"), 1):
        assert one.ask("reqTickByTickData", reqId=req_id, contract=AAPL, tickType=kind) == []
    assert two.ask("reqTickByTickData", reqId=1, contract=SPY, tickType="Last") == []
    assert codes(two.ask("reqTickByTickData", reqId=2, contract=SPY, tickType="BidAsk")) == [(2, 10190)]
    assert one.ask("cancelTickByTickData", reqId=1) == []
    assert two.ask("reqTickByTickData", reqId=2, contract=SPY, tickType="BidAsk") == []


def test_the_same_is_not_opened_again_within_fifteen_seconds() -> None:
    """10190, though slots are free; another instrument, or kind, may be."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")
    client.ask("cancelTickByTickData", reqId=1)
    assert codes(client.ask("reqTickByTickData", reqId=2, contract=AAPL, tickType="Last")) == [(2, 10190)]
    assert codes(client.ask("reqTickByTickData", reqId=3, contract=SPY, tickType="Last")) == []
    core.advance(core.state.now_ns + 15 * SECOND)
    client.replies()
    assert codes(client.ask("reqTickByTickData", reqId=2, contract=AAPL, tickType="Last")) == []


def test_another_client_waits_too_before_the_same_is_opened_again() -> None:
    """The pause is the login's: 10190, also for a new connection; another kind may be asked for at once."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    one.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")
    assert codes(two.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")) == [(1, 10190)]
    assert codes(two.ask("reqTickByTickData", reqId=2, contract=AAPL, tickType="BidAsk")) == []
    core.disconnect(one.session)
    again = ScriptedClient(core, 1)
    core.advance(core.state.now_ns + 14 * SECOND)
    assert codes(again.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")) == [(1, 10190)]
    core.advance(core.state.now_ns + SECOND)
    assert codes(again.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")) == []


def test_a_cancelled_subscription_is_silent() -> None:
    """And cancelling it again is error 300."""
    core, client, _ = _asked("AllLast")
    assert client.ask("cancelTickByTickData", reqId=1) == []
    assert _minute(core, client) == []
    assert codes(client.ask("cancelTickByTickData", reqId=1)) == [(1, 300)]


@pytest.mark.parametrize(
    ("kind", "code"), [("Last", 10189), ("AllLast", 10189), ("BidAsk", 10089), ("MidPoint", 10089)]
)
def test_without_live_data_there_are_no_ticks(kind: str, code: int) -> None:
    """10189 for trades, 10089 for quotes: seen in captures."""
    client = ScriptedClient(gateway_core(entitled=False))
    refused = client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType=kind)
    assert codes(refused) == [(1, code)]
    if code == 10189:
        assert refused[0]["errorMsg"].startswith(
            "Failed to request tick-by-tick data.No market data permissions for ISLAND STK. Requested market data"
        )


def test_kinds_are_known_by_their_exact_names() -> None:
    """321 for "last"; 102 for an id in use; 200 for what does not exist."""
    client = ScriptedClient(gateway_core())
    assert codes(client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="last")) == [(1, 321)]
    client.ask("reqTickByTickData", reqId=1, contract=AAPL, tickType="Last")
    assert codes(client.ask("reqTickByTickData", reqId=1, contract=SPY, tickType="Last")) == [(1, 102)]
    unknown = {**AAPL, "conId": 0, "symbol": "NOSUCH"}
    assert codes(client.ask("reqTickByTickData", reqId=2, contract=unknown, tickType="Last")) == [(2, 200)]


def test_kinds_of_one_instrument_run_side_by_side() -> None:
    """Each under its own id."""
    core = gateway_core()
    client = ScriptedClient(core)
    for req_id, kind in enumerate(("Last", "AllLast", "BidAsk", "MidPoint"), 1):
        client.ask("reqTickByTickData", reqId=req_id, contract=AAPL, tickType=kind)
    told = _minute(core, client)
    assert set(names(told)) == {"tickByTick"}
    assert {(tick["reqId"], tick["tickType"]) for tick in of(told, "tickByTick")} == {(1, 1), (2, 2), (3, 3), (4, 4)}
