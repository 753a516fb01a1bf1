"""One walk of the official client through everything the simulated gateway serves, in time that stands still.

Nothing happens between two requests: the clock is moved by hand, and the gateway looks at it when a request arrives. So
equal seeds give equal answers, whatever the machine does.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from ibapi.common import WshEventData
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.order_cancel import OrderCancel
from ibapi.scanner import ScannerSubscription

from tests.tws_simulator.official.official_client import WAIT_S_MAX, Call, OfficialClient, connected, order, stock
from tests.tws_simulator.official.surface_calls import Told, told
from tests.tws_simulator.official.surface_orders import orders_of_all_kinds
from tws_simulator import Gateway, GatewayThread, running_gateway
from tws_simulator.world.orders.tickets import OrderTicket

try:
    from ibapi.protobuf.ConfigRequest_pb2 import ConfigRequest
    from ibapi.protobuf.UpdateConfigRequest_pb2 import UpdateConfigRequest
except ImportError:  # a release that knows no settings
    ConfigRequest = UpdateConfigRequest = None

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
MONDAY_OPEN_NS = 1_795_444_200_123_000_000  # 2026-11-23 09:30 in New York, and 123 ms
SUNDAY_NS = MONDAY_OPEN_NS - 22 * HOUR
NEVER_S = 3600.0
INTERVAL_S = 20.0
_NUDGE_S = 0.25
_FIRST_WITH_SILENT_CANCELS = 215
SINCE = {
    "historicalSchedule": 165,
    "userInfo": 167,
    "currentTimeInMillis": 197,
    "configResponseProtoBuf": 219,
    "updateConfigResponseProtoBuf": 221,
}
"""The server version from which the callback can be asked for: before it the official client sends no request."""
_EVENT_KINDS, _EVENTS = 961, 962
_FIRST_WITH_ALL_EVENTS = 173
GENERIC_TICKS = "100,101,104,105,106,165,221,225,232,233,236,258,293,294,295,318,375,411,595"
TAGS = "AccountType,NetLiquidation,TotalCashValue,BuyingPower,$LEDGER"


def is_known(call: Told, version: int) -> bool:
    """Whether a client of that server version can have asked for this."""
    name, arguments = call
    if arguments.get("reqId") in (_EVENT_KINDS, _EVENTS):
        return version >= _FIRST_WITH_ALL_EVENTS
    return version >= SINCE.get(name, 0)


class Clock:
    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns

    def __call__(self) -> int:
        return self.now_ns


class WalkingClient(OfficialClient):
    """Also records the settings, which only have callbacks of the protobuf kind."""

    def configResponseProtoBuf(self, configResponseProto: Any) -> None:  # noqa: N802, N803 - the official client's names
        self.record("configResponseProtoBuf", (configResponseProto,))

    def updateConfigResponseProtoBuf(self, updateConfigResponseProto: Any) -> None:  # noqa: N802, N803 - likewise
        self.record("updateConfigResponseProtoBuf", (updateConfigResponseProto,))


class Walk:
    """A client, its gateway and their clock. ``ask`` waits until everything that was asked has been answered."""

    def __init__(self, client: OfficialClient, gateway: GatewayThread, clock: Clock) -> None:
        self.client = client
        self.gateway = gateway
        self.version = client.serverVersion()
        self._clock = clock
        self._barriers = 1  # one comes with the greeting

    def ask(self, *requests: Callable[[], Any]) -> None:
        for request in requests:
            request()
        self._settle()

    def after(self, seconds: float) -> None:
        """Let time pass, in one step, and hear what it brought."""
        self._clock.now_ns += round(seconds * SECOND)
        self._settle()

    def record(self) -> list[Told]:
        """Up to the end of the connection, which two threads may notice; without the answers `_settle` waited for."""
        calls: list[Call] = list(self.client.calls)
        del calls[[name for name, _ in calls].index("connectionClosed") + 1 :]
        barriers = [call for call in calls if call[0] == "managedAccounts"]
        return [told(call) for call in calls if call[0] != "managedAccounts" or call is barriers[0]]

    def _settle(self) -> None:
        """Replies come in the order of requests, so the answer to a last one comes after all others.

        It is asked for again if it does not come soon: the official client waits for more after a read of exactly
        4096 bytes, and after a second of that forgets what it has read.
        """
        asked_s = 0.0
        while asked_s < WAIT_S_MAX:
            self._barriers += 1
            self.client.reqManagedAccts()
            if self.client.told_in_all("managedAccounts", self._barriers, _NUDGE_S):
                return
            asked_s += _NUDGE_S
        raise AssertionError(f"no answer after {self.client.names()[-10:]}")


@contextmanager
def _walking(version: int, start_ns: int, client_id: int) -> Iterator[Walk]:
    clock = Clock(start_ns)
    simulated = Gateway(
        seed=7, server_version=version, clock=clock, tick_interval_s=NEVER_S, always_open=False, pacing="off",
        tick_by_tick_pause_s=0.0, account_interval_s=INTERVAL_S, not_entitled=("MSFT",), accounts=2,
    )  # fmt: skip
    with running_gateway(simulated) as gateway, connected(gateway.port, client_id, WalkingClient) as client:
        client.conn.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each request waits 40 ms
        client.wait_for("nextValidId")
        client.wait_for_error(2158)
        yield Walk(client, gateway, clock)


def walk(version: int) -> list[Told]:
    """A trading morning, and a Sunday."""
    morning = (
        _session,
        _reference,
        _options,
        _settings,
        _market_data,
        _unsubscribed,
        _history,
        _accounts,
        _orders,
        _outside,
    )
    recorded = []
    for start_ns, client_id, steps in ((MONDAY_OPEN_NS, 0, morning), (SUNDAY_NS, 1, (_closed,))):
        with _walking(version, start_ns, client_id) as walking:
            for step in steps:
                step(walking)
            walking.client.disconnect()
            walking.client.wait_for("connectionClosed")
            recorded += walking.record()
    return recorded


def contract(sec_type: str, symbol: str = "", exchange: str = "SMART", **fields: Any) -> Contract:
    made = stock(symbol, exchange=exchange)
    made.secType = sec_type
    for name, value in fields.items():
        setattr(made, name, value)
    return made


AAPL, SPY, WITHOUT = stock("AAPL"), stock("SPY"), stock("MSFT")
EURO = contract("CASH", "EUR", "IDEALPRO")
INDEX = contract("IND", "SPX", "CBOE")
FUTURE = contract("FUT", "ES", "CME", localSymbol="ESZ6")
FOR_DIFFERENCE = contract("CFD", "AAPL")
CALL = contract("OPT", localSymbol="SPY   261218C00640000")


def _session(walking: Walk) -> None:
    client = walking.client
    walking.ask(
        client.reqCurrentTime,
        lambda: client.setServerLogLevel(5),
        lambda: client.reqIds(1),
    )
    if walking.version >= SINCE["userInfo"]:
        walking.ask(lambda: client.reqUserInfo(1))
    if walking.version >= SINCE["currentTimeInMillis"]:
        walking.ask(client.reqCurrentTimeInMillis)


def _reference(walking: Walk) -> None:
    client = walking.client
    for req_id, asked in enumerate((AAPL, SPY, EURO, INDEX, FUTURE, CALL, stock("NOSUCH")), 101):
        walking.ask(lambda req_id=req_id, asked=asked: client.reqContractDetails(req_id, asked))
    walking.ask(
        lambda: client.reqContractDetails(110, contract("OPT", "AAPL", lastTradeDateOrContractMonth="20261218")),
        lambda: client.reqMatchingSymbols(111, "AAPL"),
        lambda: client.reqSecDefOptParams(112, "AAPL", "", "STK", 265598),
        lambda: client.reqSecDefOptParams(113, "NOSUCH", "", "STK", 1),
        lambda: client.reqMarketRule(26),
        lambda: client.reqMarketRule(-5),
        lambda: client.reqSmartComponents(114, "9c0001"),
        lambda: client.reqSmartComponents(115, "none"),
        client.reqMktDepthExchanges,
        lambda: client.reqSoftDollarTiers(116),
        client.reqFamilyCodes,
        client.reqNewsProviders,
    )
    walking.after(2)
    if walking.version >= _FIRST_WITH_SILENT_CANCELS:
        walking.ask(lambda: client.cancelContractData(110))


def _options(walking: Walk) -> None:
    client = walking.client
    walking.ask(
        lambda: client.calculateImpliedVolatility(201, CALL, 12.0, 640.0, []),
        lambda: client.calculateOptionPrice(202, CALL, 0.25, 640.0, []),
        lambda: client.calculateOptionPrice(203, CALL, -1.0, 640.0, []),
        lambda: client.cancelCalculateImpliedVolatility(201),
        lambda: client.cancelCalculateOptionPrice(202),
        lambda: client.reqMktData(204, CALL, "100,101,106", False, False, []),
        lambda: client.reqMktData(205, CALL, "", True, False, []),
    )
    walking.after(5)
    walking.ask(lambda: client.cancelMktData(204))


def _settings(walking: Walk) -> None:
    if walking.version >= SINCE["configResponseProtoBuf"]:
        walking.ask(lambda: walking.client.reqConfigProtoBuf(ConfigRequest(reqId=301)))
    if walking.version >= SINCE["updateConfigResponseProtoBuf"]:
        change = UpdateConfigRequest(reqId=302)
        change.api.settings.socketPort = 1
        walking.ask(lambda: walking.client.updateConfigProtoBuf(change))
        walking.ask(lambda: walking.client.updateConfigProtoBuf(UpdateConfigRequest(reqId=303)))


def _market_data(walking: Walk) -> None:
    client = walking.client
    arca = stock("AAPL", exchange="ARCA")
    kinds = ("Last", "AllLast", "BidAsk", "MidPoint")
    walking.ask(
        lambda: client.reqMarketDataType(1),
        lambda: client.reqMktData(401, AAPL, GENERIC_TICKS, False, False, []),
        lambda: client.reqMktData(402, EURO, "", False, False, []),
        lambda: client.reqMktData(403, INDEX, "", False, False, []),
        lambda: client.reqMktData(404, FUTURE, "", False, False, []),
        lambda: client.reqMktData(405, SPY, "", True, False, []),
        lambda: client.reqMktData(406, AAPL, "9999", False, False, []),
        lambda: client.reqMktData(401, SPY, "", False, False, []),
        lambda: client.reqMktDepth(411, AAPL, 5, True, []),
        lambda: client.reqMktDepth(412, arca, 5, False, []),
        lambda: client.reqMktDepth(413, AAPL, 5, False, []),
        lambda: client.reqMktData(407, FOR_DIFFERENCE, "", False, False, []),
        lambda: client.reqMktDepth(414, FOR_DIFFERENCE, 5, True, []),
        *(
            lambda req_id=req_id, kind=kind: client.reqTickByTickData(req_id, AAPL, kind, 20, False)
            for req_id, kind in enumerate(kinds, 421)
        ),
        lambda: client.reqTickByTickData(425, AAPL, "Nothing", 0, False),
        lambda: client.reqRealTimeBars(431, AAPL, 5, "TRADES", False, []),
        lambda: client.reqRealTimeBars(432, AAPL, 5, "MIDPOINT", True, []),
    )
    for _ in range(3):
        walking.after(5)
    walking.ask(
        *(lambda req_id=req_id: client.cancelMktData(req_id) for req_id in (401, 402, 403, 404, 409)),
        lambda: client.cancelMktDepth(411, True),
        lambda: client.cancelMktDepth(412, False),
        lambda: client.cancelMktDepth(419, False),
        *(lambda req_id=req_id: client.cancelTickByTickData(req_id) for req_id in (421, 422, 423, 424, 429)),
        *(lambda req_id=req_id: client.cancelRealTimeBars(req_id) for req_id in (431, 432, 439)),
    )


def _unsubscribed(walking: Walk) -> None:
    """Refused live, shown delayed; no depth, no single ticks, no bars, no history up to the second."""
    client = walking.client
    walking.ask(
        lambda: client.reqMktData(451, WITHOUT, "", False, False, []),
        lambda: client.reqMarketDataType(3),
        lambda: client.reqMktData(452, WITHOUT, "233,236", False, False, []),
        lambda: client.reqMktData(453, WITHOUT, "", True, False, []),
        lambda: client.reqMktData(454, AAPL, "", True, False, []),
        lambda: client.reqMktDepth(455, WITHOUT, 5, True, []),
        lambda: client.reqTickByTickData(456, WITHOUT, "AllLast", 0, False),
        lambda: client.reqRealTimeBars(457, WITHOUT, 5, "TRADES", False, []),
        lambda: client.reqHistoricalData(458, WITHOUT, "", "1 D", "5 mins", "TRADES", 1, 1, False, []),
    )
    walking.after(5)
    walking.ask(lambda: client.cancelMktData(452))


def _history(walking: Walk) -> None:
    client = walking.client
    bars = (
        ("", "1 D", "5 mins", "TRADES", 1, 1),
        ("20261120 16:00:00 US/Eastern", "2 D", "1 hour", "MIDPOINT", 0, 1),
        ("20261120-21:00:00", "1 D", "30 mins", "BID_ASK", 1, 2),
        ("", "1 M", "1 day", "ADJUSTED_LAST", 1, 1),
        ("", "1 D", "7 mins", "TRADES", 1, 1),
        ("nonsense", "1 D", "5 mins", "TRADES", 1, 1),
    )
    for req_id, (end, span, size, what, hours, form) in enumerate(bars, 501):
        walking.ask(
            lambda req_id=req_id, end=end, span=span, size=size, what=what, hours=hours, form=form: (
                client.reqHistoricalData(req_id, AAPL, end, span, size, what, hours, form, False, [])
            )
        )
    if walking.version >= SINCE["historicalSchedule"]:
        walking.ask(lambda: client.reqHistoricalData(520, AAPL, "", "1 M", "1 day", "SCHEDULE", 1, 1, False, []))
    walking.ask(
        lambda: client.reqHistoricalData(510, SPY, "", "1 D", "1 min", "TRADES", 0, 2, True, []),
        lambda: client.reqHistoricalTicks(521, AAPL, "20261120 10:00:00 US/Eastern", "", 20, "TRADES", 1, True, []),
        lambda: client.reqHistoricalTicks(522, AAPL, "", "20261120-20:00:00", 20, "BID_ASK", 1, False, []),
        lambda: client.reqHistoricalTicks(523, AAPL, "20261120 10:00:00 US/Eastern", "", 20, "MIDPOINT", 1, True, []),
        lambda: client.reqHistoricalTicks(524, AAPL, "", "", 20, "TRADES", 1, True, []),
        lambda: client.reqHeadTimeStamp(531, AAPL, "TRADES", 1, 1),
        lambda: client.reqHeadTimeStamp(532, AAPL, "BID_ASK", 0, 2),
        lambda: client.reqHistogramData(541, AAPL, True, "1 day"),
        lambda: client.reqHistogramData(542, AAPL, True, "forever"),
        lambda: client.cancelHeadTimeStamp(531),
        lambda: client.cancelHistogramData(541),
    )
    walking.after(8)
    walking.ask(lambda: client.cancelHistoricalData(510), lambda: client.cancelHistoricalData(511))
    if walking.version >= _FIRST_WITH_SILENT_CANCELS:
        walking.ask(lambda: client.cancelHistoricalTicks(521))


def _accounts(walking: Walk) -> None:
    """Subscriptions that go on while the orders of the next step are filled."""
    client, account = walking.client, walking.gateway.account
    walking.ask(
        lambda: client.reqAccountSummary(601, "All", TAGS),
        lambda: client.reqAccountSummary(602, "All", "Nonsense"),
        lambda: client.cancelAccountSummary(609),
        client.reqPositions,
        lambda: client.reqPositionsMulti(611, account, ""),
        lambda: client.reqPositionsMulti(612, "DU0", ""),
        lambda: client.reqAccountUpdates(True, account),
        lambda: client.reqAccountUpdatesMulti(621, account, "", False),
        lambda: client.reqAccountUpdatesMulti(622, account, "", True),
        lambda: client.reqPnL(631, account, ""),
        lambda: client.reqPnLSingle(632, account, "", 756733),
        lambda: client.reqPnL(633, "DU0", ""),
    )


def _orders(walking: Walk) -> None:
    client, account = walking.client, walking.gateway.account
    (first,) = client.named("nextValidId")[0]
    limit, stop = order("BUY", 5, "LMT", 10.0, "rest"), order("SELL", 5, "STP")
    stop.auxPrice, stop.tif = 5.0, "GTC"
    trail = order("SELL", 3, "TRAIL")
    trail.auxPrice, trail.trailStopPrice = 4.0, 100.0
    what_if = order("BUY", 10)
    what_if.whatIf = True
    parent, profit, loss = order("BUY", 2, "LMT", 11.0), order("SELL", 2, "LMT", 900.0), order("SELL", 2, "STP")
    loss.auxPrice = 9.0
    for child in (profit, loss):
        child.parentId = first + 10
    parent.transmit = profit.transmit = False

    def place(order_id: int, placed: Order, asked: Contract = AAPL) -> Callable[[], None]:
        return lambda: client.placeOrder(order_id, asked, placed)

    walking.ask(place(first, order("BUY", 5, ref="fill")))
    walking.after(2)
    walking.ask(place(first + 1, limit))
    walking.after(1)
    limit.lmtPrice, limit.totalQuantity = 11.0, Decimal(7)
    walking.ask(place(first + 1, limit), place(first + 2, stop), place(first + 3, trail), place(first + 4, what_if))
    walking.ask(place(first + 10, parent), place(first + 11, profit), place(first + 12, loss))
    walking.ask(*(place(order_id, each) for order_id, each in enumerate(orders_of_all_kinds(), first + 30)))
    walking.after(2)
    walking.ask(client.reqOpenOrders, client.reqAllOpenOrders)
    walking.gateway.call(_enter_at_the_screen)
    walking.ask(client.reqOpenOrders, lambda: client.reqAutoOpenOrders(True))
    walking.ask(
        lambda: client.cancelOrder(first + 1, OrderCancel()),
        lambda: client.cancelOrder(first + 99, OrderCancel()),
        lambda: client.cancelOrder(first, OrderCancel()),
        place(first + 20, order("BUY", 0)),
        place(first + 21, order("BUY", 1, "LMT", 0.005)),
        place(first + 22, order("BUY", 1), stock("NOSUCH")),
        place(first + 23, order("BUY", 100_000_000)),
        place(first + 24, order("BUY", 1, "NONE")),
        place(first + 25, order("SELL", 3), SPY),
    )
    walking.after(3)
    walking.ask(lambda: client.reqGlobalCancel(OrderCancel()))
    walking.after(1)
    walking.ask(
        lambda: client.reqExecutions(701, ExecutionFilter()),
        lambda: client.reqCompletedOrders(False),
        lambda: client.reqCompletedOrders(True),
        client.reqOpenOrders,
    )
    walking.after(INTERVAL_S)
    walking.ask(
        lambda: client.cancelAccountSummary(601),
        client.cancelPositions,
        lambda: client.cancelPositionsMulti(611),
        lambda: client.reqAccountUpdates(False, account),
        lambda: client.cancelAccountUpdatesMulti(621),
        lambda: client.cancelAccountUpdatesMulti(622),
        lambda: client.cancelPnL(631),
        lambda: client.cancelPnLSingle(632),
    )


def _outside(walking: Walk) -> None:
    """Families that are not served: each request is refused with its id."""
    client = walking.client
    walking.ask(
        lambda: client.reqScannerSubscription(951, ScannerSubscription(), [], []),
        lambda: client.cancelScannerSubscription(952),
        client.reqScannerParameters,
        lambda: client.reqNewsBulletins(True),
        client.cancelNewsBulletins,
        lambda: client.reqNewsArticle(953, "BRFG", "BRFG$1", []),
        lambda: client.reqHistoricalNews(954, 265598, "BRFG", "", "", 10, []),
        lambda: client.requestFA(1),
        lambda: client.replaceFA(955, 1, "<groups/>"),
        lambda: client.exerciseOptions(956, CALL, 1, 1, walking.gateway.account, 0, "", "", False),
        lambda: client.queryDisplayGroups(957),
        lambda: client.subscribeToGroupEvents(958, 1),
        lambda: client.updateDisplayGroup(959, "265598@SMART"),
        lambda: client.unsubscribeFromGroupEvents(960),
    )
    if walking.version >= _FIRST_WITH_ALL_EVENTS:
        walking.ask(
            lambda: client.reqWshMetaData(_EVENT_KINDS),
            lambda: client.cancelWshMetaData(_EVENT_KINDS),
            lambda: client.reqWshEventData(_EVENTS, WshEventData()),
            lambda: client.cancelWshEventData(_EVENTS),
        )


def _enter_at_the_screen(gateway: Gateway) -> None:
    state = gateway.core.state
    ticket = OrderTicket(
        client_id=0, order_id=0, con_id=265598, symbol="AAPL", action="BUY", order_type="LMT", quantity=Decimal(1),
        limit_price=Decimal(10),
    )  # fmt: skip
    state.deliver(state.world.exchange.place_manually(ticket, state.now_ns))


def _closed(walking: Walk) -> None:
    """Frozen where there is a right to live data, else delayed and frozen. Nobody but client 0 binds orders."""
    client = walking.client
    walking.ask(
        lambda: client.reqMarketDataType(2),
        lambda: client.reqMktData(801, AAPL, "", False, False, []),
        lambda: client.reqMktData(802, WITHOUT, "", False, False, []),
        lambda: client.reqMarketDataType(4),
        lambda: client.reqMktData(803, AAPL, "", True, False, []),
        lambda: client.reqMktData(804, WITHOUT, "", False, False, []),
        lambda: client.reqMarketDataType(9),
        lambda: client.reqMktDepth(805, AAPL, 5, True, []),
        lambda: client.reqHistoricalData(806, AAPL, "", "1 D", "5 mins", "TRADES", 1, 1, False, []),
        lambda: client.reqAutoOpenOrders(True),
        lambda: client.placeOrder(client.named("nextValidId")[0][0], AAPL, order("BUY", 1)),
    )
    walking.after(3)
