"""Orders, executions and accounts as one part: what the broker says is recorded, what people ask is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import CancelOrder, Command, PlaceOrder, Reason
from ibkr_adapter.core.alerts import Condition
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.link.planes import Planes
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.account_sources import PositionsSource, SummarySource
from ibkr_adapter.core.trading.accounts import Accounts
from ibkr_adapter.core.trading.downloads import Download
from ibkr_adapter.core.trading.gate import Gate, switches
from ibkr_adapter.core.trading.inquiry import Inquiry
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.order import UNACKNOWLEDGED, OrderState
from ibkr_adapter.core.trading.permit import Permit
from ibkr_adapter.core.trading.placements import Placements
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
    SessionLost,
)
from ibkr_adapter.requests import Request

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
        against: Sequence[Callable[[int], Iterable[Reason]]],
    ) -> None:
        """``against``: what the other parts have against orders."""
        self._settings = settings
        self._link = link
        self._planes = planes
        self.ledger = ledger
        self.accounts = Accounts()
        self.positions = PositionsSource(settings, self._positions_asked)
        self.inquiry = Inquiry(settings, request_ids, ledger, planes, self.accounts, self.positions)
        self.gate = Gate((switches(settings), *against, self.inquiry.reasons, ledger.records.reasons))
        self.permit = Permit(settings, self.gate, link, market, ledger.orders, ledger.order_ids)
        self.placements = Placements(settings, link, self.permit, pacing, ledger)
        self.summary = SummarySource(settings, request_ids.take())
        self.sources = (self.positions, self.summary)
        self._told_gate: tuple[str, ...] | None = None
        self.ids_went_back = 0
        self.order_errors: Counter[int] = Counter()

    # The session.

    def begin(self, now_ns: int, out: Outbox) -> None:
        """After recovery: what was on its way when the process ended may or may not have arrived."""
        for order in self.ledger.orders.at_risk:
            if order.state in UNACKNOWLEDGED:
                self._doubt(order.key, DoubtCause.RESTART, now_ns, out)

    def session_identified(self, ask: Ask, now_ns: int) -> None:
        self.inquiry.begin(ask, now_ns)

    def _positions_asked(self, now_ns: int, *, begins: bool) -> None:
        """A gateway without IB states what it remembers: what that does not name may be held all the same."""
        self.inquiry.positions_asked(now_ns)
        if begins and not self._planes.without_ib:
            self.accounts.expect_positions()

    def upstream_restored(self, ask: Ask, now_ns: int, *, streams_lost: bool) -> None:
        """What happened meanwhile is asked for; what stands of the account too, where the gateway has lost it."""
        if streams_lost:
            self.summary.wire_lost()
            self.positions.streams_lost()
        self.inquiry.restored(ask, now_ns)

    def summary_owned(self, component: str) -> None:
        self.summary.owned(component)

    def session_ready(self) -> None:
        if self._settings.orders:
            self.placements.cancel_again()

    def leave(self) -> None:
        """Neither subscription of the account is wanted any more."""
        self.summary.wanted = self.positions.wanted = False

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self.inquiry.session_lost()
        self.summary.wire_lost()
        self.positions.wire_lost()
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
                self.positions.ended()
                out.publishes.extend(self.accounts.all_stated(now_ns))

    def frame_sent(self, event: FrameSent, out: Outbox) -> None:
        self.ledger.record(event, out)
        if event.cancel and event.epoch == self._link.epoch:
            self.placements.cancel_left(self.ledger.orders.by_id(event.order_id))

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
        if self._link.ready:
            self.inquiry.ask_again(ask, now_ns, out)
        return finished

    def watch_gate(self, now_ns: int, out: Outbox) -> None:
        """Record each change of the gate."""
        reasons = self.gate.reasons(now_ns)
        codes = tuple(reason.code for reason in reasons)
        if codes != self._told_gate:
            self._told_gate = codes
            self.ledger.record(GateChanged(ts_recv_ns=now_ns, open=not reasons, reasons=reasons), out)

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        """What is wrong with what we need to send orders."""
        if self._settings.orders:
            yield from self.ledger.order_ids.conditions(now_ns)
            yield from self.placements.conditions()
            if self._settings.trading:
                yield from self.inquiry.conditions()

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
