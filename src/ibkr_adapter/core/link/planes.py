"""The two planes of health beyond our own socket: the gateway's link to IB, and each farm by its name.

They are kept apart because they fail apart. 1100 says that the gateway lost IB while our socket lives: the gateway
heals itself, and tearing our socket down only adds an outage. A farm that breaks stops the streams that come from it
and nothing else.
"""

from __future__ import annotations

from enum import StrEnum

from ibkr_adapter.notices import Effect
from ibkr_adapter.snapshot import FarmView


class Upstream(StrEnum):
    UNKNOWN = "unknown"
    CONNECTED = "connected"
    LOST = "lost"


class FarmKind(StrEnum):
    MARKET = "market"
    HISTORY = "history"
    DEFINITIONS = "definitions"


_KINDS = {"farm": FarmKind.MARKET, "hmds": FarmKind.HISTORY, "secdef": FarmKind.DEFINITIONS}

_FARM_STATES = {
    Effect.FARM_OK: "ok",
    Effect.FARM_BROKEN: "broken",
    Effect.FARM_DORMANT: "dormant",
    Effect.FARM_CONNECTING: "connecting",
}


class Planes:
    """What the gateway last said of its link and of its farms. A new session starts without knowledge."""

    FARMS_MAX = 100

    def __init__(self) -> None:
        self.upstream = Upstream.UNKNOWN
        self._farms: dict[str, FarmView] = {}
        self._down_ns: dict[str, int] = {}

    def reset(self) -> None:
        self.upstream = Upstream.UNKNOWN
        self._farms.clear()
        self._down_ns.clear()

    @property
    def farms(self) -> tuple[FarmView, ...]:
        return tuple(self._farms[name] for name in sorted(self._farms))

    @property
    def market_farm_broken_ns(self) -> int | None:
        """Since when a market data farm is down: the latest of them, ``None`` if none is.

        Which instruments a farm serves IB does not say. So only what ticked since is known to come from another one.
        """
        return max(self._down_ns.values(), default=None)

    def apply(self, effect: Effect, text: str, now_ns: int) -> int | None:
        """Take one notice, whatever it is about; since when the market farm was down that is back with it."""
        if effect is Effect.UPSTREAM_LOST:
            self.upstream = Upstream.LOST
        elif effect in (Effect.UPSTREAM_RESTORED, Effect.UPSTREAM_RESTORED_STREAMS_LOST):
            self.upstream = Upstream.CONNECTED
        elif state := _FARM_STATES.get(effect):
            if state == "ok" and self.upstream is Upstream.UNKNOWN:
                self.upstream = Upstream.CONNECTED
            self._farm(text, state, now_ns)
            return self._up_or_down(farm_name(text), state, now_ns)
        return None

    def _up_or_down(self, name: str, state: str, now_ns: int) -> int | None:
        """Each farm has an outage of its own: one that is back says nothing of another that broke later."""
        if _kind_of(name) is not FarmKind.MARKET:
            return None
        if state in ("broken", "connecting"):
            self._down_ns.setdefault(name, now_ns)
            return None
        return self._down_ns.pop(name, None)

    def _farm(self, text: str, state: str, now_ns: int) -> None:
        """A repeat changes nothing: since when it is so is what counts."""
        name = farm_name(text)
        known = self._farms.get(name)
        if known is not None and known.state == state:
            return
        if known is not None or len(self._farms) < self.FARMS_MAX:
            self._farms[name] = FarmView(name=name, kind=_kind_of(name), state=state, since_ns=now_ns)


def farm_name(text: str) -> str:
    """The farm in a notice's text: behind the colon, or behind the last dot of the dormant notice.

    Seen: ``Market data farm connection is OK:usfarm`` and ``... should be available upon demand.eufarm``.
    """
    head, colon, name = text.rpartition(":")
    if not colon:
        head, _, name = text.rpartition(".")
    return name.strip() or head.strip() or "unnamed"


def _kind_of(name: str) -> FarmKind:
    for mark in ("hmds", "secdef"):
        if mark in name.lower():
            return _KINDS[mark]
    return FarmKind.MARKET
