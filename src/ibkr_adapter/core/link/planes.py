"""The two planes of health beyond our own socket: the gateway's link to IB, and each farm by its name.

They are kept apart because they fail apart. 1100 says that the gateway lost IB while our socket lives: the gateway
heals itself, and tearing our socket down only adds an outage. A farm that breaks stops the streams that come from it
and nothing else.

A session that ends while IB is lost says nothing of IB: the next one with that gateway begins in *doubt*. Some gateways
repeat their 1100 to it, some greet it with the farms that are well, some say nothing. Doubt counts as lost until
1101 or 1102 comes, or an answer of IB itself (``upstream_probe``). Neither a farm that is well ends it nor data that
comes: orders go another way than both.

What is shown is what was told last. An *incident* of a farm is slower than that: it begins with the first break and
ends when the farm has been well for ``SETTLED_NS``, so that a farm that flaps is one incident and not twenty. Gaps do
not wait for it: each break is told to the streams at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import SessionLost
from ibkr_adapter.notices import FarmKind, Notice
from ibkr_adapter.snapshot import FarmView
from ibkr_adapter.windows import ANY

SETTLED_NS = 10 * SECOND
"""A farm that has been well for this long is well. Gateways have been seen to lose and find one within seconds."""

FARM_PATIENCE_NS = 30 * SECOND
"""An incident of a farm that lasts longer alerts: one short break and its settling do not."""

UPSTREAM_PATIENCE_NS = 60 * SECOND

UPSTREAM_ALERT = "upstream/lost"


class Upstream(StrEnum):
    """The gateway's link to IB, as the present session was told; doubted: lost when the last session with it ended."""

    UNKNOWN = "unknown"
    CONNECTED = "connected"
    LOST = "lost"
    DOUBTED = "doubted"


class FarmChange(Struct, frozen=True, kw_only=True):
    """A farm went down, or came back: ``up``, and since when it was down."""

    kind: FarmKind
    name: str
    up: bool
    down_ns: int


class FarmState(StrEnum):
    OK = "ok"
    BROKEN = "broken"
    DORMANT = "dormant"
    CONNECTING = "connecting"


_DOWN = frozenset({FarmState.BROKEN, FarmState.CONNECTING})


@dataclass(slots=True)
class _Farm:
    """``down_ns``: since when it is down, ``None`` while it is not. ``well_ns``: since when it is not."""

    name: str
    kind: FarmKind
    state: FarmState
    since_ns: int
    down_ns: int | None = None
    well_ns: int = 0
    breaks: int = 0

    def in_incident(self, now_ns: int) -> bool:
        return self.down_ns is not None or (self.breaks > 0 and now_ns < self.well_ns + SETTLED_NS)


