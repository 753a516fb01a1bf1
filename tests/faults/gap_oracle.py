"""What a client really missed of a simulated market, found without asking the client.

Equal seeds give equal markets, so a subscriber of our own, whom no fault can touch, is told at each tick of the desk
what was to be told. What was delivered is what came out of the wire for the subscription that was the stream's at that
moment. What was due and did not come was withheld; a second and more of it is a gap, and must be told as one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.engine import Happening
from ibkr_adapter.core.link.planes import Upstream
from ibkr_adapter.events import Gap, Tick
from ibkr_adapter.requests import CancelQuotes, SubscribeQuotes
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.api.streams.quotes import KIND, LIVE, QuoteStream
from tws_simulator.api.streams.stream import Moment
from tws_simulator.world.instruments.universe import named
from tws_simulator.world.world import World

MISSED_NS = SECOND
"""Withheld for so long is a gap."""

HEARTBEAT_NS = 5 * SECOND
"""A gap that is told may begin and end this much beside what was withheld."""

FOUND_AFTER_NS = 10 * SECOND
"""Silence that nothing announces is told from a quiet market after so long."""

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Missed:
    """From the last delivery to the next one; the first thing that was to come between them was due at ``due_ns``."""

    from_ns: int
    due_ns: int
    to_ns: int


class GapOracle:
    """Watches a desk from its beginning; it must not trade, for that moves the market on one side only."""

    def __init__(self, desk: VirtualDesk, *, seed: int = 0, always_open: bool = True) -> None:
        self._desk = desk
        self._start_ns = desk.now_ns
        self._symbols = [instrument.symbol for instrument in desk.config.instruments]
        self._world = World(seed=seed, start_ns=desk.now_ns, always_open=always_open, symbols=self._symbols)
        self._due: dict[str, list[int]] = {symbol: [] for symbol in self._symbols}
        self._due_until_ns = desk.now_ns
        self._subscribers = {listing.symbol: self._subscriber(listing) for listing in named(self._symbols)}
        self._streams: dict[Key, str] = {}
        self._present: dict[str, Key] = {}
        self._sends = 0
        self._delivered: dict[str, list[int]] = defaultdict(list)
        self._unserved_ns: dict[str, list[int]] = defaultdict(list)
        self._lost_ns: set[int] = set()
        desk.heard.append(self._hear)
        desk.stepped.append(self._look)

    def missed(self, symbol: str, *, least_ns: int = MISSED_NS) -> list[Missed]:
        """What was withheld of this instrument for as long as that, between its first delivery and its last."""
        self._live()
        due, found = self._due[symbol], []
        for before_ns, after_ns in pairwise(self._delivered[symbol]):
            following = bisect_right(due, self._tick_at(before_ns))
            due_ns = due[following] if following < len(due) else after_ns
            if after_ns - due_ns >= least_ns:
                found.append(Missed(before_ns, due_ns, after_ns))
        return found

    def check(self, *, silent: bool = False) -> None:
        """Whatever was withheld is told, to a heartbeat; nothing is told twice, and nothing that did not happen.

        ``silent``: nothing announces the faults, so what is shorter than anybody can find may stay untold.
        """
        for symbol in self._symbols:
            told = [gap for gap in self._desk.gaps if gap.stream == f"quote:{symbol}"]
            assert all(one.to_ns <= other.from_ns for one, other in pairwise(told)), f"gaps of {symbol} overlap: {told}"
            missed = self.missed(symbol, least_ns=1)
            least_ns = FOUND_AFTER_NS if silent else MISSED_NS
            untold = [
                each
                for each in missed
                if each.to_ns - each.due_ns >= max(least_ns, HEARTBEAT_NS * self._is_doubtful(each))
                and not _is_told(each, told)
            ]
            assert not untold, f"{symbol}: silent gaps {self._words(untold)}, told {self._words(told)}"
            false = [gap for gap in told if self._is_false(symbol, gap, missed)]
            assert not false, f"{symbol}: false gaps {self._words(false)}, missed {self._words(missed)}"

    def _is_doubtful(self, missed: Missed) -> bool:
        """It ended behind the gateway's word that there is no data: a short pause may be the stream's own."""
        return missed.to_ns in self._lost_ns

    def _is_false(self, symbol: str, gap: Gap, missed: Sequence[Missed]) -> bool:
        """Nothing was withheld, and nothing was in the way of the stream for longer than a moment."""
        if gap.to_ns - gap.from_ns < MISSED_NS:
            return False
        if any(gap.from_ns < ns < gap.to_ns for ns in self._unserved_ns[symbol]):
            return False
        return not any(each.due_ns <= gap.to_ns and gap.from_ns < each.to_ns for each in missed)

    # What there was, and what came of it.

    def _subscriber(self, listing: object) -> QuoteStream:
        stream = QuoteStream(
            1,
            listing,  # type: ignore[arg-type]
            self._world,
            now_ns=self._start_ns,
            generic_ticks=frozenset({233}),
            asked_type=LIVE,
            entitled=True,
        )
        list(stream.whole_picture(self._start_ns))
        return stream

    def _live(self) -> None:
        while self._due_until_ns + self._desk.tick_ns <= self._desk.now_ns:
            self._due_until_ns += self._desk.tick_ns
            moment = Moment.after(self._due_until_ns, self._world.advance(self._due_until_ns).market_events)
            for symbol, subscriber in self._subscribers.items():
                if list(subscriber.tell(moment)):
                    self._due[symbol].append(self._due_until_ns)

    def _hear(self, happenings: Sequence[Happening]) -> None:
        """Ticks of the present subscription of each instrument; what another still says belongs to no stream."""
        self._learn()
        for each in happenings:
            if isinstance(each, Tick) and (symbol := self._streams.get((each.epoch, each.req_id))):
                times = self._delivered[symbol]
                if times[-1:] != [each.ts_recv_ns]:
                    times.append(each.ts_recv_ns)

    def _look(self) -> None:
        """Whether each stream has a subscription at a gateway that serves it, and has not said that it has lost IB."""
        desk = self._desk
        lost = desk.engine.planes.upstream is Upstream.LOST
        if lost:
            self._lost_ns.add(desk.now_ns)
        for symbol, (_, req_id) in self._present.items():
            served = any(
                (KIND, req_id) in session.streams and not gateway.director.rig.stops.stops(session.client_id, KIND)
                for gateway in desk.gateways.values()
                for session in gateway.core.state.running()
            )
            if lost or not served:
                self._unserved_ns[symbol].append(desk.now_ns)

    def _learn(self) -> None:
        for sent in self._desk.sends[self._sends :]:
            match sent.request:
                case SubscribeQuotes(req_id=req_id, instrument=instrument):
                    self._streams.pop(self._present.get(instrument.symbol, (0, 0)), None)
                    self._present[instrument.symbol] = (sent.epoch, req_id)
                    self._streams[sent.epoch, req_id] = instrument.symbol
                case CancelQuotes(req_id=req_id):
                    self._streams.pop((sent.epoch, req_id), None)
        self._sends = len(self._desk.sends)

    def _tick_at(self, ns: int) -> int:
        """This moment or the next tick of the desk, whose news a request between two ticks brings forward."""
        return self._start_ns - (self._start_ns - ns) // self._desk.tick_ns * self._desk.tick_ns

    def _words(self, spans: Sequence[Missed | Gap]) -> str:
        start_ns = self._start_ns
        return ", ".join(f"{(s.from_ns - start_ns) / SECOND:.2f}..{(s.to_ns - start_ns) / SECOND:.2f}" for s in spans)


def _is_told(missed: Missed, told: Sequence[Gap]) -> bool:
    """One gap spans it, and begins and ends with it as nearly as a heartbeat tells."""
    return any(
        gap.from_ns <= missed.due_ns
        and gap.to_ns >= missed.to_ns
        and missed.from_ns - gap.from_ns <= HEARTBEAT_NS
        and gap.to_ns - missed.to_ns <= HEARTBEAT_NS
        for gap in told
    )
