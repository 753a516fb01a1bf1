"""Market data as one part: what is wanted, what is on the wire, what the ticks make."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.link.planes import FarmChange
from ibkr_adapter.core.link.requests import ReqIdCounter
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.quotes import QuoteBook
from ibkr_adapter.core.market.subscriptions import Stream, StreamState, Subscriptions
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import (
    ContractDescribed,
    ContractsEnd,
    DataTypeReported,
    Gap,
    GapCause,
    NoticeReceived,
    PriceTick,
    Quote,
    QuotesProven,
    SizeTick,
    TextTick,
    Tick,
    ValueTick,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import Effect, FarmKind, Notice
from ibkr_adapter.requests import CancelQuotes, Request, RequestContractDetails, SetDataType, SubscribeQuotes

Ask = Callable[[Request], None]

STRAGGLE_NS = SECOND
"""A tick this soon after its farm broke may have been under way: it proves nothing of the time behind it."""


class Market:
    """Quotes of the configured instruments, with every interruption accounted for.

    A component without the capability ``market_data`` wants none of them, and asks for nothing.
    """

    GAPS_KEPT = 200

    def __init__(self, settings: Settings, request_ids: ReqIdCounter, last_recv_ns: dict[str, int]) -> None:
        self._settings = settings
        self._request_ids = request_ids
        self.contracts = Contracts()
        self.subscriptions = Subscriptions()
        self._books: dict[str, QuoteBook] = {}
        self._changed: dict[str, QuoteBook] = {}
        self._proof_ns = 0
        self.gaps: deque[Gap] = deque(maxlen=self.GAPS_KEPT)
        self.late_ticks = 0
        self.dropped_ticks = 0
        for instrument in settings.instruments if settings.market_data else ():
            self.want(instrument)
        self.subscriptions.resume_from(last_recv_ns)

    # What is wanted; ``reconcile`` makes it so.

    def want(self, instrument: Instrument) -> None:
        self.subscriptions.want(instrument)
        self._books.setdefault(instrument.key, QuoteBook(instrument.key))

    def unwant(self, instrument: Instrument) -> None:
        """Its last quote goes with it: nobody would keep it current."""
        self.subscriptions.unwant(instrument)
        self._books.pop(instrument.key, None)
        self._changed.pop(instrument.key, None)

    def reconcile(self, ask: Ask) -> None:
        """Close the difference between what is wanted and what this session was asked: first what frees a line."""
        for stream in self.subscriptions.surplus():
            if stream.req_id is not None:
                ask(CancelQuotes(req_id=stream.req_id))
            self.subscriptions.cancelled(stream)
        for stream in self.subscriptions.missing():
            req_id = self._request_ids.take()
            self.subscriptions.asked(stream, req_id)
            self._books[stream.key].begin_anew()
            ask(
                SubscribeQuotes(req_id=req_id, instrument=stream.instrument, generic_ticks=self._settings.generic_ticks)
            )

    def leave(self, ask: Ask) -> None:
        """Nothing is wanted any more; the last quotes stay to be looked at."""
        for instrument in self.subscriptions.wanted:
            self.subscriptions.unwant(instrument)
        self.reconcile(ask)

    # The session.

    def session_ready(self, ask: Ask, now_ns: int) -> None:
        """Ask for what this session was not asked yet: the kind of data, then details, then streams."""
        wanted = self.subscriptions.wanted
        if not wanted:
            return
        ask(SetDataType(data_type=self._settings.data_type))
        self._ask_details(ask, now_ns)
        self.reconcile(ask)

    def ask_again(self, ask: Ask, now_ns: int, out: Outbox) -> None:
        """Contract details that do not come are asked for again: without them no order of theirs can be sent."""
        oldest_ns = self.contracts.oldest_asked_ns
        if oldest_ns is None:
            return
        if now_ns - oldest_ns >= self._settings.download_timeout_ns:
            self.contracts.give_up(now_ns - self._settings.download_timeout_ns)
            self._ask_details(ask, now_ns)
            oldest_ns = now_ns
        out.wake_at(oldest_ns + self._settings.download_timeout_ns)

    def _ask_details(self, ask: Ask, now_ns: int) -> None:
        for instrument in self.contracts.missing(self.subscriptions.wanted):
            if instrument.key in self.contracts.unknown:
                continue  # IB said that it does not know it; the next session asks again
            req_id = self._request_ids.take()
            self.contracts.asked(req_id, instrument, now_ns)
            ask(RequestContractDetails(req_id=req_id, instrument=instrument))

    def session_lost(self) -> None:
        self.subscriptions.wire_lost(GapCause.SESSION_LOST)
        self.contracts.forget_asked()

    def upstream(self, effect: Effect, ask: Ask, *, ready: bool) -> None:
        """The gateway lost IB, or has it back: with its streams, or without. Before ready nothing is asked."""
        if effect is Effect.UPSTREAM_LOST:
            self.subscriptions.upstream_lost()
        elif effect is Effect.UPSTREAM_RESTORED_STREAMS_LOST:
            self.subscriptions.wire_lost(GapCause.UPSTREAM_LOST)
            if ready:
                self.reconcile(ask)
        else:
            self.subscriptions.upstream_restored()

    # What came.

    def tick(self, tick: Tick, out: Outbox) -> None:
        book = self._received(tick.req_id, tick.ts_recv_ns, out)
        if book is None:
            return
        match tick:
            case PriceTick():
                book.price(tick)
            case SizeTick():
                book.size(tick)
            case TextTick():
                book.text(tick)
            case ValueTick():
                book.value(tick)
        self._changed[book.instrument] = book

    def data_type(self, event: DataTypeReported, out: Outbox) -> None:
        stream = self.subscriptions.of(event.req_id)
        if stream is not None:
            book = self._books[stream.key]
            book.data_type(event)
            self._changed[book.instrument] = book

    def contract(self, event: ContractDescribed | ContractsEnd) -> None:
        if isinstance(event, ContractDescribed):
            self.contracts.described(event)
        else:
            self.contracts.end(event.req_id)

    def notice(self, event: NoticeReceived, notice: Notice) -> str:
        """A code about one of our requests; the instrument it concerns, or an empty string."""
        stream = self.subscriptions.of(event.req_id)
        detail = f"{notice.code}: {event.text}"
        match notice.effect:
            case Effect.COMPETING_SESSION:
                self.subscriptions.silenced(event.req_id, detail, event.ts_recv_ns)
            case Effect.DELAYED if stream is not None:
                book = self._changed[stream.key] = self._books[stream.key]
                book.delayed(event.ts_recv_ns)
            case Effect.FAIL_REQUEST:
                if (instrument := self.contracts.failed(event.req_id, event.text)) is not None:
                    return instrument.key
                self.subscriptions.refused(event.req_id, detail, event.ts_recv_ns)
            case _:
                pass
        return stream.key if stream is not None else ""

    def refused(self, req_id: int, detail: str) -> None:
        """The request could not even be encoded: a setting of ours is wrong."""
        self.subscriptions.refused(req_id, detail)

    def dropped(self, req_id: int, count: int, now_ns: int, out: Outbox) -> None:
        """Overload took ticks of this stream; the quote is current, its history has a hole."""
        stream = self.subscriptions.of(req_id)
        if stream is None:
            return
        self.dropped_ticks += count
        stream.gaps += 1
        self._account_for(
            Gap(
                ts_recv_ns=now_ns,
                stream=stream.name,
                from_ns=stream.last_recv_ns or now_ns,
                to_ns=now_ns,
                cause=GapCause.OVERLOAD,
                count=count,
            ),
            out,
        )

    # What goes out.

    def flush(self, out: Outbox) -> None:
        """Publish each quote that this batch changed, once, and every trade print."""
        for book in self._changed.values():
            out.publishes.extend(book.trades)
            book.trades.clear()
            if book.changed:
                out.publishes.append(book.take())
        self._changed.clear()

    def prove(self, now_ns: int, *, alive: bool, farm_broken_ns: int | None, out: Outbox) -> None:
        """While line, farm and link are proven alive, an unchanged quote is a current quote: say so now and then."""
        if not alive:
            return
        if now_ns - self._proof_ns >= self._settings.proof_every_ns:
            self._proof_ns = now_ns
            if live := self.proven(farm_broken_ns):
                out.publishes.append(QuotesProven(ts_recv_ns=now_ns, instruments=live))
        out.wake_at(self._proof_ns + self._settings.proof_every_ns)

    def proven(self, farm_broken_ns: int | None) -> tuple[str, ...]:
        """The instruments whose streams are live, as far as the farms go."""
        return tuple(s.key for s in self.subscriptions if _flows(s, farm_broken_ns))

    def flows(self, key: str, farm_broken_ns: int | None = None) -> bool:
        """True if this instrument's stream is live, not interrupted, and not perhaps of the farm that broke."""
        return any(_flows(s, farm_broken_ns) for s in self.subscriptions if s.key == key)

    def farm_changed(self, farm: FarmChange, now_ns: int) -> None:
        """A market farm is back: what has not ticked while it was down may have missed something until it ticks."""
        if farm.kind is not FarmKind.MARKET or not farm.up or now_ns - farm.down_ns < STRAGGLE_NS:
            return
        for stream in self.subscriptions:
            if stream.last_recv_ns is not None and stream.last_recv_ns < farm.down_ns + STRAGGLE_NS:
                self.subscriptions.interrupt(stream, GapCause.FARM_BROKEN)

    def quote(self, key: str) -> Quote | None:
        book = self._books.get(key)
        return book.quote if book is not None and book.quote.ts_recv_ns else None

    def quotes(self) -> dict[str, Quote]:
        return {key: book.quote for key, book in self._books.items() if book.quote.ts_recv_ns}

    def _received(self, req_id: int, ts_recv_ns: int, out: Outbox) -> QuoteBook | None:
        stream = self.subscriptions.of(req_id)
        if stream is None:
            self.late_ticks += 1  # ticks keep coming for a while after a cancel, and after a refusal
            return None
        gap = self.subscriptions.received(stream, ts_recv_ns)
        if gap is not None:
            self._account_for(gap, out)
        return self._books[stream.key]

    def _account_for(self, gap: Gap, out: Outbox) -> None:
        self.gaps.append(gap)
        out.publishes.append(gap)


def _flows(stream: Stream, farm_broken_ns: int | None) -> bool:
    ticked = farm_broken_ns is None or (
        stream.last_recv_ns is not None and stream.last_recv_ns > farm_broken_ns + STRAGGLE_NS
    )
    return stream.state is StreamState.LIVE and stream.interrupted_ns is None and ticked
