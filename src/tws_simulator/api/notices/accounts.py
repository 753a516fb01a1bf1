"""What is said about accounts and their subscriptions."""

from __future__ import annotations

from tws_simulator.api.notices import Notice, invalid

ACCOUNT_UNSUBSCRIBED = (2100, "API client has been unsubscribed from account data.")
TOO_MANY_SUMMARIES = (
    322,
    "Error processing request.-'bS' : cause - Maximum number of account summary requests exceeded",
)
BAD_TAGS = invalid("Invalid account summary tags")  # wording ours


def bad_group(group: str) -> Notice:
    return invalid(f"Unified group name '{group}' is invalid")


def no_account(account: str) -> Notice:
    return invalid(f"Invalid account code '{account}'.")
