"""An order's state follows from what was said, not from when it was said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.order import STATUS_STATES, TERMINAL, TRANSITIONS, Order, OrderState
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import (
    CancelIntended,
    CompletedOrderReported,
    Event,
    OpenOrderReported,
    OrderChanged,
    OrderNotFound,
    OrderStatusReported,
)
from ibkr_adapter.notices import shipped
from tests.core.world import SPY, World, echoed, execution, status
from tests.records import intended
from tests.stories import CANCELLED, FILLED, IN_DOUBT_FILLED, OPENED, REJECTED, code, doubted, frame, heard

S = OrderState


def after(*events: Event, intent: bool = True) -> Ledger:
    ledger = Ledger(shipped(), 1)
    for event in (OPENED, *([intended()] if intent else []), *events):
        heard(ledger, event)
    return ledger


def order_after(*events: Event) -> Order:
    order = after(*events).orders.of("k1")
    assert order is not None
    return order


def test_every_state_has_a_row_and_every_status_leads_to_a_state():
    """The tables are complete."""
    assert set(TRANSITIONS) == set(OrderState)
    assert set(STATUS_STATES.values()) <= set(OrderState)


def test_no_terminal_state_leads_back_to_risk_except_on_evidence():
    """Filled and refused are final; a cancelled or rejected order can only turn out filled.

    What the lists did not know can turn up.
    """
    for state in TERMINAL - {S.NOT_FOUND, S.LAPSED}:
        assert TRANSITIONS[state] <= TERMINAL
    assert TRANSITIONS[S.FILLED] == TRANSITIONS[S.REFUSED] == frozenset()


def test_a_fill_after_a_cancel_counts():
    """IB may fill while a cancel is under way."""
    order = order_after(frame(), status(status="Cancelled"), execution(quantity=40))
    assert (order.state, order.filled) == (S.CANCELLED, 40)

    order = order_after(frame(), status(status="Cancelled"), execution(quantity=100))
    assert (order.state, order.filled) == (S.FILLED, 100)


@pytest.mark.parametrize("late", ["PreSubmitted", "Submitted", "PendingCancel", "Inactive"])
@pytest.mark.parametrize("final", ["Filled", "Cancelled", "ApiCancelled"])
def test_an_old_status_does_not_revive_an_order(final: str, late: str):
    """Terminal stays terminal."""
    order = order_after(frame(), status(status=final), status(status=late), echoed(status=late))

    assert order.terminal


def test_an_unknown_status_is_noted_and_changes_nothing():
    """IB adds statuses."""
    order = order_after(frame(), echoed(), status(status="Pondering"))

    assert order.state is S.WORKING


def test_inactive_is_held_and_asked_about():
    """It may be a rejection or an order held back: not terminal, and suspect."""
    order = order_after(frame(), status(status="Inactive"))

    assert order.state is S.HELD
    assert order.at_risk
    assert order.suspect


@pytest.mark.parametrize("number", [201, 200, 110, 321])
def test_a_refusal_by_code_alone_does_not_end_an_order(number: int):
    """A code raises a question; the broker's lists answer it."""
    order = order_after(frame(), code(number))

    assert order.state is S.SENT
    assert order.suspect


@pytest.mark.parametrize("number", [399, 404, 2109, 10349, 123456])
def test_a_warning_raises_no_question(number: int):
    """The order lives, its detail says what was said."""
    order = order_after(frame(), echoed(), code(number, text="held for locate"))

    assert not order.suspect
    assert order.detail == f"{number}: held for locate"


@pytest.mark.parametrize("events", [(201, "Cancelled"), ("Cancelled", 201), ("Inactive", 201, "Cancelled")])
def test_a_cancel_that_a_refusal_explains_is_a_rejection(events: tuple[int | str, ...]):
    """Gateways report rejected orders as cancelled; the reason may come before or behind."""
    order = order_after(frame(), *(status(status=e) if isinstance(e, str) else code(e) for e in events))

    assert order.state is S.REJECTED


def test_our_own_cancel_is_no_rejection():
    """202 with our cancel behind it is what we asked for."""
    asked = CancelIntended(ts_recv_ns=3, order_key="k1", order_id=11, actor="desk")
    order = order_after(frame(), echoed(), asked, status(status="Cancelled"), code(202), code(201))

    assert order.state is S.CANCELLED


def test_doubt_is_left_by_evidence_only():
    """Notices, frames and time do not lift it; the broker's word does."""
    ledger = after(frame(), doubted(), code(399), code(201), frame(), frame(cancel=True))
    order = ledger.orders.of("k1")
    assert order is not None
    assert order.state is S.IN_DOUBT
    assert order in ledger.orders.at_risk
    assert order in ledger.orders.questioned

    heard(ledger, echoed())
    assert order.state is S.WORKING


