"""A moment by which something must have happened, and how the session ends if it has not."""

from __future__ import annotations

from ibkr_adapter.tws.ending import Ended


class Deadline:
    """Stands from ``stand`` until ``lift``; ``at_ns`` is ``None`` at all other times."""

    __slots__ = ("_overdue", "at_ns")

    def __init__(self) -> None:
        self.at_ns: int | None = None
        self._overdue: Ended | None = None

    def stand(self, at_ns: int, overdue: Ended) -> None:
        self.at_ns = at_ns
        self._overdue = overdue

    def blame(self, overdue: Ended) -> None:
        """Another step is on its way by now; the time for all of them stays what it was."""
        self._overdue = overdue

    def lift(self) -> None:
        self.at_ns = None

    def watch(self, now_ns: int) -> None:
        """Raises ``Ended`` from the very moment on."""
        if self.at_ns is not None and now_ns >= self.at_ns:
            assert self._overdue is not None
            raise self._overdue


def earliest_ns(*deadlines: Deadline) -> int | None:
    return min((deadline.at_ns for deadline in deadlines if deadline.at_ns is not None), default=None)
