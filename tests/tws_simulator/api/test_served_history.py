"""Historical bars and schedules, as a client asks for them and is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.wire.row import Message

DAY_S = 86_400


def _client(newest: int = 226, **options: Any) -> ScriptedClient:
    return ScriptedClient(gateway_core(**options), newest=newest)


def _ask(client: ScriptedClient, req_id: int = 1, **changed: Any) -> list[Message]:
    asked: dict[str, Any] = {
        "contract": AAPL,
        "endDateTime": "",
        "barSizeSetting": "30 mins",
        "duration": "1 D",
        "useRTH": True,
        "whatToShow": "TRADES",
        "formatDate": 1,
        "keepUpToDate": False,
        **changed,
    }
    return client.ask("reqHistoricalData", reqId=req_id, **asked)


def _bars(told: list[Message]) -> list[dict[str, Any]]:
    (data,) = of(told, "historicalData")
    return list(data["historicalDataBars"])


def _text(told: list[Message]) -> str:
    (error,) = of(told, "error")
    return str(error["errorMsg"])


FRIDAY: dict[str, Any] = {"endDateTime": "20261120 16:00:00 US/Eastern"}


def test_bars_come_in_one_message_and_their_ends_in_another() -> None:
    """Start and end are the end asked for and the duration before it, not times of bars."""
    told = _ask(_client(), **FRIDAY)
    assert names(told) == ["historicalData", "historicalDataEnd"]
    bars = _bars(told)
    assert [bar["date"] for bar in bars[:2]] == ["20261120 09:30:00 US/Eastern", "20261120 10:00:00 US/Eastern"]
    assert len(bars) == 13
    assert told[1]["startDateStr"] == "20261119 16:00:00 US/Eastern"
    assert told[1]["endDateStr"] == "20261120 16:00:00 US/Eastern"
    for bar in bars:
        assert bar["low"] <= min(bar["open"], bar["close"]) <= max(bar["open"], bar["close"]) <= bar["high"]
        assert Decimal(str(bar["low"])) <= bar["WAP"] <= Decimal(str(bar["high"]))
        assert bar["volume"] > bar["barCount"] > 0


@pytest.mark.parametrize("server_version", [151, 163, 193, 195])
def test_older_clients_find_the_ends_with_the_bars(server_version: int) -> None:
    """One message; up to server version 173 times have two spaces and no zone."""
    told = _ask(_client(newest=server_version), **FRIDAY)
    assert names(told) == ["historicalData"]
    zone = server_version >= 174
    assert told[0]["startDateStr"] == ("20261119 16:00:00 US/Eastern" if zone else "20261119  16:00:00")
    date = _bars(told)[0]["date"]
    assert date == ("20261120 09:30:00 US/Eastern" if zone else "20261120  09:30:00")


def test_times_can_be_told_in_seconds() -> None:
    """Of bars shorter than a day; days keep their date."""
    client = _client()
    assert _bars(_ask(client, formatDate=2, **FRIDAY))[0]["date"] == "1795185000"
    days = _bars(_ask(client, formatDate=2, barSizeSetting="1 day", duration="5 D", **FRIDAY))
    assert [bar["date"] for bar in days] == ["20261116", "20261117", "20261118", "20261119", "20261120"]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("20261120 12:00:00 US/Eastern", "11:30:00"),
        ("20261120 12:00:00 America/New_York", "11:30:00"),
        ("20261120 11:00:00 US/Central", "11:30:00"),
        ("20261120  12:00:00", "11:30:00"),
        ("20261120-17:00:00", "11:30:00"),
        ("20261120 17:00:00 UTC", "11:30:00"),
    ],
)
def test_the_end_can_be_written_in_several_ways(end: str, last: str) -> None:
    """With or without a zone, or in UTC with a dash; no bar is later."""
    bars = _bars(_ask(_client(), endDateTime=end))
    assert bars[-1]["date"] == f"20261120 {last} US/Eastern"


@pytest.mark.parametrize(
    "end", ["yesterday", "2026-11-20 12:00:00", "20261320 12:00:00", "20261120 12:00:00 Mars/Base"]
)
def test_an_end_that_is_no_time_is_refused(end: str) -> None:
    """10314, which tells how to write it."""
    told = _ask(_client(), endDateTime=end)
    assert codes(told) == [(1, 10314)]
    assert _text(told).startswith("End Date/Time: The date, time, or time-zone entered is invalid.")


@pytest.mark.parametrize(
    ("duration", "size", "count"),
    [
        ("60 S", "1 secs", 60),
        ("600 S", "5 secs", 120),
        ("1800 S", "10 secs", 180),
        ("1800 S", "15 secs", 120),
        ("1800 S", "30 secs", 60),
        ("1 D", "1 min", 390),
        ("2 D", "2 mins", 390),
        ("3 D", "3 mins", 390),
        ("1 W", "5 mins", 390),
        ("1 W", "10 mins", 195),
        ("1 W", "15 mins", 130),
        ("1 W", "20 mins", 100),
        ("1 D", "1 hour", 7),
        ("1 D", "2 hours", 4),
        ("1 D", "3 hours", 3),
        ("1 D", "4 hours", 2),
        ("1 D", "8 hours", 1),
        ("1 W", "1 day", 5),
        ("1 M", "1 day", 22),
        ("1 Y", "1 week", 53),
        ("1 Y", "1W", 53),
        ("2 Y", "1 month", 25),
        ("1 Y", "1M", 13),
    ],
)
def test_every_bar_size_and_unit_of_time(duration: str, size: str, count: int) -> None:
    """As many bars as the sessions of that time have."""
    bars = _bars(_ask(_client(), duration=duration, barSizeSetting=size, **FRIDAY))
    assert len(bars) == pytest.approx(count, abs=1 if size in ("1 week", "1W", "1 month", "1M", "1 day") else 0)
    assert [bar["date"] for bar in bars] == sorted(bar["date"] for bar in bars)


def test_the_extended_hours_come_when_asked_for() -> None:
    """From four to eight; with useRTH from half past nine to four."""
    client = _client()
    end: dict[str, Any] = {"endDateTime": "20261120 20:00:00 US/Eastern", "barSizeSetting": "1 hour"}
    whole = _bars(_ask(client, useRTH=False, **end))
    assert (whole[0]["date"], whole[-1]["date"]) == ("20261120 04:00:00 US/Eastern", "20261120 19:00:00 US/Eastern")
    regular = _bars(_ask(client, useRTH=True, **end))
    assert (regular[0]["date"], regular[-1]["date"]) == ("20261120 09:30:00 US/Eastern", "20261120 15:00:00 US/Eastern")


@pytest.mark.parametrize("what", ["MIDPOINT", "BID", "ASK", "BID_ASK"])
def test_bars_of_quotes_have_no_volume(what: str) -> None:
    """-1 stands for it, as for average and count."""
    bars = _bars(_ask(_client(), whatToShow=what, **FRIDAY))
    assert len(bars) == 13
    assert {(bar["volume"], bar["WAP"], bar["barCount"]) for bar in bars} == {(Decimal(-1), Decimal(-1), -1)}
    if what == "BID_ASK":
        assert all(bar["low"] <= bar["open"] < bar["close"] <= bar["high"] for bar in bars)


@pytest.mark.parametrize("what", ["HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"])
def test_volatilities_are_yearly_fractions(what: str) -> None:
    """Of days and longer; of hours there is none."""
    client = _client()
    bars = _bars(_ask(client, whatToShow=what, barSizeSetting="1 day", duration="1 M", **FRIDAY))
    assert len(bars) > 18
    assert all(0.05 < bar["low"] <= bar["high"] < 1.5 for bar in bars)
    assert codes(_ask(client, whatToShow=what, barSizeSetting="1 hour", **FRIDAY)) == [(1, 162)]


def test_adjusted_prices_end_now() -> None:
    """An end date is refused with 321."""
    client = _client()
    assert len(_bars(_ask(client, whatToShow="ADJUSTED_LAST", barSizeSetting="1 day", duration="1 W"))) >= 5
    assert codes(_ask(client, whatToShow="ADJUSTED_LAST", **FRIDAY)) == [(1, 321)]


@pytest.mark.parametrize(
    ("changed", "code", "part"),
    [
        ({"barSizeSetting": "1 sec"}, 321, "Legal ones are: 1 secs, 5 secs"),
        ({"barSizeSetting": ""}, 321, "Legal ones are: 1 secs, 5 secs"),
        ({"duration": "1 X"}, 321, "duration"),
        ({"duration": "0 D"}, 321, "duration"),
        ({"duration": "366 D"}, 321, "longer than 365 days must be made in years"),
        ({"duration": "13 M"}, 321, "longer than 365 days must be made in years"),
        ({"duration": "100000 S"}, 321, "longer than 86400 seconds must be made in days"),
        ({"whatToShow": "PRICES"}, 321, "PRICES"),
        ({"whatToShow": "AGGTRADES"}, 10299, "TRADES"),
        ({"whatToShow": "FEE_RATE"}, 162, "HMDS query returned no data: AAPL@SMART Fee_rate"),
        ({"whatToShow": "SCHEDULE"}, 321, "1 day"),
        ({"barSizeSetting": "1 secs", "duration": "1 D"}, 162, "invalid step: 1"),
        ({"barSizeSetting": "5 secs", "duration": "1 D"}, 162, "invalid step: 5"),
        ({"barSizeSetting": "1 min", "duration": "1 Y"}, 162, "Time length exceed max."),
        ({"keepUpToDate": True, **FRIDAY}, 321, "kept up to date"),
        ({"keepUpToDate": True, "barSizeSetting": "1 secs", "duration": "60 S"}, 321, "5 secs or larger"),
        ({"keepUpToDate": True, "whatToShow": "BID_ASK"}, 321, "kept up to date"),
        ({"endDateTime": "19791231 16:00:00"}, 162, "HMDS query returned no data: AAPL@SMART Trades"),
        ({"contract": {**AAPL, "conId": 0, "symbol": "NOSUCH"}}, 200, "No security definition"),
    ],
)
def test_what_cannot_be_asked_is_refused(changed: dict[str, Any], code: int, part: str) -> None:
    """With IB's code, and no bars."""
    told = _ask(_client(), **changed)
    assert codes(told) == [(1, code)]
    assert part in _text(told)