def test_an_order_that_was_not_found_may_turn_up():
    """Evidence beats the absence of evidence."""
    gone = OrderNotFound(ts_recv_ns=5, order_key="k1", evidence="two lists")
    ledger = after(frame(), doubted(), gone)
    order = ledger.orders.of("k1")
    assert order is not None
    assert order.state is S.NOT_FOUND
    assert ledger.orders.at_risk == []

    heard(ledger, echoed())

    assert order.state is S.WORKING
    assert ledger.orders.at_risk == [order]


def test_our_key_beats_the_id():
    """The same id under another key is somebody else's order, and is not counted as ours."""
    ledger = after(frame(), echoed("theirs", order_id=11), execution(order_ref="theirs", quantity=100))

    order = ledger.orders.of("k1")
    assert order is not None
    assert order.state is S.SENT
    assert order.filled == 0
    assert ledger.orders.anomalies > 0


def test_our_key_under_other_numbers_is_ours_by_a_permid_we_know():
    """A person may bind our order to another client, which renumbers it; the permId is the account's own number."""
    bound = order_after(
        frame(), echoed("k1", perm_id=7), echoed("k1", order_id=-5, client_id=0, perm_id=7, status="Filled")
    )
    assert bound.state is S.FILLED


def test_a_copy_of_our_order_is_not_our_order():
    """A person who copies an order in TWS copies its orderRef; what becomes of the copy does not end ours."""
    copied = order_after(
        frame(), echoed("k1", perm_id=7), echoed("k1", order_id=-6, client_id=0, perm_id=8, status="Filled")
    )
    assert copied.state is S.WORKING
    assert copied.perm_ids == {7}


def test_our_order_with_an_edited_reference_stays_ours():
    """A person may edit the orderRef; the permId that we know says whose it is, and its fill counts."""
    edited = order_after(frame(), echoed("k1", perm_id=7), echoed("mine now", perm_id=7, status="Filled"))
    assert edited.state is S.FILLED


def test_an_order_may_have_several_perm_ids():
    """They are collected, never replaced."""
    assert order_after(frame(), echoed(perm_id=7), echoed(perm_id=8), status(perm_id=0)).perm_ids == {7, 8}


def test_a_completed_order_without_ids_is_found_by_our_key():
    """The text protocol names neither order nor client there."""
    order = order_after(
        frame(),
        echoed("k1", order_id=0, client_id=0, kind=CompletedOrderReported, status="Cancelled", completed_status="why"),
    )

    assert (order.state, order.detail) == (S.CANCELLED, "why")


def test_the_orders_of_others_are_seen_and_not_ours():
    """They are shown as foreign, and hold no risk of ours."""
    ledger = after(echoed("", order_id=400, client_id=7, perm_id=99), intent=False)

    view = ledger.orders.views()[0]
    assert (view.foreign, view.order_key, view.state) == (True, "perm:99", "working")
    assert ledger.orders.at_risk == []


def test_the_orders_of_others_are_bounded():
    """An account with many strangers does not fill our memory."""
    ledger = Ledger(shipped(), 1)
    for number in range(1_500):
        heard(ledger, echoed("", order_id=number, client_id=7, perm_id=number + 1))

    assert len(ledger.orders.views()) <= 1_000


def test_a_foreign_order_is_one_order_though_its_completion_names_no_client():
    """The text protocol leaves client and order id out of completed orders: permId ties them together."""
    done = echoed("", order_id=0, client_id=0, perm_id=99, kind=CompletedOrderReported, status="Cancelled")
    ledger = after(echoed("", order_id=400, client_id=7, perm_id=99), done, intent=False)

    assert [(view.order_id, view.state) for view in ledger.orders.views()] == [(400, "cancelled")]


def test_statuses_of_orders_nobody_showed_us_are_recorded_once():
    """Gateways send statuses of the day's dead orders before every list of completed ones."""
    world = World().ready()
    for _ in range(20):
        for number in range(22):
            world.say(status(300 + number, perm_id=500 + number, client_id=9, status="Cancelled"))

    assert len(world.facts(OrderStatusReported)) == 22


def test_an_echo_that_repeats_is_no_news():
    """Fifty identical statuses are one record."""
    world = World().ready()
    order = world.working()
    for _ in range(50):
        world.say(status(order.order_id, perm_id=7011))
        world.say(echoed("k1", order.order_id, perm_id=7011))

    assert len(world.facts(OrderStatusReported)) == 1
    assert len(world.facts(OpenOrderReported)) == 1


def test_an_id_used_twice_is_our_defect():
    """The fills of two orders would land on one."""
    ledger = after()

    with pytest.raises(AssertionError, match="was used before"):
        ledger.record(intended("k2", order_id=11), Outbox())


