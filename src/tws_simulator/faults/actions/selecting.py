"""What actions on passing messages have in common: which messages, how many, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tws_simulator.api.session import Session
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.filters import FrameFilter, ReplyFilter, RequestFilter, Selection
from tws_simulator.faults.rig import Rig
from tws_simulator.wire.row import Message
from tws_simulator.world.time.units import SECOND_NS


@dataclass(frozen=True, kw_only=True, slots=True)
class Selecting(Action):
    """``names`` of messages ("*" is all) except ``but_not``, with the values ``where``, after ``skip`` of them.

    Then so many as ``count`` says (0: all), for ``for_s`` seconds (0: for good). Orders, executions and positions in
    answer to a request for them are left alone, unless ``lists`` is true: a list with an end says that it is whole.
    """

    names: tuple[str, ...]
    but_not: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    skip: int = 0
    count: int = 0
    for_s: float = 0.0
    lists: bool = False

    def selection(self, rig: Rig, cause: Cause) -> Selection:
        return Selection(
            names=frozenset(self.names),
            but_not=frozenset(self.but_not),
            where={path: rig.fill_in({"value": value}, cause).get("value") for path, value in self.where.items()},
            client_id=self.client_id(cause),
            skip=self.skip,
            count=self.count,
            lists=self.lists,
        )

    def until_ns(self, rig: Rig) -> int | None:
        return rig.now_ns + int(self.for_s * SECOND_NS) if self.for_s else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changing(Selecting):
    """Acts on replies of the gateway, or with ``direction`` "request" on what clients ask."""

    direction: str = "reply"

    def apply(self, rig: Rig, cause: Cause) -> None:
        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            return self.change(rig, session, message, memory)

        kind = RequestFilter if self.direction == "request" else ReplyFilter
        rig.arm(kind(self.selection(rig, cause), self.until_ns(rig), change))

    def change(self, rig: Rig, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaging(Selecting):
    """Acts on the bytes of replies."""

    def apply(self, rig: Rig, cause: Cause) -> None:
        def damage(session: Session, frame: bytes, memory: list[bytes]) -> bytes:
            return self.damage(rig, session, frame, memory)

        rig.arm(FrameFilter(self.selection(rig, cause), self.until_ns(rig), damage))

    def damage(self, rig: Rig, session: Session, frame: bytes, memory: list[bytes]) -> bytes:
        raise NotImplementedError
