"""Order entry and matching of the simulated gateway against the market's quotes.

An order goes through the statuses in ``TRANSITIONS`` and draws the messages that captures of real gateways show, in
their order. Accepted: openOrder and orderStatus PreSubmitted, then both again Submitted. A fill, partial or not:
execDetails, openOrder, orderStatus, openOrder with the commission so far, orderStatus, commission report. Cancelled:
orderStatus Cancelled, then 202, and no openOrder. Refused on entry: one error and no order. Refused later: openOrder
and orderStatus Inactive, 201, and both again.

A marketable order takes what the quote shows and waits for the next quote to take more. A limit order that does not
cross waits at its own price behind part of the displayed size (how much is luck) and is filled at that price when
trades have used up what was ahead, when a trade prints through it, or when the other side of the quote reaches it.
What our own orders took is gone until the quote changes.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Final

from tws_simulator.accounts import ZERO, Commission, Execution, Ledger, Placement, PlacementKind
from tws_simulator.market import SECOND_NS, Market, MarketEvent, Quote, QuoteChanged, Traded, as_decimal, new_york_day
from tws_simulator.universe import SMART, find, trades_at

# "IB Pro tiered" for US stocks at the lowest volume tier; exchange, clearing and regulatory fees are left out, so this
# is an approximation.
COMMISSION_PER_SHARE_USD: Final = Decimal("0.0035")
COMMISSION_MIN_USD: Final = Decimal("0.35")
COMMISSION_MAX_SHARE: Final = Decimal("0.01")  # of the trade's value; wins over the minimum

ACTIONS: Final = ("BUY", "SELL", "SSHORT")
ORDER_TYPES: Final = ("MKT", "LMT")
TIFS: Final = ("DAY", "GTC", "IOC")
TIFS_REFUSED: Final = ("FOK", "GTD", "OPG", "DTC", "AUC")  # known to IB, not filled here

ORDERS_PER_DAY_MAX: Final = 200_000  # at it, new orders are refused with 201
DEAD_ORDERS_TOLD_MAX: Final = 20  # a global cancel answers 161 for at most this many finished orders

# Texts as captured from a gateway (server version 225), except where a comment says otherwise.
NO_SECURITY: Final = "No security definition has been found for the request"
BAD_ORDER_TYPE: Final = "Error validating request.-'bz' : cause - Invalid order type was entered"
BAD_ACTION: Final = "Error validating request.-'bz' : cause - Invalid side was entered"  # wording ours
BAD_LIMIT: Final = "Error validating request.-'bz' : cause - Invalid limit price was entered"  # wording ours
BAD_ACCOUNT: Final = "Error validating request.-'bz' : cause - Invalid account code"  # wording ours
ZERO_SIZE: Final = "The order size cannot be zero."
FRACTIONAL_SIZE: Final = "Fractional-sized order cannot be placed via API."  # wording ours
OFF_TICK: Final = "The price does not conform to the minimum price variation for this contract."
DUPLICATE_ID: Final = "Duplicate order id"
CHANGED_ORDER: Final = "Order being modified does not match original order"
NO_PARENT: Final = "Missing parent order"  # wording ours
CANCELED: Final = "Order Canceled - reason:"
REJECTED: Final = "Order rejected - reason:"
BAD_TIF_FOR_VENUE: Final = "The time-in-force {} is invalid for this combination of exchange and security type."
TOO_MANY: Final = "Too many orders today."  # wording ours
MARGIN: Final = (  # wording ours
    "Your order is not accepted: your equity with loan value [{:.2f} USD] must exceed the initial margin [{:.2f} USD]."
)


class OrderStatus(Enum):
    """IB's names, as they go over the wire."""

    HELD = "ApiPending"  # transmit=False: never told to anybody
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"  # refused after it was accepted; never works again


TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.HELD: frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.CANCELLED}),
    OrderStatus.PRE_SUBMITTED: frozenset({OrderStatus.SUBMITTED, OrderStatus.CANCELLED, OrderStatus.INACTIVE}),
    OrderStatus.SUBMITTED: frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED}),
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.INACTIVE: frozenset(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTicket:
    """A placeOrder message, decoded. ``limit_price`` is None where the client left it unset."""

    client_id: int
    order_id: int
    con_id: int
    symbol: str
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None = None
    tif: str = "DAY"
    order_ref: str = ""
    account: str = ""
    exchange: str = "SMART"
    transmit: bool = True
    outside_rth: bool = False
    parent_id: int = 0
    oca_group: str = ""
    what_if: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order at one moment: all that openOrder, orderStatus and completedOrder say about it."""

    ticket: OrderTicket
    perm_id: int
    status: OrderStatus
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    last_price: Decimal
    parent_perm_id: int = 0
    why_held: str = ""
    commission_usd: Decimal | None = None
    completed_ts_ns: int | None = None
    completed_status: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """An openOrder message for the order's owner."""

    client_id: int
    ts_ns: int
    order: OrderView


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """An orderStatus message for the order's owner."""

    client_id: int
    ts_ns: int
    order: OrderView


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """An execDetails message outside a request (reqId -1)."""

    client_id: int
    ts_ns: int
    execution: Execution


@dataclass(frozen=True, kw_only=True, slots=True)
class Commissioned:
    """A commission report; comes last."""

    client_id: int
    ts_ns: int
    report: Commission


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """An error message whose id is the order id."""

    client_id: int
    ts_ns: int
    order_id: int
    code: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """The one openOrder that answers a what-if order: margins before and after, in USD."""

    client_id: int
    ts_ns: int
    order: OrderView
    initial_margin_before_usd: Decimal
    initial_margin_after_usd: Decimal
    maintenance_margin_before_usd: Decimal
    maintenance_margin_after_usd: Decimal
    equity_before_usd: Decimal
    equity_after_usd: Decimal
    commission_usd: Decimal


OrderEvent = Echo | Status | Executed | Commissioned | Notice | WhatIf


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionFilter:
    """Which executions reqExecutions asks for; None matches all. ``side`` is BUY or SELL, as clients write it."""

    client_id: int | None = None
    account: str | None = None
    since_ns: int | None = None
    symbol: str | None = None
    sec_type: str | None = None
    exchange: str | None = None
    side: str | None = None


class Exchange:
    """Accepts, matches and remembers the orders of every client of one account.

    Time never runs backwards here: a ``now_ns`` before the latest one counts as the latest. At New York midnight DAY
    orders end, finished orders are forgotten and the ledger starts a new day; ids and GTC orders live on.
    """

    def __init__(
        self, market: Market, ledger: Ledger, seed: int, start_ns: int, orders_max: int = ORDERS_PER_DAY_MAX
    ) -> None:
        self._market = market
        self._orders_max = orders_max
        self._ledger = ledger
        luck = int.from_bytes(blake2b(b"luck %d" % seed, digest_size=8).digest(), "big")
        self._luck = random.Random(luck)  # noqa: S311  reproducible is what we want; nothing here is secret
        self._serials = _Serials(seed, start_ns)
        self._ids: dict[int, _Ids] = {}
        self._orders: dict[tuple[int, int], _Order] = {}
        self._live: dict[tuple[int, int], _Order] = {}  # held, waiting or working
        self._working: dict[int, dict[tuple[int, int], _Order]] = {}
        self._taken: dict[tuple[int, bool], tuple[int, Decimal]] = {}
        self._now_ns = start_ns
        self._day = new_york_day(start_ns)
        self._day_first_execution = len(ledger.executions)

    def place(self, ticket: OrderTicket, now_ns: int) -> list[OrderEvent]:
        """A new order, or new terms for a working one with the same id.

        New terms for a filled order are ignored in silence, as the gateway does.
        """
        out = self._clock(now_ns)
        key = (ticket.client_id, ticket.order_id)
        ids = self._ids.setdefault(ticket.client_id, _Ids())
        ids.seen = max(ids.seen, ticket.order_id)
        known = self._orders.get(key)
        if known is not None and known.status is OrderStatus.FILLED:
            self._record(ticket, PlacementKind.IGNORED)
            return out
        if known is not None and known.is_live:
            kind = PlacementKind.MODIFY
            refusal = self._refusal(ticket) or known.mismatch(ticket)
        else:
            kind = PlacementKind.NEW
            refusal = (103, DUPLICATE_ID) if ticket.order_id <= ids.accepted else self._refusal(ticket)
            if len(self._orders) >= self._orders_max:
                refusal = (201, REJECTED + TOO_MANY)
        if ticket.what_if:
            kind = PlacementKind.WHAT_IF
        if refusal is not None:
            self._record(ticket, PlacementKind.REFUSED)
            out.append(self._notice(ticket, *refusal))
            return out
        self._record(ticket, kind)
        ids.accepted = max(ids.accepted, ticket.order_id)
        ticket = _completed(ticket, self._ledger.account)
        if kind is PlacementKind.WHAT_IF:
            out.append(self._what_if(ticket))
        elif known is not None and kind is PlacementKind.MODIFY:
            self._modify(known, ticket, out)
        else:
            self._accept(ticket, out)
        return out

    def cancel(self, client_id: int, order_id: int, now_ns: int) -> list[OrderEvent]:
        """Another client's order is not found: 10147; a finished one is not cancellable: 10148."""
        out = self._clock(now_ns)
        order = self._orders.get((client_id, order_id))
        if order is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            out.append(Notice(client_id=client_id, ts_ns=self._now_ns, order_id=order_id, code=10147, text=text))
        elif not order.is_live:
            state = "Filled" if order.status is OrderStatus.FILLED else "Cancelled"  # also for Inactive, as captured
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {state}."
            out.append(self._notice(order.ticket, 10148, text))
        else:
            self._cancel(order, "Cancelled by Trader", out)
        return out

    def global_cancel(self, client_id: int, now_ns: int) -> list[OrderEvent]:
        """Cancel every working order of every client; events go to their owners.

        First the caller gets a 161 for each of its latest orders that had been cancelled already, as captured.
        """
        out = self._clock(now_ns)
        dead = [
            order
            for order in self._orders.values()
            if order.ticket.client_id == client_id and not order.is_live and order.status is not OrderStatus.FILLED
        ]
        for order in dead[-DEAD_ORDERS_TOLD_MAX:]:
            text = f"Cancel attempted when order is not in a cancellable state.  Order permId ={order.perm_id}"
            out.append(self._notice(order.ticket, 161, text))
        for order in list(self._live.values()):
            if order.is_live:  # its parent's end may have ended it
                self._cancel(order, "Cancelled by Trader", out)
        return out

    def advance(self, now_ns: int, market_events: Sequence[MarketEvent]) -> list[OrderEvent]:
        """What the market's events, in order of time and up to ``now_ns``, did to the working orders."""
        out: list[OrderEvent] = []
        for event in market_events:
            orders = self._working.get(event.con_id)
            if not orders:
                continue
            out += self._clock(event.ts_ns)
            if isinstance(event, QuoteChanged):
                for order in list(orders.values()):
                    if order.is_live:  # a fill before it may have ended its group
                        self._take(order, event, out)
            else:
                self._meet(list(orders.values()), event, out)
        out += self._clock(now_ns)
        return out

    def open_orders(self, client_id: int | None = None) -> list[OrderView]:
        """Transmitted orders that still work, oldest first; of one client or of all."""
        return [
            order.view()
            for order in self._live.values()
            if order.status is not OrderStatus.HELD and client_id in (None, order.ticket.client_id)
        ]

    def completed_orders(self) -> list[OrderView]:
        """Today's finished orders of every client."""
        return [order.view() for order in self._orders.values() if not order.is_live]

    def executions(self, wanted: ExecutionFilter | None = None) -> list[Execution]:
        """Today's fills, oldest first; the gateway knows no other day. Reports are in ``ledger.commissions``."""
        today = self._ledger.executions[self._day_first_execution :]
        return today if wanted is None else [execution for execution in today if _matches(execution, wanted)]

    def next_order_id(self, client_id: int) -> int:
        """One above the highest id this client used, in this or an earlier connection."""
        ids = self._ids.get(client_id)
        return ids.seen + 1 if ids else 1

    def __repr__(self) -> str:
        statuses = [order.status for order in self._orders.values()]
        counts = " ".join(f"{status.value} {statuses.count(status)}" for status in OrderStatus if status in statuses)
        return f"<Exchange {self._ledger.account} {counts or 'no orders'}>"

    # Entry

    def _refusal(self, ticket: OrderTicket) -> tuple[int, str] | None:
        """The error that turns a placeOrder away before there is an order."""
        listing = find(symbol=ticket.symbol, con_id=ticket.con_id)
        if listing is None or listing.con_id not in self._market or not trades_at(listing, ticket.exchange):
            return 200, NO_SECURITY
        if ticket.action not in ACTIONS:
            return 321, BAD_ACTION
        if ticket.order_type not in ORDER_TYPES:
            return 321, BAD_ORDER_TYPE
        if ticket.tif not in TIFS and ticket.tif not in TIFS_REFUSED:
            return 10052, f"Invalid time in force:{ticket.tif or 'Empty'}"
        if not ticket.quantity.is_finite() or ticket.quantity <= 0:
            return 434, ZERO_SIZE
        if ticket.quantity % 1:
            return 10243, FRACTIONAL_SIZE
        if ticket.account not in ("", self._ledger.account):
            return 321, BAD_ACCOUNT
        if ticket.order_type == "LMT":
            if ticket.limit_price is None or not ticket.limit_price.is_finite() or ticket.limit_price <= 0:
                return 321, BAD_LIMIT
            if ticket.limit_price % Decimal(listing.min_tick):
                return 110, OFF_TICK
        if ticket.parent_id:
            parent = self._orders.get((ticket.client_id, ticket.parent_id))
            if parent is None or parent.status in (OrderStatus.CANCELLED, OrderStatus.INACTIVE):
                return 10006, NO_PARENT
        return None

    def _rejection(self, ticket: OrderTicket) -> str | None:
        """Why an order that was well formed is not taken on (201)."""
        if ticket.tif in TIFS_REFUSED:
            return BAD_TIF_FOR_VENUE.format(ticket.tif)
        if ticket.parent_id:
            return None  # it will reduce what the parent opens
        marks = self._market.marks()
        before = self._ledger.margins(marks)
        after = self._ledger.margins(marks, ticket.con_id, _signed(ticket))
        if after.initial_usd > max(before.initial_usd, after.equity_usd):
            return MARGIN.format(after.equity_usd, after.initial_usd)
        return None

    def _accept(self, ticket: OrderTicket, out: list[OrderEvent]) -> None:
        parent = self._orders.get((ticket.client_id, ticket.parent_id)) if ticket.parent_id else None
        if parent is not None:
            # The gateway links a bracket's children by itself: the group is the parent's permanent id.
            ticket = replace(ticket, oca_group=str(parent.perm_id))
        order = _Order(ticket, self._serials.perm_id(), parent)
        self._orders[order.key] = self._live[order.key] = order
        if ticket.transmit:
            self._transmit(order, out)

    def _transmit(self, order: "_Order", out: list[OrderEvent]) -> None:
        """Send an order and, with it, the held ones of its bracket: parent first, then children by age."""
        family = [each for each in self._live.values() if each.status is OrderStatus.HELD and each.is_kin(order)]
        for member in family:
            member.move(OrderStatus.PRE_SUBMITTED)
        for member in family:
            if not member.is_live:
                continue  # gone with its parent
            reason = self._rejection(member.ticket)
            if reason is None:
                self._pair(member, out)
            else:
                self._reject(member, reason, out)
        for member in family:
            if member.status is OrderStatus.PRE_SUBMITTED and not member.waits:
                self._work(member, out)

    def _work(self, order: "_Order", out: list[OrderEvent]) -> None:
        order.move(OrderStatus.SUBMITTED)
        self._pair(order, out)
        self._working.setdefault(order.ticket.con_id, {})[order.key] = order
        self._take(order, self._market.quote(order.ticket.con_id), out)
        if order.ticket.tif == "IOC" and order.is_live:
            self._cancel(order, "Cancelled by System:\n", out)

    def _modify(self, order: "_Order", ticket: OrderTicket, out: list[OrderEvent]) -> None:
        order.change(ticket)
        if order.status is OrderStatus.HELD:
            if ticket.transmit:
                self._transmit(order, out)
            return
        if order.remaining <= 0:
            # Fewer than are filled already: nothing is left to do. No capture shows it; this is the mildest reading.
            self._cancel(order, "Cancelled by Trader", out)
            return
        self._pair(order, out)
        if order.status is OrderStatus.SUBMITTED:
            self._take(order, self._market.quote(ticket.con_id), out)
            if ticket.tif == "IOC" and order.is_live:
                self._cancel(order, "Cancelled by System:\n", out)

    def _what_if(self, ticket: OrderTicket) -> WhatIf:
        marks = self._market.marks()
        before = self._ledger.margins(marks)
        after = self._ledger.margins(marks, ticket.con_id, _signed(ticket))
        price = ticket.limit_price or marks[ticket.con_id]
        order = _Order(ticket, self._serials.perm_id(), None)
        order.move(OrderStatus.PRE_SUBMITTED)
        return WhatIf(
            client_id=ticket.client_id,
            ts_ns=self._now_ns,
            order=order.view(),
            initial_margin_before_usd=before.initial_usd,
            initial_margin_after_usd=after.initial_usd,
            maintenance_margin_before_usd=before.maintenance_usd,
            maintenance_margin_after_usd=after.maintenance_usd,
            equity_before_usd=before.equity_usd,
            equity_after_usd=after.equity_usd,
            commission_usd=commission_usd(ticket.quantity, ticket.quantity * price),
        )

    # Matching

    def _take(self, order: "_Order", quote: Quote | QuoteChanged, out: list[OrderEvent]) -> None:
        """Fill from the displayed size if the quote is within the limit; else wait in the queue at the limit."""
        buys = order.buys
        price = as_decimal(quote.ask if buys else quote.bid)
        limit = order.limit
        if limit is not None and (price > limit if buys else price < limit):
            order.rest(quote, self._luck)
            return
        stamp, taken = self._taken.get((quote.con_id, buys), (0, ZERO))
        if stamp != quote.ts_ns:
            taken = ZERO
        shares = min(order.remaining, (quote.ask_size if buys else quote.bid_size) - taken)
        if shares <= 0:
            return
        self._taken[quote.con_id, buys] = (quote.ts_ns, taken + shares)
        venue = order.ticket.exchange
        if venue == SMART:
            listing = find(con_id=quote.con_id)
            assert listing is not None
            venue = listing.primary_exchange
        if order.rests and limit is not None:
            self._fill(order, shares, limit, venue, 1, out)
        else:
            self._fill(order, shares, price, venue, 2, out)

    def _meet(self, orders: Iterable["_Order"], trade: Traded, out: list[OrderEvent]) -> None:
        """Fill waiting limits that a trade reached, oldest first, with no more shares than it had."""
        price = as_decimal(trade.price)
        left = Decimal(trade.size)
        for order in orders:
            shares = min(order.reached(price, left), left)
            if shares > 0 and order.limit is not None:
                left -= shares
                self._fill(order, shares, order.limit, trade.exchange, 1, out)

    def _fill(
        self, order: "_Order", shares: Decimal, price: Decimal, venue: str, liquidity: int, out: list[OrderEvent]
    ) -> None:
        ticket = order.ticket
        cost_usd = order.fill(shares, price)
        execution = Execution(
            exec_id=self._serials.exec_id(),
            perm_id=order.perm_id,
            client_id=ticket.client_id,
            order_id=ticket.order_id,
            order_ref=ticket.order_ref,
            account=self._ledger.account,
            con_id=ticket.con_id,
            symbol=ticket.symbol,
            exchange=venue,
            side="BOT" if order.buys else "SLD",
            shares=shares,
            price=price,
            cum_qty=order.filled,
            avg_price=order.average_price,
            liquidity=liquidity,
            ts_ns=self._now_ns,
        )
        if not order.remaining:
            order.move(OrderStatus.FILLED)
            self._finish(order, f"Filled Size: {order.filled}")
        report = self._ledger.apply(execution, cost_usd)
        out.append(Executed(client_id=ticket.client_id, ts_ns=self._now_ns, execution=execution))
        self._pair(order, out)
        order.commission_usd = (order.commission_usd or ZERO) + cost_usd
        self._pair(order, out)
        out.append(Commissioned(client_id=ticket.client_id, ts_ns=self._now_ns, report=report))
        if order.status is OrderStatus.FILLED:
            self._release(order, out)

    def _release(self, filled: "_Order", out: list[OrderEvent]) -> None:
        """A filled order ends the others of its group and starts its children."""
        for order in list(self._live.values()):
            if not order.is_live or order.ticket.client_id != filled.ticket.client_id:
                continue
            if filled.ticket.oca_group and order.ticket.oca_group == filled.ticket.oca_group:
                self._cancel(order, "Cancelled by System:\n", out)
            elif order.parent is filled and order.status is OrderStatus.PRE_SUBMITTED:
                self._work(order, out)

    # Endings and messages

    def _cancel(self, order: "_Order", why: str, out: list[OrderEvent]) -> None:
        self._end(order, OrderStatus.CANCELLED, why)
        out.append(self._status(order))
        out.append(self._notice(order.ticket, 202, CANCELED))
        self._cancel_children(order, out)

    def _reject(self, order: "_Order", reason: str, out: list[OrderEvent]) -> None:
        self._end(order, OrderStatus.INACTIVE, f"Rejected by System:\n{reason}")
        self._pair(order, out)
        out.append(self._notice(order.ticket, 201, REJECTED + reason))
        self._pair(order, out)
        self._cancel_children(order, out)

    def _cancel_children(self, parent: "_Order", out: list[OrderEvent]) -> None:
        for order in list(self._live.values()):
            if order.parent is parent and order.is_live:
                self._cancel(order, "Cancelled by System:\n", out)

    def _end(self, order: "_Order", status: OrderStatus, why: str) -> None:
        order.move(status)
        self._finish(order, why)

    def _finish(self, order: "_Order", completed_status: str) -> None:
        order.completed_ts_ns = self._now_ns
        order.completed_status = completed_status
        self._live.pop(order.key, None)
        self._working.get(order.ticket.con_id, {}).pop(order.key, None)

    def _pair(self, order: "_Order", out: list[OrderEvent]) -> None:
        view = order.view()
        out.append(Echo(client_id=order.ticket.client_id, ts_ns=self._now_ns, order=view))
        out.append(Status(client_id=order.ticket.client_id, ts_ns=self._now_ns, order=view))

    def _status(self, order: "_Order") -> Status:
        return Status(client_id=order.ticket.client_id, ts_ns=self._now_ns, order=order.view())

    def _notice(self, ticket: OrderTicket, code: int, text: str) -> Notice:
        return Notice(client_id=ticket.client_id, ts_ns=self._now_ns, order_id=ticket.order_id, code=code, text=text)

    def _record(self, ticket: OrderTicket, kind: PlacementKind) -> None:
        self._ledger.record(
            Placement(
                ts_ns=self._now_ns,
                client_id=ticket.client_id,
                order_id=ticket.order_id,
                order_ref=ticket.order_ref,
                con_id=ticket.con_id,
                action=ticket.action,
                order_type=ticket.order_type,
                quantity=ticket.quantity,
                limit_price=ticket.limit_price,
                kind=kind,
            )
        )

    def _clock(self, now_ns: int) -> list[OrderEvent]:
        out: list[OrderEvent] = []
        second = self._now_ns // SECOND_NS
        self._now_ns = max(self._now_ns, now_ns)
        if self._now_ns // SECOND_NS == second or (day := new_york_day(self._now_ns)) == self._day:
            return out
        self._day = day
        for order in list(self._live.values()):
            if order.is_live and order.ticket.tif != "GTC":
                self._cancel(order, "Cancelled by System:\nOrder is already expired.", out)
        self._orders = dict(self._live)
        self._day_first_execution = len(self._ledger.executions)
        self._ledger.start_day(self._market.marks())
        return out


class _Order:
    """One order's life: status, fills, place in the queue."""

    def __init__(self, ticket: OrderTicket, perm_id: int, parent: "_Order | None") -> None:
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

    def is_kin(self, other: "_Order") -> bool:
        return (self.parent or self) is (other.parent or other)

    def move(self, status: OrderStatus) -> None:
        if status not in TRANSITIONS[self.status]:
            raise AssertionError(f"{self!r} cannot become {status.value}")
        self.status = status

    def mismatch(self, ticket: OrderTicket) -> tuple[int, str] | None:
        """105 unless only price, size, type or time in force changed."""
        same = ticket.action == self.ticket.action and ticket.parent_id == self.ticket.parent_id
        same = same and ticket.symbol in ("", self.ticket.symbol) and ticket.con_id in (0, self.ticket.con_id)
        same = same and ticket.tif in TIFS
        return None if same else (105, CHANGED_ORDER)

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


@dataclass(slots=True)
class _Ids:
    """One client's highest order ids: of any placeOrder, and of those that became an order.

    An id that was refused may be used again at once, but is not offered as the next one.
    """

    seen: int = 0
    accepted: int = 0


class _Serials:
    """Ids that no other run of the simulator gives, unless seed and start are the same."""

    def __init__(self, seed: int, start_ns: int) -> None:
        digest = blake2b(b"serials %d %d" % (seed, start_ns), digest_size=8).digest()
        self._run = digest[:4].hex()
        self._exec_serial = start_ns // SECOND_NS
        # Captured permIds have nine or ten digits, some above 2**31: clients must read them as 64 bits.
        self._perm_serial = 500_000_000 + int.from_bytes(digest[4:], "big")

    def exec_id(self) -> str:
        """IB's form: four segments, of which the last counts corrections."""
        self._exec_serial += 1
        return f"{self._run}.{self._exec_serial & 0xFFFF_FFFF:08x}.01.01"

    def perm_id(self) -> int:
        self._perm_serial += 1
        return self._perm_serial


def commission_usd(shares: Decimal, value_usd: Decimal) -> Decimal:
    """What an order has cost so far; a fill is charged what it adds, so the minimum is paid once."""
    if not shares:
        return ZERO
    return min(max(shares * COMMISSION_PER_SHARE_USD, COMMISSION_MIN_USD), value_usd * COMMISSION_MAX_SHARE)


def _completed(ticket: OrderTicket, account: str) -> OrderTicket:
    """The ticket with what the client may leave out: conId or symbol, account, exchange."""
    listing = find(symbol=ticket.symbol, con_id=ticket.con_id)
    assert listing is not None
    return replace(
        ticket, con_id=listing.con_id, symbol=listing.symbol, account=account, exchange=ticket.exchange or SMART
    )


def _signed(ticket: OrderTicket) -> Decimal:
    return ticket.quantity if ticket.action == "BUY" else -ticket.quantity


def _matches(execution: Execution, wanted: ExecutionFilter) -> bool:
    side = None if wanted.side is None else {"BUY": "BOT", "SELL": "SLD", "SSHORT": "SLD"}.get(wanted.side, wanted.side)
    return (
        wanted.client_id in (None, execution.client_id)
        and wanted.account in (None, execution.account)
        and wanted.symbol in (None, execution.symbol)
        and wanted.sec_type in (None, "STK")
        and wanted.exchange in (None, SMART, execution.exchange)
        and side in (None, execution.side)
        and (wanted.since_ns is None or execution.ts_ns >= wanted.since_ns)
    )
