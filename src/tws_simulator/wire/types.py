"""The nested messages of the protobuf form, as schemas (see `protobuf`)."""

TYPES = {
    "Contract": """
        conId:i symbol:s secType:s lastTradeDateOrContractMonth:s strike:f right:s multiplier:n exchange:s
        primaryExch:s currency:s localSymbol:s tradingClass:s secIdType:s secId:s description:s issuerId:s
        deltaNeutralContract:DeltaNeutralContract includeExpired:b comboLegsDescrip:s comboLegs:[ComboLeg]
        lastTradeDate:s
    """,
    "DeltaNeutralContract": "conId:i delta:f price:f",
    "ComboLeg": """
        conId:i ratio:i action:s exchange:s openClose:i shortSalesSlot:i designatedLocation:s exemptCode:i
        perLegPrice:f
    """,
    "ContractDetails": """
        marketName:s minTick:d orderTypes:s validExchanges:s priceMagnifier:i underConId:i longName:s
        contractMonth:s industry:s category:s subcategory:s timeZoneId:s tradingHours:s liquidHours:s evRule:s
        evMultiplier:n secIdList:map aggGroup:i underSymbol:s underSecType:s marketRuleIds:s realExpirationDate:s
        stockType:s minSize:d sizeIncrement:d suggestedSizeIncrement:d fundName:s fundFamily:s fundType:s
        fundFrontLoad:s fundBackLoad:s fundBackLoadTimeInterval:s fundManagementFee:s fundClosed:b
        fundClosedForNewInvestors:b fundClosedForNewMoney:b fundNotifyAmount:s fundMinimumInitialPurchase:s
        fundMinimumSubsequentPurchase:s fundBlueSkyStates:s fundBlueSkyTerritories:s
        fundDistributionPolicyIndicator:s fundAssetType:s cusip:s issueDate:s ratings:s bondType:s coupon:f
        couponType:s convertible:b callable:b puttable:b descAppend:s nextOptionDate:s nextOptionType:s
        nextOptionPartial:b bondNotes:s ineligibilityReasonList:[IneligibilityReason] eventContract1:s
        eventContractDescription1:s eventContractDescription2:s minAlgoSize:d lastPricePrecision:s
        lastSizePrecision:s
        settlementMethod:s
    """,
    "IneligibilityReason": "id:s description:s",
    "ContractDescription": "contract:Contract derivativeSecTypes:[s]",
    "DepthMarketDataDescription": "exchange:s secType:s listingExch:s serviceDataType:s aggGroup:i",
    "FamilyCode": "accountId:s familyCode:s",
    "NewsProvider": "providerCode:s providerName:s",
    "PriceIncrement": "lowEdge:n increment:n",
    "SmartComponent": "bitNumber:i exchange:s exchangeLetter:s",
    "LockAndExitConfig": "autoLogoffTime:s autoLogoffPeriod:s autoLogoffType:s",
    "MessageConfig": "id:i title:s message:s defaultAction:s enabled:b",
    "ApiConfig": "precautions:ApiPrecautionsConfig settings:ApiSettingsConfig",
    "ApiPrecautionsConfig": """
        bypassOrderPrecautions:b bypassBondWarning:b bypassNegativeYieldConfirmation:b bypassCalledBondWarning:b
        bypassSameActionPairTradeWarning:b bypassFlaggedAccountsWarning:b bypassPriceBasedVolatilityWarning:b
        bypassRedirectOrderWarning:b bypassNoOverfillProtection:b bypassRouteMarketableToBBO:b
    """,
    "ApiSettingsConfig": """
        readOnlyApi:b totalQuantityForMutualFunds:b downloadOpenOrdersOnConnection:b includeVirtualFxPositions:b
        prepareDailyPnL:b sendStatusUpdatesForVolatilityOrders:b encodeApiMessages:s socketPort:i
        useNegativeAutoRange:b createApiMessageLogFile:b includeMarketDataInLogFile:b exposeTradingScheduleToApi:b
        splitInsuredDepositFromCashBalance:b sendZeroPositionsForTodayOnly:b letApiAccountRequestsSwitchSubscription:b
        useAccountGroupsWithAllocationMethods:b loggingLevel:s masterClientId:i bulkDataTimeout:i
        componentExchSeparator:s showForexDataIn1_10Pips:b allowForexTradingIn1_10Pips:b
        roundAccountValuesToNearestWholeNumber:b sendMarketDataInLotsForUsStocks:b showAdvancedOrderRejectInUi:b
        rejectMessagesAboveMaxRate:b maintainConnectionOnIncorrectFields:b compatibilityModeNasdaqStocks:b
        sendInstrumentTimezone:s sendForexDataInCompatibilityMode:b maintainAndResubmitOrdersOnReconnect:b
        historicalDataMaxSize:i autoReportNettingEventContractTrades:b optionExerciseRequestType:s allowLocalhostOnly:b
        trustedIPs:[s]
    """,
    "OrdersConfig": "smartRouting:OrdersSmartRoutingConfig",
    "OrdersSmartRoutingConfig": """
        seekPriceImprovement:b preOpenReroute:b doNotRouteToDarkPools:b defaultAlgorithm:s
    """,
    "UpdateConfigWarning": "messageId:i title:s message:s",
    "Execution": """
        orderId:i execId:s time:s acctNumber:s exchange:s side:s shares:d price:f permId:i clientId:i
        isLiquidation:b cumQty:d avgPrice:f orderRef:s evRule:s evMultiplier:n modelCode:s lastLiquidity:i
        isPriceRevisionPending:b submitter:s optExerciseOrLapseType:i
    """,
    "ExecutionFilter": """
        clientId:i acctCode:s time:s symbol:s secType:s exchange:s side:s lastNDays:i specificDates:[i]
    """,
    "OrderCancel": "manualOrderCancelTime:s extOperator:s manualOrderIndicator:i",
    "AttachedOrders": "slOrderId:i slOrderType:s ptOrderId:i ptOrderType:s",
    "SoftDollarTier": "name:s value:s displayName:s",
    "OrderCondition": """
        type:i isConjunctionConnection:b isMore:b conId:i exchange:s symbol:s secType:s percent:i changePercent:f
        price:f triggerMethod:i time:s volume:i
    """,
    "OrderAllocation": """
        account:s position:d positionDesired:d positionAfter:d desiredAllocQty:d allowedAllocQty:d isMonetary:b
    """,
    "OrderState": """
        status:s initMarginBefore:f maintMarginBefore:f equityWithLoanBefore:f initMarginChange:f
        maintMarginChange:f equityWithLoanChange:f initMarginAfter:f maintMarginAfter:f equityWithLoanAfter:f
        commissionAndFees:f minCommissionAndFees:f maxCommissionAndFees:f commissionAndFeesCurrency:s
        marginCurrency:s initMarginBeforeOutsideRTH:f maintMarginBeforeOutsideRTH:f equityWithLoanBeforeOutsideRTH:f
        initMarginChangeOutsideRTH:f maintMarginChangeOutsideRTH:f equityWithLoanChangeOutsideRTH:f
        initMarginAfterOutsideRTH:f maintMarginAfterOutsideRTH:f equityWithLoanAfterOutsideRTH:f suggestedSize:d
        rejectReason:s orderAllocations:[OrderAllocation] warningText:s completedTime:s completedStatus:s
    """,
    "Order": """
        clientId:i orderId:i permId:i parentId:i action:s totalQuantity:d displaySize:i orderType:s lmtPrice:f
        auxPrice:f tif:s account:s settlingFirm:s clearingAccount:s clearingIntent:s allOrNone:b blockOrder:b
        hidden:b outsideRth:b sweepToFill:b percentOffset:f trailingPercent:f trailStopPrice:f minQty:i
        goodAfterTime:s goodTillDate:s ocaGroup:s orderRef:s rule80A:s ocaType:i triggerMethod:i activeStartTime:s
        activeStopTime:s faGroup:s faMethod:s faPercentage:s volatility:f volatilityType:i continuousUpdate:b
        referencePriceType:i deltaNeutralOrderType:s deltaNeutralAuxPrice:f deltaNeutralConId:i
        deltaNeutralOpenClose:s deltaNeutralShortSale:b deltaNeutralShortSaleSlot:i deltaNeutralDesignatedLocation:s
        scaleInitLevelSize:i scaleSubsLevelSize:i scalePriceIncrement:f scalePriceAdjustValue:f
        scalePriceAdjustInterval:i scaleProfitOffset:f scaleAutoReset:b scaleInitPosition:i scaleInitFillQty:i
        scaleRandomPercent:b scaleTable:s hedgeType:s hedgeParam:s algoStrategy:s algoParams:map algoId:s
        smartComboRoutingParams:map whatIf:b transmit:b overridePercentageConstraints:b openClose:s origin:i
        shortSaleSlot:i designatedLocation:s exemptCode:i deltaNeutralSettlingFirm:s deltaNeutralClearingAccount:s
        deltaNeutralClearingIntent:s discretionaryAmt:f optOutSmartRouting:b startingPrice:f stockRefPrice:f delta:f
        stockRangeLower:f stockRangeUpper:f notHeld:b orderMiscOptions:map solicited:b randomizeSize:b
        randomizePrice:b referenceContractId:i peggedChangeAmount:f isPeggedChangeAmountDecrease:b
        referenceChangeAmount:f referenceExchangeId:s adjustedOrderType:s triggerPrice:f adjustedStopPrice:f
        adjustedStopLimitPrice:f adjustedTrailingAmount:f adjustableTrailingUnit:i lmtPriceOffset:f
        conditions:[OrderCondition] conditionsCancelOrder:b conditionsIgnoreRth:b modelCode:s extOperator:s
        softDollarTier:SoftDollarTier cashQty:f mifid2DecisionMaker:s mifid2DecisionAlgo:s mifid2ExecutionTrader:s
        mifid2ExecutionAlgo:s dontUseAutoPriceForHedge:b isOmsContainer:b discretionaryUpToLimitPrice:b
        autoCancelDate:s filledQuantity:d refFuturesConId:i autoCancelParent:b shareholder:s imbalanceOnly:b
        routeMarketableToBbo:i parentPermId:i usePriceMgmtAlgo:i duration:i postToAts:i advancedErrorOverride:s
        manualOrderTime:s minTradeQty:i minCompeteSize:i competeAgainstBestOffset:x midOffsetAtWhole:f
        midOffsetAtHalf:f customerAccount:s professionalCustomer:b bondAccruedInterest:s includeOvernight:b
        manualOrderIndicator:i submitter:s deactivate:b postOnly:b allowPreOpen:b ignoreOpenAuction:b
        seekPriceImprovement:i whatIfType:i hedgeMaxSize:i conditionsIncludeOvernight:b
    """,
    "MarketDepthData": "position:i operation:i side:i price:f size:d marketMaker:s isSmartDepth:b",
    "TickAttribLast": "pastLimit:b unreported:b",
    "TickAttribBidAsk": "bidPastLow:b askPastHigh:b",
    "HistoricalTick": "time:i price:f size:d",
    "HistoricalTickLast": "time:i tickAttribLast:TickAttribLast price:f size:d exchange:s specialConditions:s",
    "HistoricalTickBidAsk": "time:i tickAttribBidAsk:TickAttribBidAsk priceBid:f priceAsk:f sizeBid:d sizeAsk:d",
    "HistoricalDataBar": "date:s open:f high:f low:f close:f volume:d WAP:d barCount:i",
    "HistoricalSession": "startDateTime:s endDateTime:s refDate:s",
    "HistogramDataEntry": "price:f size:d",
}
