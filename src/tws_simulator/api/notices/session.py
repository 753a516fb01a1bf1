"""What is said about a connection, its rights and its requests in general."""

from __future__ import annotations

from tws_simulator.api.notices import Notice, invalid

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)
CLIENT_ID_IN_USE = (326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
READ_ONLY = invalid("The API interface is currently in Read-Only mode.")
ONLY_CLIENT_0_BINDS = invalid("Only the default client (i.e 0) can auto bind orders.")
# The wordings that follow are ours.
TOO_MANY_STREAMS = invalid("Too many subscriptions of one client")
NOT_SERVED = invalid("This request is not served here")


def unreadable(cause: str) -> Notice:
    return 320, f"Error reading request. {cause}"


def too_many_messages(per_second: int, received: int, strikes: int) -> Notice:
    return 100, f"Max rate of messages per second has been exceeded: max={per_second} rec={received} ({strikes})"
