"""The planned windows of one gateway as moments: which of them holds, and when that will change.

A window is written in local time and meant in local time: 04:45 in New York on every day of the year, whatever the
offset. Twice a year a local time does not exist or exists twice. Then a window is taken at its widest, from the
earliest reading of its start to the latest reading of its end: a scheduler may pick either, and being excused an hour
longer on a Sunday night costs less than being woken by a planned restart. So each local day has exactly one window of
each name that starts on it.

Windows of different kinds may hold together. The one that ends last speaks for all, and is named with the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ibkr_adapter.calendar import LocalTime, weekday
from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.snapshot import WindowView
from ibkr_adapter.windows import DEFAULT_ZONE, Window, WindowKind

__all__ = ["CLOSE_BEFORE_NS", "Excuse", "RestartCalendar", "Window", "WindowKind"]

CLOSE_BEFORE_NS = 60 * SECOND
"""The gate closes this long before a window: an order sent into a restart has an unknown outcome."""


class Excuse(Struct, frozen=True, kw_only=True):
    """A planned window that holds, or soon will: from ``from_ns`` up to, but not including, ``until_ns``.

    ``kinds``: of all windows that hold together; the first of them ends at ``changes_ns``.
    """

    name: str
    kind: WindowKind
    from_ns: int
    until_ns: int
    kinds: frozenset[WindowKind]
    changes_ns: int


class _Span(Struct, frozen=True, kw_only=True):
    """One window on one day."""

    window: Window
    from_ns: int
    until_ns: int


class _Present(Struct, frozen=True, kw_only=True):
    """What is true from ``from_ns`` until the next change, and the spans around it."""

    from_ns: int
    until_ns: int | None
    spans: tuple[_Span, ...]
    at: Excuse | None
    closing: Excuse | None


class RestartCalendar:
    """When a gateway may be away. UTC nanoseconds in and out; the zone's rules are used only in between."""

    def __init__(self, windows: Sequence[Window], zone: str = DEFAULT_ZONE) -> None:
        self._windows = tuple(windows)
        self._zone = zone
        self._local = LocalTime(zone)
        self._present: _Present | None = None

    def __repr__(self) -> str:
        names = ", ".join(window.name for window in self._windows)
        return f"<RestartCalendar {self._zone}: {names or 'no windows'}>"

    @property
    def zone(self) -> str:
        return self._zone

    def at(self, now_ns: int) -> Excuse | None:
        """The window that holds now."""
        return self._now(now_ns).at

    def closing(self, now_ns: int) -> Excuse | None:
        """The window that holds now or begins within ``CLOSE_BEFORE_NS``: the gate is closed."""
        return self._now(now_ns).closing

    def next_change_ns(self, now_ns: int) -> int | None:
        """The next moment at which ``at`` or ``closing`` changes; ``None`` without windows."""
        return self._now(now_ns).until_ns

    def upcoming(self, now_ns: int) -> Excuse | None:
        """The next window to begin."""
        spans = [span for span in self._now(now_ns).spans if span.from_ns > now_ns]
        return _merged([min(spans, key=lambda span: span.from_ns)]) if spans else None

    def words(self, excuse: Excuse) -> str:
        """For people, in the zone of the windows."""
        local = self._local
        return f"{excuse.name}, {local.words(excuse.from_ns)} to {local.words(excuse.until_ns)} {self._zone}"

    def view(self, now_ns: int) -> WindowView | None:
        """The window in force, else the next one."""
        present = self.at(now_ns)
        shown = present or self.upcoming(now_ns)
        if shown is None:
            return None
        return WindowView(
            name=shown.name,
            kind=shown.kind.value,
            from_ns=shown.from_ns,
            until_ns=shown.until_ns,
            in_force=present is not None,
            gate_closes_ns=shown.from_ns - CLOSE_BEFORE_NS,
        )

    def excuse(self, now_ns: int, lost_ns: int | None = None) -> Excuse | None:
        """Why what is wrong need not be told now; ``lost_ns`` is since when the link is down, if it is.

        A restart excuses the loss for the window's patience, counted from the loss, or from its start if the link was
        down already. The other kinds excuse whatever is wrong while they hold.
        """
        excuses = []
        for span in self._now(now_ns).spans:
            until_ns = _excused_until_ns(span, now_ns, lost_ns)
            if until_ns is not None and now_ns < until_ns:
                excuses.append(_Span(window=span.window, from_ns=span.from_ns, until_ns=until_ns))
        return _merged(excuses)

    def _now(self, now_ns: int) -> _Present:
        present = self._present
        if present is None or not _holds(present, now_ns):
            self._present = present = self._look(now_ns)
        return present

    def _look(self, now_ns: int) -> _Present:
        spans = tuple(self._spans(now_ns))
        ahead = [span.from_ns - CLOSE_BEFORE_NS for span in spans]
        moments = sorted({*ahead, *(span.from_ns for span in spans), *(span.until_ns for span in spans)})
        return _Present(
            from_ns=max((moment for moment in moments if moment <= now_ns), default=now_ns),
            until_ns=min((moment for moment in moments if moment > now_ns), default=None),
            spans=spans,
            at=_merged([span for span in spans if span.from_ns <= now_ns < span.until_ns]),
            closing=_merged([span for span in spans if span.from_ns - CLOSE_BEFORE_NS <= now_ns < span.until_ns]),
        )

    def _spans(self, now_ns: int) -> Iterator[_Span]:
        """Every window that is not long over, up to the next of each name: eight days ahead hold one at least."""
        today = self._local.day(now_ns)
        for day in range(today - 2, today + 9):
            for window in self._windows:
                if weekday(day) in window.days:
                    yield self._span(window, day)

    def _span(self, window: Window, day: int) -> _Span:
        first_ns, last_ns = self._local.moments_ns(day, window.start_minute)
        _, end_ns = self._local.moments_ns(day, window.start_minute + window.minutes)
        if last_ns != first_ns:
            end_ns = max(end_ns, last_ns + window.minutes * MINUTE)
        return _Span(window=window, from_ns=first_ns, until_ns=end_ns)


def _excused_until_ns(span: _Span, now_ns: int, lost_ns: int | None) -> int | None:
    """Until when this window excuses what is wrong now, if it does."""
    if now_ns < span.from_ns - CLOSE_BEFORE_NS:
        return None
    if lost_ns is None or span.window.kind is not WindowKind.RESTART:
        return span.until_ns if now_ns >= span.from_ns else None
    if lost_ns >= span.until_ns:
        return None
    return max(lost_ns, span.from_ns) + span.window.patience_minutes * MINUTE


def _merged(spans: Sequence[_Span]) -> Excuse | None:
    """One excuse for all of them: the last to end, named with the others."""
    if not spans:
        return None
    last = max(spans, key=lambda span: span.until_ns)
    names = dict.fromkeys([last.window.name, *sorted(span.window.name for span in spans)])
    return Excuse(
        name=" + ".join(names),
        kind=last.window.kind,
        from_ns=last.from_ns,
        until_ns=last.until_ns,
        kinds=frozenset(span.window.kind for span in spans),
        changes_ns=min(span.until_ns for span in spans),
    )


def _holds(present: _Present, now_ns: int) -> bool:
    return present.from_ns <= now_ns and (present.until_ns is None or now_ns < present.until_ns)
