"""What happened, in past tense: the vocabulary of every stream.

Three families. *Broker events* are what the official client's callbacks said, one object per callback, with the epoch
of the session that said it. *Journal events* are the facts about money and about our connection; each is one record of
the journal, and the state of orders is a fold over them. *Feed events* are what downstream reads.

Times are UTC nanoseconds: ``ts_event_ns`` is IB's (``None`` where IB gives none), ``ts_recv_ns`` ours, taken when the
bytes were read. Sizes and money are ``Decimal``, prices as IB delivers them; what IB leaves unset is ``None``.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from ibkr_adapter.commands import OrderTerms, Reason
from ibkr_adapter.instruments import Instrument


class Event(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", omit_defaults=True):
    """Base of all events."""

    ts_recv_ns: int


class BrokerEvent(Event, frozen=True, kw_only=True):
    """Said by a session; a session that is gone is recognised by its epoch."""

    epoch: int


# --- The session itself -----------------------------------------------------------------------------------------


class SessionOpened(BrokerEvent, frozen=True, kw_only=True, tag="session_opened"):
    """The handshake is done and START_API sent; ids and accounts are still to come."""

    gateway: str
    client_id: int
    server_version: int
    connection_time: str
    address: str = ""


class LossCause(StrEnum):
    """Why a session ended, or never began.

    ``certificate``: the gateway's is not one to trust. ``certificate_wanted``: it does not accept ours, or wants one.
    ``not_tls``: TLS is configured and what answers speaks something else; ``tls_expected``: the reverse. ``tls``: what
    else can go wrong with it.
    """

    REFUSED = "refused"
    SILENT = "silent"
    CLOSED = "closed"
    RESET = "reset"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    CERTIFICATE = "certificate"
    CERTIFICATE_WANTED = "certificate_wanted"
    NOT_TLS = "not_tls"
    TLS_EXPECTED = "tls_expected"
    TLS = "tls"
    WRITE_DEADLINE = "write_deadline"
    OVERFLOW = "overflow"
    CALLBACK = "callback"
    ASKED = "asked"


class SessionLost(BrokerEvent, frozen=True, kw_only=True, tag="session_lost"):
    """Exactly one for each session, whether or not it was ever opened. ``unsent`` frames never reached the socket."""

    gateway: str
    client_id: int
    cause: LossCause
    detail: str = ""
    unsent: int = 0


class NextValidId(BrokerEvent, frozen=True, kw_only=True, tag="next_valid_id"):
    order_id: int


class ManagedAccounts(BrokerEvent, frozen=True, kw_only=True, tag="managed_accounts"):
    accounts: tuple[str, ...]


class GatewayConfigured(BrokerEvent, frozen=True, kw_only=True, tag="gateway_configured"):
    """What the gateway says of its own API settings; ``None`` where it says nothing.

    ``maintains_orders``: it sends orders, placed while it had no connection to IB, when it is back.
    ``rejects_above_rate``: more than the allowed messages a second are refused with 100, else they wait.
    ``daily_stop``: when it logs off or restarts, in its own zone, as ``11:45 PM restart``.
    """

    req_id: int
    maintains_orders: bool | None = None
    read_only: bool | None = None
    rejects_above_rate: bool | None = None
    localhost_only: bool | None = None
    trusted_addresses: tuple[str, ...] = ()
    daily_stop: str = ""


class BrokerTime(BrokerEvent, frozen=True, kw_only=True, tag="broker_time"):
    """The gateway's clock, in whole seconds; it proves the leg from us to the gateway and no other."""

    time_ns: int


class NoticeReceived(BrokerEvent, frozen=True, kw_only=True, tag="notice"):
    """An IB message code. ``req_id`` is -1, a request id or an order id. Never order by IB's time: it goes back."""

    req_id: int
    code: int
    text: str
    ts_event_ns: int | None = None
    advanced_reject: str = ""


# --- Ticks (bulk: the only broker events that may be conflated) ---------------------------------------------------


class Tick(BrokerEvent, frozen=True, kw_only=True):
    """``field`` is IB's tick type number."""

    req_id: int
    field: int


class PriceTick(Tick, frozen=True, kw_only=True, tag="price_tick"):
    """``price`` is ``None`` where IB says there is none (-1, or 0 with size 0)."""

    price: float | None


