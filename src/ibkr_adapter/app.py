"""Takes all that a service needs, or says what is in the way; then runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

from ibkr_adapter import checks, message_codes, statefile
from ibkr_adapter.clock import SystemClock, WallClock
from ibkr_adapter.config import Config, Secret, Source
from ibkr_adapter.config.model import address_of
from ibkr_adapter.config.places import state_home
from ibkr_adapter.console.server import listen, raise_descriptor_limit, token_of
from ibkr_adapter.ids import new_key
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.lease import Lease
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.service import Service
from ibkr_adapter.statefile import RunningService

_log = structlog.get_logger()


async def serve(
    config: Config, *, stop: asyncio.Event, announce: Callable[[RunningService], None], clock: WallClock | None = None
) -> None:
    """Run the service until ``stop`` is set.

    Raises, before anything is started: ``PackageError``, ``ConfigurationError``, ``AlreadyRunning``, ``JournalError``,
    ``StoreError``, ``AddressInUse``, ``SecretUnavailable``; each names its remedy.
    """
    clock = clock or SystemClock()
    checks.package(config)
    checks.extras(config)
    codes = message_codes.load(config.message_codes, keep_steering=message_codes.money_at_stake(config))
    secrets = Secrets(config, clock)
    await secrets.open()
    token = token_of(config, secrets)
    for warning in checks.tls(config, secrets):
        _log.warning("tls_files", detail=warning)
    raise_descriptor_limit()
    config.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        listener = held.enter_context(contextlib.closing(listen(config)))
        recovery = recover(Path(config.journal.directory))
        held.callback(recovery.close)
        held.enter_context(Lease(config.usable_addresses, config.client_id, component=config.component))
        held.callback(secrets.close)
        life = new_key()
        service = Service(
            config,
            life=life,
            recovery=recovery,
            listener=listener,
            token=token,
            clock=clock,
            secrets=secrets,
            codes=codes,
        )
        found = _running(config, life, listener, token)
        async with service.running():
            with statefile.written(found), statefile.registered(found, state_home()):
                announce(found)
                await stop.wait()


def _running(config: Config, life: str, listener: socket.socket, token: Secret) -> RunningService:
    """How commands find us."""
    host, port = listener.getsockname()[:2]
    return RunningService(
        url=f"http://{address_of(host, port)}",
        token="" if config.http.token else token.reveal(),
        token_from=str(config.http.token) if config.http.token.source is not Source.LITERAL else "",
        pid=os.getpid(),
        environment=config.environment,
        state_file=str(statefile.path_in(config.data_path)),
        component=config.component,
        life=life,
        addresses=tuple(config.usable_addresses),
        components=dict(config.components),
        store=config.store.path,
    )
