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


class RequestManagedAccounts(Request, frozen=True, kw_only=True):
    """Answered by ``ManagedAccounts``, which also comes with every greeting."""


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


class SubscribeDepth(Request, frozen=True, kw_only=True):
    """``rows`` of each side; ``smart_depth`` gathers them from all exchanges and names each row's."""

    req_id: int
    instrument: Instrument
    rows: int
    smart_depth: bool = True


class CancelDepth(Request, frozen=True, kw_only=True):
    """``smart_depth`` as it was asked for, or nothing is cancelled."""

    req_id: int
    smart_depth: bool = True


class SubscribeTickByTick(Request, frozen=True, kw_only=True):
    """``tick_type``: Last, AllLast, BidAsk or MidPoint; ``number_of_ticks`` of the past come first."""

    req_id: int
    instrument: Instrument
    tick_type: str
    number_of_ticks: int = 0
    ignore_size: bool = False


class CancelTickByTick(Request, frozen=True, kw_only=True):
    req_id: int


class SubscribeBars(Request, frozen=True, kw_only=True):
    """Bars of five seconds as they end, the only size there is; each takes a market-data line."""

    req_id: int
    instrument: Instrument
    what_to_show: str = "TRADES"
    use_rth: bool = False


class CancelBars(Request, frozen=True, kw_only=True):
    req_id: int


class RequestHistory(Request, frozen=True, kw_only=True):
    """Bars that end at ``end_ns`` (``None``: now), over a ``duration`` as IB writes it, "1 D" or "3600 S".

    ``use_rth``: regular trading hours only. ``keep_up_to_date`` turns it into a stream, and is for bars until now.
    """

    req_id: int
    instrument: Instrument
    duration: str
    bar_size: str
    what_to_show: str = "TRADES"
    use_rth: bool = True
    end_ns: int | None = None
    keep_up_to_date: bool = False


class CancelHistory(Request, frozen=True, kw_only=True):
    req_id: int


class RequestMatchingSymbols(Request, frozen=True, kw_only=True):
    """Stocks whose symbol or name begins with ``pattern``; a second search within a second gets no answer."""

    req_id: int
    pattern: str


class RequestPnl(Request, frozen=True, kw_only=True):
    """A standing subscription to the account's daily, unrealized and realized profit."""

    req_id: int
    account: str
    model_code: str = ""


class CancelPnl(Request, frozen=True, kw_only=True):
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
