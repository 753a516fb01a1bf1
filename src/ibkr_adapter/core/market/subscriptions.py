"""Desired streams and streams on the wire: two objects, and the difference between them.

A registry that answers "already subscribed" from memory is how data dies after a reconnect: the memory survives, the
subscription does not. So what is wanted is kept apart from what this session was asked, the wire side dies with its
session, and the differences, ``missing`` and ``surplus``, are computed, never remembered.

Each kind of stream is asked for and cancelled in its own way, so both differences are taken kind by kind. What happens
to the session, to the gateway's link and to farms happens to the streams of every kind alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ibkr_adapter.core.market.stream import RETRY_MAX_NS, STRAGGLE_NS, Stream, StreamState
from ibkr_adapter.events import Gap, GapCause
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.snapshot import StreamView


class Subscriptions:
    """The streams we want, by kind and instrument, and which of them this session was asked for."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, Stream]] = {}
        """By kind, and of each kind by instrument."""
        self._by_req_id: dict[int, Stream] = {}
        self._replaced: dict[str, list[int]] = {}
        """Request ids, by kind, that still stand at the gateway although their stream is to be asked for anew."""
        self.stopped = False
        self.ticked_while_lost_ns = 0
        self.competing: set[str] = set()
        """Streams that another session of the login has taken, by name."""

    def __iter__(self) -> Iterator[Stream]:
        return (stream for streams in self._streams.values() for stream in streams.values())

    def of_kind(self, kind: str) -> Iterable[Stream]:
        return self._streams.get(kind, {}).values()

    def flows(self, kind: str, key: str) -> bool:
        """True if this very stream is live, not interrupted, and not perhaps of a farm that broke."""
        stream = self._streams.get(kind, {}).get(key)
        return stream is not None and stream.flows

    # What is wanted, and what is not on the wire of it.

    def want(self, instrument: Instrument, kind: str) -> Stream:
        streams = self._streams.setdefault(kind, {})
        stream = streams.get(instrument.key)
        if stream is None:
            stream = streams[instrument.key] = Stream(kind=kind, key=instrument.key, instrument=instrument)
        stream.wanted = True
        return stream

    def unwant(self, instrument: Instrument, kind: str) -> None:
        """What is on the wire stays until it is cancelled there; what is not is gone at once, and leaves no gap."""
        stream = self._streams.get(kind, {}).get(instrument.key)
        if stream is not None:
            self._unwant(stream)

    def unwant_all(self) -> None:
        for stream in tuple(self):
            self._unwant(stream)

    def _unwant(self, stream: Stream) -> None:
        stream.wanted = False
        if not stream.on_wire:
            self._gone(stream)

    @property
    def wanted(self) -> tuple[Instrument, ...]:
        """Of each instrument once, of however many kinds."""
        return tuple({stream.key: stream.instrument for stream in self if stream.wanted}.values())

    def missing(self, kind: str) -> tuple[Stream, ...]:
        """Wanted, and not asked of this session."""
        if self.stopped:
            return ()
        return tuple(s for s in self.of_kind(kind) if s.wanted and s.state is StreamState.WAITING)

    def surplus(self, kind: str) -> Iterator[int]:
        """Request ids that stand at the gateway and should not; each is taken for cancelled when it is given out."""
        replaced = self._replaced.get(kind, [])
        while replaced:
            yield replaced.pop()
        for stream in tuple(s for s in self.of_kind(kind) if s.on_wire and not s.wanted):
            if stream.req_id is not None:
                yield stream.req_id
            self._gone(stream)

    def asked(self, stream: Stream, req_id: int, now_ns: int) -> None:
        stream.to(StreamState.ASKED)
        stream.req_id = req_id
        stream.asked_ns = now_ns
        stream.failed |= stream.retries > 0 and not stream.answered
        stream.answered = False
        stream.ended_ns = 0
        stream.check_ns = None
        if not stream.retries:
            stream.detail = ""  # else it says why it was asked anew, until it speaks
        self._by_req_id[req_id] = stream

    def ask_anew(self, stream: Stream, why: str, cause: GapCause, now_ns: int) -> None:
        """Within the session: the old subscription is cancelled, what it still says is nobody's."""
        stream.interrupt(cause)
        self._off_wire(stream)
        stream.spend(now_ns)
        stream.detail = why

    def put_back(self, name: str, why: str) -> None:
        """Another stream needs what it takes at the gateway: it is cancelled there, and missing again."""
        kind, _, key = name.partition(":")
        stream = self._streams[kind][key]
        stream.interrupt(GapCause.REFUSED)
        self._off_wire(stream)
        stream.detail = why

    def stop(self, why: str) -> None:
        """All that stands at the gateway is to be cancelled; what is wanted waits until ``start``."""
        self.stopped = True
        self.competing.clear()
        for stream in self:
            stream.interrupt(GapCause.STOPPED)
            self._off_wire(stream)
            stream.doubt = None
            stream.detail = why

    def start(self) -> None:
        self.stopped = False
        for stream in self:
            stream.detail = ""

    def cancel_again(self, kind: str, req_id: int) -> None:
        """What it says is nobody's: its cancel did not help, or was never sent."""
        self._replaced.setdefault(kind, []).append(req_id)

    def _off_wire(self, stream: Stream) -> None:
        if stream.req_id is not None:
            if stream.on_wire:
                self.cancel_again(stream.kind, stream.req_id)
            self._by_req_id.pop(stream.req_id, None)
        stream.to(StreamState.WAITING)
        stream.req_id = None
        stream.retry_ns = None
        stream.check_ns = None

    def _gone(self, stream: Stream) -> None:
        self._streams[stream.kind].pop(stream.key, None)
        self.competing.discard(stream.name)
        if stream.req_id is not None:
            self._by_req_id.pop(stream.req_id, None)

    # What came.

    def of(self, req_id: int) -> Stream | None:
        stream = self._by_req_id.get(req_id)
        return stream if stream is not None and stream.wanted else None

    def received(self, stream: Stream, ts_recv_ns: int, *, lost_ns: int | None) -> Gap | None:
        """Something came; the gap that it ends, if there was one. ``lost_ns``: since when the gateway is without IB.

        What was refused and flows all the same is live: some refusals are advice.
        """
        flowing = stream.flows
        before_ns, stream.last_recv_ns = stream.last_recv_ns, ts_recv_ns
        stream.events += 1
        stream.answered = True
        if ts_recv_ns <= stream.ended_ns:
            if stream.interrupted_ns is not None:
                stream.interrupted_ns = ts_recv_ns
            return None
        stream.to(StreamState.LIVE)
        stream.accepted()
        stream.detail = ""
        stream.retry_ns = None
        self.competing.discard(stream.name)
        if lost_ns is not None:
            self.ticked_while_lost_ns = ts_recv_ns
            return _flowed_while_lost(stream, before_ns or 0, ts_recv_ns, lost_ns)
        if stream.doubt is not None:
            stream.settle_doubt(before_ns, ts_recv_ns)
        stream.check_ns = None
        stream.rhythm.beat(ts_recv_ns, flowing=flowing)
        stream.forgive(ts_recv_ns)
        return stream.resume(ts_recv_ns)

    # What was said.

    def refused(
        self, req_id: int, detail: str, ts_ns: int = 0, *, retry: bool = False, slowly: bool = False
    ) -> Stream | None:
        """A code ended this subscription. It stays wanted: asked again by the next session, or with ``retry`` by this.

        ``slowly``: what is missing is bought by a person, so it is asked for at the slowest pace from the start.
        ``ts_ns`` is when the code came; 0 where the request never left.
        """
        stream = self._by_req_id.get(req_id)
        if stream is not None:
            stream.ended_ns = ts_ns
            stream.answered = True
            stream.interrupt(GapCause.REFUSED)
            stream.to(StreamState.REFUSED)
            stream.failed = True
            stream.doubt = None
            stream.detail = detail
            stream.retry_ns = ts_ns + (RETRY_MAX_NS if slowly else stream.backoff_ns) if retry else None
        return stream

    def retry_at_once(self, now_ns: int) -> None:
        """A farm is back: what was refused may have been refused for the want of it."""
        for stream in self:
            if stream.retry_ns is not None:
                stream.retry_ns = min(stream.retry_ns, now_ns)

    def retry_due(self, now_ns: int) -> int | None:
        """Put back among the missing what was refused for a time that is over; when the next of them is due."""
        refused = [s for s in self if s.state is StreamState.REFUSED and s.retry_ns is not None]
        for stream in refused:
            if stream.retry_ns is not None and now_ns >= stream.retry_ns:
                self.ask_anew(stream, stream.detail, GapCause.REFUSED, now_ns)
        return min((s.retry_ns for s in refused if s.retry_ns is not None), default=None)

    def taken(self, req_id: int, detail: str, ts_ns: int) -> Stream | None:
        """Another session of the login has the data. The subscription stands, and its next tick ends the gap.

        It is the login's misfortune, not this stream's: what the others do next settles whether they are halted too.
        """
        named = self._by_req_id.get(req_id)
        if named is None:
            return None
        named.ended_ns = ts_ns
        named.answered = True
        named.interrupt(GapCause.COMPETING)
        named.detail = detail
        self.competing.add(named.name)
        for stream in self:
            if stream.name not in self.competing:
                stream.raise_doubt(GapCause.COMPETING, ts_ns)
        return named

    def farm_down(self, now_ns: int) -> None:
        """Which streams are its own IB does not say: each of them says so by what it does next."""
        for stream in self:
            stream.raise_doubt(GapCause.FARM_BROKEN, now_ns)

    def farm_up(self, down_ns: int, now_ns: int, *, another_down: bool) -> None:
        """What has not ticked while the farm was down missed something until it ticks; all must tick soon."""
        for stream in self:
            seen_ns = stream.last_recv_ns
            own = seen_ns is not None and (seen_ns < down_ns + STRAGGLE_NS or now_ns - seen_ns > stream.rhythm.pause_ns)
            if own and now_ns - down_ns >= STRAGGLE_NS:
                stream.interrupt(GapCause.FARM_BROKEN)
            if stream.doubt is not None and stream.doubt.cause is GapCause.FARM_BROKEN and not another_down:
                stream.doubt = None
            self._must_speak(stream, now_ns, alone=True)

    def upstream_lost(self) -> None:
        for stream in self:
            stream.interrupt(GapCause.UPSTREAM_LOST)
            stream.doubt = None

    def upstream_restored(self, now_ns: int) -> None:
        """With its streams, as the gateway says: who stays silent while its peers tick is asked anew all the same."""
        for stream in self:
            self._must_speak(stream, now_ns, alone=False)

    def _must_speak(self, stream: Stream, now_ns: int, *, alone: bool) -> None:
        if stream.on_wire:
            stream.check_ns, stream.check_alone = now_ns, alone
            if not stream.answered:
                stream.asked_ns = now_ns

    def streams_lost(self) -> None:
        """1101: by the gateway's word the wire side is empty. What has no answer yet may not even have been sent."""
        unanswered = [(s.kind, s.req_id) for s in self if s.on_wire and not s.answered and s.req_id is not None]
        self.wire_lost(GapCause.UPSTREAM_LOST)
        for kind, req_id in unanswered:
            self.cancel_again(kind, req_id)

    def wire_lost(self, cause: GapCause) -> None:
        """The wire side dies with its session; what flowed is interrupted."""
        self.competing.clear()
        self._by_req_id.clear()
        self._replaced.clear()
        for stream in tuple(self):
            stream.interrupt(cause)
            if not stream.wanted:
                self._gone(stream)
            stream.to(StreamState.WAITING)
            stream.req_id = None
            stream.doubt = None
            stream.check_ns = None
            stream.retry_ns = None
            stream.failed = False
            stream.retries = 0
            stream.next_ask_ns = 0

    def resume_from(self, kind: str, last_recv_ns: dict[str, int]) -> None:
        """Since when each stream of a kind is missing in the store: the time this service was down is a gap too."""
        for key, since_ns in last_recv_ns.items():
            if stream := self._streams.get(kind, {}).get(key):
                stream.interrupt(GapCause.ADAPTER_DOWN, since_ns=since_ns)

    def views(self) -> tuple[StreamView, ...]:
        return tuple(stream.view(taken=stream.name in self.competing, stopped=self.stopped) for stream in self)


def _flowed_while_lost(stream: Stream, before_ns: int, ts_recv_ns: int, lost_ns: int) -> Gap | None:
    """While the gateway has lost IB a tick may be a straggler: the gap begins behind it, and ends with the next one.

    Some gateways never say that they have IB back. So a pause that is longer than the stream's own, and a shorter one
    that began with the word of the loss, is told with the tick that ends it; what is told later begins there.
    """
    since_ns = stream.interrupted_ns
    another = stream.cause is not GapCause.UPSTREAM_LOST  # begun by something else, which is over with any tick
    soon_ns = max(STRAGGLE_NS, 2 * (stream.rhythm.usual_ns or 0))
    announced = before_ns <= lost_ns and ts_recv_ns - lost_ns > soon_ns
    paused = since_ns is not None and (another or announced or ts_recv_ns - since_ns > stream.rhythm.lull_ns)
    gap = stream.resume(ts_recv_ns) if paused else None
    stream.interrupted_ns, stream.cause = ts_recv_ns, GapCause.UPSTREAM_LOST
    return gap
