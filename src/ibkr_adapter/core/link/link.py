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

from collections.abc import Callable, Iterator
from enum import Enum

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import Condition
from ibkr_adapter.core.link import meaning
from ibkr_adapter.core.link.calendar import Excuse, RestartCalendar
from ibkr_adapter.core.link.clocks import Clocks
from ibkr_adapter.core.link.gateways import STEADY_NS, Backoff, Gateways
from ibkr_adapter.core.link.heartbeat import Heartbeat, Pulse
from ibkr_adapter.core.link.troubles import Troubles
from ibkr_adapter.core.link.words import Words
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
from ibkr_adapter.notices import Effect
from ibkr_adapter.requests import Request, RequestIds
from ibkr_adapter.snapshot import LinkView, WindowView

IDS_ASKED_MAX = 3
"""So often the next order id is asked for, evenly over the time to identify, before the session is given up."""


class LinkState(Enum):
    DOWN = "down"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    RECONCILING = "reconciling"
    READY = "ready"
    SUSPECT = "suspect"
    HALTED = "halted"


TRANSITIONS: dict[LinkState, frozenset[LinkState]] = {
    LinkState.DOWN: frozenset({LinkState.CONNECTING}),
    LinkState.CONNECTING: frozenset({LinkState.IDENTIFYING, LinkState.DOWN}),
    LinkState.IDENTIFYING: frozenset({LinkState.RECONCILING, LinkState.DOWN, LinkState.HALTED}),
    LinkState.RECONCILING: frozenset({LinkState.READY, LinkState.DOWN, LinkState.HALTED}),
    LinkState.READY: frozenset({LinkState.SUSPECT, LinkState.DOWN, LinkState.HALTED}),
    LinkState.SUSPECT: frozenset({LinkState.READY, LinkState.DOWN, LinkState.HALTED}),
    LinkState.HALTED: frozenset(),
}

_OPEN = frozenset({LinkState.IDENTIFYING, LinkState.RECONCILING, LinkState.READY, LinkState.SUSPECT})
RECONCILED = frozenset({LinkState.READY, LinkState.SUSPECT})


