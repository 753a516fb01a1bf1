"""Executions and what they cost."""

from tws_simulator.wire.fragments import HELD_CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_REQUEST = """
    =3 reqId:i executionFilter.clientId:i=0 executionFilter.acctCode:s executionFilter.time:s executionFilter.symbol:s
    executionFilter.secType:s executionFilter.exchange:s executionFilter.side:s
    @200..(executionFilter.lastNDays:i! executionFilter.specificDates*:i)
"""

_DETAILS = f"""
    reqId:i=-1 execution.orderId:i=0 {HELD_CONTRACT}
    execution.execId:s execution.time:s execution.acctNumber:s execution.exchange:s execution.side:s execution.shares:d
    execution.price:n=0 execution.permId:i=0 execution.clientId:i=0 execution.isLiquidation:b=0 execution.cumQty:d
    execution.avgPrice:n=0 execution.orderRef:s execution.evRule:s execution.evMultiplier:n execution.modelCode:s
    execution.lastLiquidity:i=0 execution.isPriceRevisionPending:b=0@178.. execution.submitter:s@198..
"""

MESSAGES = (
    Row(REQUEST, 7, "reqExecutions", 201, _REQUEST, "reqId:i executionFilter:ExecutionFilter"),
    Row(REPLY, 11, "execDetails", 201, _DETAILS, "reqId:i contract:Contract execution:Execution"),
    Row(REPLY, 55, "execDetailsEnd", 201, "=1 reqId:i", "reqId:i"),
    # Not with the executions: the client of 203 reads executions as protobuf and has no reader for this one.
    Row(
        REPLY,
        59,
        "commissionAndFeesReport",
        204,
        "=1 execId:s commissionAndFees:f=0.0 currency:s realizedPNL:f! bondYield:f! yieldRedemptionDate:s",
        "execId:s commissionAndFees:f currency:s realizedPNL:f bondYield:f yieldRedemptionDate:s",
    ),
)
