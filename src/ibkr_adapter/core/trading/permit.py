"""May this be sent now, and if not, why: the one place that answers.

The *gate* is the standing answer for new orders; the *permit* is the decision about one. Both are lists of reasons, and
an empty list means yes. A missing limit refuses. Cancels of our own orders are not asked here: they reduce risk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Action, OrderTerms, OrderType, PlaceOrder, Reason, TimeInForce
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.market.stream import QUOTE
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.gate import Gate
from ibkr_adapter.core.trading.order import Order, OrderState
from ibkr_adapter.core.trading.order_ids import RESET_REMEDY, OrderIds
from ibkr_adapter.core.trading.orders import Orders
from ibkr_adapter.events import Source
from ibkr_adapter.instruments import Instrument

REPEAT_WINDOW_NS = SECOND
"""Two orders with the same terms within this time are taken for one order sent twice (SEC 15c3-5, duplicates)."""

NUMBER_MAX = Decimal(10) ** 12
PLACES_MAX = 10
"""Beyond these no share count and no price is meant; within them decimal arithmetic is exact."""


@dataclass(slots=True)
class Permit:
    """Reasons against sending, from everything that is known."""

    settings: Settings
    gate: Gate
    link: Link
    market: Market
    orders: Orders
    order_ids: OrderIds

    def placement(self, command: PlaceOrder, now_ns: int) -> tuple[Reason, ...]:
        """Why this order may not be sent: the gate, its terms, its price, the limits."""
        if unreadable := tuple(_unreadable(command)):
            return unreadable
        return (
            *self.gate.reasons(now_ns),
            *self._expiry(command.expires_at_ns, now_ns),
            *self._identity(command),
            *self._terms(command),
            *self._price(command),
            *self._limits(command),
            *self._repeated(command, now_ns),
        )

    def sending(self, order: Order, *, epoch: int, expires_at_ns: int, now_ns: int) -> tuple[Reason, ...]:
        """The second look, when the disk has answered and the frame is about to go."""
        reasons = [*self.gate.reasons(now_ns), *self._expiry(expires_at_ns, now_ns)]
        if epoch != self.link.epoch:
            reasons.append(Reason(code="session", text="the session it was meant for is gone"))
        if order.cancel_asked:
            reasons.append(Reason(code="cancelled", text="it was cancelled before it was sent"))
        return tuple(reasons)

    def resolved(self, instrument: Instrument) -> Instrument:
        """With the number that contract details gave it, so that the order names one contract and no other."""
        described = self.market.contracts.of(instrument.key)
        return replace(instrument, con_id=described.instrument.con_id) if described is not None else instrument

    def reference_price(self, command: PlaceOrder) -> Decimal | None:
        """What the order would trade at now: the side it takes. None unless proven current and of two sane sides.

        A component without market data has the limit price itself, and nothing for an order without one: the limits
        hold, and whoever gives the order is the collar.
        """
        if not self.settings.market_data:
            return command.terms.limit_price
        quote = self.market.quote(command.terms.instrument.key)
        if quote is None or not self.market.flows(QUOTE, command.terms.instrument.key):
            return None
        if self.settings.account_kind == "live" and quote.source is not Source.LIVE:
            return None
        collar = self.settings.limits.price_collar_percent
        if quote.halted or not quote.bid or not quote.ask or not 0 < quote.bid <= quote.ask:
            return None
        bid, ask = Decimal(str(quote.bid)), Decimal(str(quote.ask))
        if collar is not None and (ask - bid) * 100 > collar * bid:
            return None  # one absurd side would let anything through the limits
        return ask if command.terms.action == Action.BUY else bid

    def _expiry(self, expires_at_ns: int, now_ns: int) -> Iterable[Reason]:
        if now_ns >= expires_at_ns:
            yield Reason(
                code="expired", text="the command expired before it could be sent", remedy="send a new command"
            )

    def _identity(self, command: PlaceOrder) -> Iterable[Reason]:
        if self.orders.of(command.order_key) is not None:
            yield Reason(
                code="order_key",
                text=f"order_key: {command.order_key} is another order's",
                remedy="every order needs a key of its own",
            )
        if self.order_ids.used_up:
            yield Reason(
                code="order_ids",
                text=f"order ids are used up: {self.order_ids.highest} was seen",
                remedy=RESET_REMEDY,
            )

    def _terms(self, command: PlaceOrder) -> Iterable[Reason]:
        key = command.terms.instrument.key
        if self.market.contracts.of(key) is None:
            why = self.market.contracts.unknown.get(key, "no contract details yet")
            yield Reason(code="instrument", text=f"{key}: {why}", remedy="configure it under instruments")
        quantity = command.terms.quantity
        if quantity <= 0 or quantity != quantity.to_integral_value():
            yield Reason(
                code="quantity",
                text=f"quantity: {quantity} is not a whole number of shares above 0",
                remedy="whole shares, at least 1",
            )
        if command.terms.account not in self.link.accounts:
            yield Reason(
                code="account",
                text=f"account: {command.terms.account or 'none'} is not an account of this session",
                remedy=f"one of {', '.join(self.link.accounts)}" if self.link.accounts else "wait until it is ready",
            )

    def _price(self, command: PlaceOrder) -> Iterable[Reason]:
        limit = command.terms.limit_price
        if command.terms.order_type == OrderType.MARKET and limit is not None:
            yield Reason(code="price", text="limit_price: a market order has none", remedy="leave it out, or use LMT")
        if command.terms.order_type == OrderType.LIMIT:
            if limit is None or limit <= 0:
                yield Reason(code="price", text="limit_price: a limit order needs a price above 0")
                return
            described = self.market.contracts.of(command.terms.instrument.key)
            tick = described.min_tick if described is not None else None
            if tick and limit % tick != 0:
                yield Reason(
                    code="tick",
                    text=f"limit_price: {limit} is not a multiple of the tick {tick}",
                    remedy=f"round it to {tick}",
                )
        reference = self.reference_price(command)
        if reference is None:
            yield Reason(
                code="reference",
                text=f"no current price of {command.terms.instrument.key} to hold the order against",
                remedy="wait for a quote of two sides, close together and not halted; live trading needs live data",
            )
            return
        collar = self.settings.limits.price_collar_percent
        if collar is None:
            yield _no_limit("price_collar_percent")
        elif limit is not None and abs(limit - reference) * 100 > collar * reference:
            yield Reason(
                code="collar",
                text=f"limit_price: {limit} is more than {collar} % away from {reference}",
                remedy="nearer, or raise trading.limits.price_collar_percent",
            )

    def _limits(self, command: PlaceOrder) -> Iterable[Reason]:
        limits = self.settings.limits
        if limits.order_quantity_shares is None:
            yield _no_limit("order_quantity_shares")
        elif command.terms.quantity > limits.order_quantity_shares:
            yield Reason(
                code="limit_quantity",
                text=f"quantity: {command.terms.quantity} is above {limits.order_quantity_shares} shares",
                remedy="smaller, or raise trading.limits.order_quantity_shares",
            )
        price = command.terms.limit_price or self.reference_price(command)
        if limits.order_notional_usd is None:
            yield _no_limit("order_notional_usd")
        elif price is not None and command.terms.quantity * price > limits.order_notional_usd:
            yield Reason(
                code="limit_notional",
                text=f"{command.terms.quantity * price} USD is above {limits.order_notional_usd} USD an order",
                remedy="smaller, or raise trading.limits.order_notional_usd",
            )
        if limits.open_orders is None:
            yield _no_limit("open_orders")
        elif len(self.orders.at_risk) >= limits.open_orders:
            yield Reason(
                code="limit_open_orders",
                text=f"{limits.open_orders} orders are open already",
                remedy="cancel one, or raise trading.limits.open_orders",
            )

    def _repeated(self, command: PlaceOrder, now_ns: int) -> Iterable[Reason]:
        wanted = _traded(command.terms)
        for order in self.orders.recent(now_ns - REPEAT_WINDOW_NS + 1):
            asked = order.intent.terms if order.intent is not None else order.terms  # an echo may say it otherwise
            if order.state is not OrderState.REFUSED and _traded(asked) == wanted:
                yield Reason(
                    code="repeat",
                    text=f"the same order was placed {(now_ns - order.created_ns) / 1e6:.0f} ms ago as {order.key}",
                    remedy="wait a second if it is meant",
                )
                return


def _unreadable(command: PlaceOrder) -> Iterable[Reason]:
    """Words that are not ours, and numbers that arithmetic would stumble over: none at all, or of no size traded in."""
    terms = command.terms
    for name, word, words in (
        ("action", terms.action, list(Action)),
        ("order_type", terms.order_type, list(OrderType)),
        ("tif", terms.tif, list(TimeInForce)),
    ):
        if word not in words:
            yield Reason(code="terms", text=f"{name}: {word!a} is not sent here", remedy=f"one of {', '.join(words)}")
    for name, code, number in (
        ("quantity", "quantity", command.terms.quantity),
        ("limit_price", "price", command.terms.limit_price),
    ):
        if number is not None and not (
            number.is_finite() and abs(number) < NUMBER_MAX and _places(number) <= PLACES_MAX
        ):
            yield Reason(code=code, text=f"{name}: not a number that can be traded in")


def _traded(terms: OrderTerms) -> tuple[object, ...]:
    return terms.instrument.key, terms.action, terms.order_type, terms.quantity, terms.limit_price


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _no_limit(name: str) -> Reason:
    return Reason(
        code="limit_missing", text=f"trading.limits.{name} is not set", remedy="a missing limit refuses: set it"
    )
