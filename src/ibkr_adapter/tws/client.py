"""Requests to bytes: the official client with its encoders, and nothing else of it.

``EClient`` believes it is connected; what stands where its connection was keeps the frame that an encoder made. A
refusal, which an encoder reports to its wrapper or swallows, becomes an exception.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from ibkr_adapter import requests
from ibkr_adapter.errors import InvalidRequest, ReadOnlyClient
from ibkr_adapter.requests import Request
from ibkr_adapter.tws import translate
from ibkr_adapter.tws.official import ConfigRequest, EClient, EWrapper, ExecutionFilter, OrderCancel

logging.getLogger("ibapi").setLevel(logging.WARNING)  # at INFO it writes every outgoing frame, orders and accounts too


class Client(EClient):
    """Encodes the requests of one session; without ``orders`` it has no way to encode one."""

    def __init__(self, *, client_id: int, orders: bool) -> None:
        self._refusals = _Refusals()
        super().__init__(self._refusals)  # type: ignore[no-untyped-call]  # partly typed upstream
        self._outlet = _Outlet()
        self._lock = threading.Lock()
        self._orders = orders
        self._performers = dict(_PERFORMERS)
        if orders:
            self._performers |= _ORDER_PERFORMERS
        self.clientId = client_id

    def greeted(self, server_version: int, optional_capabilities: str) -> None:
        """The handshake is done: from now on requests can be encoded."""
        self.serverVersion_ = server_version
        self.optCapab = optional_capabilities
        self.conn = self._outlet
        self.setConnState(EClient.CONNECTED)  # type: ignore[no-untyped-call]  # partly typed upstream

    def start_frame(self) -> bytes:
        """START_API, which makes the gateway speak."""
        return self._frame("START_API", lambda: self.startApi())  # type: ignore[no-untyped-call]  # partly typed upstream

    def frame(self, request: Request) -> bytes:
        """The one frame of a request, length included; raises ``InvalidRequest`` or ``ReadOnlyClient``."""
        performer = self.judge(request)
        return self._frame(type(request).__name__, lambda: performer(self, request))

    def judge(self, request: Request) -> _Performer:
        """How this request is sent, or an exception if this session has no way to."""
        performer = self._performers.get(type(request))
        if performer is not None:
            return performer
        if isinstance(request, requests.ORDER_REQUESTS):
            raise ReadOnlyClient("this session was opened without the capability to send orders")
        raise InvalidRequest("request", f"nothing is known about how to send {type(request).__name__}")

    def _frame(self, name: str, encode: Callable[[], None]) -> bytes:
        with self._lock:
            self._refusals.heard.clear()
            self._outlet.frames.clear()
            try:
                encode()
            except InvalidRequest:
                raise
            except Exception as failure:
                # BLE001: an encoder may fail with anything; whatever it is, the caller must learn it was not sent.
                raise InvalidRequest(name, f"the official client cannot encode it: {failure!r}") from failure
            if self._refusals.heard:
                raise InvalidRequest(name, f"the official client refuses it: {'; '.join(self._refusals.heard)}")
            if len(self._outlet.frames) != 1:
                raise InvalidRequest(name, f"the official client made {len(self._outlet.frames)} frames of it")
            if not self._orders and _message_id(self._outlet.frames[0], self.serverVersion_) in ORDER_MESSAGES:
                raise ReadOnlyClient(f"{name}: a frame that concerns orders, of a component that may send none")
            return self._outlet.frames[0]


ORDER_MESSAGES = frozenset({3, 4, 21, 58})
"""Place, cancel, exercise, cancel all. Source: ``ibapi.message.OUT``; in protobuf form 200 higher."""

_PROTOBUF_BASE = 200
_BINARY_ID_VERSION = 201
"""From this server version on the number of a message is four bytes. Source: ``MIN_SERVER_VER_PROTOBUF``."""


def _message_id(frame: bytes, server_version: int | None) -> int:
    """What kind of message a frame carries, whichever form it has."""
    if server_version is not None and server_version >= _BINARY_ID_VERSION:
        number = int.from_bytes(frame[4:8], "big")
        return number - _PROTOBUF_BASE if number > _PROTOBUF_BASE else number
    return int(frame[4:16].partition(b"\0")[0])


class _Outlet:
    """Stands where the official client keeps its connection."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def isConnected(self) -> bool:  # noqa: N802 - the official client's name
        return True

    def sendMsg(self, msg: bytes) -> int:  # noqa: N802 - the official client's name
        self.frames.append(msg)
        return len(msg)


