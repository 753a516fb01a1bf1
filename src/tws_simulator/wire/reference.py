"""What a gateway knows apart from prices: option chains, matching symbols, price rules, venues, user and settings."""

from tws_simulator.wire.row import REPLY, REQUEST, Row

_NEWS, _REST, _LAST = 209, 212, 213
_CONTRACT_CANCELS, _SETTINGS, _SETTINGS_CHANGES = 215, 219, 221

_SAMPLES = """
    reqId:i contractDescriptions*(
        contract.conId:i=0 contract.symbol:s contract.secType:s contract.primaryExch:s contract.currency:s
        derivativeSecTypes*:s contract.description:s@176.. contract.issuerId:s@176..
    )
"""

MESSAGES = (
    Row(
        REQUEST,
        78,
        "reqSecDefOptParams",
        _REST,
        "reqId:i underlyingSymbol:s futFopExchange:s underlyingSecType:s underlyingConId:i=0",
        "reqId:i underlyingSymbol:s futFopExchange:s underlyingSecType:s underlyingConId:i",
    ),
    Row(REQUEST, 79, "reqSoftDollarTiers", _REST, "reqId:i", "reqId:i"),
    Row(REQUEST, 80, "reqFamilyCodes", _REST, "", ""),
    Row(REQUEST, 81, "reqMatchingSymbols", _REST, "reqId:i pattern:s", "reqId:i pattern:s"),
    Row(REQUEST, 82, "reqMktDepthExchanges", _LAST, "", ""),
    Row(REQUEST, 83, "reqSmartComponents", _REST, "reqId:i bboExchange:s", "reqId:i bboExchange:s"),
    Row(REQUEST, 85, "reqNewsProviders", _NEWS, "", ""),
    Row(REQUEST, 91, "reqMarketRule", _REST, "marketRuleId:i=0", "marketRuleId:i"),
    Row(REQUEST, 104, "reqUserInfo", _REST, "reqId:i", "reqId:i"),
    Row(REQUEST, 106, "cancelContractData", _CONTRACT_CANCELS, None, "reqId:i"),
    Row(REQUEST, 108, "reqConfig", _SETTINGS, None, "reqId:i"),
    Row(
        REQUEST,
        109,
        "updateConfig",
        _SETTINGS_CHANGES,
        None,
        """
        reqId:i lockAndExit:LockAndExitConfig messages:[MessageConfig] api:ApiConfig orders:OrdersConfig
        acceptedWarnings:[UpdateConfigWarning] resetAPIOrderSequence:b
        """,
    ),
    Row(
        REPLY,
        75,
        "securityDefinitionOptionParameter",
        _REST,
        "reqId:i exchange:s underlyingConId:i=0 tradingClass:s multiplier:s expirations*:s strikes*:n",
        "reqId:i exchange:s underlyingConId:i tradingClass:s multiplier:s expirations:[s] strikes:[f]",
    ),
    Row(REPLY, 76, "securityDefinitionOptionParameterEnd", _REST, "reqId:i", "reqId:i"),
    Row(
        REPLY,
        77,
        "softDollarTiers",
        _REST,
        "reqId:i softDollarTiers*(name:s value:s displayName:s)",
        "reqId:i softDollarTiers:[SoftDollarTier]",
    ),
    Row(REPLY, 78, "familyCodes", _REST, "familyCodes*(accountId:s familyCode:s)", "familyCodes:[FamilyCode]"),
    Row(REPLY, 79, "symbolSamples", _REST, _SAMPLES, "reqId:i contractDescriptions:[ContractDescription]"),
    Row(
        REPLY,
        80,
        "mktDepthExchanges",
        _LAST,
        "depthMarketDataDescriptions*(exchange:s secType:s listingExch:s serviceDataType:s aggGroup:i!)",
        "depthMarketDataDescriptions:[DepthMarketDataDescription]",
    ),
    Row(
        REPLY,
        82,
        "smartComponents",
        _REST,
        "reqId:i smartComponents*(bitNumber:i=0 exchange:s exchangeLetter:s)",
        "reqId:i smartComponents:[SmartComponent]",
    ),
    Row(
        REPLY,
        85,
        "newsProviders",
        _NEWS,
        "newsProviders*(providerCode:s providerName:s)",
        "newsProviders:[NewsProvider]",
    ),
    Row(
        REPLY,
        93,
        "marketRule",
        _REST,
        "marketRuleId:i=0 priceIncrements*(lowEdge:n=0 increment:n=0)",
        "marketRuleId:i priceIncrements:[PriceIncrement]",
    ),
    Row(REPLY, 107, "userInfo", _REST, "reqId:i whiteBrandingId:s", "reqId:i whiteBrandingId:s"),
    Row(
        REPLY,
        110,
        "configResponse",
        _SETTINGS,
        None,
        "reqId:i lockAndExit:LockAndExitConfig messages:[MessageConfig] api:ApiConfig orders:OrdersConfig",
    ),
    Row(
        REPLY,
        111,
        "updateConfigResponse",
        _SETTINGS_CHANGES,
        None,
        "reqId:i status:s message:s changedFields:[s] errors:[s] warnings:[UpdateConfigWarning]",
    ),
)
