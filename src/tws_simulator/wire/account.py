"""Account summary, account values, portfolio and positions."""

from tws_simulator.wire.fragments import HELD_CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

# Where the text form has the primary exchange, the protobuf form carries the same value as the exchange.
_PORTFOLIO_CONTRACT = """
    contract.conId:i=0 contract.symbol:s contract.secType:s contract.lastTradeDateOrContractMonth:s contract.strike:n=0
    contract.right:s=0 contract.multiplier:n contract.exchange:s contract.currency:s contract.localSymbol:s
    contract.tradingClass:s
"""

MESSAGES = (
    Row(REQUEST, 62, "reqAccountSummary", 207, "=1 reqId:i group:s tags:s", "reqId:i group:s tags:s"),
    Row(REQUEST, 63, "cancelAccountSummary", 207, "=1 reqId:i", "reqId:i"),
    Row(REQUEST, 61, "reqPositions", 207, "=1", ""),
    Row(REQUEST, 64, "cancelPositions", 207, "=1", ""),
    Row(
        REPLY,
        63,
        "accountSummary",
        207,
        "=1 reqId:i account:s tag:s value:s currency:s",
        "reqId:i account:s tag:s value:s currency:s",
    ),
    Row(REPLY, 64, "accountSummaryEnd", 207, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        61,
        "position",
        207,
        f"=3 account:s {HELD_CONTRACT} position:d avgCost:f=0.0",
        "account:s contract:Contract position:d avgCost:f",
    ),
    Row(REPLY, 62, "positionEnd", 207, "=1", ""),
    Row(REQUEST, 6, "reqAccountUpdates", 207, "=2 subscribe:b=0 acctCode:s", "subscribe:b acctCode:s"),
    Row(
        REPLY,
        6,
        "updateAccountValue",
        207,
        "=2 key:s value:s currency:s accountName:s",
        "key:s value:s currency:s accountName:s",
    ),
    Row(
        REPLY,
        7,
        "updatePortfolio",
        207,
        f"""
        =8 {_PORTFOLIO_CONTRACT} position:d=0 marketPrice:n=0 marketValue:n=0 averageCost:n=0 unrealizedPNL:n=0
        realizedPNL:n=0 accountName:s
        """,
        """
        contract:Contract position:d marketPrice:f marketValue:f averageCost:f unrealizedPNL:f realizedPNL:f
        accountName:s
        """,
    ),
    Row(REPLY, 8, "updateAccountTime", 207, "=1 timeStamp:s", "timeStamp:s"),
    Row(REPLY, 54, "accountDownloadEnd", 207, "=1 accountName:s", "accountName:s"),
    Row(
        REQUEST,
        74,
        "reqPositionsMulti",
        207,
        "=1 reqId:i account:s modelCode:s",
        "reqId:i account:s modelCode:s",
    ),
    Row(REQUEST, 75, "cancelPositionsMulti", 207, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        71,
        "positionMulti",
        207,
        f"=3 reqId:i account:s {HELD_CONTRACT} position:d=0 avgCost:f=0.0 modelCode:s",
        "reqId:i account:s contract:Contract position:d avgCost:f modelCode:s",
    ),
    Row(REPLY, 72, "positionMultiEnd", 207, "=1 reqId:i", "reqId:i"),
    Row(
        REQUEST,
        76,
        "reqAccountUpdatesMulti",
        207,
        "=1 reqId:i account:s modelCode:s ledgerAndNLV:b=0",
        "reqId:i account:s modelCode:s ledgerAndNLV:b",
    ),
    Row(REQUEST, 77, "cancelAccountUpdatesMulti", 207, "=1 reqId:i", "reqId:i"),
    Row(
        REPLY,
        73,
        "accountUpdateMulti",
        207,
        "=1 reqId:i account:s modelCode:s key:s value:s currency:s",
        "reqId:i account:s modelCode:s key:s value:s currency:s",
    ),
    Row(REPLY, 74, "accountUpdateMultiEnd", 207, "=1 reqId:i", "reqId:i"),
)
