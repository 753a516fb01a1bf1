"""Builds the service, in reading order, and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import structlog
import uvicorn

from ibkr_adapter import __version__, message_codes, statefile
from ibkr_adapter.clock import SECOND, Clock, SystemClock, WallClock
from ibkr_adapter.config import Capability, Config, Secret, Source
from ibkr_adapter.config.places import state_home
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.console.app import build as build_console
from ibkr_adapter.core.engine import Engine
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Open, OutsideTrouble
from ibkr_adapter.errors import AddressInUse, ConfigurationError, JournalError, SecretUnavailable
from ibkr_adapter.events import AlertSeverity, Started
from ibkr_adapter.fanout import Fanout, Subscription
from ibkr_adapter.ids import new_key
from ibkr_adapter.journal.recover import Recovery, recover
from ibkr_adapter.journal.writer import JournalWriter
from ibkr_adapter.lease import Lease
from ibkr_adapter.lease.claim import Record
from ibkr_adapter.lease.mark import EpochMark
from ibkr_adapter.lease.summary_owner import SummaryWatch
from ibkr_adapter.message_codes import Overrides
from ibkr_adapter.notices import NoticeTable
from ibkr_adapter.ops.alerts import NAME as ALERTS
from ibkr_adapter.ops.alerts import AlertRecord, open_alerts
from ibkr_adapter.ops.message_codes import MessageCodes
from ibkr_adapter.ops.metrics import AdapterCollector
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.sessions import CLOSE_S_MAX, SessionPort
from ibkr_adapter.shell import LEAVE_S_MAX, Shell
from ibkr_adapter.sinks.projection import SqliteProjection
from ibkr_adapter.sinks.sink import Sink, SinkRunner
from ibkr_adapter.sinks.sqlite import SqliteSink, SqliteStore, last_quote_times
from ibkr_adapter.snapshot import SinkView
from ibkr_adapter.statefile import RunningService
from ibkr_adapter.tws import tls_files, versions
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.session import Endpoint, Session

if TYPE_CHECKING:
    from ibkr_adapter.lease.keeper import LeaseKeeper
    from ibkr_adapter.ops.vaulted import Trouble

LEAVE_S = 3.0
TOKEN_CHARS_MIN = 16
DESCRIPTORS_WANTED = 65_536
JOURNAL_CLOSE_S = 5.0
VAULT_ALERT = "vault/unreachable"

_log = structlog.get_logger()


async def serve(
    config: Config, *, stop: asyncio.Event, announce: Callable[[RunningService], None], clock: WallClock | None = None
) -> None:
    """Run the service until ``stop`` is set.

    Raises, before anything is started: ``PackageError``, ``ConfigurationError``, ``AlreadyRunning``, ``JournalError``,
    ``StoreError``, ``AddressInUse``, ``SecretUnavailable``; each names its remedy.
    """
    clock = clock or SystemClock()
    check_package(config)
    check_extras(config)
    codes = message_codes.load(config.message_codes, keep_steering=message_codes.money_at_stake(config))
    secrets = Secrets(config, clock)
    await secrets.open()
    token = console_token(config, secrets)
    for warning in check_tls(config, secrets):
        _log.warning("tls_files", detail=warning)
    _raise_descriptor_limit()
    config.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        listener = held.enter_context(contextlib.closing(listen(config)))
        recovery = recover(Path(config.journal.directory))
        held.callback(recovery.close)
        held.enter_context(Lease(config.usable_addresses, config.client_id, component=config.component))
        held.callback(secrets.close)
        life = new_key()
        service = _service(config, life, listener, token)
        async with _running(config, life, recovery, listener, token, clock, secrets, codes):
            with statefile.written(service), statefile.registered(service, state_home()):
                announce(service)
                await stop.wait()


def check_package(config: Config) -> versions.Package:
    """The official client that is installed, if this environment allows it."""
    package = versions.installed()
    allowed = config.active.packages
    version = ".".join(map(str, package.version))
    if allowed and version not in allowed:
        raise ConfigurationError(
            f"environments.{config.environment}.packages",
            f"the official client is {version}, not {' or '.join(allowed)}",
            remedy=f"pip install '{package.distribution}=={allowed[0]}'",
        )
    if not package.tested:
        _log.warning("package_not_tested", package=str(package))
    return package


def check_tls(config: Config, secrets: Secrets | None = None) -> list[str]:
    """Certificates and keys of the gateways in use can be used; what should be known of them, as text.

    Without ``secrets`` a locked key stays locked, and is not looked at.
    """
    return [
        warning
        for name in config.usable_gateways
        if (given := config.gateways[name].tls) is not None
        for warning in tls_files.check(
            given, f"gateways.{name}.tls", SystemClock().now_ns() / SECOND, passphrase(config, name, secrets)
        )
    ]


def check_extras(config: Config) -> None:
    """What the configuration asks for is installed."""
    if config.redis.url and find_spec("redis") is None:
        raise ConfigurationError(
            "redis", "the Redis client library is not installed", remedy="pip install 'ibkr-adapter[redis]'"
        )


@contextlib.asynccontextmanager
async def _running(
    config: Config,
    boot_id: str,
    recovery: Recovery,
    listener: socket.socket,
    token: Secret,
    clock: WallClock,
    secrets: Secrets,
    codes_found: Overrides,
) -> AsyncIterator[None]:
    """Everything that runs, from the journal up to the page. What breaks in it is raised where it is entered."""
    notices = NoticeTable(codes_found.rows)
    store = SqliteStore(Path(config.store.path))

    # The core, with what earlier lives wrote.
    ledger = _recovered(config, recovery, notices)
    engine = Engine(
        Settings.of(config),
        notices=notices,
        rand=random.SystemRandom().random,
        ledger=ledger,
        last_recv_ns=last_quote_times(Path(config.store.path)),
        now_ns=clock.now_ns(),
        open_alerts=open_alerts(config.data_path / ALERTS),
    )

    # What it is connected to.
    fanout = Fanout(on_slow=_report_slow)
    sinks = _sinks(config, store, ledger.records.last_seq, clock, secrets)
    runners = [SinkRunner(sink, fanout, clock=clock, on_change=_report_sink) for sink in sinks]
    mailbox = Mailbox(lambda: shell.rouse())
    resolver = Resolver()
    writer = JournalWriter(
        Path(config.journal.directory),
        recovery,
        boot_id=boot_id,
        on_durable=lambda seq: shell.durable(seq),
        on_failure=lambda detail: shell.journal_failed(detail),
    )
    shell = Shell(
        engine,
        mailbox=mailbox,
        journal=writer,
        open_session=lambda opening: _session(config, opening, mailbox, clock, keeper, resolver, secrets),
        fanout=fanout,
        runners=runners,
        clock=clock,
        client_id=config.client_id,
    )
    keeper = _keeper(config, boot_id, clock, shell, secrets)
    summary = SummaryWatch(config, tell=shell.summary_owned, lease_of=_leases(config, secrets))
    codes = MessageCodes(
        config.message_codes,
        codes_found,
        tell=shell.outside,
        keep_steering=message_codes.money_at_stake(config),
    )
    codes.hear_hangups()
    leaving = asyncio.Event()
    application = build_console(
        shell,
        token.reveal(),
        config,
        stopping=leaving,
        clock=clock,
        collector=AdapterCollector(shell.snapshot, shell.sinks, notices),
        codes=codes,
    )
    console = _Console(application, listener)
    started = Started(
        ts_recv_ns=clock.now_ns(),
        version=__version__,
        boot_id=boot_id,
        environment=config.environment,
        client_id=config.client_id,
        recovered_seq=recovery.last_seq,
        component=config.component,
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    writer.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            stores = {tasks.create_task(runner.run(), name=f"sink-{runner.sink.name}") for runner in runners}
            heart = tasks.create_task(shell.run(started), name="shell")
            page = tasks.create_task(console.serve(), name="console")
            watches = {
                tasks.create_task(summary.run(), name="summary"),
                tasks.create_task(secrets.keep(lambda trouble: _tell_of_vault(shell, trouble)), name="secrets"),
                tasks.create_task(codes.reload_on_hangup(), name="message-codes"),
            }
            lease = {tasks.create_task(keeper.run(), name="lease")} if keeper is not None else set()
            yield
            # In order: no new commands, then no session, then no lease, then what the stores still hold.
            leaving.set()
            console.should_exit = True
            await asyncio.wait({page}, timeout=LEAVE_S)
            heart.cancel()
            await asyncio.wait({heart}, timeout=LEAVE_S_MAX + CLOSE_S_MAX + 1)
            for task in lease:
                task.cancel()
            if heart.done():
                if keeper is not None:
                    await keeper.release()
                with contextlib.suppress(JournalError):  # told below
                    writer.close(JOURNAL_CLOSE_S)
                shell.publish_last(writer.durable_seq)
            for runner in runners:
                runner.stop()
            await asyncio.wait(stores, timeout=LEAVE_S)
            for task in (page, *watches, *stores):
                task.cancel()
    finally:
        if keeper is not None:
            await keeper.release()
        codes.close()
        writer.close(JOURNAL_CLOSE_S)
        store.close()
    if writer.failure:
        raise JournalError(writer.failure, remedy="mend the disk; what is in the journal is found at the next start")


def _recovered(config: Config, recovery: Recovery, notices: NoticeTable) -> Ledger:
    """What earlier lives knew, if they were lives of this environment."""
    ledger = Ledger(notices, config.client_id)
    for seq, event in recovery.events():
        if isinstance(event, Started) and event.environment != config.environment:
            raise JournalError(
                f"the journal in {config.journal.directory} is of environment {event.environment}",
                remedy="give each environment a data_dir of its own: paper and live must never share one",
            )
        ledger.recover(seq, event)
    return ledger


def _keeper(config: Config, boot_id: str, clock: Clock, shell: Shell, secrets: Secrets) -> LeaseKeeper | None:
    """Where several machines share the client id: what decides which of them has it."""
    if not config.ha.enabled:
        return None
    from ibkr_adapter.lease.keeper import LeaseKeeper  # an extra: needed where configured
    from ibkr_adapter.lease.redis_epoch import RedisEpoch
    from ibkr_adapter.redis_store import RedisStore

    return LeaseKeeper(
        RedisEpoch(RedisStore.of(config, secrets), config.client_id),
        EpochMark(config.data_path / f"lease-client-{config.client_id}"),
        client_id=config.client_id,
        name=config.ha.name or socket.gethostname(),
        token=boot_id,
        ttl_ns=int(config.ha.lease_ttl_s * SECOND),
        clock=clock,
        tell=shell.lease_changed,
    )


def _leases(config: Config, secrets: Secrets) -> Callable[[int], Awaitable[Record | None]] | None:
    """Where several machines share client ids: how the lease of one is read."""
    if not config.ha.enabled:
        return None
    from ibkr_adapter.lease.redis_epoch import read_once
    from ibkr_adapter.redis_store import RedisStore

    return lambda client_id: read_once(RedisStore.of(config, secrets), client_id)


def passphrase(config: Config, gateway: str, secrets: Secrets | None) -> Passphrase | None:
    """What opens the key that we show this gateway's tunnel."""
    given = config.gateways[gateway].tls
    if given is None or secrets is None:
        return None
    return secrets.source(f"gateways.{gateway}.tls.key_password", given.key_password)


