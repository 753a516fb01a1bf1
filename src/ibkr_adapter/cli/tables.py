"""Whose table of client ids is looked at, and at which gateways: as a file says, or as the services that run say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ibkr_adapter.cli.reach import find
from ibkr_adapter.config import Component, Config, reading
from ibkr_adapter.config.places import state_home
from ibkr_adapter.statefile import RunningService, found, path_in, read


class IdTable(Struct, frozen=True, kw_only=True):
    """One table of client ids, and the gateways where it counts. ``said_by``: how it became known.

    ``stores``: by component, where each keeps its database. ``services`` are those that run by this table.
    """

    environment: str
    components: dict[str, Component]
    addresses: tuple[str, ...]
    said_by: str
    stores: dict[str, Path] = {}
    services: tuple[RunningService, ...] = ()
    config: Config | None = None


def tables(file: Path | None, state: Path | None) -> list[IdTable]:
    """One for a file; else one for each that the running services have; else that of an untouched installation."""
    if file is not None:
        config = reading.load(file)
        return [_of_file(config, file, tuple(_services(config, state)))]
    running = found(state_home()) if state is None else [find(state)]
    known = [_of_service(service) for service in running if service.components and service.addresses]
    return list(_united(known)) or [_untouched(tuple(running))]


def _of_file(config: Config, file: Path, services: tuple[RunningService, ...]) -> IdTable:
    stores = {
        name: Path((config if name == config.component else reading.load(file, component=name)).store.path)
        for name in config.components
    }
    return IdTable(
        environment=config.environment,
        components=dict(config.components),
        addresses=tuple(config.usable_addresses),
        said_by=f"as {file} says",
        stores=stores,
        services=services,
        config=config,
    )


def _of_service(service: RunningService) -> IdTable:
    return IdTable(
        environment=service.environment,
        components=service.components,
        addresses=service.addresses,
        said_by=f"as process {service.pid} says",
        stores={service.component: Path(service.store)} if service.store else {},
        services=(service,),
    )


def _untouched(services: tuple[RunningService, ...]) -> IdTable:
    config = reading.parse("", "defaults")
    why = "the services that run do not say theirs" if services else "no service of this user runs"
    return IdTable(
        environment=config.environment,
        components=dict(config.components),
        addresses=tuple(config.usable_addresses),
        said_by=f"the defaults, for {why}; --config FILE looks where yours says",
        stores={name: Path(reading.parse("", "defaults", component=name).store.path) for name in config.components},
        services=services,
    )


def _united(known: list[IdTable]) -> Iterator[IdTable]:
    """Components of one desk have one table and are looked at together."""
    while known:
        first, *rest = known
        same = [first, *(one for one in rest if _alike(first, one))]
        known = [one for one in rest if not _alike(first, one)]
        yield IdTable(
            environment=first.environment,
            components=first.components,
            addresses=tuple(dict.fromkeys(address for one in same for address in one.addresses)),
            said_by=f"as process {', '.join(str(service.pid) for one in same for service in one.services)} says",
            stores={name: path for one in same for name, path in one.stores.items()},
            services=tuple(service for one in same for service in one.services),
        )


def _alike(one: IdTable, other: IdTable) -> bool:
    return (one.environment, one.components) == (other.environment, other.components)


def _services(config: Config, state: Path | None) -> list[RunningService]:
    files = [path_in(config.data_path)] if state is None else [path_in(state) if state.is_dir() else state]
    named = [service for file in files if (service := read(file)) is not None and service.alive]
    if named or state is not None:
        return named
    return [service for service in found(state_home()) if service.environment == config.environment]
