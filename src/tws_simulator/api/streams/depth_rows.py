"""From one book to the next as market depth tells it: rows of two lists, bids and asks, best first.

0 adds a row, 1 overwrites it, 2 takes it out. Clients do not agree on what adding and taking out do to the rows behind:
IB's own sample moves them to make room or to close the gap, ib_async keeps rows by their position. So rows come and go
at the end of a list only, and what is before is overwritten: every reader follows that. With ``shifting`` they come and
go where the book changed, in as few operations as a reader who moves rows can follow.

After all operations such a reader holds the new book. On the way there it holds a shorter or an older one, but never
one that is out of order or crossed: first rows go, then rows worsen, then rows improve and arrive. For the same reason
it never holds more rows than the longer of both books.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from tws_simulator.api.streams.book import Row, Side

INSERT, UPDATE, DELETE = 0, 1, 2
ASK, BID = 0, 1


@dataclass(frozen=True, slots=True)
class Operation:
    position: int
    operation: int
    side: int
    row: Row | None


def steps(old: tuple[Side, Side], new: tuple[Side, Side], *, shifting: bool = False) -> Iterator[Operation]:
    """From the old bids and asks to the new ones."""
    pairing = _by_row if shifting else _by_position
    bids = _Edit(BID, old[0], new[0], pairing(old[0], new[0]))
    asks = _Edit(ASK, old[1], new[1], pairing(old[1], new[1]))
    yield from bids.deletions()
    yield from asks.deletions()
    yield from bids.worsenings()
    yield from asks.worsenings()
    yield from bids.improvements()
    yield from asks.improvements()
    for pair in zip_longest(bids.insertions(), asks.insertions()):
        yield from (operation for operation in pair if operation is not None)


class _Edit:
    """One side. ``pairs`` are (old index, new index) of rows that stay or are overwritten, in order."""

    def __init__(self, side: int, old: Side, new: Side, pairs: Iterable[tuple[int, int]]) -> None:
        self._side = side
        self._old, self._new = old, new
        self._pairs = list(pairs)
        self._kept_old = {at for at, _ in self._pairs}
        self._kept_new = {at for _, at in self._pairs}

    def deletions(self) -> Iterator[Operation]:
        for at in reversed(range(len(self._old))):
            if at not in self._kept_old:
                yield Operation(at, DELETE, self._side, None)

    def worsenings(self) -> Iterator[Operation]:
        """And changes of size; from the worst row up."""
        for position, (before, after) in reversed(list(enumerate(self._rows()))):
            if before != after and not self._improves(before, after):
                yield Operation(position, UPDATE, self._side, after)

    def improvements(self) -> Iterator[Operation]:
        """From the best row down."""
        for position, (before, after) in enumerate(self._rows()):
            if self._improves(before, after):
                yield Operation(position, UPDATE, self._side, after)

    def insertions(self) -> Iterator[Operation]:
        for at, row in enumerate(self._new):
            if at not in self._kept_new:
                yield Operation(at, INSERT, self._side, row)

    def _rows(self) -> Iterator[tuple[Row, Row]]:
        return ((self._old[before], self._new[after]) for before, after in self._pairs)

    def _improves(self, before: Row, after: Row) -> bool:
        return after[0] > before[0] if self._side == BID else after[0] < before[0]


def _by_position(old: Side, new: Side) -> Iterator[tuple[int, int]]:
    return ((at, at) for at in range(min(len(old), len(new))))


def _by_row(old: Side, new: Side) -> Iterator[tuple[int, int]]:
    """Rows of equal price and venue, and, between two such, rows of which one takes the other's place."""
    anchors = [*_unmoved(old, new), (len(old), len(new))]
    from_old = from_new = 0
    for at_old, at_new in anchors:
        yield from zip(range(from_old, at_old), range(from_new, at_new), strict=False)
        if at_old < len(old):
            yield at_old, at_new
        from_old, from_new = at_old + 1, at_new + 1


def _unmoved(old: Side, new: Side) -> list[tuple[int, int]]:
    """The longest run of rows, by price and venue, that keep their order."""
    place = {(price, venue): at for at, (price, _, venue) in enumerate(new)}
    found = [(at, place[price, venue]) for at, (price, _, venue) in enumerate(old) if (price, venue) in place]
    tails: list[int] = []  # by length of run: the smallest new index it can end with
    ends: list[int] = []
    before: list[int | None] = []
    for index, (_, to) in enumerate(found):
        length = bisect_left(tails, to)
        before.append(ends[length - 1] if length else None)
        tails[length : length + 1] = [to]
        ends[length : length + 1] = [index]
    run: list[tuple[int, int]] = []
    at: int | None = ends[-1] if ends else None
    while at is not None:
        run.append(found[at])
        at = before[at]
    return run[::-1]
