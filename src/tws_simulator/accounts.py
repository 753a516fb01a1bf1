"""The simulated account's books: cash, positions and profit, exact, with a record of everything that was received."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

OPENING_CASH_USD: Final = Decimal("1000000.00")


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One fill as execDetails tells it. ``side`` is BOT or SLD; ``liquidity`` 1 added, 2 removed."""

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

    @property
    def average_cost_usd(self) -> Decimal:
        raise NotImplementedError


class PlacementKind(Enum):
    """What the exchange made of a placeOrder message."""

    NEW = "new"
    MODIFY = "modify"
    IGNORED = "ignored"
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
class SummaryRow:
    """One line of an account summary; ``currency`` is empty for values that are not money."""

    tag: str
    value: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pnl:
    """Profit in USD; ``realized_usd`` is None until something was closed today."""

    daily_usd: Decimal
    unrealized_usd: Decimal
    realized_usd: Decimal | None
    value_usd: Decimal
    shares: Decimal


class Ledger:
    """Cash, positions and commissions always add up to where the account started."""

    account: str
    cash_usd: Decimal
    executions: list[Execution]
    commissions: dict[str, Commission]
    placements: list[Placement]

    def __init__(self, account: str, cash_usd: Decimal = OPENING_CASH_USD, positions: Iterable[Position] = ()) -> None:
        raise NotImplementedError

    def apply(self, execution: Execution, commission_usd: Decimal) -> Commission:
        """Book one fill and answer with its commission report."""
        raise NotImplementedError

    def record(self, placement: Placement) -> None:
        raise NotImplementedError

    def placements_by_ref(self, kind: PlacementKind | None = None) -> dict[str, int]:
        """How often each order_ref was received (of one kind, or of any)."""
        raise NotImplementedError

    def placements_by_id(self, kind: PlacementKind | None = None) -> dict[tuple[int, int], int]:
        """How often each (client_id, order_id) was received (of one kind, or of any)."""
        raise NotImplementedError

    def position(self, con_id: int) -> Position | None:
        raise NotImplementedError

    def positions(self) -> list[Position]:
        """By symbol; one that was closed today stays, with 0 shares, until the day ends."""
        raise NotImplementedError

    def summary(self, marks: Mapping[int, Decimal]) -> list[SummaryRow]:
        """Every account summary tag, sorted."""
        raise NotImplementedError

    def pnl(self, marks: Mapping[int, Decimal]) -> Pnl:
        """Of the whole account."""
        raise NotImplementedError

    def pnl_single(self, con_id: int, marks: Mapping[int, Decimal]) -> Pnl | None:
        """Of one position; None for an instrument never held."""
        raise NotImplementedError

    def start_day(self, marks: Mapping[int, Decimal]) -> None:
        """Daily profit counts from here; positions that were closed are forgotten."""
        raise NotImplementedError


def account_for(seed: int) -> str:
    """A paper account's name, "DU" and seven digits, the same for the same seed everywhere."""
    raise NotImplementedError


def opening_positions() -> list[Position]:
    """100 SPY, so that positions and profit show from the first second."""
    raise NotImplementedError
