"""Lines, depths and tick-by-tick: who has them, who gives way, and what a refusal teaches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.quotas import Priority, Quota, Quotas
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import CancelQuotes, SubscribeQuotes
from tests.core.world import QQQ, SPY, World


def full(limit: int, **claims: Priority) -> Quota:
    quota = Quota("lines", limit)
    for key, priority in claims.items():
        assert quota.claim(key, priority, 0)
    return quota


def test_no_more_is_claimed_than_there_is():
    """A claim that stands is not counted twice; one that is released makes room."""
    quota = full(2, SPY=Priority.CONFIGURED, QQQ=Priority.CONFIGURED)

    assert quota.claim("SPY", Priority.ORDER, 0)
    assert not quota.claim("IWM", Priority.ORDER, 0)

    quota.release("QQQ")
    assert quota.claim("IWM", Priority.ORDER, 0)
    assert quota.used == 2


def test_a_refusal_says_what_holds_the_lines():
    """By importance, and what the gateway gives us of the number we were told."""
    quota = full(4, SPY=Priority.CONFIGURED, QQQ=Priority.ORDER, IWM=Priority.CONFIGURED, TSLA=Priority.OTHER)
    assert quota.refusal == "4 lines: 1 for orders, 2 configured, 1 others"

    quota.refused("TSLA", 0)
    assert quota.refusal == "4 lines, of which the gateway gives us 3: 1 for orders, 2 configured"
    quota.session_lost()
    assert quota.refusal == "4 lines, of which the gateway gives us 3: held by others of this login"


def test_the_least_important_claim_gives_way_and_of_these_the_newest():
    """Nobody gives way to an equal."""
    quota = full(3, SPY=Priority.CONFIGURED, QQQ=Priority.ORDER, IWM=Priority.CONFIGURED)

    assert quota.gives_way(Priority.ORDER) == "IWM"
    assert quota.gives_way(Priority.PINNED) == "IWM"
    assert quota.gives_way(Priority.CONFIGURED) is None
    assert Quota("depth", 3).gives_way(Priority.ORDER) is None


def test_the_limit_falls_to_what_was_in_use_when_the_gateway_refused():
    """Others of the login hold the rest; it is shown, and kept over sessions."""
    quota = full(100, SPY=Priority.CONFIGURED, QQQ=Priority.CONFIGURED, IWM=Priority.CONFIGURED)

    quota.refused("IWM", 0)

    assert quota.learned == 2
    assert not quota.claim("IWM", Priority.CONFIGURED, 0)
    quota.session_lost()
    view = quota.view()
    assert (view.name, view.used, view.limit, view.learned) == ("lines", 0, 100, 2)


def test_after_a_while_one_claim_more_is_tried():
    """One at a time; a refusal leaves the limit, and makes patience begin anew."""
    quota = full(100, SPY=Priority.CONFIGURED, QQQ=Priority.CONFIGURED)
    quota.refused("QQQ", 0)
    assert quota.next_probe_ns == 10 * MINUTE
    assert not quota.claim("QQQ", Priority.CONFIGURED, 10 * MINUTE - 1)

    assert quota.claim("QQQ", Priority.CONFIGURED, 10 * MINUTE)
    assert quota.probing
    assert quota.next_probe_ns is None
    assert not quota.claim("IWM", Priority.CONFIGURED, 10 * MINUTE)

    quota.refused("QQQ", 10 * MINUTE + 1)
    assert quota.learned == 1
    assert quota.next_probe_ns == 20 * MINUTE + 1


def test_data_for_the_one_that_was_tried_raises_the_limit_by_one_and_allows_the_next():
    """So it recovers as fast as the gateway answers, until the full number holds again."""
    quota = full(3, SPY=Priority.CONFIGURED, QQQ=Priority.CONFIGURED)
    quota.refused("QQQ", 0)
    assert quota.claim("QQQ", Priority.CONFIGURED, 10 * MINUTE)
    quota.proved("SPY")  # says nothing: it stood before
    assert quota.learned == 1

    quota.proved("QQQ")
    assert quota.learned == 2
    assert quota.claim("IWM", Priority.CONFIGURED, 10 * MINUTE)
    quota.proved("IWM")
    assert quota.learned is None
    assert not quota.claim("TSLA", Priority.ORDER, 10 * MINUTE)


def test_a_new_session_tries_one_at_once():
    """Who held the rest may have left while we were away."""
    quota = full(100, SPY=Priority.CONFIGURED, QQQ=Priority.CONFIGURED)
    quota.refused("QQQ", 0)

    quota.session_lost()

    assert quota.claim("SPY", Priority.CONFIGURED, 1)
    assert quota.claim("QQQ", Priority.CONFIGURED, 1)
    assert not quota.claim("IWM", Priority.CONFIGURED, 1)


def test_what_does_not_stand_any_more_is_released():
    """A probe that was given up is not waited for."""
    quota = full(100, SPY=Priority.CONFIGURED)
    quota.refused("QQQ", 0)
    assert quota.claim("QQQ", Priority.CONFIGURED, 10 * MINUTE)

    quota.keep({"SPY"})

    assert quota.used == 1
    assert not quota.probing
    assert repr(quota) == "<Quota lines 1 of 100, learned 1>"


@given(
    st.lists(
        st.tuples(st.sampled_from(["claim", "release", "refused", "proved", "lost"]), st.integers(0, 9)), max_size=60
    )
)
def test_never_more_than_the_limit_nor_than_one_beyond_what_was_learned(steps):
    """Whatever is claimed, refused and proved, in any order."""
    quotas = Quotas(lines=5, depth=3, tick_by_tick=5)
    quota = quotas.lines
    for at_min, (step, number) in enumerate(steps):
        key, now_ns = str(number), at_min * MINUTE
        match step:
            case "claim":
                quota.claim(key, Priority(number % 4), now_ns)
            case "release":
                quota.release(key)
            case "refused":
                quota.refused(key, now_ns)
            case "proved":
                quota.proved(key)
            case "lost":
                quota.session_lost()
        assert quota.used <= 5
        assert quota.learned is None or quota.used <= quota.learned + quota.probing
    assert [view.name for view in quotas.views()] == ["lines", "depth", "tick-by-tick"]


# --- Quotes -------------------------------------------------------------------------------------------------------

IWM = Instrument(symbol="IWM", primary_exchange="ARCA", con_id=9579970)


def subscribed(world: World) -> list[str]:
    return [request.instrument.key for request in world.sent if isinstance(request, SubscribeQuotes)]


def state_of(world: World, key: str) -> tuple[str, str]:
    (stream,) = [s for s in world.engine.snapshot(world.now_ns).streams if s.instrument == key]
    return stream.state, stream.detail


def test_no_more_quotes_are_asked_for_than_there_are_lines():
    """The one that found no line waits, says what holds them, and has the first that is free."""
    world = World(instruments=(SPY, QQQ, IWM), lines=2)
    world.connect()

    assert subscribed(world) == ["SPY", "QQQ"]
    assert state_of(world, "IWM") == ("waiting", "2 lines: 2 configured")

    world.engine.market.unwant(QQQ)
    world.tell()

    assert subscribed(world) == ["SPY", "QQQ", "IWM"]
    assert [(q.used, q.limit) for q in world.engine.snapshot(world.now_ns).quotas if q.name == "lines"] == [(2, 2)]


def test_a_line_that_was_refused_is_not_asked_for_in_a_loop():
    """101 for the third: two is what we are given. In ten minutes, or by the next session, one more is tried."""
    world = World(instruments=(SPY, QQQ, IWM))
    world.connect()
    world.tell(world.price(1, 500.0, "SPY"), world.price(1, 500.0, "QQQ"))
    world.notice(101, req_id=world.stream_id("IWM"))
    assert world.engine.quotas.lines.learned == 2

    for _ in range(50):
        world.wait(10 * SECOND)
        world.tell(world.price(1, 500.0, "SPY"), world.price(1, 500.0, "QQQ"))

    assert subscribed(world) == ["SPY", "QQQ", "IWM"]
    assert state_of(world, "IWM") == ("waiting", "100 lines, of which the gateway gives us 2: 2 configured")
    world.reconnect()
    assert subscribed(world)[3:] == ["SPY", "QQQ", "IWM"]


def test_a_line_that_has_become_free_is_found():
    """The one that is tried gets data: as many as stand are allowed again, and the next one is tried."""
    world = World(instruments=(SPY, QQQ, IWM), lines=3)
    world.connect()
    world.tell(world.price(1, 500.0, "SPY"))
    world.notice(101, req_id=world.stream_id("IWM"))
    world.notice(101, req_id=world.stream_id("QQQ"))
    assert world.engine.quotas.lines.learned == 1

    for _ in range(70):
        world.wait(10 * SECOND)
        world.tell(world.price(1, 500.0, "SPY"))
    asked = subscribed(world)[3:]
    assert len(asked) == 1
    world.tell(world.price(1, 500.0, asked[0]))
    world.wait(SECOND)

    assert sorted(subscribed(world)[3:]) == ["IWM", "QQQ"]
    world.tell(world.price(1, 500.0, subscribed(world)[-1]))
    world.tell()
    assert world.engine.quotas.lines.used == 3
    assert world.engine.quotas.lines.learned is None


def test_what_has_an_order_is_asked_for_first():
    """A restart with fewer lines than instruments: money comes before the order of the configuration."""
    world = World(instruments=(SPY, QQQ, IWM)).ready()
    world.working("k1")

    again = world.restarted(instruments=(QQQ, IWM, SPY), lines=2)
    again.connect()

    assert subscribed(again) == ["SPY", "QQQ"]


def test_a_configured_line_gives_way_to_one_that_an_order_needs():
    """101 takes the line of an instrument with an order: another is cancelled first, and waits from then on."""
    world = World(instruments=(QQQ, SPY)).ready()
    world.tell(world.price(1, 500.0, "QQQ"))
    world.working("k1")
    given_up = world.stream_id("QQQ")
    world.notice(101, req_id=world.stream_id("SPY"))
    world.wait(12 * SECOND)

    subscribe = [type(r) for r in world.sent if getattr(r, "req_id", 0) in (given_up, world.stream_id("SPY"))]
    assert subscribe == [SubscribeQuotes, CancelQuotes, SubscribeQuotes]
    assert state_of(world, "QQQ") == ("waiting", "100 lines, of which the gateway gives us 1: 1 for orders")
    world.wait(MINUTE)
    assert subscribed(world) == ["QQQ", "SPY", "SPY"]


def test_nothing_gives_way_to_what_has_no_order():
    """Among equals nobody is pushed out: no two streams ever take a line from one another in turn."""
    world = World(instruments=(QQQ, SPY)).ready()
    world.tell(world.price(1, 500.0, "QQQ"))
    world.notice(101, req_id=world.stream_id("SPY"))
    for _ in range(5):
        world.wait(10 * SECOND)
        world.tell(world.price(1, 500.0, "QQQ"))

    assert subscribed(world) == ["QQQ", "SPY"]
    assert not world.requests(CancelQuotes)
