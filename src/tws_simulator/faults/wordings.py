"""IB's wordings of the codes that scenarios use: those of the gateway's own, and of what it never says by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tws_simulator.api.notices import NO_REQUEST, Notice, market_data, reference, session
from tws_simulator.world.orders import notices as orders

_MESSAGES_PER_SECOND: Final = 50
_DEPTHS: Final = 3

_SAID: Final[dict[int, str]] = dict(
    [
        *session.FARMS,
        session.CLIENT_ID_IN_USE,
        session.too_many_messages(_MESSAGES_PER_SECOND, _MESSAGES_PER_SECOND + 1, 1),
        market_data.TOO_MANY_LINES,
        market_data.TOO_MANY_TICK_BY_TICK,
        market_data.too_many_depths(_DEPTHS),
        market_data.DEPTH_HALTED,
        market_data.DEPTH_RESET,
        market_data.SHOWING_DELAYED,
        *(market_data.live_refusal(code) for code in market_data.LIVE_REFUSAL_CODES),
        reference.UNKNOWN_CONTRACT,
        orders.DUPLICATE_ID,
        orders.CHANGED_ORDER,
        orders.OFF_TICK,
        orders.NO_PARENT,
        orders.CANCELLED,
        orders.rejected(""),
    ]
)

_SAID_OF_AN_ID: Final[dict[int, Callable[[int], Notice]]] = {
    310: market_data.unknown_depth,
    10147: orders.not_found,
    10148: lambda order_id: orders.finished(order_id, is_filled=True),
}

_NEVER_SAID: Final = {
    104: "Cannot modify a filled order.",
    135: "Can't find order with id =",
    161: "Cancel attempted when order is not in a cancellable state.  Order permId =",  # which no scenario knows
    322: "Error processing request.",
    399: "Order Message:\nWarning: Your order will not be placed at the exchange until the next session opens.",
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
    1300: "Socket port has been reset and this connection is being dropped. Please reconnect on the new port -",
    2103: "Market data farm connection is broken:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2108: "Market data farm connection is inactive but should be available upon demand.usfarm",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2119: "Market data farm is connecting:usfarm",
    2151: "Positions info is not available yet",
    2157: "Sec-def data farm connection is broken:secdefil",
    10090: "Part of requested market data is not subscribed.Subscription-independent ticks are still active.",
    10197: "No market data during competing live session",
    10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately.",
    10318: "This order doesn't support fractional quantity trading",
}


def wording(code: int, msg_id: int = NO_REQUEST) -> str:
    """``msg_id`` is that of the request or order, which some texts repeat."""
    if code in _SAID_OF_AN_ID:
        return _SAID_OF_AN_ID[code](msg_id)[1]
    return _SAID.get(code) or _NEVER_SAID.get(code, f"Simulated message with code {code}")
