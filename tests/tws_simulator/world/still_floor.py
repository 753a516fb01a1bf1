"""An exchange over a market that stands still and never closes, and its messages in short."""

from datetime import UTC, datetime
from decimal import Decimal

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.opening import opening_positions
from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.crowd import Market
from tws_simulator.world.market.events import Quote, QuoteChanged, Traded, as_decimal
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.exchange import Exchange
from tws_simulator.world.orders.order_events import Echo, Executed, Notice, OrderEvent, Status
from tws_simulator.world.orders.tickets import OrderTicket
from tws_simulator.world.time.calendar import Calendar
from tws_simulator.world.time.units import SECOND_NS

START_NS = int(datetime(2026, 6, 22, 14, tzinfo=UTC).timestamp()) * SECOND_NS
NOW_NS = START_NS + SECOND_NS
SPY, TSLA = 756733, 76792991


class Floor:
    """An exchange over a market that stands still, so that each test says what the market does."""

    def __init__(self, seed: int = 1) -> None:
        self.crowd = Market(LISTINGS, seed, START_NS)
        self.calendar = Calendar(always_open=True)
        self.market = Tape(self.calendar, self.crowd.opening, self.crowd.closes)
        self.ledger = Ledger("DU1234567", positions=opening_positions())
        self.exchange = self.another(seed)
        self.now_ns = NOW_NS

    def another(self, seed: int = 1, start_ns: int = START_NS, **bounds: int) -> Exchange:
        return Exchange(self.market, self.calendar, {self.ledger.account: self.ledger}, seed, start_ns, **bounds)

    @property
    def spy(self) -> Quote:
        return self.market.quote(SPY)

    def bid(self, ticks: int = 0) -> Decimal:
        return as_decimal(self.spy.bid) + Decimal(ticks) / 100

    def ask(self, ticks: int = 0) -> Decimal:
        return as_decimal(self.spy.ask) + Decimal(ticks) / 100

    def place(self, ticket: OrderTicket) -> list[OrderEvent]:
        return self.exchange.place(ticket, self.now_ns)

    def quote(self, bid: Decimal, ask: Decimal, size: int = 100) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = QuoteChanged(
            con_id=SPY, ts_ns=self.now_ns, bid=float(bid), ask=float(ask), bid_size=size, ask_size=size
        )
        return self.exchange.advance(self.now_ns, [event])

    def trade(self, price: Decimal, size: int) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = Traded(con_id=SPY, ts_ns=self.now_ns, price=float(price), size=size, exchange="IEX")
        return self.exchange.advance(self.now_ns, [event])


def buy(order_id: int = 1, quantity: int = 1, limit: Decimal | None = None, **other) -> OrderTicket:
    terms = {
        "client_id": 7,
        "order_id": order_id,
        "con_id": SPY,
        "symbol": "SPY",
        "action": "BUY",
        "order_type": "MKT" if limit is None else "LMT",
        "quantity": Decimal(quantity),
        "limit_price": limit,
        "order_ref": f"ref-{order_id}",
    }
    return OrderTicket(**{**terms, **other})


def sell(order_id: int = 1, quantity: int = 1, limit: Decimal | None = None, **other) -> OrderTicket:
    return buy(order_id, quantity, limit, action="SELL", **other)


def story(events: list[OrderEvent]) -> list[str]:
    """The messages in short: kind, and status or code."""
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


def fills(events: list[OrderEvent]) -> list[tuple[Decimal, Decimal]]:
    return [(event.execution.shares, event.execution.price) for event in events if isinstance(event, Executed)]


WORKING = ["Echo PreSubmitted", "Status PreSubmitted", "Echo Submitted", "Status Submitted"]
FILLED = ["Executed", "Echo Filled", "Status Filled", "Echo Filled paid", "Status Filled", "Commissioned"]
PARTIAL = [told.replace("Filled", "Submitted") for told in FILLED]
CANCELLED = ["Status Cancelled", "Notice 202"]
