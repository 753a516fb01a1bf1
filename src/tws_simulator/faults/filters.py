"""Messages singled out on their way, and what is done with them there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from tws_simulator.api.session import Session
from tws_simulator.faults.values import ANYTHING, matches
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which messages: by name ("*" is all) and values; leaving ``skip`` alone, then ``count`` of them (0: all).

    Rows of lists only with ``lists``: a list that lacks rows and has its end is no silence, but a false statement.
    """

    names: frozenset[str]
    but_not: frozenset[str] = frozenset()
    where: Values = field(default_factory=dict)
    client_id: int | None = None
    skip: int = 0
    count: int = 0
    lists: bool = False

    def covers(self, client_id: int, message: Message, *, is_row: bool) -> bool:
        return (
            (self.lists or not is_row)
            and self.client_id in (None, client_id)
            and (message.name in self.names or ANYTHING in self.names)
            and message.name not in self.but_not
            and matches(message.values, self.where)
        )


class Change(Protocol):
    """What becomes of one message; ``memory`` is the filter's own, from one message to the next."""

    def __call__(self, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]: ...


class Damage(Protocol):
    """What becomes of the bytes of one message."""

    def __call__(self, session: Session, frame: bytes, memory: list[bytes]) -> bytes: ...


class Filter:
    """Counts what it is shown and says which messages it takes, until ``count`` or ``until_ns`` is reached."""

    def __init__(self, selection: Selection, until_ns: int | None) -> None:
        self._selection = selection
        self._until_ns = until_ns
        self._seen = 0

    def takes(self, client_id: int, message: Message, now_ns: int, *, is_row: bool = False) -> bool:
        if self.is_over(now_ns) or not self._selection.covers(client_id, message, is_row=is_row):
            return False
        self._seen += 1
        return self._seen > self._selection.skip

    def is_over(self, now_ns: int) -> bool:
        selection = self._selection
        if self._until_ns is not None and now_ns >= self._until_ns:
            return True
        return bool(selection.count) and self._seen >= selection.skip + selection.count


class MessageFilter(Filter):
    def __init__(self, selection: Selection, until_ns: int | None, change: Change) -> None:
        super().__init__(selection, until_ns)
        self.change = change
        self.memory: list[Message] = []


class RequestFilter(MessageFilter):
    """Acts on what clients ask."""


class ReplyFilter(MessageFilter):
    """Acts on what the gateway says."""


class FrameFilter(Filter):
    """Acts on the bytes of one reply."""

    def __init__(self, selection: Selection, until_ns: int | None, damage: Damage) -> None:
        super().__init__(selection, until_ns)
        self.damage = damage
        self.memory: list[bytes] = []
