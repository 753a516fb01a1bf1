"""One market data line of an option: its quote and what it is worth, first all, then what changed.

An option is told anew when its underlying moved, at most every ``_INTERVAL_NS``: IB samples options every 100 ms, and
the model need not be asked more often than anybody looks. A trade happens now and then, at the bid or the ask. Options
are quoted in regular hours alone: outside them a line has no bid and no ask, unless it was asked to be frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

from tws_simulator.api.streams.quotes import DELAYED, DELAYED_FROZEN, FROZEN, shown_type
from tws_simulator.api.streams.stream import Moment
from tws_simulator.api.streams.ticks import Tick, TickTeller
from tws_simulator.wire.row import Message, message
from tws_simulator.world.options import model as option_model
from tws_simulator.world.options.chains import Option
from tws_simulator.world.options.model import Computation, OptionQuote
from tws_simulator.world.options.underlyings import followed, spot
from tws_simulator.world.time.calendar import Phase
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

BBO_EXCHANGE = "c70003"
RETURN_BASED, PRICE_BASED = 0, 1
CUSTOM = 53
"""The type under which IB answers a client's own calculation."""
_BID, _ASK, _LAST, _MODEL = 10, 11, 12, 13
_DELAYED_IDS = {_BID: 80, _ASK: 81, _LAST: 82, _MODEL: 83}

_SNAPSHOT_PERMISSIONS = 3
_PRECISION = "0.000001"
_CAN_AUTO_EXECUTE, _NO_ATTRIBUTE = 1, 0
_NO_PRICE = -1.0
_INTERVAL_NS = SECOND_NS // 4
_TRADE_SLOT_NS = 20 * SECOND_NS
_LAST_OF_BEFORE_NS = 600 * SECOND_NS
_VOLUMES, _OPEN_INTERESTS = 100, 101


@dataclass(frozen=True, slots=True)
class _Trade:
    price: float
    size: int
    ts_ns: int


