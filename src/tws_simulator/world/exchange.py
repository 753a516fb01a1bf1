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
from hashlib import blake2b
from typing import Final

from tws_simulator.world.accounts import ZERO, Execution, Ledger, Placement, PlacementKind
from tws_simulator.world.calendar import SECOND_NS, new_york_day
from tws_simulator.world.market import MarketEvent, Quote, QuoteChanged, Traded, as_decimal
from tws_simulator.world.tape import Tape
from tws_simulator.world.tickets import (
    ACTIONS,
    ORDER_TYPES,
    TIFS,
    TIFS_REFUSED,
    Commissioned,
    Echo,
    Executed,
    ExecutionFilter,
    Notice,
    OrderEvent,
    OrderStatus,
    OrderTicket,
    OrderView,
    Status,
    WhatIf,
)
from tws_simulator.world.universe import SMART, find, trades_at
from tws_simulator.world.working_order import WorkingOrder, commission_usd

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


class Exchange:
    """Accepts, matches and remembers the orders of every client of one account.

    Time never runs backwards here: a ``now_ns`` before the latest one counts as the latest. At New York midnight DAY
    orders end, finished orders are forgotten and the ledger starts a new day; ids and GTC orders live on.
    """

    def __init__(
        self, market: Tape, ledger: Ledger, seed: int, start_ns: int, orders_max: int = ORDERS_PER_DAY_MAX
    ) -> None:
        self._market = market
        self._orders_max = orders_max
        self._ledger = ledger
        luck = int.from_bytes(blake2b(b"luck %d" % seed, digest_size=8).digest(), "big")
        self._luck = random.Random(luck)  # noqa: S311  reproducible is what we want; nothing here is secret
        self._serials = _Serials(seed, start_ns)
        self._ids: dict[int, _Ids] = {}
        self._orders: dict[tuple[int, int], WorkingOrder] = {}
        self._live: dict[tuple[int, int], WorkingOrder] = {}  # held, waiting or working
        self._working: dict[int, dict[tuple[int, int], WorkingOrder]] = {}
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
            refusal = self._refusal(ticket) or ((105, CHANGED_ORDER) if known.differs(ticket) else None)
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
        order = WorkingOrder(ticket, self._serials.perm_id(), parent)
        self._orders[order.key] = self._live[order.key] = order
        if ticket.transmit:
            self._transmit(order, out)

    def _transmit(self, order: "WorkingOrder", out: list[OrderEvent]) -> None:
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

    def _work(self, order: "WorkingOrder", out: list[OrderEvent]) -> None:
        order.move(OrderStatus.SUBMITTED)
        self._pair(order, out)
        self._working.setdefault(order.ticket.con_id, {})[order.key] = order
        self._take(order, self._market.quote(order.ticket.con_id), out)
        if order.ticket.tif == "IOC" and order.is_live:
            self._cancel(order, "Cancelled by System:\n", out)

    def _modify(self, order: "WorkingOrder", ticket: OrderTicket, out: list[OrderEvent]) -> None:
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
        order = WorkingOrder(ticket, self._serials.perm_id(), None)
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

    def _take(self, order: "WorkingOrder", quote: Quote | QuoteChanged, out: list[OrderEvent]) -> None:
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

    def _meet(self, orders: Iterable["WorkingOrder"], trade: Traded, out: list[OrderEvent]) -> None:
        """Fill waiting limits that a trade reached, oldest first, with no more shares than it had."""
        price = as_decimal(trade.price)
        left = Decimal(trade.size)
        for order in orders:
            shares = min(order.reached(price, left), left)
            if shares > 0 and order.limit is not None:
                left -= shares
                self._fill(order, shares, order.limit, trade.exchange, 1, out)

    def _fill(
        self, order: "WorkingOrder", shares: Decimal, price: Decimal, venue: str, liquidity: int, out: list[OrderEvent]
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

    def _release(self, filled: "WorkingOrder", out: list[OrderEvent]) -> None:
        """A filled order ends the others of its group and starts its children."""
        for order in list(self._live.values()):
            if not order.is_live or order.ticket.client_id != filled.ticket.client_id:
                continue
            if filled.ticket.oca_group and order.ticket.oca_group == filled.ticket.oca_group:
                self._cancel(order, "Cancelled by System:\n", out)
            elif order.parent is filled and order.status is OrderStatus.PRE_SUBMITTED:
                self._work(order, out)

    # Endings and messages

    def _cancel(self, order: "WorkingOrder", why: str, out: list[OrderEvent]) -> None:
        self._end(order, OrderStatus.CANCELLED, why)
        out.append(self._status(order))
        out.append(self._notice(order.ticket, 202, CANCELED))
        self._cancel_children(order, out)

    def _reject(self, order: "WorkingOrder", reason: str, out: list[OrderEvent]) -> None:
        self._end(order, OrderStatus.INACTIVE, f"Rejected by System:\n{reason}")
        self._pair(order, out)
        out.append(self._notice(order.ticket, 201, REJECTED + reason))
        self._pair(order, out)
        self._cancel_children(order, out)

    def _cancel_children(self, parent: "WorkingOrder", out: list[OrderEvent]) -> None:
        for order in list(self._live.values()):
            if order.parent is parent and order.is_live:
                self._cancel(order, "Cancelled by System:\n", out)

    def _end(self, order: "WorkingOrder", status: OrderStatus, why: str) -> None:
        order.move(status)
        self._finish(order, why)

    def _finish(self, order: "WorkingOrder", completed_status: str) -> None:
        order.completed_ts_ns = self._now_ns
        order.completed_status = completed_status
        self._live.pop(order.key, None)
        self._working.get(order.ticket.con_id, {}).pop(order.key, None)

    def _pair(self, order: "WorkingOrder", out: list[OrderEvent]) -> None:
        view = order.view()
        out.append(Echo(client_id=order.ticket.client_id, ts_ns=self._now_ns, order=view))
        out.append(Status(client_id=order.ticket.client_id, ts_ns=self._now_ns, order=view))

    def _status(self, order: "WorkingOrder") -> Status:
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
