"""An exchange over a market that stands still, so that each test says what the market does."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.opening import opening_positions
from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.crowd import Market
from tws_simulator.world.market.events import Quote, QuoteChanged, Traded, as_decimal
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.exchange import Exchange
from tws_simulator.world.orders.order_events import Echo, Executed, Notice, OrderEvent, Status
from tws_simulator.world.orders.tickets import OrderTicket
from tws_simulator.world.time.calendar import Calendar, new_york_ns
from tws_simulator.world.time.units import SECOND_NS

SPY, TSLA = 756733, 76792991
ACCOUNT, OTHER_ACCOUNT = "DU1234567", "DU1234568"


class Floor:
    """``at`` is the time in New York on Monday, 22 June 2026; the exchange keeps its hours unless ``always_open``."""

    def __init__(self, hour: int = 11, minute: int = 0, *, always_open: bool = False, seed: int = 1) -> None:
        self.start_ns = self.now_ns = new_york_ns(datetime(2026, 6, 22, hour, minute))
        self.calendar = Calendar(always_open=always_open)
        self.crowd = Market(LISTINGS, seed, self.now_ns)
        self.tape = Tape(self.calendar, self.crowd.opening, self.crowd.closes)
        self.ledgers = {name: Ledger(name, positions=opening_positions()) for name in (ACCOUNT, OTHER_ACCOUNT)}
        self.ledger = self.ledgers[ACCOUNT]
        self.exchange = self.another(seed)

    def another(self, seed: int = 1, seconds_later: int = 0, **bounds: int) -> Exchange:
        """An exchange over the same market and accounts."""
        start_ns = self.start_ns + seconds_later * SECOND_NS
        return Exchange(self.tape, self.calendar, self.ledgers, seed, start_ns, **bounds)

    @property
    def spy(self) -> Quote:
        return self.tape.quote(SPY)

    def bid(self, ticks: int = 0) -> Decimal:
        """So many ticks above SPY's bid."""
        return as_decimal(self.spy.bid) + Decimal(ticks) / 100

    def ask(self, ticks: int = 0) -> Decimal:
        return as_decimal(self.spy.ask) + Decimal(ticks) / 100

    def place(self, ticket: OrderTicket) -> list[OrderEvent]:
        return self.exchange.place(ticket, self.now_ns)

    def cancel(self, order_id: int, client_id: int = 7) -> list[OrderEvent]:
        return self.exchange.cancel(client_id, order_id, self.now_ns)

    def wait(self, seconds: float) -> list[OrderEvent]:
        self.now_ns += int(seconds * SECOND_NS)
        return self.exchange.advance(self.now_ns, [])

    def until(self, hour: int, minute: int = 0, *, day: int = 22) -> list[OrderEvent]:
        self.now_ns = new_york_ns(datetime(2026, 6, day, hour, minute))
        return self.exchange.advance(self.now_ns, [])

    def quote(self, bid: Decimal | str, ask: Decimal | str, size: int = 100) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = QuoteChanged(
            con_id=SPY, ts_ns=self.now_ns, bid=float(bid), ask=float(ask), bid_size=size, ask_size=size
        )
        return self.exchange.advance(self.now_ns, [event])

    def trade(self, price: Decimal | str, size: int = 100) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = Traded(con_id=SPY, ts_ns=self.now_ns, price=float(price), size=size, exchange="IEX")
        return self.exchange.advance(self.now_ns, [event])


def buy(order_id: int = 1, quantity: int = 10, limit: Decimal | str | None = None, **other: Any) -> OrderTicket:
    terms: dict[str, Any] = {
        "client_id": 7,
        "order_id": order_id,
        "con_id": SPY,
        "symbol": "SPY",
        "action": "BUY",
        "order_type": "MKT" if limit is None else "LMT",
        "quantity": Decimal(quantity),
        "limit_price": None if limit is None else Decimal(limit),
        "order_ref": f"ref-{order_id}",
    }
    prices = ("aux_price", "trail_stop_price", "trailing_percent", "limit_offset")
    other |= {name: Decimal(other[name]) for name in prices if name in other}
    return OrderTicket(**{**terms, **other})


def sell(order_id: int = 1, quantity: int = 10, limit: Decimal | str | None = None, **other: Any) -> OrderTicket:
    return buy(order_id, quantity, limit, action="SELL", **other)


def story(events: list[OrderEvent]) -> list[str]:
    """The messages in short, with the order's id: pairs as one, statuses alone, notices by code."""
    told: list[str] = []
    for event in events:
        if isinstance(event, Echo):
            told.append(f"{event.order.ticket.order_id} {event.order.status.value}")
        elif isinstance(event, Status):
            name = f"{event.order.ticket.order_id} {event.order.status.value}"
            if not told or told[-1] != name:
                told.append(f"{name} alone")
            else:
                told[-1] = f"{name} pair"
        elif isinstance(event, Notice):
            told.append(f"{event.order_id} {event.code}")
        elif isinstance(event, Executed):
            told.append(f"{event.execution.order_id} {event.execution.side} {event.execution.shares}")
    return told


def messages(events: list[OrderEvent]) -> list[str]:
    """Each message in short: kind, and status or code."""
    told = []
    for event in events:
        if isinstance(event, Echo | Status):
            paid = " paid" if isinstance(event, Echo) and event.order.commission_usd is not None else ""
            told.append(f"{type(event).__name__} {event.order.status.value}{paid}")
        elif isinstance(event, Notice):
            told.append(f"Notice {event.code}")
        else:
            told.append(type(event).__name__)
    return told


def fills(events: list[OrderEvent]) -> list[tuple[int, Decimal, Decimal]]:
    """(order id, shares, price)."""
    done = [event.execution for event in events if isinstance(event, Executed)]
    return [(each.order_id, each.shares, each.price) for each in done]


def trades(events: list[OrderEvent]) -> list[tuple[Decimal, Decimal]]:
    """Shares and price of each fill."""
    return [(shares, price) for _, shares, price in fills(events)]


def texts(events: list[OrderEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def price_of(value: float) -> Decimal:
    return as_decimal(value)


WORKING = ["Echo PreSubmitted", "Status PreSubmitted", "Echo Submitted", "Status Submitted"]
FILLED = ["Executed", "Echo Filled", "Status Filled", "Echo Filled paid", "Status Filled", "Commissioned"]
PARTIAL = [told.replace("Filled", "Submitted") for told in FILLED]
CANCELLED = ["Status Cancelled", "Notice 202"]
