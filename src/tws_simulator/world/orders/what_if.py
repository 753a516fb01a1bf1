"""What an order would do to the margin of its account, for those who only ask."""

from __future__ import annotations

from tws_simulator.world.instruments import universe
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.commissions import commission_usd
from tws_simulator.world.orders.order_events import WhatIf
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket
from tws_simulator.world.orders.working_order import WorkingOrder


def what_if(ticket: OrderTicket, store: OrderStore, tape: Tape) -> WhatIf:
    """The order itself is forgotten; its permanent id is not given again."""
    marks, ledger = tape.prices, store.ledger(ticket)
    multiplier = universe.listing(ticket.con_id).multiplier or 1
    before = ledger.margins(marks)
    after = ledger.margins(marks, ticket.con_id, ticket.signed_quantity, multiplier)
    price = ticket.limit_price or marks[ticket.con_id]
    order = WorkingOrder(ticket, store.next_perm_id(), None)
    order.move(OrderStatus.PRE_SUBMITTED)
    return WhatIf(
        client_id=ticket.client_id,
        ts_ns=store.now_ns,
        order=order.view(),
        initial_margin_before_usd=before.initial_usd,
        initial_margin_after_usd=after.initial_usd,
        maintenance_margin_before_usd=before.maintenance_usd,
        maintenance_margin_after_usd=after.maintenance_usd,
        equity_before_usd=before.equity_usd,
        equity_after_usd=after.equity_usd,
        commission_usd=commission_usd(ticket.quantity, ticket.quantity * price * multiplier),
    )
