"""The desk in virtual time is a desk: it connects, has prices, sends orders, and takes no time for it."""

from __future__ import annotations

from ibkr_adapter.requests import SendOrder
from tests.faults.virtual_desk import VirtualDesk


def test_it_connects_and_has_prices_of_everything_wanted():
    """The real encoders and decoders carry both sides to ready, and ticks to quotes."""
    desk = VirtualDesk().ready()

    assert set(desk.engine.market.quotes()) == {"SPY", "QQQ"}
    assert desk.gate() == []


def test_an_order_reaches_the_simulated_exchange_and_is_filled():
    """Intent, journal, frame, acknowledgement and fill, without a socket."""
    desk = VirtualDesk().ready()

    key = desk.place()
    desk.run(5)

    assert desk.replies[key].accepted, desk.replies[key].reasons
    assert len(desk.sent(SendOrder)) == 1
    assert desk.engine.ledger.orders.of(key).filled == 10


def test_equal_seeds_give_equal_days():
    """Whatever is told twice in the same way happens twice in the same way."""

    def day() -> list[str]:
        desk = VirtualDesk(scenario="link-lost-data-lost").ready()
        desk.run(60)
        return [repr(event) for event in desk.published]

    assert day() == day()
