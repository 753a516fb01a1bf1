"""How often a stream usually speaks: what its silence means is measured by that, and by nothing else.

SPY speaks four times a second and a thin stock twice an hour; ten seconds of silence are alarming of the one and
nothing of the other.
"""

from __future__ import annotations

from ibkr_adapter.clock import SECOND

BEATS_MIN = 10
"""Before so many beats the rhythm is not known."""

BEAT_MAX_NS = 60 * SECOND
"""A longer pause counts as this much: one night must not make a lively stream a slow one."""

SMOOTHED_OVER = 8

SILENT_NS = 8 * SECOND
"""Shorter silence is never suspicious. With the two seconds a new subscription may take, data is fresh within ten."""

SILENT_UNKNOWN_NS = 60 * SECOND
LULL_NS = SECOND


class Rhythm:
    """A moving average of the time between two moments at which something came."""

    __slots__ = ("_beats", "_last_ns", "_usual_ns")

    def __init__(self) -> None:
        self._last_ns = 0
        self._usual_ns = 0
        self._beats = 0

    def beat(self, ts_ns: int, *, flowing: bool) -> None:
        """Something came; what came in the same read is one beat. The pause of an interruption is nobody's rhythm."""
        pause_ns = ts_ns - self._last_ns
        if pause_ns <= 0:
            return
        self._last_ns = ts_ns
        if not flowing:
            return
        self._beats += 1
        if self._beats > 1:
            pause_ns = min(pause_ns, BEAT_MAX_NS)
            self._usual_ns += (pause_ns - self._usual_ns) // min(self._beats - 1, SMOOTHED_OVER)

    @property
    def usual_ns(self) -> int | None:
        return self._usual_ns if self._beats >= BEATS_MIN else None

    @property
    def patience_ns(self) -> int:
        """Silence of this length is suspicious, although nothing was said."""
        return SILENT_UNKNOWN_NS if (usual_ns := self.usual_ns) is None else max(SILENT_NS, 20 * usual_ns)

    @property
    def lull_ns(self) -> int:
        """Silence of this length is no accident where something was said that explains it."""
        return max(LULL_NS, 4 * (self.usual_ns or 0))

    @property
    def pause_ns(self) -> int:
        """Silence of this length is no accident where something was said that may explain it, or may not."""
        return self.patience_ns if self.usual_ns is None else self.lull_ns
