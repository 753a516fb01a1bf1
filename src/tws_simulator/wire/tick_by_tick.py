"""Tick-by-tick data: subscriptions and ticks.

One message carries all kinds: type 1 is a last trade, 2 any trade, 3 bid and ask, 4 the midpoint.
"""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_TICK = """
    reqId:i tickType:i=0
    ?tickType=1|2(
        historicalTickLast.time:i=0 historicalTickLast.price:p=0.00
        historicalTickLast.size:w@..162 historicalTickLast.size:d@163..
        historicalTickLast.tickAttribLast#pastLimit|unreported
        historicalTickLast.exchange:s historicalTickLast.specialConditions:s
    )
    ?tickType=3(
        historicalTickBidAsk.time:i=0 historicalTickBidAsk.priceBid:p=0.00 historicalTickBidAsk.priceAsk:p=0.00
        historicalTickBidAsk.sizeBid:w@..162 historicalTickBidAsk.sizeBid:d@163..
        historicalTickBidAsk.sizeAsk:w@..162 historicalTickBidAsk.sizeAsk:d@163..
        historicalTickBidAsk.tickAttribBidAsk#bidPastLow|askPastHigh
    )
    ?tickType=4(historicalTickMidPoint.time:i=0 historicalTickMidPoint.price:p=0.00)
"""

MESSAGES = (
    Row(
        REQUEST,
        97,
        "reqTickByTickData",
        208,
        f"reqId:i {CONTRACT} tickType:s numberOfTicks:i=0 ignoreSize:b=0",
        "reqId:i contract:Contract tickType:s numberOfTicks:i ignoreSize:b",
    ),
    Row(REQUEST, 98, "cancelTickByTickData", 208, "reqId:i", "reqId:i"),
    Row(
        REPLY,
        99,
        "tickByTick",
        208,
        _TICK,
        """
        reqId:i tickType:i historicalTickLast:HistoricalTickLast historicalTickBidAsk:HistoricalTickBidAsk
        historicalTickMidPoint:HistoricalTick
        """,
    ),
)
