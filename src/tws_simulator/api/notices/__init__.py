"""What the gateway says in errors, warnings and notices: a code and a text each, every text once.

Wordings were seen in captures or in logs of users of real gateways, unless a comment says otherwise.
"""

from __future__ import annotations

from tws_simulator.wire.row import NO_REQUEST, Message, message
from tws_simulator.world.orders.notices import DISCARDED

__all__ = ["DUPLICATE_TICKER_ID", "NO_REQUEST", "Notice", "error", "invalid", "unknown_ticker_id"]

Notice = tuple[int, str]
"""A code and its text."""

# Orders' messages carry whole seconds, all others milliseconds, also the 202 of an order that was never transmitted:
# seen in captures of server version 225.
_WHOLE_SECOND_CODES = frozenset({201, 202, 399, 10167})


def error(msg_id: int, notice: Notice, now_ns: int) -> Message:
    code, text = notice
    time_ms = now_ns // 1_000_000
    if code in _WHOLE_SECOND_CODES and notice != DISCARDED:
        time_ms -= time_ms % 1000
    return message("error", id=msg_id, errorTime=time_ms, errorCode=code, errorMsg=text)


def invalid(cause: str) -> Notice:
    return 321, f"Error validating request.-'aa' : cause - {cause}"


def unknown_ticker_id(req_id: int) -> Notice:
    return 300, f"Can't find EId with tickerId:{req_id}"


DUPLICATE_TICKER_ID = (102, "Duplicate ticker id")
