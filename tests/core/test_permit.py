"""Every reason against sending an order, each by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import Capability, Limits
from ibkr_adapter.core.records import Records
from ibkr_adapter.effects import JournalFailed
from ibkr_adapter.events import GateChanged, OrderIntended
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    RequestCompletedOrders,
    RequestContractDetails,
    RequestCurrentTime,
    RequestExecutions,
    SendOrder,
)
from tests.core.world import QQQ, World, codes, echoed, execution, place

READ_ONLY = frozenset({Capability.MARKET_DATA, Capability.ACCOUNT})
LIMITS = Limits(
    order_quantity_shares=Decimal(1_000),
    order_notional_usd=Decimal(100_000),
    open_orders=3,
    price_collar_percent=Decimal(5),
)


def refused(world: World, key: str = "k1", **fields: Any) -> list[str]:
    """The reasons against this order; nothing of it may have been sent."""
    before = len(world.requests(SendOrder))
    outcome = world.place(key, **fields)
    assert outcome is not None
    assert not outcome.accepted
    assert len(world.requests(SendOrder)) == before
    return codes(outcome.reasons)


@pytest.fixture
def world() -> World:
    return World(limits=LIMITS).ready()


def test_a_good_order_has_no_reason_against_it(world: World):
    """The ground on which every other test stands."""
    outcome = world.place()

    assert outcome is not None
    assert outcome.accepted
    assert world.gate() == []


def test_a_component_without_the_capability_sends_nothing():
    """The right to send orders belongs to the component."""
    assert refused(World(limits=LIMITS, capabilities=READ_ONLY).ready()) == ["capability"]


def test_trading_is_off_until_switched_on():
    """The switch is apart from the capability."""
    assert refused(World(limits=LIMITS, trading=False).ready()) == ["trading_off"]


def test_no_order_leaves_before_the_link_is_ready(world: World):
    """Down, connecting, identifying, reconciling: each refuses."""
    world.lose()
    assert "link" in refused(world)
    world.silent.add(RequestExecutions)
    world.connect()
    assert "link" in refused(world, "k2")


def test_no_order_leaves_while_the_upstream_is_lost(world: World):
    """The gateway might send it later, when nobody means it any more."""
    world.notice(1100)
    assert "upstream" in refused(world)

    world.notice(1102)
    world.settle()
    world.quote()
    assert world.place("k2", limit_price=Decimal("500.05")).accepted  # type: ignore[union-attr]


def test_a_list_without_its_end_closes_the_gate():
    """What is at risk is not known for certain, and the gate says which list it is."""
    world = World(limits=LIMITS)
    world.silent.add(RequestCompletedOrders)
    world.connect()
    world.wait(30 * SECOND)

    assert world.engine.link.ready
    assert world.gate() == ["unconfirmed"]


def test_a_failed_journal_closes_the_gate_for_good(world: World):
    """A sync that failed is not tried again."""
    world.tell(JournalFailed(detail="no space left"))

    assert refused(world) == ["journal"]


def test_a_disk_that_falls_behind_closes_the_gate(world: World):
    """Until it has caught up."""
    world.working()
    world.disk_works = False
    for number in range(Records.UNSAFE_MAX):
        world.notice(399, req_id=world.order().order_id, text=str(number))

    assert world.gate() == ["journal_behind"]
    world.disk_works = True
    world.settle()
    assert world.gate() == []


def test_an_expired_command_is_refused_and_not_sent_late(world: World):
    """The moment of expiry itself is too late."""
    assert refused(world, expires_in_ns=0) == ["expired"]


def test_an_instrument_without_details_is_refused(world: World):
    """What IB did not describe is not traded."""
    reasons = refused(world, instrument=QQQ)

    assert reasons == ["instrument", "reference"]


def test_an_instrument_that_ib_does_not_know_says_so():
    """The refusal of contract details is the reason that the trader reads."""
    nope = Instrument(symbol="NOPE")
    world = World(limits=LIMITS, instruments=(nope,))
    world.silent.add(RequestContractDetails)
    world.connect()
    asked = world.requests(RequestContractDetails)[0]
    world.notice(200, req_id=asked.req_id, text="No security definition")

    outcome = world.place(instrument=nope)

    assert outcome is not None
    assert outcome.reasons[0].text == "NOPE: No security definition"


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5"])
def test_a_quantity_is_a_whole_number_of_shares(world: World, quantity: str):
    """Nothing else goes out."""
    assert refused(world, quantity=Decimal(quantity)) == ["quantity"]


def test_an_account_of_somebody_else_is_refused(world: World):
    """The session names its accounts."""
    assert refused(world, account="DU2") == ["account"]


def test_the_only_account_is_filled_in(world: World):
    """Where there is one, it need not be said."""
    world.place(account="")

    assert world.requests(SendOrder)[0].terms.account == "DU1"


def test_of_several_accounts_one_must_be_named():
    """We do not choose whose money it is."""
    world = World(limits=LIMITS)
    world.accounts = ("DU1", "DU2")
    world.ready()

    assert refused(world, account="") == ["account"]


@pytest.mark.parametrize("price", [None, Decimal(0), Decimal(-1)])
def test_a_limit_order_needs_a_price(world: World, price: Decimal | None):
    """None, nothing and less than nothing are no prices."""
    assert refused(world, limit_price=price) == ["price"]


def test_a_market_order_has_no_price(world: World):
    """A price that would be ignored is a misunderstanding."""
    command = place(now_ns=world.now_ns, order_type="MKT")
    world.tell(command)

    assert codes(world.replies[command.command_id].reasons) == ["price"]


def test_a_price_off_the_tick_is_refused(world: World):
    """Contract details say the tick."""
    assert refused(world, limit_price=Decimal("500.105")) == ["tick"]


@pytest.mark.parametrize("price", ["474.99", "525.12"])
def test_a_price_far_from_the_market_is_refused(world: World, price: str):
    """Five percent from the side it would take, above or below: somebody's finger slipped."""
    assert refused(world, limit_price=Decimal(price)) == ["collar"]


