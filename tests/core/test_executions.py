"""Each fill once, whoever brings it and however often."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.core.trading.executions import Executions, base_id, revision
from ibkr_adapter.events import CommissionReported, ExecutionReported, LossCause
from ibkr_adapter.requests import RequestExecutions
from tests.core.world import World, echoed, execution
from tests.records import commission


@pytest.fixture
def world() -> World:
    world = World().ready()
    world.working()
    return world


@pytest.mark.fault("A23")
def test_a_fill_told_twice_is_counted_once(world: World):
    """Live, and again when executions are asked for."""
    world.say(execution(quantity=40))
    world.say(execution(quantity=40, req_id=1_000_000_007))

    assert world.order().filled == 40
    assert len(world.facts(ExecutionReported)) == 1
    assert world.engine.snapshot(world.now_ns).counters["executions_duplicate"] == 1


def test_a_correction_replaces_what_it_corrects(world: World):
    """The same id with a higher number behind the last dot: quantity and price are the new ones."""
    world.say(execution("0000e0d5.6.01.01", quantity=40, price=500.0))
    world.say(execution("0000e0d5.6.01.02", quantity=30, price=510.0))

    order = world.order()
    assert order.filled == 30
    assert order.paid == 30 * 510
    assert len(world.facts(ExecutionReported)) == 2
    assert [view.exec_id for view in world.engine.snapshot(world.now_ns).executions] == ["0000e0d5.6.01.02"]


def test_an_older_revision_that_comes_late_is_ignored(world: World):
    """Revisions are compared as numbers, not by arrival: ten is more than nine."""
    world.say(execution("0000e0d5.6.01.10", quantity=30))
    world.say(execution("0000e0d5.6.01.9", quantity=40))

    assert world.order().filled == 30


def test_two_fills_add_up(world: World):
    """Different ids are different fills, though their terms are equal."""
    world.say(execution("0000e0d5.6.01.01", quantity=40))
    world.say(execution("0000e0d5.7.01.01", quantity=40))

    assert world.order().filled == 80
    assert world.order().state == "working"


def test_the_same_id_in_two_accounts_is_two_fills():
    """The account is part of an execution's identity."""
    executions = Executions()
    executions.apply(execution(account="DU1"), "k1")

    assert executions.is_news(execution(account="DU2"))


def test_a_commission_may_come_before_its_execution(world: World):
    """It waits, and joins."""
    world.say(commission(amount="1.05"))
    world.say(execution(quantity=100))

    assert world.order().commission == Decimal("1.05")
    assert world.engine.snapshot(world.now_ns).executions[0].commission == Decimal("1.05")


def test_commissions_of_an_order_add_up_and_repeats_do_not(world: World):
    """Reports repeat with every list of executions."""
    for exec_id in ("0000e0d5.6.01.01", "0000e0d5.7.01.01"):
        world.say(execution(exec_id, quantity=50))
        world.say(commission(exec_id, amount="0.50"))
        world.say(commission(exec_id, amount="0.50"))

    assert world.order().commission == Decimal("1.00")
    assert len(world.facts(CommissionReported)) == 2


def test_commissions_without_an_execution_are_bounded_and_counted():
    """A gateway that reports commissions of fills nobody tells does not fill our memory."""
    executions = Executions()
    for number in range(Executions.COMMISSIONS_KEPT + 5):
        executions.apply_commission(commission(f"0000e0d5.{number}.01.01"))

    assert executions.commissions_dropped == 5


def test_a_fill_of_nobody_we_know_is_kept_all_the_same(world: World):
    """Another client's fill is a fact about the account: recorded once, counted for no order of ours."""
    world.say(execution("0000e0d5.8.01.01", order_id=77, client_id=9, perm_id=5, order_ref="theirs"))
    world.say(execution("0000e0d5.8.01.01", order_id=77, client_id=9, perm_id=5, order_ref="theirs"))

    assert world.order().filled == 0
    assert len(world.facts(ExecutionReported)) == 1


def test_a_fill_of_a_dead_session_counts(world: World):
    """It is true whoever brings it."""
    late = world.present(execution(quantity=100))
    world.lose(LossCause.RESET)

    world.tell(late)

    assert world.order().state == "filled"


def test_a_fill_missed_while_the_link_was_down_comes_with_the_list(world: World):
    """The executions of the day are asked for at every session's start."""
    world.lose()
    world.lists[RequestExecutions] = [execution(quantity=100)]

    world.connect()

    assert world.order().state == "filled"
    assert world.order().filled == 100


@pytest.mark.parametrize(
    ("exec_id", "base", "number"),
    [
        ("0000e0d5.65a1b2c3.01.01", "0000e0d5.65a1b2c3.01", 1),
        ("0000e0d5.65a1b2c3.01.02", "0000e0d5.65a1b2c3.01", 2),
        ("0000e0d5.65a1b2c3.02.01.03", "0000e0d5.65a1b2c3.02.01", 3),
        ("plain", "plain", 0),
        ("0000e0d5.12345678901", "0000e0d5.12345678901", 0),
        ("0000e0d5.12345678901234567890", "0000e0d5.12345678901234567890", 0),
        ("0000e0d5.\u0661", "0000e0d5.\u0661", 0),
        ("123", "123", 0),
        ("0000e0d5.65a1b2c3.ab", "0000e0d5.65a1b2c3.ab", 0),
        ("", "", 0),
    ],
)
def test_an_id_is_a_base_and_a_revision(exec_id: str, base: str, number: int):
    """A leg of a combination has a fifth part; the last is the revision all the same."""
    assert (base_id(exec_id), revision(exec_id)) == (base, number)


FILLS = [
    execution(f"0000e0d5.{fill}.01.0{number}", quantity=10 * fill + number, price=500.0 + number)
    for fill in (1, 2, 3)
    for number in (1, 2)
]


def test_ids_without_a_revision_are_fills_of_their_own():
    """What follows no pattern must not fall together: a fill would be lost."""
    executions = Executions()
    for exec_id in ("1001", "1002", "a.b.c1", "a.b.c2"):
        fill = execution(exec_id)
        assert executions.is_news(fill)
        executions.apply(fill, "k1")

    assert len(executions) == 4


@given(st.permutations(FILLS + FILLS))
def test_any_order_and_repetition_of_fills_comes_to_the_same(fills: list[ExecutionReported]):
    """The latest revision of each fill counts, once."""
    executions = Executions()
    for fill in fills:
        if executions.is_news(fill):
            executions.apply(fill, "k1")

    assert sum(view.quantity for view in executions.views()) == 12 + 22 + 32
    assert len(executions) == 3


def test_fills_name_the_state_of_their_order(world: World):
    """A part makes it work on, the last share fills it, and quantities come from fills alone."""
    world.say(execution("0000e0d5.6.01.01", quantity=60))
    assert world.order().state == "working"
    world.say(execution("0000e0d5.7.01.01", quantity=40))
    assert world.order().state == "filled"
    world.say(echoed("k1", status="Submitted"))
    assert world.order().state == "filled"
