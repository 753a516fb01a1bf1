"""The simulated gateway is the referee: what pacing and quotas let out breaks no limit, what they hold does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from ibkr_adapter import events
from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.link.quotas import Priority, Quotas
from ibkr_adapter.effects import Outbox
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    CancelHistory,
    CancelPnl,
    CancelTickByTick,
    Request,
    RequestAllOpenOrders,
    RequestContractDetails,
    RequestCurrentTime,
    RequestExecutions,
    RequestHistory,
    RequestIds,
    RequestMatchingSymbols,
    RequestPnl,
    SubscribeBars,
    SubscribeDepth,
    SubscribeQuotes,
    SubscribeTickByTick,
)
from ibkr_adapter.tws.client import Client
from tests.tws.scripted_gateway import ANY_VERSION, PATIENCE_S, VERSIONS, Inbox, session
from tests.tws_simulator.scripted_client import START_NS, ScriptedClient, codes, gateway_core
from tws_simulator.gateway import Gateway, running_gateway

pytestmark = pytest.mark.wire

SYMBOLS = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "NVDA")
LIMITS = frozenset({100, 101, 162, 309, 322, 420, 10186, 10190})
"""The codes with which a gateway says that something was too much."""


ANSWERS = frozenset({162, 2152})
"""No complaints here: history was cancelled as asked; which exchanges' depth is shown."""


def instrument(number: int) -> Instrument:
    return Instrument(symbol=SYMBOLS[number % len(SYMBOLS)])