# --- Confluence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "state", "filled"),
    [
        (FILLED, S.FILLED, 100),
        (CANCELLED, S.CANCELLED, 60),
        (REJECTED, S.REJECTED, 0),
        (IN_DOUBT_FILLED, S.FILLED, 100),
    ],
    ids=["filled", "cancelled", "rejected", "doubted"],
)
def test_any_order_of_messages_ends_in_the_same_state(story: list[Event], state: OrderState, filled: int):
    """Every permutation, with repeats, of one order's messages: same state, same quantity, same commission."""
    plain = order_after(*story)
    assert (plain.state, plain.filled) == (state, filled)

    @settings(max_examples=150, deadline=None)
    @given(st.permutations(story), st.lists(st.sampled_from(story), max_size=6))
    def shuffled(messages: Sequence[Event], repeats: list[Event]) -> None:
        order = order_after(*messages, *repeats)
        assert (order.state, order.filled, order.paid, order.commission) == (
            plain.state,
            plain.filled,
            plain.paid,
            plain.commission,
        )
        assert not order.suspect

    shuffled()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FILLED + CANCELLED + REJECTED + [doubted(), code(399)]), max_size=30))
def test_the_fold_over_the_journal_is_what_was_known_live(story: list[Event]):
    """A restart finds the same orders: state, fills, commissions, permIds, cancels asked for, questions."""
    out = Outbox()
    live = Ledger(shipped(), 1)
    for event in (OPENED, intended(), *story):
        heard(live, event, out)

    again = Ledger(shipped(), 1)
    for append in out.appends:
        again.recover(append.seq, append.event)

    assert again.orders.views() == live.orders.views()
    assert again.executions.views() == live.executions.views()
    assert again.order_ids.last == live.order_ids.last
    assert again.records.last_seq == live.records.last_seq

    more = Outbox()
    again.tell_untold(9, more)
    assert more.appends == []  # what was told is not told again


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FILLED + CANCELLED + REJECTED + [doubted()]), max_size=20))
def test_terminal_stays_terminal_whatever_is_said(story: list[Event]):
    """Once filled, cancelled or rejected, only a fill or a reason changes it, and it never holds risk again."""
    ledger = after()
    order = ledger.orders.of("k1")
    assert order is not None
    for event in story:
        before = order.state
        heard(ledger, event)
        if before in TERMINAL:
            assert order.state in TERMINAL
        if before is S.FILLED:
            assert order.state is S.FILLED


# --- What is told --------------------------------------------------------------------------------------------------


def statements(out: Outbox) -> list[OrderChanged]:
    return [append.event for append in out.appends if isinstance(append.event, OrderChanged)]


def test_a_change_of_an_order_is_told_behind_the_record_that_made_it():
    """In full, with the record's own time, under the next number."""
    out = Outbox()
    ledger = after(frame())

    seq = ledger.record(execution(quantity=40, ts_recv_ns=77), out)

    assert [append.seq for append in out.appends] == [seq, seq + 1]
    (told,) = statements(out)
    assert (told.ts_recv_ns, told.order_key, told.state, told.filled, told.remaining) == (77, "k1", "working", 40, 60)
    assert (told.terms.instrument, told.average_price, told.perm_ids, told.actor) == (SPY, 500.1, (7001,), "desk")


def test_what_changes_nothing_is_not_told():
    """A cancel's frame is a fact, and the order is what it was."""
    out = Outbox()
    ledger = after(frame(), echoed())

    ledger.record(frame(cancel=True), out)

    assert statements(out) == []


def test_every_restart_tells_what_the_last_life_could_not():
    """A crash between a fact and its statement: the next start tells it, once."""
    out = Outbox()
    live = Ledger(shipped(), 1)
    for event in (OPENED, intended(), *FILLED):
        heard(live, event, out)
    for length in range(len(out.appends) + 1):
        again = Ledger(shipped(), 1)
        for append in out.appends[:length]:
            again.recover(append.seq, append.event)
        cut = length > 0 and length < len(out.appends) and isinstance(out.appends[length].event, OrderChanged)
        for times in (1, 0):
            more = Outbox()
            again.tell_untold(9, more)
            assert len(more.appends) == (times if cut else 0)


def test_an_orderref_of_others_names_no_order():
    """People give one to a whole strategy: two of their orders are two orders all the same."""
    ledger = after(
        echoed("strategy", order_id=400, client_id=7, perm_id=98),
        echoed("strategy", order_id=401, client_id=7, perm_id=99),
        intent=False,
    )

    assert [view.order_key for view in ledger.orders.views()] == ["perm:99", "perm:98"]


def test_a_status_that_names_nothing_but_its_perm_id_is_our_orders():
    """A gateway that was restarted has been seen to forget client and order id; the account's number stays."""
    order = order_after(frame(), echoed(perm_id=7001), status(0, client_id=0, perm_id=7001, status="Cancelled"))

    assert order.state is S.CANCELLED


def test_views_show_every_order_at_risk_however_old():
    """An order that works for weeks does not fall out of the picture behind those that ended."""
    ledger = Ledger(shipped(), 1)
    heard(ledger, OPENED)
    for number in range(600):
        heard(ledger, intended(f"k{number}", order_id=number + 1, ts_recv_ns=number * SECOND))
        if number:
            heard(ledger, status(number + 1, status="Cancelled"))

    views = ledger.orders.views()
    assert "k0" in [view.order_key for view in views]
    assert views[0].order_key == "k599"
    assert views[0].instrument == SPY.key
    assert len(views) < 600
