"""The service: built in reading order, started at once, stopped in an order that matters."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from ibkr_adapter import __version__, message_codes
from ibkr_adapter.clock import Clock, WallClock
from ibkr_adapter.config import Capability, Config, Secret
from ibkr_adapter.console.app import build as build_console
from ibkr_adapter.console.server import ConsoleServer
from ibkr_adapter.core.engine import Engine
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Open
from ibkr_adapter.errors import JournalError
from ibkr_adapter.events import Started
from ibkr_adapter.fanout import Fanout
from ibkr_adapter.journal.recover import Recovery
from ibkr_adapter.journal.writer import JournalWriter
from ibkr_adapter.lease.shared import keeper_of, leases_of
from ibkr_adapter.lease.summary_owner import SummaryWatch
from ibkr_adapter.message_codes import Overrides
from ibkr_adapter.notices import NoticeTable
from ibkr_adapter.ops import reporting
from ibkr_adapter.ops.alerts import NAME as ALERTS
from ibkr_adapter.ops.alerts import AlertRecord, open_alerts
from ibkr_adapter.ops.message_codes import MessageCodes
from ibkr_adapter.ops.metrics import AdapterCollector
from ibkr_adapter.ops.secrets import Secrets, alert_of
from ibkr_adapter.shell import STOP_S_MAX, Shell
from ibkr_adapter.sinks.projection import SqliteProjection
from ibkr_adapter.sinks.sink import Sink, SinkRunner
from ibkr_adapter.sinks.sqlite import SqliteSink, SqliteStore, last_quote_times
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.session import Endpoint, Session

LEAVE_S: Final = 3.0
"""How long the page, and then the stores, may take to end what they are about."""

JOURNAL_CLOSE_S: Final = 5.0


class Service:
    """Everything that runs, from the journal up to the page. ``life`` is the name of this start of it."""

    def __init__(
        self,
        config: Config,
        *,
        life: str,
        recovery: Recovery,
        listener: socket.socket,
        token: Secret,
        clock: WallClock,
        secrets: Secrets,
        codes: Overrides,
    ) -> None:
        self._config = config
        self._clock = clock
        self._secrets = secrets
        notices = NoticeTable(codes.rows)

        self._store = SqliteStore(Path(config.store.path))
        engine = core_of(config, recovery, notices=notices, now_ns=clock.now_ns())

        # What it is connected to.
        fanout = Fanout(on_slow=reporting.slow_consumer)
        sinks = _sinks(config, self._store, engine.ledger.records.last_seq, clock, secrets)
        self._runners = [SinkRunner(sink, fanout, clock=clock, on_change=reporting.sink_changed) for sink in sinks]
        self._mailbox = Mailbox(lambda: self._shell.rouse())
        self._resolver = Resolver()
        self._journal = JournalWriter(
            Path(config.journal.directory),
            recovery,
            boot_id=life,
            on_durable=lambda seq: self._shell.durable(seq),
            on_failure=lambda detail: self._shell.journal_failed(detail),
        )
        self._shell = shell = Shell(
            engine,
            mailbox=self._mailbox,
            journal=self._journal,
            open_session=self._session,
            fanout=fanout,
            runners=self._runners,
            clock=clock,
            client_id=config.client_id,
        )

        # Who watches what is around it, and who looks at it.
        self._keeper = keeper_of(config, secrets, life=life, clock=clock, tell=shell.lease_changed)
        self._summary = SummaryWatch(config, tell=shell.summary_owned, lease_of=leases_of(config, secrets))
        self._codes = MessageCodes(
            config.message_codes, codes, tell=shell.outside, keep_steering=message_codes.money_at_stake(config)
        )
        leaving = asyncio.Event()
        page = build_console(
            shell,
            token.reveal(),
            config,
            stopping=leaving,
            clock=clock,
            collector=AdapterCollector(shell.snapshot, shell.sinks, notices),
            codes=self._codes,
        )
        self._console = ConsoleServer(page, listener, leaving)
        self._started = Started(
            ts_recv_ns=clock.now_ns(),
            version=__version__,
            boot_id=life,
            environment=config.environment,
            client_id=config.client_id,
            recovered_seq=recovery.last_seq,
            component=config.component,
            host=socket.gethostname(),
            pid=os.getpid(),
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From the start to the last record. What breaks in it is raised where it is entered."""
        self._codes.hear_hangups()
        self._journal.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._start(tasks)
                yield
                await self._stop()
        finally:
            self._codes.close()
            self._journal.close(JOURNAL_CLOSE_S)
            self._store.close()
        if self._journal.failure:
            raise JournalError(
                self._journal.failure, remedy="mend the disk; what is in the journal is found at the next start"
            )

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        self._stores = {tasks.create_task(each.run(), name=f"sink-{each.sink.name}") for each in self._runners}
        self._heart = tasks.create_task(self._shell.run(self._started), name="shell")
        self._page = tasks.create_task(self._console.serve(), name="console")
        self._lease = tasks.create_task(self._hold_lease(), name="lease")
        self._watches = {
            tasks.create_task(self._summary.run(), name="summary"),
            tasks.create_task(self._secrets.keep(lambda it: self._shell.outside(alert_of(it))), name="secrets"),
            tasks.create_task(self._codes.reload_on_hangup(), name="message-codes"),
        }

    async def _stop(self) -> None:
        """In order: no new commands, then no session, then no lease, then what the stores still hold."""
        await self._leave_page()
        await self._leave_gateway()
        await self._leave_lease()
        self._leave_journal()
        await self._leave_stores()
        for task in (self._page, *self._watches, *self._stores):
            task.cancel()

    async def _leave_page(self) -> None:
        self._console.leave()
        await asyncio.wait({self._page}, timeout=LEAVE_S)

    async def _leave_gateway(self) -> None:
        self._heart.cancel()
        await asyncio.wait({self._heart}, timeout=STOP_S_MAX)

    async def _leave_lease(self) -> None:
        """Given back at once, so that another machine need not wait for its end."""
        self._lease.cancel()
        if self._heart.done():
            await asyncio.wait({self._lease})

    def _leave_journal(self) -> None:
        """The last records become safe, and those who follow the journal may have them too."""
        if self._heart.done():
            with contextlib.suppress(JournalError):  # told when it is closed at the end
                self._journal.close(JOURNAL_CLOSE_S)
            self._shell.publish_last(self._journal.durable_seq)

    async def _leave_stores(self) -> None:
        for runner in self._runners:
            runner.stop()
        await asyncio.wait(self._stores, timeout=LEAVE_S)

    async def _hold_lease(self) -> None:
        """However it ends, our session is closed before another machine may use the client id."""
        if self._keeper is None:
            return
        try:
            await self._keeper.run()
        finally:
            if not self._heart.cancelling():  # a second time would cut its leaving short
                self._heart.cancel()
            await asyncio.wait({self._heart})
            await self._keeper.release()

    def _session(self, opening: Open) -> Session:
        if self._keeper is not None:
            self._keeper.check()
        gateway = self._config.gateways[opening.gateway]
        passphrase = self._secrets.passphrase(opening.gateway)
        return Session(
            Endpoint(opening.gateway, gateway.host, gateway.port, gateway.tls, passphrase),
            client_id=self._config.client_id,
            epoch=opening.epoch,
            mailbox=self._mailbox,
            clock=self._clock,
            orders=self._config.identity.can(Capability.ORDERS),
            resolver=self._resolver,
            may_place=self._keeper.may_place if self._keeper is not None else _always,
        )


def core_of(config: Config, recovery: Recovery, *, notices: NoticeTable, now_ns: int) -> Engine:
    """The core, with what earlier lives wrote."""
    return Engine(
        Settings.of(config),
        notices=notices,
        rand=random.SystemRandom().random,
        ledger=_recovered(config, recovery, notices),
        last_recv_ns=last_quote_times(Path(config.store.path)),
        now_ns=now_ns,
        open_alerts=open_alerts(config.data_path / ALERTS),
    )


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
