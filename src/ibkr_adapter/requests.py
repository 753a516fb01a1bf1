"""What the core asks of the broker. Each becomes one call of the official client, in ``tws/client.py``."""

from __future__ import annotations

from msgspec import Struct

from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.instruments import Instrument


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all requests."""


class RequestCurrentTime(Request, frozen=True, kw_only=True):
    """Answered by ``BrokerTime``; a repeat within 4 s may get no answer."""


class RequestIds(Request, frozen=True, kw_only=True):
    """Answered by ``NextValidId``; a gateway whose API is read-only refuses it with 321."""


class RequestGatewayConfiguration(Request, frozen=True, kw_only=True):
    """Answered by ``GatewayConfigured``, from server version 219 and a client of 10.43 on."""

    req_id: int


class SetDataType(Request, frozen=True, kw_only=True):
    """1 live, 2 frozen, 3 delayed, 4 delayed-frozen; silent, holds for later subscriptions."""

    data_type: int


class SubscribeQuotes(Request, frozen=True, kw_only=True):
    """``generic_ticks`` as IB writes them, for example ``"233,236"``."""

    req_id: int
    instrument: Instrument
    generic_ticks: str = ""


class CancelQuotes(Request, frozen=True, kw_only=True):
    req_id: int


class RequestContractDetails(Request, frozen=True, kw_only=True):
    req_id: int
    instrument: Instrument


class RequestAccountSummary(Request, frozen=True, kw_only=True):
    """A standing subscription: the whole once, then changes every three minutes. At most two at a time."""

    req_id: int
    tags: tuple[str, ...]
    group: str = "All"


class CancelAccountSummary(Request, frozen=True, kw_only=True):
    req_id: int


class RequestPositions(Request, frozen=True, kw_only=True):
    """All positions, ``PositionsEnd``, then each change as it happens."""


class CancelPositions(Request, frozen=True, kw_only=True):
    pass


class RequestAllOpenOrders(Request, frozen=True, kw_only=True):
    """The orders of every client id, once; ends with ``OpenOrdersEnd``, which names no request."""


class RequestExecutions(Request, frozen=True, kw_only=True):
    """All executions since midnight of the gateway; ends with ``ExecutionsEnd``."""

    req_id: int


class RequestCompletedOrders(Request, frozen=True, kw_only=True):
    """Today's finished orders; ends with ``CompletedOrdersEnd``."""

    api_only: bool = False


class SendOrder(Request, frozen=True, kw_only=True):
    """A new order. ``order_ref`` carries our own key to the broker and back."""

    order_id: int
    order_ref: str
    terms: OrderTerms


class SendCancel(Request, frozen=True, kw_only=True):
    order_id: int


ORDER_REQUESTS = (SendOrder, SendCancel)
"""Requests that a component without the ``orders`` capability has no way to send."""
