"""Orders: requests to place, cancel and list them, and what is told of each.

The order layouts of IB are long and irregular; `openOrder` and `completedOrder` list nearly the same
fields in nearly the same order, each with gaps of its own.
"""

from tws_simulator.wire.fragments import CONTRACT, ORDERED_CONTRACT
from tws_simulator.wire.row import REPLY, REQUEST, Row

_CONDITIONS = """
    order.conditions*(
        type:i isConjunctionConnection:c
        ?type=1(isMore:b=0 price:f conId:i exchange:s triggerMethod:i=0)
        ?type=3(isMore:b=0 time:s)
        ?type=4(isMore:b=0 percent:i)
        ?type=5(secType:s exchange:s symbol:s)
        ?type=6(isMore:b=0 volume:i conId:i exchange:s)
        ?type=7(isMore:b=0 changePercent:f conId:i exchange:s)
    )
    ?order.conditions(order.conditionsIgnoreRth:b=0 order.conditionsCancelOrder:b=0)
"""

_PEGGED_TO_BENCHMARK = """
    ?order.orderType=PEGBENCH|PEG_BENCH(
        order.referenceContractId:i=0 order.isPeggedChangeAmountDecrease:b=0 order.peggedChangeAmount:f=0.0
        order.referenceChangeAmount:f=0.0 order.referenceExchangeId:s
    )
"""

_SCALE = """
    order.scaleInitLevelSize:i! order.scaleSubsLevelSize:i! order.scalePriceIncrement:f
    ?order.scalePriceIncrement(
        order.scalePriceAdjustValue:f order.scalePriceAdjustInterval:i order.scaleProfitOffset:f
        order.scaleAutoReset:b=0 order.scaleInitPosition:i order.scaleInitFillQty:i order.scaleRandomPercent:b=0
    )
"""

_PLACE = f"""
    orderId:i {CONTRACT} contract.secIdType:s contract.secId:s
    order.action:s order.totalQuantity:d order.orderType:s order.lmtPrice:n order.auxPrice:n order.tif:s
    order.ocaGroup:s order.account:s order.openClose:s order.origin:i=0 order.orderRef:s order.transmit:b=1
    order.parentId:i=0
    order.blockOrder:b=0 order.sweepToFill:b=0 order.displaySize:i order.triggerMethod:i=0 order.outsideRth:b=0
    order.hidden:b=0
    ?contract.secType=BAG(
        contract.comboLegs*(
            conId:i ratio:i action:s exchange:s openClose:i=0 shortSalesSlot:i=0 designatedLocation:s exemptCode:i=-1
        )
        contract.comboLegs+perLegPrice:f
        order.smartComboRoutingParams%
    )
    = order.discretionaryAmt:f=0.0 order.goodAfterTime:s order.goodTillDate:s order.faGroup:s order.faMethod:s
    order.faPercentage:s =@..176 order.modelCode:s order.shortSaleSlot:i=0 order.designatedLocation:s
    order.exemptCode:i=-1 order.ocaType:i=0 order.rule80A:s order.settlingFirm:s order.allOrNone:b=0 order.minQty:i
    order.percentOffset:f =0 =0 = order.auctionStrategy:i=0 order.startingPrice:f order.stockRefPrice:f order.delta:f
    order.stockRangeLower:f order.stockRangeUpper:f order.overridePercentageConstraints:b=0 order.volatility:f
    order.volatilityType:i order.deltaNeutralOrderType:s order.deltaNeutralAuxPrice:f
    ?order.deltaNeutralOrderType(
        order.deltaNeutralConId:i=0 order.deltaNeutralSettlingFirm:s order.deltaNeutralClearingAccount:s
        order.deltaNeutralClearingIntent:s order.deltaNeutralOpenClose:s order.deltaNeutralShortSale:b=0
        order.deltaNeutralShortSaleSlot:i=0 order.deltaNeutralDesignatedLocation:s
    )
    order.continuousUpdate:b=0 order.referencePriceType:i order.trailStopPrice:n order.trailingPercent:f
    {_SCALE.replace("!", "")}
    order.scaleTable:s order.activeStartTime:s order.activeStopTime:s
    order.hedgeType:s ?order.hedgeType(order.hedgeParam:s) order.optOutSmartRouting:b=0 order.clearingAccount:s
    order.clearingIntent:s order.notHeld:b=0
    contract.deltaNeutralContract&(conId:i delta:f price:f)
    order.algoStrategy:s ?order.algoStrategy(order.algoParams%) order.algoId:s order.whatIf:b=0 order.orderMiscOptions:o
    order.solicited:b=0 order.randomizeSize:b=0 order.randomizePrice:b=0
    {_PEGGED_TO_BENCHMARK} {_CONDITIONS}
    order.adjustedOrderType:s order.triggerPrice:f! order.lmtPriceOffset:f! order.adjustedStopPrice:f!
    order.adjustedStopLimitPrice:f! order.adjustedTrailingAmount:f! order.adjustableTrailingUnit:i=0 order.extOperator:s
    order.softDollarTier.name:s order.softDollarTier.value:s order.cashQty:f! order.mifid2DecisionMaker:s
    order.mifid2DecisionAlgo:s order.mifid2ExecutionTrader:s order.mifid2ExecutionAlgo:s
    order.dontUseAutoPriceForHedge:b=0 order.isOmsContainer:b=0 order.discretionaryUpToLimitPrice:b=0
    order.usePriceMgmtAlgo:i order.duration:i!@158.. order.postToAts:i!@160.. order.autoCancelParent:b=0@162..
    order.advancedErrorOverride:s@166.. order.manualOrderTime:s@169..
    @170..(
        ?contract.exchange=IBKRATS(order.minTradeQty:i)
        ?order.orderType=PEGBEST|PEG_BEST(
            order.minCompeteSize:i order.competeAgainstBestOffset:x
            ?order.competeAgainstBestOffset=inf(order.midOffsetAtWhole:f order.midOffsetAtHalf:f)
        )
        ?order.orderType=PEGMID|PEG_MID(order.midOffsetAtWhole:f order.midOffsetAtHalf:f)
    )
    order.customerAccount:s@183.. order.professionalCustomer:b=0@184.. @187..189(= =2147483647)
    order.includeOvernight:b=0@189.. order.manualOrderIndicator:i!@192.. order.imbalanceOnly:b=0@199..
"""

