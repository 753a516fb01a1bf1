"""A short session with a gateway that finds out what answers at its address, and asks what the gateway knows.

It asks only what changes nothing, and is opened without the capability to send an order. Of what can go wrong before a
gateway has named its accounts, each that a client can tell apart is an error of its own with the setting that mends it.
Two pairs look alike from here and are said to: a connection that is closed at once comes from a gateway that does not
trust this machine or from a forwarder with nothing behind it, and one that stays silent comes from a gateway whose
window waits for a person or from a forwarder whose gateway is still starting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.config import Gateway
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.core.link.preflight import API_SETTINGS
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.errors import (
    ExitCode,
    GatewayClosed,
    GatewayRefused,
    HandshakeTimeout,
    IbkrError,
    SessionError,
    UnsupportedServer,
)
from ibkr_adapter.events import (
    BrokerEvent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    SessionLost,
    SessionOpened,
)
from ibkr_adapter.notices import Effect, shipped
from ibkr_adapter.ops.secrets import local
from ibkr_adapter.requests import Request
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.session import Endpoint, Session

WAIT_S: Final = 15.0
_TICKS_MAX: Final = 1_000

_TLS: Final = frozenset(
    {
        LossCause.CERTIFICATE,
        LossCause.CERTIFICATE_WANTED,
        LossCause.NOT_TLS,
        LossCause.TLS_EXPECTED,
        LossCause.TLS,
    }
)

FORWARDER_PORTS: Final = frozenset({4003, 4004})
"""Where the usual container's forwarder listens in front of IB Gateway's 4001 and 4002."""


class ClientIdInUse(SessionError):
    exit_code = ExitCode.CLIENT_ID_IN_USE


class TlsFailed(SessionError):
    exit_code = ExitCode.GATEWAY_TLS


class Found(Struct):
    """What the gateway told."""

    server_version: int | None = None
    accounts: tuple[str, ...] = ()
    next_order_id: int | None = None

    @property
    def complete(self) -> bool:
        return self.server_version is not None and bool(self.accounts) and self.next_order_id is not None


class Visit:
    """One session. ``last_holder``: who used the client id on this machine before, for the case that it is in use."""

    def __init__(self, name: str, gateway: Gateway, client_id: int, *, last_holder: str = "") -> None:
        self.gateway = gateway
        self.client_id = client_id
        self.found = Found()
        self.clock = SystemClock()
        self.request_ids = ReqIdCounter()
        self.name = name
        self._last_holder = last_holder
        self._rang = threading.Event()
        self._mailbox = Mailbox(self._rang.set)
        self._session = Session(
            Endpoint(name, gateway.host, gateway.port, gateway.tls, _passphrase(name, gateway)),
            client_id=client_id,
            epoch=1,
            mailbox=self._mailbox,
            clock=self.clock,
            orders=False,
        )

    def __enter__(self) -> Self:
        self._session.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close("visit done")
        self._session.join(2.0)

    def identify(self, wait_s: float = WAIT_S) -> Found:
        """Wait for version, accounts and order id; raises what a session without them is called."""
        if not self.hear(lambda: self.found.complete, wait_s):
            raise self._silent()
        return self.found

    def ask(self, request: Request) -> None:
        self._session.perform(request)

    def hear(
        self, done: Callable[[], bool], wait_s: float, listen: Callable[[BrokerEvent], None] = lambda event: None
    ) -> bool:
        """Take what comes until ``done``; ``False`` when ``wait_s`` are over first. Raises if the session ends."""
        deadline_s = time.monotonic() + wait_s
        while not done():
            if not self._rang.wait(max(0.0, deadline_s - time.monotonic())):
                return False
            self._rang.clear()
            for event in self._mailbox.drain(_TICKS_MAX):
                self._learn(event)
                listen(event)
            if len(self._mailbox):
                self._rang.set()
        return True

    def _learn(self, event: BrokerEvent) -> None:
        match event:
            case SessionOpened():
                self.found.server_version = event.server_version
            case ManagedAccounts():
                self.found.accounts = event.accounts
            case NextValidId():
                self.found.next_order_id = event.order_id
            case NoticeReceived() if shipped().of(event.code).effect is Effect.CLIENT_ID_IN_USE:
                raise self._in_use()
            case SessionLost():
                raise self._lost(event)
            case _:
                pass

    # --- What it is called ----------------------------------------------------------------------------------------

    def _in_use(self) -> IbkrError:
        whose = self._last_holder or "no service of this user on this machine holds it"
        return ClientIdInUse(
            f"client id {self.client_id} is in use at {self.gateway.address}; {whose}",
            remedy="`ibkr-adapter clients` shows who holds which; end the other session with it, on whatever machine;"
            " one that was just lost is forgotten after some seconds",
        )

    def _silent(self) -> IbkrError:
        if self.found.server_version is None:
            return self._mute()
        address, version = self.gateway.address, self.found.server_version
        missing = "its accounts" if not self.found.accounts else "the next order id"
        return HandshakeTimeout(
            f"{address} greets with server version {version} but does not name {missing}",
            remedy="finish the login in its window (second factor, messages of the day) and accept the incoming"
            " connection if it asks; if nothing is open there, restart it",
        )

    def _lost(self, event: SessionLost) -> IbkrError:
        address, greeted = self.gateway.address, self.found.server_version is not None
        detail = f": {event.detail}" if event.detail else ""
        match event.cause:
            case LossCause.REFUSED:
                return self._refused(event.detail)
            case LossCause.SILENT if not greeted:
                return self._mute()
            case LossCause.CLOSED | LossCause.RESET if not greeted:
                return self._closed()
            case LossCause.UNSUPPORTED:
                return UnsupportedServer(
                    f"{address} does not speak a version we know{detail}",
                    remedy="upgrade TWS or IB Gateway to the current stable release, or this adapter",
                )
            case LossCause.MALFORMED:
                return UnsupportedServer(
                    f"{address} is no TWS and no IB Gateway, or speaks what we do not know{detail}",
                    remedy=f"look what listens there, and correct gateways.{self.name}.port",
                )
            case cause if cause in _TLS:
                return self._not_secured(event.detail)
            case _:
                return GatewayClosed(
                    f"{address} greeted us and closed the connection{detail}",
                    remedy="see that fewer than 32 clients are connected to it, and its own log (API message log)",
                )

    def _not_secured(self, detail: str) -> IbkrError:
        """The session's own words: what is wrong, a colon, what to do."""
        what, _, how = detail.partition(": ")
        table = f"[gateways.{self.name}.tls]"
        return TlsFailed(
            f"{self.gateway.address}: {what}", remedy=how.replace("[gateways.X.tls]", table) or f"see {table}"
        )

    def _refused(self, detail: str) -> IbkrError:
        address, port = self.gateway.address, self.gateway.port
        if "ECONNREFUSED" in detail:
            return GatewayRefused(
                f"{address} refuses connections: nothing listens there",
                remedy='start TWS or IB Gateway and log in; tick "Enable ActiveX and Socket Clients" and see that'
                f' "Socket port" is {port} in {API_SETTINGS}',
            )
        return GatewayRefused(
            f"{address} cannot be reached: {detail}",
            remedy=f"correct gateways.{self.name}.host and .port, or see to the network between",
        )

    def _mute(self) -> IbkrError:
        address = self.gateway.address
        if not self._session.counters.bytes_out:
            return HandshakeTimeout(
                f"{address} does not answer at all, not even to refuse",
                remedy=f"a firewall drops it: open the port, or correct gateways.{self.name}.host",
            )
        window = 'look at its window: it waits for "Accept incoming connection" or for a login'
        forwarder = "the gateway behind the forwarder is not up yet: look at the container's log and screen"
        return HandshakeTimeout(
            f"{address} accepts connections and says nothing", remedy=self._either(window, forwarder)
        )

    def _closed(self) -> IbkrError:
        trusted = (
            'add this machine to "Trusted IPs", and if it is another than the gateway\'s untick "Allow connections from'
            f' localhost only", in {API_SETTINGS}'
        )
        forwarder = "a port forwarder or tunnel without a gateway behind it does the same: start the gateway there"
        table = f"[gateways.{self.name}.tls]"
        wants = f"the port wants TLS: add {table}"
        plain = f"the port is the gateway's own and knows no TLS: take the tunnel's, or leave out {table}"
        return GatewayClosed(
            f"{self.gateway.address} accepts connections and closes them before a word",
            remedy=f"{self._either(trusted, forwarder)}; or: {wants if self.gateway.tls is None else plain}",
        )

    def _either(self, gateway: str, forwarder: str) -> str:
        """Both, for they look alike; first what is likelier at this port."""
        first, second = (forwarder, gateway) if self.gateway.port in FORWARDER_PORTS else (gateway, forwarder)
        return f"{first}; or: {second}"


def _passphrase(name: str, gateway: Gateway) -> Passphrase | None:
    """What opens our key, where it stands on this machine; Vault is asked by the service alone."""
    if gateway.tls is None or not (place := gateway.tls.key_password):
        return None
    return lambda: local(f"gateways.{name}.tls.key_password", place)
