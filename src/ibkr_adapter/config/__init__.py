"""One TOML file becomes one frozen ``Config``; whatever cannot be used is a ``ConfigurationError`` that names its key.

Three steps: *read* (``tomllib``, sizes bounded), *type* (every key known, every value of its kind), *resolve*
(defaults, and the rules that keep a paper configuration away from a live account). Nothing is guessed where money is
concerned: live wants environment, full account number, live port and every limit said in words.

Here stands what a configuration is; ``config.reading`` reads one, ``config.showing`` writes it.
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
from ibkr_adapter.config.secrets import Reference, Secret, Source

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
    "redact_url",
]
