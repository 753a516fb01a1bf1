"""Writes docs/reference/simulator-surface.md from the simulator's own tables: `python scripts/surface_reference.py`."""

from __future__ import annotations

from pathlib import Path

from tws_simulator import GatewayCore, Options
from tws_simulator.api.requests.unsupported import OUTSIDE
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec, frame, join_fields
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.wire.row import REPLY, REQUEST, Direction, Message, Row, message

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "simulator-surface.md"

HEAD = f"""# What the simulator serves

Written by `scripts/surface_reference.py` from the tables the simulator works with; change those, not this page.

Requests have the names of the official client's methods, replies those of its callbacks. Under *protobuf* is the server
version from which a message travels as protobuf; before it, it is text. Under *since* is the one from which it exists;
nothing stands there where that is {OLDEST_SERVER_VERSION}, the oldest that is spoken; {NEWEST_SERVER_VERSION} is the
newest. Any request may be refused, with `error`.
"""

Family = tuple[str, dict[str, str]]

FAMILIES: tuple[Family, ...] = (
    (
        "Session",
        {
            "startApi": "managedAccounts nextValidId error openOrder orderStatus openOrderEnd",
            "reqIds": "nextValidId",
            "reqManagedAccts": "managedAccounts",
            "reqCurrentTime": "currentTime",
            "reqCurrentTimeInMillis": "currentTimeInMillis",
            "setServerLogLevel": "",
            "reqUserInfo": "userInfo",
            "reqConfig": "configResponse",
            "updateConfig": "updateConfigResponse",
        },
    ),
    (
        "Market data",
        {
            "reqMarketDataType": "",
            "reqMktData": """
                tickReqParams marketDataType tickPrice tickSize tickString tickGeneric tickOptionComputation
                tickSnapshotEnd rerouteMktDataReq
            """,
            "cancelMktData": "",
            "calculateImpliedVolatility": "tickOptionComputation",
            "calculateOptionPrice": "tickOptionComputation",
            "cancelCalculateImpliedVolatility": "",
            "cancelCalculateOptionPrice": "",
            "reqMktDepth": "updateMktDepth updateMktDepthL2 rerouteMktDepthReq",
            "cancelMktDepth": "",
            "reqTickByTickData": "tickByTick",
            "cancelTickByTickData": "",
            "reqRealTimeBars": "realtimeBar",
            "cancelRealTimeBars": "",
        },
    ),
    (
        "History",
        {
            "reqHistoricalData": "historicalData historicalDataEnd historicalDataUpdate historicalSchedule",
            "cancelHistoricalData": "",
            "reqHistoricalTicks": "historicalTicks historicalTicksBidAsk historicalTicksLast",
            "cancelHistoricalTicks": "",
            "reqHeadTimeStamp": "headTimestamp",
            "cancelHeadTimeStamp": "",
            "reqHistogramData": "histogramData",
            "cancelHistogramData": "",
        },
    ),
    (
        "Instruments and venues",
        {
            "reqContractDetails": "contractDetails contractDetailsEnd",
            "cancelContractData": "",
            "reqSecDefOptParams": "securityDefinitionOptionParameter securityDefinitionOptionParameterEnd",
            "reqMatchingSymbols": "symbolSamples",
            "reqMarketRule": "marketRule",
            "reqSmartComponents": "smartComponents",
            "reqMktDepthExchanges": "mktDepthExchanges",
            "reqSoftDollarTiers": "softDollarTiers",
            "reqFamilyCodes": "familyCodes",
            "reqNewsProviders": "newsProviders",
        },
    ),
    (
        "Accounts",
        {
            "reqAccountSummary": "accountSummary accountSummaryEnd",
            "cancelAccountSummary": "",
            "reqAccountUpdates": "updateAccountValue updatePortfolio updateAccountTime accountDownloadEnd",
            "reqAccountUpdatesMulti": "accountUpdateMulti accountUpdateMultiEnd",
            "cancelAccountUpdatesMulti": "",
            "reqPositions": "position positionEnd",
            "cancelPositions": "",
            "reqPositionsMulti": "positionMulti positionMultiEnd",
            "cancelPositionsMulti": "",
            "reqPnL": "pnl",
            "cancelPnL": "",
            "reqPnLSingle": "pnlSingle",
            "cancelPnLSingle": "",
        },
    ),
    (
        "Orders",
        {
            "placeOrder": "openOrder orderStatus execDetails commissionAndFeesReport",
            "cancelOrder": "openOrder orderStatus error",
            "reqGlobalCancel": "openOrder orderStatus error",
            "reqOpenOrders": "openOrder orderStatus openOrderEnd orderBound",
            "reqAllOpenOrders": "openOrder orderStatus openOrderEnd",
            "reqAutoOpenOrders": "orderBound",
            "reqCompletedOrders": "completedOrder completedOrdersEnd orderStatus",
            "reqExecutions": "execDetails commissionAndFeesReport execDetailsEnd",
        },
    ),
)
"""What answers each request, refusals apart; nothing answers a cancel."""

