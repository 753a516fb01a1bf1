"""What a subscription goes on telling its client after each step of the world."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tws_simulator.wire.row import Message
from tws_simulator.world.market.events import MarketEvent, QuoteChanged, Traded

Seen = TypeVar("Seen")


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
    _seen: dict[Hashable, Any] = field(default_factory=dict)

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

    def once(self, what: Hashable, look: Callable[[], Seen]) -> Seen:
        """Many streams look at the same: it is looked up for the first of them, and what changes then is seen later."""
        if what not in self._seen:
            self._seen[what] = look()
        found: Seen = self._seen[what]
        return found


class Stream(Protocol):
    """A subscription. It is made with what it needs to look at and remembers what it has told."""

    def tell(self, moment: Moment) -> Iterator[Message]:
        """The messages due after this step; often none."""
        ...
