"""Accounts as they are before anything was traded: their names, and what is in them."""

from decimal import Decimal
from hashlib import blake2b
from typing import Final

from tws_simulator.world.accounts.records import Position
from tws_simulator.world.instruments.universe import find

OPENING_CASH_USD: Final = Decimal("1000000.00")
OPENING_SPY_SHARES: Final = 100


def account_for(seed: int, number: int = 0) -> str:
    """A paper account's name, "DU" and seven digits, the same for the same seed everywhere.

    The accounts of one user follow each other.
    """
    digest = int.from_bytes(blake2b(b"account %d" % seed, digest_size=8).digest(), "big")
    return f"DU{1_000_000 + (digest + number) % 9_000_000}"


def opening_positions() -> list[Position]:
    """100 SPY at its reference price, so that positions and profit show from the first second."""
    spy = find("SPY")
    assert spy is not None
    cost_usd = OPENING_SPY_SHARES * Decimal(str(spy.reference_price))
    return [Position(con_id=spy.con_id, symbol=spy.symbol, shares=Decimal(OPENING_SPY_SHARES), cost_usd=cost_usd)]
