"""``clients``: who has which client id, who had it last, and who should not have one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from ibkr_adapter.cli.reach import age, ask, json_option, state_option, table
from ibkr_adapter.cli.redis_probe import marked
from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.config import Config, reading
from ibkr_adapter.config.places import state_home
from ibkr_adapter.errors import IbkrError, NotRunning
from ibkr_adapter.lease import Holder, holder_of, lock_path, locks_of, shared_directory
from ibkr_adapter.lease.claim import Record
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.sinks.client_ids import Use, last_uses
from ibkr_adapter.statefile import RunningService, found, path_in, read


class Row(Struct, frozen=True, kw_only=True):
    """One client id of the table. ``address`` of the gateway at which ``holder`` has it."""

    client_id: int
    component: str
    purpose: str
    capabilities: tuple[str, ...]
    holder: Holder | None = None
    address: str = ""
    lease: Record | None = None
    last: Use | None = None


class Stranger(Struct, frozen=True, kw_only=True):
    """Somebody who should not be there. ``where``: what gave it away."""

    client_id: int
    what: str
    where: str


class Report(Struct, frozen=True, kw_only=True):
    environment: str
    clients: tuple[Row, ...]
    strangers: tuple[Stranger, ...]
    unknown: tuple[str, ...] = ()
    """What could not be looked at."""


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="The TOML file with the table of client ids.")
@state_option
@json_option
def clients(file: Path | None, state: Path | None, as_json: bool) -> None:
    """Show each client id: who may use it, who holds it now, its last session, and who has one and should not.

    Nothing is taken or changed: lock files and Redis are only read.
    """
    loaded = reading.load(file) if file is not None else reading.parse("", "defaults")
    report = look(loaded, file, state)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
        return
    for line in _lines(report, time.time_ns()):
        click.echo(line)


def look(config: Config, file: Path | None, state: Path | None) -> Report:
    unknown: list[str] = []
    leases = _leases(config, unknown)
    rows = tuple(_row(config, name, file, leases) for name in config.components)
    strangers = [*_strange_locks(config), *_strange_leases(config, rows), *_strange_orders(config, state, unknown)]
    return Report(
        environment=config.environment, clients=rows, strangers=tuple(strangers), unknown=tuple(dict.fromkeys(unknown))
    )


# --- The table ----------------------------------------------------------------------------------------------------


def _row(config: Config, name: str, file: Path | None, leases: dict[int, Record]) -> Row:
    component = config.components[name]
    holder, address = None, ""
    for each in config.usable_addresses:
        at_this = holder_of(lock_path(each, component.client_id))
        if at_this is not None and (holder is None or at_this.alive):
            holder, address = at_this, each
    uses = (_last_use(place, component.client_id) for place in _stores(config, name, file))
    return Row(
        client_id=component.client_id,
        component=name,
        purpose=component.purpose,
        capabilities=tuple(component.capabilities),
        holder=holder,
        address=address,
        lease=leases.get(component.client_id),
        last=max((use for use in uses if use is not None), key=lambda use: use.from_ns, default=None),
    )


def _stores(config: Config, name: str, file: Path | None) -> Iterator[Path]:
    """Where a component keeps its store: by this file, and where its service runs now."""
    if name == config.component:
        yield Path(config.store.path)
    elif file is not None:
        yield Path(reading.load(file, component=name).store.path)
    else:
        yield Path(reading.parse("", "defaults", component=name).store.path)


def _last_use(store: Path, client_id: int) -> Use | None:
    return last_uses(store).get(client_id)


def _leases(config: Config, unknown: list[str]) -> dict[int, Record]:
    if not config.ha.enabled:
        return {}
    from ibkr_adapter.lease.redis_epoch import read_once
    from ibkr_adapter.redis_store import RedisStore

    secrets = Secrets(config, SystemClock())

    async def read_all() -> dict[int, Record]:
        await secrets.open()
        password = secrets.source("redis.password", config.redis.password)
        if not marked(config.redis, password):  # a store would put our mark on it
            return {}
        store = RedisStore.of(config, secrets)
        ids = [component.client_id for component in config.components.values()]
        return {client_id: record for client_id in ids if (record := await read_once(store, client_id)) is not None}

    try:
        return asyncio.run(read_all())
    except IbkrError as error:
        unknown.append(f"leases: {error.message}")
        return {}
    finally:
        secrets.close()


# --- Who should not -----------------------------------------------------------------------------------------------


def _strange_locks(config: Config) -> Iterator[Stranger]:
    """Ids held on this machine that are no component's, or by another component than the table says."""
    names = {component.client_id: name for name, component in config.components.items()}
    ours = {lock_path(address, 0).name.partition("-client-")[0] for address in config.usable_addresses}
    for address, client_id, path in locks_of(shared_directory()):
        holder = holder_of(path)
        if address not in ours or holder is None or not holder.alive:
            continue
        if client_id not in names:
            yield Stranger(
                client_id=client_id, what=f"process {holder.pid}, no component of the table", where=str(path)
            )
        elif holder.component not in ("", names[client_id]):
            what = f"process {holder.pid} runs as {holder.component}; the id is {names[client_id]}'s"
            yield Stranger(client_id=client_id, what=what, where=str(path))


