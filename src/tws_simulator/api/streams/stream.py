"""What a subscription goes on telling its client after each step of the world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tws_simulator.wire.row import Message
from tws_simulator.world.market.events import MarketEvent, QuoteChanged, Traded


@dataclass(slots=True)
class Change:
    """What the market did to one instrument in one step, in order of time."""

    quotes: list[QuoteChanged] = field(default_factory=list)
    trades: list[Traded] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of the world, as every stream of every client is told of it."""

    now_ns: int
    changes: dict[int, Change]

    @classmethod
    def after(cls, now_ns: int, events: Iterable[MarketEvent]) -> Moment:
        changes: dict[int, Change] = {}
        for event in events:
            change = changes.get(event.con_id)
            if change is None:
                change = changes[event.con_id] = Change()
            if isinstance(event, QuoteChanged):
                change.quotes.append(event)
            else:
                change.trades.append(event)
        return cls(now_ns, changes)


class Stream(Protocol):
    """A subscription. It is made with what it needs to look at and remembers what it has told."""

    def tell(self, moment: Moment) -> Iterator[Message]:
        """The messages due after this step; often none."""
        ...