def test_the_edge_of_the_collar_is_inside(world: World):
    """Exactly five percent away is not more than five percent away."""
    world.quote(499.0, 500.0)

    outcome = world.place(limit_price=Decimal("475.00"))

    assert outcome is not None
    assert outcome.accepted


def test_the_reference_is_the_side_that_the_order_takes(world: World):
    """A buyer pays the ask, a seller gets the bid."""
    world.quote(499.0, 501.0)
    world.place("k1", market=True)
    world.place("k2", market=True, sell=True)

    assert [intent.reference_price for intent in world.facts(OrderIntended)] == [501, 499]


@pytest.mark.parametrize(
    ("bid", "ask"), [(500.0, None), (None, 500.1), (500.2, 500.1), (500.0, 0.01), (500.0, 0.0), (400.0, 500.0)]
)
def test_a_quote_of_no_two_sane_sides_is_no_reference(world: World, bid: float | None, ask: float | None):
    """One-sided, crossed, absurd or too wide: it would let anything through the limits."""
    world.tell(world.price(1, bid), world.price(2, ask), world.price(4, 500.07))

    assert refused(world, market=True) == ["reference"]


def test_a_halted_instrument_has_no_reference(world: World):
    """What was quoted before the halt is not what it will trade at."""
    world.tell(world.value(49, 1.0))

    assert refused(world, market=True) == ["reference"]


def test_the_same_market_order_twice_is_one_order_even_if_the_first_is_filled(world: World):
    """Liquid market orders fill at once: exactly those are sent twice by a double click."""
    first = world.working(market=True)
    world.say(execution(quantity=100, order_id=first.order_id, perm_id=7000 + first.order_id))
    assert world.order().state == "filled"

    assert codes(world.place("k2", market=True).reasons) == ["repeat"]  # type: ignore[union-attr]
    world.wait(SECOND)
    world.quote()
    assert world.place("k3", market=True).accepted  # type: ignore[union-attr]


def test_a_silent_gateway_closes_the_gate_until_it_speaks(world: World):
    """A socket that is open proves nothing: nine seconds after its last word no order is sent on its quotes."""
    world.silent.add(RequestCurrentTime)
    world.wait(9 * SECOND)
    assert world.gate() == ["silent"]
    assert refused(world) == ["silent"]

    world.quote()
    assert world.gate() == []


def test_without_a_quote_no_order(world: World):
    """A market order without a reference cannot be held against anything."""
    world.reconnect()

    assert refused(world, market=True) == ["reference"]


def test_an_interrupted_stream_is_no_reference(world: World):
    """The quote is still shown, and no longer proven."""
    world.notice(354, req_id=world.stream_id())

    assert refused(world, market=True) == ["reference"]


def test_a_quote_from_before_a_farm_broke_is_no_reference(world: World):
    """It may have been that farm's; a tick since then shows that it was another's."""
    world.wait(SECOND)
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    assert refused(world, market=True) == ["reference"]

    world.wait(2 * SECOND)
    world.quote()
    assert world.place("k2", market=True).accepted  # type: ignore[union-attr]


def test_an_unchanged_quote_is_a_reference_while_its_line_lives(world: World):
    """Quiet is not stale: an hour without a tick, the heartbeat answered, and the price still counts."""
    world.wait(3600 * SECOND)

    outcome = world.place(market=True)

    assert outcome is not None
    assert outcome.accepted


@pytest.mark.parametrize("data_type", [2, 3, 4])
def test_live_trading_takes_live_data_only(data_type: int):
    """A delayed or frozen price is no price to trade on."""
    world = World(limits=LIMITS, account_kind="live")
    world.accounts = ("U1",)
    world.ready()
    assert world.place("k0", account="U1", market=True).accepted  # type: ignore[union-attr]

    world.tell(world.data_type(data_type), world.price(1, 500.0), world.price(2, 500.1))

    assert refused(world, account="U1", market=True, sell=True) == ["reference"]


