"""What options are worth: asked for one, and told along with its quotes.

IB writes what is not computed as -1, or as -2 where -1 could be meant, in either form: seen in captures.
"""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_CALCULATIONS = 211

MESSAGES = (
    Row(
        REQUEST,
        54,
        "calculateImpliedVolatility",
        _CALCULATIONS,
        f"=3 reqId:i {CONTRACT} optionPrice:n underPrice:n impliedVolatilityOptions:o",
        "reqId:i contract:Contract optionPrice:f underPrice:f impliedVolatilityOptions:map",
    ),
    Row(
        REQUEST,
        55,
        "calculateOptionPrice",
        _CALCULATIONS,
        f"=3 reqId:i {CONTRACT} volatility:n underPrice:n optionPriceOptions:o",
        "reqId:i contract:Contract volatility:f underPrice:f optionPriceOptions:map",
    ),
    Row(REQUEST, 56, "cancelCalculateImpliedVolatility", _CALCULATIONS, "=1 reqId:i", "reqId:i"),
    Row(REQUEST, 57, "cancelCalculateOptionPrice", _CALCULATIONS, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        21,
        "tickOptionComputation",
        206,
        """
        =6@..155 reqId:i tickType:i tickAttrib:i=0@156.. impliedVol:n=-1 delta:n=-2 optPrice:n=-1 pvDividend:n=-1
        gamma:n=-2 vega:n=-2 theta:n=-2 undPrice:n=-1
        """,
        """
        reqId:i tickType:i tickAttrib:i impliedVol:f delta:f optPrice:f pvDividend:f gamma:f vega:f theta:f undPrice:f
        """,
    ),
)
