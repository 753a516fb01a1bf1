"""Five-second bars, as they come about."""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

MESSAGES = (
    Row(
        REQUEST,
        50,
        "reqRealTimeBars",
        208,
        f"=3 reqId:i {CONTRACT} barSize:i=5 whatToShow:s useRTH:b=0 realTimeBarsOptions:o",
        "reqId:i contract:Contract barSize:i whatToShow:s useRTH:b realTimeBarsOptions:map",
    ),
    Row(REQUEST, 51, "cancelRealTimeBars", 208, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        50,
        "realtimeBar",
        208,
        """
        =3 reqId:i time:i=0 open:p=0.00 high:p=0.00 low:p=0.00 close:p=0.00 volume:w@..162 volume:d@163.. WAP:d
        count:i=0
        """,
        "reqId:i time:i open:f high:f low:f close:f volume:d WAP:d count:i",
    ),
)
