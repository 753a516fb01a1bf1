"""What the exchange turns away, which ids it takes, and cancels that find nothing."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import CANCELLED, FILLED, WORKING, Floor, buy, messages, sell
from tws_simulator.world.accounts.records import PlacementKind
from tws_simulator.world.orders.order_events import Executed, Notice


@pytest.fixture
def floor() -> Floor:
    return Floor(10, always_open=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tif": ""}, 10052),
        ({"tif": "SOON"}, 10052),
        ({"order_type": "FEELING"}, 321),
        ({"order_type": "STP"}, 403),
        ({"order_type": "TRAIL"}, 403),
        ({"tif": "GTD"}, 391),
        ({"trigger_method": 99}, 321),
        ({"display_size": 1}, 10255),
        ({"has_active_times": True}, 10315),
        ({"action": "HOLD"}, 321),
        ({"account": "DU7654321"}, 321),
        ({"symbol": "ZZZNONE", "con_id": 0}, 200),
        ({"con_id": 8314}, 200),
        ({"exchange": "IDEALPRO"}, 200),
        ({"quantity": Decimal(0)}, 434),
        ({"quantity": Decimal("NaN")}, 434),
        ({"quantity": Decimal("0.5")}, 10243),
        ({"order_type": "LMT", "limit_price": Decimal("600.005")}, 110),
        ({"order_type": "LMT", "limit_price": None}, 321),
        ({"order_type": "LMT", "limit_price": Decimal("Infinity")}, 321),
        ({"parent_id": 99}, 10006),
        ({"order_id": 0}, 103),
        ({"order_id": -1}, 103),
    ],
)
def test_a_refused_order_draws_one_error_and_does_not_exist(floor: Floor, change, code: int):
    """No echo, no status, nothing open or completed; but the record shows that it was received."""
    events = floor.place(replace(buy(), **change))
    assert messages(events) == [f"Notice {code}"]
    assert floor.exchange.open_orders() == floor.exchange.completed_orders() == []
    assert [each.kind for each in floor.ledger.placements] == [PlacementKind.REFUSED]
    assert floor.cancel(1)[0].code == 10147


def test_captured_error_texts(floor: Floor):
    """Word for word what a gateway said."""
    texts = [
        floor.place(replace(buy(), **change))[0].text
        for change in ({"order_type": "FEELING"}, {"tif": ""}, {"symbol": "ZZZNONE", "con_id": 0})
    ]
    assert texts == [
        "Error validating request.-'bz' : cause - Invalid order type was entered",
        "Invalid time in force:Empty",
        "No security definition has been found for the request",
    ]


def test_a_refused_id_may_be_used_again_at_once(floor: Floor):
    """It is not a duplicate, though the next id offered is above it."""
    floor.place(buy(5, tif=""))
    assert floor.exchange.next_order_id(7) == 6
    assert messages(floor.place(buy(5))) == WORKING + FILLED


def test_an_order_that_is_not_taken_on_is_inactive_then_201_then_inactive(floor: Floor):
    """The captured refusal after acceptance; cancelling it says that it is cancelled already."""
    events = floor.place(buy(1, tif="AUC"))
    assert messages(events) == ["Echo Inactive", "Status Inactive", "Notice 201", "Echo Inactive", "Status Inactive"]
    assert isinstance(events[2], Notice)
    assert events[2].text == (
        "Order rejected - reason:The time-in-force AUC is invalid for this combination of exchange and security type."
    )
    [notice] = floor.cancel(1)
    assert isinstance(notice, Notice)
    assert (notice.code, notice.text) == (
        10148,
        "OrderId 1 that needs to be cancelled cannot be cancelled, state: Cancelled.",
    )


def test_fill_or_kill_is_filled_at_once_or_not_at_all(floor: Floor):
    """It looks through the levels within its limit before it takes the first share."""
    shown, ask = floor.spy.ask_size, floor.ask()
    assert messages(floor.place(buy(1, shown + 1, ask, tif="FOK"))) == WORKING + CANCELLED
    assert messages(floor.place(buy(2, shown, ask, tif="FOK"))) == WORKING + FILLED


def test_an_order_beyond_the_margin_is_rejected(floor: Floor):
    """About 6,600 SPY is what a million dollars carries at 25 %; selling what is held needs no margin."""
    assert "Notice 201" in messages(floor.place(buy(1, 10_000)))
    assert "Notice 201" in messages(floor.place(sell(2, 10_000)))
    assert messages(floor.place(sell(3, 100))) == WORKING + FILLED


def test_a_full_day_refuses_new_orders(floor: Floor):
    """At the bound a new order is turned away with 201; those that exist can still be changed and cancelled."""
    exchange = floor.another(orders_max=1)
    exchange.place(buy(1, 10, floor.bid(-10)), floor.now_ns)
    assert messages(exchange.place(buy(2), floor.now_ns)) == ["Notice 201"]
    assert messages(exchange.place(buy(1, 20, floor.bid(-10)), floor.now_ns)) == ["Echo Submitted", "Status Submitted"]
    assert messages(exchange.cancel(7, 1, floor.now_ns)) == CANCELLED


def test_ids_grow_per_client_and_outlive_a_connection(floor: Floor):
    """Highest used plus one, for each client apart."""
    assert floor.exchange.next_order_id(7) == 1
    floor.place(buy(546, 1))
    assert floor.exchange.next_order_id(7) == 547
    assert floor.exchange.next_order_id(8) == 1


def test_the_highest_id_is_the_last(floor: Floor):
    """The next id offered stays within 31 bits; whatever the client tries then is a duplicate."""
    floor.place(buy(2**31 - 1, 1))
    assert floor.exchange.next_order_id(7) == 2**31 - 1
    assert messages(floor.place(buy(2**31 - 1))) == []  # new terms for a filled order
    assert messages(floor.place(buy(1))) == ["Notice 103"]


def test_an_id_at_or_below_the_highest_used_is_a_duplicate(floor: Floor):
    """103 for a lower id and for the id of a cancelled order."""
    floor.place(buy(10, 1, floor.bid(-10)))
    floor.cancel(10)
    assert messages(floor.place(buy(10))) == ["Notice 103"]
    assert messages(floor.place(buy(9))) == ["Notice 103"]
    assert messages(floor.place(buy(9, client_id=8))) == WORKING + FILLED


def test_execution_and_permanent_ids(floor: Floor):
    """execIds have IB's four segments; permIds are unique; neither repeats in another run of the same seed."""
    later = floor.another(seconds_later=1)
    exchanges = [floor.exchange, later]
    events = [
        event for each in exchanges for order_id in range(1, 30) for event in each.place(buy(order_id), floor.now_ns)
    ]
    exec_ids = [event.execution.exec_id for event in events if isinstance(event, Executed)]
    assert len(exec_ids) == len(set(exec_ids)) > 20
    assert all(re.fullmatch(r"[0-9a-f]{8}\.[0-9a-f]{8}\.01\.01", exec_id) for exec_id in exec_ids)
    perm_ids = {event.execution.perm_id for event in events if isinstance(event, Executed)}
    assert len(perm_ids) == len(exec_ids)
    assert all(2**28 < perm_id < 2**63 for perm_id in perm_ids)


