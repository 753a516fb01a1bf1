"""The official client's own message definitions and encoders agree with our tables."""

from __future__ import annotations

import importlib
import struct
from decimal import Decimal
from typing import Any

import pytest
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.order_cancel import OrderCancel
from ibapi.order_condition import (
    ExecutionCondition,
    MarginCondition,
    OrderCondition,
    PercentChangeCondition,
    PriceCondition,
    TimeCondition,
    VolumeCondition,
)
from ibapi.tag_value import TagValue

from tests.tws_simulator.official_client import NEWEST, offline_client, order, stock
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec
from tws_simulator.wire.row import REQUEST, Message, Row
from tws_simulator.wire.types import TYPES

OFFICIAL_NAMES = {
    "startApi": "StartApiRequest",
    "reqIds": "IdsRequest",
    "setServerLogLevel": "SetServerLogLevelRequest",
    "reqManagedAccts": "ManagedAccountsRequest",
    "reqCurrentTime": "CurrentTimeRequest",
    "reqCurrentTimeInMillis": "CurrentTimeInMillisRequest",
    "error": "ErrorMessage",
    "reqMktData": "MarketDataRequest",
    "cancelMktData": "CancelMarketData",
    "reqMarketDataType": "MarketDataTypeRequest",
    "reqContractDetails": "ContractDataRequest",
    "contractDetails": "ContractData",
    "contractDetailsEnd": "ContractDataEnd",
    "reqAccountSummary": "AccountSummaryRequest",
    "reqPositions": "PositionsRequest",
    "placeOrder": "PlaceOrderRequest",
    "cancelOrder": "CancelOrderRequest",
    "reqGlobalCancel": "GlobalCancelRequest",
    "reqOpenOrders": "OpenOrdersRequest",
    "reqAllOpenOrders": "AllOpenOrdersRequest",
    "reqAutoOpenOrders": "AutoOpenOrdersRequest",
    "reqCompletedOrders": "CompletedOrdersRequest",
    "openOrderEnd": "OpenOrdersEnd",
    "reqExecutions": "ExecutionRequest",
    "execDetails": "ExecutionDetails",
    "execDetailsEnd": "ExecutionDetailsEnd",
}
KINDS = {"TYPE_INT32": "i", "TYPE_INT64": "i", "TYPE_BOOL": "b", "TYPE_DOUBLE": "fnx", "TYPE_STRING": "sd"}
SCHEMAS = {
    **{OFFICIAL_NAMES.get(row.name, row.name[0].upper() + row.name[1:]): row.protobuf for row in ROWS_BY_NAME.values()},
    **TYPES,
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_equals_the_official_definition(name: str) -> None:
    """Name, number and type of every field the installed release knows; ours may know later ones too."""
    try:
        module = importlib.import_module(f"ibapi.protobuf.{name}_pb2")
    except ModuleNotFoundError:
        pytest.skip(f"this release has no {name}")
    official = sorted(getattr(module, name).DESCRIPTOR.fields, key=lambda field: field.number)
    ours = [token.split(":") for token in SCHEMAS[name].split()]
    assert [field.number for field in official] == list(range(1, len(official) + 1))
    assert [field.name for field in official] == [field[0] for field in ours[: len(official)]]
    for field, (_, kind) in zip(official, ours, strict=False):
        assert _same_kind(field, kind), f"{name}.{field.name} is {kind}"


def _same_kind(field: Any, kind: str) -> bool:
    names = {getattr(type(field), t, None) or getattr(field, t): t for t in (*KINDS, "TYPE_MESSAGE")}
    official = names[field.type]
    if kind == "map":
        return bool(field.message_type.GetOptions().map_entry)
    if official == "TYPE_MESSAGE":
        return bool(field.message_type.name == kind.strip("[]"))
    return kind.strip("[]") in KINDS[official]


VERSIONS = [version for version in (176, 183, 187, 190, 200, 203, 206, 210, 213, 226) if version <= NEWEST]


def _sent(server_version: int, request: str, *arguments: Any) -> Message:
    client, connection = offline_client(server_version)
    getattr(client, request)(*arguments)
    assert len(connection.sent) == 1, client.calls
    data = connection.sent[0]
    assert struct.unpack_from("!I", data)[0] == len(data) - 4
    return Codec(server_version).decode_request(data[4:], strict=True)


def _requests(server_version: int) -> list[tuple[str, str, tuple[Any, ...]]]:
    aapl = stock("AAPL")
    requests: list[tuple[str, str, tuple[Any, ...]]] = [
        ("startApi", "startApi", ()),
        ("reqIds", "reqIds", (1,)),
        ("setServerLogLevel", "setServerLogLevel", (5,)),
        ("reqManagedAccts", "reqManagedAccts", ()),
        ("reqCurrentTime", "reqCurrentTime", ()),
        ("reqMktData", "reqMktData", (1, aapl, "233,236", False, False, [])),
        ("cancelMktData", "cancelMktData", (1,)),
        ("reqMarketDataType", "reqMarketDataType", (3,)),
        ("reqContractDetails", "reqContractDetails", (2, aapl)),
        ("reqAccountSummary", "reqAccountSummary", (3, "All", "NetLiquidation,BuyingPower")),
        ("cancelAccountSummary", "cancelAccountSummary", (3,)),
        ("reqPositions", "reqPositions", ()),
        ("cancelPositions", "cancelPositions", ()),
        ("placeOrder", "placeOrder", (4, aapl, order("BUY", 10, "LMT", 187.5, "mine"))),
        ("cancelOrder", "cancelOrder", (4, OrderCancel())),
        ("reqGlobalCancel", "reqGlobalCancel", (OrderCancel(),)),
        ("reqOpenOrders", "reqOpenOrders", ()),
        ("reqAllOpenOrders", "reqAllOpenOrders", ()),
        ("reqAutoOpenOrders", "reqAutoOpenOrders", (True,)),
        ("reqExecutions", "reqExecutions", (5, ExecutionFilter())),
        ("reqCompletedOrders", "reqCompletedOrders", (True,)),
    ]
    if server_version >= 197:
        requests.append(("reqCurrentTimeInMillis", "reqCurrentTimeInMillis", ()))
    return requests


@pytest.mark.parametrize("server_version", VERSIONS)
def test_every_request_of_the_official_client_is_read_whole(server_version: int) -> None:
    """At each version, with the ids and names it was sent with; and no request is missing from the list."""
    seen = set()
    for name, method, arguments in _requests(server_version):
        message = _sent(server_version, method, *arguments)
        assert message.name == name
        ids = [value for value in arguments if type(value) is int]
        if ids and name not in ("reqIds",):
            assert ids[0] in message.values.values()
        seen.add(name)
    known = {name for direction, name in ROWS_BY_NAME if direction == REQUEST}
    assert known - seen <= {"reqCurrentTimeInMillis"}


def _rich_order() -> Order:
    rich = order("SELL", 7, "STP LMT", 101.25, "rich")
    rich.auxPrice, rich.tif, rich.goodTillDate = 102.5, "GTD", "20261231 23:59:59 US/Eastern"
    rich.ocaGroup, rich.ocaType, rich.account, rich.outsideRth = "pair", 1, "DU9000001", True
    rich.parentId, rich.triggerMethod, rich.minQty, rich.percentOffset = 3, 4, 2, 0.01
    rich.algoStrategy, rich.algoParams = "Adaptive", [TagValue("adaptivePriority", "Urgent")]
    rich.orderMiscOptions = [TagValue("manual", "1")]
    rich.scaleInitLevelSize, rich.scaleSubsLevelSize, rich.scalePriceIncrement = 5, 3, 0.5
    rich.scalePriceAdjustInterval, rich.scaleAutoReset, rich.scaleRandomPercent = 60, True, True
    rich.hedgeType, rich.hedgeParam = "B", "0.5"
    rich.adjustedOrderType, rich.triggerPrice, rich.adjustedStopPrice = "STP", 99.0, 98.5
    rich.cashQty, rich.whatIf, rich.discretionaryAmt = 1000.0, True, 0.05
    rich.deltaNeutralOrderType, rich.deltaNeutralAuxPrice, rich.deltaNeutralConId = "LMT", 1.0, 77
    rich.duration, rich.usePriceMgmtAlgo, rich.modelCode = 600, True, "model"
    rich.conditionsIgnoreRth = True
    rich.conditions = [
        _with(PriceCondition(2, 265598, "SMART", True, 250.0), OrderCondition.And),
        _with(TimeCondition(True, "20261231 12:00:00 US/Eastern"), OrderCondition.Or),
        _with(MarginCondition(False, 30), OrderCondition.And),
        _with(ExecutionCondition("STK", "SMART", "AAPL"), OrderCondition.Or),
        _with(VolumeCondition(265598, "SMART", True, 1000), OrderCondition.And),
        _with(PercentChangeCondition(265598, "SMART", True, 2.5), OrderCondition.And),
    ]
    return rich


def _with(condition: OrderCondition, connector: Any) -> OrderCondition:
    connector(condition)
    return condition


@pytest.mark.skipif(NEWEST < 203, reason="this release places orders as text only")
def test_an_order_with_everything_means_the_same_in_text_and_in_protobuf() -> None:
    """The same Order object, encoded both ways by the official client, read by us."""
    text = _sent(200, "placeOrder", 9, stock("AAPL"), _rich_order())["order"]
    protobuf = _sent(203, "placeOrder", 9, stock("AAPL"), _rich_order())["order"]
    assert len(text["conditions"]) == 6
    for name, value in protobuf.items():
        if not value or name == "softDollarTier":
            continue  # protobuf may say zero where text says nothing
        assert name in text, f"{name}={value} is not in the text form"
        assert text[name] == value, name


def test_the_official_protobuf_classes_read_what_we_write() -> None:
    """An openOrder through OpenOrder_pb2, with nothing unknown to it."""
    from ibapi.protobuf.OpenOrder_pb2 import OpenOrder

    row: Row = ROWS_BY_NAME["reply", "openOrder"]
    state = {"status": "Submitted", "commissionAndFees": 1.0}
    values = {
        "orderId": 8,
        "contract": {"conId": 265598, "symbol": "AAPL"},
        "order": {"permId": 2**40, "totalQuantity": Decimal("3"), "exemptCode": -1, "algoParams": {"a": "b"}},
        "orderState": state,
    }
    read = OpenOrder()
    read.ParseFromString(Codec(max(NEWEST, 203)).encode_reply(Message(row.name, values))[4:])
    assert (read.orderId, read.contract.conId, read.order.permId) == (8, 265598, 2**40)
    assert (read.order.totalQuantity, read.order.exemptCode, dict(read.order.algoParams)) == ("3", -1, {"a": "b"})
    assert read.orderState.status == "Submitted"
