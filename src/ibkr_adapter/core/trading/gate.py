"""The standing answer for new orders: every reason of every part against them; no reason means open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ibkr_adapter.commands import Reason
from ibkr_adapter.core.settings import Settings


class Gate:
    """``parts`` say what they have against an order at this moment, in the order in which it is told."""

    def __init__(self, parts: Sequence[Callable[[int], Iterable[Reason]]]) -> None:
        self._parts = tuple(parts)

    def reasons(self, now_ns: int) -> tuple[Reason, ...]:
        return tuple(reason for part in self._parts for reason in part(now_ns))


def switches(settings: Settings) -> Callable[[int], Iterable[Reason]]:
    """What the configuration has against orders: it never changes in the life of a process."""
    reasons: list[Reason] = []
    if not settings.orders:
        reasons.append(
            Reason(
                code="capability",
                text=f"component {settings.component} may not send orders",
                remedy="use a component whose capabilities include orders",
            )
        )
    if not settings.trading:
        reasons.append(Reason(code="trading_off", text="trading is switched off", remedy="set trading.enabled = true"))
    return lambda now_ns: reasons