def test_cancels_that_find_nothing_to_cancel(floor: Floor):
    """Unknown and other clients' orders are not found; filled and cancelled ones cannot be cancelled."""
    floor.place(buy(1))
    floor.place(buy(2, 1, floor.bid(-10)))
    assert messages(floor.cancel(99)) == ["Notice 10147"]
    assert messages(floor.exchange.cancel(8, 2, floor.now_ns)) == ["Notice 10147"]
    assert messages(floor.cancel(1)) == ["Notice 10148"]
    assert len(floor.exchange.open_orders()) == 1
    floor.cancel(2)
    assert messages(floor.cancel(2)) == ["Notice 10148"]


def test_global_cancel_reaches_every_client(floor: Floor):
    """161 for what was dead already, then status and 202 for each live order in no order, told to its owner."""
    for client_id, order_id in ((7, 1), *((7, number) for number in range(2, 8)), (8, 1)):
        floor.place(buy(order_id, 1, floor.bid(-10), client_id=client_id))
    floor.cancel(1)
    events = floor.exchange.global_cancel(7, floor.now_ns)
    assert messages(events) == ["Notice 161", *CANCELLED * 7]
    ended = [(event.client_id, event.order_id) for event in events[2::2] if isinstance(event, Notice)]
    assert sorted(ended) == [*((7, number) for number in range(2, 8)), (8, 1)] != ended
    assert floor.exchange.open_orders() == []
