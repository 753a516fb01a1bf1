"""The service a trading desk runs beside Interactive Brokers' TWS or IB Gateway."""

__version__ = "0.1.0"
