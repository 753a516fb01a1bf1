"""What a client hears that asks a recording instead of a gateway.

Its requests are compared with the recorded ones: the same message with the same content, whatever its request id. Each
gets the replies of the recorded request, under its own id, at the recorded distances divided by the speed. What came
unasked comes at its distance from the start of the session. There is no gateway behind this: an order is refused, and
what was never asked while recording has no answer. A client stays connected when its recorded connection ends.

Told what was received and what time it is; fills an output. No clock and no socket here: see `replay_server`.
"""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from tws_simulator.recording.payload import Read, read_reply, read_request, with_request_id
from tws_simulator.recording.script import Dialogue, Reply, Script, request_key
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.handshake import NotTheApi, accept, read_hello, refuse
from tws_simulator.wire.row import message

REFUSED = 321
REQUEST_BYTES_MAX = 1024 * 1024
PLAYING_MAX = 10_000
OUTPUT_BYTES_MAX = 256 * 1024
_NAMES_MAX = 200

_LENGTH = struct.Struct(">I")
_MILLISECOND_NS = 1_000_000
_REQUEST_OF_CANCEL = {"ContractData": "reqContractDetails"}


@dataclass(slots=True)
class Counts:
    """What a replay did: for whoever asks whether the recording was enough."""

    clients: int = 0
    matched: int = 0
    orders_refused: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    not_rewritten: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        told = f"{self.clients} clients, {self.matched} requests answered, {self.orders_refused} orders refused"
        for what, names in (("without an answer", self.unanswered), ("with an id of their own", self.not_rewritten)):
            if names:
                listed = ", ".join(f"{name} {times}" for name, times in names.most_common(10))
                told += f"; {names.total()} {what} ({listed})"
        return told


class Replay:
    """The recorded connections, and which of them was served how often. ``speed`` None waits for nothing."""

    def __init__(self, scripts: list[Script], speed: int | None = 1) -> None:
        if not scripts:
            raise ValueError("the recording has no connection that came to a handshake")
        self.scripts = scripts
        self.speed = speed
        self.counts = Counts()
        self._served = [0] * len(scripts)

    def __repr__(self) -> str:
        speed = "max" if self.speed is None else self.speed
        return f"<Replay of {len(self.scripts)} connections at speed {speed}: {self.counts.summary()}>"

    def version_for(self, oldest: int, newest: int) -> int | None:
        """That of the connection which would be next."""
        fitting = [each for each, s in enumerate(self.scripts) if oldest <= s.server_version <= newest]
        return self.scripts[self._next_of(fitting)].server_version if fitting else None

    def choose(self, server_version: int, client_id: int) -> Script:
        """The client id's own connections first, then any; of several, the one served least, the oldest first."""
        fitting = [each for each, s in enumerate(self.scripts) if s.server_version == server_version]
        own = [each for each in fitting if self.scripts[each].client_id == client_id]
        chosen = self._next_of(own or fitting)
        self._served[chosen] += 1
        self.counts.clients += 1
        return self.scripts[chosen]

    def _next_of(self, indexes: list[int]) -> int:
        return min(indexes, key=lambda index: (self._served[index], index))


@dataclass(slots=True, eq=False)
class _Playing:
    """Replies that are still to come: those of one request, or those that nobody asked for."""

    replies: list[Reply]
    start_ns: int
    name: str = ""
    recorded_id: int | None = None
    req_id: int | None = None
    at: int = 0
    is_cancelled: bool = False