class OptionQuoteStream:
    """What one line of an option has told its subscriber."""

    def __init__(
        self,
        req_id: int,
        option: Option,
        world: World,
        *,
        generic_ticks: frozenset[int],
        asked_type: int,
        entitled: bool,
        now_ns: int,
    ) -> None:
        self.req_id = req_id
        self.con_id = option.con_id
        self._option = option
        self._world = world
        self._generic = generic_ticks
        self._type = shown_type(asked_type, world.calendar.phase(now_ns), entitled=entitled) or DELAYED
        self._moved_by = followed(option.underlying).con_id
        self._ticks = TickTeller(req_id, delayed=self.delayed)
        self._computed: dict[int, Computation] = {}
        self._due_ns = 0
        self._slot = now_ns // _TRADE_SLOT_NS
        self._last: _Trade | None = None
        self._volume = 0

    @property
    def delayed(self) -> bool:
        return self._type in (DELAYED, DELAYED_FROZEN)

    def data_type(self) -> Message:
        return message("marketDataType", reqId=self.req_id, marketDataType=self._type)

    def whole_picture(self, now_ns: int) -> Iterator[Message]:
        quote = self._quote(now_ns)
        self._volume = quote.volume
        self._last = _Trade(quote.ask, 1 + self._draw(self._slot) % 10, now_ns - _LAST_OF_BEFORE_NS)
        yield from self._told(quote, now_ns)
        yield from self._interest(quote)

    def tell(self, moment: Moment) -> Iterator[Message]:
        if self._moved_by in moment.changes and moment.now_ns >= self._due_ns:
            quote = self._quote(moment.now_ns)
            self._trade(quote, moment.now_ns)
            yield from self._told(quote, moment.now_ns)

    def _quote(self, now_ns: int) -> OptionQuote:
        self._due_ns = now_ns + _INTERVAL_NS
        under = spot(self._world, self._option.underlying)
        return option_model.quote(self._option, under.price, under.close, now_ns)

    def _trade(self, quote: OptionQuote, now_ns: int) -> None:
        """One in each other slot of time, in the hours."""
        slot = now_ns // _TRADE_SLOT_NS
        if slot == self._slot or not self._in_hours(now_ns):
            return
        self._slot = slot
        draw = self._draw(slot)
        if draw % 2:
            self._last = _Trade(quote.bid if draw % 4 == 1 and quote.bid else quote.ask, 1 + draw % 10, now_ns)
            self._volume += self._last.size

    def _draw(self, slot: int) -> int:
        return blake2b(f"{self.con_id} {slot}".encode(), digest_size=1).digest()[0]

    def _in_hours(self, now_ns: int) -> bool:
        return self._world.calendar.phase(now_ns) is Phase.REGULAR

    def _told(self, quote: OptionQuote, now_ns: int) -> Iterator[Message]:
        execute = _NO_ATTRIBUTE if self.delayed else _CAN_AUTO_EXECUTE
        shows = self._in_hours(now_ns) or self._type in (FROZEN, DELAYED_FROZEN)
        bid, bid_size = (quote.bid, quote.bid_size) if shows and quote.bid else (_NO_PRICE, 0)
        ask, ask_size = (quote.ask, quote.ask_size) if shows else (_NO_PRICE, 0)
        yield from self._ticks.quoted(Tick.BID, Tick.BID_SIZE, bid, bid_size, execute)
        yield from self._ticks.quoted(Tick.ASK, Tick.ASK_SIZE, ask, ask_size, execute)
        if self._last is not None:
            yield from self._ticks.string(Tick.LAST_TIMESTAMP, str(self._last.ts_ns // SECOND_NS))
            yield from self._ticks.quoted(Tick.LAST, Tick.LAST_SIZE, self._last.price, self._last.size, _NO_ATTRIBUTE)
        yield from self._ticks.size(Tick.VOLUME, self._volume)
        yield from self._ticks.price(Tick.CLOSE, quote.close)
        yield from self._worth({_BID: bid, _ASK: ask}, quote, now_ns)

    def _worth(self, sides: dict[int, float], quote: OptionQuote, now_ns: int) -> Iterator[Message]:
        """What bid, ask and last imply, and the model's own opinion."""
        under = quote.model.under_price
        prices = {**sides, _LAST: self._last.price if self._last is not None else _NO_PRICE}
        for tick, price in prices.items():
            if price > 0:
                computed = option_model.implied(self._option, under, price, now_ns)
                yield from self._computation(tick, computed, PRICE_BASED)
        yield from self._computation(_MODEL, quote.model, RETURN_BASED)

    def _computation(self, tick: int, computed: Computation, attribute: int) -> Iterator[Message]:
        if self._computed.get(tick) != computed:
            self._computed[tick] = computed
            yield computation(self.req_id, _DELAYED_IDS[tick] if self.delayed else tick, computed, attribute)

    def _interest(self, quote: OptionQuote) -> Iterator[Message]:
        """Volume and open interest, of the right that the option has: the other's are 0."""
        call = self._option.right == "C"
        if _VOLUMES in self._generic:
            yield from self._ticks.size(Tick.CALL_VOLUME, quote.volume if call else 0)
            yield from self._ticks.size(Tick.PUT_VOLUME, 0 if call else quote.volume)
        if _OPEN_INTERESTS in self._generic:
            yield from self._ticks.size(Tick.CALL_OPEN_INTEREST, quote.open_interest if call else 0)
            yield from self._ticks.size(Tick.PUT_OPEN_INTEREST, 0 if call else quote.open_interest)


def option_parameters(req_id: int) -> Message:
    """The first message about every line of an option."""
    return message(
        "tickReqParams",
        reqId=req_id,
        minTick=Decimal("0.01"),
        bboExchange=BBO_EXCHANGE,
        snapshotPermissions=_SNAPSHOT_PERMISSIONS,
        lastPricePrecision=_PRECISION,
        lastSizePrecision=_PRECISION,
    )


def computation(req_id: int, tick_type: int, computed: Computation, attribute: int) -> Message:
    """In either form -1 and -2 stand for what is not computed: seen in captures."""

    def known(value: float | None, otherwise: float) -> float:
        return otherwise if value is None else value

    return message(
        "tickOptionComputation",
        reqId=req_id,
        tickType=tick_type,
        tickAttrib=attribute,
        impliedVol=known(computed.implied_volatility, -1.0),
        delta=known(computed.delta, -2.0),
        optPrice=known(computed.price, -1.0),
        pvDividend=known(computed.pv_dividend, -1.0),
        gamma=known(computed.gamma, -2.0),
        vega=known(computed.vega, -2.0),
        theta=known(computed.theta, -2.0),
        undPrice=computed.under_price,
    )
