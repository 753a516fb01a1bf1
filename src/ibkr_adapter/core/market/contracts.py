"""What contract details said about each instrument: its number at IB, its tick, and when it trades."""

from __future__ import annotations

from dataclasses import dataclass

from ibkr_adapter.clock import MINUTE
from ibkr_adapter.events import ContractDescribed
from ibkr_adapter.instruments import Instrument, venue
from ibkr_adapter.trading_hours import UNKNOWN, TradingHours, read_hours

FRESH_NS = 24 * 60 * MINUTE
"""Older details are asked for again, and used until the new ones come: they list the hours of a few days only."""

UNKNOWN_AGAIN_NS = MINUTE
"""What IB does not know now it may know soon: its farm of definitions wakes up later than the gateway."""


class Contracts:
    """The details of each configured instrument, by key, once they have come. Kept across sessions."""

    def __init__(self) -> None:
        self._described: dict[str, ContractDescribed] = {}
        self._hours: dict[str, Hours] = {}
        self._asked: dict[int, _Asked] = {}
        self.unknown: dict[str, str] = {}
        """What IB said of those that it did not describe, by key."""
        self._failed_ns: dict[str, int] = {}

    def asked(self, req_id: int, instrument: Instrument, now_ns: int) -> None:
        self._asked[req_id] = _Asked(instrument, now_ns)

    def forget_asked(self) -> None:
        """A session ended: its questions will not be answered, and what it did not know the next one may."""
        self.unknown.clear()
        self._asked.clear()

    def give_up(self, asked_before_ns: int) -> None:
        """What was asked by then and has no answer yet is missing again; an answer one round late still counts."""
        self._asked = {req_id: asked for req_id, asked in self._asked.items() if not asked.late}
        for asked in self._asked.values():
            asked.late = asked.asked_ns <= asked_before_ns

    @property
    def oldest_asked_ns(self) -> int | None:
        return min((asked.asked_ns for asked in self._asked.values() if not asked.late), default=None)

    def missing(self, instruments: tuple[Instrument, ...], now_ns: int) -> tuple[Instrument, ...]:
        """Neither described lately nor asked for; what IB said that it does not know, once it has had some time.

        It says so too while it wakes up.
        """
        pending = {asked.instrument.key for asked in self._asked.values() if not asked.late}
        return tuple(
            i
            for i in instruments
            if i.key not in pending and not self._known_unknown(i.key, now_ns) and not self._fresh(i.key, now_ns)
        )

    def next_missing_ns(self) -> int | None:
        """When the oldest details are too old, or what was not described is asked for again."""
        aged = (d.ts_recv_ns + FRESH_NS for key, d in self._described.items() if key not in self.unknown)
        return min((*aged, *(self._failed_ns[key] + UNKNOWN_AGAIN_NS for key in self.unknown)), default=None)

    def _known_unknown(self, key: str, now_ns: int) -> bool:
        return key in self.unknown and now_ns < self._failed_ns[key] + UNKNOWN_AGAIN_NS

    def _fresh(self, key: str, now_ns: int) -> bool:
        described = self._described.get(key)
        return described is not None and now_ns < described.ts_recv_ns + FRESH_NS

    def described(self, event: ContractDescribed) -> None:
        """Take one match; where several match, the one on the configured primary exchange wins."""
        asked = self._asked.get(event.req_id)
        if asked is None:
            return
        wanted = asked.instrument
        known = self._described.get(wanted.key)
        if known is None or known.req_id != event.req_id or _is_primary(event, wanted):
            self._described[wanted.key] = event
            self._hours[wanted.key] = Hours(
                trading=read_hours(event.trading_hours, event.time_zone),
                liquid=read_hours(event.liquid_hours or event.trading_hours, event.time_zone),
            )
            self.unknown.pop(wanted.key, None)

    def end(self, req_id: int) -> None:
        self._asked.pop(req_id, None)

    def failed(self, req_id: int, text: str, now_ns: int) -> Instrument | None:
        """A code ended the request; which instrument it was about, or None if it was no request of ours."""
        asked = self._asked.pop(req_id, None)
        if asked is None:
            return None
        self.unknown[asked.instrument.key] = text
        self._failed_ns[asked.instrument.key] = now_ns
        return asked.instrument

    def of(self, key: str) -> ContractDescribed | None:
        return self._described.get(key)

    def hours(self, key: str) -> Hours:
        """Unknown before the details have come: then nobody takes the market for open."""
        return self._hours.get(key, _NEVER)


@dataclass(frozen=True, slots=True)
class Hours:
    """When an instrument trades at all, and when its own exchange is open."""

    trading: TradingHours
    liquid: TradingHours


_NEVER = Hours(trading=UNKNOWN, liquid=UNKNOWN)


@dataclass(slots=True)
class _Asked:
    """A request for details. ``late``: given up and asked anew, its answer still welcome for one round."""

    instrument: Instrument
    asked_ns: int
    late: bool = False


def _is_primary(event: ContractDescribed, wanted: Instrument) -> bool:
    return venue(event.instrument.primary_exchange) == venue(wanted.primary_exchange)