# Between 187 and 189 a cancel carried three fields for requests for quotes, and then no more.
_CANCEL = """
    =1@..191 orderId:i orderCancel.manualOrderCancelTime:s@169.. @187..189(= = =2147483647)
    orderCancel.extOperator:s@192.. orderCancel.manualOrderIndicator:i!@192..
"""

_FA = "order.faGroup:s order.faMethod:s order.faPercentage:s =@..176"

_VOLATILITY_HEAD = (
    "order.volatility:f order.volatilityType:i=0 order.deltaNeutralOrderType:s order.deltaNeutralAuxPrice:f"
)

_LEGS = """
    contract.comboLegsDescrip:s
    contract.comboLegs*(
        conId:i ratio:i action:s exchange:s openClose:i=0 shortSalesSlot:i=0 designatedLocation:s exemptCode:i=-1
    )
    contract.comboLegs+perLegPrice:f order.smartComboRoutingParams%
"""

_ALGORITHM = "order.algoStrategy:s ?order.algoStrategy(order.algoParams%) order.solicited:b=0"

_MARGINS = " ".join(
    f"orderState.{measure}{moment}:f!"
    for moment in ("Before", "Change", "After")
    for measure in ("initMargin", "maintMargin", "equityWithLoan")
)
_MARGINS_OUTSIDE_HOURS = " ".join(name.replace(":f!", "OutsideRTH:f!") for name in _MARGINS.split())

_PEG_OFFSETS = """
    order.minTradeQty:i order.minCompeteSize:i order.competeAgainstBestOffset:x order.midOffsetAtWhole:f
    order.midOffsetAtHalf:f
"""

