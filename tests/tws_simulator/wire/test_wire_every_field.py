"""Every field of the long replies is where the official decoder looks for it, at every age of the protocol."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any

import pytest

from tests.tws_simulator.official.official_client import NEWEST
from tests.tws_simulator.wire.official_decoder import VERSIONS, one, told
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec
from tws_simulator.wire.row import REPLY, Message, Row
from tws_simulator.wire.types import TYPES

CONDITIONS = [
    {
        "type": 1,
        "isConjunctionConnection": True,
        "isMore": True,
        "price": 250.5,
        "conId": 8,
        "exchange": "SMART",
        "triggerMethod": 4,
    },
    {"type": 3, "isConjunctionConnection": False, "isMore": True, "time": "20261231 12:00:00 US/Eastern"},
    {"type": 4, "isConjunctionConnection": True, "isMore": False, "percent": 30},
    {"type": 5, "isConjunctionConnection": False, "secType": "STK", "exchange": "SMART", "symbol": "AAPL"},
    {"type": 6, "isConjunctionConnection": True, "isMore": True, "volume": 1000, "conId": 8, "exchange": "SMART"},
    {"type": 7, "isConjunctionConnection": True, "isMore": True, "changePercent": 2.5, "conId": 8, "exchange": "SMART"},
]
CHOSEN = {
    "secType": "FUND",
    "orderType": "PEG BENCH",
    "lastTradeDateOrContractMonth": "20261218",
    "lastTradeDate": "20261218",
    "fundDistributionPolicyIndicator": "N",
    "fundAssetType": "001",
    "conditions": CONDITIONS,
    "strike": 150.0,
    "right": "C",
    "evMultiplier": 3.0,
    "yieldRedemptionDate": "20311231",
    "lastPricePrecision": "0.01",
    "lastSizePrecision": "1",
}
NAMES = {
    "primaryExch": "primaryExchange",
    "fundMinimumSubsequentPurchase": "fundSubsequentMinimumPurchase",
    "isLiquidation": "liquidation",
    "isPriceRevisionPending": "pendingPriceRevision",
    "shortSalesSlot": "shortSaleSlot",
    "id": "id_",
    "type": "condType",
    "value": "val",
}
"""Where the official client's name for a field differs from that of the protobuf message."""
FLAGS = {"usePriceMgmtAlgo", "routeMarketableToBbo"}
"""Numbers of which the official client keeps in text whether they are zero."""
NOT_KEPT = {"mdSizeMultiplier", "deltaNeutralContract"}


def filled(schema: str, numbers: count[int]) -> dict[str, Any]:
    """Every field with a value that no other has."""
    values: dict[str, Any] = {}
    for token in schema.split():
        name, _, kind = token.partition(":")
        values[name] = CHOSEN[name] if name in CHOSEN else _value(name, kind, numbers)
    return values


def _value(name: str, kind: str, numbers: count[int]) -> Any:
    if kind.startswith("["):
        return [_value(name, kind.strip("[]"), numbers) for _ in range(2)]
    if kind in TYPES:
        return filled(TYPES[kind], numbers)
    number = next(numbers)
    if kind == "b":
        return True
    if kind == "map":
        return {f"tag{number}": f"value{number}", f"tag{number}b": "other"}
    return {"i": number, "f": number + 0.25, "x": number + 0.25, "n": float(number), "d": Decimal(f"{number}.5")}.get(
        kind, f"{name}{number}"
    )


