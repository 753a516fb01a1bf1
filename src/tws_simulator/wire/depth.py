"""Market depth: subscriptions and rows of the book."""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_WHERE = "marketDepthData.operation:i=0 marketDepthData.side:i=0 marketDepthData.price:n=0"
_SIZE = "marketDepthData.size:w@..162 marketDepthData.size:d@163.."

MESSAGES = (
    Row(
        REQUEST,
        10,
        "reqMktDepth",
        206,
        f"=5 reqId:i {CONTRACT} numRows:i=1 isSmartDepth:b=0 marketDepthOptions:o",
        "reqId:i contract:Contract numRows:i isSmartDepth:b marketDepthOptions:map",
    ),
    Row(REQUEST, 11, "cancelMktDepth", 206, "=1 reqId:i isSmartDepth:b=0", "reqId:i isSmartDepth:b"),
    Row(
        REPLY,
        12,
        "updateMktDepth",
        206,
        f"=1 reqId:i marketDepthData.position:i=0 {_WHERE} {_SIZE}",
        "reqId:i marketDepthData:MarketDepthData",
    ),
    Row(
        REPLY,
        13,
        "updateMktDepthL2",
        206,
        f"""
        =1 reqId:i marketDepthData.position:i=0 marketDepthData.marketMaker:s {_WHERE} {_SIZE}
        marketDepthData.isSmartDepth:b=0
        """,
        "reqId:i marketDepthData:MarketDepthData",
    ),
)