_OPEN = f"""
    orderId:i {ORDERED_CONTRACT}
    order.action:s order.totalQuantity:d order.orderType:s order.lmtPrice:f=0.0 order.auxPrice:f=0.0 order.tif:s
    order.ocaGroup:s order.account:s order.openClose:s order.origin:i=0 order.orderRef:s order.clientId:i=0
    order.permId:i=0 order.outsideRth:b=0 order.hidden:b=0 order.discretionaryAmt:n=0 order.goodAfterTime:s
    order.sharesAllocation:s {_FA} order.modelCode:s order.goodTillDate:s order.rule80A:s order.percentOffset:f
    order.settlingFirm:s order.shortSaleSlot:i=0 order.designatedLocation:s order.exemptCode:i=-1
    order.auctionStrategy:i=0 order.startingPrice:f order.stockRefPrice:f order.delta:f order.stockRangeLower:f
    order.stockRangeUpper:f order.displaySize:i! order.blockOrder:b=0 order.sweepToFill:b=0 order.allOrNone:b=0
    order.minQty:i order.ocaType:i=3 =0 =0 = order.parentId:i=0 order.triggerMethod:i=0 {_VOLATILITY_HEAD}
    ?order.deltaNeutralOrderType(
        order.deltaNeutralConId:i=0 order.deltaNeutralSettlingFirm:s order.deltaNeutralClearingAccount:s
        order.deltaNeutralClearingIntent:s order.deltaNeutralOpenClose:s=? order.deltaNeutralShortSale:b=0
        order.deltaNeutralShortSaleSlot:i=0 order.deltaNeutralDesignatedLocation:s
    )
    order.continuousUpdate:b=0 order.referencePriceType:i=0
    ?order.orderType=TRAIL|TRAIL_LIMIT(order.trailStopPrice:f) ?!order.orderType=TRAIL|TRAIL_LIMIT(=)
    order.trailingPercent:f order.basisPoints:f order.basisPointsType:i {_LEGS} {_SCALE}
    order.hedgeType:s ?order.hedgeType(order.hedgeParam:s) order.optOutSmartRouting:b=0 order.clearingAccount:s
    order.clearingIntent:s order.notHeld:b=0 contract.deltaNeutralContract&(conId:i delta:f price:f) {_ALGORITHM}
    order.whatIf:b=0 orderState.status:s {_MARGINS} orderState.commissionAndFees:f orderState.minCommissionAndFees:f
    orderState.maxCommissionAndFees:f orderState.commissionAndFeesCurrency:s
    @195..(
        orderState.marginCurrency:s {_MARGINS_OUTSIDE_HOURS} orderState.suggestedSize:d! orderState.rejectReason:s
        orderState.orderAllocations*(
            account:s position:d positionDesired:d positionAfter:d desiredAllocQty:d allowedAllocQty:d isMonetary:b=0
        )
    )
    orderState.warningText:s order.randomizeSize:b=0 order.randomizePrice:b=0 {_PEGGED_TO_BENCHMARK} {_CONDITIONS}
    order.adjustedOrderType:s=None order.triggerPrice:f! order.trailStopPrice:f! order.lmtPriceOffset:f!
    order.adjustedStopPrice:f! order.adjustedStopLimitPrice:f! order.adjustedTrailingAmount:f!
    order.adjustableTrailingUnit:i=0 order.softDollarTier.name:s order.softDollarTier.value:s
    order.softDollarTier.displayName:s order.cashQty:n=0 order.dontUseAutoPriceForHedge:b=1 order.isOmsContainer:b=0
    order.discretionaryUpToLimitPrice:b=0 order.usePriceMgmtAlgo:i=0 order.duration:i@158.. order.postToAts:i@160..
    order.autoCancelParent:b=0@162.. @170..({_PEG_OFFSETS}) order.customerAccount:s@183..
    order.professionalCustomer:b=0@184.. order.bondAccruedInterest:s@185..
    order.includeOvernight:b=0@189.. order.extOperator:s@193.. order.manualOrderIndicator:i!@193..
    order.submitter:s@198.. order.imbalanceOnly:b=0@199..
"""