class SizeTick(Tick, frozen=True, kw_only=True, tag="size_tick"):
    size: Decimal | None


class TextTick(Tick, frozen=True, kw_only=True, tag="text_tick"):
    text: str


class ValueTick(Tick, frozen=True, kw_only=True, tag="value_tick"):
    value: float | None


class TickParameters(BrokerEvent, frozen=True, kw_only=True, tag="tick_parameters"):
    req_id: int
    min_tick: float | None
    bbo_exchange: str
    snapshot_permissions: int


class DataTypeReported(BrokerEvent, frozen=True, kw_only=True, tag="data_type"):
    """1 live, 2 frozen, 3 delayed, 4 delayed-frozen."""

    req_id: int
    data_type: int


# --- Contracts ----------------------------------------------------------------------------------------------------


class ContractDescribed(BrokerEvent, frozen=True, kw_only=True, tag="contract"):
    """One match of a contract details request. ``min_tick`` is the smallest over the venues."""

    req_id: int
    instrument: Instrument
    local_symbol: str
    trading_class: str
    long_name: str
    min_tick: Decimal | None
    multiplier: str
    valid_exchanges: tuple[str, ...]
    market_rule_ids: tuple[int, ...]
    order_types: tuple[str, ...]
    time_zone: str
    trading_hours: str
    liquid_hours: str
    stock_type: str


class ContractsEnd(BrokerEvent, frozen=True, kw_only=True, tag="contracts_end"):
    req_id: int


# --- Accounts -----------------------------------------------------------------------------------------------------


class AccountValue(BrokerEvent, frozen=True, kw_only=True, tag="account_value"):
    """One tag of the account summary, as IB writes it: a string and its currency."""

    req_id: int
    account: str
    tag: str
    value: str
    currency: str


class AccountSummaryEnd(BrokerEvent, frozen=True, kw_only=True, tag="account_summary_end"):
    req_id: int


class PositionReported(BrokerEvent, frozen=True, kw_only=True, tag="position"):
    """``quantity`` in shares, negative when short; ``average_cost`` includes commissions."""

    account: str
    instrument: Instrument
    quantity: Decimal
    average_cost: float


class PositionsEnd(BrokerEvent, frozen=True, kw_only=True, tag="positions_end"):
    pass


# --- Orders -------------------------------------------------------------------------------------------------------


class OpenOrderReported(BrokerEvent, frozen=True, kw_only=True, tag="open_order"):
    """The broker's echo of an order, with the defaults it added. Echoes repeat; they are idempotent."""

    order_id: int
    client_id: int
    perm_id: int
    order_ref: str
    account: str
    instrument: Instrument
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    tif: str
    status: str
    completed_status: str = ""
    completed_time: str = ""


class CompletedOrderReported(OpenOrderReported, frozen=True, kw_only=True, tag="completed_order"):
    """An order finished today. ``status`` says Cancelled for rejections too; ``completed_status`` tells the truth."""

    filled: Decimal | None = None


class OrderStatusReported(BrokerEvent, frozen=True, kw_only=True, tag="order_status"):
    """Duplicates are normal, missing ones too: quantities come from executions, lifecycle from here."""

    order_id: int
    client_id: int
    perm_id: int
    status: str
    filled: Decimal
    remaining: Decimal
    average_price: float
    last_price: float
    parent_id: int = 0
    why_held: str = ""


class OpenOrdersEnd(BrokerEvent, frozen=True, kw_only=True, tag="open_orders_end"):
    pass


class CompletedOrdersEnd(BrokerEvent, frozen=True, kw_only=True, tag="completed_orders_end"):
    pass


class ExecutionReported(BrokerEvent, frozen=True, kw_only=True, tag="execution"):
    """A fill. A correction repeats it with a higher number after the last dot of ``exec_id``: it replaces.

    ``req_id`` is -1 when it happened just now, a request's id when it was asked for. ``side`` is BOT or SLD.
    """

    req_id: int
    exec_id: str
    order_id: int
    client_id: int
    perm_id: int
    order_ref: str
    account: str
    instrument: Instrument
    side: str
    quantity: Decimal
    price: float
    cumulative_quantity: Decimal
    average_price: float
    exchange: str
    liquidity: int = 0
    ts_event_ns: int | None = None


