"""What people and programs ask of the adapter."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from ibkr_adapter.instruments import Instrument


class Action(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    MARKET = "MKT"
    LIMIT = "LMT"


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"


class Command(Struct, frozen=True, kw_only=True, tag_field="type"):
    """``command_id`` ties the answer to the question; the shell makes it. ``actor`` is who asks, for the audit."""

    command_id: str
    actor: str
    ts_recv_ns: int


class OrderTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order is, apart from who asked and when: the payload that an idempotency key stands for.

    Words rather than enums: an order of somebody else may be of any kind that IB knows. Of ours the permit refuses
    every word but those of ``Action``, ``OrderType`` and ``TimeInForce``. An ``account`` left out is the session's
    only one.
    """

    instrument: Instrument
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None = None
    tif: str = TimeInForce.DAY.value
    outside_rth: bool = False
    account: str = ""


class PlaceOrder(Command, frozen=True, kw_only=True, tag="place_order"):
    """Place one order.

    ``idempotency_key``: the same key with the same terms returns the recorded outcome and sends nothing; with other
    terms it is refused. ``order_key``: our own identity of the order (a UUIDv7, given), carried in IB's orderRef.
    ``expires_at_ns``: past this moment the command is refused rather than sent late.
    """

    idempotency_key: str
    order_key: str
    terms: OrderTerms
    expires_at_ns: int


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel_order"):
    """Cancel one order of ours. Never expires, never waits for the disk."""

    order_key: str


class StopStreams(Command, frozen=True, kw_only=True, tag="stop_streams"):
    """Cancel every subscription to market data that we have, and ask for none until ``StartStreams``."""


class StartStreams(Command, frozen=True, kw_only=True, tag="start_streams"):
    """Ask for all again that ``StopStreams`` took off."""


class FailBack(Command, frozen=True, kw_only=True, tag="fail_back"):
    """End the session with the standby, and try the environment's own gateway first."""


class Reason(Struct, frozen=True, kw_only=True):
    """Why something may not be done: ``code`` for programs, ``text`` and ``remedy`` for people."""

    code: str
    text: str
    remedy: str = ""


class CommandOutcome(Struct, frozen=True, kw_only=True):
    """The answer to a command. ``accepted`` says it went to the broker, not that the broker took it.

    ``reasons``: why it was refused; of a cancel that was accepted, why it may not have been delivered yet.
    ``repeated``: the outcome of an earlier command with the same idempotency key, or what was asked for was so already;
    nothing was sent now.
    """

    command_id: str
    accepted: bool
    order_key: str = ""
    order_id: int | None = None
    state: str = ""
    reasons: tuple[Reason, ...] = ()
    repeated: bool = False
