"""Historical bars, ticks, schedules, histograms, and how far back they go."""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_ASKED_CONTRACT = f"{CONTRACT} contract.includeExpired:b=0"

_BARS_REQUEST = f"""
    reqId:i {_ASKED_CONTRACT} endDateTime:s barSizeSetting:s duration:s useRTH:b=0 whatToShow:s formatDate:i=1
    ?contract.secType=BAG(contract.comboLegs*(conId:i ratio:i action:s exchange:s)) keepUpToDate:b=0 chartOptions:o
"""

# Up to server version 195 the bars bring their start and end along; from 196 on those are a message of their own.
_BARS = """
    reqId:i startDateStr:s@..195 endDateStr:s@..195
    historicalDataBars*(date:s open:n=0 high:n=0 low:n=0 close:n=0 volume:d WAP:d barCount:i=0)
"""

_BAR_UPDATE = """
    reqId:i historicalDataBar.barCount:i=0 historicalDataBar.date:s historicalDataBar.open:n=0
    historicalDataBar.close:n=0 historicalDataBar.high:n=0 historicalDataBar.low:n=0 historicalDataBar.WAP:d
    historicalDataBar.volume:d
"""

_SCHEDULE = """
    reqId:i startDateTime:s endDateTime:s timeZone:s historicalSessions*(startDateTime:s endDateTime:s refDate:s)
"""

_TICKS_REQUEST = f"""
    reqId:i {_ASKED_CONTRACT} startDateTime:s endDateTime:s numberOfTicks:i=0 whatToShow:s useRTH:b=0 ignoreSize:b=0
    miscOptions:o
"""

# The bits of a quote's attributes stand the other way round than in tick-by-tick data.
_QUOTE_TICKS = """
    reqId:i
    historicalTicksBidAsk*(
        time:i=0 tickAttribBidAsk#askPastHigh|bidPastLow priceBid:n=0 priceAsk:n=0 sizeBid:d=0 sizeAsk:d=0
    )
    isDone:b=0
"""
_TRADE_TICKS = """
    reqId:i
    historicalTicksLast*(
        time:i=0 tickAttribLast#pastLimit|unreported price:n=0 size:d=0 exchange:s specialConditions:s
    )
    isDone:b=0
"""

MESSAGES = (
    Row(
        REQUEST,
        20,
        "reqHistoricalData",
        208,
        _BARS_REQUEST,
        """
        reqId:i contract:Contract endDateTime:s barSizeSetting:s duration:s useRTH:b whatToShow:s formatDate:i
        keepUpToDate:b chartOptions:map
        """,
    ),
    Row(REQUEST, 25, "cancelHistoricalData", 208, "=1 reqId:i", "reqId:i"),
    Row(REPLY, 17, "historicalData", 208, _BARS, "reqId:i historicalDataBars:[HistoricalDataBar]"),
    Row(
        REPLY,
        108,
        "historicalDataEnd",
        208,
        "reqId:i startDateStr:s endDateStr:s",
        "reqId:i startDateStr:s endDateStr:s",
    ),
    Row(REPLY, 90, "historicalDataUpdate", 208, _BAR_UPDATE, "reqId:i historicalDataBar:HistoricalDataBar"),
    Row(
        REPLY,
        106,
        "historicalSchedule",
        208,
        _SCHEDULE,
        "reqId:i startDateTime:s endDateTime:s timeZone:s historicalSessions:[HistoricalSession]",
    ),
    Row(
        REQUEST,
        87,
        "reqHeadTimeStamp",
        208,
        f"reqId:i {_ASKED_CONTRACT} useRTH:b=0 whatToShow:s formatDate:i=1",
        "reqId:i contract:Contract useRTH:b whatToShow:s formatDate:i",
    ),
    Row(REQUEST, 90, "cancelHeadTimeStamp", 208, "reqId:i", "reqId:i"),
    Row(REPLY, 88, "headTimestamp", 208, "reqId:i headTimestamp:s", "reqId:i headTimestamp:s"),
    Row(
        REQUEST,
        88,
        "reqHistogramData",
        208,
        f"reqId:i {_ASKED_CONTRACT} useRTH:b=0 timePeriod:s",
        "reqId:i contract:Contract useRTH:b timePeriod:s",
    ),
    Row(REQUEST, 89, "cancelHistogramData", 208, "reqId:i", "reqId:i"),
    Row(
        REPLY,
        89,
        "histogramData",
        208,
        "reqId:i histogramDataEntries*(price:n=0 size:d=0)",
        "reqId:i histogramDataEntries:[HistogramDataEntry]",
    ),
    Row(
        REQUEST,
        96,
        "reqHistoricalTicks",
        208,
        _TICKS_REQUEST,
        """
        reqId:i contract:Contract startDateTime:s endDateTime:s numberOfTicks:i whatToShow:s useRTH:b ignoreSize:b
        miscOptions:map
        """,
    ),
    Row(REQUEST, 107, "cancelHistoricalTicks", 215, None, "reqId:i"),
    Row(
        REPLY,
        96,
        "historicalTicks",
        208,
        "reqId:i historicalTicks*(time:i=0 =0 price:n=0 size:d=0) isDone:b=0",
        "reqId:i historicalTicks:[HistoricalTick] isDone:b",
    ),
    Row(
        REPLY,
        97,
        "historicalTicksBidAsk",
        208,
        _QUOTE_TICKS,
        "reqId:i historicalTicksBidAsk:[HistoricalTickBidAsk] isDone:b",
    ),
    Row(
        REPLY,
        98,
        "historicalTicksLast",
        208,
        _TRADE_TICKS,
        "reqId:i historicalTicksLast:[HistoricalTickLast] isDone:b",
    ),
)
