"""The way of a connection's bytes out of the gateway: delayed, narrowed, held back to leave together."""

from __future__ import annotations

from collections import deque

from tws_simulator.world.time.units import SECOND_NS


class Pipe:
    """Told what goes in and what time it is, it says what comes out. A fresh one lets everything through at once.

    ``jitter_ns`` moves each delivery by up to so much either way, in a fixed pattern; bytes never overtake each other.
    """

    def __init__(self) -> None:
        self.latency_ns = 0
        self.jitter_ns = 0
        self.bytes_per_s = 0
        self.hold_until_ns = 0
        self.hold_frames = 0
        self.quiet_after_ns = 0
        self._late: deque[tuple[int, bytes]] = deque()
        self._ready = bytearray()
        self._allowed_bytes = 0.0
        self._filled_ns = 0
        self._deliveries = 0

    def __len__(self) -> int:
        return len(self._ready) + sum(len(data) for _, data in self._late)

    def pass_on(self, data: bytes, now_ns: int) -> bytes:
        if data:
            self._late.append((self._due_ns(now_ns), data))
        while self._late and self._late[0][0] <= now_ns:
            self._ready += self._late.popleft()[1]
        if not self._ready or self._holds(now_ns):
            return b""
        out = bytes(self._ready[: self._room(now_ns)])
        del self._ready[: len(out)]
        if out and self.quiet_after_ns:
            self.hold_until_ns, self.quiet_after_ns = now_ns + self.quiet_after_ns, 0
        return out

    def open(self) -> None:
        """Nothing is held or narrowed any more; what waited leaves next, for half a frame is no frame."""
        self.latency_ns = self.jitter_ns = self.bytes_per_s = 0
        self.hold_until_ns = self.hold_frames = self.quiet_after_ns = 0
        self._late = deque((0, data) for _, data in self._late)

    def count_frame(self) -> None:
        """One more message is on its way: a hold for so many frames may be over."""
        if self.hold_frames:
            self.hold_frames -= 1
            if not self.hold_frames:
                self.hold_until_ns = 0

    def _due_ns(self, now_ns: int) -> int:
        self._deliveries += 1
        swing = (self._deliveries * 7 % 11 - 5) * self.jitter_ns // 5
        due_ns = now_ns + max(0, self.latency_ns + swing)
        return max(due_ns, self._late[-1][0]) if self._late else due_ns

    def _holds(self, now_ns: int) -> bool:
        if self.hold_until_ns and now_ns >= self.hold_until_ns:
            self.hold_until_ns = self.hold_frames = 0
        return bool(self.hold_until_ns)

    def _room(self, now_ns: int) -> int:
        if not self.bytes_per_s:
            return len(self._ready)
        if self._filled_ns:
            self._allowed_bytes += (now_ns - self._filled_ns) * self.bytes_per_s / SECOND_NS
        self._filled_ns = now_ns
        room = min(len(self._ready), int(self._allowed_bytes))
        self._allowed_bytes = min(self._allowed_bytes - room, self.bytes_per_s)
        return room
