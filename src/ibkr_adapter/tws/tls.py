"""TLS on a socket that never blocks: a handshake, then the calls that a plain connection has.

Theory of operation. OpenSSL works on memory here; what it wants to send or needs to read goes between that memory and
the socket in this module, so a socket error stays a socket error and what TLS finds wrong is told apart from it.

*Reading*: what the socket gave is decrypted until OpenSSL asks for more. If the reader's space is full before that,
``holds_more`` says so: ``poll`` knows nothing of bytes that have left the kernel. A failure behind good bytes waits
until those were read.

*Writing*: nothing is encrypted before all earlier records are with the kernel and it has room for more. So one record
at most is on its way, bytes count as sent when their record has left whole, and a frame of which nothing was encrypted
can still be taken back. What was encrypted cannot: its place in the sequence is taken.

*The end*: a peer that is done says so (close_notify). A connection that ends without it was cut, by whomever.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import select
import socket
import ssl
from typing import NoReturn, cast

from ibkr_adapter.config.model import Tls
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.tls_failures import ended_by, not_trusted
from ibkr_adapter.tws.tls_files import client_context

RECORD_BYTES = 16_384
"""The most that one record carries (RFC 8446, 5.1)."""

_READ_BYTES = 65_536
_RECORD_TYPES = (0x15, 0x16)
"""Alert and handshake: with one of them a peer that speaks TLS begins."""

_VERSION_MAJOR = 0x03


def secured(
    connection: socket.socket, tls: Tls, *, host: str, path: str, passphrase: Passphrase | None = None
) -> TlsStream:
    """Begin TLS; certificates and key are read now, so that renewed ones count. ``path`` names the configuration's."""
    try:
        return TlsStream(
            connection,
            client_context(tls, path, passphrase),
            server_name=tls.server_name or host,
            fingerprint=tls.fingerprint,
        )
    except (ConfigurationError, ValueError) as unusable:
        raise Ended(LossCause.TLS, str(unusable)) from unusable


