"""What the exchange does by the clock: orders outside the session, the opening, auctions, and the end of the day."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import SPY, Floor, buy, fills, price_of, sell, story, texts
from tws_simulator.world.orders.order_events import Echo
from tws_simulator.world.orders.tickets import OrderStatus
from tws_simulator.world.time.units import SECOND_NS

WARNING = (
    "Order Message:\nBUY 10 SPY ARCA.SPY\n"
    "Warning: Your order will not be placed at the exchange until 2026-06-23 09:30:00 US/Eastern."
)
CANCELLED = ["1 Cancelled alone", "1 202"]


@pytest.fixture
def evening() -> Floor:
    """After the close of the regular session."""
    return Floor(18)


def test_a_limit_order_in_the_evening_is_echoed_in_rounds_and_warned_of_after_the_first(evening: Floor) -> None:
    """Two to five identical pairs, one 399 with the next opening; all captured so."""
    at_once = evening.place(buy(limit="600"))
    assert story(at_once) == ["1 PreSubmitted pair"]
    later = evening.wait(5)
    assert story(later)[:2] == ["1 399", "1 PreSubmitted pair"]
    assert set(story(later)[1:]) == {"1 PreSubmitted pair"}
    assert 2 <= len(story(at_once + later)) - 1 <= 5
    assert texts(later) == [WARNING]
    echoes = [event.order for event in at_once + later if isinstance(event, Echo)]
    assert {(order.perm_id, order.status, order.filled, order.why_held) for order in echoes} == {
        (echoes[0].perm_id, OrderStatus.PRE_SUBMITTED, Decimal(0), "")
    }
    assert evening.wait(60) == []


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"order_type": "STP", "aux_price": "700"},
        {"order_type": "TRAIL", "aux_price": "1", "trail_stop_price": "700"},
    ],
)
def test_types_without_a_limit_are_warned_of_first(evening: Floor, terms: dict[str, str]) -> None:
    """The 399 comes before the first pair; stops say what holds them."""
    at_once = evening.place(buy(**terms))
    assert story(at_once) == ["1 399", "1 PreSubmitted pair"]
    [order] = evening.exchange.open_orders()
    assert order.why_held == ("trigger" if terms else "")


@pytest.mark.parametrize("terms", [{"tif": "GTC"}, {"good_after_ns": 2 * 10**18}])
def test_good_till_cancelled_and_good_after_orders_are_never_warned_of(evening: Floor, terms: dict[str, int]) -> None:
    """Pairs only."""
    told = evening.place(buy(limit="600", **terms)) + evening.wait(5)
    assert set(story(told)) == {"1 PreSubmitted pair"}


def test_an_early_cancel_draws_pending_cancel(evening: Floor) -> None:
    """Before the echoes have settled: the warning, one more pair, two pairs of PendingCancel, Cancelled, 202."""
    evening.place(buy(limit="600"))
    told = evening.cancel(1)
    pending = ["1 PendingCancel pair"] * 2
    assert story(told) == ["1 399", "1 PreSubmitted pair", *pending, *CANCELLED]
    assert evening.wait(60) == []


def test_a_cancel_after_the_echoes_settled_is_short(evening: Floor) -> None:
    """Cancelled and 202."""
    evening.place(buy(limit="600"))
    evening.wait(5)
    assert story(evening.cancel(1)) == CANCELLED


def test_a_bracket_in_the_evening_is_told_as_captured(evening: Floor) -> None:
    """Nothing until the last leg; then the parent, each child in turn, the children again, and all again."""
    assert evening.place(buy(1, transmit=False)) == []
    assert evening.place(sell(2, limit="700", parent_id=1, transmit=False)) == []
    at_once = evening.place(sell(3, order_type="STP", aux_price="15.53", parent_id=1))
    parent, first, second = (f"{number} PreSubmitted pair" for number in (1, 2, 3))
    assert story(at_once) == ["1 399", parent, first, "2 399", first, "3 399", second]
    assert story(evening.wait(5)) == [first, second, parent, first, second]
    views = evening.exchange.open_orders()
    assert [view.why_held for view in views] == ["", "child", "child,trigger"]
    assert [view.ticket.oca_group for view in views] == ["", *[str(views[0].perm_id)] * 2]
    assert [view.parent_perm_id for view in views] == [0, views[0].perm_id, views[0].perm_id]


def test_an_immediate_order_in_the_evening_is_submitted_then_cancelled(evening: Floor) -> None:
    """Two pairs of Submitted, the second with outsideRth; PendingCancel; Cancelled; 202; no warning."""
    told = evening.place(buy(limit="600", tif="IOC")) + evening.wait(5)
    assert story(told) == ["1 Submitted pair", "1 Submitted pair", "1 PendingCancel pair", *CANCELLED]
    assert [event.order.outside_rth for event in told if isinstance(event, Echo)] == [False, True, True]


def test_an_immediate_order_in_the_evening_takes_what_is_offered_then(evening: Floor) -> None:
    """The evening's market is open to it; at night nothing is."""
    ask = price_of(evening.spy.ask)
    told = evening.place(buy(limit=ask, tif="IOC")) + evening.wait(5)
    assert fills(told) == [(1, Decimal(10), ask)]
    night = Floor(23)
    told = night.place(buy(limit=price_of(night.spy.ask), tif="IOC")) + night.wait(5)
    assert story(told)[-2:] == CANCELLED


