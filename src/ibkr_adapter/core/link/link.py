"""The life of a connection, from the first attempt to ready and back.

One session is one connection: it is opened once, has an epoch of its own, and is never revived. What connects the
sessions is the link: it knows which epoch is the present one, so that whatever a dead session still says is recognised
and dropped (executions and other facts about money excepted: those are true whoever brings them). The next session is
opened only when the last one is known to be over, at the same gateway or at another.

    DOWN -> CONNECTING -> IDENTIFYING -> RECONCILING -> READY <-> SUSPECT
                                \\______________\\__________\\______\\-> HALTED

IDENTIFYING waits for the next valid id *and* the account list, in either order: real gateways send both orders. Then
the accounts must be those of the environment, and must stay so: the list may come again at any time. A paper
configuration on a live login is not an error to retry but a reason to stop: HALTED stays until a person restarts the
service. RECONCILING waits for open orders, completed orders, executions and positions, each with its end marker; only
then is anything known about what is at risk, and only then may orders be sent.

SUSPECT is a ready session whose peer missed a heartbeat: nothing is sent on it, and any byte that comes makes it ready
again. If none comes the session is dropped. So is one that tells the time and answers nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.calendar import Excuse
from ibkr_adapter.core.link.clocks import Clocks
from ibkr_adapter.core.link.deafness import Deafness
from ibkr_adapter.core.link.gateways import Backoff, Gateways
from ibkr_adapter.core.link.heartbeat import Heartbeat, Pulse
from ibkr_adapter.core.link.identity import Identity
from ibkr_adapter.core.link.states import OPEN, RECONCILED, TRANSITIONS, LinkState
from ibkr_adapter.core.link.troubles import Troubles
from ibkr_adapter.core.settings import GatewaySettings, Settings
from ibkr_adapter.effects import Close, Open, Outbox
from ibkr_adapter.events import (
    BrokerEvent,
    BrokerTime,
    LinkChanged,
    ManagedAccounts,
    NextValidId,
    SessionLost,
    SessionOpened,
)
from ibkr_adapter.requests import Request
from ibkr_adapter.windows import RESETS

__all__ = ["Link", "LinkState"]

UNREADY_AFTER_NS = 60 * SECOND
"""A session that is open and not ready for this long alerts. Large downloads take seconds."""

UNREADY_MAX_NS = 120 * SECOND
"""Lists that have not come to their ends by then will not come on this session."""

LATE_AFTER_NS = 45 * SECOND
"""A gateway that answers nothing any more is left before; one whose answers are late is told then."""


class Link:
    """Which session is the present one, and how far it has come."""

    def __init__(
        self,
        settings: Settings,
        *,
        rand: Callable[[], float],
        epoch: int,
        now_ns: int,
        struck_out: Callable[[], bool],
        awaited: Callable[[], Sequence[str]],
    ) -> None:
        """``struck_out``: the session has complained of our pace as often as it ends one; ``awaited``: late lists."""
        backoff = Backoff(first_ns=settings.backoff_first_ns, max_ns=settings.backoff_max_ns, rand=rand)
        self.gateways = Gateways(settings.gateways, backoff, now_ns=now_ns)
        self.heartbeat = Heartbeat(settings)
        self.identity = Identity(settings)
        self.clocks = Clocks()
        self.troubles = Troubles(settings.client_id)
        self._deafness = Deafness()
        self._silent_after_ns = settings.silent_after_ns
        self._struck_out = struck_out
        self._awaited = awaited
        self._trading = settings.trading and settings.orders
        self.state = LinkState.DOWN
        self.epoch = epoch
        self.client_id = settings.client_id
        self.detail = "not started"
        self.since_ns = now_ns
        self.server_version: int | None = None
        self._down_ns: int | None = now_ns
        self._closing = ""
        self._lost_because = ""

    def __repr__(self) -> str:
        return f"<Link {self.epoch}@{self.gateway.name} {self.state.name} {self.detail}>"

    @property
    def gateway(self) -> GatewaySettings:
        """The gateway of the present session, or of the one that is tried next."""
        return self.gateways.present

    @property
    def socket_open(self) -> bool:
        return self.state in OPEN

    @property
    def _in_use(self) -> bool:
        """A socket is open, and we have not asked for its end."""
        return self.socket_open and not self._closing

    @property
    def ready(self) -> bool:
        """Reconciled, and the peer is not suspect."""
        return self.state is LinkState.READY

    @property
    def delivers(self) -> bool:
        """What is sent now is likely to arrive: the peer is not suspect, and the session not about to be ended."""
        return self._in_use and not self.suspect

    @property
    def suspect(self) -> bool:
        return self.state is LinkState.SUSPECT

    @property
    def reconciled_once(self) -> bool:
        """The present session is ready, or was before it became suspect."""
        return self.state in RECONCILED

    @property
    def accounts(self) -> tuple[str, ...]:
        """Those that the present session has named."""
        return self.identity.accounts

    @property
    def identified(self) -> bool:
        """The lists of a session may be asked for."""
        return self.state is LinkState.RECONCILING or self.ready

    @property
    def halted(self) -> bool:
        return self.state is LinkState.HALTED

    # What happened.

    def opened(self, event: SessionOpened, now_ns: int, out: Outbox) -> None:
        self.server_version = event.server_version
        self.heartbeat.begin(now_ns)
        self._deafness.heard(now_ns)
        self.identity.begin(now_ns)
        self._to(LinkState.IDENTIFYING, "waiting for order ids and accounts", now_ns, out)

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        """The session of the present epoch ended: wait, then try again, unless we were halted on purpose."""
        self.server_version = None
        if self.state is LinkState.HALTED:
            return
        if self._down_ns is None:
            self._down_ns = now_ns
        if self.gateways.steady(now_ns):
            self.troubles.steady()
        self._lost_because = self.troubles.complaint or self._closing or event.detail or event.cause.value
        wait_ns = self.troubles.ended(event, was_ready=self.reconciled_once, too_fast=self._struck_out())
        self._closing = ""
        self.gateways.ended(
            now_ns,
            excused=self.planned(now_ns),
            wait_ns=wait_ns,
            gateway_answered=self.troubles.refused,
        )
        self._to(LinkState.DOWN, self._lost_because, now_ns, out, gateway=event.gateway)

    def named(self, event: NextValidId | ManagedAccounts, now_ns: int, out: Outbox) -> bool:
        """True when both have come and the accounts are ours: the downloads may begin."""
        self.identity.told(event)
        if self.socket_open and self.accounts and (mismatch := self.identity.mismatch()):
            self._to(LinkState.HALTED, mismatch, now_ns, out)
            out.closes.append(Close(epoch=self.epoch, reason=mismatch))
            return False
        if self.state is not LinkState.IDENTIFYING or not self.identity.known:
            return False
        self._to(LinkState.RECONCILING, "downloading orders, executions and positions", now_ns, out)
        return True

    def reconciled(self, detail: str, now_ns: int, out: Outbox) -> None:
        self._down_ns = None
        self.gateways.proved(now_ns)
        self.troubles.over()
        self._to(LinkState.READY, detail, now_ns, out)

    def heard(self, event: BrokerEvent, now_ns: int, out: Outbox) -> None:
        """Something came on the present session, whatever it was."""
        self.heartbeat.heard(event.ts_recv_ns)
        if not isinstance(event, BrokerTime):
            self._deafness.heard(event.ts_recv_ns)
        if self.state is LinkState.SUSPECT and not self._closing:
            self._to(LinkState.READY, "ready: the gateway speaks again", now_ns, out)

    def told_time(self, event: BrokerTime) -> None:
        self.heartbeat.answered(event.time_ns, event.ts_recv_ns)

    def recycle(self, reason: str, now_ns: int, out: Outbox) -> None:
        """End this session; the next one follows as after any loss."""
        if self.socket_open:
            self._drop(reason, now_ns, out)

    def fail_over(self, reason: str, now_ns: int, out: Outbox) -> None:
        """End this session and use the other gateway."""
        if self.socket_open:
            self.gateways.leave()
            self._drop(reason, now_ns, out)

    def fail_back(self, actor: str, now_ns: int, out: Outbox, *, unanswered: Sequence[str]) -> Reason | None:
        """End the session with the standby and try the environment's own gateway first, or say why not.

        ``unanswered``: orders of this session of which the broker has said nothing; no other login could ask.
        """
        if not self.gateways.on_standby or not self.socket_open:
            text = f"there is no session with a standby: {self.gateway.name} is {self.state.value}"
            return Reason(code="not_on_standby", text=text, remedy="`ibkr-adapter status` says what is tried")
        if unanswered:
            text = (
                f"orders sent there, {len(unanswered)}, are waiting for the broker's word: {', '.join(unanswered[:5])}"
            )
            remedy = "wait until it has answered; from the other login nobody could ask about them"
            return Reason(code="orders_in_flight", text=text, remedy=remedy)
        self.gateways.go_back()
        self._drop(f"back from the standby: {actor} asked for it", now_ns, out)
        return None

    # What time does.

    def tick(
        self, now_ns: int, ask: Callable[[Request], None], out: Outbox, *, may_connect: bool, may_be_deaf: bool
    ) -> None:
        """``may_connect``: our client id is ours. ``may_be_deaf``: the gateway is without IB, and may be silent."""
        self._watch_calendar(now_ns, out)
        next_ns = self.gateways.next_attempt_ns
        if self.state is LinkState.DOWN and may_connect and next_ns is not None:
            if now_ns >= next_ns:
                self._attempt(now_ns, out)
            else:
                out.wake_at(next_ns)
        if self._in_use:
            self._beat(now_ns, ask, out)
        identifying = self.state is LinkState.IDENTIFYING and not self._closing
        if identifying and (missing := self.identity.wait(now_ns, ask, out)):
            self._drop(f"the gateway sent no {missing}", now_ns, out)
        if self._in_use:
            self.identity.ask_again(now_ns, ask, out)
        self._wait_for_lists(now_ns, out, without_ib=may_be_deaf)
        if may_be_deaf:
            self._deafness.heard(now_ns)
        elif self._in_use and self._deafness.watch(now_ns, ask, out):
            self._drop("the gateway tells the time, but no answer to anything else came", now_ns, out)

    def _wait_for_lists(self, now_ns: int, out: Outbox, *, without_ib: bool) -> None:
        """Half a list proves nothing, so the gate stays closed; a new session, or another gateway, may bring it all."""
        if self.state is not LinkState.RECONCILING or self._closing or without_ib or self.planned(now_ns):
            return
        due_ns = self.since_ns + UNREADY_MAX_NS
        if now_ns < due_ns:
            out.wake_at(due_ns)
        else:
            late = ", ".join(self._awaited()) or "its lists"
            self._drop(f"not ready {UNREADY_MAX_NS // SECOND} s after the login: no end of {late}", now_ns, out)

    def _watch_calendar(self, now_ns: int, out: Outbox) -> None:
        change_ns = self.gateways.calendar.next_change_ns(now_ns)
        if change_ns is not None:
            out.wake_at(change_ns)
        if self._down_ns is not None and (excuse := self.excuse(now_ns)) is not None:
            out.wake_at(excuse.changes_ns)

    def _attempt(self, now_ns: int, out: Outbox) -> None:
        self.epoch += 1
        self.gateways.attempted()
        self.troubles.opened(self.gateway.name)
        self.heartbeat.begin(now_ns)
        self._to(LinkState.CONNECTING, f"connecting to {self.gateway.address}", now_ns, out)
        out.opens.append(Open(gateway=self.gateway.name, epoch=self.epoch))

    def _beat(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        pulse = self.heartbeat.beat(now_ns, ask, out)
        if self.heartbeat.paused:
            self._deafness.heard(now_ns)
        match pulse:
            case Pulse.DEAD:
                self._drop(f"nothing came for {self._silent_after_ns / SECOND:.0f} s", now_ns, out)
            case Pulse.UNANSWERED:
                self._drop("the gateway speaks, but has answered nothing for a minute", now_ns, out)
            case Pulse.MISSED if self.state is LinkState.READY:
                self._to(LinkState.SUSPECT, "the gateway missed a heartbeat", now_ns, out)
            case _:
                pass

    def _drop(self, reason: str, now_ns: int, out: Outbox) -> None:
        """Ask for the end of the session; until it is told, nothing is sent on it."""
        if self._closing:
            return
        self._closing = reason
        if self.state is LinkState.READY:
            self._to(LinkState.SUSPECT, reason, now_ns, out)
        out.closes.append(Close(epoch=self.epoch, reason=reason))

    def _to(self, state: LinkState, detail: str, now_ns: int, out: Outbox, *, gateway: str = "") -> None:
        """``gateway`` where it is not the present one any more: the session of another was lost."""
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"link cannot go from {self.state.name} to {state.name}")
        self.state = state
        self.detail = detail
        self.since_ns = now_ns
        out.publishes.append(
            LinkChanged(
                ts_recv_ns=now_ns,
                state=state.value,
                gateway=gateway or self.gateway.name,
                epoch=self.epoch,
                detail=detail,
            )
        )

    # What it means for others.

    def excuse(self, now_ns: int) -> Excuse | None:
        """The planned window that explains what is wrong with the connection now, if one does."""
        if self._down_ns is None:
            return self.gateways.calendar.at(now_ns)
        return self.gateways.calendar.excuse(now_ns, self._down_ns)

    def excuse_of(self, now_ns: int, since_ns: int) -> Excuse | None:
        """What explains something else that has been wrong since then: a loss of the session explains all of it."""
        return self.gateways.calendar.excuse(now_ns, since_ns if self._down_ns is None else self._down_ns)

    def planned(self, now_ns: int) -> bool:
        """The gateway is left alone: a window holds, or explains the loss. Being told of it may have begun before."""
        return self.gateways.calendar.at(now_ns) is not None or self.excuse(now_ns) is not None

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no new order may be sent on this link."""
        if self.suspect:
            yield Reason(
                code="silent",
                text=f"nothing has come from the gateway for {self.heartbeat.silent_ns(now_ns) / SECOND:.0f} s",
                remedy="it opens by itself when the gateway answers; after 15 s the connection is made anew",
            )
        elif not self.ready:
            yield Reason(
                code="link", text=f"the link is {self.state.value}: {self.detail}", remedy="wait until it is ready"
            )
        elif self.heartbeat.late(now_ns):
            yield Reason(
                code="deaf",
                text="the gateway speaks, but a question has had no answer for 20 s: it may not read what we send",
                remedy="it opens by itself when answers come in time; without any for a minute the session is ended",
            )
        if self.identity.unnamed:
            yield Reason(
                code="accounts",
                text="the gateway lists no account any more",
                remedy="it is asked again; it opens by itself when it lists ours",
            )
        yield from self.gateways.reasons(now_ns)
        yield from self.clocks.reasons(self.heartbeat.offset)

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        """What is wrong with the connection; a cause that is known speaks for the outage that it makes."""
        known = tuple(self.troubles.conditions())
        yield from known
        yield from self.clocks.conditions(self.heartbeat.offset)
        if self.halted:
            yield Condition(
                key="link/halted",
                severity=AlertSeverity.CRITICAL,
                text=f"stopped for good: {self.detail}",
                remedy="log the gateway in to the account of this environment, then restart the service",
            )
        elif self.reconciled_once or not known:
            yield from self.gateways.conditions(
                in_use=self.reconciled_once, trading=self._trading, lost_because=self._lost_because
            )
        if self.socket_open and self.identity.unnamed:
            yield Condition(
                key="link/accounts",
                severity=AlertSeverity.CRITICAL if self._trading else AlertSeverity.WARNING,
                text=f"{self.gateway.name} lists no account any more, and no order is sent",
                remedy="see whether the login is still in: the gateway is asked every ten seconds",
                after_ns=LATE_AFTER_NS,
                excused_by=RESETS,
            )
        if self.ready and self.heartbeat.late(now_ns):
            yield Condition(
                key="link/late",
                severity=AlertSeverity.CRITICAL if self._trading else AlertSeverity.WARNING,
                text=f"{self.gateway.name} answers more than 20 s late: what it says is old, and no order is sent",
                remedy="the line is too narrow for what is asked for: ask for less, or widen it",
                after_ns=LATE_AFTER_NS,
                excused_by=RESETS,
            )
        if self.socket_open and not self.reconciled_once:
            late = self._awaited()
            yield Condition(
                key="link/unready",
                severity=AlertSeverity.CRITICAL,
                text=f"a session with {self.gateway.name} is open and does not become ready: {self.detail}"
                + (f"; no end of {', '.join(late)}" if late else ""),
                remedy="the gateway does not answer all that is asked: see its own messages; restart it",
                after_ns=UNREADY_AFTER_NS,
                excused_by=RESETS,
                adds_up=False,
            )