class TlsStream:
    """One connection's TLS; ``handshake`` until it is done, then a ``Stream``."""

    def __init__(
        self, connection: socket.socket, context: ssl.SSLContext, *, server_name: str, fingerprint: str = ""
    ) -> None:
        self._socket = connection
        self._fingerprint = fingerprint
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._room = select.poll()
        self._room.register(connection, select.POLLOUT)
        self._space = memoryview(bytearray(_READ_BYTES))
        self._begins = b""
        self._encrypted = bytearray()
        self._owed = 0
        self._full = False
        self._closed = False
        self._failure: Ended | None = None
        self._heard = False

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    @property
    def holds_more(self) -> bool:
        return self._full or self._closed or self._failure is not None

    @property
    def committed(self) -> bool:
        return self._owed > 0

    @property
    def wants_room(self) -> bool:
        """Records wait for the kernel to take them."""
        return bool(self._encrypted)

    # --- The handshake --------------------------------------------------------------------------------------------

    def handshake(self) -> bool:
        """Go on as far as what has come allows; ``True`` when it is done and the peer is whom we trust."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError as failure:
                with contextlib.suppress(OSError):  # the peer is told why, if it still listens
                    self._push()
                raise ended_by(failure, shaken=False) from failure
            else:
                done = True
            self._push()
            if done:
                self._check_fingerprint()
                return True
            if not self._fetch_greeting():
                return False

    def _fetch_greeting(self) -> bool:
        try:
            fetched = self._fetch()
        except ConnectionResetError as failure:
            raise Ended(LossCause.RESET, f"during the TLS handshake; {_MAYBE_PLAIN}") from failure
        if fetched == 0:
            raise Ended(LossCause.CLOSED, f"during the TLS handshake; {_MAYBE_PLAIN}")
        return fetched is not None

    def _check_fingerprint(self) -> None:
        if not self._fingerprint:
            return
        certificate = self._tls.getpeercert(binary_form=True) or b""
        found = hashlib.sha256(certificate).hexdigest()
        if found != self._fingerprint:
            raise not_trusted(f"is not the one of tls.fingerprint: its SHA-256 is {found}; was it replaced on purpose?")

    # --- Reading --------------------------------------------------------------------------------------------------

    def recv_into(self, space: memoryview) -> int:
        filled = self._decrypt(space)
        while not filled and not self._closed:
            fetched = self._fetch_data()
            if fetched is None:
                raise BlockingIOError
            filled = self._decrypt(space)
        return filled

    def _decrypt(self, space: memoryview) -> int:
        """Bytes put into ``space``: all there are, unless it is full before."""
        if self._failure is not None:
            raise self._failure
        filled, self._full = 0, False
        while not self._closed:
            if filled == len(space):
                self._full = True
                break
            try:
                size = cast("int", self._tls.read(len(space) - filled, space[filled:]))  # into a buffer: a number
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                size = 0
            except ssl.SSLError as failure:
                self._fail(ended_by(failure, shaken=True), filled)
                break
            self._closed = size == 0
            filled += size
        if self._outgoing.pending:  # an answer to new keys, or an alert; whether it leaves is seen at the next write
            with contextlib.suppress(OSError):
                self._push()
        self._heard = self._heard or filled > 0
        return filled

    def _fail(self, ended: Ended, filled: int) -> None:
        if not filled:
            raise ended
        self._failure = ended

    def _fetch_data(self) -> int | None:
        try:
            fetched = self._fetch()
        except ConnectionResetError as failure:
            if self._heard:
                raise
            raise Ended(LossCause.RESET, _MAYBE_UNKNOWN) from failure
        if fetched == 0:
            self._cut()
        return fetched

    def _cut(self) -> NoReturn:
        raise Ended(LossCause.CLOSED, _UNANNOUNCED if self._heard else _MAYBE_UNKNOWN)

    def _fetch(self) -> int | None:
        """Move what the socket has into OpenSSL's memory: how much, 0 at the end, ``None`` when there is nothing."""
        try:
            size = self._socket.recv_into(self._space)
        except BlockingIOError:
            return None
        self._check_beginning(size)
        self._incoming.write(self._space[:size])
        return size

    def _check_beginning(self, size: int) -> None:
        """OpenSSL would find it too, under one of several names; a TWS in clear begins with a zero."""
        if len(self._begins) >= 2 or not size:
            return
        self._begins += bytes(self._space[: 2 - len(self._begins)][:size])
        if self._begins[0] not in _RECORD_TYPES or self._begins[1:] not in (b"", bytes([_VERSION_MAJOR])):
            raise Ended(LossCause.NOT_TLS, _PLAIN)

    # --- Writing --------------------------------------------------------------------------------------------------

    def send(self, data: memoryview) -> int:
        if not self._push():
            raise BlockingIOError
        if self._owed:
            return self._pay()
        if not self._room.poll(0):
            raise BlockingIOError
        try:
            self._owed = self._tls.write(data[:RECORD_BYTES])
        except ssl.SSLError as failure:
            raise ended_by(failure, shaken=True) from failure
        if not self._push():
            raise BlockingIOError
        return self._pay()

    def _pay(self) -> int:
        size, self._owed = self._owed, 0
        return size

    def _push(self) -> bool:
        """Hand over what was encrypted; whether all of it has left."""
        if self._outgoing.pending:
            self._encrypted += self._outgoing.read()
        while self._encrypted:
            try:
                size = self._socket.send(self._encrypted)
            except BlockingIOError:
                return False
            del self._encrypted[:size]
        return True

    def half_close(self) -> None:
        """Announce our end; what the peer still says can be read."""
        with contextlib.suppress(ssl.SSLError):  # it misses the peer's own announcement
            self._tls.unwrap()
        if not self._push():
            raise BlockingIOError(errno.EAGAIN, "no room for the end")
        self._socket.shutdown(socket.SHUT_WR)


_UNANNOUNCED = "cut off: the end of the TLS connection was not announced"
_PLAIN = "what answers there does not speak TLS: give the tunnel's port, not the gateway's"
_MAYBE_PLAIN = "it may not speak TLS, or not with this machine: see that the port is the tunnel's"
_MAYBE_UNKNOWN = (
    "right after the TLS handshake; the tunnel may want a certificate of ours (tls.certificate) that it trusts, or"
    " cannot reach the gateway behind it"
)
