"""Ticks into quotes: one per batch, honest about its kind, tolerant of what gateways write."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.events import Quote, Source, Trade
from ibkr_adapter.requests import SetDataType, SubscribeQuotes
from tests.core.world import START_NS, World

LIVE = {1: "bid", 2: "ask", 4: "last", 6: "high", 7: "low", 9: "close", 14: "open"}
DELAYED = {66: "bid", 67: "ask", 68: "last", 72: "high", 73: "low", 75: "close", 76: "open"}


@pytest.fixture
def world() -> World:
    world = World()
    world.connect()
    return world


def last(world: World) -> Quote:
    return world.told(Quote)[-1]


@pytest.mark.parametrize(("field", "name"), [*LIVE.items(), *DELAYED.items()])
def test_a_price_lands_in_its_field(world: World, field: int, name: str):
    """Live and delayed numbers name the same fields of a quote."""
    world.tell(world.price(field, 123.45))

    assert getattr(last(world), name) == 123.45


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (0, "bid_size"),
        (3, "ask_size"),
        (5, "last_size"),
        (8, "volume"),
        (69, "bid_size"),
        (70, "ask_size"),
        (71, "last_size"),
        (74, "volume"),
    ],
)
def test_a_size_lands_in_its_field(world: World, field: int, name: str):
    """Sizes keep the precision IB gave them."""
    world.tell(world.size(field, "0.0001"))

    assert getattr(last(world), name) == Decimal("0.0001")


def test_a_batch_makes_one_quote(world: World):
    """Bid, ask and sizes that come together go out together."""
    before = len(world.told(Quote))

    world.tell(
        world.price(1, 500.0), world.size(0, "3"), world.price(2, 500.1), world.size(3, "4"), world.price(1, 500.01)
    )

    quotes = world.told(Quote)[before:]
    assert len(quotes) == 1
    assert (quotes[0].bid, quotes[0].ask, quotes[0].bid_size, quotes[0].ask_size) == (500.01, 500.1, 3, 4)


def test_a_price_that_is_gone_is_none(world: World):
    """An emptied side shows nothing rather than its last price."""
    world.tell(world.price(1, 500.0))

    world.tell(world.price(1, None))

    assert last(world).bid is None


@pytest.mark.parametrize(
    ("reported", "source"),
    [(1, Source.LIVE), (2, Source.FROZEN), (3, Source.DELAYED), (4, Source.DELAYED_FROZEN), (9, Source.UNKNOWN)],
)
def test_message_58_names_the_source(world: World, reported: int, source: Source):
    """Every quote carries what the gateway said its data is."""
    world.tell(world.data_type(reported), world.price(1, 500.0))

    assert last(world).source is source


def test_delayed_numbers_prove_themselves(world: World):
    """Where message 58 is missing, or says live, a delayed field is delayed all the same."""
    world.tell(world.price(66, 500.0))
    assert last(world).source is Source.DELAYED

    world.tell(world.data_type(1), world.price(1, 500.0))
    world.tell(world.price(66, 500.0))
    assert last(world).source is Source.DELAYED


def test_the_source_of_a_new_subscription_is_unknown(world: World):
    """What the last session's data was says nothing of this one's."""
    world.quote()
    assert last(world).source is Source.LIVE

    world.reconnect()
    world.tell(world.price(1, 500.0))

    assert last(world).source is Source.UNKNOWN


def test_a_halt_and_its_end(world: World):
    """Tick 49: 1 and 2 are halts, 0 is none."""
    for value, halted in ((1.0, True), (2.0, True), (0.0, False)):
        world.tell(world.value(49, value))
        assert last(world).halted is halted


def test_the_time_of_the_last_trade_is_the_event_time(world: World):
    """Tick 45 in whole seconds, 88 for delayed data."""
    world.tell(world.text(45, "1700000000"))
    assert last(world).ts_event_ns == 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("text", "price", "size", "single"),
    [
        ("701.28;1.00;1348075471534;67854;701.46918464;true", 701.28, Decimal("1.00"), True),
        (";0;1348075476533;67854;701.46918464;false", None, Decimal(0), False),
        ("701.28;0.0000000000000000;1348075471534;67854.0000000000000000;701.46;false", 701.28, Decimal(0), False),
        ("x;y;1348075471534;67854;701.46918464;true", None, None, True),
    ],
)
def test_a_trade_print_is_read_tolerantly(
    world: World, text: str, price: float | None, size: Decimal | None, single: bool
):
    """Price and size may be empty; a number that cannot be read is no number, and the print is kept."""
    world.tell(world.text(48, text))

    trade = world.told(Trade)[0]
    assert (trade.price, trade.size, trade.single) == (price, size, single)
    assert trade.total_volume == 67854
    assert trade.ts_event_ns % SECOND in (534 * MILLISECOND, 533 * MILLISECOND)


@pytest.mark.parametrize("text", ["", ";;;;;", "1;2;3", "1;2;x;4;5;true", "1;2;3;4;5;true;7"])
def test_a_print_that_is_none_is_dropped(world: World, text: str):
    """Without a time or the six parts there is nothing to tell."""
    world.tell(world.text(48, text))

    assert world.told(Trade) == []


def test_every_print_of_a_batch_is_told(world: World):
    """Quotes conflate, trades do not; each carries the kind of data it is."""
    prints = [world.text(48, f"500;{n};134807547153{n};1;1;true") for n in range(5)]

    world.tell(world.data_type(3), *prints)

    trades = world.told(Trade)
    assert [trade.size for trade in trades] == [0, 1, 2, 3, 4]
    assert {trade.source for trade in trades} == {Source.DELAYED}


def test_the_kind_of_data_is_chosen_before_the_first_subscription(world: World):
    """The choice holds for later subscriptions only."""
    kinds = [type(request) for request in world.sent]

    assert kinds.index(SetDataType) < kinds.index(SubscribeQuotes)


def test_a_quote_carries_when_it_was_received(world: World):
    """The stamp is of the bytes, not of the publishing."""
    world.wait(SECOND)
    tick = world.price(1, 500.0)
    world.wait(SECOND)

    world.tell(tick)

    assert last(world).ts_recv_ns == START_NS + SECOND


# --- Kinds never mix ----------------------------------------------------------------------------------------------


def test_a_new_subscription_starts_from_an_empty_quote(world: World):
    """The ask of the last session may be hours old: beside a fresh bid it would pass for a market."""
    world.quote(500.0, 500.1)
    world.reconnect()
    assert world.engine.snapshot(world.now_ns).quotes == {}

    world.tell(world.data_type(1), world.price(1, 510.0))

    assert (last(world).bid, last(world).ask) == (510.0, None)


def test_delayed_prices_do_not_stay_behind_under_the_live_label(world: World):
    """The stream turns live: what is not said again is gone."""
    world.tell(world.data_type(3), world.price(66, 490.0), world.price(67, 490.1), world.size(69, "3"))

    world.tell(world.data_type(1), world.price(1, 500.0))

    assert (last(world).source, last(world).bid, last(world).ask) == (Source.LIVE, 500.0, None)
    assert last(world).bid_size is None


@pytest.mark.parametrize("by_message", [True, False])
def test_live_prices_do_not_mix_with_delayed_ones(world: World, by_message: bool):
    """The other way about, whether message 58 says so or a delayed number does."""
    world.quote(500.0, 500.1)
    said = [world.data_type(3)] if by_message else []

    world.tell(*said, world.price(67, 490.1))

    assert (last(world).source, last(world).bid, last(world).ask) == (Source.DELAYED, None, 490.1)


def test_a_frozen_market_keeps_its_last_prices(world: World):
    """Live turns frozen at the close: the same numbers, the same prices."""
    world.quote(500.0, 500.1)
    world.tell(world.data_type(2))

    assert (last(world).source, last(world).bid) == (Source.FROZEN, 500.0)


@pytest.mark.parametrize("text", ["nan;nan;1348075471534;NaN;inf;true", "-inf;sNaN;1348075471534;x;nan;true"])
def test_a_print_of_no_numbers_has_none(world: World, text: str):
    """NaN and infinity are spelled like numbers and are none."""
    world.tell(world.text(48, text))

    trade = world.told(Trade)[0]
    assert (trade.price, trade.size, trade.total_volume, trade.vwap) == (None, None, None, None)


@pytest.mark.parametrize(
    ("field", "text"), [(45, "²"), (45, "-1"), (45, ""), (45, "9" * 5_000), (48, "1;1;²;1;1;true")]
)
def test_a_time_that_is_none_does_no_harm(world: World, field: int, text: str):
    """Digits that are no numbers exist in Unicode, and a frame may hold anything."""
    world.tell(world.text(field, text))

    assert world.told(Trade) == []


def test_the_advice_that_data_is_delayed_labels_the_quote():
    """10167 comes before the first delayed tick, and where message 58 is missing it is the only word of it."""
    world = World().ready()

    world.notice(10167, req_id=world.stream_id(), text="displaying delayed market data")

    assert (last(world).source, last(world).bid, last(world).ask) == (Source.DELAYED, None, None)
    world.tell(world.data_type(4))
    world.notice(10167, req_id=world.stream_id(), text="displaying delayed market data")
    assert last(world).source is Source.DELAYED_FROZEN


def test_a_time_beyond_64_bits_is_no_time():
    """Milliseconds where seconds belong would otherwise stop every store that keeps nanoseconds in 64 bits."""
    world = World().ready()
    world.tell(world.text(45, "1795357800123"))
    assert world.engine.snapshot(world.now_ns).quotes["SPY"].ts_event_ns is None
    world.tell(world.text(45, "1795357800"))
    assert world.engine.snapshot(world.now_ns).quotes["SPY"].ts_event_ns == 1_795_357_800_000_000_000
