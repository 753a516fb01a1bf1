"""History, account values and profit on the wire: captured frames, and what the official decoder makes of ours."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.tws_simulator.wire.official_decoder import VERSIONS, one, told
from tws_simulator.wire.codec import ROWS_BY_ID, Codec
from tws_simulator.wire.row import REPLY

CAPTURED = Path(__file__).parents[2] / "data" / "wire" / "other_families" / "inbound.jsonl"
FAMILY_IDS = {6, 7, 8, 17, 54, 71, 72, 73, 74, 88, 89, 90, 94, 95, 96, 97, 98, 106, 108}
RECORDS = [
    (number, record)
    for number, record in enumerate(map(json.loads, CAPTURED.read_text().splitlines()), 1)
    if record["msg_id"] in FAMILY_IDS
]
BAR = {
    "date": "20261120 09:30:00 US/Eastern",
    "open": 229.5,
    "high": 230.25,
    "low": 229.01,
    "close": 230.0,
    "volume": Decimal(120_300),
    "WAP": Decimal("229.817"),
    "barCount": 821,
}
BAR_FIELDS = ("date", "open", "high", "low", "close", "volume", "wap", "barCount")


def _version(record: dict[str, Any]) -> int:
    return int(record["server_version"] or record["server_version_range"][1])


@pytest.mark.parametrize(("number", "record"), RECORDS, ids=[f"line{number}-{r['msg_id']}" for number, r in RECORDS])
def test_a_captured_frame_of_these_families_is_read_whole(number: int, record: dict[str, Any]) -> None:
    """Protobuf is written again byte for byte; text means the same and has as many fields."""
    codec, payload = Codec(_version(record)), bytes.fromhex(record["hex"])
    message = codec.decode_reply(payload, strict=True)
    again = codec.encode_reply(message)
    if record["encoding"] == "protobuf":
        assert again == payload
    else:
        assert codec.decode_reply(again, strict=True) == message
        assert again.count(b"\0") == payload.count(b"\0")


def test_all_these_families_but_few_were_captured() -> None:
    """No frame of a histogram is known."""
    assert FAMILY_IDS - {record["msg_id"] for _, record in RECORDS} <= {89}
    assert all((REPLY, msg_id) in ROWS_BY_ID for msg_id in FAMILY_IDS)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"sv{version}")
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_bars(version: int) -> None:
    """Up to 195 their end comes with them, from 196 on by itself."""
    ends = {"startDateStr": "20261119 16:00:00 US/Eastern", "endDateStr": "20261120 16:00:00 US/Eastern"}
    calls = told(version, "historicalData", reqId=5, historicalDataBars=[BAR, {**BAR, "close": 230.1}], **ends)
    assert [name for name, _ in calls[:2]] == ["historicalData"] * 2
    assert calls[0][1][0] == 5
    assert [getattr(calls[0][1][1], name) for name in BAR_FIELDS] == list(BAR.values())
    if version < 196:
        assert calls[2:] == [("historicalDataEnd", (5, *ends.values()))]
    else:
        assert calls[2:] == []
        assert one(version, "historicalDataEnd", "historicalDataEnd", reqId=5, **ends) == (5, *ends.values())
    req_id, update = one(version, "historicalDataUpdate", "historicalDataUpdate", reqId=5, historicalDataBar=BAR)
    assert req_id == 5
    assert [getattr(update, name) for name in BAR_FIELDS] == list(BAR.values())


def test_schedules_heads_and_histograms(version: int) -> None:
    """Their texts and numbers."""
    day = {"startDateTime": "20261120-09:30:00", "endDateTime": "20261120-16:00:00", "refDate": "20261120"}
    arguments = one(
        version,
        "historicalSchedule",
        "historicalSchedule",
        reqId=5,
        startDateTime=day["startDateTime"],
        endDateTime=day["endDateTime"],
        timeZone="US/Eastern",
        historicalSessions=[day],
    )
    assert arguments[:4] == (5, day["startDateTime"], day["endDateTime"], "US/Eastern")
    assert vars(arguments[4][0]) == day
    assert one(version, "headTimestamp", "headTimestamp", reqId=5, headTimestamp="345479400") == (5, "345479400")
    entries = [{"price": 229.5, "size": Decimal(300)}, {"price": 229.51, "size": Decimal(100)}]
    _, items = one(version, "histogramData", "histogramData", reqId=5, histogramDataEntries=entries)
    assert [(item.price, item.size) for item in items] == [(229.5, Decimal(300)), (229.51, Decimal(100))]


@pytest.mark.parametrize(("past", "unreported"), [(True, False), (False, True), (True, True)])
def test_ticks(version: int, past: bool, unreported: bool) -> None:
    """Attributes are bits in text, in an order of their own."""
    trade = {"time": 1_795_185_000, "price": 229.5, "size": Decimal(100), "exchange": "ARCA", "specialConditions": " I"}
    marked = {**trade, "tickAttribLast": {"pastLimit": past, "unreported": unreported}}
    _, (tick,), done = one(
        version, "historicalTicksLast", "historicalTicksLast", reqId=5, historicalTicksLast=[marked], isDone=True
    )
    assert {name: getattr(tick, name) for name in trade} == trade
    assert (tick.tickAttribLast.pastLimit, tick.tickAttribLast.unreported, done) == (past, unreported, True)
    quote = {"time": 7, "priceBid": 229.5, "priceAsk": 229.6, "sizeBid": Decimal(100), "sizeAsk": Decimal(200)}
    marked = {**quote, "tickAttribBidAsk": {"bidPastLow": past, "askPastHigh": unreported}}
    _, (tick,), done = one(
        version, "historicalTicksBidAsk", "historicalTicksBidAsk", reqId=5, historicalTicksBidAsk=[marked], isDone=False
    )
    assert {name: getattr(tick, name) for name in quote} == quote
    assert (tick.tickAttribBidAsk.bidPastLow, tick.tickAttribBidAsk.askPastHigh, done) == (past, unreported, False)


def test_account_values_and_the_portfolio(version: int) -> None:
    """A strike and a right of nothing; the exchange is where each form has it."""
    row = {"key": "NetLiquidation", "value": "1000.00", "currency": "USD", "accountName": "DU1"}
    assert one(version, "updateAccountValue", "updateAccountValue", **row) == tuple(row.values())
    contract = {"conId": 265598, "symbol": "AAPL", "secType": "STK", "exchange": "NASDAQ", "currency": "USD"}
    figures = {
        "marketPrice": 229.5,
        "marketValue": 1147.5,
        "averageCost": 229.1,
        "unrealizedPNL": 2.0,
        "realizedPNL": 0.0,
    }
    held, position, *rest = one(
        version,
        "updatePortfolio",
        "updatePortfolio",
        contract=contract,
        position=Decimal(5),
        accountName="DU1",
        **figures,
    )
    assert (held.conId, held.symbol, "NASDAQ" in (held.primaryExchange, held.exchange)) == (265598, "AAPL", True)
    assert position == Decimal(5)
    assert rest == [*figures.values(), "DU1"]
    assert one(version, "updateAccountTime", "updateAccountTime", timeStamp="11:30") == ("11:30",)
    assert one(version, "accountDownloadEnd", "accountDownloadEnd", accountName="DU1") == ("DU1",)
    multi = {"reqId": 5, "account": "DU1", "modelCode": "", "key": "SMA", "value": "1.00", "currency": "USD"}
    assert one(version, "accountUpdateMulti", "accountUpdateMulti", **multi) == tuple(multi.values())
    assert one(version, "accountUpdateMultiEnd", "accountUpdateMultiEnd", reqId=5) == (5,)
    arguments = one(
        version,
        "positionMulti",
        "positionMulti",
        reqId=5,
        account="DU1",
        contract=contract,
        position=Decimal(5),
        avgCost=229.1,
        modelCode="",
    )
    held = next(argument for argument in arguments if hasattr(argument, "conId"))
    assert held.symbol == "AAPL"
    assert {5, "DU1", Decimal(5), 229.1} <= {argument for argument in arguments if argument is not held}
    assert one(version, "positionMultiEnd", "positionMultiEnd", reqId=5) == (5,)


def test_profit(version: int) -> None:
    """Absent is IB's largest number, in text as in protobuf."""
    unset = 1.7976931348623157e308
    assert one(version, "pnl", "pnl", reqId=5, dailyPnL=1.5, unrealizedPnL=-2.25) == (5, 1.5, -2.25, unset)
    figures = {"position": Decimal(5), "dailyPnL": 1.5, "unrealizedPnL": 2.0, "realizedPnL": 3.0, "value": 1147.5}
    assert one(version, "pnlSingle", "pnlSingle", reqId=5, **figures) == (5, *figures.values())


def test_protobuf_begins_with_each_family() -> None:
    """Accounts at 207, history at 208, profit at 210."""
    since = {msg_id: ROWS_BY_ID[REPLY, msg_id].protobuf_since for msg_id in FAMILY_IDS}
    assert {since[msg_id] for msg_id in (6, 7, 8, 54, 71, 72, 73, 74)} == {207}
    assert {since[msg_id] for msg_id in (17, 88, 89, 90, 96, 97, 98, 106, 108)} == {208}
    assert {since[msg_id] for msg_id in (94, 95)} == {210}
