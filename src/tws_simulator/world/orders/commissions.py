"""What trading costs: "IB Pro tiered" for US stocks at the lowest volume tier.

Exchange, clearing and regulatory fees are left out, so this is an approximation.
"""

from decimal import Decimal
from typing import Final

COMMISSION_PER_SHARE_USD: Final = Decimal("0.0035")
COMMISSION_MIN_USD: Final = Decimal("0.35")
COMMISSION_MAX_SHARE: Final = Decimal("0.01")  # of the trade's value; wins over the minimum


def commission_usd(shares: Decimal, value_usd: Decimal) -> Decimal:
    """What an order has cost so far; a fill is charged what it adds, so the minimum is paid once."""
    if not shares:
        return Decimal(0)
    return min(max(shares * COMMISSION_PER_SHARE_USD, COMMISSION_MIN_USD), value_usd * COMMISSION_MAX_SHARE)