def _session(
    config: Config,
    opening: Open,
    mailbox: Mailbox,
    clock: Clock,
    keeper: LeaseKeeper | None,
    resolver: Resolver,
    secrets: Secrets,
) -> SessionPort:
    if keeper is not None:
        keeper.check()
    gateway = config.gateways[opening.gateway]
    return Session(
        Endpoint(
            opening.gateway, gateway.host, gateway.port, gateway.tls, passphrase(config, opening.gateway, secrets)
        ),
        client_id=config.client_id,
        epoch=opening.epoch,
        mailbox=mailbox,
        clock=clock,
        orders=config.identity.can(Capability.ORDERS),
        resolver=resolver,
        may_place=keeper.may_place if keeper is not None else _always,
    )


def _always() -> bool:
    """The lock of this machine holds until its process ends."""
    return True


def _sinks(config: Config, store: SqliteStore, durable_seq: int, clock: Clock, secrets: Secrets) -> list[Sink]:
    journal = Path(config.journal.directory)
    sinks: list[Sink] = [
        SqliteSink(store),
        SqliteProjection(store, journal, durable_seq=durable_seq),
        AlertRecord(config.data_path),
    ]
    if config.redis.url:
        from ibkr_adapter.redis_store import RedisStore  # an extra: needed where configured
        from ibkr_adapter.sinks.redis import RedisOrders, RedisSink

        redis = RedisStore.of(config, secrets)
        sinks += [RedisSink(redis, clock=clock), RedisOrders(redis, journal, durable_seq=durable_seq)]
    return sinks


