"""What the reconciler takes from market data: contract details, then quotes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from ibkr_adapter.core.link.quotas import Priority, Quota
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.reconciler import Precedence
from ibkr_adapter.core.market.stream import QUOTE, Stream, StreamState
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import CancelQuotes, Request, RequestContractDetails, SetDataType, SubscribeQuotes


class DetailsSource:
    """The details of every instrument that is wanted, and of those that are only traded."""

    precedence = Precedence.DETAILS
    needs_ready = True

    def __init__(
        self,
        contracts: Contracts,
        subscriptions: Subscriptions,
        request_ids: ReqIdCounter,
        traded: tuple[Instrument, ...] = (),
    ) -> None:
        self._contracts = contracts
        self._traded = traded
        self._subscriptions = subscriptions
        self._request_ids = request_ids

    def surplus(self) -> Iterator[Request]:
        yield from ()

    def missing(self, now_ns: int) -> Iterator[Request]:
        for instrument in self._contracts.missing(self._traded or self._subscriptions.wanted, now_ns):
            req_id = self._request_ids.take()
            self._contracts.asked(req_id, instrument, now_ns)
            yield RequestContractDetails(req_id=req_id, instrument=instrument)


class QuotesSource:
    """Quotes, behind the kind of data that is accepted: the gateway applies it to what is subscribed later.

    Each takes one of the login's lines. What finds none free waits, and ``line_free_ns`` says until when. Instruments
    with orders go first, and where lines are short another stream gives way to them.
    """

    precedence = Precedence.QUOTES
    needs_ready = True

    def __init__(
        self,
        settings: Settings,
        subscriptions: Subscriptions,
        request_ids: ReqIdCounter,
        lines: Quota,
        asked: Callable[[Stream, int], None],
        at_stake: Callable[[], Collection[str]],
    ) -> None:
        """``at_stake``: the keys of instruments with an order that may still trade."""
        self._settings = settings
        self._subscriptions = subscriptions
        self._request_ids = request_ids
        self._lines = lines
        self._asked = asked
        self._at_stake = at_stake
        self._type_chosen = False
        self.line_free_ns: int | None = None

    def session_lost(self) -> None:
        self._type_chosen = False

    def surplus(self) -> Iterator[Request]:
        surplus = tuple(self._subscriptions.surplus(QUOTE))
        if surplus:
            self._settle()
        for req_id in surplus:
            yield CancelQuotes(req_id=req_id)

    def missing(self, now_ns: int) -> Iterator[Request]:
        self.line_free_ns = None
        missing = self._subscriptions.missing(QUOTE)
        if not (missing or self._lines.probing):
            return
        self._settle()
        at_stake = self._at_stake()
        missing = tuple(sorted(missing, key=lambda stream: _priority(stream, at_stake)))
        for index, stream in enumerate(missing):
            if not self._lines.claim(stream.name, _priority(stream, at_stake), now_ns):
                self._wait_for_a_line(missing[index:])
                if self._make_room(_priority(stream, at_stake), at_stake, now_ns):
                    self.line_free_ns = now_ns  # behind the cancel of what gave way
                return
            if not self._type_chosen:
                self._type_chosen = True
                yield SetDataType(data_type=self._settings.data_type)
            req_id = self._request_ids.take()
            self._subscriptions.asked(stream, req_id, now_ns)
            self._asked(stream, now_ns)
            yield SubscribeQuotes(
                req_id=req_id, instrument=stream.instrument, generic_ticks=self._settings.generic_ticks
            )

    def _wait_for_a_line(self, streams: Sequence[Stream]) -> None:
        refusal = self._lines.refusal
        for stream in streams:
            stream.detail = refusal
        self.line_free_ns = self._lines.next_probe_ns

    def _make_room(self, priority: Priority, at_stake: Collection[str], now_ns: int) -> bool:
        """Whether another stream gives its line up, for one of this priority."""
        for stream in self._subscriptions.of_kind(QUOTE):
            if stream.on_wire:
                self._lines.claim(stream.name, _priority(stream, at_stake), now_ns)  # orders came and went since
        name = self._lines.gives_way(priority)
        if name is None:
            return False
        self._subscriptions.put_back(name, "gave its line to an instrument with orders")
        return True

    def _settle(self) -> None:
        """A line is taken by what stands at the gateway, and by nothing else."""
        standing = {stream.name: stream for stream in self._subscriptions if stream.on_wire}
        self._lines.keep(standing)
        if self._lines.probing:
            for name, stream in standing.items():
                if stream.state is StreamState.LIVE:
                    self._lines.proved(name)


def _priority(stream: Stream, at_stake: Collection[str]) -> Priority:
    return Priority.ORDER if stream.key in at_stake else Priority.CONFIGURED