class Link:
    """Which session is the present one, and how far it has come."""

    def __init__(self, settings: Settings, *, rand: Callable[[], float], epoch: int, now_ns: int) -> None:
        self._settings = settings
        backoff = Backoff(first_ns=settings.backoff_first_ns, max_ns=settings.backoff_max_ns, rand=rand)
        self.gateways = Gateways(settings.gateways, backoff, now_ns=now_ns)
        self._calendars = {each.name: RestartCalendar(each.windows, each.time_zone) for each in settings.gateways}
        self.heartbeat = Heartbeat(settings)
        self._words = Words()
        self.clocks = Clocks()
        self.troubles = Troubles(settings.client_id)
        self.state = LinkState.DOWN
        self.epoch = epoch
        self.accounts: tuple[str, ...] = ()
        self.client_id = settings.client_id
        self.detail = "not started"
        self.since_ns = now_ns
        self._down_ns: int | None = now_ns
        self._ready_ns: int | None = None
        self.server_version: int | None = None
        self._opened_ns = 0
        self._have_id = False
        self._ids_asked = 0
        self._closing = ""
        self.lost_because = ""
        self.awaited: tuple[str, ...] = ()
        """Lists whose end stays away from the present session."""

    def __repr__(self) -> str:
        return f"<Link {self.epoch}@{self.gateway.name} {self.state.name} {self.detail}>"

    @property
    def gateway(self) -> GatewaySettings:
        """The gateway of the present session, or of the one that is tried next."""
        return self.gateways.present

    @property
    def socket_open(self) -> bool:
        return self.state in _OPEN

    @property
    def ready(self) -> bool:
        """Reconciled, and the peer is not suspect."""
        return self.state is LinkState.READY

    @property
    def suspect(self) -> bool:
        return self.state is LinkState.SUSPECT

    @property
    def reconciled_once(self) -> bool:
        """The present session is ready, or was before it became suspect."""
        return self.state in RECONCILED

    @property
    def halted(self) -> bool:
        return self.state is LinkState.HALTED

    # What happened.

    def opened(self, event: SessionOpened, now_ns: int, out: Outbox) -> None:
        self.server_version = event.server_version
        self.heartbeat.begin(now_ns)
        self._words.heard(now_ns)
        self._opened_ns = now_ns
        self._have_id = False
        self._ids_asked = 0
        self.accounts = ()
        self._to(LinkState.IDENTIFYING, "waiting for order ids and accounts", now_ns, out)

    def lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        """The session of the present epoch ended: wait, then try again, unless we were halted on purpose."""
        self.server_version = None
        if self.state is LinkState.HALTED:
            return
        was_ready = self.state in RECONCILED
        if self._down_ns is None:
            self._down_ns = now_ns
        if was_ready and self._ready_ns is not None and now_ns - self._ready_ns >= STEADY_NS:
            self.troubles.steady()
        why = self.troubles.complaint or self._closing or event.detail or event.cause.value
        wait_ns = self.troubles.ended(event, was_ready=was_ready)
        self._closing = ""
        self.gateways.ended(
            now_ns,
            excused=self.excuse(now_ns) is not None,
            wait_ns=wait_ns,
            gateway_answered=self.troubles.refused,
        )
        self.lost_because = why
        self._to(LinkState.DOWN, why, now_ns, out, gateway=event.gateway)

    def identified(self, event: NextValidId | ManagedAccounts, now_ns: int, out: Outbox) -> bool:
        """True when both have come and the accounts are ours: the downloads may begin."""
        if isinstance(event, NextValidId):
            self._have_id = True
        else:
            self.accounts = event.accounts
        told = self.accounts or self.state is not LinkState.IDENTIFYING
        if self.socket_open and told and (mismatch := self._account_mismatch()):
            self._to(LinkState.HALTED, mismatch, now_ns, out)
            out.closes.append(Close(epoch=self.epoch, reason=mismatch))
            return False
        if self.state is not LinkState.IDENTIFYING or not (self._have_id and self.accounts):
            return False
        self._to(LinkState.RECONCILING, "downloading orders, executions and positions", now_ns, out)
        return True

    def reconciled(self, detail: str, now_ns: int, out: Outbox) -> None:
        self._ready_ns = now_ns
        self._down_ns = None
        self.gateways.proved(now_ns)
        self.troubles.over()
        self._to(LinkState.READY, detail, now_ns, out)

    def heard(self, event: BrokerEvent, now_ns: int, out: Outbox) -> None:
        """Something came on the present session, whatever it was."""
        self.heartbeat.heard(event.ts_recv_ns)
        if not isinstance(event, BrokerTime):
            self._words.heard(event.ts_recv_ns)
        if self.state is LinkState.SUSPECT and not self._closing:
            self._to(LinkState.READY, "ready: the gateway speaks again", now_ns, out)

    def told_time(self, event: BrokerTime) -> None:
        self.heartbeat.answered(event.time_ns, event.ts_recv_ns)

    def noticed(self, effect: Effect, text: str) -> None:
        """A notice; those that explain why a session ends are remembered."""
        self.troubles.noticed(effect, text)

    def watch_words(self, now_ns: int, ask: Callable[[Request], None], out: Outbox, *, explained: bool) -> None:
        """Find a gateway that answers nothing but the time; ``explained``: it may be silent, for it has lost IB."""
        if explained:
            self._words.heard(now_ns)
        elif self.socket_open and not self._closing and self._words.watch(now_ns, ask, out):
            self.unanswered("answer to anything else", now_ns, out)

    def unanswered(self, what: str, now_ns: int, out: Outbox) -> None:
        """``what`` stayed away through its repeat, and nothing but the time was told meanwhile: a zombie."""
        if self.socket_open:
            self._drop(f"the gateway tells the time, but no {what} came", now_ns, out)

    def recycle(self, reason: str, now_ns: int, out: Outbox) -> None:
        """End this session; the next one follows as after any loss."""
        if self.socket_open:
            self._drop(reason, now_ns, out)

    def fail_over(self, reason: str, now_ns: int, out: Outbox) -> None:
        """End this session and use the other gateway."""
        if self.socket_open:
            self.gateways.leave()
            self._drop(reason, now_ns, out)

    # What time does.

    def tick(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        self._watch_calendar(now_ns, out)
        next_ns = self.gateways.next_attempt_ns
        if self.state is LinkState.DOWN and next_ns is not None:
            if now_ns >= next_ns:
                self._attempt(now_ns, out)
            else:
                out.wake_at(next_ns)
        if self.socket_open and not self._closing:
            self._beat(now_ns, ask, out)
        if self.state is LinkState.IDENTIFYING and not self._closing:
            self._await_identity(now_ns, ask, out)

    def _watch_calendar(self, now_ns: int, out: Outbox) -> None:
        change_ns = self.calendar.next_change_ns(now_ns)
        if change_ns is not None:
            out.wake_at(change_ns)
        if self._down_ns is not None and (excuse := self.excuse(now_ns)) is not None:
            out.wake_at(excuse.until_ns)

    def _attempt(self, now_ns: int, out: Outbox) -> None:
        self.epoch += 1
        self.gateways.attempted()
        self.troubles.opened()
        self.heartbeat.begin(now_ns)
        self._to(LinkState.CONNECTING, f"connecting to {self.gateway.address}", now_ns, out)
        out.opens.append(Open(gateway=self.gateway.name, epoch=self.epoch))

    def _await_identity(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        every_ns = self._settings.identify_timeout_ns // (IDS_ASKED_MAX + 1)
        turn = (now_ns - self._opened_ns) // every_ns
        if turn > IDS_ASKED_MAX:
            missing = "accounts" if self._have_id else "order id" if self.accounts else "order id and no accounts"
            self._drop(f"the gateway sent no {missing}", now_ns, out)
            return
        if turn > self._ids_asked:
            self._ids_asked = turn
            ask(RequestIds())
        out.wake_at(self._opened_ns + (turn + 1) * every_ns)

    def _beat(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        match self.heartbeat.beat(now_ns, ask, out):
            case Pulse.DEAD:
                self._drop(f"nothing came for {self._settings.silent_after_ns / 1e9:.0f} s", now_ns, out)
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

    def _account_mismatch(self) -> str:
        """Why this session must not be used; empty if it may."""
        if not self.accounts:
            return "the gateway lists no account any more"
        expected = self._settings.accounts_expected
        got = ", ".join(self.accounts)
        if expected and set(expected) != set(self.accounts):
            return f"accounts {got} are not the expected {', '.join(expected)}"
        kind = self._settings.account_kind
        wrong = [
            account for account in self.accounts if account_kind(account) != ("live" if kind == "live" else "paper")
        ]
        if wrong:
            return f"account {', '.join(wrong)} is not a {kind} account"
        return ""

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

    @property
    def calendar(self) -> RestartCalendar:
        """Of the present gateway."""
        return self._calendars[self.gateway.name]

    def excuse(self, now_ns: int) -> Excuse | None:
        """The planned window that explains what is wrong with the connection now, if one does."""
        if self._down_ns is None:
            return self.calendar.at(now_ns)
        return self.calendar.excuse(now_ns, self._down_ns)

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no new order may be sent on this link."""
        return meaning.reasons(self, now_ns)

    def conditions(self) -> Iterator[Condition]:
        """What somebody should know."""
        return meaning.conditions(self)

    def window(self, now_ns: int) -> WindowView | None:
        """The planned window of the present gateway that is in force, else its next one."""
        return self.calendar.view(now_ns)

    def view(self, now_ns: int) -> LinkView:
        return meaning.view(self, now_ns)
