"""Faults of the stream of bytes: cut up, glued together, damaged, slow."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.api.link import End, Link
from tws_simulator.api.notices import NO_REQUEST, error
from tws_simulator.api.session import Session
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.actions.selecting import Damaging
from tws_simulator.faults.event import Cause
from tws_simulator.faults.filters import RequestFilter
from tws_simulator.faults.pipe import Pipe
from tws_simulator.faults.rig import Rig
from tws_simulator.wire.codec import FIRST_SERVER_VERSION_WITH_BINARY_IDS, frame, join_fields
from tws_simulator.wire.row import Message
from tws_simulator.world.time.units import SECOND_NS

_LENGTH = struct.Struct("!I")
_FILLER_BYTES = 1000
_SHORTEST_BYTES = 400  # what two notices need, with room to meet a length exactly
_ENDS = {"close": End.CLOSE, "reset": End.RESET}


@dataclass(frozen=True, kw_only=True, slots=True)
class Split(Action):
    """Write in segments of ``sizes`` bytes in turn, ``pause_ms`` apart, for ``for_s`` seconds (0: for good)."""

    do: ClassVar[str] = "split"
    sizes: tuple[int, ...] = (1,)
    pause_ms: float = 0.0
    for_s: float = 0.0

    def problem(self) -> str:
        return "" if self.sizes and min(self.sizes) > 0 else "sizes are whole numbers above 0"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            session.link.segment_sizes, session.link.segment_pause_s = self.sizes, self.pause_ms / 1000
            if self.for_s:
                rig.after(self.for_s, partial(_whole_again, session.link))


@dataclass(frozen=True, kw_only=True, slots=True)
class Coalesce(Action):
    """Hold what is said back and write it at once: after ``frames`` messages (0: however many) or ``for_s`` seconds."""

    do: ClassVar[str] = "coalesce"
    frames: int = 0
    for_s: float = 1.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            pipe = rig.pipe(session)
            pipe.hold_until_ns, pipe.hold_frames = rig.now_ns + int(self.for_s * SECOND_NS), self.frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Burst(Action):
    """Fill what is about to be written up to a multiple of ``multiple_of`` bytes with notices; then write nothing.

    Silence lasts ``quiet_s`` seconds. One official client loses a frame on an exact multiple of its buffer of 4096.
    """

    do: ClassVar[str] = "burst"
    multiple_of: int = 4096
    blocks: int = 1
    quiet_s: float = 2.0

    def problem(self) -> str:
        return "" if self.multiple_of > 0 and self.blocks > 0 else "multiple_of and blocks are above 0"

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            pipe = rig.pipe(session)
            pending = len(session.output) + len(pipe)
            wanted = self.multiple_of * (self.blocks + pending // self.multiple_of)
            if wanted - pending < _SHORTEST_BYTES:
                wanted += self.multiple_of * -(-_SHORTEST_BYTES // self.multiple_of)
            session.put_bytes(_notices_of(session, wanted - pending, rig.now_ns))
            pipe.quiet_after_ns = int(self.quiet_s * SECOND_NS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency(Action):
    """Every byte arrives ``seconds`` later, give or take ``jitter_s``, for ``for_s`` seconds (0: for good)."""

    do: ClassVar[str] = "latency"
    seconds: float
    jitter_s: float = 0.0
    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            pipe = rig.pipe(session)
            pipe.latency_ns, pipe.jitter_ns = int(self.seconds * SECOND_NS), int(self.jitter_s * SECOND_NS)
            if self.for_s:
                rig.after(self.for_s, partial(_quick_again, pipe))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bandwidth(Action):
    """At most so many bytes a second get through, for ``for_s`` seconds (0: for good)."""

    do: ClassVar[str] = "bandwidth"
    bytes_per_s: int
    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            pipe = rig.pipe(session)
            pipe.bytes_per_s = self.bytes_per_s
            if self.for_s:
                rig.after(self.for_s, partial(_wide_again, pipe))


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrupt(Damaging):
    """Overwrite bytes of messages with those of ``hex``, from byte ``at`` on; the length prefix is bytes 0 to 3.

    A negative ``at`` counts from the end.
    """

    do: ClassVar[str] = "corrupt"
    at: int = 4
    hex: str = "ff"

    def problem(self) -> str:
        return _problem_of_hex(self.hex)

    def damage(self, rig: Rig, session: Session, frame: bytes, memory: list[bytes]) -> bytes:
        patch = bytes.fromhex(self.hex)
        at = self.at if self.at >= 0 else max(0, len(frame) + self.at)
        return (frame[:at] + patch + frame[at + len(patch) :])[: max(len(frame), at)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatFrames(Damaging):
    """Let so many frames as ``window`` says pass, then write the very same bytes again, as a replaying proxy does."""

    do: ClassVar[str] = "repeat_frames"
    window: int = 1

    def damage(self, rig: Rig, session: Session, frame: bytes, memory: list[bytes]) -> bytes:
        memory.append(frame)
        if len(memory) < self.window:
            return frame
        again = b"".join(memory)
        memory.clear()
        return frame + again


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut(Damaging):
    """Break off in the middle of a message, after ``at`` bytes of its frame, and end the connection.

    With ``direction`` "request" the client's message counts as read only if all its bytes are within ``at``.
    """

    do: ClassVar[str] = "cut"
    at: int
    direction: Literal["reply", "request"] = "reply"
    end: Literal["close", "reset"] = "reset"
    count: int = 1

    def apply(self, rig: Rig, cause: Cause) -> None:
        if self.direction == "reply":
            Damaging.apply(self, rig, cause)
            return

        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            length = len(frame(session.codec.encode_request(message)))
            if self.at >= length:
                rig.serve(session, message)
                session.output.clear()
            rig.end(session, _ENDS[self.end])
            return ()

        rig.arm(RequestFilter(self.selection(rig, cause), self.until_ns(rig), change))

    def damage(self, rig: Rig, session: Session, frame: bytes, memory: list[bytes]) -> bytes:
        session.put_bytes(frame[: self.at])
        rig.end(session, _ENDS[self.end])
        return b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw(Action):
    """Write the bytes of ``hex``, and after them ``filler_bytes`` of nothing; ``framed`` adds the length prefix."""

    do: ClassVar[str] = "raw"
    hex: str
    framed: bool = False
    filler_bytes: int = 0

    def problem(self) -> str:
        return _problem_of_hex(self.hex)

    def apply(self, rig: Rig, cause: Cause) -> None:
        data = bytes.fromhex(self.hex) + bytes(self.filler_bytes)
        for session in self.sessions(rig, cause):
            session.put_bytes(frame(data) if self.framed else data)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownMessage(Action):
    """Send a well-formed message with an id that no client knows, and text ``fields``."""

    do: ClassVar[str] = "unknown_message"
    msg_id: int = 9999
    fields: tuple[str, ...] = ("1", "2")

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            if session.codec.server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS:
                payload = _LENGTH.pack(self.msg_id) + join_fields(list(self.fields))
            else:
                payload = join_fields([str(self.msg_id), *self.fields])
            session.put_bytes(frame(payload))


def _problem_of_hex(text: str) -> str:
    try:
        bytes.fromhex(text)
    except ValueError:
        return "hex is an even number of digits from 0 to f"
    return ""


def _whole_again(link: Link) -> None:
    link.segment_sizes, link.segment_pause_s = (), 0.0


def _quick_again(pipe: Pipe) -> None:
    pipe.latency_ns = pipe.jitter_ns = 0


def _wide_again(pipe: Pipe) -> None:
    pipe.bytes_per_s = 0


def _notices_of(session: Session, wanted: int, now_ns: int) -> bytes:
    """Frames of together so many bytes. Lengths take one byte or two, so one frame alone cannot have every length."""
    out = b""
    while wanted - len(out) > 3 * _FILLER_BYTES:
        out += _notice(session, _FILLER_BYTES, now_ns)
    for first in range(_FILLER_BYTES):
        head = out + _notice(session, first, now_ns)
        left = wanted - len(head) - len(_notice(session, 0, now_ns))
        for second in range(max(0, left - 8), max(0, left) + 1):
            both = head + _notice(session, second, now_ns)
            if len(both) == wanted:
                return both
    raise ValueError(f"no notices are {wanted} bytes long")


def _notice(session: Session, padding: int, now_ns: int) -> bytes:
    return frame(session.codec.encode_reply(error(NO_REQUEST, (2137, "x" * padding), now_ns)))
