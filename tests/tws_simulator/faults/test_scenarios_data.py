"""Each scenario of the topics "data" and "process" does to a client what it says."""

from __future__ import annotations

import itertools

import pytest

from tests.tws_simulator.faults.played import RESTING, Played, Proofs, place
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, names, of
from tws_simulator.api.link import End
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import MalformedMessage

PROOFS = Proofs()
MSFT = {"symbol": "MSFT", "secType": "STK", "exchange": "SMART", "currency": "USD"}
ROWS = ("updateMktDepth", "updateMktDepthL2")


def with_line(played: Played) -> ScriptedClient:
    client = played.client()
    client.ask("reqMktData", reqId=7, contract=AAPL)
    return client


def with_depth(played: Played) -> ScriptedClient:
    client = played.client()
    assert rows(client.ask("reqMktDepth", reqId=9, contract=AAPL, numRows=5, isSmartDepth=True))
    return client


def rows(messages: list[Message]) -> list[Message]:
    return [each for each in messages if each.name in ROWS]


def flooded(played: Played, seconds: int) -> int:
    client = with_line(played)
    played.pass_s(2)
    client.session.take_output()
    count = 0
    for _ in range(seconds * 4):
        played.pass_s(0.25)
        count += len(client.replies())
    return count


@PROOFS.of("hundred-thousand-ticks")
def hundred_thousand_ticks(played: Played) -> None:
    assert flooded(played, 1) >= 75_000


@PROOFS.of("long-peak")
def long_peak(played: Played) -> None:
    assert 15_000 <= flooded(played, 2) <= 25_000


@PROOFS.of("depth-rows-that-do-not-fit")
def depth_rows_that_do_not_fit(played: Played) -> None:
    client = with_depth(played)
    told = [each["marketDepthData"] for each in rows(played.pass_s(2, client))]
    assert any(row.get("position") == 22 and row["operation"] == 1 for row in told)
    asks_deleted = [
        row for row in told if row.get("operation") == 2 and row.get("size") == 0 and row.get("price") == 0.0
    ]
    assert len(asks_deleted) >= 12


@PROOFS.of("depth-rows-that-move")
def depth_rows_that_move(played: Played) -> None:
    told = [each["marketDepthData"] for each in rows(played.pass_s(30, with_depth(played)))]
    moved = [row["operation"] for row in told if row["operation"] != 1 and row.get("position", 0) < 4]
    assert {0, 2} <= set(moved), "rows that stay in place come and go at the end of a side only"


@PROOFS.of("depth-reset")
def depth_reset(played: Played) -> None:
    client = with_depth(played)
    told = played.pass_s(1.25, client)
    assert codes(told) == [(9, 317)]
    again = [each["marketDepthData"] for each in rows(told[names(told).index("error") :])]
    assert {row.get("operation", 0) for row in again} == {0}, "inserted"
    for side in (0, 1):
        assert [row.get("position", 0) for row in again if row.get("side", 0) == side] == [0, 1, 2, 3, 4]
    assert rows(played.pass_s(5, client))


@PROOFS.of("depth-halted")
def depth_halted(played: Played) -> None:
    client = with_depth(played)
    assert codes(played.pass_s(1.25, client)) == [(9, 316)]
    assert not rows(played.pass_s(10, client))
    assert rows(client.ask("reqMktDepth", reqId=9, contract=AAPL, numRows=5, isSmartDepth=True))
    assert rows(played.pass_s(5, client)), "the second time it lasts"


@PROOFS.of("depth-cancel-ignored")
def depth_cancel_ignored(played: Played) -> None:
    client = with_depth(played)
    assert client.ask("cancelMktDepth", reqId=9, isSmartDepth=True) == []
    assert rows(played.pass_s(10, client))


@PROOFS.of("depth-cancel-late")
def depth_cancel_late(played: Played) -> None:
    client = with_depth(played)
    client.ask("cancelMktDepth", reqId=9, isSmartDepth=True)
    assert rows(played.pass_s(2.75, client))
    played.pass_s(2, client)
    assert not rows(played.pass_s(5, client))


@PROOFS.of("depth-slots-taken")
def depth_slots_taken(played: Played) -> None:
    client = with_depth(played)
    assert codes(client.ask("reqMktDepth", reqId=10, contract=AAPL, numRows=5, isSmartDepth=True)) == [(10, 309)]


@PROOFS.of("depth-cancel-unknown")
def depth_cancel_unknown(played: Played) -> None:
    client = with_depth(played)
    assert (9, 310) in codes(client.ask("cancelMktDepth", reqId=9, isSmartDepth=True))
    played.pass_s(2, client)
    assert not rows(played.pass_s(5, client))


@PROOFS.of("depth-stops")
def depth_stops(played: Played) -> None:
    client = with_depth(played)
    played.pass_s(10, client)
    assert not rows(played.pass_s(29, client))
    assert rows(played.pass_s(6, client))


