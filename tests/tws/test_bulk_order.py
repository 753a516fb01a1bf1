"""What kind of data ticks are is told in its place among them."""

from __future__ import annotations

from ibapi.common import TickAttrib

from ibkr_adapter.events import DataTypeReported, PriceTick
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.mailbox import Mailbox


def test_a_change_of_data_type_stays_between_the_ticks_it_parts() -> None:
    """Delayed before, live behind: control is drained first, so the message that parts them is not control."""
    callbacks = Callbacks(1)
    callbacks.now_ns = 5
    callbacks.tickPrice(7, 66, 10.0, TickAttrib())
    callbacks.marketDataType(7, 1)
    callbacks.tickPrice(7, 1, 11.0, TickAttrib())
    mailbox = Mailbox(lambda: None)
    mailbox.put(callbacks.control, callbacks.bulk)
    assert [type(event) for event in mailbox.drain(100)] == [PriceTick, DataTypeReported, PriceTick]


def test_a_full_mailbox_keeps_the_kind_of_data() -> None:
    """Compaction keeps the last of each field, and the last word on what kind they are."""
    callbacks = Callbacks(1)
    for price in range(100):
        callbacks.tickPrice(7, 1, float(price + 1), TickAttrib())
    callbacks.marketDataType(7, 3)
    mailbox = Mailbox(lambda: None, bulk_max=50)
    mailbox.put(callbacks.control, callbacks.bulk)
    drained = mailbox.drain(100)
    assert [event for event in drained if isinstance(event, DataTypeReported)]
    assert [event.price for event in drained if isinstance(event, PriceTick)] == [100.0]