class _Refusals(EWrapper):
    """The encoders' wrapper: hears only what they complain about, on the thread that asked."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # partly typed upstream
        self.heard: list[str] = []

    def error(self, reqId: int, errorTime: int, errorCode: int, errorString: str, *_more: str) -> None:  # noqa: N803 - the official client's names
        self.heard.append(f"{errorCode} {errorString}")


# --- One official call for each request ---------------------------------------------------------------------------

_Performer = Callable[[Any, Any], None]


def _subscribe_quotes(client: EClient, request: requests.SubscribeQuotes) -> None:
    ticks = translate.word("generic_ticks", request.generic_ticks)
    client.reqMktData(
        request.req_id,
        translate.contract(request.instrument),
        ticks,
        snapshot=False,
        regulatorySnapshot=False,
        mktDataOptions=[],
    )


def _subscribe_depth(client: EClient, request: requests.SubscribeDepth) -> None:
    client.reqMktDepth(
        request.req_id, translate.contract(request.instrument), request.rows, request.smart_depth, mktDepthOptions=[]
    )


def _subscribe_tick_by_tick(client: EClient, request: requests.SubscribeTickByTick) -> None:
    client.reqTickByTickData(
        request.req_id,
        translate.contract(request.instrument),
        translate.word("tick_type", request.tick_type),
        request.number_of_ticks,
        request.ignore_size,
    )


def _subscribe_bars(client: EClient, request: requests.SubscribeBars) -> None:
    client.reqRealTimeBars(
        request.req_id,
        translate.contract(request.instrument),
        barSize=5,
        whatToShow=translate.word("what_to_show", request.what_to_show),
        useRTH=request.use_rth,
        realTimeBarsOptions=[],
    )


def _request_history(client: EClient, request: requests.RequestHistory) -> None:
    if request.keep_up_to_date and request.end_ns is not None:
        raise InvalidRequest("end_ns", "bars that are kept up to date end now")
    client.reqHistoricalData(
        request.req_id,
        translate.contract(request.instrument),
        endDateTime="" if request.end_ns is None else translate.utc_time(request.end_ns),
        durationStr=translate.word("duration", request.duration),
        barSizeSetting=translate.word("bar_size", request.bar_size),
        whatToShow=translate.word("what_to_show", request.what_to_show),
        useRTH=int(request.use_rth),
        formatDate=2,  # seconds since 1970, in nobody's time zone
        keepUpToDate=request.keep_up_to_date,
        chartOptions=[],
    )


def _request_matching_symbols(client: EClient, request: requests.RequestMatchingSymbols) -> None:
    client.reqMatchingSymbols(request.req_id, translate.word("pattern", request.pattern))


def _request_pnl(client: EClient, request: requests.RequestPnl) -> None:
    account = translate.word("account", request.account)
    client.reqPnL(request.req_id, account, translate.word("model_code", request.model_code))


def _request_contract_details(client: EClient, request: requests.RequestContractDetails) -> None:
    client.reqContractDetails(request.req_id, translate.contract(request.instrument))


def _request_account_summary(client: EClient, request: requests.RequestAccountSummary) -> None:
    group = translate.word("group", request.group)
    client.reqAccountSummary(request.req_id, group, translate.word("tags", ",".join(request.tags)))


def _request_executions(client: EClient, request: requests.RequestExecutions) -> None:
    client.reqExecutions(request.req_id, ExecutionFilter())  # type: ignore[no-untyped-call]  # partly typed upstream


def _request_gateway_configuration(client: Any, request: requests.RequestGatewayConfiguration) -> None:
    if ConfigRequest is None:
        raise InvalidRequest("request", "this release of the official client cannot ask for a gateway's settings")
    client.reqConfigProtoBuf(ConfigRequest(reqId=request.req_id))


def _send_order(client: EClient, request: requests.SendOrder) -> None:
    client.placeOrder(request.order_id, translate.contract(request.terms.instrument), translate.order(request))


def _send_cancel(client: EClient, request: requests.SendCancel) -> None:
    client.cancelOrder(request.order_id, OrderCancel())  # type: ignore[no-untyped-call]  # partly typed upstream


_PERFORMERS: dict[type[Request], _Performer] = {
    requests.RequestCurrentTime: lambda client, request: client.reqCurrentTime(),
    requests.RequestIds: lambda client, request: client.reqIds(1),
    requests.RequestManagedAccounts: lambda client, request: client.reqManagedAccts(),
    requests.RequestGatewayConfiguration: _request_gateway_configuration,
    requests.SetDataType: lambda client, request: client.reqMarketDataType(request.data_type),
    requests.SubscribeQuotes: _subscribe_quotes,
    requests.CancelQuotes: lambda client, request: client.cancelMktData(request.req_id),
    requests.SubscribeDepth: _subscribe_depth,
    requests.CancelDepth: lambda client, request: client.cancelMktDepth(request.req_id, request.smart_depth),
    requests.SubscribeTickByTick: _subscribe_tick_by_tick,
    requests.CancelTickByTick: lambda client, request: client.cancelTickByTickData(request.req_id),
    requests.SubscribeBars: _subscribe_bars,
    requests.CancelBars: lambda client, request: client.cancelRealTimeBars(request.req_id),
    requests.RequestHistory: _request_history,
    requests.CancelHistory: lambda client, request: client.cancelHistoricalData(request.req_id),
    requests.RequestMatchingSymbols: _request_matching_symbols,
    requests.RequestPnl: _request_pnl,
    requests.CancelPnl: lambda client, request: client.cancelPnL(request.req_id),
    requests.RequestContractDetails: _request_contract_details,
    requests.RequestAccountSummary: _request_account_summary,
    requests.CancelAccountSummary: lambda client, request: client.cancelAccountSummary(request.req_id),
    requests.RequestPositions: lambda client, request: client.reqPositions(),
    requests.CancelPositions: lambda client, request: client.cancelPositions(),
    requests.RequestAllOpenOrders: lambda client, request: client.reqAllOpenOrders(),
    requests.RequestExecutions: _request_executions,
    requests.RequestCompletedOrders: lambda client, request: client.reqCompletedOrders(request.api_only),
}

_ORDER_PERFORMERS: dict[type[Request], _Performer] = {
    requests.SendOrder: _send_order,
    requests.SendCancel: _send_cancel,
}
