"""Any mix of orders on a moving market keeps every promise an order makes."""

from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from itertools import zip_longest
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tws_simulator.world.exchange_floor import SPY, TSLA, Floor, buy, messages
from tws_simulator.world.market.events import as_decimal
from tws_simulator.world.orders.order_events import Commissioned, Echo, Executed, OrderEvent, Status
from tws_simulator.world.orders.tickets import TRANSITIONS, OrderStatus

actions = st.one_of(
    st.tuples(
        st.just("place"),
        st.integers(1, 12),
        st.sampled_from(["BUY", "SELL", "SSHORT"]),
        st.sampled_from([SPY, TSLA]),
        st.integers(1, 2500),
        st.none() | st.integers(-30, 30),
        st.sampled_from(["DAY", "GTC", "IOC", "FOK"]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.booleans(),
    ),
    st.tuples(st.just("cancel"), st.integers(1, 12)),
    st.tuples(st.just("global")),
    st.tuples(st.just("wait"), st.integers(1, 3000)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=25), st.integers(0, 1000))
def test_whatever_clients_and_the_market_do_the_accounts_agree(steps, seed: int):
    """Any mix of orders on a moving market keeps every promise an order makes.

    Statuses only move along the table; filled + remaining is the quantity; fills are never worse than the limit; every
    fill is followed by its commission; the ledger's positions are what the executions say; the messages repeats.
    """
    stories = [play(steps, seed) for _ in range(2)]
    assert stories[0] == stories[1]


def test_busy_days_keep_every_promise_too():
    """The same on long seeded mixes of all that clients do, in which every kind of message occurs."""
    seen = Counter()
    for seed in range(12):
        seen.update(messages(play(busy_day(seed), seed)))
    assert seen.keys() >= {
        "Echo Inactive", "Echo Submitted paid", "Echo Filled paid", "Status Cancelled", "Executed", "Commissioned",
        "Notice 103", "Notice 105", "Notice 161", "Notice 201", "Notice 202", "Notice 10006", "Notice 10147",
        "Notice 10148",
    }  # fmt: skip


def busy_day(seed: int) -> list[tuple]:
    """Mostly new orders with rising ids, some repeats of old ids, cancels, brackets, and pauses of up to 3 s."""
    rng = Random(seed)
    steps: list[tuple] = []
    for index in range(120):
        newest = index // 2 + 1
        chance = rng.random()
        if chance < 0.55:
            order_id = newest if rng.random() < 0.7 else rng.randint(1, newest)
            offset = None if rng.random() < 0.2 else rng.randint(-12, 12)
            tif = rng.choice(["DAY"] * 6 + ["GTC", "GTC", "IOC", "FOK"])
            terms = (rng.choice(["BUY", "SELL", "SSHORT"]), rng.choice([SPY, TSLA]), rng.randint(1, 900), offset, tif)
            steps.append(("place", order_id, *terms, rng.choice([0, 0, 0, newest - 1]), rng.random() < 0.8))
        elif chance < 0.65:
            steps.append(("cancel", rng.randint(1, newest)))
        elif chance < 0.67:
            steps.append(("global",))
        else:
            steps.append(("wait", rng.randint(1, 3000)))
    return steps


def play(steps, seed: int) -> list[OrderEvent]:
    floor = Floor(10, always_open=True, seed=seed)
    exchange, market = floor.exchange, floor.tape
    status: dict[int, OrderStatus] = defaultdict(lambda: OrderStatus.HELD)
    filled: dict[int, Decimal] = defaultdict(Decimal)
    told: list[OrderEvent] = []
    now_ns = floor.start_ns
    for step in steps:
        match step:
            case ["place", order_id, action, con_id, quantity, offset, tif, parent_id, transmit]:
                symbol = "SPY" if con_id == SPY else "TSLA"
                limit = None if offset is None else as_decimal(market.quote(con_id).bid) + Decimal(offset) / 100
                ticket = buy(order_id, quantity, limit, action=action, con_id=con_id, symbol=symbol, tif=tif)
                events = exchange.place(replace(ticket, parent_id=parent_id, transmit=transmit), now_ns)
            case ["cancel", order_id]:
                events = exchange.cancel(7, order_id, now_ns)
            case ["global"]:
                events = exchange.global_cancel(7, now_ns)
            case ["wait", ms]:
                now_ns += ms * 1_000_000
                events = exchange.advance(now_ns, floor.crowd.advance(now_ns))
        told += events
        for event, following in zip_longest(events, events[1:]):
            assert event.ts_ns <= now_ns
            if isinstance(event, Echo | Status):
                order = event.order
                before, status[order.perm_id] = status[order.perm_id], order.status
                assert reachable(before, order.status), f"{before} became {order.status}"
                assert order.filled == filled[order.perm_id]
                assert order.remaining == max(order.ticket.quantity - order.filled, Decimal(0))
            elif isinstance(event, Executed):
                filled[event.execution.perm_id] += event.execution.shares
                assert event.execution.cum_qty == filled[event.execution.perm_id]
                assert isinstance(following, Echo)
                limit = following.order.ticket.limit_price if following.order.ticket.order_type == "LMT" else None
                if limit is not None and event.execution.side == "BOT":
                    assert event.execution.price <= limit
                elif limit is not None:
                    assert event.execution.price >= limit

    done = [event.execution for event in told if isinstance(event, Executed)]
    assert [event.report.exec_id for event in told if isinstance(event, Commissioned)] == [
        each.exec_id for each in done
    ]
    assert len({each.exec_id for each in done}) == len(done) == len(floor.ledger.executions)
    for con_id, opening in ((SPY, 100), (TSLA, 0)):
        position = floor.ledger.position(con_id)
        traded = sum(each.shares if each.side == "BOT" else -each.shares for each in done if each.con_id == con_id)
        assert (position.shares if position else 0) == opening + traded
    return told


def reachable(before: OrderStatus, after: OrderStatus) -> bool:
    """Whether the table leads from one to the other; PreSubmitted may pass untold on the way to Inactive."""
    if before is after or after in TRANSITIONS[before]:
        return True
    return before is OrderStatus.HELD and after is OrderStatus.INACTIVE