_COMPLETED = f"""
    {ORDERED_CONTRACT}
    order.action:s order.totalQuantity:d order.orderType:s order.lmtPrice:f=0.0 order.auxPrice:f=0.0 order.tif:s
    order.ocaGroup:s order.account:s order.openClose:s order.origin:i=0 order.orderRef:s order.permId:i=0
    order.outsideRth:b=0 order.hidden:b=0 order.discretionaryAmt:n=0 order.goodAfterTime:s {_FA} order.modelCode:s
    order.goodTillDate:s order.rule80A:s order.percentOffset:f order.settlingFirm:s order.shortSaleSlot:i=0
    order.designatedLocation:s order.exemptCode:i=-1 order.startingPrice:f order.stockRefPrice:f order.delta:f
    order.stockRangeLower:f order.stockRangeUpper:f order.displaySize:i! order.sweepToFill:b=0 order.allOrNone:b=0
    order.minQty:i order.ocaType:i=3 order.triggerMethod:i=0 {_VOLATILITY_HEAD}
    ?order.deltaNeutralOrderType(
        order.deltaNeutralConId:i=0 order.deltaNeutralShortSale:b=0 order.deltaNeutralShortSaleSlot:i=0
        order.deltaNeutralDesignatedLocation:s
    )
    order.continuousUpdate:b=0 order.referencePriceType:i=0 order.trailStopPrice:f order.trailingPercent:f
    {_LEGS} {_SCALE} order.hedgeType:s ?order.hedgeType(order.hedgeParam:s) order.clearingAccount:s
    order.clearingIntent:s
    order.notHeld:b=0 contract.deltaNeutralContract&(conId:i delta:f price:f) {_ALGORITHM} orderState.status:s
    order.randomizeSize:b=0 order.randomizePrice:b=0 {_PEGGED_TO_BENCHMARK} {_CONDITIONS}
    order.trailStopPrice:f! order.lmtPriceOffset:f! order.cashQty:n=0 order.dontUseAutoPriceForHedge:b=1
    order.isOmsContainer:b=0 order.autoCancelDate:s order.filledQuantity:d=0 order.refFuturesConId:i!
    order.autoCancelParent:b=0 order.shareholder:s order.imbalanceOnly:b=0 order.routeMarketableToBbo:i=0
    order.parentPermId:i=9223372036854775807 orderState.completedTime:s orderState.completedStatus:s
    @170..({_PEG_OFFSETS}) order.customerAccount:s@183.. order.professionalCustomer:b=0@184.. order.submitter:s@198..
"""

_STATUS = """
    orderId:i status:s filled:d=0 remaining:d=0 avgFillPrice:n=0 permId:i=0 parentId:i=0 lastFillPrice:n=0 clientId:i=0
    whyHeld:s mktCapPrice:n=0
"""

MESSAGES = (
    Row(
        REQUEST,
        3,
        "placeOrder",
        203,
        _PLACE,
        "orderId:i contract:Contract order:Order attachedOrders:AttachedOrders",
    ),
    Row(REQUEST, 4, "cancelOrder", 203, _CANCEL, "orderId:i orderCancel:OrderCancel"),
    Row(
        REQUEST,
        58,
        "reqGlobalCancel",
        203,
        "=1@..191 orderCancel.extOperator:s@192.. orderCancel.manualOrderIndicator:i!@192..",
        "orderCancel:OrderCancel",
    ),
    Row(REQUEST, 5, "reqOpenOrders", 204, "=1", ""),
    Row(REQUEST, 16, "reqAllOpenOrders", 204, "=1", ""),
    Row(REQUEST, 15, "reqAutoOpenOrders", 204, "=1 autoBind:b=0", "autoBind:b"),
    Row(REQUEST, 99, "reqCompletedOrders", 204, "apiOnly:b=0", "apiOnly:b"),
    Row(REPLY, 5, "openOrder", 203, _OPEN, "orderId:i contract:Contract order:Order orderState:OrderState"),
    Row(
        REPLY,
        3,
        "orderStatus",
        203,
        _STATUS,
        """orderId:i status:s filled:d remaining:d avgFillPrice:f permId:i parentId:i lastFillPrice:f clientId:i
        whyHeld:s mktCapPrice:f""",
    ),
    Row(REPLY, 53, "openOrderEnd", 203, "=1", ""),
    Row(REPLY, 101, "completedOrder", 204, _COMPLETED, "contract:Contract order:Order orderState:OrderState"),
    Row(REPLY, 102, "completedOrdersEnd", 204, "", ""),
    Row(REPLY, 100, "orderBound", 203, "permId:i clientId:i orderId:i", "permId:i clientId:i orderId:i"),
)