class Planes:
    """What the gateway last said of its link and of its farms. A new session starts without knowledge."""

    FARMS_MAX = 100

    def __init__(self, without_ib: Iterable[str] = ()) -> None:
        """``without_ib``: gateways that were without IB when an earlier life heard of them last."""
        self.upstream = Upstream.UNKNOWN
        self.upstream_lost_ns: int | None = None
        """Since when the gateway is without IB, as this session was told; however often it says so."""
        self._gateway = ""
        self._without_ib = set(without_ib)
        """Gateways that were without IB when they were last heard of."""
        self._farms: dict[str, _Farm] = {}

    def session_opened(self, gateway: str) -> None:
        self._gateway = gateway
        self._begin()

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self._begin()

    def _begin(self) -> None:
        self.upstream = Upstream.DOUBTED if self._gateway in self._without_ib else Upstream.UNKNOWN
        self.upstream_lost_ns = None
        self._farms.clear()

    @property
    def without_ib(self) -> bool:
        """The gateway has lost IB, as far as anybody knows: no order is sent, and what it answers is from memory."""
        return self.upstream in (Upstream.LOST, Upstream.DOUBTED)

    @property
    def doubted(self) -> bool:
        return self.upstream is Upstream.DOUBTED

    def farms(self, now_ns: int) -> tuple[FarmView, ...]:
        return tuple(_view(self._farms[name], now_ns) for name in sorted(self._farms))

    @property
    def market_farm_broken_ns(self) -> int | None:
        """Since when a market data farm is down: the latest of them, ``None`` if none is.

        Which instruments a farm serves IB does not say. So only what ticked since is known to come from another one.
        """
        return max((ns for ns in self._down(FarmKind.MARKET)), default=None)

    def is_down(self, kind: FarmKind) -> bool:
        return any(True for _ in self._down(kind))

    def lost(self, now_ns: int) -> None:
        """The gateway says that it has lost IB, for the first time or again."""
        if self.upstream is not Upstream.LOST:
            self.upstream_lost_ns = now_ns
        self.upstream = Upstream.LOST
        self._without_ib.add(self._gateway)

    def restored(self) -> None:
        self.upstream = Upstream.CONNECTED
        self.upstream_lost_ns = None
        self._without_ib.discard(self._gateway)

    def farm(self, notice: Notice, text: str, state: FarmState, now_ns: int) -> FarmChange | None:
        """Take the word of a farm; the farm that went down or came back with it, if one did."""
        if state is FarmState.OK and self.upstream is Upstream.UNKNOWN:
            self.restored()
        return self._changed(farm_name(text), notice.farm or FarmKind.MARKET, state, now_ns)

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no new order may be sent: the gateway might keep it, and send it when IB is back."""
        if self.without_ib:
            yield Reason(
                code="upstream",
                text=f"{self._lost_words}, and has not said that it is back"
                if self.doubted
                else f"{self._lost_words} and is restoring it",
                remedy="wait, or restart the gateway",
            )

    @property
    def _lost_words(self) -> str:
        if self.doubted:
            return "the gateway had lost its connection to IB when the last session with it ended"
        return "the gateway has lost its connection to IB"

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        if self.without_ib:
            yield Condition(
                key="upstream/lost",
                severity=AlertSeverity.CRITICAL,
                text=self._lost_words,
                remedy="it heals itself; if it does not, look at the gateway and at IB's system status",
                after_ns=UPSTREAM_PATIENCE_NS,
                excused_by=ANY,
            )
        for farm in self._farms.values():
            if farm.in_incident(now_ns):
                yield Condition(
                    key=f"farm/{farm.name}",
                    severity=AlertSeverity.WARNING,
                    text=f"IB's {farm.kind} farm {farm.name} is {farm.state}, broken {_times(farm.breaks)}",
                    remedy="IB heals it; what depends on it is asked for again when it is back",
                    after_ns=FARM_PATIENCE_NS,
                    excused_by=ANY,
                )

    def next_change_ns(self, now_ns: int) -> int | None:
        """When an incident ends by itself, if nothing more is said."""
        ends = (f.well_ns + SETTLED_NS for f in self._farms.values() if f.down_ns is None and f.in_incident(now_ns))
        return min(ends, default=None)

    def _down(self, kind: FarmKind) -> Iterator[int]:
        return (f.down_ns for f in self._farms.values() if f.kind is kind and f.down_ns is not None)

    def _changed(self, name: str, kind: FarmKind, state: FarmState, now_ns: int) -> FarmChange | None:
        """A repeat changes nothing: since when it is so is what counts."""
        farm = self._farms.get(name)
        if farm is None:
            if len(self._farms) >= self.FARMS_MAX:
                return None
            farm = self._farms[name] = _Farm(name, kind, state, now_ns)
        elif farm.state == state:
            return None
        else:
            farm.state, farm.since_ns = state, now_ns
        return _went_down(farm, now_ns) if state in _DOWN else _came_back(farm, now_ns)


def _went_down(farm: _Farm, now_ns: int) -> FarmChange | None:
    """``connecting`` behind ``broken`` is the same outage."""
    if farm.down_ns is not None:
        return None
    farm.breaks = farm.breaks + 1 if farm.in_incident(now_ns) else 1
    farm.down_ns = now_ns
    return FarmChange(kind=farm.kind, name=farm.name, up=False, down_ns=now_ns)


def _came_back(farm: _Farm, now_ns: int) -> FarmChange | None:
    """Each farm has an outage of its own: one that is back says nothing of another that broke later."""
    down_ns, farm.down_ns = farm.down_ns, None
    if down_ns is None:
        return None
    farm.well_ns = now_ns
    return FarmChange(kind=farm.kind, name=farm.name, up=True, down_ns=down_ns)


def _view(farm: _Farm, now_ns: int) -> FarmView:
    return FarmView(
        name=farm.name,
        kind=farm.kind.value,
        state=farm.state.value,
        since_ns=farm.since_ns,
        breaks=farm.breaks if farm.in_incident(now_ns) else 0,
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def farm_name(text: str) -> str:
    """The farm in a notice's text: behind the colon, or behind the last dot of the dormant notice.

    Seen: ``Market data farm connection is OK:usfarm`` and ``... should be available upon demand.eufarm``.
    """
    head, colon, name = text.rpartition(":")
    if not colon:
        head, _, name = text.rpartition(".")
    return name.strip() or head.strip() or "unnamed"
