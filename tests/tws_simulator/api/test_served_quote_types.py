"""Which data a line shows, to whom, and when: live, frozen or delayed; snapshots; generic ticks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.options import Options
from tws_simulator.wire.row import Message

SPY = {**AAPL, "conId": 756733, "symbol": "SPY"}
MINUTE = 60 * SECOND
WEDNESDAY_0930_NS = 1_795_617_000_000_000_000  # 2026-11-25 in New York, the day before Thanksgiving
WEDNESDAY_2000_NS = WEDNESDAY_0930_NS + 630 * MINUTE
BID, ASK, LAST = 1, 2, 4
DELAYED_BID = 66


def _with_hours(start_ns: int, **options: Any) -> GatewayCore:
    return GatewayCore(Options(seed=7, always_open=False, **options), start_ns)


def _line(core: GatewayCore, data_type: int = 1, **values: Any) -> tuple[ScriptedClient, list[Message]]:
    client = ScriptedClient(core, client_id=1 + len(core.state.sessions))
    client.ask("reqMarketDataType", marketDataType=data_type)
    return client, client.ask("reqMktData", **{"reqId": 1, "contract": AAPL, **values})


def _pass(core: GatewayCore, client: ScriptedClient, seconds: int) -> list[Message]:
    told: list[Message] = []
    for _ in range(seconds):
        core.advance(core.state.now_ns + SECOND)
        told += client.replies()
    return told


def _types(messages: list[Message]) -> list[int]:
    return [each["marketDataType"] for each in of(messages, "marketDataType")]


def _price(messages: list[Message], tick: int) -> tuple[float, int]:
    told = [each for each in of(messages, "tickPrice") if each["tickType"] == tick][-1]
    return told["price"], int(told["size"])


def _ticks(messages: list[Message]) -> list[int]:
    return [each["tickType"] for each in messages if "tickType" in each.values]


# Hours


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
def test_in_hours_whoever_may_see_live_data_sees_it(asked: int) -> None:
    """58 says 1 also of frozen and delayed lines."""
    core = _with_hours(WEDNESDAY_0930_NS)
    _, told = _line(core, asked)
    assert _types(told) == [1]
    assert codes(told) == []
    assert _price(told, BID)[0] == core.state.world.quote(AAPL["conId"]).bid


def test_a_frozen_line_shows_the_close_while_the_market_is_closed() -> None:
    """58 with 2 at the close, prices stay; 58 with 1 when trading begins again."""
    core = _with_hours(WEDNESDAY_2000_NS - 10 * SECOND)
    client, told = _line(core, 2)
    assert _types(told) == [1]
    told += _pass(core, client, 20)
    assert _types(told) == [1, 2]
    quote = core.state.world.quote(AAPL["conId"])
    assert _price(told, BID)[0] == quote.bid > 0
    late, shown = _line(core, 2, reqId=2)
    assert _types(shown) == [2]
    assert (_price(shown, BID)[0], _price(shown, ASK)[0]) == (quote.bid, quote.ask)
    core.advance(WEDNESDAY_0930_NS + 2 * 1440 * MINUTE - 331 * MINUTE)  # Friday 03:59
    client.replies()
    assert _types(_pass(core, client, 90)) == [1]
    assert _types(of(late.replies(), "marketDataType")) == [1]


def test_a_live_line_has_no_quote_while_the_market_is_closed() -> None:
    """Bid and ask become -1 with size 0, the last price stays, and no 58 is told."""
    core = _with_hours(WEDNESDAY_2000_NS - 10 * SECOND)
    client, told = _line(core, 1)
    told += _pass(core, client, 20)
    assert _types(told) == [1]
    assert _price(told, BID) == _price(told, ASK) == (-1.0, 0)
    assert _price(told, LAST)[0] > 0
    _, shown = _line(core, 1, reqId=2)
    assert (_types(shown), _price(shown, BID), _price(shown, ASK)) == ([1], (-1.0, 0), (-1.0, 0))
    assert {32, 33}.isdisjoint(_ticks(shown))


def test_delayed_lines_freeze_too() -> None:
    """Type 4 for who may not see live data; type 3 shows no quote while the market is closed."""
    core = _with_hours(WEDNESDAY_2000_NS - 10 * SECOND, entitled=False)
    frozen, told = _line(core, 4)
    delayed, plain = _line(core, 3)
    assert (_types(told), codes(told)) == ([3], [(1, 10167)])
    told += _pass(core, frozen, 20)
    plain += delayed.replies()
    assert _types(told) == [3, 4]
    assert _types(plain) == [3]
    assert _price(told, DELAYED_BID)[0] > 0
    assert _price(plain, DELAYED_BID) == (-1.0, 0)


def test_a_snapshot_of_what_never_comes_ends_after_eleven_seconds() -> None:
    """On a Sunday there is no bid: 57 comes all the same."""
    core = gateway_core(always_open=False)
    client, told = _line(core, 1, snapshot=True)
    assert "tickSnapshotEnd" not in names(told)
    assert _pass(core, client, 10) == []
    assert names(_pass(core, client, 1)) == ["tickSnapshotEnd"]
    assert client.session.streams == {}
    assert names(_line(core, 2, snapshot=True)[1])[-1] == "tickSnapshotEnd"


# Who may see it


@pytest.mark.parametrize("data_type", [1, 2])
def test_symbols_may_be_without_live_data(data_type: int) -> None:
    """10089 for them, and live data of the others."""
    client, told = _line(gateway_core(not_entitled=frozenset({"AAPL"})), data_type)
    assert names(told) == ["tickReqParams", "error"]
    assert codes(told) == [(1, 10089)]
    assert _types(client.ask("reqMktData", reqId=2, contract=SPY)) == [1]


def test_all_symbols_may_be_without_live_data() -> None:
    """By an option of its own."""
    assert codes(_line(gateway_core(entitled=False))[1]) == [(1, 10089)]


def test_currency_pairs_have_neither_exchange_letters_nor_permissions() -> None:
    """81 carries the increment alone: seen in a capture."""
    pair = {"symbol": "EUR", "secType": "CASH", "currency": "USD", "exchange": "IDEALPRO"}
    _, told = _line(gateway_core(), contract=pair)
    parameters = {"reqId": 1, "minTick": Decimal("0.00001"), "snapshotPermissions": 0}
    assert told[0].values == parameters
    assert {32, 33}.isdisjoint(_ticks(told))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (354, "Requested market data is not subscribed."),
        (10168, "Requested market data is not subscribed. Delayed market data is not enabled."),
        (10186, "Requested market data is not subscribed. Delayed market data is not enabled."),
    ],
)
def test_gateways_refuse_live_lines_with_different_codes(code: int, text: str) -> None:
    """Chosen by an option."""
    _, told = _line(gateway_core(entitled=False, live_refusal_code=code))
    assert codes(told) == [(1, code)]
    assert told[1]["errorMsg"].startswith(text)


def test_changing_the_type_leaves_open_lines_as_they_are() -> None:
    """Silent, and delayed ticks go on; seen in captures."""
    core = gateway_core(entitled=False)
    client, _ = _line(core, 3)
    assert client.ask("reqMarketDataType", marketDataType=1) == []
    told = _pass(core, client, 10)
    assert _types(told) == []
    assert set(_ticks(told)) <= set(range(66, 77)) | {88}
    assert codes(client.ask("reqMarketDataType", marketDataType=5)) == [(-1, 321)]


def test_the_same_id_may_be_used_again_after_a_reconnect() -> None:
    """With the whole preamble."""
    core = gateway_core(entitled=False)
    client, first = _line(core, 3)
    core.disconnect(client.session)
    _, second = _line(core, 3)
    assert names(first) == names(second)


# Snapshots


def test_a_snapshot_tells_its_type_first() -> None:
    """58, 81, ticks, 57; streams begin with 81: seen in captures."""
    _, snapshot = _line(gateway_core(), snapshot=True)
    assert names(snapshot)[:2] == ["marketDataType", "tickReqParams"]
    assert names(snapshot)[-1] == "tickSnapshotEnd"
    _, stream = _line(gateway_core())
    assert names(stream)[:2] == ["tickReqParams", "marketDataType"]


def test_a_snapshot_may_be_empty() -> None:
    """81 and 57 only, by an option: seen in captures."""
    client, told = _line(gateway_core(empty_snapshots=True), snapshot=True)
    assert names(told) == ["tickReqParams", "tickSnapshotEnd"]
    assert client.session.streams == {}


def test_a_snapshot_has_no_generic_ticks() -> None:
    """321."""
    _, told = _line(gateway_core(), snapshot=True, genericTickList="233")
    assert codes(told) == [(1, 321)]
    assert told[0]["errorMsg"].endswith("Snapshot market data subscription is not applicable to generic ticks")


def test_a_regulatory_snapshot_fails_without_live_data() -> None:
    """Error 0, whatever type was asked for; with live data it is a snapshot."""
    _, refused = _line(gateway_core(entitled=False), 3, regulatorySnapshot=True)
    assert [(each["errorCode"], each["errorMsg"]) for each in refused] == [(0, "Internal server error")]
    _, told = _line(gateway_core(), regulatorySnapshot=True)
    assert names(told)[-1] == "tickSnapshotEnd"


# Generic ticks


@pytest.mark.parametrize(
    ("asked", "ticks"),
    [
        ("236", {46, 89}),
        ("232", {37}),
        ("221", {37}),
        ("220", {78}),
        ("165", {15, 16, 17, 18, 19, 20, 21}),
        ("100", {29, 30}),
        ("101", {27, 28}),
        ("104", {23}),
        ("105", {87}),
        ("106", {24}),
        ("318", {57}),
        ("411", {58}),
        ("456", {59}),
        ("59", {59}),
        ("258", set()),
        ("292:BRFG,588", set()),
        ("mdoff,236", {46, 89}),
    ],
)
def test_generic_ticks_come_with_the_first_picture(asked: str, ticks: set[int]) -> None:
    """Under IB's numbers; fundamentals, news and futures' open interest are taken, and tell nothing of a stock."""
    plain = set(_ticks(_line(gateway_core())[1]))
    assert set(_ticks(_line(gateway_core(), genericTickList=asked)[1])) - plain == ticks


def test_generic_ticks_follow_the_trades() -> None:
    """Time and sales twice, count of trades, trades and volume of the minute, volume of three, five and ten minutes."""
    core = gateway_core()
    client, first = _line(core, genericTickList="233,375,293,294,295,595")
    told = _pass(core, client, 125)
    assert {48, 77, 54, 55, 56, 63, 64, 65} <= set(_ticks(first + told))
    quote = core.state.world.quote(AAPL["conId"])
    counts = [each["value"] for each in of(told, "tickGeneric") if each["tickType"] == 54]
    assert counts[-1] == quote.trade_count
    assert counts == sorted(counts)
    sales = {tick: [each["value"] for each in of(told, "tickString") if each["tickType"] == tick] for tick in (48, 77)}
    assert sales[48] == sales[77]
    assert int(sales[48][-1].split(";")[3]) == quote.volume
    assert len(sales[48]) == quote.trade_count
    rates = [each["value"] for each in of(told, "tickGeneric") if each["tickType"] == 55]
    assert rates[-1] > 0


def test_delayed_lines_tell_only_shares_to_borrow() -> None:
    """46 and 89 before the prices; nothing of 233: seen in captures."""
    core = gateway_core(entitled=False)
    client, told = _line(core, 3, genericTickList="233,236")
    assert _ticks(told)[:2] == [46, 89]
    assert {48, 77}.isdisjoint(_ticks(told + _pass(core, client, 60)))


@pytest.mark.parametrize("asked", ["999", "233,13", "abc", "292:", "1000000000000", "233;236"])
def test_a_list_with_an_illegal_tick_is_refused_with_the_legal_ones(asked: str) -> None:
    """321 with IB's list for stocks."""
    _, told = _line(gateway_core(), genericTickList=asked)
    assert codes(told) == [(1, 321)]
    text = told[0]["errorMsg"]
    assert text.startswith(
        f"Error validating request.-'bQ' : cause - Incorrect generic tick list of {asked}.  "
        "Legal ones for (STK) are: 100(Option Volume),101(Option Open Interest),"
    )
    assert "232/221(Pl Price),233(RTVolume),236(inventory),258/47(Fundamentals)," in text


# Venues


def test_the_letters_of_the_venues_follow_the_quote() -> None:
    """Ticks 32 and 33 change with it, are letters of venues in order, and 84 is the last trade's."""
    core = gateway_core()
    client, told = _line(core)
    told += _pass(core, client, 60)
    strings = {tick: [e["value"] for e in of(told, "tickString") if e["tickType"] == tick] for tick in (32, 33, 84)}
    assert all(len(set(letters)) > 3 for letters in strings.values())
    assert all(letters == "".join(sorted(letters)) and letters.isalpha() for letters in strings[32] + strings[33])
    assert {len(letter) for letter in strings[84]} == {1}