class ExecutionsEnd(BrokerEvent, frozen=True, kw_only=True, tag="executions_end"):
    req_id: int


class CommissionReported(BrokerEvent, frozen=True, kw_only=True, tag="commission"):
    """Joins the execution of the same id, which may come before or after. ``realized_pnl`` only on closing trades."""

    exec_id: str
    commission: Decimal
    currency: str
    realized_pnl: float | None = None


class FrameSent(BrokerEvent, frozen=True, kw_only=True, tag="frame_sent"):
    """The bytes of an order or cancel were handed to the operating system, whole."""

    order_id: int
    cancel: bool
    frame: bytes


class FrameWithheld(BrokerEvent, frozen=True, kw_only=True, tag="frame_withheld"):
    """The bytes of an order were not handed over, and never will be: the fence was closed when their turn came."""

    order_id: int
    detail: str


# --- The journal's own facts --------------------------------------------------------------------------------------


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """A process began to write here. ``recovered_seq`` is the last record it found."""

    version: str
    boot_id: str
    environment: str
    client_id: int
    recovered_seq: int
    component: str = ""
    host: str = ""
    pid: int = 0


class Stopped(Event, frozen=True, kw_only=True, tag="stopped"):
    """The process ended in order."""

    boot_id: str


class OrderIntended(Event, frozen=True, kw_only=True, tag="order_intended"):
    """We decided to send this order. Durable before its first byte leaves; its id is never used again."""

    order_key: str
    idempotency_key: str
    order_id: int
    client_id: int
    gateway: str
    epoch: int
    actor: str
    terms: OrderTerms
    reference_price: Decimal
    expires_at_ns: int


class OrderRefused(Event, frozen=True, kw_only=True, tag="order_refused"):
    """The permit said no. ``order_id`` is set when it had said yes once, before the disk answered."""

    order_key: str
    idempotency_key: str
    actor: str
    terms: OrderTerms
    reasons: tuple[Reason, ...]
    order_id: int | None = None


class CancelIntended(Event, frozen=True, kw_only=True, tag="cancel_intended"):
    order_key: str
    order_id: int
    actor: str


class DoubtCause(StrEnum):
    RESTART = "restart"
    SESSION_LOST = "session_lost"
    VANISHED = "vanished"
    NO_ANSWER = "no_answer"


class OrderDoubted(Event, frozen=True, kw_only=True, tag="order_doubted"):
    """Sent, or perhaps sent, and not known to the broker as far as we can tell. It holds its risk; never sent again."""

    order_key: str
    cause: DoubtCause


class OrderNotFound(Event, frozen=True, kw_only=True, tag="order_not_found"):
    """Complete snapshots of a healthy session do not know the order.

    Two of them, at least ten seconds apart; one is enough where the broker refused this very id.
    """

    order_key: str
    evidence: str


class OrderLapsed(Event, frozen=True, kw_only=True, tag="order_lapsed"):
    """An order of an earlier New York day that two complete lists, at least ten seconds apart, do not know.

    The list of open orders proves that it does not work any more; what it did on its own day the lists, which begin
    at midnight, cannot show.
    """

    order_key: str
    evidence: str


class OrderChanged(Event, frozen=True, kw_only=True, tag="order_changed"):
    """What an order is now, in full: derived from the records before it, and told only when it differs from the last.

    The fold over the other records is the truth; this is its result, for those who follow without folding.
    ``average_price`` of its fills, ``None`` without one; ``foreign`` is an order we merely see.
    """

    order_key: str
    order_id: int
    client_id: int
    gateway: str
    terms: OrderTerms
    state: str
    filled: Decimal
    remaining: Decimal
    average_price: float | None
    commission: Decimal | None
    perm_ids: tuple[int, ...]
    detail: str
    created_ns: int
    idempotency_key: str = ""
    actor: str = ""
    cancel_asked: bool = False
    foreign: bool = False


class LeaseChanged(Event, frozen=True, kw_only=True, tag="lease"):
    """Whether the client id is ours among several machines. ``lost``: another has taken it for good, and we must end.

    ``epoch`` of our hold, or while it is not ours the highest that was seen. ``blind``: Redis cannot be asked.
    """

    held: bool
    epoch: int
    detail: str = ""
    lost: bool = False
    blind: bool = False


