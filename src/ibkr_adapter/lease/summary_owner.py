"""Who of the components asks for the account summary: a login may have two such subscriptions, and no more.

The risk manager has the first right, then the adapter, then the others in the order of their client ids. A component
leaves the summary to one with a better right that runs: to see that, it looks at the lock files of this machine and,
where machines share client ids, at the leases in Redis. It looks once a minute: for that long two may have it, which
is allowed, or nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from ibkr_adapter.config import Capability, Component, Config
from ibkr_adapter.effects import SummaryOwned
from ibkr_adapter.errors import StoreError
from ibkr_adapter.lease.file_lock import holder_of, lock_path

if TYPE_CHECKING:
    from ibkr_adapter.lease.claim import Record

LOOK_EVERY_S = 60.0
_log = structlog.get_logger()

FIRST_RIGHT = ("risk_manager", "ibkr_adapter")


def better(name: str, components: Mapping[str, Component]) -> list[str]:
    """The components that may ask for the summary and have a better right to it than this one."""

    def right(other: str) -> tuple[int, int]:
        first = FIRST_RIGHT.index(other) if other in FIRST_RIGHT else len(FIRST_RIGHT)
        return first, components[other].client_id

    readers = [other for other, component in components.items() if component.can(Capability.ACCOUNT)]
    return sorted((other for other in readers if other != name and right(other) < right(name)), key=right)


def owner_here(config: Config) -> str:
    """The one with a better right that holds its client id at our gateways from this machine; empty if none does."""
    for name in better(config.component, config.components):
        client_id = config.components[name].client_id
        holders = (holder_of(lock_path(address, client_id)) for address in config.usable_addresses)
        if any(holder is not None and holder.alive for holder in holders):
            return name
    return ""


class SummaryWatch:
    """Tells who has the summary, at first and whenever that changes; empty: it is ours.

    ``lease_of`` reads the lease of a client id, where machines share them.
    """

    def __init__(
        self,
        config: Config,
        *,
        tell: Callable[[SummaryOwned], None],
        lease_of: Callable[[int], Awaitable[Record | None]] | None = None,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._config = config
        self._tell = tell
        self._lease_of = lease_of
        self._every_s = every_s
        self._told = ""

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        try:
            owner = owner_here(self._config) or await self._owner_elsewhere()
        except StoreError:
            return  # neither locks nor Redis to look at: what was known stays
        if owner != self._told:
            self._told = owner
            _log.info("account_summary", owner=owner or self._config.component)
            self._tell(SummaryOwned(component=owner))

    async def _owner_elsewhere(self) -> str:
        if self._lease_of is None:
            return ""
        for name in better(self._config.component, self._config.components):
            record = await self._lease_of(self._config.components[name].client_id)
            if record is not None and record.stands:
                return name
        return ""
