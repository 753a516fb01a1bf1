"""What happens to depth subscriptions now and then: the book is told anew, or no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tws_simulator.api.session import Session
from tws_simulator.api.streams.depth import DepthStream
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig


@dataclass(frozen=True, kw_only=True, slots=True)
class ResetDepth(Action):
    """317 for every depth subscription, and then the whole book again, row by row from an empty one."""

    do: ClassVar[str] = "reset_depth"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for stream in _depths(self.sessions(rig, cause)):
            stream.reset()


@dataclass(frozen=True, kw_only=True, slots=True)
class HaltDepth(Action):
    """316 for every depth subscription, which is over then."""

    do: ClassVar[str] = "halt_depth"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for stream in _depths(self.sessions(rig, cause)):
            stream.halt()


def _depths(sessions: list[Session]) -> list[DepthStream]:
    streams = [stream for session in sessions for stream in session.streams.values()]
    return [stream for stream in streams if isinstance(stream, DepthStream)]
