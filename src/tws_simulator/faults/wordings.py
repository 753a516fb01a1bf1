"""IB's wordings of the codes that scenarios use, where a gateway adds nothing of its own to them."""

from __future__ import annotations

_WORDINGS = {
    100: "Max rate of messages per second has been exceeded: max=50 rec=51 (1)",
    101: "Max number of tickers has been reached",
    103: "Duplicate order id",
    104: "Cannot modify a filled order.",
    105: "Order being modified does not match original order",
    110: "The price does not conform to the minimum price variation for this contract.",
    135: "Can't find order with id =",
    161: "Cancel attempted when order is not in a cancellable state.  Order permId =",
    200: "No security definition has been found for the request",
    201: "Order rejected - reason:",
    202: "Order Canceled - reason:",
    309: "Max number (3) of market depth requests has been reached",
    310: "Can't find the subscribed market depth with tickerId:",
    316: "Market depth data has been HALTED. Please re-subscribe.",
    317: "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
    322: "Error processing request.",
    326: "Unable to connect as the client id is already in use. Retry with a unique client id.",
    354: "Requested market data is not subscribed.",
    399: "Order Message:\nWarning: Your order will not be placed at the exchange until the next session opens.",
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
    1300: "Socket port has been reset and this connection is being dropped. Please reconnect on the new port -",
    2103: "Market data farm connection is broken:usfarm",
    2104: "Market data farm connection is OK:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2106: "HMDS data farm connection is OK:ushmds",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2108: "Market data farm connection is inactive but should be available upon demand.usfarm",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2119: "Market data farm is connecting:usfarm",
    2151: "Positions info is not available yet",
    2157: "Sec-def data farm connection is broken:secdefil",
    2158: "Sec-def data farm connection is OK:secdefil",
    10006: "Missing parent order",
    10089: (
        "Requested market data requires additional subscription for API. See link in 'Market Data Connections' dialog "
        "for more details.Delayed market data is available."
    ),
    10090: "Part of requested market data is not subscribed.Subscription-independent ticks are still active.",
    10147: "OrderId that needs to be cancelled is not found.",
    10148: "OrderId that needs to be cancelled cannot be cancelled, state: Filled.",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10186: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10190: "Max number of tick-by-tick requests has been reached.",
    10197: "No market data during competing live session",
    10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately.",
    10318: "This order doesn't support fractional quantity trading",
}


def wording(code: int) -> str:
    return _WORDINGS.get(code, f"Simulated message with code {code}")
