"""Where the market data of an instrument that has none of its own comes from.

Text at server version 206, protobuf at 225: seen in captures. In between, our guess is the family of reference data.
"""

from tws_simulator.wire.row import REPLY, Row

_SINCE = 212
_TEXT = _PROTOBUF = "reqId:i conId:i exchange:s"

MESSAGES = (
    Row(REPLY, 91, "rerouteMktDataReq", _SINCE, _TEXT, _PROTOBUF),
    Row(REPLY, 92, "rerouteMktDepthReq", _SINCE, _TEXT, _PROTOBUF),
)
