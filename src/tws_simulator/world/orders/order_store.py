"""Every order of the day, what became of it, and what its owner is told.

Messages come in the order that captures of real gateways show. Accepted: openOrder and orderStatus. A fill, partial or
not: execDetails, openOrder, orderStatus, openOrder with the commission so far, orderStatus, commission report.
Cancelled: orderStatus Cancelled, then 202, and no openOrder. Refused later: openOrder and orderStatus Inactive, 201,
and both again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.records import ZERO, Execution, Placement, PlacementKind
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.notices import CodedText
from tws_simulator.world.orders.order_events import Commissioned, Echo, Executed, Notice, OrderEvent, Status
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket
from tws_simulator.world.orders.working_order import Key, WorkingOrder
from tws_simulator.world.time.units import SECOND_NS

ORDER_ID_MAX: Final = 2**31 - 1
"""No larger one goes over the wire; a client that used it has no new order id left, and each one it tries is a 103."""


@dataclass(slots=True)
class Ids:
    """One client's highest order ids: of any placeOrder, and of those that became an order.

    An id that was refused may be used again at once, but is not offered as the next one.
    """

    seen: int = 0
    accepted: int = 0


class OrderStore:
    """``orders`` are today's, by (client id, order id), ``live`` those of them that are not finished.

    Time never runs backwards here: it is the latest that anybody named.
    """

    def __init__(self, ledgers: Mapping[str, Ledger], seed: int, start_ns: int) -> None:
        self.now_ns = start_ns
        self.ledgers = ledgers
        self.orders: dict[Key, WorkingOrder] = {}
        self.live: dict[Key, WorkingOrder] = {}
        self.by_perm_id: dict[int, WorkingOrder] = {}
        self._twins: dict[Key, list[WorkingOrder]] = {}
        self._yesterdays = {account: len(ledger.executions) for account, ledger in ledgers.items()}
        self._ids: dict[int, Ids] = {}
        self._serials = _Serials(seed, start_ns)
        self._out: list[OrderEvent] = []

    def set_clock(self, now_ns: int) -> None:
        self.now_ns = max(self.now_ns, now_ns)

    def take_events(self) -> list[OrderEvent]:
        """What was said since the last call."""
        out, self._out = self._out, []
        return out

    def order_ids(self, client_id: int) -> Ids:
        """To be changed; whoever only asks is not remembered: see ``next_order_id``."""
        return self._ids.setdefault(client_id, Ids())

    def next_order_id(self, client_id: int) -> int:
        known = self._ids.get(client_id)
        return 1 if known is None else min(known.seen + 1, ORDER_ID_MAX)

    def ledger(self, order: WorkingOrder | OrderTicket) -> Ledger:
        """Of the account that the order names; the first for what names none of ours."""
        ticket = order.ticket if isinstance(order, WorkingOrder) else order
        ledger = self.ledgers.get(ticket.account)
        return next(iter(self.ledgers.values())) if ledger is None else ledger

    def next_perm_id(self) -> int:
        return self._serials.perm_id()

    def add(self, order: WorkingOrder) -> None:
        order.placed_ns = self.now_ns
        self.orders[order.key] = self.live[order.key] = self.by_perm_id[order.perm_id] = order
        if order.is_twin:
            self._twins.setdefault((order.ticket.client_id, order.ticket.order_id), []).append(order)

    def living(self, client_id: int, order_id: int) -> list[WorkingOrder]:
        """All that work under one id: one, or it and its twins."""
        key = client_id, order_id
        named = [self.orders[key]] if key in self.orders else []
        return [order for order in (*named, *self._twins.get(key, ())) if order.is_live]

    def start_day(self) -> None:
        """Forget what is finished."""
        self.orders = dict(self.live)
        self._twins = {
            key: living for key in self._twins if (living := [each for each in self._twins[key] if each.is_live])
        }
        self.by_perm_id = {order.perm_id: order for order in self.live.values()}
        self._yesterdays = {account: len(ledger.executions) for account, ledger in self.ledgers.items()}

    def executions(self) -> list[Execution]:
        """Today's of all accounts that count, oldest first."""
        today = [
            execution
            for account, ledger in self.ledgers.items()
            for execution in ledger.standing(since=self._yesterdays[account])
        ]
        return sorted(today, key=lambda execution: execution.ts_ns)

    def record(self, ticket: OrderTicket, kind: PlacementKind) -> None:
        self.ledger(ticket).record(
            Placement(
                ts_ns=self.now_ns,
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

    def tell(self, event: OrderEvent) -> None:
        self._out.append(event)

    def tell_order(self, order: WorkingOrder) -> None:
        view = order.view()
        order.echoes += 1
        self._out.append(Echo(client_id=order.owner, ts_ns=self.now_ns, order=view))
        self._out.append(Status(client_id=order.owner, ts_ns=self.now_ns, order=view))

    def tell_status(self, order: WorkingOrder) -> None:
        self._out.append(Status(client_id=order.owner, ts_ns=self.now_ns, order=order.view()))

    def tell_notice(self, ticket: OrderTicket, notice: CodedText) -> None:
        known = self.orders.get((ticket.client_id, ticket.order_id))
        self._out.append(
            Notice(
                client_id=ticket.client_id if known is None else known.owner,
                ts_ns=self.now_ns,
                order_id=ticket.order_id,
                code=notice[0],
                text=notice[1],
            )
        )

    def fill(
        self,
        order: WorkingOrder,
        shares: Decimal,
        price: Decimal,
        *,
        venue: str,
        liquidity: int,
        sec_type: str = "STK",
        multiplier: int = 1,
        force: bool = False,
    ) -> None:
        """Book a fill and tell the owner; with ``force`` also more than is left, or of an order that has ended."""
        ticket = order.ticket
        cost_usd = order.fill(shares, price, multiplier, force=force)
        execution = Execution(
            exec_id=self._serials.exec_id(),
            perm_id=order.perm_id,
            client_id=ticket.client_id,
            order_id=ticket.order_id if order.bound else 0,
            order_ref=ticket.order_ref,
            account=ticket.account,
            con_id=ticket.con_id,
            symbol=ticket.symbol,
            exchange=venue,
            side="BOT" if order.buys else "SLD",
            shares=shares,
            price=price,
            cum_qty=order.filled,
            avg_price=order.average_price,
            liquidity=liquidity,
            ts_ns=self.now_ns,
            sec_type=sec_type,
            multiplier=multiplier,
        )
        if order.is_live and order.remaining <= 0:
            order.move(OrderStatus.FILLED)
            self._finish(order, notices.filled(order.filled))
        elif order.status is OrderStatus.FILLED:
            order.completed_status = notices.filled(order.filled)
        report = self.ledger(order).apply(execution, cost_usd)
        self._out.append(Executed(client_id=order.owner, ts_ns=self.now_ns, execution=execution))
        self.tell_order(order)
        order.commission_usd = (order.commission_usd or ZERO) + cost_usd
        self.tell_order(order)
        self._out.append(Commissioned(client_id=order.owner, ts_ns=self.now_ns, report=report))

    def cancelled(self, order: WorkingOrder, why: str) -> None:
        """One that was never transmitted is discarded, as captured: Cancelled, 202 and 161."""
        held = order.status is OrderStatus.HELD
        order.move(OrderStatus.CANCELLED)
        self._finish(order, why)
        self.tell_status(order)
        self.tell_notice(order.ticket, notices.DISCARDED if held else notices.CANCELLED)
        if held:
            self.not_cancellable(order)

    def not_cancellable(self, order: WorkingOrder) -> None:
        self.tell_notice(order.ticket, notices.not_cancellable(order.perm_id))

    def dropped(self, order: WorkingOrder) -> None:
        """An order that nobody was ever told of ends in silence."""
        order.move(OrderStatus.CANCELLED)
        self._finish(order, notices.BY_SYSTEM)

    def forget_untransmitted(self) -> None:
        """What only the gateway had: orders that it was never told to send."""
        for order in [each for each in self.live.values() if each.status is OrderStatus.HELD]:
            self.dropped(order)
            del self.orders[order.key], self.by_perm_id[order.perm_id]

    def inactive(self, order: WorkingOrder, reason: str) -> None:
        """First part of a refusal after acceptance."""
        order.move(OrderStatus.INACTIVE)
        self._finish(order, notices.rejected_by_system(reason))
        self.tell_order(order)

    def rejected(self, order: WorkingOrder, reason: str, *, again: bool = True) -> None:
        """The second part."""
        self.tell_notice(order.ticket, notices.rejected(reason))
        if again:
            self.tell_order(order)

    def _finish(self, order: WorkingOrder, completed_status: str) -> None:
        order.completed_ts_ns = self.now_ns
        order.completed_status = completed_status
        self.live.pop(order.key, None)


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