def storm() -> list[Request]:
    """Two hundred requests of all kinds, as many components would ask at once: too many, too often, too alike."""
    asked: list[Request] = []
    for number in range(200):
        req_id, about = 1_000 + number, instrument(number)
        match number % 20:
            case 0 | 1 | 2 | 3 | 4 | 5:
                end_ns = START_NS - number // 40 * 3600 * SECOND  # every other batch asks for the same
                kind = "BID_ASK" if number % 2 else "TRADES"
                asked.append(
                    RequestHistory(
                        req_id=req_id,
                        instrument=about,
                        duration="60 S",
                        bar_size="5 secs",
                        what_to_show=kind,
                        end_ns=end_ns,
                    )
                )
            case 6 | 7:
                asked.append(SubscribeTickByTick(req_id=req_id, instrument=instrument(number % 3), tick_type="Last"))
            case 8:
                asked.append(SubscribeDepth(req_id=req_id, instrument=instrument(number // 20), rows=5))
            case 9:
                asked.append(RequestMatchingSymbols(req_id=req_id, pattern="A"))
            case 10:
                asked.append(SubscribeBars(req_id=req_id, instrument=about))
            case 11:
                asked.append(RequestContractDetails(req_id=req_id, instrument=about))
            case 12:
                asked.append(RequestExecutions(req_id=req_id))
            case 13:
                asked.append(RequestAllOpenOrders())
            case _:
                asked.append(SubscribeQuotes(req_id=req_id, instrument=about))
    return asked


def claimed(requests: Sequence[Request], *, lines: int) -> list[Request]:
    """Those for which there is a line, a depth or a tick-by-tick."""
    quotas = Quotas(lines=lines, depth=3, tick_by_tick=5)
    kinds = {
        SubscribeQuotes: quotas.lines,
        SubscribeBars: quotas.lines,
        SubscribeDepth: quotas.depth,
        SubscribeTickByTick: quotas.tick_by_tick,
    }
    return [
        request
        for request in requests
        if (quota := kinds.get(type(request))) is None
        or quota.claim(str(getattr(request, "req_id", 0)), Priority.OTHER, 0)
    ]


def paced(
    requests: Sequence[Request], send: Callable[[Sequence[Request]], tuple[int, int]], wait: Callable[[int], int]
) -> Pacing:
    """Send all of them through pacing; ``send`` answers as a session's ``taken``, ``wait`` with the time."""
    lanes = Pacing(messages_max=45, messages_reserved=5, burst_max=5)
    for request in requests:
        lanes.ask(request, epoch=1)
    now_ns = wait(0)
    while True:
        out = Outbox()
        lanes.release(now_ns, out, lambda waiting: True)
        unsent, written_ns = send([waiting.request for waiting in out.sends])
        for waiting in out.sends:
            if isinstance(waiting.request, RequestHistory):
                lanes.answered(waiting.request.req_id)  # at once, by this gateway
        if not lanes.waiting:
            return lanes
        assert out.wake_at_ns is not None
        now_ns = wait(out.wake_at_ns)
        lanes.reported(now_ns, unsent=unsent, written_ns=written_ns)


def broken_limits(requests: Sequence[Request], *, pace: bool) -> Counter[int]:
    """The codes that a strict gateway answers with, in a time of the test's own."""
    core = gateway_core(pacing="reject", server_version=ANY_VERSION)
    gateway = ScriptedClient(core)
    encoder = Client(client_id=1, orders=False)
    encoder.greeted(ANY_VERSION, "")
    said: Counter[int] = Counter()
    now_ns = START_NS + 2 * SECOND

    def wait(until_ns: int) -> int:
        nonlocal now_ns
        now_ns = max(now_ns, until_ns)
        return now_ns

    def send(some: Sequence[Request]) -> tuple[int, int]:
        core.receive(gateway.session, b"".join(encoder.frame(request) for request in some), now_ns)
        said.update(code for _, code in codes(gateway.replies()))
        return 0, now_ns

    if pace:
        paced(requests, send, wait)
    else:
        send(requests)
    return Counter({code: count for code, count in said.items() if code in LIMITS})


def test_a_storm_that_is_paced_breaks_no_limit() -> None:
    """Two hundred requests, of which the ten-minute limits take some beyond ten minutes; not one is refused."""
    assert broken_limits(claimed(storm(), lines=100), pace=True) == Counter()


def test_the_same_storm_unpaced_breaks_the_limits_that_there_are() -> None:
    """So the referee sees what it should: the rate of messages, and each class by its own code."""
    assert broken_limits(claimed(storm(), lines=100), pace=False)[100] > 100
    slow = [request for request in storm() if not isinstance(request, SubscribeQuotes)]
    assert broken_limits(slow[:50], pace=False).keys() >= {162, 10190}
    assert broken_limits(slow[:50], pace=True).keys() <= {10190, 309}  # without claims, pacing alone
    depths = [request for request in slow if isinstance(request, SubscribeDepth)]
    assert broken_limits(depths, pace=True).keys() == {309}
    assert broken_limits(claimed(depths, lines=100), pace=True) == Counter()


def test_a_storm_over_a_socket_is_served_without_a_complaint() -> None:
    """All limits but the rate, which is judged by the machine's time: this gateway takes any. Both have one clock."""
    now_ns, sent, inbox = START_NS, 0, Inbox()
    options = {"seed": 7, "server_version": ANY_VERSION, "pacing": "reject", "lines_max": 1_000_000}
    with running_gateway(Gateway(clock=lambda: now_ns, **options)) as simulated:  # type: ignore[arg-type]  # one for all
        subject = session(simulated.port, inbox)
        subject.start()
        inbox.until(events.NextValidId)

        def send(some: Sequence[Request]) -> tuple[int, int]:
            nonlocal sent
            for request in (*some, RequestIds()):
                subject.perform(request)
            sent += 1
            inbox.until(events.NextValidId, 1 + sent)  # it has served them: time may go on
            return 0, now_ns

        def wait(until_ns: int) -> int:
            nonlocal now_ns
            now_ns = max(now_ns, until_ns)
            return now_ns

        paced(claimed(storm(), lines=100), send, wait)
        refused = [notice for notice in inbox.of(events.NoticeReceived) if notice.code in LIMITS]
        subject.close("done")
        assert subject.join(PATIENCE_S)
    assert refused == []


@pytest.mark.parametrize("version", VERSIONS)
def test_each_new_request_is_understood_by_the_gateway(version: int) -> None:
    """Text and protobuf: served under its name, and its stream stands with the number and the contract asked for."""
    spy, inbox = Instrument(symbol="SPY", con_id=756733), Inbox()
    with running_gateway(Gateway(seed=7, server_version=version)) as simulated:
        subject = session(simulated.port, inbox)
        subject.start()
        inbox.until(events.NextValidId)
        wanted: list[Request] = [
            SubscribeDepth(req_id=1, instrument=spy, rows=5),
            SubscribeTickByTick(req_id=2, instrument=spy, tick_type="Last"),
            SubscribeTickByTick(req_id=3, instrument=spy, tick_type="BidAsk"),
            CancelTickByTick(req_id=3),
            SubscribeBars(req_id=4, instrument=spy),
            RequestHistory(req_id=5, instrument=spy, duration="1 D", bar_size="5 mins", keep_up_to_date=True),
            RequestHistory(req_id=6, instrument=spy, duration="1 D", bar_size="5 mins", keep_up_to_date=True),
            CancelHistory(req_id=6),
            RequestMatchingSymbols(req_id=7, pattern="SP"),
            RequestPnl(req_id=8, account=simulated.account),
            RequestPnl(req_id=9, account=simulated.account),
            CancelPnl(req_id=9),
        ]
        for request in (*wanted, RequestCurrentTime()):
            subject.perform(request)
        inbox.until(events.BrokerTime)
        served, standing = simulated.call(
            lambda gateway: (
                Counter(gateway.core.state.requests),
                sorted(req_id for _, req_id in gateway.core.state.sessions[0].streams),
            )
        )
        told = [notice for notice in inbox.of(events.NoticeReceived) if notice.req_id > 0]
        subject.close("done")
        assert subject.join(PATIENCE_S)
    assert {notice.code for notice in told} <= ANSWERS
    assert standing == [1, 2, 4, 5, 8]
    assert served["reqTickByTickData"] == served["reqHistoricalData"] == served["reqPnL"] == 2
    assert served["reqMatchingSymbols"] == served["reqMktDepth"] == served["reqRealTimeBars"] == 1
