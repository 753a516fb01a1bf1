"""One order's life at the exchange: status, fills, place in the queue, what it has cost."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts import ZERO
from tws_simulator.world.market import Quote, QuoteChanged, as_decimal
from tws_simulator.world.tickets import TIFS, TRANSITIONS, OrderStatus, OrderTicket, OrderView

# "IB Pro tiered" for US stocks at the lowest volume tier; exchange, clearing and regulatory fees are left out, so this
# is an approximation.
COMMISSION_PER_SHARE_USD: Final = Decimal("0.0035")
COMMISSION_MIN_USD: Final = Decimal("0.35")
COMMISSION_MAX_SHARE: Final = Decimal("0.01")  # of the trade's value; wins over the minimum


class WorkingOrder:
    """One order's life: status, fills, place in the queue."""

    def __init__(self, ticket: OrderTicket, perm_id: int, parent: "WorkingOrder | None") -> None:
        self.ticket = ticket
        self.perm_id = perm_id
        self.parent = parent
        self.status = OrderStatus.HELD
        self.filled = ZERO
        self.last_price = ZERO
        self.commission_usd: Decimal | None = None
        self.completed_ts_ns: int | None = None
        self.completed_status = ""
        self.rests = False
        self._ahead: Decimal | None = None  # shares queued before ours; None while our price is not the touch
        self._value_usd = ZERO

    @property
    def key(self) -> tuple[int, int]:
        return self.ticket.client_id, self.ticket.order_id

    @property
    def buys(self) -> bool:
        return self.ticket.action == "BUY"

    @property
    def limit(self) -> Decimal | None:
        return self.ticket.limit_price if self.ticket.order_type == "LMT" else None

    @property
    def remaining(self) -> Decimal:
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        return self._value_usd / self.filled if self.filled else ZERO

    @property
    def is_live(self) -> bool:
        return bool(TRANSITIONS[self.status])

    @property
    def waits(self) -> bool:
        """Whether the order starts only once its parent is filled."""
        return self.parent is not None and self.parent.status is not OrderStatus.FILLED

    def is_kin(self, other: "WorkingOrder") -> bool:
        return (self.parent or self) is (other.parent or other)

    def move(self, status: OrderStatus) -> None:
        if status not in TRANSITIONS[self.status]:
            raise AssertionError(f"{self!r} cannot become {status.value}")
        self.status = status

    def differs(self, ticket: OrderTicket) -> bool:
        """True unless only price, size, type or time in force changed."""
        same = ticket.action == self.ticket.action and ticket.parent_id == self.ticket.parent_id
        same = same and ticket.symbol in ("", self.ticket.symbol) and ticket.con_id in (0, self.ticket.con_id)
        return not (same and ticket.tif in TIFS)

    def change(self, ticket: OrderTicket) -> None:
        """New terms; a new price or a larger size goes to the back of the queue."""
        if ticket.limit_price != self.ticket.limit_price or ticket.quantity > self.ticket.quantity:
            self.rests = False
            self._ahead = None
        self.ticket = replace(ticket, oca_group=self.ticket.oca_group)

    def rest(self, quote: Quote | QuoteChanged, luck: random.Random) -> None:
        """Wait at the limit; the queue ahead is drawn when our price first is the best of its side."""
        self.rests = True
        if self._ahead is not None:
            return
        best = as_decimal(quote.bid if self.buys else quote.ask)
        size = quote.bid_size if self.buys else quote.ask_size
        limit = self.limit
        assert limit is not None, "an order without a limit never rests"
        if limit == best:
            self._ahead = Decimal(int(size * luck.random()))
        elif limit > best if self.buys else limit < best:
            self._ahead = ZERO

    def reached(self, price: Decimal, size: Decimal) -> Decimal:
        """How many of our shares a trade of ``size`` at ``price`` would fill."""
        limit = self.limit
        if limit is None or not self.rests or not self.is_live:
            return ZERO
        if price < limit if self.buys else price > limit:
            return min(self.remaining, size)
        if price != limit or self._ahead is None:
            return ZERO
        shares = min(max(size - self._ahead, ZERO), self.remaining)
        self._ahead = max(self._ahead - size, ZERO)
        return shares

    def fill(self, shares: Decimal, price: Decimal) -> Decimal:
        """Count a fill; what it adds to the commission."""
        assert 0 < shares <= self.remaining, f"{self!r} overfilled by {shares}"
        charged_usd = commission_usd(self.filled, self._value_usd)
        self.filled += shares
        self._value_usd += shares * price
        self.last_price = price
        return commission_usd(self.filled, self._value_usd) - charged_usd

    def view(self) -> OrderView:
        return OrderView(
            ticket=self.ticket,
            perm_id=self.perm_id,
            status=self.status,
            filled=self.filled,
            remaining=max(self.remaining, ZERO),
            average_price=self.average_price,
            last_price=self.last_price,
            parent_perm_id=self.parent.perm_id if self.parent else 0,
            why_held="child" if self.status is OrderStatus.PRE_SUBMITTED and self.waits else "",
            commission_usd=self.commission_usd,
            completed_ts_ns=self.completed_ts_ns,
            completed_status=self.completed_status,
        )

    def __repr__(self) -> str:
        ticket = self.ticket
        terms = ticket.order_type if self.limit is None else f"{ticket.order_type} {self.limit}"
        return (
            f"<Order {ticket.client_id}/{ticket.order_id} {ticket.action} {ticket.quantity} {ticket.symbol} {terms} "
            f"{self.status.value} filled {self.filled}>"
        )


def commission_usd(shares: Decimal, value_usd: Decimal) -> Decimal:
    """What an order has cost so far; a fill is charged what it adds, so the minimum is paid once."""
    if not shares:
        return ZERO
    return min(max(shares * COMMISSION_PER_SHARE_USD, COMMISSION_MIN_USD), value_usd * COMMISSION_MAX_SHARE)
