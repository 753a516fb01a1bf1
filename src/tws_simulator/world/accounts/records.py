"""What the account books keep, and what they answer."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One fill as execDetails tells it. ``side`` is BOT or SLD; ``liquidity`` 1 added, 2 removed.

    A price is of one unit, of which a share (or contract) has ``multiplier``.
    """

    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    account: str
    con_id: int
    symbol: str
    exchange: str
    side: str
    shares: Decimal
    price: Decimal
    cum_qty: Decimal
    avg_price: Decimal
    liquidity: int
    ts_ns: int
    sec_type: str = "STK"
    multiplier: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Commission:
    """What a fill cost; ``realized_pnl_usd`` is None when the fill closed nothing."""

    exec_id: str
    commission_usd: Decimal
    currency: str
    realized_pnl_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Shares held (negative = short) and the money paid for them, commissions included, as IB counts cost."""

    con_id: int
    symbol: str
    shares: Decimal
    cost_usd: Decimal
    multiplier: int = 1

    @property
    def average_cost_usd(self) -> Decimal:
        """Per share or contract; 0 for a closed position, as IB reports it."""
        return self.cost_usd / self.shares if self.shares else ZERO


class PlacementKind(Enum):
    """What the exchange made of a placeOrder message."""

    NEW = "new"
    MODIFY = "modify"
    IGNORED = "ignored"
    WHAT_IF = "what-if"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """One placeOrder message as received, whatever became of it."""

    ts_ns: int
    client_id: int
    order_id: int
    order_ref: str
    con_id: int
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    kind: PlacementKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Pnl:
    """Profit in USD; ``realized_usd`` is None until something was closed today."""

    daily_usd: Decimal
    unrealized_usd: Decimal
    realized_usd: Decimal | None
    value_usd: Decimal
    shares: Decimal
