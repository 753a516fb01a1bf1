"""One connection to one gateway: from the first byte to the one event that says it is over. Never used twice."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from ibkr_adapter import requests
from ibkr_adapter.clock import MINUTE, SECOND, Clock
from ibkr_adapter.config.model import Tls, address_of
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.errors import SessionError
from ibkr_adapter.requests import Request
from ibkr_adapter.tws.conversation import Receipt
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.progress import Counters, State
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.tls import TlsStream, secured
from ibkr_adapter.tws.transport import Transport, TransportOptions

__all__ = ["Counters", "Endpoint", "Mailbox", "Session", "State", "TransportOptions"]


class Endpoint(Struct, frozen=True):
    """Where a gateway listens, or the tunnel to it; ``gateway`` is our name for it, ``passphrase`` opens our key."""

    gateway: str
    host: str
    port: int
    tls: Tls | None = None
    passphrase: Passphrase | None = None

    @property
    def address(self) -> str:
        return address_of(self.host, self.port)


class Carrier(Protocol):
    """What carries the bytes: ``Transport``, or another where time does not pass by itself."""

    def start(self) -> None: ...
    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool: ...
    def taken(self) -> tuple[int, int]: ...
    def close(self, reason: str) -> None: ...
    def join(self, timeout_s: float) -> bool: ...


class Session:
    """Everything a session has to say arrives in the mailbox, stamped with its epoch.

    At most one ``SessionOpened``; exactly one ``SessionLost`` once it was started, and nothing after that. Without
    ``orders`` it cannot encode an order or a cancel at all. ``transport`` makes its carrier. ``may_place`` is the
    fence: asked on the network thread directly before the first byte of each order, and at a no the order is dropped
    whole (``FrameWithheld``); cancels pass. ``resolver`` holds the lookups of hosts that sessions share.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        client_id: int,
        epoch: int,
        mailbox: Mailbox,
        clock: Clock,
        orders: bool,
        options: TransportOptions | None = None,
        transport: Callable[..., Carrier] = Transport,
        may_place: Callable[[], bool] = lambda: True,
        resolver: Resolver | None = None,
    ) -> None:
        # Here and not above: commands that never connect need neither the official client nor its 200 modules, and a
        # client that cannot be used is an error of whoever opens a session, not of an import.
        from ibkr_adapter.tws.client import Client
        from ibkr_adapter.tws.dialogue import Dialogue

        options = options or TransportOptions()
        self.endpoint = endpoint
        self.client_id = client_id
        self.epoch = epoch
        self._clock = clock
        self._since_ns = clock.now_ns()
        self._counters = Counters()
        self._client = Client(client_id=client_id, orders=orders)
        self._dialogue = Dialogue(
            gateway=endpoint.gateway,
            address=endpoint.address,
            client_id=client_id,
            epoch=epoch,
            client=self._client,
            mailbox=mailbox,
            counters=self._counters,
            options=options,
        )
        self._transport = transport(
            host=endpoint.host,
            port=endpoint.port,
            conversation=self._dialogue,
            name=f"tws-{endpoint.gateway}-{epoch}",
            clock=clock,
            counters=self._counters,
            options=options,
            may_place=may_place,
            secure=None if endpoint.tls is None else self._secured,
            resolver=resolver,
        )

    def _secured(self, connection: socket.socket) -> TlsStream:
        endpoint = self.endpoint
        assert endpoint.tls is not None
        return secured(
            connection,
            endpoint.tls,
            host=endpoint.host,
            path=f"gateways.{endpoint.gateway}.tls",
            passphrase=endpoint.passphrase,
        )

    @property
    def state(self) -> State:
        return self._dialogue.state

    @property
    def server_version(self) -> int | None:
        return self._dialogue.server_version

    @property
    def counters(self) -> Counters:
        """A copy of what the network thread has counted until now."""
        return msgspec.structs.replace(self._counters)

    def taken(self) -> tuple[int, int]:
        """Frames that still wait for the socket, and when the last one was written.

        Whatever is not among the frames that wait was written at that moment or before.
        """
        return self._transport.taken()

    def counts(self) -> dict[str, int]:
        """The traffic in numbers, by name."""
        counted = self._counters
        return {
            "frames_in": counted.frames_in,
            "frames_out": counted.frames_out,
            "frames_malformed": counted.frames_malformed,
            "frames_unknown": counted.frames_unknown,
            "frames_unwanted": counted.frames_unwanted,
            "requests_dropped": counted.requests_dropped,
        }

    def start(self) -> None:
        """Begin to connect, on a thread of its own; ``SessionOpened`` or ``SessionLost`` answers."""
        self._dialogue.state = State.CONNECTING
        self._transport.start()

    def perform(self, request: Request) -> None:
        """Encode a request and queue its frame; never blocks.

        A session that is over drops it, because its ``SessionLost`` is already on the way. ``SendOrder`` and
        ``SendCancel`` are answered by ``FrameSent`` once the operating system has the whole frame.
        """
        self._client.judge(request)
        if self._dialogue.state is State.LOST:
            self._counters.requests_dropped += 1
            return
        if self._dialogue.state is not State.OPEN:
            raise SessionError(f"{self!r} is not open: nothing can be sent yet")
        if not self._transport.send(self._client.frame(request), _receipt(request)):
            self._counters.requests_dropped += 1

    def close(self, reason: str) -> None:
        """End the session: what is queued is still tried, then ``SessionLost`` with this reason; may be repeated."""
        self._transport.close(reason)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; whether it has."""
        return self._transport.join(timeout_s)

    def __repr__(self) -> str:
        age_ns = self._clock.now_ns() - self._since_ns
        tls = "" if self.endpoint.tls is None else " tls"
        where = f"{self.client_id}@{self.endpoint.gateway} {self.endpoint.host}:{self.endpoint.port}{tls}"
        version = "" if self.server_version is None else f" sv{self.server_version}"
        counters = self._counters
        return (
            f"<Session {where} epoch {self.epoch} {self.state.name}{version} {_age(age_ns)}"
            f" in {counters.frames_in} out {counters.frames_out} pending {self.taken()[0]}>"
        )


def _receipt(request: Request) -> Receipt | None:
    if isinstance(request, requests.SendOrder):
        return Receipt(order_id=request.order_id, cancel=False)
    if isinstance(request, requests.SendCancel):
        return Receipt(order_id=request.order_id, cancel=True)
    return None


def _age(age_ns: int) -> str:
    """``3h12m``, ``12m05s`` or ``7s``."""
    hours, minutes_ns = divmod(age_ns, 60 * MINUTE)
    minutes, seconds_ns = divmod(minutes_ns, MINUTE)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds_ns // SECOND:02}s" if minutes else f"{seconds_ns // SECOND}s"
