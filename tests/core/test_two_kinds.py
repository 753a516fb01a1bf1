"""Two kinds of stream of the same instruments: each is asked for, cancelled and proven by itself.

The second kind lives in this file alone. Its source asks for depth and cancels depth; what it brings is told to the
market by hand, as a feed of its own would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.commands import StartStreams, StopStreams
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.market.reconciler import Precedence, Reconciler
from ibkr_adapter.core.market.stream import QUOTE
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import Gap, PriceTick
from ibkr_adapter.requests import (
    CancelDepth,
    CancelQuotes,
    Request,
    RequestContractDetails,
    SubscribeDepth,
    SubscribeQuotes,
)
from tests.core.world import QQQ, SPY, World

DEPTH = "depth"
KINDS = (QUOTE, DEPTH)
INSTRUMENTS = {"SPY": SPY, "QQQ": QQQ}
FIRST_DEPTH_ID = 2_000_000_000


class DepthSource:
    """All of it: what is missing is asked for, what is too much is cancelled."""

    precedence = Precedence.DEPTH
    needs_ready = True

    def __init__(self, market: Market) -> None:
        self._subscriptions = market.subscriptions
        self._next = FIRST_DEPTH_ID

    def surplus(self) -> Iterator[Request]:
        for req_id in self._subscriptions.surplus(DEPTH):
            yield CancelDepth(req_id=req_id)

    def missing(self, now_ns: int) -> Iterator[Request]:
        for stream in self._subscriptions.missing(DEPTH):
            self._next += 1
            self._subscriptions.asked(stream, self._next, now_ns)
            yield SubscribeDepth(req_id=self._next, instrument=stream.instrument, rows=10)


class Desk:
    """A world with depth in it, and what stands at its gateway by kind: the truth that the adapter is held against."""

    def __init__(self) -> None:
        self.world = World(instruments=(SPY, QQQ))
        self.market = self.world.engine.market
        trading = self.world.engine.trading
        self.world.engine.reconciler = Reconciler((*trading.sources, *self.market.sources, DepthSource(self.market)))
        self.wanted = {(QUOTE, "SPY"), (QUOTE, "QQQ")}
        self.standing: dict[int, tuple[str, str]] = {}
        self.halted: set[tuple[str, str]] = set()
        self.read = 0

    def want(self, kind: str, key: str) -> None:
        self.wanted.add((kind, key))
        if kind == QUOTE:
            self.market.want(INSTRUMENTS[key])
        else:
            self.market.subscriptions.want(INSTRUMENTS[key], DEPTH)
        self.world.engine.reconciler.stir()

    def unwant(self, kind: str, key: str) -> None:
        self.wanted.discard((kind, key))
        if kind == QUOTE:
            self.market.unwant(INSTRUMENTS[key])
        else:
            self.market.subscriptions.unwant(INSTRUMENTS[key], DEPTH)
        self.world.engine.reconciler.stir()

    def serve(self) -> None:
        """Do what was asked since; a cancel of the wrong kind ends nothing, as at IB."""
        for request in self.world.sent[self.read :]:
            match request:
                case SubscribeQuotes(req_id=req_id, instrument=instrument):
                    self.standing[req_id] = (QUOTE, instrument.key)
                case SubscribeDepth(req_id=req_id, instrument=instrument):
                    self.standing[req_id] = (DEPTH, instrument.key)
                case CancelQuotes(req_id=req_id) | CancelDepth(req_id=req_id):
                    kind = QUOTE if isinstance(request, CancelQuotes) else DEPTH
                    if self.standing.get(req_id, ("",))[0] == kind:
                        del self.standing[req_id]
        self.read = len(self.world.sent)

    def live(self, seconds: int) -> None:
        """What stands and is not halted speaks once a second."""
        for _ in range(seconds):
            self.world.wait(SECOND)
            if self.world.closes and self.world.closes[-1][0] == self.world.epoch:
                self.lose()
            self.serve()
            for req_id, stream in list(self.standing.items()):
                if stream not in self.halted:
                    self.speak(req_id, stream[0])

    def speak(self, req_id: int, kind: str) -> None:
        if kind == QUOTE:
            self.world.tell(self.world.named(PriceTick, req_id=req_id, field=1, price=500.0))
        else:
            out = Outbox()
            self.market.received(DEPTH, req_id, self.world.now_ns, out)
            self.world.published += out.publishes
            self.world.tell()

    def lose(self) -> None:
        self.world.lose()
        self.standing.clear()
        self.read = len(self.world.sent)
        self.world.connect()

    def req_id(self, kind: str, key: str) -> int:
        return next(req_id for req_id, stream in self.standing.items() if stream == (kind, key))


def depth_of_spy() -> Desk:
    desk = Desk()
    desk.want(DEPTH, "SPY")
    desk.world.connect()
    desk.live(10)
    return desk


def test_each_kind_is_asked_for_in_its_own_way() -> None:
    """The same instrument twice, one subscription of each kind, and its details once."""
    desk = depth_of_spy()

    assert Counter(desk.standing.values()) == Counter([(QUOTE, "SPY"), (QUOTE, "QQQ"), (DEPTH, "SPY")])
    asked = Counter(request.instrument.key for request in desk.world.requests(RequestContractDetails))
    assert asked == Counter(["SPY", "QQQ"])


def test_a_live_depth_vouches_for_no_quote() -> None:
    """The reference price of an order is the quote's; depth that flows says nothing of it."""
    desk = depth_of_spy()
    desk.world.notice(354, req_id=desk.req_id(QUOTE, "SPY"))
    desk.halted.add((QUOTE, "SPY"))
    desk.live(3)

    assert desk.market.flows(DEPTH, "SPY")
    assert not desk.market.flows(QUOTE, "SPY")
    assert desk.market.proven == ("QQQ",)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_wanted_any_more_is_cancelled_as_its_kind(kind: str) -> None:
    """The other kind of the same instrument goes on."""
    desk = depth_of_spy()
    desk.unwant(kind, "SPY")
    desk.live(2)

    assert set(desk.standing.values()) == desk.wanted
    assert len(desk.standing) == 2


