"""Desired streams and streams on the wire: two objects, and the difference between them.

A registry that answers "already subscribed" from memory is how data dies after a reconnect: the memory survives, the
subscription does not. So what is wanted is kept apart from what this session was asked, the wire side dies with its
session, and the differences, ``missing`` and ``surplus``, are computed, never remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ibkr_adapter.events import Gap, GapCause
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.snapshot import StreamView

QUOTE = "quote"


class StreamState(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    LIVE = "live"
    REFUSED = "refused"


@dataclass(slots=True)
class Stream:
    """One stream, wanted or to be cancelled. ``interrupted_ns`` is where its present gap began, None while it flows.

    ``ended_ns``: when a code last ended it. Ticks are delivered behind codes, so those of that moment and before it are
    older than the code and prove no revival.
    """

    kind: str
    key: str
    instrument: Instrument
    wanted: bool = True
    state: StreamState = StreamState.WAITING
    detail: str = ""
    req_id: int | None = None
    last_recv_ns: int | None = None
    interrupted_ns: int | None = None
    ended_ns: int = 0
    cause: GapCause = GapCause.SESSION_LOST
    events: int = 0
    gaps: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.key}"

    @property
    def on_wire(self) -> bool:
        return self.state in (StreamState.ASKED, StreamState.LIVE)


class Subscriptions:
    """The streams we want, by kind and instrument, and which of them this session was asked for."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], Stream] = {}
        self._by_req_id: dict[int, Stream] = {}
        self._upstream_lost = False

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def want(self, instrument: Instrument, kind: str = QUOTE) -> Stream:
        stream = self._streams.get((kind, instrument.key))
        if stream is None:
            stream = Stream(kind=kind, key=instrument.key, instrument=instrument)
            self._streams[kind, stream.key] = stream
        stream.wanted = True
        return stream

    def unwant(self, instrument: Instrument, kind: str = QUOTE) -> None:
        """What is on the wire stays until it is cancelled there; what is not is gone at once, and leaves no gap."""
        stream = self._streams.get((kind, instrument.key))
        if stream is not None:
            stream.wanted = False
            if not stream.on_wire:
                self.cancelled(stream)

    @property
    def wanted(self) -> tuple[Instrument, ...]:
        return tuple(stream.instrument for stream in self._streams.values() if stream.wanted)

    def missing(self) -> tuple[Stream, ...]:
        """Wanted, and not asked of this session."""
        return tuple(s for s in self._streams.values() if s.wanted and s.state is StreamState.WAITING)

    def surplus(self) -> tuple[Stream, ...]:
        """Asked of this session, and not wanted any more."""
        return tuple(s for s in self._streams.values() if s.on_wire and not s.wanted)

    def cancelled(self, stream: Stream) -> None:
        """What still comes under its number is nobody's."""
        self._streams.pop((stream.kind, stream.key), None)
        if stream.req_id is not None:
            self._by_req_id.pop(stream.req_id, None)

    def asked(self, stream: Stream, req_id: int) -> None:
        stream.state = StreamState.ASKED
        stream.ended_ns = 0
        stream.req_id = req_id
        stream.detail = ""
        self._by_req_id[req_id] = stream

    def of(self, req_id: int) -> Stream | None:
        stream = self._by_req_id.get(req_id)
        return stream if stream is not None and stream.wanted else None

    def received(self, stream: Stream, ts_recv_ns: int) -> Gap | None:
        """Something came; the gap that it ends, if there was one.

        What was refused and flows all the same is live: some refusals are advice. But while the gateway has lost IB, a
        tick is a straggler: the gap begins behind it, and ends with the first one after.
        """
        stream.events += 1
        stream.last_recv_ns = ts_recv_ns
        if ts_recv_ns <= stream.ended_ns:
            if stream.interrupted_ns is not None:
                stream.interrupted_ns = ts_recv_ns
            return None
        stream.state = StreamState.LIVE
        stream.detail = ""
        if self._upstream_lost:
            if stream.interrupted_ns is None or stream.cause is GapCause.UPSTREAM_LOST:
                stream.interrupted_ns, stream.cause = ts_recv_ns, GapCause.UPSTREAM_LOST
            return None
        if stream.interrupted_ns is None:
            return None
        gap = Gap(
            ts_recv_ns=ts_recv_ns,
            stream=stream.name,
            from_ns=stream.interrupted_ns,
            to_ns=ts_recv_ns,
            cause=stream.cause,
        )
        stream.interrupted_ns = None
        stream.gaps += 1
        return gap

    def refused(self, req_id: int, detail: str, ts_ns: int = 0) -> Stream | None:
        """A code ended this subscription. It stays wanted, and is asked again by the next session."""
        stream = self._by_req_id.get(req_id)
        if stream is not None:
            stream.ended_ns = ts_ns
            self.interrupt(stream, GapCause.REFUSED)
            stream.state = StreamState.REFUSED
            stream.detail = detail
        return stream

    def silenced(self, req_id: int, detail: str, ts_ns: int = 0) -> Stream | None:
        """A code said that nothing comes for now; the subscription stands, and its next tick ends the gap."""
        stream = self._by_req_id.get(req_id)
        if stream is not None:
            stream.ended_ns = ts_ns
            self.interrupt(stream, GapCause.REFUSED)
            stream.detail = detail
        return stream

    def upstream_lost(self) -> None:
        self._upstream_lost = True
        self._interrupt_all(GapCause.UPSTREAM_LOST)

    def upstream_restored(self) -> None:
        self._upstream_lost = False

    def wire_lost(self, cause: GapCause) -> None:
        """The wire side dies with its session, or by the gateway's word; what flowed is interrupted."""
        self._upstream_lost = False
        self._by_req_id.clear()
        for stream in tuple(self._streams.values()):
            self.interrupt(stream, cause)
            if not stream.wanted:
                self.cancelled(stream)
            stream.state = StreamState.WAITING
            stream.req_id = None

    def interrupt(self, stream: Stream, cause: GapCause, *, since_ns: int | None = None) -> None:
        """A gap begins at the last event, once; a stream that never flowed has nothing to interrupt."""
        start_ns = since_ns if since_ns is not None else stream.last_recv_ns
        if stream.interrupted_ns is None and start_ns is not None:
            stream.interrupted_ns = start_ns
            stream.cause = cause

    def _interrupt_all(self, cause: GapCause) -> None:
        for stream in self._streams.values():
            self.interrupt(stream, cause)

    def resume_from(self, last_recv_ns: dict[str, int]) -> None:
        """Since when each stream is missing in the store: the time this service was down is a gap too."""
        for key, since_ns in last_recv_ns.items():
            if stream := self._streams.get((QUOTE, key)):
                self.interrupt(stream, GapCause.ADAPTER_DOWN, since_ns=since_ns)

    def views(self) -> tuple[StreamView, ...]:
        return tuple(
            StreamView(
                stream=s.name,
                instrument=s.key,
                req_id=s.req_id,
                state=s.state.value,
                detail=s.detail,
                last_recv_ns=s.last_recv_ns,
                events=s.events,
                gaps=s.gaps,
            )
            for s in self._streams.values()
        )
