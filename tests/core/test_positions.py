"""Positions are what the present session states; what a complete list does not name is not held."""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.events import Event, PositionReported
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import RequestPositions
from tests.core.world import QQQ, SPY, World


def stated(instrument: Instrument, quantity: int) -> PositionReported:
    return PositionReported(
        ts_recv_ns=0, epoch=0, account="DU1", instrument=instrument, quantity=Decimal(quantity), average_cost=500.0
    )


def holding(*positions: PositionReported) -> World:
    world = World(instruments=(SPY, QQQ))
    listed: list[Event] = list(positions)
    world.lists[RequestPositions] = listed
    world.connect()
    return world


def held(world: World) -> dict[str, Decimal]:
    positions = world.engine.snapshot(world.now_ns).positions
    return {position.instrument.key: position.quantity for position in positions}


def test_a_position_closed_elsewhere_while_we_were_away_is_zero() -> None:
    """The next session's complete list does not name it, and that is said to whoever listens."""
    world = holding(stated(SPY, 100), stated(QQQ, 30))
    assert held(world) == {"SPY": 100, "QQQ": 30}

    world.lists[RequestPositions] = [stated(SPY, 100)]
    world.reconnect()

    assert held(world) == {"SPY": 100, "QQQ": 0}
    assert world.told(PositionReported)[-1].quantity == 0


def test_positions_stand_until_the_list_is_complete() -> None:
    """Half a list proves nothing: without its end marker nothing is taken away."""
    world = holding(stated(SPY, 100), stated(QQQ, 30))

    world.silent.add(RequestPositions)
    world.reconnect()

    assert held(world) == {"SPY": 100, "QQQ": 30}


def test_an_empty_list_is_not_flat_while_positions_are_not_available() -> None:
    """2151 says that the gateway does not have them yet."""
    world = holding(stated(SPY, 100))

    world.silent.add(RequestPositions)
    world.reconnect()
    world.notice(2151)
    world.lists[RequestPositions] = []
    world.silent.clear()
    world.wait(2 * world.settings.download_timeout_ns)

    assert held(world) == {"SPY": 100}
