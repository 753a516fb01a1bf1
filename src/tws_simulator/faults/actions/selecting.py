"""What actions on passing messages have in common: which messages, how many, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tws_simulator.api.session import Session
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.filters import FrameFilter, MessageFilter, Selection
from tws_simulator.faults.stage import SECOND_NS, Stage
from tws_simulator.wire.row import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Selecting(Action):
    """``names`` of messages ("*" is all) except ``but_not``, with the values ``where``, after ``skip`` of them.

    Then so many as ``count`` says (0: all), for ``for_s`` seconds (0: for good).
    """

    names: tuple[str, ...]
    but_not: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    skip: int = 0
    count: int = 0
    for_s: float = 0.0

    def selection(self, stage: Stage, cause: Cause) -> Selection:
        stage.check_room()
        return Selection(
            names=frozenset(self.names),
            but_not=frozenset(self.but_not),
            where={path: stage.fill_in({"value": value}, cause).get("value") for path, value in self.where.items()},
            client_id=self.client_id(cause),
            skip=self.skip,
            count=self.count,
        )

    def until_ns(self, stage: Stage) -> int | None:
        return stage.now_ns + int(self.for_s * SECOND_NS) if self.for_s else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changing(Selecting):
    """Acts on replies of the gateway, or with ``direction`` "request" on what clients ask."""

    direction: str = "reply"

    def apply(self, stage: Stage, cause: Cause) -> None:
        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            return self.change(stage, session, message, memory)

        filters = stage.request_filters if self.direction == "request" else stage.reply_filters
        filters.append(MessageFilter(self.selection(stage, cause), self.until_ns(stage), change))

    def change(self, stage: Stage, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaging(Selecting):
    """Acts on the bytes of replies."""

    def apply(self, stage: Stage, cause: Cause) -> None:
        def damage(session: Session, frame: bytes, memory: list[bytes]) -> bytes:
            return self.damage(stage, session, frame, memory)

        stage.frame_filters.append(FrameFilter(self.selection(stage, cause), self.until_ns(stage), damage))

    def damage(self, stage: Stage, session: Session, frame: bytes, memory: list[bytes]) -> bytes:
        raise NotImplementedError