@pytest.mark.parametrize("name", LIMITS.__struct_fields__)
def test_a_missing_limit_refuses(name: str):
    """A ceiling that nobody gave is not a ceiling of infinity."""
    world = World(limits=replace(LIMITS, **{name: None})).ready()

    assert refused(world) == ["limit_missing"]


def test_too_many_shares_are_refused(world: World):
    """One above the limit is above the limit."""
    world.quote(1.0, 1.01)

    assert refused(world, quantity=Decimal(1_001), limit_price=Decimal("1.01")) == ["limit_quantity"]


@pytest.mark.parametrize("market", [False, True])
def test_too_much_money_is_refused(world: World, market: bool):
    """Limit price times shares, or the reference where there is no limit."""
    assert refused(world, quantity=Decimal(201), market=market) == ["limit_notional"]


def test_too_many_open_orders_are_refused(world: World):
    """What is in doubt counts: it may be working."""
    for key, price in (("k1", "500.01"), ("k2", "500.02"), ("k3", "500.03")):
        world.place(key, limit_price=Decimal(price))
    world.wait(6 * SECOND)
    assert {world.order(key).state for key in ("k1", "k2", "k3")} == {"in_doubt"}

    assert refused(world, "k4") == ["limit_open_orders"]


def test_the_same_order_twice_within_a_second_is_refused(world: World):
    """A double click has two keys and one meaning."""
    world.place("k1")
    assert refused(world, "k2") == ["repeat"]

    world.wait(SECOND)
    outcome = world.place("k3")
    assert outcome is not None
    assert outcome.accepted


def test_a_stricter_limit_never_admits_more(world: World):
    """Each limit by itself: whatever a smaller one admits, the larger admits too."""
    for quantity in (1, 99, 100, 101, 500):
        admitted = []
        for shares in (50, 100, 200):
            tried = World(
                limits=replace(LIMITS, order_quantity_shares=Decimal(shares), order_notional_usd=Decimal(10**9))
            )
            outcome = tried.ready().place(quantity=Decimal(quantity))
            assert outcome is not None
            admitted.append(outcome.accepted)
        assert admitted == sorted(admitted)


def test_a_change_of_the_gate_is_recorded_once(world: World):
    """The journal says when orders could be sent; saying it again says nothing."""
    world.lose()
    world.connect()
    world.wait(10 * SECOND)

    assert [change.open for change in world.facts(GateChanged)] == [False, True, False, True]


@pytest.mark.parametrize("number", ["NaN", "sNaN", "-NaN", "Infinity", "1E+999999", "1E+13", "1E-400", "0.00000000001"])
@pytest.mark.parametrize(("field", "code"), [("quantity", "quantity"), ("limit_price", "price")])
def test_a_number_that_is_none_is_refused_and_does_no_harm(world: World, field: str, code: str, number: str):
    """Comparing a NaN raises, dividing a giant raises: neither may reach the arithmetic, nor stop the service."""
    assert refused(world, **{field: Decimal(number)}) == [code]


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "1E+999999"])
def test_a_refused_number_is_known_again_after_a_restart(world: World, number: str):
    """What cannot be compared is the same when it is spelled the same."""
    outcome = world.place(quantity=Decimal(number))
    assert outcome is not None
    later = world.restarted()

    later.tell(place(now_ns=later.now_ns, command_id="again", quantity=Decimal(number)))

    assert later.replies["again"].repeated
    assert later.replies["again"].reasons == outcome.reasons


@pytest.mark.parametrize(("field", "word"), [("action", "SSHORT"), ("order_type", "STP"), ("tif", "OPG")])
def test_a_word_that_we_do_not_send_is_refused(world: World, field: str, word: str):
    """Terms are words, because the orders of others are of any kind; ours are of those we know."""
    assert refused(world, **{field: word}) == ["terms"]


def test_equal_numbers_are_equal_terms(world: World):
    """The same order spelled with another exponent is the same order."""
    world.place(quantity=Decimal("1E+2"))
    again = place(now_ns=world.now_ns, command_id="again", quantity=Decimal("100.0"))
    world.tell(again)

    assert world.replies["again"].accepted


def test_a_key_of_another_order_is_refused_and_leaves_that_order_alone(world: World):
    """Two orders under one key could not be told apart; the first is on its way and stays on it."""
    world.disk_works = False
    world.place()
    command = place(now_ns=world.now_ns, command_id="again", idempotency_key="other", quantity=Decimal(7))
    world.tell(command)

    assert codes(world.replies["again"].reasons) == ["order_key"]
    assert world.order().state == "intended"
    world.disk_works = True
    world.settle()
    assert world.order().state == "sent"


def test_used_up_order_ids_refuse_and_do_not_stop_the_service(world: World):
    """A person must reset the sequence, and prices flow on."""
    world.say(echoed("", order_id=999_999_999, perm_id=99))

    assert refused(world) == ["order_ids"]


def test_an_enormous_id_of_another_client_does_not_use_ours_up(world: World):
    """Some programs number their orders by the clock."""
    world.say(echoed("", order_id=999_999_999, client_id=7, perm_id=99))

    assert world.place().accepted  # type: ignore[union-attr]
