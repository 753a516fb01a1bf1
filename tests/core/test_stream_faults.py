"""Any sequence of faults and ticks: no gap untold, none told twice, and what is wanted stands in the end.

The gateway below knows for itself which streams deliver: what it did not deliver is the truth that gaps are held
against. It shares nothing with the code under test but the request ids.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.events import Gap, PriceTick
from ibkr_adapter.requests import CancelQuotes, SubscribeQuotes
from tests.core.world import QQQ, SPY, START_NS, World

OPEN = ";".join(f"197001{day:02}:0000-197001{day:02}:2400" for day in range(12, 28))
BEAT_NS = 500 * MILLISECOND
KEYS = ("SPY", "QQQ")
OUTAGES = st.integers(min_value=3, max_value=150).map(lambda seconds: seconds * SECOND)


class Nights(RuleBasedStateMachine):
    """A gateway with two streams, a farm for each, and everything that may go wrong with them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(begin=False, instruments=(SPY, QQQ))
        self.world.hours = OPEN
        self.world.begin()
        self.standing: dict[int, str] = {}
        self.read = 0
        self.halted: set[str] = set()
        self.upstream_lost = False
        self.delivered: dict[str, list[int]] = {key: [] for key in KEYS}

    @initialize()
    def begin(self) -> None:
        self.world.connect()
        self._live(10 * SECOND)

    # What the gateway does.

    def _gateway(self) -> None:
        """Serve what was asked since: a subscription stands until it is cancelled, or the session ends."""
        for request in self.world.sent[self.read :]:
            if isinstance(request, SubscribeQuotes):
                self.standing[request.req_id] = request.instrument.key
            elif isinstance(request, CancelQuotes):
                self.standing.pop(request.req_id, None)
        self.read = len(self.world.sent)

    def _session_end(self) -> None:
        """It was asked to end, or it ends by itself; the adapter connects again when it likes."""
        self.world.lose()
        self.standing.clear()
        self.upstream_lost = False
        self.read = len(self.world.sent)
        self.world.connect()

    def _live(self, ns: int) -> None:
        """Time passes; what stands and is not halted ticks."""
        for _ in range(ns // BEAT_NS):
            self.world.wait(BEAT_NS)
            if self.world.closes and self.world.closes[-1][0] == self.world.epoch:
                self._session_end()
            self._gateway()
            for req_id, key in list(self.standing.items()):
                if key not in self.halted and not self.upstream_lost:
                    self.world.tell(self.world.named(PriceTick, req_id=req_id, field=1, price=500.0))
                    self.delivered[key].append(self.world.now_ns)

    @property
    def _well(self) -> bool:
        """Every stream stands and delivers."""
        return sorted(self.standing.values()) == sorted(KEYS)

    # What goes wrong.

    @rule(ns=st.integers(min_value=1, max_value=90).map(lambda seconds: seconds * SECOND))
    def all_is_well(self, ns: int) -> None:
        self._live(ns)

    @precondition(lambda self: self._well)
    @rule(ns=OUTAGES)
    def the_gateway_loses_ib_and_keeps_streams(self, ns: int) -> None:
        self._live(2 * SECOND)
        self.world.notice(1100)
        self._hole_told(ns)
        self.world.notice(1102)
        self._live(SECOND)

    @precondition(lambda self: self._well)
    @rule(ns=OUTAGES)
    def the_gateway_loses_ib_and_its_streams(self, ns: int) -> None:
        self._live(2 * SECOND)
        self.world.notice(1100)
        self._hole_told(ns)
        self.standing.clear()
        self.world.notice(1101)
        self._live(SECOND)

    def _hole_told(self, ns: int) -> None:
        self.upstream_lost = True
        self._live(ns)
        self.upstream_lost = False

    @precondition(lambda self: self._well)
    @rule(key=st.sampled_from(KEYS), ns=OUTAGES, back=st.booleans())
    def a_farm_breaks(self, key: str, ns: int, back: bool) -> None:
        """``back``: and is told to be well again, before data comes."""
        self._live(2 * SECOND)
        self.world.notice(2103, text=f"Market data farm connection is broken:farm{key}")
        self.halted.add(key)
        self._live(ns + SECOND)
        if back:
            self.world.notice(2104, text=f"Market data farm connection is OK:farm{key}")
        self.halted.discard(key)
        self._live(SECOND)
        if not back:
            self.world.notice(2104, text=f"Market data farm connection is OK:farm{key}")

    @precondition(lambda self: self._well)
    @rule(key=st.sampled_from(KEYS), ns=OUTAGES)
    def somebody_else_logs_in(self, key: str, ns: int) -> None:
        self._live(2 * SECOND)
        req_id = next(req_id for req_id, of in self.standing.items() if of == key)
        self.world.notice(10197, req_id=req_id, text="competing")
        self.halted.update(KEYS)
        self._live(ns)
        self.halted.clear()
        self._live(SECOND)

    @precondition(lambda self: self._well)
    @rule(key=st.sampled_from(KEYS), code=st.sampled_from([10182, 10225]))
    def a_stream_is_dropped(self, key: str, code: int) -> None:
        self._live(2 * SECOND)
        req_id = next(req_id for req_id, of in self.standing.items() if of == key)
        del self.standing[req_id]
        self.world.notice(code, req_id=req_id, text="dropped")
        self._live(SECOND)

    @precondition(lambda self: self._well)
    @rule(key=st.sampled_from(KEYS))
    def a_stream_dies_in_silence(self, key: str) -> None:
        req_id = next(req_id for req_id, of in self.standing.items() if of == key)
        del self.standing[req_id]
        self._live(SECOND)

    @rule()
    def the_session_is_lost(self) -> None:
        self._session_end()
        self._live(SECOND)

    @rule(code=st.sampled_from([1101, 1102]))
    def a_word_without_its_beginning(self, code: int) -> None:
        if code == 1101:
            self.standing.clear()
        self.world.notice(code)
        self._live(SECOND)

    # What must hold.

    @invariant()
    def gaps_of_a_stream_never_overlap(self) -> None:
        for key in KEYS:
            gaps = self._gaps(key)
            for earlier, later in pairwise(gaps):
                assert earlier.from_ns <= earlier.to_ns <= later.from_ns <= later.to_ns

    @invariant()
    def no_stream_is_asked_for_in_a_loop(self) -> None:
        """Once by each session and each 1101, and else never more than once in eight seconds."""
        asked = Counter(request.instrument.key for request in self.world.requests(SubscribeQuotes))
        lost = self.world.epoch + self.world.engine.snapshot(self.world.now_ns).counters.get("notice.1101", 0)
        for key in KEYS:
            assert asked[key] <= lost + (self.world.now_ns - START_NS) // (8 * SECOND)

    def _gaps(self, key: str) -> list[Gap]:
        return [gap for gap in self.world.told(Gap) if gap.stream == f"quote:{key}"]

    def teardown(self) -> None:
        """After ten quiet minutes all that is wanted stands once, flows, and every hole has its gap."""
        if self.world.epoch == 0 or not self.world.sent:
            return
        self.halted.clear()
        self._live(600 * SECOND)
        assert Counter(self.standing.values()) == Counter(KEYS)
        assert set(self.world.engine.market.proven) == set(KEYS)
        for key in KEYS:
            self._every_hole_is_told_once(key)

    def _every_hole_is_told_once(self, key: str) -> None:
        """A pause of a second or more, in a stream that ticks four times a second, is a gap with the same edges."""
        came = self.delivered[key]
        gaps = {(gap.from_ns, gap.to_ns) for gap in self._gaps(key)}
        for last_ns, first_ns in pairwise(came):
            if first_ns - last_ns > SECOND + BEAT_NS:
                assert (last_ns, first_ns) in gaps, f"{key}: nothing came from {last_ns} to {first_ns}"
        assert len(gaps) == len(self._gaps(key))
        for from_ns, to_ns in gaps:
            inside = [at for at in came if from_ns < at < to_ns]
            assert not inside, f"{key}: something came inside the gap {from_ns} to {to_ns}"


Nights.TestCase.settings = hypothesis_settings(
    max_examples=8, stateful_step_count=6, deadline=None, phases=(Phase.reuse, Phase.generate)
)
TestNights = Nights.TestCase
