"""Codes and texts of what the exchange says about orders: why one is turned away, rejected, warned of or ended.

As captured from a gateway (server version 225), except where a comment says that the wording is ours.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from tws_simulator.world.instruments.listing import US_EASTERN, Listing

CodedText = tuple[int, str]
ORDER_SHARES_MAX: Final = 10_000_000  # or contracts: one order must not take seconds to play

# Before there is an order.
NO_SECURITY: Final = (200, "No security definition has been found for the request")
BAD_ORDER_TYPE: Final = (321, "Error validating request.-'bz' : cause - Invalid order type was entered")
BAD_ACTION: Final = (321, "Error validating request.-'bz' : cause - Invalid side was entered")  # wording ours
BAD_LIMIT: Final = (321, "Error validating request.-'bz' : cause - Invalid limit price was entered")  # wording ours
BAD_STOP: Final = (403, "Invalid stop price.")  # wording ours
BAD_ACCOUNT: Final = (321, "Error validating request.-'bz' : cause - Invalid account code")  # wording ours
BAD_TRIGGER: Final = (321, "Error validating request.-'bz' : cause - Invalid trigger method")  # wording ours
BAD_GTD: Final = (391, "The time or time-zone entered is invalid.")  # wording ours
BAD_CONDITION: Final = (321, "Error validating request.-'bz' : cause - Invalid condition")  # wording ours
ZERO_SIZE: Final = (434, "The order size cannot be zero.")
SIZE_LIMIT: Final = (383, f"The order size exceeds the Size Limit of {ORDER_SHARES_MAX}.")  # wording ours
FRACTIONAL_SIZE: Final = (10243, "Fractional-sized order cannot be placed via API.")  # wording ours
OFF_TICK: Final = (110, "The price does not conform to the minimum price variation for this contract.")
DUPLICATE_ID: Final = (103, "Duplicate order id")
CHANGED_ORDER: Final = (105, "Order being modified does not match original order")
NO_PARENT: Final = (10006, "Missing parent order")  # wording ours
DISPLAY_SIZE: Final = (10255, "The 'Display Size' order attribute may not be specified for this order.")
MIN_QTY: Final = (10256, "The 'Minimum Quantity' order attribute may not be specified for this order.")
ACTIVE_TIMES: Final = (10315, "Invalid time format.")  # wording ours
TRAIL_UNDER_MARKET: Final = (328, "Trailing stop orders can be attached to limit or stop-limit orders only.")

# Reasons of a rejection (201).
EXPIRES_TOO_SOON: Final = "Order will be expired before market opens."
ALREADY_EXPIRED: Final = "Order is already expired."
TOO_LATE_FOR_CLOSE: Final = "The exchange takes no more orders for its closing auction."  # wording ours
CURRENCY_LEVERAGE: Final = "FX trade would expose account to currency leverage."
NOT_TRADED: Final = "The instrument is quoted but not traded here."  # wording ours
TOO_MANY: Final = "Too many orders today."  # wording ours

# How an order was completed.
BY_TRADER: Final = "Cancelled by Trader"
BY_SYSTEM: Final = "Cancelled by System:\n"
EXPIRED: Final = BY_SYSTEM + ALREADY_EXPIRED

# Of an order that lives on. As reported by users of the API; no capture has it.
OUTSIDE_RTH_IGNORED: Final = (
    2109,
    "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order type and destination. "
    "PlaceOrder is now being processed.",
)

CANCELLED: Final = (202, "Order Canceled - reason:")
DISCARDED: Final = (202, "Order Canceled - reason:Order was discarded.")


def bad_tif(tif: str) -> CodedText:
    return 10052, f"Invalid time in force:{tif or 'Empty'}"


def bad_tif_for_venue(tif: str) -> str:
    return f"The time-in-force {tif} is invalid for this combination of exchange and security type."


def too_little_equity(equity_usd: Decimal, initial_margin_usd: Decimal) -> str:
    """Wording ours."""
    return (
        f"Your order is not accepted: your equity with loan value [{equity_usd:.2f} USD] must exceed the initial "
        f"margin [{initial_margin_usd:.2f} USD]."
    )


def rejected(reason: str) -> CodedText:
    return 201, f"Order rejected - reason:{reason}"


def rejected_by_system(reason: str) -> str:
    """How a rejected order was completed."""
    return f"Rejected by System:\n{reason}"


def filled(shares: Decimal) -> str:
    """How a filled order was completed."""
    return f"Filled Size: {shares}"


def not_found(order_id: int) -> CodedText:
    return 10147, f"OrderId {order_id} that needs to be cancelled is not found."


def finished(order_id: int, *, is_filled: bool) -> CodedText:
    """Whatever was not filled is called cancelled, a rejected order too."""
    state = "Filled" if is_filled else "Cancelled"
    return 10148, f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {state}."


def not_cancellable(perm_id: int) -> CodedText:
    return 161, f"Cancel attempted when order is not in a cancellable state.  Order permId ={perm_id}"


def market_closed(action: str, quantity: Decimal, listing: Listing, opens: datetime) -> CodedText:
    """``opens`` in New York's time."""
    return 399, (
        f"Order Message:\n{action} {quantity} {listing.local_symbol} {listing.primary_exchange}."
        f"{listing.market_name}\nWarning: Your order will not be placed at the exchange until "
        f"{opens:%Y-%m-%d %H:%M:%S} {US_EASTERN}."
    )
