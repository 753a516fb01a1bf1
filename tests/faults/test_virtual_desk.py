"""The desk in virtual time is a desk: it connects, has prices, sends orders, and takes no time for it."""

from __future__ import annotations

from ibkr_adapter.requests import SendOrder
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.actions.sockets import StallReading


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


def test_messages_count_from_when_they_were_written():
    """What waited for a gateway that did not read leaves at once when it does, and no second has too many of it."""
    desk = VirtualDesk(kernel_bytes=0, document={"pacing": {"messages_max": 10}}).ready()
    desk.run(61)
    desk.gateways["primary"].director.do(StallReading(for_s=1.5))
    for order in range(20):
        desk.place(quantity=1 + order)
        if order == 9:
            desk.run(1.25)
    desk.run(10)

    assert len(desk.opens) == 1
    assert len(desk.sent(SendOrder)) == 20
    assert desk.most_in_a_second() == 10