class ClientIdRefused(Event, frozen=True, kw_only=True, tag="client_id_refused"):
    """326: the gateway has another session with our client id."""

    epoch: int
    gateway: str
    client_id: int
    address: str = ""
    detail: str = ""


class StreamsSwitched(Event, frozen=True, kw_only=True, tag="streams_switched"):
    """Somebody took all market data off, or on again. It holds over restarts."""

    stopped: bool
    actor: str


class GateChanged(Event, frozen=True, kw_only=True, tag="gate"):
    """The standing answer to "may new orders be sent now"."""

    open: bool
    reasons: tuple[Reason, ...] = ()


# --- Feed ---------------------------------------------------------------------------------------------------------


class Source(StrEnum):
    """What kind of data a quote is made of. Never confuse them: a delayed price is no price to trade on."""

    LIVE = "live"
    FROZEN = "frozen"
    DELAYED = "delayed"
    DELAYED_FROZEN = "delayed_frozen"
    UNKNOWN = "unknown"


class Quote(Event, frozen=True, kw_only=True, tag="quote"):
    """The top of book of one instrument after a batch of ticks. ``ts_event_ns`` is IB's time of the last trade."""

    instrument: str
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    last_size: Decimal | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: Decimal | None = None
    halted: bool | None = None
    ts_event_ns: int | None = None
    source: Source = Source.UNKNOWN


class Trade(Event, frozen=True, kw_only=True, tag="trade"):
    """One RT volume print (generic tick 233): sampled by IB, not every trade of the tape."""

    instrument: str
    price: float | None
    size: Decimal | None
    total_volume: Decimal | None
    vwap: float | None
    single: bool
    ts_event_ns: int
    source: Source = Source.UNKNOWN


class QuotesProven(Event, frozen=True, kw_only=True, tag="quotes_proven"):
    """These instruments' quotes are current although unchanged: their line, farm and link are alive at this moment."""

    instruments: tuple[str, ...]


class GapCause(StrEnum):
    SESSION_LOST = "session_lost"
    ADAPTER_DOWN = "adapter_down"
    UPSTREAM_LOST = "upstream_lost"
    FARM_BROKEN = "farm_broken"
    REFUSED = "refused"
    COMPETING = "competing"
    SILENT = "silent"
    STOPPED = "stopped"
    OVERLOAD = "overload"
    SINK_OVERFLOW = "sink_overflow"


class Gap(Event, frozen=True, kw_only=True, tag="gap"):
    """An interruption of a stream: nothing of it was received, or kept, from ``from_ns`` to ``to_ns``.

    ``count`` is the number of events known to be lost, ``None`` where nobody can know.
    """

    stream: str
    from_ns: int
    to_ns: int
    cause: GapCause
    count: int | None = None


class LinkChanged(Event, frozen=True, kw_only=True, tag="link"):
    state: str
    gateway: str
    epoch: int
    detail: str = ""


class AlertSeverity(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


class AlertChanged(Event, frozen=True, kw_only=True, tag="alert"):
    """An incident began, has new words, or is over (``raised`` false). ``key`` is the same for one cause for ever.

    ``since_ns``: since when it is so, which may be well before it was told.
    """

    key: str
    severity: AlertSeverity
    text: str
    remedy: str = ""
    raised: bool
    since_ns: int


class Recorded(Event, frozen=True, kw_only=True, tag="recorded"):
    """A journal record became durable: what projections and downstream read of orders and executions."""

    seq: int
    record: JournalEvent


JournalEvent = (
    Started
    | Stopped
    | SessionOpened
    | SessionLost
    | GateChanged
    | LeaseChanged
    | ClientIdRefused
    | StreamsSwitched
    | OrderIntended
    | OrderRefused
    | OrderDoubted
    | OrderNotFound
    | OrderLapsed
    | OrderChanged
    | CancelIntended
    | FrameSent
    | OpenOrderReported
    | CompletedOrderReported
    | OrderStatusReported
    | ExecutionReported
    | CommissionReported
    | NoticeReceived
)
"""Everything that may stand in the journal. Market data is never journaled."""

FeedEvent = Quote | Trade | QuotesProven | Gap | LinkChanged | AccountValue | PositionReported | Recorded | AlertChanged
"""Everything that is fanned out to sinks, the page and downstream."""
