"""Profit and loss, of an account and of one position."""

from tws_simulator.wire.row import REPLY, REQUEST, Row

MESSAGES = (
    Row(REQUEST, 92, "reqPnL", 210, "reqId:i account:s modelCode:s", "reqId:i account:s modelCode:s"),
    Row(REQUEST, 93, "cancelPnL", 210, "reqId:i", "reqId:i"),
    Row(
        REPLY,
        94,
        "pnl",
        210,
        "reqId:i dailyPnL:f! unrealizedPnL:f! realizedPnL:f!",
        "reqId:i dailyPnL:f unrealizedPnL:f realizedPnL:f",
    ),
    Row(
        REQUEST,
        94,
        "reqPnLSingle",
        210,
        "reqId:i account:s modelCode:s conId:i=0",
        "reqId:i account:s modelCode:s conId:i",
    ),
    Row(REQUEST, 95, "cancelPnLSingle", 210, "reqId:i", "reqId:i"),
    Row(
        REPLY,
        95,
        "pnlSingle",
        210,
        "reqId:i position:d=0 dailyPnL:f! unrealizedPnL:f! realizedPnL:f! value:f!",
        "reqId:i position:d dailyPnL:f unrealizedPnL:f realizedPnL:f value:f",
    ),
)
