"""What every action is: a few parameters and what it does to the rig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tws_simulator.api.session import Session
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """``client`` is the id of the client it concerns. Without one it is the client that caused the action, if one did.

    ``everyone`` is all clients, whoever caused it.
    """

    do: ClassVar[str]

    client: int | None = None
    everyone: bool = False

    def apply(self, rig: Rig, cause: Cause) -> None:
        raise NotImplementedError

    def problem(self) -> str:
        """What is wrong with the parameters, each of the right kind; empty when nothing is."""
        return ""

    def sessions(self, rig: Rig, cause: Cause) -> list[Session]:
        return list(rig.gateway.sessions) if self.everyone else rig.sessions(self.client, cause)

    def client_id(self, cause: Cause) -> int | None:
        """None for every client; one that has not said its id yet stands for all."""
        if self.everyone:
            return None
        if self.client is not None:
            return self.client
        return cause.peer.client_id if cause.peer is not None and cause.peer.client_id >= 0 else None

    @property
    def accounts_needed(self) -> int:
        """How many accounts the gateway must have for it."""
        return 1


@dataclass(frozen=True, kw_only=True, slots=True)
class OfAccount(Action):
    """``account`` is the number of one of the gateway's accounts, from 1, in the order of managedAccounts."""

    account: int = 1

    def problem(self) -> str:
        return "" if self.account >= 1 else "accounts are counted from 1"

    @property
    def accounts_needed(self) -> int:
        return self.account

    def account_name(self, rig: Rig) -> str:
        return rig.world.accounts[self.account - 1]
