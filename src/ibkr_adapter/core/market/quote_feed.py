"""The feed of quotes: what each batch made of them, once, and that they are current while nothing changes."""

from __future__ import annotations

from ibkr_adapter.core.market.quotes import QuoteBook
from ibkr_adapter.core.market.stream import QUOTE, Stream
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import DataTypeReported, PriceTick, Quote, QuotesProven, SizeTick, TextTick, Tick, ValueTick


class QuoteFeed:
    """The books of the streams of kind ``QUOTE``, by instrument. ``proof_every_ns``: how often they are proven."""

    def __init__(self, subscriptions: Subscriptions, proof_every_ns: int) -> None:
        self._subscriptions = subscriptions
        self._proof_every_ns = proof_every_ns
        self._proof_ns = 0
        self._books: dict[str, QuoteBook] = {}
        self._changed: dict[str, QuoteBook] = {}

    def want(self, key: str) -> None:
        self._books.setdefault(key, QuoteBook(key))

    def unwant(self, key: str) -> None:
        """Its last quote goes with it: nobody would keep it current."""
        self._books.pop(key, None)
        self._changed.pop(key, None)

    # What came.

    def asked(self, stream: Stream) -> None:
        """A new subscription: nothing of the old one is known to hold."""
        self._books[stream.key].begin_anew()

    def tick(self, stream: Stream, tick: Tick) -> None:
        book = self._change(stream)
        match tick:
            case PriceTick():
                book.price(tick)
            case SizeTick():
                book.size(tick)
            case TextTick():
                book.text(tick)
            case ValueTick():
                book.value(tick)

    def data_type(self, stream: Stream, event: DataTypeReported) -> None:
        self._change(stream).data_type(event)

    def delayed(self, stream: Stream, ts_recv_ns: int) -> None:
        self._change(stream).delayed(ts_recv_ns)

    def _change(self, stream: Stream) -> QuoteBook:
        book = self._changed[stream.key] = self._books[stream.key]
        return book

    # What goes out.

    def flush(self, out: Outbox) -> None:
        """Publish each quote that this batch changed, once, and every trade print."""
        for book in self._changed.values():
            out.publishes.extend(book.trades)
            book.trades.clear()
            if book.changed:
                out.publishes.append(book.take())
        self._changed.clear()

    def prove(self, now_ns: int, *, alive: bool, out: Outbox) -> None:
        """While line, farm and link are proven alive, an unchanged quote is a current quote: say so now and then."""
        if not alive:
            return
        if now_ns - self._proof_ns >= self._proof_every_ns:
            self._proof_ns = now_ns
            if live := self.proven:
                out.publishes.append(QuotesProven(ts_recv_ns=now_ns, instruments=live))
        out.wake_at(self._proof_ns + self._proof_every_ns)

    @property
    def proven(self) -> tuple[str, ...]:
        """The instruments whose quotes flow, as far as the farms go."""
        return tuple(stream.key for stream in self._subscriptions.of_kind(QUOTE) if stream.flows)

    def quote(self, key: str) -> Quote | None:
        book = self._books.get(key)
        return book.quote if book is not None and book.quote.ts_recv_ns else None

    def quotes(self) -> dict[str, Quote]:
        return {key: book.quote for key, book in self._books.items() if book.quote.ts_recv_ns}
