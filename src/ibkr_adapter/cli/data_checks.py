"""Market data as the gateway gives it: live, delayed or none, symbol by symbol, and which permission is missing.

Each symbol takes a market-data line from its request to the cancel that follows the first answer, ten at a time: the
lines are shared with the windows of TWS and with every other client of the login.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from ibkr_adapter.cli.finding import Finding, failure, fine, warning
from ibkr_adapter.cli.probe import Visit
from ibkr_adapter.config import Config, MarketData
from ibkr_adapter.errors import ExitCode
from ibkr_adapter.events import BrokerEvent, DataTypeReported, NoticeReceived, PriceTick
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import Effect, shipped
from ibkr_adapter.requests import CancelQuotes, SetDataType, SubscribeQuotes

CHECK: Final = "market data"
SYMBOLS_MAX: Final = 10
"""Looked at unless all are asked for, and at a time in any case."""

ANSWER_S: Final = 8.0
AFTER_REFUSAL_S: Final = 1.5
"""How long delayed prices may take to follow a notice that live ones are refused."""

_LOOK_S: Final = 0.2
"""How often it is asked who has waited long enough while nothing comes."""

_KINDS: Final = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
_LIVE: Final = 1

_SUBSCRIBE: Final = (
    "subscribe to it in the Client Portal (Settings > Market Data Subscriptions), for paper also share it"
    " (Settings > Paper Trading Account)"
)
_OR_DELAYED: Final = f'{_SUBSCRIBE}; or accept delayed data with market_data = "live-or-delayed"'
_REMEDIES: Final = {
    101: "close data windows in TWS or other clients of this login, or subscribe to more lines (quote booster packs)",
    200: "correct symbol and primary_exchange under instruments",
    354: _OR_DELAYED,
    10089: _SUBSCRIBE,
    10090: _SUBSCRIBE,
    10091: _SUBSCRIBE,
    10167: _SUBSCRIBE,
    10168: _OR_DELAYED,
    10186: _OR_DELAYED,
    10197: "end the other live session of this user (TWS, mobile, web): IB gives data to one of them only",
}
"""By code, what an operator does; for others IB's own words must do."""


class Line(Struct):
    """What came for one symbol. ``advice`` are notices with which data may still come, ``refusal`` the one without."""

    instrument: Instrument
    data_type: int | None = None
    price: bool = False
    advice: list[NoticeReceived] = field(default_factory=list)
    refusal: NoticeReceived | None = None
    refused_s: float = 0.0

    @property
    def answered(self) -> bool:
        patient = self.refusal is not None and time.monotonic() - self.refused_s < AFTER_REFUSAL_S
        return self.price or (self.refusal is not None and not patient)

    @property
    def kind(self) -> str:
        """``live``, ``delayed`` and so on; none where nothing came."""
        return _KINDS.get(self.data_type or 0, "") if self.price else ""

    def take(self, event: BrokerEvent) -> None:
        match event:
            case DataTypeReported():
                self.data_type = event.data_type
            case PriceTick(price=float()):
                self.price = True
                self.data_type = self.data_type or _LIVE  # the gateway names it only where it is another
            case NoticeReceived() if shipped().of(event.code).effect in (Effect.INFORM, Effect.DELAYED):
                self.advice.append(event)
            case NoticeReceived():
                self.refusal, self.refused_s = event, time.monotonic()
            case _:
                pass


def examine(config: Config, visit: Visit, *, every: bool) -> list[Finding]:
    """One finding for all symbols with which it is the same, in the order of the configuration."""
    live_only = config.active.market_data is MarketData.LIVE_ONLY
    visit.ask(SetDataType(data_type=1 if live_only else 3))
    chosen = config.instruments if every else config.instruments[:SYMBOLS_MAX]
    lines: list[Line] = []
    for start in range(0, len(chosen), SYMBOLS_MAX):
        lines += _listen(visit, chosen[start : start + SYMBOLS_MAX], config.market_data.generic_ticks)
    findings = _together([(line.instrument.symbol, judged(line, live_only=live_only)) for line in lines])
    if left := len(config.instruments) - len(chosen):
        findings.append(fine(CHECK, f"{left} more symbols were not looked at: --all does"))
    return findings


def _together(judged: Sequence[tuple[str, Finding]]) -> list[Finding]:
    symbols: dict[Finding, list[str]] = {}
    for symbol, finding in judged:
        symbols.setdefault(finding, []).append(symbol)
    return [replace(finding, text=f"{' '.join(named)}: {finding.text}") for finding, named in symbols.items()]


def _listen(visit: Visit, instruments: Sequence[Instrument], generic_ticks: str) -> list[Line]:
    lines = {visit.request_ids.take(): Line(instrument=instrument) for instrument in instruments}
    open_ids = set(lines)

    def hear(event: BrokerEvent) -> None:
        line = lines.get(getattr(event, "req_id", -1))
        if line is not None:
            line.take(event)

    def settled() -> bool:
        for req_id in [req_id for req_id in open_ids if lines[req_id].answered]:
            open_ids.discard(req_id)
            visit.ask(CancelQuotes(req_id=req_id))
        return not open_ids

    for req_id, line in lines.items():
        visit.ask(SubscribeQuotes(req_id=req_id, instrument=line.instrument, generic_ticks=generic_ticks))
    until_s = time.monotonic() + ANSWER_S
    while not settled() and time.monotonic() < until_s:
        visit.hear(settled, _LOOK_S, hear)
    for req_id in open_ids:
        visit.ask(CancelQuotes(req_id=req_id))
    return list(lines.values())


def judged(line: Line, *, live_only: bool) -> Finding:
    """Live is fine; other data where it is accepted, a warning; none, or none that is accepted, a failure."""
    notice = line.refusal or next(iter(line.advice), None)
    why = f": {notice.code} {_plain(notice.text)}" if notice is not None else ""
    remedy = _remedy(notice)
    if line.kind == "live":
        return fine(CHECK, "live") if notice is None else warning(CHECK, f"live, but not all of it{why}", remedy)
    if line.kind:
        if live_only:
            return failure(CHECK, f"{line.kind}, not live{why}", remedy, ExitCode.MARKET_DATA)
        return warning(CHECK, f"{line.kind}{why}", remedy)
    if line.refusal is not None:
        return failure(CHECK, f"none{why}", remedy, ExitCode.MARKET_DATA)
    promised = f" ({_KINDS[line.data_type]} is announced)" if line.data_type in _KINDS else ""
    return warning(
        CHECK,
        f"no price within {ANSWER_S:g} s{promised}{why}",
        "normal while its market is closed; else look at the symbol in TWS itself",
    )


def _remedy(notice: NoticeReceived | None) -> str:
    if notice is None:
        return _SUBSCRIBE
    return _REMEDIES.get(notice.code, "see IB's words above, and the code in IB's list of message codes")


def _plain(text: str) -> str:
    return " ".join(text.split())[:160]
