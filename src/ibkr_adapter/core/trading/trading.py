"""Orders, executions and accounts as one part: what the broker says is recorded, what people ask is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import CancelOrder, Command, PlaceOrder, Reason
from ibkr_adapter.core.link.lease import LeaseState
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.link.planes import Planes
from ibkr_adapter.core.link.preflight import Preflight
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.accounts import Accounts
from ibkr_adapter.core.trading.downloads import Download
from ibkr_adapter.core.trading.inquiry import Inquiry
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.order import UNACKNOWLEDGED, OrderState
from ibkr_adapter.core.trading.permit import Permit
from ibkr_adapter.core.trading.placements import Placements
from ibkr_adapter.core.trading.standing import SummarySource
from ibkr_adapter.effects import Outbox, Send
from ibkr_adapter.events import (
    AccountValue,
    CommissionReported,
    CompletedOrderReported,
    CompletedOrdersEnd,
    DoubtCause,
    ExecutionReported,
    ExecutionsEnd,
    FrameSent,
    FrameWithheld,
    GateChanged,
    NextValidId,
    NoticeReceived,
    OpenOrderReported,
    OpenOrdersEnd,
    OrderDoubted,
    OrderStatusReported,
    PositionReported,
    PositionsEnd,
)
from ibkr_adapter.requests import CancelPositions, Request

Ask = Callable[[Request], None]

ANSWER_WITHIN_NS = 5 * SECOND
"""A placement without any answer for this long is in doubt: gateways have been seen to drop one silently."""


class Trading:
    """The desk's own side of the account."""

    def __init__(
        self,
        settings: Settings,
        request_ids: ReqIdCounter,
        link: Link,
        planes: Planes,
        market: Market,
        pacing: Pacing,
        ledger: Ledger,
        preflight: Preflight,
        lease: LeaseState,
    ) -> None:
        self._settings = settings
        self._link = link
        self._planes = planes
        self.ledger = ledger
        self.accounts = Accounts()
        self.permit = Permit(
            settings, link, planes, ledger.records, market, ledger.orders, ledger.order_ids, preflight, lease
        )
        self.placements = Placements(settings, link, self.permit, pacing, ledger)
        self.inquiry = Inquiry(settings, request_ids, ledger, planes, self.accounts)
        self.summary = SummarySource(settings, request_ids.take())
        self._gate: tuple[Reason, ...] | None = None
        self.ids_went_back = 0
        self.order_errors: Counter[int] = Counter()

    # The session.

    def begin(self, now_ns: int, out: Outbox) -> None:
        """After recovery: what was on its way when the process ended may or may not have arrived."""
        for order in self.ledger.orders.at_risk:
            if order.state in UNACKNOWLEDGED:
                self._doubt(order.key, DoubtCause.RESTART, now_ns, out)

    def session_identified(self, ask: Ask, now_ns: int) -> None:
        if not self._planes.without_ib:
            self.accounts.expect_positions()
        self.inquiry.begin(ask, now_ns, positions=True)

    def upstream_restored(self, ask: Ask, now_ns: int, *, streams_lost: bool) -> None:
        """What happened meanwhile is asked for; what stands of the account too, where the gateway has lost it."""
        if streams_lost:
            self.summary.wire_lost()
            if self.inquiry.idle:  # else a list that was asked for without IB may still end
                self.accounts.expect_positions()
        self.inquiry.restored(ask, now_ns, positions=streams_lost)

    def summary_owned(self, component: str) -> None:
        self.summary.owned(component)

    def session_ready(self) -> None:
        if self._settings.orders:
            self.placements.cancel_again()

    def leave(self, ask: Ask) -> None:
        """Cancel the two standing subscriptions of the account, if this session was asked for them."""
        self.summary.wanted = False
        for request in self.summary.surplus():
            ask(request)
        if self.inquiry.downloads.answer(Download.POSITIONS) is not None:
            ask(CancelPositions())

    def session_lost(self, now_ns: int, out: Outbox) -> None:
        self.inquiry.session_lost()
        self.summary.wire_lost()
        self.placements.refuse_pending(
            Reason(code="session", text="the session was lost before it was sent"), now_ns, out
        )
        for order in self.ledger.orders.at_risk:
            if order.state in UNACKNOWLEDGED:
                self._doubt(order.key, DoubtCause.SESSION_LOST, now_ns, out)

    # Commands.

    def command(self, command: Command, now_ns: int, out: Outbox) -> None:
        match command:
            case PlaceOrder():
                self.placements.place(command, now_ns, out)
            case CancelOrder():
                self.placements.cancel(command, now_ns, out)
            case _:
                raise AssertionError(f"no such command: {type(command).__name__}")

    def confirm(self, send: Send, now_ns: int, out: Outbox) -> bool:
        return self.placements.confirm(send, now_ns, out)

    def never_sent(self, order_key: str, detail: str, now_ns: int, out: Outbox) -> None:
        """The official encoder refused it, so the broker cannot know it."""
        order = self.ledger.orders.of(order_key)
        if order is not None and order.state is OrderState.INTENDED:
            self.placements.refuse_unsent(order, Reason(code="encoding", text=detail), now_ns, out)

    def withheld(self, event: FrameWithheld, now_ns: int, out: Outbox) -> None:
        """Its frame was dropped before the first byte, so the broker cannot know it."""
        order = self.ledger.orders.by_id(event.order_id)
        if order is None or order.intent is None or order.intent.epoch != event.epoch:
            return  # an id of another gateway
        if order.state is OrderState.INTENDED:
            self.placements.refuse_unsent(order, Reason(code="fence", text=event.detail), now_ns, out)

    # What the broker said.

    def next_valid_id(self, event: NextValidId) -> None:
        if not self.ledger.order_ids.named_next(event.order_id) and event.order_id < self.ledger.order_ids.last:
            self.ids_went_back += 1

    def order_report(self, event: OpenOrderReported | OrderStatusReported, out: Outbox) -> None:
        listed = Download.COMPLETED_ORDERS if isinstance(event, CompletedOrderReported) else Download.OPEN_ORDERS
        self.inquiry.downloads.row(listed)
        self.ledger.saw_id(event)
        if self.ledger.orders.is_news(event):
            self.ledger.record(event, out)
        self.inquiry.named(self.ledger.orders.named(event))

    def execution(self, event: ExecutionReported, out: Outbox) -> None:
        """Counted in any state of the link: a fill is true whenever it is told."""
        if self.inquiry.is_ours(event.req_id):
            self.inquiry.downloads.row(Download.EXECUTIONS)
        self.ledger.saw_id(event)
        if self.ledger.executions.is_news(event) or self.ledger.orders.awaits_word(event):
            self.ledger.record(event, out)
        self.inquiry.named(self.ledger.orders.named(event))  # one that was counted already is evidence too

    def commission(self, event: CommissionReported, out: Outbox) -> None:
        if self.ledger.executions.is_news_of_commission(event):
            self.ledger.record(event, out)

    def end(
        self, event: OpenOrdersEnd | CompletedOrdersEnd | ExecutionsEnd | PositionsEnd, now_ns: int, out: Outbox
    ) -> None:
        match event:
            case OpenOrdersEnd():
                self.inquiry.downloads.end(Download.OPEN_ORDERS)
            case CompletedOrdersEnd():
                self.inquiry.downloads.end(Download.COMPLETED_ORDERS)
            case ExecutionsEnd():
                if self.inquiry.is_ours(event.req_id):
                    self.inquiry.downloads.end(Download.EXECUTIONS)
            case PositionsEnd():
                self.inquiry.downloads.end(Download.POSITIONS)
                out.publishes.extend(self.accounts.all_stated(now_ns))

    def frame_sent(self, event: FrameSent, out: Outbox) -> None:
        self.ledger.record(event, out)

    def notice(self, event: NoticeReceived, out: Outbox) -> str:
        """A code with the id of one of our orders; the instrument it concerns, or an empty string."""
        order = self.ledger.orders.by_id(event.req_id)
        if order is None:
            return ""
        self.order_errors[event.code] += 1
        self.ledger.record(event, out)
        if self.ledger.orders.raises_question(event):
            self.inquiry.questioned(order)
        return order.terms.instrument.key

    def account_value(self, event: AccountValue, out: Outbox) -> None:
        if self.accounts.value(event):
            out.publishes.append(event)

    def position(self, event: PositionReported, out: Outbox) -> None:
        self.inquiry.downloads.row(Download.POSITIONS)
        if self.accounts.position(event):
            out.publishes.append(event)

    # The disk.

    def durable(self, seq: int, out: Outbox) -> None:
        self.ledger.records.durable(seq, out)
        self.placements.durable(seq)

    def journal_failed(self, detail: str, now_ns: int, out: Outbox) -> None:
        self.ledger.records.failed(detail)
        self.placements.refuse_pending(Reason(code="journal", text=f"the journal failed: {detail}"), now_ns, out)

    # Time.

    def tick(self, ask: Ask, now_ns: int, out: Outbox) -> bool:
        """True at the moment an inquiry has all its answers."""
        self.placements.expire(now_ns, out)
        self._await_answers(now_ns, out)
        finished = self.inquiry.tick(ask, now_ns, out)
        self.permit.unconfirmed = self.inquiry.unconfirmed
        if self._link.ready:
            self.inquiry.ask_again(ask, now_ns, out)
        return finished

    def watch_gate(self, now_ns: int, out: Outbox) -> tuple[Reason, ...]:
        """Record each change of the gate; the present reasons against new orders."""
        gate = self.permit.gate(now_ns)
        if self._gate is None or [r.code for r in gate] != [r.code for r in self._gate]:
            self.ledger.record(GateChanged(ts_recv_ns=now_ns, open=not gate, reasons=gate), out)
        self._gate = gate
        return gate

    def _await_answers(self, now_ns: int, out: Outbox) -> None:
        for order in self.ledger.orders.at_risk:
            if order.state not in UNACKNOWLEDGED or order.handed_ns is None:
                continue
            due_ns = order.handed_ns + ANSWER_WITHIN_NS
            if now_ns >= due_ns:
                self._doubt(order.key, DoubtCause.NO_ANSWER, now_ns, out)
            else:
                out.wake_at(due_ns)

    def _doubt(self, order_key: str, cause: DoubtCause, now_ns: int, out: Outbox) -> None:
        self.ledger.record(OrderDoubted(ts_recv_ns=now_ns, order_key=order_key, cause=cause), out)
