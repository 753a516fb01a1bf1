"""What contract details said about each instrument: its number at IB and its tick."""

from __future__ import annotations

from ibkr_adapter.events import ContractDescribed
from ibkr_adapter.instruments import Instrument, venue


class Contracts:
    """The details of each configured instrument, by key, once they have come. Kept across sessions."""

    def __init__(self) -> None:
        self._described: dict[str, ContractDescribed] = {}
        self._asked: dict[int, Instrument] = {}
        self.unknown: dict[str, str] = {}

    def asked(self, req_id: int, instrument: Instrument) -> None:
        self._asked[req_id] = instrument

    def forget_asked(self) -> None:
        """A session ended: its questions will not be answered."""
        self._asked.clear()

    def missing(self, instruments: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
        pending = {instrument.key for instrument in self._asked.values()}
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

    def failed(self, req_id: int, text: str) -> Instrument | None:
        """A code ended the request; which instrument it was about, or None if it was no request of ours."""
        instrument = self._asked.pop(req_id, None)
        if instrument is not None:
            self.unknown[instrument.key] = text
        return instrument

    def of(self, key: str) -> ContractDescribed | None:
        return self._described.get(key)


def _is_primary(event: ContractDescribed, wanted: Instrument) -> bool:
    return venue(event.instrument.primary_exchange) == venue(wanted.primary_exchange)
