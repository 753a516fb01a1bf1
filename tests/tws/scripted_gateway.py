"""A gateway that plays bytes, and an inbox that waits for what our session says about them."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeVar

from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.config import Tls
from ibkr_adapter.events import BrokerEvent, SessionLost
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import SendOrder
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.official import PACKAGE
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.session import Endpoint, Session
from ibkr_adapter.tws.transport import TransportOptions

PATIENCE_S = 20
"""How long a test waits for something that must happen; no test passes sooner or later because of it."""

E = TypeVar("E", bound=BrokerEvent)


def server_versions() -> list[int]:
    """Those to test with, as far as the installed package can negotiate them: one of each kind of protocol."""
    named = os.environ.get("TWS_SERVER_VERSIONS", "200,206,213").split(",")
    known = [PACKAGE.server_version_max if name.strip() == "max" else int(name) for name in named]
    return sorted({version for version in known if version <= PACKAGE.server_version_max})


VERSIONS = server_versions()
ANY_VERSION = VERSIONS[-1]

SPY = Instrument(symbol="SPY", primary_exchange="ARCA")


def buy(order_id: int = 5, *, order_ref: str = "key") -> SendOrder:
    terms = OrderTerms(
        instrument=SPY,
        action="BUY",
        order_type="LMT",
        quantity=Decimal(100),
        limit_price=Decimal("10.5"),
        account="DU1",
    )
    return SendOrder(order_id=order_id, order_ref=order_ref, terms=terms)


# --- Bytes --------------------------------------------------------------------------------------------------------


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


def text(version: int, msg_id: int, *fields: object) -> bytes:
    """The body of a text message; the id is binary from 201 on."""
    joined = "".join(f"{field}\0" for field in fields).encode()
    return (struct.pack("!I", msg_id) if version >= 201 else f"{msg_id}\0".encode()) + joined


def protobuf(msg_id: int, *fields: tuple[int, object]) -> bytes:
    """The body of a protobuf message: whole numbers, floats and strings are all that is needed."""
    encoded = b"".join(_field(number, value) for number, value in fields)
    return struct.pack("!I", msg_id + 200) + encoded


def _field(number: int, value: object) -> bytes:
    match value:
        case int():
            return _varint(number << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)
        case float():
            return _varint(number << 3 | 1) + struct.pack("<d", value)
        case str():
            return _varint(number << 3 | 2) + _varint(len(value.encode())) + value.encode()
        case bytes():
            return _varint(number << 3 | 2) + _varint(len(value)) + value
        case _:
            raise TypeError(type(value))


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


class Wire:
    """The messages of one server version, each in the form a gateway of that version sends it."""

    def __init__(self, version: int) -> None:
        self.version = version

    def greeting(self, connected_at: str = "20261122 09:30:00 US/Eastern") -> bytes:
        return frame(f"{self.version}\0{connected_at}\0".encode())

    def next_valid_id(self, order_id: int) -> bytes:
        if self.version >= 213:
            return frame(protobuf(9, (1, order_id)))
        return frame(text(self.version, 9, 1, order_id))

    def managed_accounts(self, accounts: str) -> bytes:
        if self.version >= 207:
            return frame(protobuf(15, (1, accounts)))
        return frame(text(self.version, 15, 1, accounts))

    def current_time(self, seconds: int) -> bytes:
        if self.version >= 213:
            return frame(protobuf(49, (1, seconds)))
        return frame(text(self.version, 49, 1, seconds))

    def notice(self, req_id: int, code: int, words: str, millis: int = 1_795_357_800_123) -> bytes:
        if self.version >= 203:
            return frame(protobuf(4, (1, req_id), (2, millis), (3, code), (4, words)))
        if self.version >= 194:
            return frame(text(self.version, 4, req_id, code, words, "", millis))
        return frame(text(self.version, 4, 2, req_id, code, words, ""))

    def tick_price(self, req_id: int, field: int, price: float, size: str = "", mask: int = 0) -> bytes:
        if self.version >= 206:
            sized = [(4, size)] if size else []
            return frame(protobuf(1, (1, req_id), (2, field), (3, float(price)), *sized, (5, mask)))
        return frame(text(self.version, 1, 6, req_id, field, price, size, mask))

    def tick_size(self, req_id: int, field: int, size: str) -> bytes:
        if self.version >= 206:
            return frame(protobuf(2, (1, req_id), (2, field), (3, size)))
        return frame(text(self.version, 2, 6, req_id, field, size))

    def tick_string(self, req_id: int, field: int, words: str) -> bytes:
        if self.version >= 206:
            return frame(protobuf(46, (1, req_id), (2, field), (3, words)))
        return frame(text(self.version, 46, 6, req_id, field, words))

    def tick_generic(self, req_id: int, field: int, value: float) -> bytes:
        if self.version >= 206:
            return frame(protobuf(45, (1, req_id), (2, field), (3, float(value))))
        return frame(text(self.version, 45, 6, req_id, field, value))

    def order_status(self, order_id: int, status: str, filled: str, remaining: str) -> bytes:
        if self.version >= 203:
            return frame(
                protobuf(3, (1, order_id), (2, status), (3, filled), (4, remaining), (5, 0.0), (6, 77), (9, 1))
            )
        return frame(text(self.version, 3, order_id, status, filled, remaining, 0, 77, 0, 0, 1, "", 0))

    def burst(self, req_id: int, size: int) -> tuple[bytes, int]:
        """So many bytes of texts, and how many frames they are."""
        each = self.tick_string(req_id, 45, "x" * 500)
        count = max(0, (size - 300) // len(each))
        for length in range(1000):
            last = self.tick_string(req_id, 45, "y" * length)
            if count * len(each) + len(last) == size:
                return each * count + last, count + 1
        raise AssertionError(f"no string fills {size} bytes")

    def unknown(self) -> bytes:
        return frame(text(self.version, 199, "what is this"))


# --- The peer -----------------------------------------------------------------------------------------------------


class Peer:
    """The gateway's end of one connection."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        connection.settimeout(PATIENCE_S)
        self.socket = connection
        self.wire = wire

    def secure(self, context: ssl.SSLContext) -> None:
        """TLS from here on, at the tunnel's end."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def hear_offer(self) -> bytes:
        """The client's opening, without prefix and length."""
        assert self._exactly(4) == b"API\0"
        return self.hear_frame()

    def hear_frame(self) -> bytes:
        (length,) = struct.unpack("!I", self._exactly(4))
        return self._exactly(length)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def say_bytewise(self, data: bytes) -> None:
        """Each byte a segment of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index in range(len(data)):
            self.socket.sendall(data[index : index + 1])

    def open(self) -> None:
        """The handshake as a gateway does it, up to START_API."""
        self.hear_offer()
        self.say(self.wire.greeting())
        self.hear_frame()

    def hear_end(self) -> None:
        """Until the client closes."""
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        """So many bytes, and none that follow: a test may want to read those one by one."""
        received = b""
        while len(received) < size:
            more = self.socket.recv(size - len(received))
            if not more:
                raise ConnectionError("the client has closed")
            received += more
        return received


Script = Callable[[Peer], None]


class ScriptedGateway:
    """Listens on loopback and plays ``script`` to every client, one after the other."""

    def __init__(self, script: Script, version: int, *, receive_buffer_bytes: int | None = None) -> None:
        self._script = script
        self._wire = Wire(version)
        self._listener = socket.socket()
        if receive_buffer_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._serve, name="scripted-gateway", daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._script(Peer(connection, self._wire))
                except ConnectionError:
                    pass  # the client was quicker
                except BaseException as failure:  # noqa: BLE001 - shown to the test that plays the script
                    self.failures.append(failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert not self.failures, self.failures


@contextmanager
def gateway(script: Script, version: int = ANY_VERSION, **kwargs: int) -> Iterator[ScriptedGateway]:
    playing = ScriptedGateway(script, version, **kwargs)
    playing.start()
    try:
        yield playing
    finally:
        playing.stop()


# --- Our end ------------------------------------------------------------------------------------------------------


class StoppedClock:
    """Time passes when somebody says so."""

    def __init__(self) -> None:
        self._now_ns = SystemClock().now_ns()

    def now_ns(self) -> int:
        return self._now_ns

    def pass_(self, ns: int) -> None:
        self._now_ns += ns


class Inbox:
    """A mailbox whose events a test can wait for."""

    def __init__(self, **bounds: int) -> None:
        self._woken = threading.Event()
        self.mailbox = Mailbox(self._woken.set, **bounds)
        self.events: list[BrokerEvent] = []

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, kind: type[E], count: int = 1) -> E:
        """The ``count``-th event of a kind; fails if the session ends first."""
        deadline = time.monotonic() + PATIENCE_S
        found, over = self.of(kind), self.of(SessionLost)
        while len(found) < count:
            assert time.monotonic() < deadline, f"no {kind.__name__}, only {self.events[-20:]}"
            assert kind is SessionLost or not over, f"no {kind.__name__}, but {over}"
            self._woken.wait(0.5)
            self._woken.clear()
            drained = self.mailbox.drain(10_000)
            self.events += drained
            over += [event for event in drained if isinstance(event, SessionLost)]
            found += [event for event in drained if isinstance(event, kind)]
        return found[count - 1]


def session(
    port: int,
    inbox: Inbox,
    *,
    host: str = "127.0.0.1",
    epoch: int = 1,
    orders: bool = True,
    tls: Tls | None = None,
    may_place: Callable[[], bool] = lambda: True,
    resolver: Resolver | None = None,
    clock: Clock | None = None,
    **options: object,
) -> Session:
    return Session(
        Endpoint("gw-a", host, port, tls),
        client_id=1,
        epoch=epoch,
        mailbox=inbox.mailbox,
        clock=clock or SystemClock(),
        orders=orders,
        options=TransportOptions(**options),  # type: ignore[arg-type]  # whatever a test sets
        may_place=may_place,
        resolver=resolver,
    )


def lost(script: Script, version: int = ANY_VERSION, **options: object) -> tuple[SessionLost, Inbox]:
    """Play a script to a session until it is lost, and see that it ends entirely."""
    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox, **options)
        subject.start()
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert inbox.events[-1] is end
    assert len(inbox.mailbox) == 0
    return end, inbox


def held() -> tuple[int, int]:
    """Threads and descriptors of sessions, once those that have said their last word are gone.

    Ask while no gateway plays: when it lets go of its end of a connection is its own affair.
    """
    for thread in threading.enumerate():
        if thread.name.startswith(("tws-", "resolver-")):
            thread.join(PATIENCE_S)
    gc.collect()
    threads = sum(thread.name.startswith("tws-") for thread in threading.enumerate())
    return threads, len(os.listdir("/proc/self/fd"))