# --- The console's server ---------------------------------------------------------------------------------------


class _Console(uvicorn.Server):
    """Uvicorn without hands of its own: it neither binds, nor logs, nor listens to signals."""

    def __init__(self, application: object, listener: socket.socket) -> None:
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

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets or [self._listener])


def _raise_descriptor_limit() -> None:
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


def console_token(config: Config, secrets: Secrets) -> Secret:
    """The configured one, or one for this life."""
    if not config.http.token:
        return Secret(token_urlsafe(32))
    token = secrets.value("http.token", config.http.token)
    if len(token.reveal()) < TOKEN_CHARS_MIN:
        raise SecretUnavailable(
            "http.token", f"has fewer than {TOKEN_CHARS_MIN} characters", remedy="give it 32 random ones"
        )
    return token


def _service(config: Config, life: str, listener: socket.socket, token: Secret) -> RunningService:
    host, port = listener.getsockname()[:2]
    return RunningService(
        url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
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


# --- One line for each transition -------------------------------------------------------------------------------


def _report_slow(subscription: Subscription) -> None:
    _log.warning("slow_consumer", consumer=subscription.name, bound=subscription.bound, dropped=subscription.dropped)


def _tell_of_vault(shell: Shell, trouble: Trouble | None) -> None:
    """One line for each change, and one alert from the first failure to the recovery."""
    if trouble is None:
        _log.info("vault_recovered")
        shell.outside(OutsideTrouble(key=VAULT_ALERT, severity=None))
        return
    _log.warning("vault_unreachable", detail=trouble.text)
    severity = AlertSeverity.CRITICAL if trouble.near_end else AlertSeverity.WARNING
    shell.outside(OutsideTrouble(key=VAULT_ALERT, severity=severity, text=trouble.text, remedy=trouble.remedy))


def _report_sink(status: SinkView) -> None:
    if status.up:
        _log.info("sink_up", sink=status.name)
    else:
        _log.warning("sink_down", sink=status.name, detail=status.detail)
