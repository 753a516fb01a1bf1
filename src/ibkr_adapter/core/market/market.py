"""Market data as one part: what is said of it goes to what it concerns, and what is dead is found."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator

from ibkr_adapter.commands import StartStreams, StopStreams
from ibkr_adapter.core.alerts import Condition
from ibkr_adapter.core.link.planes import FarmChange, Planes
from ibkr_adapter.core.link.quotas import Quota
from ibkr_adapter.core.market import dead
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.orphans import Orphans
from ibkr_adapter.core.market.quote_feed import QuoteFeed
from ibkr_adapter.core.market.rhythm import SILENT_NS
from ibkr_adapter.core.market.sources import DetailsSource, QuotesSource
from ibkr_adapter.core.market.stream import QUOTE, Stream
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.core.market.switch import Record, Switch
from ibkr_adapter.core.market.watchdog import ANSWER_WITHIN_NS, Watchdog
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import (
    ContractDescribed,
    ContractsEnd,
    DataTypeReported,
    Gap,
    GapCause,
    NoticeReceived,
    Quote,
    SessionLost,
    StreamsSwitched,
    Tick,
    TickParameters,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import Effect, FarmKind, Notice


class Market:
    """Streams of the configured instruments, with every interruption accounted for.

    One kind is asked for today: quotes. Another brings a source of its own (``sources.py``), hands what comes to
    ``received``, and makes of it what it likes in a feed of its own (as ``quote_feed.py``); the rest is of any kind.

    A component without the capability ``market_data`` wants none of them, and asks for nothing but the details of
    what it may trade.
    """

    GAPS_KEPT = 200

    def __init__(
        self,
        settings: Settings,
        request_ids: ReqIdCounter,
        planes: Planes,
        lines: Quota,
        last_recv_ns: dict[str, int],
        switched: StreamsSwitched | None,
        at_stake: Callable[[], Collection[str]],
    ) -> None:
        """``at_stake``: the keys of instruments with an order that may still trade; their lines come first."""
        self._settings = settings
        self._planes = planes
        self._lines = lines
        self.contracts = Contracts()
        self.subscriptions = Subscriptions()
        self._quotes = QuotesSource(settings, self.subscriptions, request_ids, lines, self._asked, at_stake)
        traded = settings.instruments if settings.orders and not settings.market_data else ()
        self.sources = (DetailsSource(self.contracts, self.subscriptions, request_ids, traded), self._quotes)
        self._watchdog = Watchdog(planes, self.contracts)
        self._look_ns: int | None = None
        self._stirred = True
        self._feed = QuoteFeed(self.subscriptions, settings.proof_every_ns)
        self.gaps: deque[Gap] = deque(maxlen=self.GAPS_KEPT)
        self.orphans = Orphans()
        self.late_ticks = 0
        self.dropped_ticks = 0
        for instrument in settings.instruments if settings.market_data else ():
            self.want(instrument)
        self.subscriptions.resume_from(QUOTE, last_recv_ns)
        self.switch = Switch(settings, self.subscriptions, switched)

    # What is wanted; the reconciler makes it so.

    def want(self, instrument: Instrument) -> None:
        self._stirred = True
        self.subscriptions.want(instrument, QUOTE)
        self._feed.want(instrument.key)

    def unwant(self, instrument: Instrument) -> None:
        self._stirred = True
        self.subscriptions.unwant(instrument, QUOTE)
        self._feed.unwant(instrument.key)

    def command(self, command: StopStreams | StartStreams, record: Record, now_ns: int, out: Outbox) -> None:
        """All market data off, or on again."""
        self._stirred = True
        self.switch.command(command, record, now_ns, out)

    def leave(self) -> None:
        """Nothing is wanted any more; the last quotes stay to be looked at."""
        self.subscriptions.unwant_all()

    # The session.

    def session_ready(self, now_ns: int) -> None:
        self._watchdog.begin_anew(now_ns)
        self._look_ns = now_ns

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self.line_silent(now_ns)
        self.subscriptions.wire_lost(GapCause.SESSION_LOST)
        self.contracts.forget_asked()
        self.orphans.session_lost()
        self._quotes.session_lost()

    def line_silent(self, now_ns: int) -> None:
        """Nothing at all comes, or can come: that is told of the link, and is no silence of data."""
        if self._watchdog.line_silent(now_ns):
            for stream in self.subscriptions:
                stream.blame_the_line()

    def upstream(self, effect: Effect, now_ns: int) -> None:
        """The gateway lost IB, or has it back: with its streams, or without."""
        if effect is Effect.UPSTREAM_LOST:
            self.subscriptions.upstream_lost()
        elif effect is Effect.UPSTREAM_RESTORED_STREAMS_LOST:
            self.subscriptions.streams_lost()
        else:
            self.subscriptions.upstream_restored(now_ns)
        if effect is not Effect.UPSTREAM_LOST:
            self._watchdog.begin_anew(now_ns)
        self._look_ns = now_ns

    def farm_changed(self, farm: FarmChange, now_ns: int) -> None:
        """What comes from a farm that is back must come soon, or is asked for anew."""
        self._look_ns = now_ns
        if farm.up and farm.kind is not FarmKind.HISTORY:
            self.subscriptions.retry_at_once(now_ns)
        if farm.kind is FarmKind.DEFINITIONS and farm.up:
            self.contracts.unknown.clear()
            self.contracts.give_up(now_ns)
        elif farm.kind is FarmKind.MARKET and farm.up:
            another = self._planes.is_down(FarmKind.MARKET)
            self.subscriptions.farm_up(farm.down_ns, now_ns, another_down=another)
            self._watchdog.farm_back(now_ns)
        elif farm.kind is FarmKind.MARKET:
            self.subscriptions.farm_down(now_ns)

    # What time does.

    def watch(self, now_ns: int, out: Outbox) -> str:
        """Find what is dead, so that it is missing; why the session had better be recycled, or an empty string."""
        recycle = ""
        if self._look_ns is not None and now_ns >= self._look_ns:
            self._look_ns = None
            self._stirred = True
            self._look_by(self._late_details(now_ns))
            self._look_by(self.subscriptions.retry_due(now_ns))
            verdict = self._watchdog.look(self.subscriptions, now_ns)
            for stream, why, cause in verdict.ask_anew:
                self.subscriptions.ask_anew(stream, why, cause, now_ns)
            self._look_by(verdict.next_ns)
            recycle = verdict.recycle
        self.wake(out)
        return recycle

    @property
    def stirring(self) -> bool:
        """Something here waits to be looked at: time has to pass, although nothing but ticks came."""
        return self._stirred

    def stirred(self, now_ns: int) -> bool:
        """Whether something here may have made a difference since this was last asked."""
        free_ns = self._quotes.line_free_ns
        stirred, self._stirred = self._stirred or (free_ns is not None and now_ns >= free_ns), False
        return stirred

    def wake(self, out: Outbox) -> None:
        """At the next moment at which something may be found dead."""
        if self._look_ns is not None:
            out.wake_at(self._look_ns)
        if self._quotes.line_free_ns is not None:
            out.wake_at(self._quotes.line_free_ns)

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        yield from self.switch.conditions()
        yield from self.orphans.conditions(now_ns)
        yield from self._watchdog.conditions(taken=bool(self.subscriptions.competing))
        if not self._planes.without_ib:
            trading = self._settings.orders and self._settings.trading
            yield from dead.conditions(self.subscriptions, self.contracts, now_ns, trading=trading)

    def _look_by(self, ns: int | None) -> None:
        if ns is not None and (self._look_ns is None or ns < self._look_ns):
            self._look_ns = ns

    def _late_details(self, now_ns: int) -> int | None:
        """Contract details that do not come are missing again: without them no order of theirs can be sent."""
        timeout_ns = self._settings.download_timeout_ns
        oldest_ns = self.contracts.oldest_asked_ns
        if oldest_ns is not None and now_ns - oldest_ns >= timeout_ns:
            self.contracts.give_up(now_ns - timeout_ns)
            oldest_ns = self.contracts.oldest_asked_ns
        aged_ns = self.contracts.next_missing_ns()
        late_ns = oldest_ns + timeout_ns if oldest_ns is not None else None
        return min((ns for ns in (late_ns, aged_ns) if ns is not None and ns > now_ns), default=None)

    def _asked(self, stream: Stream, now_ns: int) -> None:
        self._feed.asked(stream)
        self._look_by(now_ns + ANSWER_WITHIN_NS)

    # What came.

    def tick(self, tick: Tick, out: Outbox) -> None:
        if (stream := self.received(QUOTE, tick.req_id, tick.ts_recv_ns, out)) is not None:
            self._feed.tick(stream, tick)

    def answered(self, event: TickParameters) -> None:
        """Not data yet, but the gateway knows of the subscription."""
        if (stream := self.subscriptions.of(event.req_id)) is not None:
            stream.accepted()

    def data_type(self, event: DataTypeReported, out: Outbox) -> None:
        stream = self.subscriptions.of(event.req_id)
        if stream is not None:
            stream.accepted()
            self._feed.data_type(stream, event)

    def contract(self, event: ContractDescribed | ContractsEnd) -> None:
        if isinstance(event, ContractDescribed):
            self.contracts.described(event)
            self._look_ns = event.ts_recv_ns  # now it is known when its market is open
        else:
            self.contracts.end(event.req_id)

    def notice(self, event: NoticeReceived, notice: Notice) -> str:
        """A code about one of our requests; the instrument it concerns, or an empty string."""
        stream = self.subscriptions.of(event.req_id)
        if stream is not None:
            stream.answered = True
        detail = f"{notice.code}: {event.text}"
        self._look_ns = event.ts_recv_ns
        match notice.effect:
            case Effect.COMPETING_SESSION:
                self.subscriptions.taken(event.req_id, detail, event.ts_recv_ns)
            case Effect.QUOTA_LINES if stream is not None:
                self._lines.refused(stream.name, event.ts_recv_ns)
                self.subscriptions.refused(event.req_id, detail, event.ts_recv_ns, retry=True)
            case Effect.DELAYED if stream is not None and stream.kind == QUOTE:
                self._feed.delayed(stream, event.ts_recv_ns)
            case Effect.FAIL_REQUEST | Effect.RETRY_REQUEST | Effect.NOT_ENTITLED:
                if (instrument := self.contracts.failed(event.req_id, event.text, event.ts_recv_ns)) is not None:
                    return instrument.key
                slowly = notice.effect is Effect.NOT_ENTITLED
                self.subscriptions.refused(event.req_id, detail, event.ts_recv_ns, retry=True, slowly=slowly)
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
        if stream.interrupted_ns is None:  # else the gap that is open already covers it
            since_ns = stream.last_recv_ns or now_ns
            self._account_for(stream.missed(since_ns, now_ns, GapCause.OVERLOAD, count=count), out)

    # What goes out.

    def flush(self, out: Outbox) -> None:
        """What this batch made of each stream, once."""
        self._feed.flush(out)

    def prove(self, now_ns: int, *, alive: bool, out: Outbox) -> None:
        """``alive``: the line, and the gateway's link to IB, are proven to stand."""
        self._feed.prove(now_ns, alive=alive, out=out)

    # What others ask.

    def flows(self, kind: str, key: str) -> bool:
        """True if this instrument's stream of this kind is live: no other kind vouches for it."""
        return self.subscriptions.flows(kind, key)

    @property
    def proven(self) -> tuple[str, ...]:
        return self._feed.proven

    def quote(self, key: str) -> Quote | None:
        return self._feed.quote(key)

    def quotes(self) -> dict[str, Quote]:
        return self._feed.quotes()

    # Of any kind.

    def received(self, kind: str, req_id: int, ts_recv_ns: int, out: Outbox) -> Stream | None:
        """Data of this kind came; the stream it belongs to, ``None`` if it is nobody's."""
        stream = self.subscriptions.of(req_id)
        if stream is None:
            self.late_ticks += 1  # ticks keep coming for a while after a cancel, and after a refusal
            if self.orphans.heard(req_id, ts_recv_ns):
                self.subscriptions.cancel_again(kind, req_id)
                self._stirred = True
            return None
        flowing = stream.flows
        self._stirred |= self._watchdog.silent or not flowing
        if not flowing:
            self._look_by(ts_recv_ns + SILENT_NS)  # whatever it was waiting for, from now on it must go on speaking
        gap = self.subscriptions.received(stream, ts_recv_ns, lost_ns=self._planes.upstream_lost_ns)
        self._watchdog.alive(ts_recv_ns, flowing=flowing)
        if gap is not None:
            self._account_for(gap, out)
        return stream

    def _account_for(self, gap: Gap, out: Outbox) -> None:
        self.gaps.append(gap)
        out.publishes.append(gap)