def carried(version: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """What of the values the text of that version has room for; protobuf has room for everything that text has."""
    codec = Codec(min(version, 200))
    return codec.decode_reply(codec.encode_reply(Message(name, values)), strict=True).values


def differences(values: dict[str, Any], official: Any, path: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        content = getattr(official, NAMES.get(name, name), "no such attribute")
        if isinstance(content, list) and not isinstance(value, str):
            found += _differing_items(value, content, path + name)
        elif isinstance(value, dict):
            found += differences(value, content, f"{path}{name}.")
        elif not _same(name, value, content):
            found.append(f"{path}{name}: {value!r} told as {content!r}")
    return found


def _differing_items(value: Any, content: list[Any], path: str) -> list[str]:
    if isinstance(value, dict):
        pairs = {pair.tag: pair.value for pair in content}
        return [] if pairs == value else [f"{path}: {value} told as {pairs}"]
    if len(content) != len(value):
        return [f"{path}: {len(value)} told as {len(content)}"]
    return [
        found
        for number, (part, part_content) in enumerate(zip(value, content, strict=True))
        for found in differences(part, part_content, f"{path}[{number}].")
    ]


def _same(name: str, value: Any, content: Any) -> bool:
    if name in NOT_KEPT:
        return True
    if name in FLAGS:
        return bool(value) is bool(content)
    if isinstance(content, Enum):
        return bool(content.value[0] == value)
    if isinstance(value, float | Decimal) and content != "no such attribute":
        return float(content) == float(value)
    return bool(content == value)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"sv{version}")
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def _values(**schemas: str) -> dict[str, Any]:
    numbers = count(11)
    return {name: filled(TYPES[schema], numbers) for name, schema in schemas.items()}


def test_contract_details(version: int) -> None:
    """Of a fund, which has the most. What 163 alone sends before the three sizes, the client throws away."""
    values = {"reqId": 3, **_values(contract="Contract", contractDetails="ContractDetails")}
    has = carried(version, "contractDetails", values)
    if version == 163:
        del has["contractDetails"]["minSize"]
    req_id, details = one(version, "contractDetails", "contractDetails", **values)
    assert req_id == 3
    assert differences(has["contract"], details.contract) == []
    assert differences(has["contractDetails"], details) == []


def test_open_orders(version: int) -> None:
    """With every kind of condition, legs, an algorithm, a hedge and what a preview tells."""
    values = {"orderId": 3, **_values(contract="Contract", order="Order", orderState="OrderState")}
    has = carried(version, "openOrder", values)
    order_id, *parts = one(version, "openOrder", "openOrder", **values)
    assert order_id == 3
    _expect_parts(has, parts)


def test_completed_orders(version: int) -> None:
    """They leave out some of an open order, and end with how it ended."""
    values = _values(contract="Contract", order="Order", orderState="OrderState")
    has = carried(version, "completedOrder", values)
    _expect_parts(has, list(one(version, "completedOrder", "completedOrder", **values)))


def _expect_parts(has: dict[str, Any], parts: list[Any]) -> None:
    """The official client keeps the prices of legs with the order."""
    prices = [leg.pop("perLegPrice") for leg in has["contract"]["comboLegs"]]
    for name, official in zip(("contract", "order", "orderState"), parts, strict=True):
        assert differences(has[name], official) == []
    assert [leg.price for leg in parts[1].orderComboLegs] == prices


def test_executions(version: int) -> None:
    """With all that came to them later."""
    values = {"reqId": 3, **_values(contract="Contract", execution="Execution")}
    has = carried(version, "execDetails", values)
    req_id, contract, execution = one(version, "execDetails", "execDetails", **values)
    assert req_id == 3
    assert differences(has["contract"], contract) == []
    assert differences(has["execution"], execution) == []


DIFFERENT_BY_DESIGN = {
    "updatePortfolio": "what is the primary exchange in text is the exchange in protobuf",
    "tickByTick": "one message of three kinds, each with fields of its own",
    "smartComponents": "the official client makes objects of them in text and a dictionary in protobuf",
    "historicalData": "its end is a message of its own from 196 on",
}
REPLIES = [
    row
    for (direction, name), row in ROWS_BY_NAME.items()
    if direction == REPLY and row.text is not None and name not in DIFFERENT_BY_DESIGN
]


@pytest.mark.skipif(NEWEST < 226, reason="this release reads text only")
@pytest.mark.parametrize("row", REPLIES, ids=lambda row: row.name)
def test_text_and_protobuf_make_the_same_callbacks(row: Row) -> None:
    """Whatever text has room for is told the same at 200 as at 213 and 226."""
    values = carried(200, row.name, filled(row.protobuf, count(11)))
    at_200, at_213, at_226 = (_plain(told(version, row.name, **values)) for version in (200, 213, 226))
    assert at_200
    assert at_213 == at_226
    assert at_200 == at_213


def _plain(value: Any) -> Any:
    """Objects of the official client as what is in them; protobuf's maps have no order."""
    if isinstance(value, list | tuple):
        pairs = bool(value) and all(hasattr(item, "tag") for item in value)
        return [_plain(item) for item in (sorted(value, key=lambda item: item.tag) if pairs else value)]
    if isinstance(value, Enum) or not hasattr(value, "__dict__"):
        return value
    return {name: bool(content) if name in FLAGS else _plain(content) for name, content in vars(value).items()}