@PROOFS.of("nonsense-quotes")
def nonsense_quotes(played: Played) -> None:
    client = played.client()
    told = of(client.ask("reqMktData", reqId=7, contract=AAPL), "tickPrice")
    prices = {each.get("tickType"): each.get("price") for each in told}
    assert prices[1] > 1000
    assert prices[2] == 0.0
    assert prices[4] == -1.0


@PROOFS.of("feed-stops")
def feed_stops(played: Played) -> None:
    client = with_line(played)
    assert "tickPrice" in names(played.pass_s(9, client))
    played.pass_s(1, client)
    assert played.pass_s(60, client) == []


@PROOFS.of("bars-amiss")
def bars_amiss(played: Played) -> None:
    client = played.client()
    client.ask("reqRealTimeBars", reqId=4, contract=AAPL, barSize=5, whatToShow="TRADES", useRTH=False)
    told = played.pass_s(120, client)
    times = [each["time"] for each in of(told, "realtimeBar")]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert steps[:4] == [5, 10, 5, 0], "one missing, then one twice"
    assert (4, 10225) in codes(told)
    assert len(times) <= 10
    client.ask("reqRealTimeBars", reqId=4, contract=AAPL, barSize=5, whatToShow="TRADES", useRTH=False)
    assert len(of(played.pass_s(21, client), "realtimeBar")) >= 3, "who asks again is served"


@PROOFS.of("no-entitlement")
def no_entitlement(played: Played) -> None:
    client = played.client()
    found = {}
    for number, symbol in enumerate(["AAPL", "MSFT", "NVDA", "AMZN", "META"], start=1):
        contract = {"symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD"}
        told = client.ask("reqMktData", reqId=number, contract=contract)
        found[symbol] = (codes(told)[0][1], "tickPrice" in names(told))
    assert found == {
        "AAPL": (10089, False),
        "MSFT": (354, False),
        "NVDA": (10186, False),
        "AMZN": (10090, True),
        "META": (10167, True),
    }
    last = [client.ask("reqMktData", reqId=number, contract=MSFT | {"symbol": "TSLA"}) for number in range(6, 12)][-1]
    assert codes(last)[-1] == (11, 101)


@PROOFS.of("contract-ambiguous")
def contract_ambiguous(played: Played) -> None:
    client = played.client()
    assert codes(client.ask("reqContractDetails", reqId=1, contract=AAPL)) == [(1, 200)]
    assert "contractDetailsEnd" in names(client.ask("reqContractDetails", reqId=2, contract=AAPL))


@PROOFS.of("contract-id-changed")
def contract_id_changed(played: Played) -> None:
    client = played.client()
    found = [
        of(client.ask("reqContractDetails", reqId=number, contract=AAPL), "contractDetails")[0]["contract"]["conId"]
        for number in (1, 2)
    ]
    assert found == [265598, 265599]


def ahead_s(played: Played) -> int:
    client = played.client()
    told = client.ask("reqCurrentTime") + client.ask("reqMktData", reqId=7, contract=AAPL)
    clock = of(told, "currentTime")[0]["currentTime"]
    last = next(int(each["value"]) for each in of(told, "tickString") if each["tickType"] == 45)
    assert abs(clock - last) <= 1
    return int(clock - played.core.state.now_ns // 1_000_000_000)


@PROOFS.of("clock-five-minutes-ahead")
def clock_five_minutes_ahead(played: Played) -> None:
    assert ahead_s(played) == 300


@PROOFS.of("clock-five-minutes-behind")
def clock_five_minutes_behind(played: Played) -> None:
    assert ahead_s(played) == -300


@PROOFS.of("symbol-that-never-resolves")
def symbol_that_never_resolves(played: Played) -> None:
    client = played.client()
    assert client.ask("reqContractDetails", reqId=1, contract=MSFT) == []
    assert client.ask("reqContractDetails", reqId=2, contract=AAPL)


@PROOFS.of("poison-frame")
def poison_frame(played: Played) -> None:
    client = played.client(newest=200)
    played.pass_s(2)
    with pytest.raises(MalformedMessage):
        client.codec.decode_reply(client.session.take_output()[4:])


@PROOFS.of("thousands-of-reconnects")
def thousands_of_reconnects(played: Played) -> None:
    for _ in range(3):
        client = played.client()
        played.pass_s(0.5)
        assert client.session.link.end is End.CLOSE
        played.core.disconnect(client.session)


@PROOFS.of("many-names")
def many_names(played: Played) -> None:
    client = played.client()
    texts = {each["errorMsg"] for each in of(played.pass_s(32, client), "error")}
    assert len(texts) == 300
    assert of(place(client, RESTING), "openOrder")[0]["contract"]["symbol"].startswith("XQ")


@pytest.mark.parametrize("name", PROOFS.by_name)
def test_a_client_sees_what_the_scenario_says(name: str) -> None:
    """See the scenario's description."""
    PROOFS.check(name)
