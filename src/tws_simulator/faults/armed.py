"""The filters that are at work, by what passes them: requests, replies, the bytes of replies."""

from __future__ import annotations

from typing import TypeVar

from tws_simulator.api.session import Session
from tws_simulator.faults.filters import Filter, FrameFilter, MessageFilter, ReplyFilter, RequestFilter
from tws_simulator.wire.row import Message

FILTERS_MAX = 1_000

AnyFilter = TypeVar("AnyFilter", bound=Filter)


class TooManyFaults(ValueError):
    """More faults at once than anybody can follow."""

    def __init__(self) -> None:
        super().__init__(f"more than {FILTERS_MAX} faults at once")


class Armed:
    def __init__(self) -> None:
        self._requests: list[RequestFilter] = []
        self._replies: list[ReplyFilter] = []
        self._frames: list[FrameFilter] = []

    def __len__(self) -> int:
        return len(self._requests) + len(self._replies) + len(self._frames)

    @property
    def changes_replies(self) -> bool:
        return bool(self._replies)

    @property
    def damages_frames(self) -> bool:
        return bool(self._frames)

    def arm(self, each: Filter) -> None:
        """Behind those that are armed already; TooManyFaults at the bound."""
        if len(self) >= FILTERS_MAX:
            raise TooManyFaults
        match each:
            case RequestFilter():
                self._requests.append(each)
            case ReplyFilter():
                self._replies.append(each)
            case FrameFilter():
                self._frames.append(each)
            case _:
                raise AssertionError(f"{each!r} filters nothing that passes")

    def disarm(self) -> None:
        self._requests.clear()
        self._replies.clear()
        self._frames.clear()

    def forget_over(self, now_ns: int) -> None:
        _forget_over(self._requests, now_ns)
        _forget_over(self._replies, now_ns)
        _forget_over(self._frames, now_ns)

    def request(self, session: Session, message: Message, now_ns: int) -> tuple[Message, ...]:
        return _through(self._requests, session, message, now_ns)

    def reply(self, session: Session, message: Message, now_ns: int, *, is_row: bool) -> tuple[Message, ...]:
        """``is_row``: it belongs to the answer to a request for a list."""
        return _through(self._replies, session, message, now_ns, is_row=is_row)

    def frame(self, session: Session, message: Message, frame: bytes, now_ns: int) -> bytes:
        for each in list(self._frames):
            if each.takes(session.peer.client_id, message, now_ns):
                frame = each.damage(session, frame, each.memory)
        return frame


def _through(
    filters: list[RequestFilter] | list[ReplyFilter],
    session: Session,
    message: Message,
    now_ns: int,
    *,
    is_row: bool = False,
) -> tuple[Message, ...]:
    """Every filter counts every message; those that take it change it one after the other."""
    taking: list[MessageFilter] = [
        each for each in filters if each.takes(session.client_id, message, now_ns, is_row=is_row)
    ]
    passed: tuple[Message, ...] = (message,)
    for each in taking:
        passed = tuple(changed for told in passed for changed in each.change(session, told, each.memory))
    return passed


def _forget_over(filters: list[AnyFilter], now_ns: int) -> None:
    if filters:
        filters[:] = [each for each in filters if not each.is_over(now_ns)]
