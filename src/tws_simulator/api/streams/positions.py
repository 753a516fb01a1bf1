"""Position subscriptions: all positions once, then those that changed."""

from __future__ import annotations

from collections.abc import Iterator

from tws_simulator.api.contracts import described
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.accounts import Position
from tws_simulator.world.universe import find
from tws_simulator.world.world import World

KIND = "positions"


class PositionStream:
    """Remembers which positions it has told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[int, Position] = {}
        self._fills = -1

    def tell(self, moment: Moment) -> Iterator[Message]:
        yield from self.changes()

    def changes(self) -> Iterator[Message]:
        ledger = self._world.ledger
        if len(ledger.executions) == self._fills:
            return
        self._fills = len(ledger.executions)
        for held in ledger.positions():
            if self._told.get(held.con_id) != held:
                self._told[held.con_id] = held
                yield _position(self._world.account, held)


def _position(account: str, held: Position) -> Message:
    listing = find(con_id=held.con_id)
    assert listing is not None, f"a position in {held.con_id}, which is not listed"
    return message(
        "position",
        account=account,
        contract=described(listing, listing.primary_exchange),
        position=held.shares,
        avgCost=float(held.average_cost_usd),
    )