def test_the_running_bar_is_included() -> None:
    """And ends at the last price: of a market that is open on a Sunday, too."""
    core = gateway_core()
    client = ScriptedClient(core)
    core.advance(START_NS + 90 * SECOND)
    bars = _bars(_ask(client, barSizeSetting="1 min", duration="60 S", useRTH=False))
    assert [bar["date"][-19:] for bar in bars[-2:]] == ["11:30:00 US/Eastern", "11:31:00 US/Eastern"]
    assert bars[-1]["close"] == core.state.world.quote(265598).last


def _kept(core: GatewayCore, **changed: Any) -> ScriptedClient:
    client = ScriptedClient(core)
    core.advance(core.state.now_ns + 60 * SECOND)
    told = _ask(client, keepUpToDate=True, barSizeSetting="5 secs", duration="60 S", useRTH=False, **changed)
    assert names(told) == ["historicalData", "historicalDataEnd"]
    return client


def _step(core: GatewayCore, seconds: int) -> None:
    for _ in range(seconds):
        core.advance(core.state.now_ns + SECOND)


def test_bars_that_are_kept_up_to_date_are_those_asked_for_later() -> None:
    """The running bar every few seconds and once more when it is over: in the end each was told as it became."""
    core = gateway_core()
    client = _kept(core)
    _step(core, 60)
    told = of(client.replies(), "historicalDataUpdate")
    final = {row["historicalDataBar"]["date"]: row["historicalDataBar"] for row in told}
    later = {
        bar["date"]: bar for bar in _bars(_ask(client, 2, barSizeSetting="5 secs", duration="120 S", useRTH=False))
    }
    assert len(told) > len(final) >= 12
    for date, bar in list(final.items())[:-1]:
        assert bar == later[date]


