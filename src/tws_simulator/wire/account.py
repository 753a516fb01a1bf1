"""Account summary and positions."""

from tws_simulator.wire.fragments import HELD_CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

MESSAGES = (
    Row(REQUEST, 62, "reqAccountSummary", 207, "=1 reqId:i group:s tags:s", "reqId:i group:s tags:s"),
    Row(REQUEST, 63, "cancelAccountSummary", 207, "=1 reqId:i", "reqId:i"),
    Row(REQUEST, 61, "reqPositions", 207, "=1", ""),
    Row(REQUEST, 64, "cancelPositions", 207, "=1", ""),
    Row(
        REPLY,
        63,
        "accountSummary",
        207,
        "=1 reqId:i account:s tag:s value:s currency:s",
        "reqId:i account:s tag:s value:s currency:s",
    ),
    Row(REPLY, 64, "accountSummaryEnd", 207, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        61,
        "position",
        207,
        f"=3 account:s {HELD_CONTRACT} position:d avgCost:f=0.0",
        "account:s contract:Contract position:d avgCost:f",
    ),
    Row(REPLY, 62, "positionEnd", 207, "=1", ""),
)
