"""Runs of text fields that several messages share."""

CONTRACT = """
    contract.conId:i=0 contract.symbol:s contract.secType:s contract.lastTradeDateOrContractMonth:s contract.strike:n
    contract.right:s contract.multiplier:n contract.exchange:s contract.primaryExch:s contract.currency:s
    contract.localSymbol:s contract.tradingClass:s
"""

# Positions and executions write a strike of a stock as "0.0", orders as "0" with right "?".
HELD_CONTRACT = """
    contract.conId:i=0 contract.symbol:s contract.secType:s contract.lastTradeDateOrContractMonth:s
    contract.strike:f=0.0 contract.right:s contract.multiplier:n contract.exchange:s contract.currency:s
    contract.localSymbol:s
    contract.tradingClass:s
"""
ORDERED_CONTRACT = HELD_CONTRACT.replace("strike:f=0.0", "strike:n=0").replace("right:s", "right:s=?")