@pytest.mark.parametrize("what", ["BID", "ASK", "MIDPOINT"])
def test_bars_of_quotes_are_kept_up_to_date(what: str) -> None:
    """At the prices of the quote."""
    core = gateway_core()
    client = _kept(core, whatToShow=what)
    _step(core, 20)
    last = of(client.replies(), "historicalDataUpdate")[-1]["historicalDataBar"]
    quote = core.state.world.quote(265598)
    assert last["close"] == pytest.approx((quote.bid + quote.ask) / 2, abs=0.2)
    assert last["volume"] == Decimal(-1)


def test_a_cancel_ends_the_updates_with_162() -> None:
    """An unknown id is answered by 366, as is one whose bars were told and not kept up to date."""
    core = gateway_core()
    client = _kept(core)
    told = client.ask("cancelHistoricalData", reqId=1)
    assert _text(told) == "Historical Market Data Service error message:API historical data query cancelled: 1"
    _step(core, 10)
    assert client.replies() == []
    told = client.ask("cancelHistoricalData", reqId=1)
    assert codes(told) == [(1, 366)]
    assert _text(told) == "No historical data query found for ticker id:1"


def test_an_id_that_is_kept_up_to_date_is_taken() -> None:
    """322 for a second request with it."""
    core = gateway_core()
    client = _kept(core)
    assert codes(_ask(client, 1)) == [(1, 322)]


def test_fifty_are_kept_up_to_date_at_once() -> None:
    """Of all clients together; then 322."""
    core = gateway_core(historical_pacing=False)
    one, other = ScriptedClient(core, 1), ScriptedClient(core, 2)
    for req_id in range(25):
        for client in (one, other):
            assert codes(_ask(client, req_id, keepUpToDate=True, barSizeSetting="1 min")) == []
    told = _ask(one, 99, keepUpToDate=True, barSizeSetting="1 min")
    assert codes(told) == [(99, 322)]
    assert "Only 50 simultaneous API historical data requests" in _text(told)
    assert codes(_ask(one, 99, barSizeSetting="1 min")) == []