class ReplaySession:
    """One client. ``receive`` what it sends, ``advance`` to let due replies into the output, `take_output`."""

    def __init__(self, replay: Replay) -> None:
        self.is_closing = False
        self._replay = replay
        self._received = bytearray()
        self._output = bytearray()
        self._codec: Codec | None = None
        self._twins: dict[str, list[Dialogue]] | None = None
        self._asked: Counter[str] = Counter()
        self._due: list[tuple[int, int, int, _Playing]] = []
        self._serial = count()

    def __repr__(self) -> str:
        version = None if self._codec is None else self._codec.server_version
        return f"<ReplaySession server version {version} playing {len(self._due)}>"

    @property
    def next_due_ns(self) -> int | None:
        return self._due[0][0] if self._due else None

    @property
    def output_bytes(self) -> int:
        return len(self._output)

    def take_output(self) -> bytes:
        output, self._output = bytes(self._output), bytearray()
        return output

    def receive(self, data: bytes, now_ns: int) -> None:
        self._received += data
        if self._codec is None and not self.is_closing:
            self._greet(now_ns)
        while self._codec is not None and not self.is_closing and (payload := self._next_payload()) is not None:
            self._answer(self._codec, read_request(self._codec, payload), now_ns)

    def advance(self, now_ns: int, output_bytes_max: int = OUTPUT_BYTES_MAX) -> None:
        """Stops when the output is large enough; what is due then still is."""
        while self._due and self._due[0][0] <= now_ns and len(self._output) < output_bytes_max:
            playing = heapq.heappop(self._due)[-1]
            if not playing.is_cancelled:
                self._tell(playing)
                playing.at += 1
                self._schedule(playing)

    def _greet(self, now_ns: int) -> None:
        try:
            hello = read_hello(bytes(self._received))
        except NotTheApi:
            self.is_closing = True
            return
        if hello is None:
            return
        del self._received[: hello.consumed_bytes]
        version = self._replay.version_for(hello.oldest, hello.newest)
        if version is None:
            recorded = [script.server_version for script in self._replay.scripts]
            self._output += refuse(max(recorded), hello, min(recorded))
            self.is_closing = True
            return
        self._codec = Codec(version)
        self._output += accept(version, now_ns)

    def _next_payload(self) -> bytes | None:
        if len(self._received) < _LENGTH.size:
            return None
        length = _LENGTH.unpack_from(self._received)[0]
        if length > REQUEST_BYTES_MAX:
            self.is_closing = True
            return None
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        payload = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        return payload

    def _answer(self, codec: Codec, request: Read, now_ns: int) -> None:
        if request.name == "startApi":
            self._start(codec, request, now_ns)
        elif self._twins is None:
            return  # a gateway listens to nothing before
        elif request.is_order:
            self._replay.counts.orders_refused += 1
            self._refuse(codec, request, "orders are not served in a replay", now_ns)
        else:
            is_cancel = self._cancel(request)
            twin = self._twin(request)
            if twin is not None and len(self._due) < PLAYING_MAX:
                self._replay.counts.matched += 1
                self._schedule(_Playing(twin.replies, now_ns, twin.name, twin.req_id, request.id))
            elif not is_cancel:
                _count(self._replay.counts.unanswered, request.name)
                self._refuse(codec, request, f"the recording has no answer to this {request.name}", now_ns)

    def _start(self, codec: Codec, request: Read, now_ns: int) -> None:
        if self._twins is not None:
            return
        script = self._replay.choose(codec.server_version, request.values.get("clientId", 0))
        self._twins = {}
        for dialogue in script.dialogues:
            if not dialogue.is_order:
                self._twins.setdefault(dialogue.key, []).append(dialogue)
        self._schedule(_Playing(script.unasked, now_ns))

    def _twin(self, request: Read) -> Dialogue | None:
        """Who asks the same again hears what was said the next time it was asked; the last answer stays."""
        assert self._twins is not None, "before the start"
        key = request_key(request)
        twins = self._twins.get(key)
        if twins is None:
            return None
        times = self._asked[key]
        self._asked[key] += 1
        return twins[min(times, len(twins) - 1)]

    def _cancel(self, request: Read) -> bool:
        """A cancel needs no recorded twin: what it names is no longer told."""
        if not request.name.startswith("cancel") and not request.is_unsubscribe:
            return False
        stem = request.name.removeprefix("cancel")
        stopped = (_REQUEST_OF_CANCEL.get(stem), stem, f"req{stem}", f"{stem[:1].lower()}{stem[1:]}")
        for *_, playing in self._due:
            if playing.name in stopped and playing.req_id == request.id:
                playing.is_cancelled = True
        return True

    def _schedule(self, playing: _Playing) -> None:
        """What is due at the same time, as everything is at full speed, comes in the recorded order."""
        if playing.at < len(playing.replies):
            speed, reply = self._replay.speed, playing.replies[playing.at]
            due_ns = 0 if speed is None else playing.start_ns + reply.after_ns // speed
            heapq.heappush(self._due, (due_ns, reply.place, next(self._serial), playing))

    def _tell(self, playing: _Playing) -> None:
        assert self._codec is not None, "before the handshake"
        payload: bytes | None = playing.replies[playing.at].payload
        assert payload is not None
        if playing.req_id is not None and playing.req_id != playing.recorded_id:
            told = with_request_id(self._codec, payload, playing.req_id)
            if told is None:
                _count(self._replay.counts.not_rewritten, read_reply(self._codec, payload).name)
                return
            payload = told
        self._output += frame(payload)

    def _refuse(self, codec: Codec, request: Read, text: str, now_ns: int) -> None:
        refusal = message(
            "error",
            id=-1 if request.id is None else request.id,
            errorCode=REFUSED,
            errorMsg=f"Error validating request: {text}",
            errorTime=now_ns // _MILLISECOND_NS,
        )
        self._output += frame(codec.encode_reply(refusal))


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _NAMES_MAX else "others"] += 1
