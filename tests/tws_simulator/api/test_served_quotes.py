"""Level 1 market data and contract details, as a client is told them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.wire.row import Message


def _ticks(messages: list[Message]) -> list[int]:
    return [each["tickType"] for each in messages if each.name.startswith("tick") and "tickType" in each.values]


def test_a_line_opens_with_its_parameters_and_the_whole_picture() -> None:
    """81, 58, then bid, ask and last with a size each, the day, the close and whether trading is halted."""
    core = gateway_core()
    told = ScriptedClient(core).ask("reqMktData", reqId=1, contract=AAPL)
    assert names(told)[:2] == ["tickReqParams", "marketDataType"]
    assert told[0]["minTick"] == Decimal("0.01")
    assert told[1]["marketDataType"] == 1
    assert _ticks(told) == [32, 33, 1, 0, 2, 3, 4, 5, 45, 8, 6, 7, 14, 9, 49]
    quote = core.state.world.quote(AAPL["conId"])
    bid = next(tick for tick in told if tick.name == "tickPrice" and tick["tickType"] == 1)
    assert (bid["price"], bid["size"]) == (quote.bid, Decimal(quote.bid_size))


def test_only_what_changed_is_told() -> None:
    """No two messages in a row for one tick carry the same value; the close is told once."""
    client = ScriptedClient(gateway_core())
    client.ask("reqMktData", reqId=1, contract=AAPL)
    told = client.until(lambda tick: tick.name == "tickString" and tick["tickType"] == 45)
    told += client.until(lambda tick: tick.name == "tickPrice" and tick["tickType"] == 4)
    latest: dict[tuple[str, int], object] = {}
    for tick in of(told, "tickPrice"):
        key = (tick.name, tick["tickType"])
        assert latest.get(key) != tick["price"]
        latest[key] = tick["price"]
    assert 9 not in _ticks(told)


def test_rt_volume_is_told_when_it_was_asked_for() -> None:
    """Generic tick 233 brings tick 48 for each trade: price;size;ms;volume;vwap;single."""
    core = gateway_core()
    plain, detailed = ScriptedClient(core, 1), ScriptedClient(core, 2)
    plain.ask("reqMktData", reqId=1, contract=AAPL)
    detailed.ask("reqMktData", reqId=1, contract=AAPL, genericTickList="233")
    told = detailed.until(lambda tick: tick.name == "tickString" and tick["tickType"] == 48)
    price, size, time_ms, volume, vwap, single = told[-1]["value"].split(";")
    assert float(price) > 0
    assert int(volume) >= int(size) > 0
    assert abs(int(time_ms) - core.state.now_ns // 1_000_000) <= 1000
    assert float(vwap) > 0
    assert single in ("true", "false")
    assert 48 not in _ticks(plain.replies())


def test_a_snapshot_ends_and_nothing_follows() -> None:
    """57 after the ticks; the id is free again."""
    client = ScriptedClient(gateway_core())
    told = client.ask("reqMktData", reqId=1, contract=AAPL, snapshot=True)
    assert told[-1].name == "tickSnapshotEnd"
    assert client.session.streams == {}
    assert client.ask("reqMktData", reqId=1, contract=AAPL, snapshot=True)[-1].name == "tickSnapshotEnd"


def test_a_cancelled_line_tells_what_was_on_its_way_and_is_silent() -> None:
    """A few ticks before the answer to anything later; cancelling it again, or one never opened, is error 300."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqMktData", reqId=1, contract=AAPL)
    late = client.ask("cancelMktData", reqId=1)
    assert _ticks(late) == [6, 7, 8, 9]
    core.advance(core.state.now_ns + 60 * 1_000_000_000)
    assert client.replies() == []
    assert codes(client.ask("cancelMktData", reqId=1)) == [(1, 300)]


def test_late_ticks_can_be_left_out() -> None:
    """By an option of the gateway."""
    client = ScriptedClient(gateway_core(late_ticks=0))
    client.ask("reqMktData", reqId=1, contract=AAPL)
    assert client.ask("cancelMktData", reqId=1) == []


def test_two_lines_of_one_instrument_are_independent() -> None:
    """Equal values under both ids, as captured."""
    client = ScriptedClient(gateway_core())
    first = client.ask("reqMktData", reqId=1, contract=AAPL)
    second = client.ask("reqMktData", reqId=2, contract=AAPL)
    assert [{**tick.values, "reqId": 0} for tick in first] == [{**tick.values, "reqId": 0} for tick in second]