def _strange_leases(config: Config, rows: tuple[Row, ...]) -> Iterator[Stranger]:
    """A lease that stands here and is not of the process that has the lock of this machine."""
    host = os.uname().nodename
    for row in rows:
        lease, holder = row.lease, row.holder
        if lease is None or not lease.stands or lease.host != host or holder is None or not holder.alive:
            continue
        if lease.pid != holder.pid:
            what = f"process {lease.pid} has the lease, process {holder.pid} the lock of this machine"
            yield Stranger(client_id=row.client_id, what=what, where="Redis")


def _strange_orders(config: Config, state: Path | None, unknown: list[str]) -> Iterator[Stranger]:
    """Orders that a running service sees and that are of no client id of the table."""
    known = {component.client_id for component in config.components.values()}
    for service in _services(config, state):
        try:
            _, snapshot = ask(service, "GET", "/v1/snapshot")
        except NotRunning as error:
            unknown.append(error.message)
            continue
        counts: dict[int, int] = {}
        for order in snapshot["orders"]:
            if order.get("foreign") and order["client_id"] not in known:
                counts[order["client_id"]] = counts.get(order["client_id"], 0) + 1
        for client_id, count in sorted(counts.items()):
            whose = "by hand in TWS" if client_id == 0 else "of a program nobody listed"
            plural = "order" if count == 1 else "orders"
            yield Stranger(client_id=client_id, what=f"{count} {plural} {whose}", where=f"seen by {service.url}")


def _services(config: Config, state: Path | None) -> list[RunningService]:
    files = [path_in(config.data_path)] if state is None else [path_in(state) if state.is_dir() else state]
    named = [service for file in files if (service := read(file)) is not None and service.alive]
    if named or state is not None:
        return named
    return [service for service in found(state_home()) if service.environment == config.environment]


# --- In words -----------------------------------------------------------------------------------------------------


def _lines(report: Report, now_ns: int) -> Iterator[str]:
    head = ["id", "component", "may", "held by", "last session"]
    rows = [
        [str(row.client_id), row.component, ", ".join(row.capabilities), _held(row, now_ns), _last(row.last, now_ns)]
        for row in report.clients
    ]
    yield table(head, rows, frozenset({0}))
    for row in report.clients:
        if row.lease is not None:
            yield f"lease of {row.client_id}: {_lease(row.lease)}"
    for stranger in report.strangers:
        yield f"should not: client id {stranger.client_id}: {stranger.what} ({stranger.where})"
    if not report.strangers:
        yield "nobody else was seen"
    for trouble in report.unknown:
        yield f"not looked at: {trouble}"


def _held(row: Row, now_ns: int) -> str:
    holder = row.holder
    if holder is None or not holder.alive:
        return "nobody here"
    since = f" for {age(now_ns - holder.since_ns)}" if holder.since_ns is not None else ""
    return f"process {holder.pid}{since} at {row.address}"


def _last(use: Use | None, now_ns: int) -> str:
    if use is None:
        return "-"
    began = datetime.fromtimestamp(use.from_ns // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
    lasted = age((use.to_ns if use.to_ns is not None else now_ns) - use.from_ns)
    how = f"{use.outcome}: {use.detail}" if use.detail else use.outcome
    return f"{began} UTC, {lasted if use.outcome != 'process_ended' else 'length unknown'}, {how}"


def _lease(lease: Record) -> str:
    if lease.vacant or lease.released:
        return f"free, epoch {lease.epoch}"
    left_s = (lease.ttl_ns - lease.age_ns) / SECOND
    state = f"{left_s:.1f} s left" if left_s > 0 else f"lapsed {-left_s:.1f} s ago"
    return f"{lease.name} (host {lease.host}, process {lease.pid}), epoch {lease.epoch}, {state}"
