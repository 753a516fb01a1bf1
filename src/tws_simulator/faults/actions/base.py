"""What every action is: a few parameters and what it does to the stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tws_simulator.api.session import Session
from tws_simulator.faults.event import Cause
from tws_simulator.faults.stage import Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """``client`` is the id of the client it concerns. Without one it is the client that caused the action, if one did.

    ``everyone`` is all clients, whoever caused it.
    """

    do: ClassVar[str]

    client: int | None = None
    everyone: bool = False

    def apply(self, stage: Stage, cause: Cause) -> None:
        raise NotImplementedError

    def problem(self) -> str:
        """What is wrong with the parameters, each of the right kind; empty when nothing is."""
        return ""

    def sessions(self, stage: Stage, cause: Cause) -> list[Session]:
        return list(stage.gateway.sessions) if self.everyone else stage.sessions(self.client, cause)

    def client_id(self, cause: Cause) -> int | None:
        """None for every client; one that has not said its id yet stands for all."""
        if self.everyone:
            return None
        if self.client is not None:
            return self.client
        return cause.peer.client_id if cause.peer is not None and cause.peer.client_id >= 0 else None
