"""The official decoder hands its callbacks the values we wrote, at every version it can agree to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.wire.official_decoder import VERSIONS, one, told

AAPL = {
    "conId": 265598,
    "symbol": "AAPL",
    "secType": "STK",
    "strike": 0.0,
    "exchange": "SMART",
    "currency": "USD",
    "localSymbol": "AAPL",
    "tradingClass": "NMS",
}


@pytest.fixture(params=VERSIONS, ids=lambda version: f"sv{version}")
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_session_messages(version: int) -> None:
    """Ids, accounts, time."""
    assert one(version, "nextValidId", "nextValidId", orderId=42) == (42,)
    assert one(version, "managedAccounts", "managedAccounts", accountsList="DU1") == ("DU1",)
    assert one(version, "currentTime", "currentTime", currentTime=1_795_365_000) == (1_795_365_000,)
    if version >= 197:
        arguments = one(version, "currentTimeInMillis", "currentTimeInMillis", currentTimeInMillis=1_795_365_000_123)
        assert arguments == (1_795_365_000_123,)


def test_errors(version: int) -> None:
    """With the time from 194 on."""
    arguments = one(version, "error", "error", id=7, errorTime=1_795_365_000_123, errorCode=200, errorMsg="No security")
    assert arguments[0] == 7
    assert arguments[1] == (1_795_365_000_123 if version >= 194 else 0)
    assert arguments[2:4] == (200, "No security")


def test_ticks(version: int) -> None:
    """A price brings its size along as a callback of its own."""
    calls = told(version, "tickPrice", reqId=1, tickType=1, price=228.37, size=Decimal(400), attrMask=1)
    assert [name for name, _ in calls] == ["tickPrice", "tickSize"]
    assert calls[0][1][:3] == (1, 1, 228.37)
    assert calls[0][1][3].canAutoExecute
    assert calls[1][1] == (1, 0, Decimal(400))
    assert one(version, "tickSize", "tickSize", reqId=1, tickType=8, size=Decimal(5)) == (1, 8, Decimal(5))
    assert one(version, "tickGeneric", "tickGeneric", reqId=1, tickType=49, value=0.0) == (1, 49, 0.0)
    assert one(version, "tickString", "tickString", reqId=1, tickType=45, value="17") == (1, 45, "17")
    assert one(version, "tickSnapshotEnd", "tickSnapshotEnd", reqId=1) == (1,)
    assert one(version, "marketDataType", "marketDataType", reqId=1, marketDataType=3) == (1, 3)
    parameters = one(
        version,
        "tickReqParams",
        "tickReqParams",
        reqId=1,
        minTick=Decimal("0.01"),
        bboExchange="9c0001",
        snapshotPermissions=3,
    )
    assert (parameters[0], float(parameters[1]), *parameters[2:4]) == (1, 0.01, "9c0001", 3)


def test_contract_details(version: int) -> None:
    """The fields a client relies on, in all three parts of the long message."""
    req_id, details = one(
        version,
        "contractDetails",
        "contractDetails",
        reqId=3,
        contract={**AAPL, "primaryExch": "NASDAQ"},
        contractDetails={
            "marketName": "NMS",
            "minTick": Decimal("0.01"),
            "validExchanges": "SMART,NASDAQ",
            "priceMagnifier": 1,
            "longName": "APPLE INC",
            "timeZoneId": "US/Eastern",
            "liquidHours": "20261122:0000-20261123:0000",
            "marketRuleIds": "26,26",
            "stockType": "COMMON",
            "minSize": Decimal("0.0001"),
            "suggestedSizeIncrement": Decimal(100),
        },
    )
    assert (req_id, details.contract.conId, details.contract.primaryExchange) == (3, 265598, "NASDAQ")
    assert (details.marketName, float(details.minTick), details.longName) == ("NMS", 0.01, "APPLE INC")
    assert (details.timeZoneId, details.marketRuleIds) == ("US/Eastern", "26,26")
    assert details.stockType == ("COMMON" if version >= 152 else "")
    if version >= 164:
        assert (details.minSize, details.suggestedSizeIncrement) == (Decimal("0.0001"), Decimal(100))
    assert one(version, "contractDetailsEnd", "contractDetailsEnd", reqId=3) == (3,)


def test_account_messages(version: int) -> None:
    """Positions carry a signed quantity and an average cost."""
    row = {"reqId": 4, "account": "DU1", "tag": "NetLiquidation", "value": "1000.00", "currency": "USD"}
    assert one(version, "accountSummary", "accountSummary", **row) == tuple(row.values())
    assert one(version, "accountSummaryEnd", "accountSummaryEnd", reqId=4) == (4,)
    account, contract, position, cost = one(
        version, "position", "position", account="DU1", contract=AAPL, position=Decimal(-5), avgCost=228.5
    )
    assert (account, contract.conId, position, cost) == ("DU1", 265598, Decimal(-5), 228.5)
    assert one(version, "positionEnd", "positionEnd") == ()


ORDER = {
    "clientId": 1,
    "orderId": 9,
    "permId": 3_000_000_001,
    "action": "BUY",
    "totalQuantity": Decimal(5),
    "orderType": "LMT",
    "lmtPrice": 228.5,
    "auxPrice": 0.0,
    "tif": "DAY",
    "account": "DU1",
    "orderRef": "mine",
    "outsideRth": True,
    "clearingIntent": "IB",
    "ocaType": 3,
    "exemptCode": -1,
    "deltaNeutralOrderType": "None",
    "adjustedOrderType": "None",
    "trailStopPrice": 229.5,
    "usePriceMgmtAlgo": 0,
    "filledQuantity": Decimal(5),
    "algoStrategy": "Adaptive",
    "algoParams": {"adaptivePriority": "Urgent"},
    "conditions": [{"type": 4, "isConjunctionConnection": True, "isMore": True, "percent": 30}],
    "conditionsIgnoreRth": True,
}


def test_open_orders(version: int) -> None:
    """First, middle and last fields of the longest message are where the official decoder looks for them."""
    order_id, contract, order, state = one(
        version,
        "openOrder",
        "openOrder",
        orderId=9,
        contract=AAPL,
        order={**ORDER, "submitter": "me"},
        orderState={"status": "Submitted", "commissionAndFees": 1.25, "commissionAndFeesCurrency": "USD"},
    )
    assert (order_id, contract.conId, contract.tradingClass) == (9, 265598, "NMS")
    assert (order.permId, order.clientId, order.orderRef) == (3_000_000_001, 1, "mine")
    assert (order.action, order.totalQuantity, order.lmtPrice, order.tif) == ("BUY", Decimal(5), 228.5, "DAY")
    assert (order.algoStrategy, order.algoParams[0].value) == ("Adaptive", "Urgent")
    assert [condition.type() for condition in order.conditions] == [4]
    assert (order.outsideRth, order.conditionsIgnoreRth, order.trailStopPrice) == (True, True, 229.5)
    assert (state.status, state.commissionAndFees, state.commissionAndFeesCurrency) == ("Submitted", 1.25, "USD")
    if version >= 198:
        assert order.submitter == "me"
    assert one(version, "openOrderEnd", "openOrderEnd") == ()


def test_completed_orders(version: int) -> None:
    """Completion time and reason stand near the end of the text form."""
    contract, order, state = one(
        version,
        "completedOrder",
        "completedOrder",
        contract=AAPL,
        order=ORDER,
        orderState={
            "status": "Filled",
            "completedTime": "20261122 11:30:00 US/Eastern",
            "completedStatus": "Filled Size: 5",
        },
    )
    assert (contract.symbol, order.permId, order.filledQuantity) == ("AAPL", 3_000_000_001, Decimal(5))
    assert state.status == "Filled"
    assert state.completedTime == "20261122 11:30:00 US/Eastern"
    assert state.completedStatus == "Filled Size: 5"
    assert one(version, "completedOrdersEnd", "completedOrdersEnd") == ()


def test_order_status(version: int) -> None:
    """Quantities are decimals; permIds may be beyond 2**31."""
    arguments = one(
        version,
        "orderStatus",
        "orderStatus",
        orderId=9,
        status="Filled",
        filled=Decimal(5),
        remaining=Decimal(0),
        avgFillPrice=228.5,
        permId=3_000_000_001,
        parentId=0,
        lastFillPrice=228.5,
        clientId=1,
        mktCapPrice=0.0,
    )
    assert arguments == (9, "Filled", Decimal(5), Decimal(0), 228.5, 3_000_000_001, 0, 228.5, 1, "", 0.0)


def test_executions(version: int) -> None:
    """And their commission, whose realised profit may be unset."""
    req_id, contract, execution = one(
        version,
        "execDetails",
        "execDetails",
        reqId=-1,
        contract=AAPL,
        execution={
            "orderId": 9,
            "execId": "0000e0d5.1.01.01",
            "time": "20261122 11:30:00 US/Eastern",
            "acctNumber": "DU1",
            "exchange": "IEX",
            "side": "BOT",
            "shares": Decimal(5),
            "price": 228.5,
            "permId": 3_000_000_001,
            "clientId": 1,
            "cumQty": Decimal(5),
            "avgPrice": 228.5,
            "orderRef": "mine",
            "lastLiquidity": 2,
        },
    )
    assert (req_id, contract.symbol, execution.execId) == (-1, "AAPL", "0000e0d5.1.01.01")
    assert (execution.shares, execution.price, execution.cumQty) == (Decimal(5), 228.5, Decimal(5))
    assert (execution.orderRef, execution.permId, execution.side) == ("mine", 3_000_000_001, "BOT")
    assert one(version, "execDetailsEnd", "execDetailsEnd", reqId=5) == (5,)
    (report,) = one(
        version,
        "commissionAndFeesReport",
        "commissionAndFeesReport",
        execId="0000e0d5.1.01.01",
        commissionAndFees=1.25,
        currency="USD",
    )
    assert (report.commissionAndFees, report.currency) == (1.25, "USD")
    assert report.realizedPNL in (0.0, 1.7976931348623157e308)