def test_small_bars_are_paced() -> None:
    """162 for the same request within 15 seconds; larger bars, other options and later requests pass."""
    core = gateway_core()
    client = ScriptedClient(core)
    small: dict[str, Any] = {"barSizeSetting": "30 secs", "duration": "1800 S", **FRIDAY}
    assert codes(_ask(client, **small)) == []
    told = _ask(client, **small)
    assert codes(told) == [(1, 162)]
    assert _text(told) == "Historical Market Data Service error message:Historical data request pacing violation"
    assert codes(_ask(client, barSizeSetting="1 min")) == codes(_ask(client, barSizeSetting="1 min")) == []
    core.advance(core.state.now_ns + 15 * SECOND)
    assert codes(_ask(client, **small)) == []


def test_pacing_can_be_switched_off() -> None:
    """For scripts that are in a hurry."""
    client = _client(historical_pacing=False)
    small: dict[str, Any] = {"barSizeSetting": "30 secs", "duration": "1800 S", **FRIDAY}
    assert [codes(_ask(client, **small)) for _ in range(70)] == [[]] * 70


def test_without_a_subscription_only_old_bars_are_told() -> None:
    """2188 for bars up to the second, 162 for those kept up to date."""
    client = _client(entitled=False)
    assert codes(_ask(client)) == [(1, 2188)]
    assert codes(_ask(client, keepUpToDate=True)) == [(1, 162)]
    assert codes(_ask(client, **FRIDAY)) == []


def test_a_schedule_lists_sessions_oldest_first() -> None:
    """Without an end message; with half days and without holidays."""
    told = _ask(
        _client(),
        whatToShow="SCHEDULE",
        barSizeSetting="1 day",
        duration="1 M",
        endDateTime="20251215 16:00:00 US/Eastern",
    )
    assert names(told) == ["historicalSchedule"]
    (schedule,) = told
    sessions = schedule["historicalSessions"]
    assert schedule["timeZone"] == "US/Eastern"
    assert (schedule["startDateTime"], schedule["endDateTime"]) == ("20251117-09:30:00", "20251215-16:00:00")
    assert "20251127" not in [session["refDate"] for session in sessions]
    half = next(session for session in sessions if session["refDate"] == "20251128")
    assert (half["startDateTime"], half["endDateTime"]) == ("20251128-09:30:00", "20251128-13:00:00")


def test_equal_questions_have_equal_answers_at_every_server_version() -> None:
    """Text and protobuf carry the same bars."""
    answers = [_bars(_ask(_client(newest=version), formatDate=2, **FRIDAY)) for version in (151, 176, 200, 208, 226)]
    assert all(answer == answers[0] for answer in answers)


def test_currencies_have_quotes_and_indexes_no_volume() -> None:
    """162 for trades of a pair of currencies; an index is told with a volume of 0."""
    client = _client()
    euro = {"symbol": "EUR", "secType": "CASH", "currency": "USD", "exchange": "IDEALPRO"}
    assert codes(_ask(client, contract=euro, **FRIDAY)) == [(1, 162)]
    midpoints = _bars(_ask(client, contract=euro, whatToShow="MIDPOINT", **FRIDAY))
    assert len(midpoints) == 13
    assert len({bar["close"] for bar in midpoints}) > 8
    index = {"symbol": "SPX", "secType": "IND", "currency": "USD", "exchange": "CBOE"}
    bars = _bars(_ask(client, contract=index, **FRIDAY))
    assert {(bar["volume"], bar["WAP"], bar["barCount"]) for bar in bars} == {(Decimal(0), Decimal(0), 0)}


def test_options_have_no_history() -> None:
    """162 for one that exists."""
    option = {
        "symbol": "SPY",
        "secType": "OPT",
        "currency": "USD",
        "exchange": "SMART",
        "lastTradeDateOrContractMonth": "20261218",
        "strike": 640.0,
        "right": "C",
        "tradingClass": "SPY",
    }
    told = _ask(_client(), contract=option)
    assert codes(told) == [(1, 162)]
    assert "HMDS query returned no data: SPY@SMART Trades" in _text(told)


@pytest.mark.parametrize("end", ["20991231 16:00:00", "19700102 00:00:00"])
@pytest.mark.parametrize(
    ("what", "size", "longest"),
    [("TRADES", "1 day", "1 Y"), ("SCHEDULE", "1 day", "100 Y"), ("MIDPOINT", "1 month", "1 Y")],
)
def test_ends_far_away_are_answered(end: str, what: str, size: str, longest: str) -> None:
    """With what there is until now, or with 162."""
    client = _client()
    for duration in ("1 D", longest):
        told = _ask(client, endDateTime=end, whatToShow=what, barSizeSetting=size, duration=duration)
        assert codes(told) == ([(1, 162)] if end.startswith("1970") else [])
