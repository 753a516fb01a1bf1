"""Where the page is served: the socket, the server on it, the token that allows changes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from secrets import token_urlsafe
from typing import Final

import uvicorn

from ibkr_adapter.config import Config, Secret
from ibkr_adapter.errors import AddressInUse, SecretUnavailable
from ibkr_adapter.ops.secrets import Secrets

TOKEN_CHARS_MIN: Final = 16
DESCRIPTORS_WANTED: Final = 65_536


class ConsoleServer(uvicorn.Server):
    """Uvicorn without hands of its own: it neither binds, nor logs, nor listens to signals."""

    def __init__(self, application: object, listener: socket.socket, leaving: asyncio.Event) -> None:
        """``leaving`` is what the application's streams end by."""
        super().__init__(
            uvicorn.Config(
                application,  # type: ignore[arg-type]  # a Starlette is an ASGI application
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._listener = listener
        self._leaving = leaving

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets or [self._listener])

    def leave(self) -> None:
        """No new requests, and open streams end; ``serve`` returns soon."""
        self._leaving.set()
        self.should_exit = True


def raise_descriptor_limit() -> None:
    """As many descriptors as the system allows us, so that idle browsers cannot keep a session from being opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(config: Config) -> socket.socket:
    """Raises ``AddressInUse``."""
    host, port = config.http.host, config.http.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"http.listen: {config.http.listen}: {error.strerror}",
            remedy="stop what listens there, or choose another address with http.listen (--http in the demo)",
        ) from error
    listener.listen()
    return listener


def token_of(config: Config, secrets: Secrets) -> Secret:
    """The configured one, or one for this life."""
    if not config.http.token:
        return Secret(token_urlsafe(32))
    token = secrets.value("http.token", config.http.token)
    if len(token.reveal()) < TOKEN_CHARS_MIN:
        raise SecretUnavailable(
            "http.token", f"has fewer than {TOKEN_CHARS_MIN} characters", remedy="give it 32 random ones"
        )
    return token
