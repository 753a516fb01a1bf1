"""What is said about contracts, reference data, and services that this user does not have."""

from __future__ import annotations

from tws_simulator.api.notices import Notice, invalid

UNKNOWN_CONTRACT = (200, "No security definition has been found for the request")
NO_EXCHANGE = invalid("Please enter exchange")
NO_SECURITY_TYPE = invalid("Please enter a valid security type")
NO_WSH_FEED = (10276, "News feed is not allowed")
NO_FUNDAMENTALS = (10358, "Fundamentals data is not allowed")
NO_ADVISOR = invalid("FA data operations ignored for non FA customers.")
TOO_MANY_DETAILS = invalid("Too many requests for contract details")  # wording ours


def ambiguous(symbol: str) -> Notice:
    return 200, f"The contract description specified for {symbol} is ambiguous."


def unknown_scanner(req_id: int) -> Notice:
    return 365, f"No scanner subscription found for ticker id:{req_id}"


# The wordings that follow are ours.


def bad_market_rule(rule: int) -> Notice:
    return invalid(f"Invalid market rule id: {rule}")


def bad_bbo_exchange(code: str) -> Notice:
    return invalid(f"Invalid BBO exchange: {code}")
