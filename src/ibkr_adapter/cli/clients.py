"""``clients``: who has which client id, who had it last, and who should not have one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from ibkr_adapter.cli.reach import age, ask, json_option, state_option, table
from ibkr_adapter.cli.redis_probe import marked
from ibkr_adapter.cli.tables import IdTable, tables
from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.config import Config
from ibkr_adapter.config.places import state_home
from ibkr_adapter.errors import IbkrError, NotRunning
from ibkr_adapter.lease import Holder, holder_of, lock_path, locks_of, shared_directory
from ibkr_adapter.lease.claim import Record
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.sinks.client_ids import Use, last_uses
from ibkr_adapter.statefile import found


class Row(Struct, frozen=True, kw_only=True):
    """One client id of a table. ``address`` of the gateway at which ``holder`` has it."""

    environment: str
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


class Place(Struct, frozen=True, kw_only=True):
    """What was looked at: the gateways of one table, and how it became known."""

    environment: str
    addresses: tuple[str, ...]
    said_by: str


class Report(Struct, frozen=True, kw_only=True):
    looked_at: tuple[Place, ...]
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

    Without --config the services that run say which table and which gateways. Nothing is taken or changed: lock files
    and Redis are only read.
    """
    report = look(tables(file, state))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
        return
    for line in _lines(report, time.time_ns()):
        click.echo(line)


def look(known: list[IdTable]) -> Report:
    unknown: list[str] = []
    rows: list[Row] = []
    strangers: list[Stranger] = []
    for each in known:
        leases = _leases(each.config, unknown) if each.config is not None else {}
        its = tuple(_row(each, name, leases) for name in each.components)
        rows += its
        strangers += _strange_locks(each)
        strangers += _strange_leases(each, its)
        strangers += _strange_orders(each, unknown)
    return Report(
        looked_at=tuple(
            Place(environment=each.environment, addresses=each.addresses, said_by=each.said_by) for each in known
        ),
        clients=tuple(rows),
        strangers=tuple(strangers),
        unknown=tuple(dict.fromkeys(unknown)),
    )


# --- The table ----------------------------------------------------------------------------------------------------


def _row(known: IdTable, name: str, leases: dict[int, Record]) -> Row:
    component = known.components[name]
    holder, address = None, ""
    for each in known.addresses:
        at_this = holder_of(lock_path(each, component.client_id))
        if at_this is not None and (holder is None or at_this.alive):
            holder, address = at_this, each
    return Row(
        environment=known.environment,
        client_id=component.client_id,
        component=name,
        purpose=component.purpose,
        capabilities=tuple(component.capabilities),
        holder=holder,
        address=address,
        lease=leases.get(component.client_id),
        last=last_uses(known.stores[name]).get(component.client_id) if name in known.stores else None,
    )


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


def _strange_locks(known: IdTable) -> Iterator[Stranger]:
    """Ids held on this machine that are no component's, or by another component than the table says."""
    names = {component.client_id: name for name, component in known.components.items()}
    ours = {lock_path(address, 0).name.partition("-client-")[0] for address in known.addresses}
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


def _strange_leases(known: IdTable, rows: tuple[Row, ...]) -> Iterator[Stranger]:
    """A lease of a process of this machine that is not the one with its lock.

    Known by its life: names of hosts and numbers of processes come twice, as those of a standby beside it may.
    """
    lives = {service.life: service for service in (*known.services, *found(state_home())) if service.life}
    for row in rows:
        lease, holder = row.lease, row.holder
        if lease is None or not lease.stands or holder is None or not holder.alive:
            continue
        service = lives.get(lease.token)
        if service is not None and service.pid != holder.pid:
            what = f"process {service.pid} has the lease, process {holder.pid} the lock of this machine"
            yield Stranger(client_id=row.client_id, what=what, where="Redis")


def _strange_orders(known: IdTable, unknown: list[str]) -> Iterator[Stranger]:
    """Orders that a running service sees and that are of no client id of the table."""
    ours = {component.client_id for component in known.components.values()}
    for service in known.services:
        try:
            _, snapshot = ask(service, "GET", "/v1/snapshot")
        except NotRunning as error:
            unknown.append(error.message)
            continue
        if known.config is None and snapshot["lease"]["required"]:
            unknown.append("leases: --config FILE says in which Redis they are")
        counts: dict[int, int] = {}
        for order in snapshot["orders"]:
            if order.get("foreign") and order["client_id"] not in ours:
                counts[order["client_id"]] = counts.get(order["client_id"], 0) + 1
        for client_id, count in sorted(counts.items()):
            whose = "by hand in TWS" if client_id == 0 else "of a program nobody listed"
            plural = "order" if count == 1 else "orders"
            yield Stranger(client_id=client_id, what=f"{count} {plural} {whose}", where=f"seen by {service.url}")


# --- In words -----------------------------------------------------------------------------------------------------


def _lines(report: Report, now_ns: int) -> Iterator[str]:
    several = len(report.looked_at) > 1
    head = [*(["environment"] if several else []), "id", "component", "may", "held by", "last session"]
    rows = [
        [
            *([row.environment] if several else []),
            *(str(row.client_id), row.component, ", ".join(row.capabilities)),
            *(_held(row, now_ns), _last(row.last, now_ns)),
        ]
        for row in report.clients
    ]
    yield table(head, rows, frozenset({head.index("id")}))
    for row in report.clients:
        if row.lease is not None:
            yield f"lease of {row.client_id}: {_lease(row.lease)}"
    for stranger in report.strangers:
        yield f"should not: client id {stranger.client_id}: {stranger.what} ({stranger.where})"
    if not report.strangers:
        yield "nobody else was seen"
    for place in report.looked_at:
        yield f"looked at: {place.environment}, {', '.join(place.addresses)} ({place.said_by})"
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
