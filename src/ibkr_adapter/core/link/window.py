"""What counts against a limit: how many went within a stretch of time, and when one more may."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from itertools import islice


class Window:
    """Moments within the last ``length_ns``; one that is exactly so old counts no more."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._moments_ns: deque[int] = deque()

    def count(self, now_ns: int) -> int:
        while self._moments_ns and self._moments_ns[0] <= now_ns - self._length_ns:
            self._moments_ns.popleft()
        return len(self._moments_ns)

    def look(self, now_ns: int) -> int:
        """The count, for who only wants to know: nothing is forgotten by it."""
        return sum(moment_ns > now_ns - self._length_ns for moment_ns in self._moments_ns)

    def add(self, now_ns: int, count: int = 1) -> None:
        self._moments_ns.extend([now_ns] * count)

    def room_ns(self, now_ns: int, most: int, count: int = 1) -> int:
        """The moment from which ``count`` more make at most ``most``; now if they do already."""
        surplus = self.count(now_ns) + count - most
        return now_ns if surplus <= 0 else self._moments_ns[surplus - 1] + self._length_ns


class MessageWindow(Window):
    """Messages by the moment at which they reached the socket, as far as that is known.

    A message counts from its release, when nobody knows yet when the operating system will take it: a socket that is
    blocked for a second would let two seconds' worth go at once. So what was released stays *open* until the session
    reports it taken. At each report, and a report comes before each release, the open messages that were taken move to
    the moment of the session's last write, which is no earlier than their own; those still unsent move to now.

    Why no second then holds too many: take the message that was released last among those written within some second.
    At its release each of the others was either written, and then counted from a moment no earlier than its writing,
    less than a second ago; or unsent, and then counted as of now. All of them were in the window, and it had room.
    """

    def __init__(self, length_ns: int) -> None:
        super().__init__(length_ns)
        self._open = 0

    def released(self, now_ns: int) -> None:
        self.add(now_ns)
        self._open += 1

    def reported(self, now_ns: int, *, unsent: int, written_ns: int) -> None:
        """``unsent`` frames wait in the session; its last write was over at ``written_ns``."""
        count = len(self._moments_ns)
        newest = range(max(0, count - self._open), count)
        for index in newest:
            moment_ns = now_ns if count - index <= unsent else min(written_ns, now_ns)
            self._moments_ns[index] = max(self._moments_ns[index], moment_ns)
        self._open = min(self._open, unsent)

    def session_lost(self, now_ns: int) -> None:
        """What was open was written until now, or never will be."""
        self.reported(now_ns, unsent=0, written_ns=now_ns)


class KeyedWindow:
    """A window for each key; keys of which nothing is left are forgotten."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._windows: dict[Hashable, Window] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, now_ns: int, key: Hashable, count: int = 1) -> None:
        self._forget(now_ns)
        window = self._windows.pop(key, None) or Window(self._length_ns)
        window.add(now_ns, count)
        self._windows[key] = window  # at the end: in the order of their last use

    def room_ns(self, now_ns: int, key: Hashable, most: int, count: int = 1) -> int:
        window = self._windows.get(key)
        return window.room_ns(now_ns, most, count) if window else now_ns

    def _forget(self, now_ns: int) -> None:
        for key, window in tuple(islice(self._windows.items(), 2)):
            if not window.count(now_ns):
                del self._windows[key]
