"""What the ticks of a quote mean, message by message, in text and in protobuf."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.events import PriceTick, SizeTick, Tick, ValueTick
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.decoding import FrameDecoder
from ibkr_adapter.tws.progress import Counters
from tests.tws.scripted_gateway import VERSIONS, Wire

pytestmark = [pytest.mark.wire, pytest.mark.parametrize("version", VERSIONS)]


def said(version: int, *frames: bytes) -> list[Tick]:
    callbacks = Callbacks(1)
    decoder = FrameDecoder(callbacks, version, Counters())
    for frame in frames:
        decoder.decode(frame[4:])
    return callbacks.bulk


def price(field: int, value: float | None) -> PriceTick:
    return PriceTick(epoch=1, ts_recv_ns=0, req_id=9, field=field, price=value)


def size(field: int, value: Decimal | None) -> SizeTick:
    return SizeTick(epoch=1, ts_recv_ns=0, req_id=9, field=field, size=value)


def test_a_price_and_its_size_are_two_ticks(version: int) -> None:
    """Bid, ask and last carry their size; high and low do not."""
    wire = Wire(version)
    assert said(version, wire.tick_price(9, 1, 10.25, "300")) == [price(1, 10.25), size(0, Decimal(300))]
    assert said(version, wire.tick_price(9, 6, 10.25, "300")) == [price(6, 10.25)]


def test_minus_one_is_no_price(version: int) -> None:
    """How IB says that there is no bid."""
    wire = Wire(version)
    assert said(version, wire.tick_price(9, 1, -1.0, "0"))[0] == price(1, None)


def test_zero_is_no_price_when_its_size_is_zero(version: int) -> None:
    """An emptied side of the book is 0 for 0; 0 for something is a price."""
    wire = Wire(version)
    assert said(version, wire.tick_price(9, 2, 0.0, "0")) == [price(2, None), size(3, Decimal(0))]
    assert said(version, wire.tick_price(9, 2, 0.0, "5")) == [price(2, 0.0), size(3, Decimal(5))]


def test_a_size_of_zero_leaves_the_price_of_another_message_alone(version: int) -> None:
    """Only the zero that belongs to the very same message takes its price back."""
    wire = Wire(version)
    ticks = said(version, wire.tick_price(9, 9, 0.0), wire.tick_size(9, 3, "0"))
    assert ticks == [price(9, 0.0), size(3, Decimal(0))]
    assert said(version, wire.tick_size(9, 3, "0")) == [size(3, Decimal(0))]


def test_a_price_without_a_size_says_nothing_about_the_size(version: int) -> None:
    """A size that is not there must not replace the one that was."""
    assert said(version, Wire(version).tick_price(9, 1, 10.25)) == [price(1, 10.25)]


def test_values_that_are_no_numbers_are_none(version: int) -> None:
    """The sentinel, infinity and NaN in a generic tick."""
    wire = Wire(version)
    for value in (1.7976931348623157e308, float("inf"), float("nan")):
        assert said(version, wire.tick_generic(9, 49, value)) == [
            ValueTick(epoch=1, ts_recv_ns=0, req_id=9, field=49, value=None)
        ]