def test_fill_or_kill_in_the_evening_is_inactive_and_rejected_a_little_later(evening: Floor) -> None:
    """The second half may come after the answers to later requests."""
    assert story(evening.place(buy(limit="600", tif="FOK"))) == ["1 Inactive pair"]
    told = evening.wait(5)
    assert story(told) == ["1 201", "1 Inactive pair"]
    assert texts(told) == [
        "Order rejected - reason:The time-in-force FOK is invalid for this combination of exchange and security type."
    ]


def test_a_date_before_the_next_opening_is_refused(evening: Floor) -> None:
    """PreSubmitted, Inactive, 201, Inactive; and the cancel says it is cancelled already."""
    told = evening.place(buy(limit="600", tif="GTD", good_till_ns=evening.now_ns + 10**12))
    assert story(told) == ["1 PreSubmitted pair", "1 Inactive pair", "1 201", "1 Inactive pair"]
    assert texts(told) == ["Order rejected - reason:Order will be expired before market opens."]
    assert texts(evening.cancel(1)) == ["OrderId 1 that needs to be cancelled cannot be cancelled, state: Cancelled."]


def test_a_change_in_the_evening_is_echoed_twice_without_a_warning(evening: Floor) -> None:
    """A limit order becomes a market order: same permanent id, still waiting."""
    evening.place(buy(limit="600"))
    evening.wait(5)
    [before] = evening.exchange.open_orders()
    told = evening.place(buy()) + evening.wait(5)
    assert story(told) == ["1 PreSubmitted pair"] * 2
    [after] = evening.exchange.open_orders()
    assert (after.perm_id, after.ticket.order_type, after.limit_price) == (before.perm_id, "MKT", None)


def test_at_the_opening_waiting_orders_work(evening: Floor) -> None:
    """Submitted, and filled if the market is there; not a moment earlier."""
    evening.place(buy(1))
    evening.place(buy(2, limit="600"))
    evening.wait(5)
    assert evening.until(9, 29, day=23) == []
    told = evening.until(9, 30, day=23)
    assert story(told)[:2] == ["1 Submitted pair", "1 BOT 10"]
    assert [view.status for view in evening.exchange.open_orders()] == [OrderStatus.SUBMITTED]


def test_orders_for_outside_the_session_work_in_the_evening(evening: Floor) -> None:
    """Accepted as in the session, and filled."""
    told = evening.place(buy(limit=price_of(evening.spy.ask), outside_rth=True))
    assert story(told)[:2] == ["1 PreSubmitted pair", "1 Submitted pair"]
    assert len(fills(told)) == 1