def test_what_speaks_for_nobody_is_cancelled_as_the_kind_it_speaks_as() -> None:
    """A depth that goes on behind its cancel is cancelled again, as depth."""
    desk = depth_of_spy()
    req_id = desk.req_id(DEPTH, "SPY")
    desk.unwant(DEPTH, "SPY")
    desk.world.wait(SECOND)
    for _ in range(10):
        desk.speak(req_id, DEPTH)
        desk.world.wait(SECOND)

    cancelled = [request.req_id for request in desk.world.requests(CancelDepth)]
    assert cancelled == [req_id, req_id]
    assert not desk.world.requests(CancelQuotes)


def test_a_stop_cancels_every_kind() -> None:
    """Nothing of ours stays at the gateway."""
    desk = depth_of_spy()
    desk.world.engine.leave(desk.world.now_ns, out := Outbox())
    desk.world.sent += [send.request for send in out.sends]
    desk.serve()

    assert not desk.standing


class TwoKinds(RuleBasedStateMachine):
    """Whatever is wanted and lost, of either kind."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.stopped = False

    @initialize()
    def begin(self) -> None:
        self.desk.world.connect()
        self.desk.live(5)

    @rule(kind=st.sampled_from(KINDS), key=st.sampled_from(sorted(INSTRUMENTS)))
    def is_wanted(self, kind: str, key: str) -> None:
        self.desk.want(kind, key)

    @rule(kind=st.sampled_from(KINDS), key=st.sampled_from(sorted(INSTRUMENTS)))
    def is_not_wanted(self, kind: str, key: str) -> None:
        self.desk.unwant(kind, key)

    @rule(seconds=st.integers(min_value=1, max_value=20))
    def time_passes(self, seconds: int) -> None:
        self.desk.live(seconds)

    @rule()
    def the_session_is_lost(self) -> None:
        self.desk.lose()

    @rule(code=st.sampled_from([1101, 1102]), seconds=st.integers(min_value=0, max_value=20))
    def the_gateway_loses_ib(self, code: int, seconds: int) -> None:
        self.desk.world.notice(1100)
        self.desk.world.wait(seconds * SECOND)
        self.desk.serve()
        if code == 1101:
            self.desk.standing.clear()
        self.desk.world.notice(code)

    @rule(number=st.integers(min_value=0, max_value=3), code=st.sampled_from([10182, 10225]))
    def a_stream_is_dropped(self, number: int, code: int) -> None:
        if number < len(self.desk.standing):
            req_id = sorted(self.desk.standing)[number]
            del self.desk.standing[req_id]
            self.desk.world.notice(code, req_id=req_id)

    @rule()
    def all_of_it_is_stopped_or_started(self) -> None:
        kind = StartStreams if self.stopped else StopStreams
        self.stopped = not self.stopped
        at_ns = self.desk.world.now_ns
        number = len(self.desk.world.replies)
        self.desk.world.tell(kind(command_id=f"s{number}", actor="desk", ts_recv_ns=at_ns))

    @invariant()
    def each_request_is_of_the_kind_that_was_asked_for(self) -> None:
        """No id of one kind is ever cancelled as the other."""
        depths = {request.req_id for request in self.desk.world.requests(SubscribeDepth)}
        quotes = {request.req_id for request in self.desk.world.requests(SubscribeQuotes)}
        assert {request.req_id for request in self.desk.world.requests(CancelDepth)} <= depths
        assert {request.req_id for request in self.desk.world.requests(CancelQuotes)} <= quotes

    def teardown(self) -> None:
        """After a quiet while exactly what is wanted stands, once, and flows; each gap names its stream."""
        if self.desk.world.epoch == 0:
            return
        self.desk.live(MINUTE // SECOND)
        wanted = set() if self.stopped else self.desk.wanted
        assert Counter(self.desk.standing.values()) == Counter(wanted)
        for kind in KINDS:
            flowing = {(kind, key) for key in INSTRUMENTS if self.desk.market.flows(kind, key)}
            assert flowing == {stream for stream in wanted if stream[0] == kind}
        assert {gap.stream.partition(":")[0] for gap in self.desk.world.told(Gap)} <= set(KINDS)


TwoKinds.TestCase.settings = hypothesis_settings(
    max_examples=25, stateful_step_count=12, deadline=None, phases=(Phase.reuse, Phase.generate)
)
TestTwoKinds = TwoKinds.TestCase
