"""One TOML file becomes one frozen ``Config``; whatever cannot be used is a ``ConfigurationError`` that names its key.

Three steps: *read* (``tomllib``, sizes bounded), *type* (every key known, every value of its kind), *resolve*
(defaults, and the rules that keep a paper configuration away from a live account). Nothing is guessed where money is
concerned: live wants environment, full account number, live port and every limit said in words.
"""

from ibkr_adapter.config.defaults import DEFAULT_SYMBOLS, DEFAULT_TEMPLATE, PAPER_LIMITS, PRIMARY_EXCHANGES
from ibkr_adapter.config.model import (
    AccountKind,
    Capability,
    Component,
    Config,
    Environment,
    Gateway,
    Ha,
    Http,
    Limits,
    LogLevel,
    MarketData,
    Redis,
    Tls,
    Trading,
    Vault,
    VaultAuth,
    is_loopback,
    redact_url,
)
from ibkr_adapter.config.places import state_home
from ibkr_adapter.config.reading import load, parse, simulated
from ibkr_adapter.config.references import references
from ibkr_adapter.config.secrets import Reference, Secret, Source
from ibkr_adapter.config.showing import show

__all__ = [
    "DEFAULT_SYMBOLS",
    "DEFAULT_TEMPLATE",
    "PAPER_LIMITS",
    "PRIMARY_EXCHANGES",
    "AccountKind",
    "Capability",
    "Component",
    "Config",
    "Environment",
    "Gateway",
    "Ha",
    "Http",
    "Limits",
    "LogLevel",
    "MarketData",
    "Redis",
    "Reference",
    "Secret",
    "Source",
    "Tls",
    "Trading",
    "Vault",
    "VaultAuth",
    "is_loopback",
    "load",
    "parse",
    "redact_url",
    "references",
    "show",
    "simulated",
    "state_home",
]
