"""The codes and wordings with which the gateway refuses, warns and informs."""

from __future__ import annotations

from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.universe import Listing

# Orders' messages carry whole seconds, all others milliseconds: seen in captures of server version 225.
_WHOLE_SECOND_CODES = frozenset({201, 202, 399, 10167})
NO_REQUEST = -1

Notice = tuple[int, str]
"""A code and its text."""

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)
TOO_MANY_LINES = (101, "Max number of tickers has been reached")
CLIENT_ID_IN_USE = (326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
UNKNOWN_CONTRACT = (200, "No security definition has been found for the request")
DUPLICATE_TICKER_ID = (102, "Duplicate ticker id")
SHOWING_DELAYED = (10167, "Requested market data is not subscribed. Displaying delayed market data.")
ACCOUNT_UNSUBSCRIBED = (2100, "API client has been unsubscribed from account data.")
TOO_MANY_SUMMARIES = (
    322,
    "Error processing request.-'bS' : cause - Maximum number of account summary requests exceeded",
)


def not_subscribed(listing: Listing) -> tuple[int, str]:
    return 10089, (
        "Requested market data requires additional subscription for API. See link in 'Market Data Connections' dialog "
        "for more details.Delayed market data is available."
        f"{listing.symbol} {listing.primary_exchange}.{listing.market_name}/TOP/ALL"
    )


def ambiguous(symbol: str) -> tuple[int, str]:
    return 200, f"The contract description specified for {symbol} is ambiguous."


def unknown_ticker_id(req_id: int) -> tuple[int, str]:
    return 300, f"Can't find EId with tickerId:{req_id}"


def invalid(cause: str) -> tuple[int, str]:
    return 321, f"Error validating request.-'aa' : cause - {cause}"


def unreadable(cause: str) -> tuple[int, str]:
    return 320, f"Error reading request. {cause}"


READ_ONLY = invalid("The API interface is currently in Read-Only mode.")


def error(msg_id: int, code_and_text: tuple[int, str], now_ns: int) -> Message:
    code, text = code_and_text
    time_ms = now_ns // 1_000_000
    if code in _WHOLE_SECOND_CODES:
        time_ms -= time_ms % 1000
    return message("error", id=msg_id, errorTime=time_ms, errorCode=code, errorMsg=text)
