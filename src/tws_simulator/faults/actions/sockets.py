"""Faults of the connection itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from tws_simulator.api.link import End, Link
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig


@dataclass(frozen=True, kw_only=True, slots=True)
class Close(Action):
    """End connections in order: what was written goes out, then FIN."""

    do: ClassVar[str] = "close"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            rig.end(session, End.CLOSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reset(Action):
    """End connections with RST; what the client has not read may be lost to it."""

    do: ClassVar[str] = "reset"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            rig.end(session, End.RESET)


@dataclass(frozen=True, kw_only=True, slots=True)
class Vanish(Action):
    """Be gone without FIN or RST: the client's socket stays open and nobody is at its other end."""

    do: ClassVar[str] = "vanish"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            rig.end(session, End.VANISH)


@dataclass(frozen=True, kw_only=True, slots=True)
class StallReading(Action):
    """Stop reading from the socket, for ``for_s`` seconds or, with 0, for good. At a connection: accept in silence."""

    do: ClassVar[str] = "stall_reading"

    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            session.link.reads = False
            if self.for_s:
                rig.after(self.for_s, partial(_read_again, session.link))


@dataclass(frozen=True, kw_only=True, slots=True)
class StallWriting(Action):
    """Stop writing to the socket for ``for_s`` seconds or, with 0, for good; what is said meanwhile goes out later."""

    do: ClassVar[str] = "stall_writing"

    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            session.link.writes = False
            if self.for_s:
                rig.after(self.for_s, partial(_write_again, session.link))


@dataclass(frozen=True, kw_only=True, slots=True)
class PortDown(Action):
    """Refuse new connections, for ``for_s`` seconds or, with 0, until port_up. Open connections stay."""

    do: ClassVar[str] = "port_down"

    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.gateway.door.is_open = False
        if self.for_s:
            rig.after(self.for_s, partial(_open_door, rig))


@dataclass(frozen=True, kw_only=True, slots=True)
class PortUp(Action):
    """Accept connections again: a restart is over, somebody has logged in."""

    do: ClassVar[str] = "port_up"

    def apply(self, rig: Rig, cause: Cause) -> None:
        _open_door(rig)


def _read_again(link: Link) -> None:
    link.reads = True


def _write_again(link: Link) -> None:
    link.writes = True


def _open_door(rig: Rig) -> None:
    rig.gateway.door.is_open = True
