"""A listener that speaks TLS, as a tunnel in front of a gateway does.

``TlsEnd`` stands between the socket and the protocol of a connection: the protocol is told of its connection once the
handshake is done, and sees the same calls as on a plain one. Whoever fails the handshake is told why before the end, by
the alert that TLS has for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from dataclasses import dataclass
from typing import Any, cast

_READ_BYTES = 65_536


class BadTls(ValueError):
    """What is wrong with the files of the listener; ``option`` is the field."""

    def __init__(self, option: str, what: str) -> None:
        super().__init__(what)
        self.option = option


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: the listener's certificate and key; with ``client_ca`` clients need a certificate it has signed."""

    certificate: str | os.PathLike[str]
    key: str | os.PathLike[str]
    client_ca: str | os.PathLike[str] | None = None

    def context(self) -> ssl.SSLContext:
        """Raises ``BadTls``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for option in ("certificate", "key", "client_ca"):
            file = getattr(self, option)
            if file is not None and not os.access(file, os.R_OK):
                raise BadTls(option, f"{os.fspath(file)} cannot be read")
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        except ssl.SSLError as fault:
            mismatch = fault.reason == "KEY_VALUES_MISMATCH"
            what = "does not belong to the certificate" if mismatch else "or the certificate is not a PEM file"
            raise BadTls("key", f"{os.fspath(self.key)} {what}") from None
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError:
                raise BadTls("client_ca", f"{os.fspath(self.client_ca)} is not a PEM file") from None
        return context


def _no_passphrase() -> str:
    raise BadTls("key", "is locked by a passphrase")


class TlsEnd(asyncio.Protocol):
    """Our end of one connection, from its first byte; ``shaking`` holds those whose handshake is not done."""

    def __init__(self, context: ssl.SSLContext, inner: asyncio.Protocol, shaking: set[TlsEnd]) -> None:
        self._inner = inner
        self._shaking = shaking
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._transport: asyncio.Transport | None = None
        self._is_shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._shaking.add(self)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._incoming.write(data)
        try:
            if not self._is_shaken:
                self._shake()
            self._read()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:  # with its alert
            self._flush()
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shaking.discard(self)
        if self._is_shaken:
            self._inner.connection_lost(exc)

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def announce_end(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # the client's own announcement is still to come
            self._tls.unwrap()
        self._flush()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _shake(self) -> None:
        assert self._transport is not None
        self._tls.do_handshake()
        self._is_shaken = True
        self._shaking.discard(self)
        self._flush()
        self._inner.connection_made(_TlsTransport(self, self._transport))

    def _read(self) -> None:
        assert self._transport is not None
        while not self._transport.is_closing():
            data = self._tls.read(_READ_BYTES)
            if not data:  # the client has announced its end
                self.announce_end()
                self._transport.close()
                return
            self._inner.data_received(data)

    def _flush(self) -> None:
        assert self._transport is not None
        if self._outgoing.pending and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())


class _TlsTransport(asyncio.Transport):
    """What the protocol of a connection knows of it: a plain transport, but for what is written and how it ends."""

    def __init__(self, end: TlsEnd, below: asyncio.Transport) -> None:
        super().__init__()
        self._end = end
        self._below = below

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._below.is_closing():
            self._end.write(bytes(data))

    def close(self) -> None:
        if not self._below.is_closing():
            self._end.announce_end()
            self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def is_reading(self) -> bool:
        return self._below.is_reading()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)
