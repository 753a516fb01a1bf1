"""Which part each thing that happened belongs to, and the few that concern more than one.

One table, by type: a word without a row would be an error of ours. What ends with a session stands in one order too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ibkr_adapter.commands import CancelOrder, Command, CommandOutcome, FailBack, PlaceOrder, StartStreams, StopStreams
from ibkr_adapter.core.codes import Codes
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.core.link.upstream_patience import UpstreamPatience
from ibkr_adapter.core.trading.order import UNACKNOWLEDGED, OrderState
from ibkr_adapter.effects import (
    Durable,
    FramesTaken,
    JournalFailed,
    MessageCodesReplaced,
    Outbox,
    OutsideTrouble,
    SendFailed,
    SummaryOwned,
    TicksDropped,
    WallClockStepped,
)
from ibkr_adapter.events import (
    AccountSummaryEnd,
    AccountValue,
    BrokerTime,
    CommissionReported,
    CompletedOrderReported,
    CompletedOrdersEnd,
    ContractDescribed,
    ContractsEnd,
    DataTypeReported,
    Event,
    ExecutionReported,
    ExecutionsEnd,
    FrameSent,
    FrameWithheld,
    GatewayConfigured,
    LeaseChanged,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    OpenOrderReported,
    OpenOrdersEnd,
    OrderStatusReported,
    PositionReported,
    PositionsEnd,
    SessionLost,
    SessionOpened,
    TickParameters,
)
from ibkr_adapter.notices import NoticeTable
from ibkr_adapter.requests import SendOrder

if TYPE_CHECKING:
    from ibkr_adapter.core.engine import Engine

_UNANSWERED = UNACKNOWLEDGED | {OrderState.IN_DOUBT}

Happening = (
    Event
    | Command
    | Durable
    | FramesTaken
    | JournalFailed
    | MessageCodesReplaced
    | OutsideTrouble
    | TicksDropped
    | SendFailed
    | SummaryOwned
    | WallClockStepped
)
"""What the engine can be told. Ticks need no route: they are market data, always."""


class Routes:
    """The way of each happening to its part."""

    def __init__(self, engine: Engine, *, notices: NoticeTable, codes: Codes, patience: UpstreamPatience) -> None:
        self._engine = engine
        self._patience = patience
        self._codes = codes
        self._of_a_session: tuple[Callable[[SessionLost, int, Outbox], None], ...] = (
            engine.link.session_lost,
            engine.pacing.session_lost,
            engine.quotas.session_lost,
            engine.market.session_lost,
            engine.preflight.session_lost,
            engine.upstream_probe.session_lost,
            engine.trading.session_lost,
            engine.planes.session_lost,
            patience.session_lost,
        )
        self.table: dict[type, Callable[[Any, int, Outbox], None]] = {
            SessionOpened: self._session_opened,
            SessionLost: self._session_lost,
            NextValidId: self._identified,
            ManagedAccounts: self._identified,
            BrokerTime: lambda event, now_ns, out: engine.link.told_time(event),
            GatewayConfigured: lambda event, now_ns, out: engine.preflight.configured(event),
            NoticeReceived: codes.received,
            TickParameters: lambda event, now_ns, out: engine.market.answered(event),
            DataTypeReported: lambda event, now_ns, out: engine.market.data_type(event, out),
            ContractDescribed: self._contract,
            ContractsEnd: lambda event, now_ns, out: engine.market.contract(event),
            AccountValue: lambda event, now_ns, out: engine.trading.account_value(event, out),
            AccountSummaryEnd: _nothing,
            PositionReported: lambda event, now_ns, out: engine.trading.position(event, out),
            OpenOrderReported: self._order_report,
            CompletedOrderReported: self._order_report,
            OrderStatusReported: self._order_report,
            ExecutionReported: lambda event, now_ns, out: engine.trading.execution(event, out),
            CommissionReported: lambda event, now_ns, out: engine.trading.commission(event, out),
            OpenOrdersEnd: self._end,
            CompletedOrdersEnd: self._end,
            ExecutionsEnd: self._end,
            PositionsEnd: self._end,
            FrameSent: lambda event, now_ns, out: engine.trading.frame_sent(event, out),
            FrameWithheld: engine.trading.withheld,
            LeaseChanged: self._lease_changed,
            SummaryOwned: lambda event, now_ns, out: engine.trading.summary_owned(event.component),
            PlaceOrder: engine.trading.command,
            CancelOrder: engine.trading.command,
            StopStreams: self._switch_streams,
            StartStreams: self._switch_streams,
            FailBack: self._fail_back,
            Durable: lambda event, now_ns, out: engine.trading.durable(event.seq, out),
            TicksDropped: self._ticks_dropped,
            SendFailed: self._send_failed,
            OutsideTrouble: lambda event, now_ns, out: engine.told_troubles.told(event),
            MessageCodesReplaced: lambda event, now_ns, out: notices.replace(event.rows),
            WallClockStepped: lambda event, now_ns, out: engine.link.clocks.stepped(event.step_ns),
            JournalFailed: lambda event, now_ns, out: engine.trading.journal_failed(event.detail, now_ns, out),
        }

    def follow(self, happening: Happening, now_ns: int, out: Outbox) -> None:
        self.table[type(happening)](happening, now_ns, out)

    # Routes that concern more than one part.

    def _session_opened(self, event: SessionOpened, now_ns: int, out: Outbox) -> None:
        self._engine.pacing.spoke(now_ns)  # the message with which it made the gateway speak
        self._engine.planes.session_opened(event.gateway)
        self._patience.session_opened(event.gateway, now_ns)
        self._engine.ledger.record(event, out)
        self._engine.link.opened(event, now_ns, out)

    def _session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self._engine.ledger.record(event, out)
        for session_lost in self._of_a_session:
            session_lost(event, now_ns, out)

    def _lease_changed(self, event: LeaseChanged, now_ns: int, out: Outbox) -> None:
        self._engine.lease.changed(event)
        self._engine.ledger.record(event, out)
        if event.lost:
            self._engine.link.recycle(f"the lease is lost: {event.detail}", now_ns, out)

    def _identified(self, event: NextValidId | ManagedAccounts, now_ns: int, out: Outbox) -> None:
        if isinstance(event, NextValidId):
            if self._engine.link.state is LinkState.IDENTIFYING:
                self._engine.ledger.order_ids.greeted(event.order_id, now_ns)
            self._engine.trading.next_valid_id(event)
            self._engine.preflight.ids_told()
        if self._engine.link.named(event, now_ns, out):
            link = self._engine.link
            self._engine.preflight.session_identified(link.gateway.name, link.server_version, self._engine.ask, now_ns)
            self._engine.trading.session_identified(self._engine.ask, now_ns)

    def _contract(self, event: ContractDescribed, now_ns: int, out: Outbox) -> None:
        if self._engine.upstream_probe.answers(event):
            self._codes.ib_answered(now_ns, out)
        else:
            self._engine.market.contract(event)

    def _switch_streams(self, command: StopStreams | StartStreams, now_ns: int, out: Outbox) -> None:
        self._engine.market.command(command, self._engine.ledger.record, now_ns, out)

    def _fail_back(self, command: FailBack, now_ns: int, out: Outbox) -> None:
        orders = self._engine.ledger.orders
        unanswered = [
            order.key
            for order in orders.at_risk
            if (order.state in _UNANSWERED or order.cancel_asked) and orders.here(order)
        ]
        refusal = self._engine.link.fail_back(command.actor, now_ns, out, unanswered=unanswered)
        out.replies.append(
            CommandOutcome(
                command_id=command.command_id,
                accepted=refusal is None,
                state="" if refusal else "going_back",
                reasons=(refusal,) if refusal else (),
            )
        )

    def _order_report(self, event: OpenOrderReported | OrderStatusReported, now_ns: int, out: Outbox) -> None:
        self._engine.trading.order_report(event, out)

    def _end(
        self, event: OpenOrdersEnd | CompletedOrdersEnd | ExecutionsEnd | PositionsEnd, now_ns: int, out: Outbox
    ) -> None:
        self._engine.trading.end(event, now_ns, out)

    def _ticks_dropped(self, event: TicksDropped, now_ns: int, out: Outbox) -> None:
        self._engine.market.dropped(event.req_id, event.count, now_ns, out)

    def _send_failed(self, event: SendFailed, now_ns: int, out: Outbox) -> None:
        if isinstance(event.request, SendOrder):
            self._engine.trading.never_sent(event.request.order_ref, event.detail, now_ns, out)
        elif (req_id := getattr(event.request, "req_id", None)) is not None:
            self._engine.pacing.answered(req_id)
            self._engine.market.refused(req_id, event.detail)
            self._engine.preflight.refused(req_id, event.detail)


def _nothing(event: object, now_ns: int, out: Outbox) -> None:
    """Said, heard, and of no consequence yet."""
