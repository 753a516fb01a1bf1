"""Time passes through the parts only when it may change something, and that makes no difference to anybody."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.core.engine import Happening
from ibkr_adapter.effects import FramesTaken, Outbox
from ibkr_adapter.events import LossCause
from ibkr_adapter.requests import Request, RequestCurrentTime, SubscribeQuotes
from tests.core.world import QQQ, SPY, A, B, World

HOURS = "19700112:0000-19700113:2359"
CODES = (100, 200, 309, 321, 504, 1100, 1101, 1102, 2103, 2104, 2106, 2110, 2119, 10190, 10197, 99_999)


class Polled(World):
    """All parts are asked with every batch, as if each might have something to do."""

    def __init__(self, **changes: object) -> None:
        super().__init__(begin=False, **changes)
        self.engine._due = lambda now_ns: True  # type: ignore[method-assign]  # the claim is that it changes nothing
        self.begin()


def live(world: World, seed: int) -> None:
    """Some hundred happenings of all kinds, chosen by the seed, most of them ticks."""
    rand = random.Random(seed)
    world.hours = HOURS
    world.ready()
    for step in range(300):
        match rand.choices(("tick", "batch", "wait", "notice", "lose", "order", "silent"), (40, 10, 30, 8, 2, 3, 1))[0]:
            case "tick":
                world.tell(*heard(world, [tick(world, rand)]))
            case "batch":
                world.tell(*heard(world, [tick(world, rand) for _ in range(20)]))
            case "wait":
                world.wait(rand.choice((1, 50, 300, 999, 2_000, 7_000, 31_000)) * MILLISECOND)
            case "notice":
                ids = [request.req_id for request in world.requests(SubscribeQuotes)]
                world.notice(rand.choice(CODES), req_id=rand.choice([-1, -1, *ids[-2:]]), text="farm is:usfarm")
            case "lose" if world.engine.link.socket_open:
                world.lose(rand.choice(list(LossCause)))
            case "order":
                world.place(f"k{step}", quantity=Decimal(1 + step))
            case "silent":
                some: set[type[Request]] = {RequestCurrentTime, SubscribeQuotes}
                world.silent = set() if world.silent else some
        if world.engine.link.state.value == "connecting":
            world.open()
            world.identify()
            world.settle()


def tick(world: World, rand: random.Random) -> Happening:
    key = rand.choice(("SPY", "QQQ"))
    return world.price(rand.choice((1, 2)), round(rand.uniform(499, 501), 2), key)


def heard(world: World, ticks: Sequence[Happening]) -> list[Happening]:
    """As the shell tells them: what the socket has taken first."""
    return [FramesTaken(epoch=world.epoch, unsent=0, written_ns=world.now_ns), *ticks]


@pytest.mark.parametrize("seed", range(10))
def test_asked_when_due_is_asked_always(seed: int) -> None:
    """The same requests, records, events, gates and ends of sessions, at the same moments."""
    wanted = {"instruments": (SPY, QQQ), "gateways": (A, B), "upstream_recycle_ns": 20 * SECOND}
    always, due = Polled(**wanted), World(**wanted)
    for world in (always, due):
        live(world, seed)

    assert due.journal == always.journal
    assert due.published == always.published
    assert due.sent == always.sent
    assert (due.opens, due.closes) == (always.opens, always.closes)
    assert due.gate() == always.gate()


def test_a_quiet_tick_asks_nobody() -> None:
    """The moment of the next waking stays what it was."""
    world = World().ready()
    world.wait(2 * SECOND)
    alarm_ns = world.tell().wake_at_ns
    asked = 0

    def counted(now_ns: int, out: Outbox) -> None:
        nonlocal asked
        asked += 1

    world.engine._pass_time = counted  # type: ignore[method-assign]  # counts what it stands for
    out = world.tell(*heard(world, [world.price(1, 500.02)]))

    assert asked == 0
    assert out.wake_at_ns == alarm_ns
    assert [event.bid for event in out.publishes] == [500.02]  # type: ignore[attr-defined]  # a quote
