"""Contract details that are too many for one burst: a piece of them at each step, until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message

KIND = "contract details"
ROWS_AT_ONCE = 200


class DetailsStream:
    """Tells ``rows`` in pieces, then calls ``ended``."""

    def __init__(self, rows: Iterator[Message], ended: Callable[[], None]) -> None:
        self._rows = rows
        self._ended = ended

    def tell(self, moment: Moment) -> Iterator[Message]:
        yield from self.piece()

    def piece(self) -> Iterator[Message]:
        told = 0
        for row in islice(self._rows, ROWS_AT_ONCE):
            told += 1
            yield row
        if told < ROWS_AT_ONCE:
            self._ended()
