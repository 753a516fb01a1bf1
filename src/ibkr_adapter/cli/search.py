"""Looks for gateways at the ports they usually have, and says of each what it is and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.cli.probe import Visit
from ibkr_adapter.config import AccountKind, Gateway
from ibkr_adapter.errors import AccountMismatch, IbkrError
from ibkr_adapter.lease import Lease

PAPER_PORTS: Final = (7497, 4002, 4004)
"""TWS and IB Gateway as installed, and the usual container's forwarder. In this order the first usable one is taken."""

LIVE_PORTS: Final = frozenset({7496, 4001, 4003})
"""Their live twins: connected to only when the user names them."""

_KNOWN_PORTS: Final = frozenset({7496, 4001})
_NAMES: Final = {
    7496: "TWS, live",
    7497: "TWS, paper",
    4001: "IB Gateway, live",
    4002: "IB Gateway, paper",
    4003: "container, live",
    4004: "container, paper",
}

WAIT_S: Final = 8.0


class Sighting(Struct):
    """One address: a gateway with its accounts, or the reason why there is none to use."""

    gateway: Gateway
    server_version: int | None = None
    accounts: tuple[str, ...] = ()
    trouble: IbkrError | None = None

    @property
    def name(self) -> str:
        return _NAMES.get(self.gateway.port, "")

    @property
    def usable(self) -> bool:
        return self.trouble is None

    @property
    def kind(self) -> AccountKind:
        """By the port: what stands behind it is held against it."""
        return AccountKind.LIVE if self.gateway.port in LIVE_PORTS else AccountKind.PAPER

    @property
    def known_port(self) -> bool:
        """Whether a configuration knows the kind by the port alone."""
        return self.gateway.port in _KNOWN_PORTS

    def __str__(self) -> str:
        if self.trouble is not None:
            return self.trouble.message.removeprefix(f"{self.gateway.address} ")
        return f"server version {self.server_version}, {self.kind} account {', '.join(self.accounts)}"


def search(host: str, ports: Iterable[int], client_id: int) -> Iterator[Sighting]:
    """Look at one port after the other."""
    for port in ports:
        yield look(Gateway(host=host, port=port), client_id)


def look(gateway: Gateway, client_id: int) -> Sighting:
    """One short session; the client id's lease is held meanwhile, so that no service starts into it."""
    sighting = Sighting(gateway=gateway)
    try:
        with Lease([gateway.address], client_id, component="init"), Visit("primary", gateway, client_id) as visit:
            found = visit.identify(WAIT_S)
        sighting.server_version, sighting.accounts = found.server_version, found.accounts
        _judge(sighting)
    except IbkrError as trouble:
        sighting.trouble = trouble
    return sighting


def _judge(sighting: Sighting) -> None:
    """No account of another kind than its port promises, and of live ones just one."""
    shown, port = ", ".join(sighting.accounts), sighting.gateway.port
    wrong = [account for account in sighting.accounts if account_kind(account) != sighting.kind]
    if wrong and sighting.kind is AccountKind.PAPER:
        raise AccountMismatch(
            f"{', '.join(wrong)} is a live account behind a port for paper: not used",
            remedy="log this gateway in to the paper account; paper accounts begin with D. For a live gateway name its"
            " port, 7496 or 4001, with --port",
        )
    if wrong:
        raise AccountMismatch(
            f"{', '.join(wrong)} is a paper account behind a port for live ones: not used",
            remedy=f'set "Socket port" of a paper login to 7497 (TWS) or 4002 (IB Gateway) instead of {port}',
        )
    if sighting.kind is AccountKind.LIVE and len(sighting.accounts) > 1:
        raise AccountMismatch(
            f"this login has {len(sighting.accounts)} live accounts, {shown}: one is served",
            remedy="log in with a user of one account",
        )
