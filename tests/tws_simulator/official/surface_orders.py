"""Orders with much in them, as a client may send them: each with other fields."""

from __future__ import annotations

from ibapi.order import Order
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

from tests.tws_simulator.official.official_client import order

_AAPL = 265598
_PATIENT = TagValue("adaptivePriority", "Patient")


def orders_of_all_kinds() -> list[Order]:
    """None of them is to be filled at once, but for MKT, IOC and FOK."""
    return [
        _with(order("BUY", 4, "LMT", 12.5), tif="GTD", goodTillDate="20261201 16:00:00 US/Eastern", outsideRth=True),
        _with(order("BUY", 4, "LMT", 12.5), ocaGroup="either", ocaType=1, orderRef="one of two"),
        _with(order("BUY", 4, "LMT", 12.5), ocaGroup="either", ocaType=1, orderRef="the other"),
        _with(order("BUY", 4, "LMT", 12.5), goodAfterTime="20261123 15:00:00 US/Eastern"),
        _with(order("BUY", 4, "LMT", 12.5), tif="IOC"),
        _with(order("BUY", 4, "LMT", 9000.0), tif="FOK"),
        _with(order("BUY", 4, "LMT", 12.5), tif="OPG"),
        _with(order("BUY", 4, "LMT", 12.5), hidden=True, allOrNone=True, discretionaryAmt=0.05),
        _with(order("BUY", 4, "LMT", 12.5), minQty=2),
        _with(order("BUY", 4, "LMT", 12.5), sweepToFill=True, blockOrder=True, notHeld=True, triggerMethod=2),
        _with(order("SELL", 1, "STP LMT", 4.9), auxPrice=5.0, triggerMethod=4),
        _with(order("SELL", 1, "TRAIL"), trailingPercent=50.0),
        _with(order("SELL", 1, "TRAIL LIMIT"), auxPrice=90.0, trailStopPrice=100.0, lmtPriceOffset=0.5),
        _with(order("SELL", 1, "MOC")),
        _with(order("SELL", 1, "LOC", 900.0)),
        _with(order("BUY", 4, "LMT", 12.5), algoStrategy="Adaptive", algoParams=[_PATIENT]),
        _with(
            order("SELL", 1, "STP"), auxPrice=5.0, adjustedOrderType="STP LMT", triggerPrice=6.0, adjustedStopPrice=5.5,
            adjustedStopLimitPrice=5.4, adjustableTrailingUnit=0,
        ),
        _with(order("BUY", 4, "LMT", 12.5), conditions=_conditions(), conditionsIgnoreRth=True),
        _with(order("BUY", 4, "LMT", 12.5), conditions=_conditions()[:1], conditionsCancelOrder=True),
        _with(order("BUY", 4, "LMT", 12.5), usePriceMgmtAlgo=1, solicited=True, randomizeSize=False, cashQty=0.0),
        _with(order("BUY", 4, "LMT", 12.5), tif="AUC"),
        _with(order("BUY", 4, "LMT", 12.5), account="DU0"),
        _with(order("BUY", 4, "LMT", 12.5), activeStartTime="20261123 10:00:00 US/Eastern"),
        _with(order("HOLD", 4, "LMT", 12.5)),
    ]  # fmt: skip


def _with(made: Order, **fields: object) -> Order:
    for name, value in fields.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def _conditions() -> list[OrderCondition]:
    """Of all six kinds; none holds."""
    made = [
        PriceCondition(2, _AAPL, "SMART", True, 9000.0),
        TimeCondition(True, "20261130 16:00:00 US/Eastern"),
        MarginCondition(False, 1),
        ExecutionCondition("STK", "SMART", "AAPL"),
        VolumeCondition(_AAPL, "SMART", True, 2_000_000_000),
        PercentChangeCondition(_AAPL, "SMART", True, 500.0),
    ]
    for condition in made:
        condition.isConjunctionConnection = True
    return made
