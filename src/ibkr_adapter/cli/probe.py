"""A short session that finds out what answers at the gateway's address."""

from __future__ import annotations

import threading
import time
from typing import Final

from msgspec import Struct

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.config import Config
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
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.session import Endpoint, Session

WAIT_S: Final = 15.0
_TICKS_MAX: Final = 1_000


class ClientIdInUse(SessionError):
    exit_code = ExitCode.CLIENT_ID_IN_USE


class Found(Struct):
    """What the gateway told."""

    server_version: int | None = None
    accounts: tuple[str, ...] = ()
    next_order_id: int | None = None

    @property
    def complete(self) -> bool:
        return self.server_version is not None and bool(self.accounts) and self.next_order_id is not None


def probe(config: Config, wait_s: float = WAIT_S) -> Found:
    """Connect with our client id, learn versions and accounts, leave. Raises what a failed session is called."""
    rang = threading.Event()
    mailbox = Mailbox(rang.set)
    gateway = config.gateway
    session = Session(
        Endpoint(config.active.gateway, gateway.host, gateway.port),
        client_id=config.client_id,
        epoch=1,
        mailbox=mailbox,
        clock=SystemClock(),
        orders=False,
    )
    found = Found()
    session.start()
    try:
        deadline_s = time.monotonic() + wait_s
        while not found.complete:
            if not rang.wait(max(0.0, deadline_s - time.monotonic())):
                raise _silent(config, found)
            rang.clear()
            for event in mailbox.drain(_TICKS_MAX):
                _learn(config, found, event)
    finally:
        session.close("probe done")
        session.join(2.0)
    return found


def _learn(config: Config, found: Found, event: BrokerEvent) -> None:
    match event:
        case SessionOpened():
            found.server_version = event.server_version
        case ManagedAccounts():
            found.accounts = event.accounts
        case NextValidId():
            found.next_order_id = event.order_id
        case NoticeReceived() if shipped().of(event.code).effect is Effect.CLIENT_ID_IN_USE:
            raise ClientIdInUse(
                f"client id {config.client_id} is in use at {config.gateway.address}",
                remedy="end the other session with it; a session that was just lost is forgotten after some seconds",
            )
        case SessionLost():
            raise _lost(config, event)
        case _:
            pass


def _silent(config: Config, found: Found) -> IbkrError:
    if found.server_version is None:
        return _lost(config, None)
    return HandshakeTimeout(
        f"{config.gateway.address} answers but does not name its accounts",
        remedy="finish the login in its window, and accept the incoming connection if it asks",
    )


def _lost(config: Config, event: SessionLost | None) -> IbkrError:
    address = config.gateway.address
    cause = LossCause.SILENT if event is None else event.cause
    detail = f": {event.detail}" if event is not None and event.detail else ""
    match cause:
        case LossCause.REFUSED:
            return GatewayRefused(
                f"{address} refuses connections{detail}",
                remedy="start TWS or IB Gateway, and enable socket clients on this port in its API settings",
            )
        case LossCause.SILENT:
            return HandshakeTimeout(
                f"{address} accepts connections and says nothing",
                remedy="finish the login in its window, accept the connection if it asks, or restart it",
            )
        case LossCause.MALFORMED | LossCause.UNSUPPORTED:
            return UnsupportedServer(
                f"{address} does not speak a version we know{detail}",
                remedy="upgrade TWS or IB Gateway to the current stable release",
            )
        case _:
            return GatewayClosed(
                f"{address} closed the connection{detail}",
                remedy="add this machine to the trusted addresses in its API settings, and see that the id is free",
            )
