"""The life of a connection, from the first attempt to ready and back.

One session is one connection: it is opened once, has an epoch of its own, and is never revived. What connects the
sessions is the link: it knows which epoch is the present one, so that whatever a dead session still says is recognised
and dropped (executions and other facts about money excepted: those are true whoever brings them).

    DOWN -> CONNECTING -> IDENTIFYING -> RECONCILING -> READY
                                \\______________\\__________\\-> HALTED

IDENTIFYING waits for the next valid id *and* the account list, in either order: real gateways send both orders. Then
the accounts must be those of the environment, and must stay so: the list may come again at any time. A paper
configuration on a live login is not an error to retry but a reason to stop: HALTED stays until a person restarts the
service. RECONCILING waits for open orders, completed orders, executions and positions, each with its end marker; only
then is anything known about what is at risk, and only then may orders be sent.

The heartbeat is a question for the gateway's time, never more often than every five seconds, because a gateway may
leave a repeat within four unanswered. It proves the leg from here to the gateway and nothing beyond. Any inbound
event is as good a proof of life as the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.core.link.gateways import Backoff
from ibkr_adapter.core.settings import GatewaySettings, Settings
from ibkr_adapter.effects import Close, Open, Outbox
from ibkr_adapter.events import LinkChanged, ManagedAccounts, NextValidId, SessionLost, SessionOpened
from ibkr_adapter.requests import Request, RequestCurrentTime, RequestIds
from ibkr_adapter.snapshot import LinkView


class LinkState(Enum):
    DOWN = "down"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    RECONCILING = "reconciling"
    READY = "ready"
    HALTED = "halted"


TRANSITIONS: dict[LinkState, frozenset[LinkState]] = {
    LinkState.DOWN: frozenset({LinkState.CONNECTING}),
    LinkState.CONNECTING: frozenset({LinkState.IDENTIFYING, LinkState.DOWN}),
    LinkState.IDENTIFYING: frozenset({LinkState.RECONCILING, LinkState.DOWN, LinkState.HALTED}),
    LinkState.RECONCILING: frozenset({LinkState.READY, LinkState.DOWN, LinkState.HALTED}),
    LinkState.READY: frozenset({LinkState.DOWN, LinkState.HALTED}),
    LinkState.HALTED: frozenset(),
}

_OPEN = frozenset({LinkState.IDENTIFYING, LinkState.RECONCILING, LinkState.READY})


class Link:
    """Which session is the present one, and how far it has come."""

    def __init__(self, settings: Settings, *, rand: Callable[[], float], epoch: int, now_ns: int) -> None:
        self._settings = settings
        self._backoff = Backoff(first_ns=settings.backoff_first_ns, max_ns=settings.backoff_max_ns, rand=rand)
        self.state = LinkState.DOWN
        self.epoch = epoch
        self.accounts: tuple[str, ...] = ()
        self.detail = "not started"
        self._since_ns = now_ns
        self._server_version: int | None = None
        self._next_attempt_ns: int | None = now_ns
        self._identify_by_ns = 0
        self._have_id = False
        self._asked_ids = False
        self._patience_ns = 0
        self._complaint = ""
        self._probe_ns = 0
        self.last_inbound_ns: int | None = None

    def __repr__(self) -> str:
        return f"<Link {self.epoch}@{self.gateway.name} {self.state.name} {self.detail}>"

    @property
    def gateway(self) -> GatewaySettings:
        """The gateway of the present session, or of the one that is tried next."""
        return self._settings.gateways[0]

    @property
    def socket_open(self) -> bool:
        return self.state in _OPEN

    @property
    def server_version(self) -> int | None:
        """Of the present session, once it was greeted."""
        return self._server_version

    @property
    def ready(self) -> bool:
        return self.state is LinkState.READY

    # What happened.

    def opened(self, event: SessionOpened, now_ns: int, out: Outbox) -> None:
        self._server_version = event.server_version
        self._identify_by_ns = now_ns + self._settings.identify_timeout_ns
        self._probe_ns = now_ns
        self._have_id = False
        self._asked_ids = False
        self.accounts = ()
        self._to(LinkState.IDENTIFYING, "waiting for order ids and accounts", now_ns, out)

    def lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        """The session of the present epoch ended: wait, then try again, unless we were halted on purpose."""
        self._server_version = None
        if self.state is LinkState.HALTED:
            return
        delay_ns = self._backoff.failed(at_least_ns=self._patience_ns)
        self._next_attempt_ns = now_ns + delay_ns
        self._to(LinkState.DOWN, self._complaint or event.detail or event.cause.value, now_ns, out)
        self._patience_ns = 0
        self._complaint = ""

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
        self._backoff.succeeded()
        self._to(LinkState.READY, detail, now_ns, out)

    def client_id_in_use(self) -> None:
        """326: another session has our id. Its holder stays; we wait, and never try another id."""
        self._patience_ns = self._settings.client_id_backoff_ns
        self._complaint = f"client id {self._settings.client_id} is in use at the gateway"

    def heard(self, ts_recv_ns: int) -> None:
        self.last_inbound_ns = ts_recv_ns

    def silent_ns(self, now_ns: int) -> int:
        """For how long nothing has come on the present connection."""
        return now_ns - (self.last_inbound_ns or self._since_ns)

    # What time does.

    def tick(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        if self.state is LinkState.DOWN and self._next_attempt_ns is not None:
            if now_ns >= self._next_attempt_ns:
                self._attempt(now_ns, out)
            else:
                out.wake_at(self._next_attempt_ns)
        if self.state is LinkState.IDENTIFYING:
            self._await_identity(now_ns, ask, out)
        if self.socket_open:
            self._probe(now_ns, ask, out)

    def _attempt(self, now_ns: int, out: Outbox) -> None:
        self.epoch += 1
        self.last_inbound_ns = None
        self._next_attempt_ns = None
        self._to(LinkState.CONNECTING, f"connecting to {self.gateway.address}", now_ns, out)
        out.opens.append(Open(gateway=self.gateway.name, epoch=self.epoch))

    def _await_identity(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        if now_ns >= self._identify_by_ns:
            if self._asked_ids:
                self._drop("the gateway sent no order id or no accounts", out)
                return
            self._asked_ids = True
            self._identify_by_ns = now_ns + self._settings.identify_timeout_ns
            ask(RequestIds())
        out.wake_at(self._identify_by_ns)

    def _probe(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        silent_ns = self.silent_ns(now_ns)
        if silent_ns >= self._settings.silent_after_ns:
            self._drop(f"nothing came for {self._settings.silent_after_ns / 1e9:.0f} s", out)
            return
        if now_ns - self._probe_ns >= self._settings.probe_every_ns:
            self._probe_ns = now_ns
            ask(RequestCurrentTime())
        unproven = silent_ns >= self._settings.unproven_after_ns
        patience_ns = self._settings.silent_after_ns if unproven else self._settings.unproven_after_ns
        out.wake_at(min(self._probe_ns + self._settings.probe_every_ns, now_ns - silent_ns + patience_ns))

    def _drop(self, reason: str, out: Outbox) -> None:
        if not any(close.epoch == self.epoch for close in out.closes):
            out.closes.append(Close(epoch=self.epoch, reason=reason))

    def _account_mismatch(self) -> str:
        """Why these accounts are not the environment's, or an empty string."""
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

    def _to(self, state: LinkState, detail: str, now_ns: int, out: Outbox) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"link cannot go from {self.state.name} to {state.name}")
        self.state = state
        self.detail = detail
        self._since_ns = now_ns
        out.publishes.append(
            LinkChanged(
                ts_recv_ns=now_ns,
                state=state.value,
                gateway=self.gateway.name,
                epoch=self.epoch,
                detail=detail,
            )
        )

    def view(self) -> LinkView:
        return LinkView(
            state=self.state.value,
            gateway=self.gateway.name,
            address=self.gateway.address,
            epoch=self.epoch,
            client_id=self._settings.client_id,
            since_ns=self._since_ns,
            server_version=self._server_version,
            last_inbound_ns=self.last_inbound_ns,
            detail=self.detail,
            failures=self._backoff.failures,
            next_attempt_ns=self._next_attempt_ns,
        )
