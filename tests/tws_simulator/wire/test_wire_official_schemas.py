"""The official client's own message definitions and encoders agree with our tables."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from ibapi.const import UNSET_DOUBLE
from ibapi.contract import ComboLeg, Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order, OrderComboLeg
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
from ibapi.scanner import ScannerSubscription
from ibapi.tag_value import TagValue

from tests.tws_simulator.official.official_client import NEWEST, offline_client, order, stock
from tests.tws_simulator.wire.official_decoder import TEXT_VERSIONS, VERSIONS
from tests.tws_simulator.wire.official_names import OFFICIAL_NAMES
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec
from tws_simulator.wire.row import REQUEST, Message, Row
from tws_simulator.wire.types import TYPES

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


def _sent(server_version: int, request: str, *arguments: Any) -> Message:
    client, connection = offline_client(server_version)
    getattr(client, request)(*arguments)
    assert len(connection.sent) == 1, client.calls
    data = connection.sent[0]
    assert struct.unpack_from("!I", data)[0] == len(data) - 4
    return Codec(server_version).decode_request(data[4:], strict=True)


def _option() -> Contract:
    contract = stock("AAPL")
    contract.secType, contract.lastTradeDateOrContractMonth, contract.strike, contract.right = (
        "OPT",
        "20261218",
        150,
        "C",
    )
    contract.multiplier, contract.tradingClass, contract.localSymbol, contract.conId = "100", "AAPL", "AAPL  C150", 77
    return contract


def _scan() -> ScannerSubscription:
    scan = ScannerSubscription()
    scan.numberOfRows, scan.instrument, scan.locationCode, scan.scanCode = 10, "STK", "STK.US.MAJOR", "TOP_PERC_GAIN"
    scan.abovePrice, scan.aboveVolume, scan.stockTypeFilter = 5.0, 1000, "CORP"
    return scan


AAPL, OPTION = stock("AAPL"), _option()
TIMES = ("20261122 09:30:00", "20261122 11:30:00")
REQUESTS: dict[str, tuple[int, tuple[Any, ...]]] = {
    "startApi": (0, ()),
    "reqIds": (0, (1,)),
    "setServerLogLevel": (0, (5,)),
    "reqManagedAccts": (0, ()),
    "reqCurrentTime": (0, ()),
    "reqCurrentTimeInMillis": (197, ()),
    "reqMktData": (0, (21, OPTION, "233,236", False, False, [])),
    "cancelMktData": (0, (21,)),
    "reqMarketDataType": (0, (3,)),
    "reqContractDetails": (0, (21, OPTION)),
    "cancelContractData": (215, (21,)),
    "reqAccountSummary": (0, (21, "All", "NetLiquidation,BuyingPower")),
    "cancelAccountSummary": (0, (21,)),
    "reqPositions": (0, ()),
    "cancelPositions": (0, ()),
    "reqPositionsMulti": (0, (21, "DU1", "model")),
    "cancelPositionsMulti": (0, (21,)),
    "reqAccountUpdates": (0, (True, "DU1")),
    "reqAccountUpdatesMulti": (0, (21, "DU1", "model", True)),
    "cancelAccountUpdatesMulti": (0, (21,)),
    "reqPnL": (0, (21, "DU1", "model")),
    "cancelPnL": (0, (21,)),
    "reqPnLSingle": (0, (21, "DU1", "model", 265598)),
    "cancelPnLSingle": (0, (21,)),
    "placeOrder": (0, (21, AAPL, order("BUY", 10, "LMT", 187.5, "mine"))),
    "cancelOrder": (0, (21, OrderCancel())),
    "reqGlobalCancel": (0, (OrderCancel(),)),
    "reqOpenOrders": (0, ()),
    "reqAllOpenOrders": (0, ()),
    "reqAutoOpenOrders": (0, (True,)),
    "reqExecutions": (0, (21, ExecutionFilter())),
    "reqCompletedOrders": (0, (True,)),
    "reqSmartComponents": (0, (21, "9c0001")),
    "reqMarketRule": (0, (26,)),
    "reqTickByTickData": (0, (21, AAPL, "AllLast", 0, False)),
    "cancelTickByTickData": (0, (21,)),
    "calculateImpliedVolatility": (0, (21, OPTION, 5.0, 150.0, [])),
    "cancelCalculateImpliedVolatility": (0, (21,)),
    "calculateOptionPrice": (0, (21, OPTION, 0.3, 150.0, [])),
    "cancelCalculateOptionPrice": (0, (21,)),
    "exerciseOptions": (0, (21, OPTION, 1, 2, "DU1", 0, "", "", False)),
    "reqMktDepthExchanges": (0, ()),
    "reqMktDepth": (0, (21, AAPL, 10, True, [])),
    "cancelMktDepth": (0, (21, True)),
    "reqNewsBulletins": (0, (True,)),
    "cancelNewsBulletins": (0, ()),
    "requestFA": (0, (1,)),
    "replaceFA": (157, (21, 1, "<groups/>")),
    "reqHistoricalData": (0, (21, AAPL, "", "1 D", "1 hour", "TRADES", 1, 1, False, [])),
    "cancelHistoricalData": (0, (21,)),
    "reqHeadTimeStamp": (0, (21, AAPL, "TRADES", 1, 1)),
    "cancelHeadTimeStamp": (0, (21,)),
    "reqHistogramData": (0, (21, AAPL, True, "3 days")),
    "cancelHistogramData": (0, (21,)),
    "reqHistoricalTicks": (0, (21, AAPL, *TIMES, 10, "TRADES", 1, False, [])),
    "cancelHistoricalTicks": (215, (21,)),
    "reqScannerParameters": (0, ()),
    "reqScannerSubscription": (0, (21, _scan(), [], [TagValue("changePercAbove", "5")])),
    "cancelScannerSubscription": (0, (21,)),
    "reqRealTimeBars": (0, (21, AAPL, 5, "TRADES", True, [])),
    "cancelRealTimeBars": (0, (21,)),
    "reqNewsProviders": (0, ()),
    "reqNewsArticle": (0, (21, "BRFG", "BRFG$1", [])),
    "reqHistoricalNews": (0, (21, 265598, "BRFG", *TIMES, 10, [])),
    "queryDisplayGroups": (0, (21,)),
    "subscribeToGroupEvents": (0, (21, 1)),
    "updateDisplayGroup": (0, (21, "265598@SMART")),
    "unsubscribeFromGroupEvents": (0, (21,)),
    "reqSecDefOptParams": (0, (21, "AAPL", "", "STK", 265598)),
    "reqSoftDollarTiers": (0, (21,)),
    "reqFamilyCodes": (0, ()),
    "reqMatchingSymbols": (0, (21, "AAP")),
    "reqWshMetaData": (161, (21,)),
    "cancelWshMetaData": (161, (21,)),
    "cancelWshEventData": (161, (21,)),
    "reqUserInfo": (167, (21,)),
}
"""From which server version the official client sends it, and with what."""


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in REQUESTS if (REQUEST, name) in ROWS_BY_NAME])
def test_a_request_of_the_official_client_is_read_whole(name: str, server_version: int) -> None:
    """At each version, with the name, the ids and the texts it was sent with."""
    since, arguments = REQUESTS[name]
    if server_version < since:
        return
    message = _sent(server_version, name, *arguments)
    assert message.name == name
    sent = {value for value in arguments if type(value) in (int, str, float) and value}
    contracts = [value for value in arguments if isinstance(value, Contract)]
    assert sent <= set(_leaves(message.values)) | {0, 1}
    for contract in contracts:
        read = message["contract"]
        assert (read["symbol"], read["secType"], read.get("strike")) == (
            contract.symbol,
            contract.secType,
            contract.strike if contract.strike != UNSET_DOUBLE else None,
        )


def _leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not isinstance(value, dict | list):
        yield value
    for item in inner:
        yield from _leaves(item)


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


FIELDS_SINCE = {
    "duration": 158,
    "postToAts": 160,
    "autoCancelParent": 162,
    "advancedErrorOverride": 166,
    "manualOrderTime": 169,
    "customerAccount": 183,
    "professionalCustomer": 184,
    "includeOvernight": 189,
    "manualOrderIndicator": 192,
    "imbalanceOnly": 199,
}


@pytest.mark.parametrize("server_version", VERSIONS)
def test_an_order_with_everything_is_read_with_its_values(server_version: int) -> None:
    """Those that text of that server version has room for, to the last field."""
    rich = _rich_order()
    rich.postToAts, rich.autoCancelParent, rich.advancedErrorOverride = 9, True, "8229=COSTS"
    rich.manualOrderTime, rich.customerAccount, rich.professionalCustomer = "20261122 11:30:00", "C1", True
    rich.includeOvernight, rich.manualOrderIndicator, rich.imbalanceOnly = True, 1, True
    for name, since in FIELDS_SINCE.items():
        if server_version < since:
            setattr(rich, name, getattr(Order(), name))  # the client refuses to send what the gateway cannot read
    message = _sent(server_version, "placeOrder", 9, stock("AAPL"), rich)
    read = message["order"]
    assert message["orderId"] == 9
    assert (message["contract"]["symbol"], message["contract"]["exchange"]) == ("AAPL", "SMART")
    simple = ["action", "orderType", "lmtPrice", "auxPrice", "tif", "goodTillDate", "ocaGroup", "ocaType", "account"]
    simple += ["outsideRth", "parentId", "triggerMethod", "minQty", "percentOffset", "orderRef", "algoStrategy"]
    simple += ["scaleInitLevelSize", "scaleSubsLevelSize", "scalePriceIncrement", "scalePriceAdjustInterval"]
    simple += ["scaleAutoReset", "scaleRandomPercent", "hedgeType", "hedgeParam", "adjustedOrderType", "triggerPrice"]
    simple += ["adjustedStopPrice", "cashQty", "whatIf", "discretionaryAmt", "deltaNeutralOrderType", "modelCode"]
    simple += ["deltaNeutralAuxPrice", "deltaNeutralConId", "conditionsIgnoreRth", "usePriceMgmtAlgo", "totalQuantity"]
    simple += [name for name, since in FIELDS_SINCE.items() if server_version >= since]
    assert {name: read[name] for name in simple} == {name: getattr(rich, name) for name in simple}
    assert (read["algoParams"], read["orderMiscOptions"]) == ({"adaptivePriority": "Urgent"}, {"manual": "1"})
    assert [condition["type"] for condition in read["conditions"]] == [1, 3, 4, 5, 6, 7]
    assert [condition.get("conId") for condition in read["conditions"]] == [265598, None, None, None, 265598, 265598]


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize(("kind", "exchange"), [("PEG BEST", "IBKRATS"), ("PEG MID", "SMART"), ("PEG BENCH", "SMART")])
def test_orders_that_peg_have_fields_of_their_own(server_version: int, kind: str, exchange: str) -> None:
    """In text they stand only in such orders, and those of 170 not before 170."""
    pegged = order("BUY", 100, kind, 10.0)
    pegged.referenceContractId, pegged.peggedChangeAmount, pegged.referenceExchangeId = 265598, 0.5, "NYSE"
    if server_version >= 170:
        pegged.minTradeQty, pegged.minCompeteSize, pegged.competeAgainstBestOffset = 5, 50, float("inf")
        pegged.midOffsetAtWhole, pegged.midOffsetAtHalf = 0.02, 0.01
    read = _sent(server_version, "placeOrder", 9, stock("AAPL", exchange=exchange), pegged)["order"]
    if kind == "PEG BENCH":
        assert (read["referenceContractId"], read["peggedChangeAmount"]) == (265598, 0.5)
    elif server_version >= 170:
        assert (read["midOffsetAtWhole"], read["midOffsetAtHalf"]) == (0.02, 0.01)
    if kind == "PEG BEST" and server_version >= 170:
        assert (read["minTradeQty"], read["competeAgainstBestOffset"]) == (5, float("inf"))


@pytest.mark.parametrize("server_version", VERSIONS)
def test_a_combination_is_read_with_its_legs_and_their_prices(server_version: int) -> None:
    """Text lists the prices after the legs, protobuf within them."""
    spread = stock("SPX")
    spread.secType, spread.comboLegs = "BAG", []
    placed = order("BUY", 1, "LMT", 10.0)
    placed.orderComboLegs = []
    for number, action in enumerate(("BUY", "SELL"), 1):
        leg, price = ComboLeg(), OrderComboLeg()
        leg.conId, leg.ratio, leg.action, leg.exchange, price.price = number, 2, action, "SMART", 1.5 * number
        spread.comboLegs.append(leg)
        placed.orderComboLegs.append(price)
    placed.smartComboRoutingParams = [TagValue("NonGuaranteed", "1")]
    message = _sent(server_version, "placeOrder", 9, spread, placed)
    legs = message["contract"]["comboLegs"]
    assert [(leg["conId"], leg["ratio"], leg["action"], leg["exchange"]) for leg in legs] == [
        (1, 2, "BUY", "SMART"),
        (2, 2, "SELL", "SMART"),
    ]
    assert [leg["perLegPrice"] for leg in legs] == [1.5, 3.0]
    assert message["order"]["smartComboRoutingParams"] == {"NonGuaranteed": "1"}


@pytest.mark.parametrize("server_version", VERSIONS)
def test_cancels_carry_what_their_age_knows(server_version: int) -> None:
    """A manual time from 169 on; operator and indicator from 192 on, then without a message version."""
    cancel = OrderCancel()
    if server_version >= 169:
        cancel.manualOrderCancelTime = "20261122-11:30:00"
    if server_version >= 192:
        cancel.extOperator, cancel.manualOrderIndicator = "me", 1
    read = _sent(server_version, "cancelOrder", 9, cancel)
    assert read["orderId"] == 9
    part = read.get("orderCancel", {})
    assert part.get("manualOrderCancelTime") == ("20261122-11:30:00" if server_version >= 169 else None)
    assert part.get("manualOrderIndicator") == (1 if server_version >= 192 else None)
    everything = OrderCancel()
    if server_version >= 192:
        everything.extOperator, everything.manualOrderIndicator = "me", 1
    part = _sent(server_version, "reqGlobalCancel", everything).get("orderCancel", {})
    assert part.get("extOperator") == ("me" if server_version >= 192 else None)


@pytest.mark.skipif(NEWEST < 203, reason="this release places orders as text only")
@pytest.mark.parametrize("server_version", [version for version in TEXT_VERSIONS if version >= 158])
def test_an_order_with_everything_means_the_same_in_text_and_in_protobuf(server_version: int) -> None:
    """The same Order object, encoded both ways by the official client, read by us."""
    text = _sent(server_version, "placeOrder", 9, stock("AAPL"), _rich_order())["order"]
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
