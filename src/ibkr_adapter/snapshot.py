"""The one frozen picture of the core that everything outside it may look at."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from ibkr_adapter.commands import Reason
from ibkr_adapter.events import Gap, PositionReported, Quote


class LinkView(Struct, frozen=True, kw_only=True):
    """Plane one: our socket to the gateway. ``state`` as ``core/link/link.py`` names it, lower case.

    ``gateway`` is the present one, or the one that is tried next; ``standby`` true: it is not the environment's own.
    ``failures``: failed attempts in a row. ``excuse``: the planned window that explains what is wrong, until when.
    ``clock_ahead_ns``: how far the gateway's clock is ahead of ours, within about a second.
    """

    state: str
    gateway: str
    address: str
    epoch: int
    client_id: int
    since_ns: int
    server_version: int | None = None
    last_inbound_ns: int | None = None
    detail: str = ""
    failures: int = 0
    next_attempt_ns: int | None = None
    standby: bool = False
    excuse: str = ""
    excused_until_ns: int | None = None
    clock_ahead_ns: int | None = None


class LeaseView(Struct, frozen=True, kw_only=True):
    """The client id among several machines. ``required`` False: only this machine's lock keeps others out.

    ``detail`` says who has it, or why we do not; ``since_ns`` of the present answer.
    """

    required: bool = False
    held: bool = True
    epoch: int = 0
    since_ns: int | None = None
    detail: str = ""


class FarmView(Struct, frozen=True, kw_only=True):
    """Plane three: one farm of IB.

    ``kind`` is market, history or definitions; ``state`` ok, broken, dormant, connecting, as last told. ``breaks``: how
    often it broke in the present incident, which lasts until the farm has been well for a while; 0 if there is none.
    """

    name: str
    kind: str
    state: str
    since_ns: int
    breaks: int = 0


class GateView(Struct, frozen=True, kw_only=True):
    open: bool
    reasons: tuple[Reason, ...] = ()


class PreflightView(Struct, frozen=True, kw_only=True):
    """What the gateway's settings mean for orders; ``None`` is unknown.

    ``maintains_orders``: ok (it does not), on (it keeps orders and sends them late), unchecked.
    """

    maintains_orders: str = "unchecked"
    detail: str = ""
    read_only: bool | None = None
    rejects_above_rate: bool | None = None


class AccountView(Struct, frozen=True, kw_only=True):
    """``values`` by tag, each as IB wrote it, with its currency."""

    account: str
    kind: str
    values: dict[str, tuple[str, str]]
    as_of_ns: int | None = None


class OrderView(Struct, frozen=True, kw_only=True):
    """One order of ours (``foreign`` False) or one we merely see."""

    order_key: str
    order_id: int
    client_id: int
    perm_ids: tuple[int, ...]
    account: str
    instrument: str
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    tif: str
    state: str
    filled: Decimal
    remaining: Decimal
    average_price: float | None
    commission: Decimal | None
    detail: str
    created_ns: int
    updated_ns: int
    foreign: bool = False
    cancel_asked: bool = False


class ExecutionView(Struct, frozen=True, kw_only=True):
    exec_id: str
    order_key: str
    account: str
    instrument: str
    side: str
    quantity: Decimal
    price: float
    exchange: str
    commission: Decimal | None
    realized_pnl: float | None
    ts_event_ns: int | None
    ts_recv_ns: int


class NoticeView(Struct, frozen=True, kw_only=True):
    """A notice in plain words; ``count`` repeats were folded into it."""

    ts_recv_ns: int
    code: int
    category: str
    severity: str
    text: str
    meaning: str
    subject: str
    count: int = 1


class StreamView(Struct, frozen=True, kw_only=True):
    """One subscription: desired, on the wire, alive.

    ``state`` is waiting, asked, live, refused, stopped (by somebody) or competing (another session of the login has the
    data); ``detail`` says why. ``gap_since_ns``: where the present gap began, ``None`` while it flows.
    ``resubscriptions``: how often this process asked for it anew within a session.
    """

    stream: str
    instrument: str
    req_id: int | None
    state: str
    detail: str
    last_recv_ns: int | None
    events: int
    gaps: int
    gap_since_ns: int | None = None
    resubscriptions: int = 0


class StoppedView(Struct, frozen=True, kw_only=True):
    """Market data was taken off by ``actor``, and stays off until it is started again."""

    actor: str
    since_ns: int


class OrphanView(Struct, frozen=True, kw_only=True):
    """Data that goes on coming for a request that was cancelled; ``cancels``: how often it was cancelled again."""

    req_id: int
    since_ns: int
    last_recv_ns: int
    cancels: int


class LaneView(Struct, frozen=True, kw_only=True):
    """Requests of one lane that wait for the rate limit; ``since_ns``: the oldest of them."""

    lane: str
    waiting: int
    since_ns: int | None = None


class HeldView(Struct, frozen=True, kw_only=True):
    """Requests that a limit of their own class holds back; ``next_ns`` is ``None`` until something is answered."""

    kind: str
    waiting: int
    since_ns: int | None = None
    next_ns: int | None = None
    reason: str = ""


class RateView(Struct, frozen=True, kw_only=True):
    """Messages sent in the last second against the limit we keep, and who waits.

    ``reserved`` come on top, for cancels. ``halved_until_ns``: the gateway complained. ``expired``: never sent because
    they waited too long, since the start.
    """

    last_second: int
    limit: int
    waiting: int
    reserved: int = 0
    halved_until_ns: int | None = None
    expired: int = 0
    lanes: tuple[LaneView, ...] = ()
    held: tuple[HeldView, ...] = ()


class QuotaView(Struct, frozen=True, kw_only=True):
    """How many streams of a kind stand at once, of how many; ``learned`` from a refusal where that is fewer."""

    name: str
    used: int
    limit: int
    learned: int | None = None


class SinkView(Struct, frozen=True, kw_only=True):
    """One sink of the feed. ``depth``: events waiting for it; ``dropped`` since the start, every one in a gap."""

    name: str
    up: bool
    since_ns: int
    detail: str = ""
    written: int = 0
    dropped: int = 0
    depth: int = 0


class AlertView(Struct, frozen=True, kw_only=True):
    """One cause that is wrong now; ``raised`` once somebody was told, until it has been well for a while.

    ``severity`` warning or critical.
    """

    key: str
    severity: str
    text: str
    remedy: str
    since_ns: int
    raised: bool


class WindowView(Struct, frozen=True, kw_only=True):
    """A planned window of the gateway, in force or the next one. ``kind`` restart, broker, login.

    ``gate_closes_ns``: from when on no order is sent because of it.
    """

    name: str
    kind: str
    from_ns: int
    until_ns: int
    in_force: bool
    gate_closes_ns: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """``quotes`` by instrument key; of those in ``proven`` line, farm and link are alive at this moment.

    ``upstream``: plane two, the gateway's own link to IB: connected, lost, doubted (lost when the last session ended),
    unknown. ``summary_owner``: the component that asks for the account summary, this one or another; empty where this
    one has nothing to do with accounts.
    """

    taken_ns: int
    environment: str
    component: str
    account_kind: str
    version: str
    link: LinkView
    upstream: str
    farms: tuple[FarmView, ...]
    gate: GateView
    lease: LeaseView = LeaseView()
    preflight: PreflightView = PreflightView()
    rate: RateView
    quotas: tuple[QuotaView, ...] = ()
    quotes: dict[str, Quote]
    proven: tuple[str, ...] = ()
    streams: tuple[StreamView, ...]
    stopped: StoppedView | None = None
    orphans: tuple[OrphanView, ...] = ()
    accounts: tuple[AccountView, ...]
    summary_owner: str = ""
    positions: tuple[PositionReported, ...]
    orders: tuple[OrderView, ...]
    executions: tuple[ExecutionView, ...]
    notices: tuple[NoticeView, ...]
    gaps: tuple[Gap, ...]
    journal_seq: int
    journal_durable_seq: int
    counters: dict[str, int]
    alerts: tuple[AlertView, ...] = ()
    window: WindowView | None = None
