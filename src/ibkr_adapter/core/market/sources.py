"""What the reconciler takes from market data: contract details, then quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ibkr_adapter.core.link.requests import ReqIdCounter
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.reconciler import Precedence
from ibkr_adapter.core.market.stream import Stream
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.requests import CancelQuotes, Request, RequestContractDetails, SetDataType, SubscribeQuotes


class DetailsSource:
    """The details of every instrument that is wanted."""

    precedence = Precedence.DETAILS
    needs_ready = True

    def __init__(self, contracts: Contracts, subscriptions: Subscriptions, request_ids: ReqIdCounter) -> None:
        self._contracts = contracts
        self._subscriptions = subscriptions
        self._request_ids = request_ids

    def surplus(self) -> Iterator[Request]:
        yield from ()

    def missing(self, now_ns: int) -> Iterator[Request]:
        for instrument in self._contracts.missing(self._subscriptions.wanted, now_ns):
            req_id = self._request_ids.take()
            self._contracts.asked(req_id, instrument, now_ns)
            yield RequestContractDetails(req_id=req_id, instrument=instrument)


class QuotesSource:
    """Quotes, behind the kind of data that is accepted: the gateway applies it to what is subscribed later."""

    precedence = Precedence.QUOTES
    needs_ready = True

    def __init__(
        self,
        settings: Settings,
        subscriptions: Subscriptions,
        request_ids: ReqIdCounter,
        asked: Callable[[Stream, int], None],
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._request_ids = request_ids
        self._asked = asked
        self._type_chosen = False

    def session_lost(self) -> None:
        self._type_chosen = False

    def surplus(self) -> Iterator[Request]:
        for req_id in self._subscriptions.surplus():
            yield CancelQuotes(req_id=req_id)

    def missing(self, now_ns: int) -> Iterator[Request]:
        for stream in self._subscriptions.missing():
            if not self._type_chosen:
                self._type_chosen = True
                yield SetDataType(data_type=self._settings.data_type)
            req_id = self._request_ids.take()
            self._subscriptions.asked(stream, req_id, now_ns)
            self._asked(stream, now_ns)
            yield SubscribeQuotes(
                req_id=req_id, instrument=stream.instrument, generic_ticks=self._settings.generic_ticks
            )
