"""What a configuration says of client ids that several machines share."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.config import Config
from ibkr_adapter.events import LeaseChanged
from ibkr_adapter.lease.claim import Record
from ibkr_adapter.lease.mark import EpochMark
from ibkr_adapter.ops.secrets import Secrets

if TYPE_CHECKING:
    from ibkr_adapter.lease.keeper import LeaseKeeper


def keeper_of(
    config: Config, secrets: Secrets, *, life: str, clock: Clock, tell: Callable[[LeaseChanged], None]
) -> LeaseKeeper | None:
    """What decides which machine has the client id; none where it is not shared."""
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
        token=life,
        ttl_ns=int(config.ha.lease_ttl_s * SECOND),
        clock=clock,
        tell=tell,
    )


def leases_of(config: Config, secrets: Secrets) -> Callable[[int], Awaitable[Record | None]] | None:
    """How the lease of a client id is read; not at all where none is shared."""
    if not config.ha.enabled:
        return None
    from ibkr_adapter.lease.redis_epoch import read_once
    from ibkr_adapter.redis_store import RedisStore

    return lambda client_id: read_once(RedisStore.of(config, secrets), client_id)