def test_day_orders_end_with_their_session() -> None:
    """At 16:00, or at 20:00 where they may trade in the evening; what was never transmitted ends in silence."""
    floor = Floor(15)
    floor.place(buy(1, limit="600"))
    floor.place(buy(2, limit="600", outside_rth=True))
    floor.place(buy(3, limit="600", tif="GTC"))
    floor.place(buy(4, limit="600", transmit=False))
    assert story(floor.until(16)) == CANCELLED
    assert story(floor.until(20)) == ["2 Cancelled alone", "2 202"]
    assert [view.ticket.order_id for view in floor.exchange.open_orders()] == [3]
    assert story(floor.cancel(4)) == ["4 Cancelled alone", "4 202", "4 161"]
    floor.place(buy(5, limit="600", transmit=False))
    assert floor.until(0, 1, day=23) == []
    assert story(floor.cancel(5)) == ["5 10147"]
    assert floor.exchange.completed_orders() == []


def test_how_a_day_order_ended_is_told_until_midnight() -> None:
    """By the system, because its time was over."""
    floor = Floor(15)
    floor.place(buy(1, limit="600"))
    floor.until(16)
    assert floor.exchange.completed_orders()[0].completed_status == "Cancelled by System:\nOrder is already expired."


def test_a_resting_order_sleeps_outside_its_session() -> None:
    """A good-till-cancelled order is out of the book in the evening, and back at the next opening."""
    floor = Floor(15)
    bid = price_of(floor.spy.bid)
    floor.place(buy(1, limit=bid, tif="GTC"))
    floor.until(16)
    assert fills(floor.quote("500", "500.01")) == []
    floor.until(9, 29, day=23)
    assert len(fills(floor.until(9, 30, day=23))) == 1


def test_good_till_date_ends_on_time() -> None:
    """To the second, in the session."""
    floor = Floor(11)
    floor.place(buy(limit="600", tif="GTD", good_till_ns=floor.now_ns + 60 * 10**9))
    assert floor.wait(59) == []
    assert story(floor.wait(1)) == CANCELLED


def test_good_after_time_begins_on_time() -> None:
    """PreSubmitted until then."""
    floor = Floor(11)
    told = floor.place(buy(good_after_ns=floor.now_ns + 60 * 10**9))
    assert story(told) == ["1 PreSubmitted pair"]
    assert floor.wait(59) == []
    assert story(floor.wait(1))[:2] == ["1 Submitted pair", "1 BOT 10"]


