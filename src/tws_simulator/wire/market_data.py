"""Level 1 market data: subscriptions and ticks."""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_SUBSCRIPTION = f"""
    =11 reqId:i {CONTRACT}
    ?contract.secType=BAG(contract.comboLegs*(conId:i ratio:i action:s exchange:s))
    contract.deltaNeutralContract&(conId:i delta:f price:f)
    genericTickList:s snapshot:b=0 regulatorySnapshot:b=0 marketDataOptions:o
"""

MESSAGES = (
    Row(
        REQUEST,
        1,
        "reqMktData",
        206,
        _SUBSCRIPTION,
        "reqId:i contract:Contract genericTickList:s snapshot:b regulatorySnapshot:b marketDataOptions:map",
    ),
    Row(REQUEST, 2, "cancelMktData", 206, "=2 reqId:i", "reqId:i"),
    Row(REQUEST, 59, "reqMarketDataType", 206, "=1 marketDataType:i=1", "marketDataType:i"),
    Row(
        REPLY,
        1,
        "tickPrice",
        206,
        "=6 reqId:i tickType:i price:n size:w@..162 size:d@163.. attrMask:i=0",
        "reqId:i tickType:i price:f size:d attrMask:i",
    ),
    Row(REPLY, 2, "tickSize", 206, "=6 reqId:i tickType:i size:w@..162 size:d@163..", "reqId:i tickType:i size:d"),
    Row(REPLY, 45, "tickGeneric", 206, "=6 reqId:i tickType:i value:f=0.0", "reqId:i tickType:i value:f"),
    Row(REPLY, 46, "tickString", 206, "=6 reqId:i tickType:i value:s", "reqId:i tickType:i value:s"),
    Row(REPLY, 57, "tickSnapshotEnd", 206, "=1 reqId:i", "reqId:i"),
    Row(REPLY, 58, "marketDataType", 206, "=1 reqId:i marketDataType:i=1", "reqId:i marketDataType:i"),
    Row(
        REPLY,
        81,
        "tickReqParams",
        206,
        "reqId:i minTick:d bboExchange:s snapshotPermissions:i=0",
        "reqId:i minTick:d bboExchange:s snapshotPermissions:i lastPricePrecision:s lastSizePrecision:s",
    ),
)