@pytest.mark.parametrize(
    ("contract", "code"),
    [
        ({**AAPL, "conId": 0, "symbol": "NOSUCH"}, 200),
        ({**AAPL, "currency": "EUR"}, 200),
        ({**AAPL, "secType": "OPT"}, 200),
        ({**AAPL, "exchange": "LSE"}, 200),
        ({**AAPL, "exchange": ""}, 321),
        ({"symbol": "AAPL", "exchange": "SMART"}, 321),
    ],
)
def test_a_line_needs_a_contract_that_exists(contract: dict[str, object], code: int) -> None:
    """200 for what is not listed, 321 for what was left out."""
    assert codes(ScriptedClient(gateway_core()).ask("reqMktData", reqId=1, contract=contract)) == [(1, code)]


def test_a_request_id_in_use_is_refused() -> None:
    """102; the first line goes on."""
    client = ScriptedClient(gateway_core())
    client.ask("reqMktData", reqId=1, contract=AAPL)
    assert codes(client.ask("reqMktData", reqId=1, contract=AAPL)) == [(1, 102)]
    client.until(lambda tick: tick.name == "tickPrice")


def test_lines_are_limited_over_all_clients() -> None:
    """101, until one is closed; snapshots count too while all are taken."""
    core = gateway_core(lines_max=2)
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    one.ask("reqMktData", reqId=1, contract=AAPL)
    two.ask("reqMktData", reqId=1, contract=AAPL)
    assert codes(one.ask("reqMktData", reqId=2, contract=AAPL)) == [(2, 101)]
    two.ask("cancelMktData", reqId=1)
    assert names(one.ask("reqMktData", reqId=2, contract=AAPL))[0] == "tickReqParams"


def test_without_live_data_a_live_line_is_refused() -> None:
    """81, then 10089; neither ticks nor an end of the snapshot."""
    client = ScriptedClient(gateway_core(entitled=False))
    told = client.ask("reqMktData", reqId=1, contract=AAPL, snapshot=True)
    assert names(told) == ["tickReqParams", "error"]
    assert told[1]["errorCode"] == 10089
    assert told[1]["errorMsg"].endswith("Delayed market data is available.AAPL NASDAQ.NMS/TOP/ALL")


def test_without_live_data_delayed_ticks_are_shown_to_who_asks_for_them() -> None:
    """81, 58 (3), notice 10167, then ticks under delayed ids."""
    client = ScriptedClient(gateway_core(entitled=False))
    assert client.ask("reqMarketDataType", marketDataType=3) == []
    told = client.ask("reqMktData", reqId=1, contract=AAPL)
    assert names(told)[:3] == ["tickReqParams", "marketDataType", "error"]
    assert (told[1]["marketDataType"], told[2]["errorCode"]) == (3, 10167)
    assert _ticks(told) == [66, 69, 67, 70, 68, 71, 88, 74, 72, 73, 76, 75, 90]
    assert set(_ticks(client.until(lambda tick: tick.name == "tickPrice"))) <= set(range(66, 77)) | {88}


def test_contract_details_describe_the_listing_and_end() -> None:
    """One row for a contract with an exchange."""
    told = ScriptedClient(gateway_core()).ask("reqContractDetails", reqId=4, contract=AAPL)
    assert names(told) == ["contractDetails", "contractDetailsEnd"]
    contract, details = told[0]["contract"], told[0]["contractDetails"]
    assert (contract["conId"], contract["primaryExch"], contract["tradingClass"]) == (265598, "NASDAQ", "NMS")
    assert (details["longName"], details["minTick"], details["timeZoneId"]) == (
        "APPLE INC",
        Decimal("0.01"),
        "US/Eastern",
    )
    assert details["liquidHours"].startswith("20261122:0000-20261123:0000;")


def test_contract_details_without_an_exchange_have_a_row_for_each() -> None:
    """SMART first."""
    anywhere = {"symbol": "AAPL", "secType": "STK", "currency": "USD"}
    told = of(ScriptedClient(gateway_core()).ask("reqContractDetails", reqId=4, contract=anywhere), "contractDetails")
    exchanges = [row["contract"]["exchange"] for row in told]
    assert exchanges[0] == "SMART"
    assert ",".join(exchanges) == told[0]["contractDetails"]["validExchanges"]


def test_an_unknown_contract_has_no_details_and_no_end() -> None:
    """Error 200 is the whole answer."""
    told = ScriptedClient(gateway_core()).ask("reqContractDetails", reqId=4, contract={**AAPL, "conId": 1})
    assert codes(told) == [(4, 200)]
    assert len(told) == 1
