"""What contract details said about each instrument: its number at IB and its tick."""

from __future__ import annotations

from ibkr_adapter.events import ContractDescribed
from ibkr_adapter.instruments import Instrument, venue


class Contracts:
    """The details of each configured instrument, by key, once they have come. Kept across sessions."""

    def __init__(self) -> None:
        self._described: dict[str, ContractDescribed] = {}
        self._asked: dict[int, Instrument] = {}
        self._asked_ns: dict[int, int] = {}
        self.unknown: dict[str, str] = {}

    def asked(self, req_id: int, instrument: Instrument, now_ns: int) -> None:
        self._asked[req_id] = instrument
        self._asked_ns[req_id] = now_ns

    def forget_asked(self) -> None:
        """A session ended: its questions will not be answered, and what it did not know the next one may."""
        self.unknown.clear()
        self._asked.clear()
        self._asked_ns.clear()

    def give_up(self, asked_before_ns: int) -> None:
        """What was asked by then and has no answer yet is missing again; an answer one round late still counts."""
        late = [req_id for req_id, asked_ns in self._asked_ns.items() if asked_ns <= asked_before_ns]
        self._asked = {req_id: i for req_id, i in self._asked.items() if req_id in self._asked_ns}
        for req_id in late:
            del self._asked_ns[req_id]

    @property
    def oldest_asked_ns(self) -> int | None:
        return min(self._asked_ns.values(), default=None)

    def missing(self, instruments: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
        pending = {self._asked[req_id].key for req_id in self._asked_ns}
        return tuple(i for i in instruments if i.key not in self._described and i.key not in pending)

    def described(self, event: ContractDescribed) -> None:
        """Take one match; where several match, the one on the configured primary exchange wins."""
        wanted = self._asked.get(event.req_id)
        if wanted is None:
            return
        known = self._described.get(wanted.key)
        if known is None or _is_primary(event, wanted):
            self._described[wanted.key] = event
            self.unknown.pop(wanted.key, None)

    def end(self, req_id: int) -> None:
        self._asked.pop(req_id, None)
        self._asked_ns.pop(req_id, None)

    def failed(self, req_id: int, text: str) -> Instrument | None:
        """A code ended the request; which instrument it was about, or None if it was no request of ours."""
        instrument = self._asked.pop(req_id, None)
        self._asked_ns.pop(req_id, None)
        if instrument is not None:
            self.unknown[instrument.key] = text
        return instrument

    def of(self, key: str) -> ContractDescribed | None:
        return self._described.get(key)


def _is_primary(event: ContractDescribed, wanted: Instrument) -> bool:
    return venue(event.instrument.primary_exchange) == venue(wanted.primary_exchange)
