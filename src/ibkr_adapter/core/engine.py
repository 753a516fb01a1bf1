"""The deterministic heart: told what happened and what time it is, it answers with what to do.

``receive`` takes a batch of events and commands, routes each to the one part that understands it, lets time pass once,
and leaves the effects in an outbox. Nothing in here reads a clock, draws a number, touches a socket or a disk. The same
engine therefore runs under the real loop, under a test, and under a simulation of a year of bad nights.

Order within a batch is the order of arrival, with one rule on top: what belongs to a session that is gone is dropped,
unless it is a fact about money (an execution, its commission, a frame that left), which is true whoever brings it.

Most of what comes is ticks, and most ticks change nothing but a quote. So time passes through the parts when something
else was said, when the moment has come that a part asked to be woken at, or when a tick stirred one: where a batch does
none of that, no part would have done anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from ibkr_adapter.core import picture
from ibkr_adapter.core.alerts import Alerts, Condition
from ibkr_adapter.core.codes import Codes
from ibkr_adapter.core.link.lanes import ends
from ibkr_adapter.core.link.lease import LeaseState
from ibkr_adapter.core.link.link import Link, LinkState
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.link.planes import UPSTREAM_ALERT, Planes, Upstream
from ibkr_adapter.core.link.preflight import Preflight
from ibkr_adapter.core.link.quotas import Quotas
from ibkr_adapter.core.link.upstream_patience import Remedy, UpstreamPatience
from ibkr_adapter.core.link.upstream_probe import UpstreamProbe
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.market.reconciler import Reconciler
from ibkr_adapter.core.notebook import Notebook
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.routes import Happening, Routes
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.told_troubles import ToldTroubles
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.trading import Trading
from ibkr_adapter.effects import FramesTaken, Outbox
from ibkr_adapter.events import (
    BrokerEvent,
    CommissionReported,
    ExecutionReported,
    FrameSent,
    FrameWithheld,
    Started,
    Stopped,
    Tick,
)
from ibkr_adapter.notices import NoticeTable
from ibkr_adapter.requests import Request
from ibkr_adapter.snapshot import AlertView, Snapshot

__all__ = ["Engine", "Happening"]

_OF_OUR_OWN_BYTES = (FrameSent, FrameWithheld)
"""They prove nothing about the other side."""

_TRUE_WHOEVER_BRINGS_IT = (ExecutionReported, CommissionReported, FrameSent, FrameWithheld)


class Engine:
    """Link, market and trading, and the routes between them."""

    def __init__(
        self,
        settings: Settings,
        *,
        notices: NoticeTable,
        rand: Callable[[], float],
        ledger: Ledger,
        last_recv_ns: dict[str, int],
        now_ns: int,
        open_alerts: Sequence[AlertView] = (),
    ) -> None:
        """``open_alerts``: what an earlier life raised and did not resolve; ``notices``: the ledger's own table."""
        self._settings = settings
        request_ids = ReqIdCounter()
        self.ledger = ledger
        self.pacing = Pacing(
            messages_max=settings.pacing.messages_max,
            messages_reserved=settings.pacing.messages_reserved,
            burst_max=settings.pacing.messages_burst,
        )
        self.quotas = Quotas(
            lines=settings.pacing.lines, depth=settings.pacing.depth, tick_by_tick=settings.pacing.tick_by_tick
        )
        doubted = any(alert.key == UPSTREAM_ALERT for alert in open_alerts)
        self.planes = Planes((gateway.name for gateway in settings.gateways) if doubted else ())
        self.upstream_probe = UpstreamProbe(settings, request_ids, self.planes)
        self._patience = UpstreamPatience(settings)
        self.link = Link(
            settings,
            rand=rand,
            epoch=ledger.last_epoch,
            now_ns=now_ns,
            struck_out=lambda: self.pacing.struck_out,
            awaited=lambda: self.trading.inquiry.awaited,
        )
        self.lease = LeaseState(required=settings.lease_required, client_id=settings.client_id, now_ns=now_ns)
        self.preflight = Preflight(settings, request_ids)
        self.market = Market(
            settings,
            request_ids,
            self.planes,
            self.quotas.lines,
            last_recv_ns,
            ledger.streams_switched,
            lambda: {order.terms.instrument.key for order in ledger.orders.at_risk},
        )
        against = (self.lease.reasons, self.link.reasons, self.planes.reasons, self.preflight.reasons)
        self.trading = Trading(settings, request_ids, self.link, self.planes, self.market, self.pacing, ledger, against)
        self.reconciler = Reconciler((*self.trading.sources, *self.market.sources))
        self.told_troubles = ToldTroubles()
        self.alerts = Alerts(open_alerts, now_ns=now_ns)
        self.notebook = Notebook()
        self._codes = Codes(
            notices=notices,
            notebook=self.notebook,
            alerts=self.alerts,
            link=self.link,
            planes=self.planes,
            patience=self._patience,
            pacing=self.pacing,
            quotas=self.quotas,
            preflight=self.preflight,
            market=self.market,
            trading=self.trading,
            ask=self.ask,
        )
        self._wrong: tuple[Callable[[int], Iterable[Condition]], ...] = (
            self.link.conditions,
            self.planes.conditions,
            self.market.conditions,
            self.lease.conditions,
            self.preflight.conditions,
            self.pacing.conditions,
            self.told_troubles.conditions,
            self.trading.conditions,
        )
        self.stale_events = 0
        self._leaving = False
        self._wake_at_ns: int | None = None
        self._routes = Routes(self, notices=notices, codes=self._codes, patience=self._patience)

    def begin(self, started: Started, out: Outbox) -> None:
        """The first record of this life; then what the last life left open."""
        self.ledger.record(started, out)
        self.ledger.tell_untold(started.ts_recv_ns, out)
        self.trading.begin(started.ts_recv_ns, out)
        self.receive((), started.ts_recv_ns, out)

    def leave(self, now_ns: int, out: Outbox) -> None:
        """Cancel what stands at the gateway, as fast as pacing allows; ``left`` when all of it is on its way.

        Nothing else is asked from here on: whatever it were, the cancels would have to wait for it.
        """
        self._leaving = True
        self.pacing.only_ends()
        if self.link.socket_open and not self.lease.lost:
            self.market.leave()
            self.trading.leave()
            self.reconciler.cancel(self.ask)
        self.receive((), now_ns, out)

    @property
    def left(self) -> bool:
        return not self.uncancelled or self.lease.lost

    @property
    def uncancelled(self) -> int:
        """What still waits for the rate limit; while we leave these are cancels."""
        return self.pacing.waiting

    def end(self, stopped: Stopped, out: Outbox) -> None:
        """The last record of this life."""
        self.ledger.record(stopped, out)

    def receive(self, happenings: Sequence[Happening], now_ns: int, out: Outbox) -> None:
        """Take a batch in order, let time pass if that may change anything, fill the outbox."""
        told = self._take(happenings, now_ns, out)
        if told or self.market.stirring or self._due(now_ns):
            self._pass_time(now_ns, out)
            self._wake_at_ns = out.wake_at_ns
        elif self._wake_at_ns is not None:
            out.wake_at(self._wake_at_ns)
        self.market.flush(out)

    def _due(self, now_ns: int) -> bool:
        """The moment has come at which a part asked to be woken."""
        return self._wake_at_ns is not None and now_ns >= self._wake_at_ns

    def _take(self, happenings: Sequence[Happening], now_ns: int, out: Outbox) -> bool:
        """Whether any of it, or nothing but time, may have changed more than quotes.

        Of many ticks the link hears the first and the last.
        """
        told = not happenings
        first: Tick | None = None
        last: Tick | None = None
        for happening in happenings:
            if isinstance(happening, Tick):
                if happening.epoch != self.link.epoch:
                    self.stale_events += 1
                    continue
                if first is None:
                    first = happening
                    told |= self.link.suspect
                    self.link.heard(happening, now_ns, out)
                self.market.tick(happening, out)
                last = happening
            elif isinstance(happening, FramesTaken):
                self._frames_taken(happening, now_ns)
                told |= bool(self.pacing.waiting)
            elif self._is_news(happening, now_ns, out):
                told = True
                self._routes.follow(happening, now_ns, out)
        if last is not None and last is not first:
            self.link.heard(last, now_ns, out)
        if told:
            self.reconciler.stir()
        return told

    def _is_news(self, happening: Happening, now_ns: int, out: Outbox) -> bool:
        """It is of the present session, of none, or true whoever brings it."""
        if not isinstance(happening, BrokerEvent):
            return True
        if happening.epoch == self.link.epoch:
            if not isinstance(happening, _OF_OUR_OWN_BYTES):
                self.link.heard(happening, now_ns, out)
            return True
        if isinstance(happening, _TRUE_WHOEVER_BRINGS_IT):
            return True
        self.stale_events += 1
        return False

    def _pass_time(self, now_ns: int, out: Outbox) -> None:
        self.link.tick(
            now_ns,
            self.ask if self._may_ask else _unasked,
            out,
            may_connect=self.lease.held,
            may_be_deaf=self.planes.upstream is Upstream.LOST,
        )
        if self.trading.tick(self.ask, now_ns, out) and self.link.state is LinkState.RECONCILING:
            self._reconciled(now_ns, out)
        self._close_differences(now_ns, out)
        self.market.prove(now_ns, alive=self.feed_proven, out=out)
        self.preflight.tick(self.ask, now_ns, out)
        excuse = self.link.excuse(now_ns)
        if self.link.identified:
            self.upstream_probe.tick(self.ask, now_ns, out, excused=excuse is not None)
        self._bear_with_upstream(now_ns, out)
        self.trading.watch_gate(now_ns, out)
        excuses = partial(self.link.excuse_of, now_ns)
        self.alerts.watch(self._conditions(now_ns), now_ns, excuses, out, ready=self.link.ready)
        if (settled_ns := self.planes.next_change_ns(now_ns)) is not None:
            out.wake_at(settled_ns)
        self.pacing.release(now_ns, out, lambda send: self.trading.confirm(send, now_ns, out))

    @property
    def _may_ask(self) -> bool:
        """A component for paper accounts asks nothing before it knows the accounts."""
        return bool(self.link.accounts) or not self._settings.paper_only

    @property
    def unfit(self) -> str:
        """Why this process must end: it is for paper accounts, and found others. Empty: it may go on."""
        return self.link.detail if self._settings.paper_only and self.link.state is LinkState.HALTED else ""

    def _reconciled(self, now_ns: int, out: Outbox) -> None:
        """Everything at risk is known, as far as the gateway says it."""
        unconfirmed = ", ".join(self.trading.inquiry.unconfirmed)
        self.link.reconciled(f"ready, unconfirmed: {unconfirmed}" if unconfirmed else "ready", now_ns, out)
        self.trading.session_ready()
        self.market.session_ready(now_ns)

    def ask(
        self,
        request: Request,
        *,
        priority: int = 0,
        deadline_ns: int | None = None,
        expired: Callable[[Request], None] | None = None,
    ) -> None:
        if self._leaving and not ends(request):
            return
        self.pacing.ask(request, epoch=self.link.epoch, priority=priority, deadline_ns=deadline_ns, expired=expired)

    @property
    def feed_proven(self) -> bool:
        """Our socket is ready and not suspect, and nobody has reason to think that the gateway is without IB."""
        return self.link.ready and not self.planes.without_ib

    def _close_differences(self, now_ns: int, out: Outbox) -> None:
        """Between what is wanted and what stands at the gateway; what is dead there is wanted anew."""
        if self.link.suspect:
            self.market.line_silent(now_ns)
        if self.link.ready and (why := self.market.watch(now_ns, out)):
            self.link.recycle(why, now_ns, out)
        elif self.link.identified:
            if self.market.stirred(now_ns) or self.reconciler.due(now_ns):
                room = self.pacing.limit(now_ns) - self.pacing.waiting
                self.reconciler.close(self.ask, now_ns, out, room=room, ready=self.link.ready)
            if self.link.ready:
                self.market.wake(out)

    def _bear_with_upstream(self, now_ns: int, out: Outbox) -> None:
        match self._patience.watch(now_ns, excused=self.link.planned(now_ns), out=out):
            case Remedy.FAIL_OVER:
                self.link.fail_over("the gateway has been without IB for too long", now_ns, out)
            case Remedy.RECYCLE:
                self.link.recycle("the gateway has been without IB for too long", now_ns, out)

    def _conditions(self, now_ns: int) -> Iterator[Condition]:
        """Everything that is wrong at this moment, of every part."""
        return (condition for part in self._wrong for condition in part(now_ns))

    def _frames_taken(self, event: FramesTaken, now_ns: int) -> None:
        if event.epoch == self.link.epoch:
            self.pacing.reported(now_ns, unsent=event.unsent, written_ns=event.written_ns)

    # What others may see.

    def snapshot(self, now_ns: int) -> Snapshot:
        return picture.snapshot(self, self._settings, now_ns)


def _unasked(request: Request) -> None:
    """It is not the time to ask anything."""
