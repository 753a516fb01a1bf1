"""Contracts, chains, rules and exchanges, as ib_async and ib_insync see them."""

from __future__ import annotations

import pytest

from tests.conformance.other_clients import OtherClient

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])


@every_version
async def test_details_describe_a_stock(client: OtherClient) -> None:
    """One listing for a symbol on SMART, with the names and hours that IB gives."""
    (details,) = await client.within(client.ib.reqContractDetailsAsync(client.stock_by_name("AAPL")))
    contract = details.contract
    assert (contract.conId, contract.symbol, contract.secType, contract.currency) == (265598, "AAPL", "STK", "USD")
    assert (contract.exchange, contract.primaryExchange, contract.tradingClass) == ("SMART", "NASDAQ", "NMS")
    assert (details.longName, details.minTick, details.timeZoneId) == ("APPLE INC", 0.01, "US/Eastern")
    assert "SMART" in details.validExchanges.split(",")
    assert {"LMT", "MKT"} <= set(details.orderTypes.split(","))
    assert len(details.marketRuleIds.split(",")) == len(details.validExchanges.split(","))
    assert details.stockType == "COMMON"


async def test_trading_hours_can_be_read_as_sessions(client: OtherClient) -> None:
    """Some days of sessions, those in regular hours from half past nine to four."""
    (details,) = await client.within(client.ib.reqContractDetailsAsync(client.stock_by_name("AAPL")))
    assert details.tradingHours
    regular = [day for day in details.liquidHours.split(";") if "CLOSED" not in day]
    assert regular[0].startswith("20261123:0930-20261123:1600")
    if hasattr(details, "liquidSessions"):
        sessions = details.liquidSessions()
        assert all(session.start < session.end for session in sessions)
        assert (sessions[0].start.hour, sessions[0].start.minute) == (9, 30)


@every_version
async def test_an_unknown_symbol_has_no_details(client: OtherClient) -> None:
    """200, and no details; the client takes the error for the end of the request."""
    assert await client.within(client.ib.reqContractDetailsAsync(client.stock_by_name("NOSUCH"))) == []
    _, _, text = await client.told(200)
    assert text == "No security definition has been found for the request"


async def test_a_contract_id_is_enough(client: OtherClient) -> None:
    """What is missing in the contract is filled in by its id."""
    (contract,) = await client.within(client.ib.qualifyContractsAsync(client.api.Contract(conId=756733)))
    assert (contract.symbol, contract.secType, contract.currency, contract.exchange) == ("SPY", "STK", "USD", "SMART")


async def test_symbols_are_found_by_their_beginning(client: OtherClient) -> None:
    """Stocks with their primary exchange, and what derivatives there are."""
    found = await client.within(client.ib.reqMatchingSymbolsAsync("AAP"))
    (apple,) = [each for each in found if each.contract.conId == 265598]
    assert (apple.contract.symbol, apple.contract.secType, apple.contract.currency) == ("AAPL", "STK", "USD")
    assert apple.contract.primaryExchange.startswith("NASDAQ")
    assert "OPT" in apple.derivativeSecTypes


async def test_a_market_rule_tells_price_steps(client: OtherClient) -> None:
    """From price 0 on, rising, as named in the details of the contract."""
    (details,) = await client.within(client.ib.reqContractDetailsAsync(client.stock_by_name("AAPL")))
    rule_id = int(details.marketRuleIds.split(",")[0])
    steps = await client.within(client.ib.reqMarketRuleAsync(rule_id))
    assert steps is not None, "no answer within the second the client gives"
    assert steps[0].lowEdge == 0
    assert [step.lowEdge for step in steps] == sorted(step.lowEdge for step in steps)
    assert all(step.increment > 0 for step in steps)


async def test_smart_components_are_named_by_letters(client: OtherClient) -> None:
    """For the exchange map that the quote named; each letter once."""
    ticker = client.ib.reqMktData(client.stock("AAPL"))
    await client.until(lambda: ticker.bboExchange)
    components = await client.within(client.ib.reqSmartComponentsAsync(ticker.bboExchange))
    letters = {each.exchange: each.exchangeLetter for each in components}
    assert letters["NASDAQ"] == "Q"
    assert letters["ARCA"] == "P"
    assert len(set(letters.values())) == len(components)


async def test_exchanges_with_depth_are_listed(client: OtherClient) -> None:
    """Each with the kind of securities and the service that its depth comes by."""
    listed = await client.within(client.ib.reqMktDepthExchangesAsync())
    stocks = {each.exchange for each in listed if each.secType == "STK"}
    assert {"NASDAQ", "ARCA", "BATS"} & stocks
    assert {each.serviceDataType for each in listed} <= {"Deep", "Deep2"}


async def _chain(client: OtherClient, symbol: str = "AAPL"):
    underlying = await client.qualified(symbol)
    chains = await client.within(
        client.ib.reqSecDefOptParamsAsync(underlying.symbol, "", underlying.secType, underlying.conId)
    )
    (smart,) = [each for each in chains if each.exchange == "SMART" and each.tradingClass == symbol]
    return underlying, smart


async def test_an_option_chain_spans_the_price(client: OtherClient) -> None:
    """Expirations and strikes of each exchange and class, strikes below and above the stock."""
    underlying, chain = await _chain(client)
    price = client.price(underlying.conId)
    assert int(chain.underlyingConId) == underlying.conId
    assert chain.multiplier == "100"
    assert chain.expirations == sorted(chain.expirations)
    assert all(len(each) == 8 and each.isdigit() for each in chain.expirations)
    assert chain.strikes == sorted(chain.strikes)
    assert chain.strikes[0] < price < chain.strikes[-1]


async def test_an_option_has_details(client: OtherClient) -> None:
    """Class, multiplier, expiry, right and strike, and the stock beneath."""
    underlying, chain = await _chain(client)
    strike = min(chain.strikes, key=lambda each: abs(each - client.price(underlying.conId)))
    wanted = client.api.Option("AAPL", chain.expirations[0], strike, "C", "SMART", currency="USD")
    (details,) = await client.within(client.ib.reqContractDetailsAsync(wanted))
    contract = details.contract
    assert contract.conId not in (0, underlying.conId)
    assert (contract.secType, contract.right, contract.strike, contract.multiplier) == ("OPT", "C", strike, "100")
    assert contract.lastTradeDateOrContractMonth == chain.expirations[0]
    assert contract.tradingClass == "AAPL"
    assert (details.underConId, details.underSymbol) == (underlying.conId, "AAPL")
    assert contract.localSymbol == f"AAPL  {chain.expirations[0][2:]}C{round(strike * 1000):08d}"


async def test_the_options_of_one_expiry_are_all_listed(client: OtherClient) -> None:
    """One details message for each strike, when the strike is left open."""
    _, chain = await _chain(client)
    wanted = client.api.Option("AAPL", chain.expirations[0], 0.0, "P", "SMART", currency="USD")
    found = await client.within(client.ib.reqContractDetailsAsync(wanted))
    assert len(found) > 5
    strikes = {each.contract.strike for each in found}
    assert strikes <= set(chain.strikes)
    assert {each.contract.right for each in found} == {"P"}
