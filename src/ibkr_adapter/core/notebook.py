"""The last notices in plain words, and how often each code came."""

from __future__ import annotations

from collections import Counter, deque

from msgspec import Struct
from msgspec.structs import replace

from ibkr_adapter.events import NoticeReceived
from ibkr_adapter.notices import Notice
from ibkr_adapter.snapshot import NoticeView


class Noted(Struct, frozen=True, kw_only=True):
    """One notice, what its code means, and the instrument it concerns, where it concerns one."""

    event: NoticeReceived
    notice: Notice
    subject: str


class Notebook:
    """Keeps the last ``KEPT`` notices; the same one again is counted on its line instead of taking a new one.

    ``take`` gives each of them once, as it came: what the log is written from.
    """

    KEPT = 50
    CODES_MAX = 500
    UNTAKEN_MAX = 1_000

    def __init__(self) -> None:
        self._kept: deque[NoticeView] = deque(maxlen=self.KEPT)
        self._untaken: deque[Noted] = deque(maxlen=self.UNTAKEN_MAX)
        self.counts: Counter[int] = Counter()
        self.unknown = 0

    def note(self, event: NoticeReceived, notice: Notice, subject: str) -> None:
        self._untaken.append(Noted(event=event, notice=notice, subject=subject))
        if notice.unknown:
            self.unknown += 1
        if event.code in self.counts or len(self.counts) < self.CODES_MAX:
            self.counts[event.code] += 1
        last = self._kept[-1] if self._kept else None
        if last is not None and (last.code, last.text, last.subject) == (event.code, event.text, subject):
            self._kept[-1] = replace(last, ts_recv_ns=event.ts_recv_ns, count=last.count + 1)
            return
        self._kept.append(
            NoticeView(
                ts_recv_ns=event.ts_recv_ns,
                code=event.code,
                category=notice.category,
                severity=notice.severity,
                text=event.text,
                meaning=notice.text,
                subject=subject,
            )
        )

    def take(self) -> list[Noted]:
        """What was noted since the last call."""
        taken = list(self._untaken)
        self._untaken.clear()
        return taken

    def views(self) -> tuple[NoticeView, ...]:
        """Newest first."""
        return tuple(reversed(self._kept))
