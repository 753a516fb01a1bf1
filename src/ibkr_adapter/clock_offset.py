"""How far a gateway's clock stands from ours, as one question and its answer show it.

A gateway tells its time in whole seconds. With the moments of question and answer they bound the difference.
"""

from __future__ import annotations

from typing import Final

from ibkr_adapter.clock import SECOND

RESOLUTION_NS: Final = SECOND
"""The gateway tells its time in whole seconds."""

TOLD_NS: Final = SECOND
"""A difference above this is told to somebody."""


class Offset:
    """How far a gateway's clock is ahead of ours: ``ahead_ns``, right to ``unsure_ns`` on either side."""

    __slots__ = ("ahead_ns", "unsure_ns")

    def __init__(self, ahead_ns: int, unsure_ns: int) -> None:
        self.ahead_ns = ahead_ns
        self.unsure_ns = unsure_ns

    def __repr__(self) -> str:
        return f"<Offset {self.ahead_ns / SECOND:+.1f} s ±{self.unsure_ns / SECOND:.1f}>"

    @property
    def worth_telling(self) -> bool:
        """Further apart than a second, whichever moment of its second the gateway told."""
        return self.surely_ns > TOLD_NS + RESOLUTION_NS // 2

    @property
    def surely_ns(self) -> int:
        """How far apart the clocks are even if the line took as long as it may have: 0 for what may be no difference.

        A process that was stopped between question and answer, or a slow line, is not a clock that is wrong.
        """
        return max(0, abs(self.ahead_ns) - (self.unsure_ns - RESOLUTION_NS // 2))

    @classmethod
    def measured(cls, time_ns: int, *, asked_ns: int, answered_ns: int) -> Offset:
        """The gateway read its clock between question and answer, and cut what was below a second."""
        read_ns = (asked_ns + answered_ns) // 2
        return cls(time_ns + RESOLUTION_NS // 2 - read_ns, (answered_ns - asked_ns + RESOLUTION_NS) // 2)


def distance(ns: int) -> str:
    return f"{abs(ns) / SECOND:,.0f} s {'ahead of' if ns > 0 else 'behind'}"
