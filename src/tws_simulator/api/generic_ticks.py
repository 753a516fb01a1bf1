"""The generic ticks a market data request may name, and the refusal of a list that names others."""

from __future__ import annotations

from tws_simulator.api.notices.market_data import bad_generic_ticks
from tws_simulator.api.refused import Refused

# Code, other code of the same, IB's name: for stocks, as a gateway of 2026 lists them.
_LEGAL_FOR_STOCKS: tuple[tuple[int, int | None, str], ...] = (
    (100, None, "Option Volume"), (101, None, "Option Open Interest"), (105, None, "Average Opt Volume"),
    (106, None, "impvolat"), (165, None, "Misc. Stats"), (221, 220, "Creditman Mark Price"), (225, None, "Auction"),
    (232, 221, "Pl Price"), (233, None, "RTVolume"), (236, None, "inventory"), (258, 47, "Fundamentals"),
    (292, None, "Wide_news"), (293, None, "TradeCount"), (294, None, "TradeRate"), (295, None, "VolumeRate"),
    (318, None, "LastRTHTrade"), (375, None, "RTTrdVolume"), (411, None, "rthistvol"), (456, 59, "IBDividends"),
    (460, None, "Bond Factor Multiplier"), (577, None, "EtfNavLast(navlast)"), (586, None, "IPOHLMPRC"),
    (587, None, "Pl Price Delayed"), (588, None, "Futures Open Interest"), (595, None, "Short-Term Volume X Mins"),
    (614, None, "EtfNavMisc(high/low)"), (619, None, "Creditman Slow Mark Price"),
    (623, None, "EtfFrozenNavLast(fznavlast)"),
)  # fmt: skip
_UNLISTED = frozenset({104})  # historical volatility: taken, though the refusal does not list it
_MEANING = {
    **{code: code for code, _, _ in _LEGAL_FOR_STOCKS},
    **{other: code for code, other, _ in _LEGAL_FOR_STOCKS if other is not None},
    **{code: code for code in _UNLISTED},
}
_SWITCHES_OFF_THE_REST = "mdoff"


def parse(ticks: str, sec_type: str) -> frozenset[int]:
    """ "233,236" as codes, each by its first name; refused when one is not legal. "292:BRFG" asks for one provider."""
    found: set[int] = set()
    for part in (part.strip() for part in ticks.split(",")):
        if not part or part.lower() == _SWITCHES_OFF_THE_REST:
            continue
        number, colon, parameter = part.partition(":")
        code = _MEANING.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 9 else None
        if code is None or (colon and not parameter):
            raise Refused(bad_generic_ticks(ticks, sec_type, _legal_ones()))
        found.add(code)
    return frozenset(found)


def _legal_ones() -> str:
    return ",".join(f"{code}{'' if other is None else f'/{other}'}({name})" for code, other, name in _LEGAL_FOR_STOCKS)