SINCE = {
    "historicalSchedule": 165,
    "reqUserInfo": 167,
    "userInfo": 167,
    "historicalDataEnd": 196,
    "reqCurrentTimeInMillis": 197,
    "currentTimeInMillis": 197,
}
"""Of what has a text form, and not at all server versions."""

CALLBACKS = {
    "tickByTick": "tickByTickAllLast tickByTickBidAsk tickByTickMidPoint",
    "tickPrice": "tickPrice tickSize",
    "configResponse": "configResponseProtoBuf",
    "updateConfigResponse": "updateConfigResponseProtoBuf",
}
"""The callbacks of the official client, where they are not of the reply's name."""

_NOON_NS = 1_795_365_000_000_000_000
_REQUEST_ID = 77
_TEXT_VERSION = 200


def page() -> str:
    parts = [HEAD]
    for title, requests in FAMILIES:
        parts.append(f"## {title}\n\n{_requests(requests)}\n\n{_replies(requests)}\n")
    parts.append(_outside())
    return "\n".join(parts)


def _requests(requests: dict[str, str]) -> str:
    head = "| request | id | since | protobuf | is answered by |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{name}` | {_row(REQUEST, name)} | {', '.join(f'`{reply}`' for reply in replies.split()) or '—'} |"
        for name, replies in requests.items()
    )


def _replies(requests: dict[str, str]) -> str:
    """Each reply once, in its first family."""
    head = "| reply | id | since | protobuf | callbacks |\n|---|---|---|---|---|\n"
    names = dict.fromkeys(reply for replies in requests.values() for reply in replies.split())
    return head + "\n".join(
        f"| `{name}` | {_row(REPLY, name)} | {', '.join(f'`{each}`' for each in _callbacks(name))} |" for name in names
    )


def _callbacks(reply: str) -> list[str]:
    return CALLBACKS.get(reply, reply).split()


def _row(direction: Direction, name: str) -> str:
    row: Row = ROWS_BY_NAME[direction, name]
    since = row.protobuf_since if row.text is None else SINCE.get(name, "")
    return f"{row.msg_id} | {since} | {row.protobuf_since}"


def _outside() -> str:
    head = (
        "## Not served\n\nThese requests get the error that stands here, with the request's id where it has one.\n\n"
        "| request | id | error | with its id |\n|---|---|---|---|\n"
    )
    return head + "\n".join(_refused(msg_id, outside.name) for msg_id, outside in OUTSIDE.items()) + "\n"


def _refused(msg_id: int, name: str) -> str:
    told = refusal(msg_id)
    if told is None:
        return f"| `{name}` | {msg_id} | none, it is silent | — |"
    own = "yes" if told["id"] == _REQUEST_ID else "no"
    text = told["errorMsg"].replace(str(_REQUEST_ID), "…")
    return f"| `{name}` | {msg_id} | {told['errorCode']} {text} | {own} |"


def refusal(msg_id: int) -> Message | None:
    """What a gateway of text says to the request, asked with request id 77."""
    core = GatewayCore(Options(server_version=_TEXT_VERSION), _NOON_NS)
    session, codec = core.connect(), Codec(_TEXT_VERSION)
    assert session is not None
    core.receive(session, b"API\0" + frame(f"v100..{_TEXT_VERSION}".encode()), _NOON_NS)
    core.receive(session, frame(codec.encode_request(message("startApi", clientId=1))), _NOON_NS)
    session.take_output()
    core.receive(session, frame(join_fields([str(msg_id), *[str(_REQUEST_ID)] * 4])), _NOON_NS)
    output = session.take_output()
    return codec.decode_reply(output[4:]) if output else None


if __name__ == "__main__":
    PAGE.write_text(page())
