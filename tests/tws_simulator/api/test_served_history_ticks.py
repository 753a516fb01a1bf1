"""The oldest date, single ticks of the past, and histograms."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.wire.row import Message

FRIDAY_NOON = "20261120 12:00:00 US/Eastern"
FRIDAY_NOON_S = 1_795_194_000


def _client(newest: int = 226, **options: Any) -> ScriptedClient:
    return ScriptedClient(gateway_core(**options), newest=newest)


def _head(client: ScriptedClient, **changed: Any) -> list[Message]:
    asked = {"contract": AAPL, "useRTH": True, "whatToShow": "TRADES", "formatDate": 1, **changed}
    return client.ask("reqHeadTimeStamp", reqId=1, **asked)


def _ticks(client: ScriptedClient, **changed: Any) -> list[Message]:
    asked = {
        "contract": AAPL,
        "startDateTime": FRIDAY_NOON,
        "endDateTime": "",
        "numberOfTicks": 100,
        "whatToShow": "TRADES",
        "useRTH": True,
        "ignoreSize": False,
        **changed,
    }
    return client.ask("reqHistoricalTicks", reqId=1, **asked)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "19801212-14:30:00"),
        ({"formatDate": 2}, "345479400"),
        ({"useRTH": False}, "19801212-09:00:00"),
        ({"whatToShow": "BID"}, "20040123-14:30:00"),
    ],
)
def test_the_oldest_date_is_told(changed: dict[str, Any], told: str) -> None:
    """In UTC with a dash, as in a captured answer, or in seconds; quotes are kept since 2004."""
    (head,) = _head(_client(), **changed)
    assert (head.name, head["headTimestamp"]) == ("headTimestamp", told)


def test_the_oldest_date_of_the_unknown_is_refused() -> None:
    """200 for the contract, 321 for the kind of data; a cancel is silent."""
    client = _client()
    assert codes(_head(client, contract={**AAPL, "conId": 1})) == [(1, 200)]
    assert codes(_head(client, whatToShow="SOMETHING")) == [(1, 321)]
    assert client.ask("cancelHeadTimeStamp", reqId=1) == []


def test_ticks_from_a_start_on() -> None:
    """At least as many as asked for, whole seconds, in order."""
    (told,) = _ticks(_client())
    rows = told["historicalTicksLast"]
    assert told.name == "historicalTicksLast"
    assert told["isDone"] is True
    assert 100 <= len(rows) < 200
    assert rows[0]["time"] >= FRIDAY_NOON_S
    assert all(earlier["time"] <= later["time"] for earlier, later in pairwise(rows))
    assert all(row["price"] > 0 and row["size"] > 0 and row["exchange"] for row in rows)


def test_ticks_up_to_an_end() -> None:
    """The latest before it, in order of time."""
    (told,) = _ticks(_client(), startDateTime="", endDateTime=FRIDAY_NOON, whatToShow="BID_ASK")
    rows = told["historicalTicksBidAsk"]
    assert len(rows) >= 100
    assert FRIDAY_NOON_S - 300 < rows[0]["time"] <= rows[-1]["time"] < FRIDAY_NOON_S
    assert all(0 < row["priceBid"] < row["priceAsk"] for row in rows)


def test_midpoints_have_a_price_alone() -> None:
    """Between bid and ask, whatever the sizes."""
    (told,) = _ticks(_client(), whatToShow="MIDPOINT", numberOfTicks=20)
    rows = told["historicalTicks"]
    assert len(rows) >= 20
    assert {row["size"] for row in rows} == {0}


def test_ticks_since_the_start_are_what_was_printed() -> None:
    """Those of the tape, in whole seconds."""
    core = gateway_core()
    client = ScriptedClient(core)
    core.advance(START_NS + 30 * SECOND)
    (told,) = _ticks(client, startDateTime="20261122 11:30:00 US/Eastern", numberOfTicks=1000, useRTH=False)
    trades = core.state.world.tape.trades(265598)
    rows = told["historicalTicksLast"]
    assert [(row["price"], row["size"]) for row in rows] == [(trade.price, trade.size) for trade in trades]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"endDateTime": FRIDAY_NOON}, 321),
        ({"startDateTime": ""}, 321),
        ({"numberOfTicks": 0}, 321),
        ({"numberOfTicks": 1001}, 321),
        ({"whatToShow": "BID"}, 321),
        ({"whatToShow": "AGGTRADES"}, 10299),
        ({"startDateTime": "noon"}, 10314),
        ({"contract": {**AAPL, "conId": 1}}, 200),
    ],
)
def test_ticks_that_cannot_be_asked_for_are_refused(changed: dict[str, Any], code: int) -> None:
    """Exactly one of start and end, and up to a thousand."""
    assert codes(_ticks(_client(), **changed)) == [(1, code)]


def test_ticks_need_a_subscription() -> None:
    """10187."""
    assert codes(_ticks(_client(entitled=False))) == [(1, 10187)]


def test_a_histogram_counts_the_volume_of_bars() -> None:
    """Every share of the period, at rising prices."""
    client = _client()
    (told,) = client.ask("reqHistogramData", reqId=1, contract=AAPL, useRTH=True, timePeriod="3 days")
    rows = told["histogramDataEntries"]
    days = client.ask(
        "reqHistoricalData",
        reqId=2,
        contract=AAPL,
        endDateTime="",
        barSizeSetting="1 day",
        duration="3 D",
        useRTH=True,
        whatToShow="TRADES",
        formatDate=1,
        keepUpToDate=False,
    )
    volume = sum(bar["volume"] for bar in of(days, "historicalData")[0]["historicalDataBars"])
    assert sum(row["size"] for row in rows) == volume
    assert all(earlier["price"] < later["price"] for earlier, later in pairwise(rows))
    assert client.ask("cancelHistogramData", reqId=1) == []


def test_a_histogram_needs_a_subscription_and_a_period() -> None:
    """2188 and 321."""
    asked = {"reqId": 1, "contract": AAPL, "useRTH": True}
    assert codes(_client(entitled=False).ask("reqHistogramData", timePeriod="1 week", **asked)) == [(1, 2188)]
    assert codes(_client().ask("reqHistogramData", timePeriod="a while", **asked)) == [(1, 321)]


@pytest.mark.parametrize("what", ["TRADES", "BID_ASK", "MIDPOINT"])
def test_ticks_are_the_same_at_every_server_version(what: str) -> None:
    """Text and protobuf carry the same rows, attributes included."""
    rows = []
    for version in (151, 163, 176, 193, 200, 226):
        (told,) = _ticks(_client(newest=version), whatToShow=what)
        rows.append(told[told.name])
    assert all(each == rows[0] for each in rows)


def test_a_protobuf_client_can_cancel_ticks() -> None:
    """Silently: they were told already."""
    client = _client()
    assert names(_ticks(client)) == ["historicalTicksLast"]
    assert client.ask("cancelHistoricalTicks", reqId=1) == []