@pytest.mark.parametrize("always_open", [False, True])
def test_closing_auction(always_open: bool) -> None:
    """One price for all who accept it, printed with the crowd's shares; whoever does not is cancelled."""
    floor = Floor(15, always_open=always_open)
    assert story(floor.place(buy(1, 500, order_type="MOC"))) == ["1 PreSubmitted pair", "1 Submitted pair"]
    floor.place(sell(2, 100, "600", order_type="LOC"))
    floor.place(buy(3, 100, "600", order_type="LOC"))
    told = floor.until(16)
    middle = price_of((round(floor.spy.bid * 100) + round(floor.spy.ask * 100)) // 2 / 100)
    assert fills(told) == [(1, Decimal(500), middle), (2, Decimal(100), middle)]
    assert story(told)[-2:] == ["3 Cancelled alone", "3 202"]
    [printed] = floor.tape.trades(SPY)
    assert (printed.price, printed.exchange) == (float(middle), "ARCA")
    assert printed.size > 600


def test_opening_auction() -> None:
    """OPG orders wait for it and trade in it, or are cancelled."""
    floor = Floor(8)
    floor.place(buy(1, 100, tif="OPG"))
    floor.place(buy(2, 100, "600", tif="OPG"))
    floor.wait(5)
    told = floor.until(9, 30)
    assert [order_id for order_id, _, _ in fills(told)] == [1]
    assert story(told)[-2:] == ["2 Cancelled alone", "2 202"]


def test_an_order_has_one_end_however_often_it_changes() -> None:
    """A thousand changes of a good-till-date order note one end; cancelled, rejected or filled ones have none."""
    floor = Floor()
    idle = floor.exchange.scheduled_count
    till_ns = floor.now_ns + 3600 * SECOND_NS
    for each in range(1_000):
        floor.place(buy(limit=600 + Decimal(each) / 100, tif="GTD", good_till_ns=till_ns, good_after_ns=till_ns - 9))
    assert floor.exchange.scheduled_count == idle + 2
    floor.place(buy(limit="600", tif="GTC"))
    assert floor.exchange.scheduled_count == idle
    floor.place(buy(2, limit="600", tif="GTD", good_till_ns=till_ns))
    floor.place(buy(3, tif="GTD", good_till_ns=till_ns))
    floor.place(buy(4, 1_000_000, tif="GTD", good_till_ns=till_ns))
    assert floor.exchange.scheduled_count == idle + 1
    floor.cancel(2)
    assert floor.exchange.scheduled_count == idle


@pytest.mark.parametrize(
    "terms",
    [
        {"order_type": "MKT"},
        {"order_type": "STP", "aux_price": "600"},
        {"order_type": "TRAIL", "aux_price": "1"},
        {"order_type": "MIT", "aux_price": "600"},
        {"order_type": "MOC"},
        {"order_type": "LOC", "limit_price": Decimal("600")},
    ],
)
def test_types_without_a_limit_trade_only_in_the_session(terms: dict[str, object]) -> None:
    """2109 comes first and once, the flag is dropped, and the order waits for the opening like any other."""
    floor = Floor(5)
    told = floor.place(buy(1, outside_rth=True, **terms)) + floor.wait(5)
    assert story(told)[0] == "1 2109"
    assert story(told).count("1 2109") == 1
    assert texts(told)[0] == (
        "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order type and "
        "destination. PlaceOrder is now being processed."
    )
    assert fills(told) == []
    [view] = floor.exchange.open_orders()
    assert (view.status, view.outside_rth) == (OrderStatus.PRE_SUBMITTED, False)
    assert "1 2109" not in story(floor.place(buy(1, 20, outside_rth=True, **terms)))


def test_an_order_that_loses_its_limit_waits_for_the_session() -> None:
    """It worked before the opening; as a market order it is told 2109, and is filled at the opening."""
    floor = Floor(5)
    assert story(floor.place(buy(1, limit=floor.bid(-10), outside_rth=True)))[-1] == "1 Submitted pair"
    assert story(floor.place(buy(1, outside_rth=True)) + floor.wait(5))[0] == "1 2109"
    assert fills(floor.until(9, 29)) == []
    assert len(fills(floor.until(9, 30))) == 1


@pytest.mark.parametrize("always_open", [False, True])
@pytest.mark.parametrize("terms", [{"order_type": "MOC"}, {"order_type": "LOC", "limit_price": Decimal("600")}])
def test_orders_for_the_close_come_too_late_from_ten_to_four(terms: dict[str, object], always_open: bool) -> None:
    """201 until the auction is over; those that came before take part, and new terms are refused too."""
    floor = Floor(15, 49, always_open=always_open)
    floor.place(sell(1, order_type="MOC"))
    floor.until(15, 50)
    assert story(floor.place(buy(2, **terms))) == ["2 Inactive pair", "2 201", "2 Inactive pair"]
    assert story(floor.place(sell(1, 5, order_type="MOC")))[0] == "1 201"
    assert [shares for _, shares, _ in fills(floor.until(16))] == [10]
    assert "3 201" not in story(floor.place(buy(3, **terms)))


@pytest.mark.parametrize(("limit", "warning_at"), [(None, 0), ("600", 1)])
def test_an_order_for_the_opening_that_has_passed_says_when_it_will_trade(limit: str | None, warning_at: int) -> None:
    """399 with the next opening, before the pair for types without a limit and after it for those with one."""
    floor = Floor(11)
    told = floor.place(buy(1, limit=limit, tif="OPG"))
    assert sorted(story(told)) == ["1 399", "1 PreSubmitted pair"]
    assert story(told)[warning_at] == "1 399"
    assert texts(told)[0].endswith("until 2026-06-23 09:30:00 US/Eastern.")
