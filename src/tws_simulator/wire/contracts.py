"""Contract details."""

from tws_simulator.wire.fragments import CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_REQUEST = f"""
    =8 reqId:i {CONTRACT} contract.includeExpired:b=0 contract.secIdType:s contract.secId:s contract.issuerId:s@176..
"""

_DETAILS = """
    =8@..163 reqId:i contract.symbol:s contract.secType:s contract.lastTradeDateOrContractMonth:s
    contract.lastTradeDate:s@182..
    contract.strike:n=0 contract.right:s contract.exchange:s contract.currency:s contract.localSymbol:s
    contractDetails.marketName:s contract.tradingClass:s contract.conId:i=0 contractDetails.minTick:d
    contractDetails.mdSizeMultiplier:i=1@..163 contract.multiplier:n contractDetails.orderTypes:s
    contractDetails.validExchanges:s contractDetails.priceMagnifier:i=1
    contractDetails.underConId:i=0 contractDetails.longName:s contract.primaryExch:s contractDetails.contractMonth:s
    contractDetails.industry:s contractDetails.category:s contractDetails.subcategory:s contractDetails.timeZoneId:s
    contractDetails.tradingHours:s contractDetails.liquidHours:s contractDetails.evRule:s contractDetails.evMultiplier:n
    contractDetails.secIdList% contractDetails.aggGroup:i! contractDetails.underSymbol:s contractDetails.underSecType:s
    contractDetails.marketRuleIds:s contractDetails.realExpirationDate:s contractDetails.stockType:s@152..
    contractDetails.minSize:d@163.. contractDetails.sizeIncrement:d@164.. contractDetails.suggestedSizeIncrement:d@164..
    @179..(?contract.secType=FUND(
        contractDetails.fundName:s contractDetails.fundFamily:s contractDetails.fundType:s
        contractDetails.fundFrontLoad:s contractDetails.fundBackLoad:s contractDetails.fundBackLoadTimeInterval:s
        contractDetails.fundManagementFee:s
        contractDetails.fundClosed:b=0 contractDetails.fundClosedForNewInvestors:b=0
        contractDetails.fundClosedForNewMoney:b=0 contractDetails.fundNotifyAmount:s
        contractDetails.fundMinimumInitialPurchase:s contractDetails.fundMinimumSubsequentPurchase:s
        contractDetails.fundBlueSkyStates:s contractDetails.fundBlueSkyTerritories:s
        contractDetails.fundDistributionPolicyIndicator:s contractDetails.fundAssetType:s
    ))
    @186..(contractDetails.ineligibilityReasonList*(id:s description:s))
"""

MESSAGES = (
    Row(REQUEST, 9, "reqContractDetails", 205, _REQUEST, "reqId:i contract:Contract"),
    Row(REPLY, 10, "contractDetails", 205, _DETAILS, "reqId:i contract:Contract contractDetails:ContractDetails"),
    Row(REPLY, 52, "contractDetailsEnd", 205, "=1 reqId:i", "reqId:i"),
)
