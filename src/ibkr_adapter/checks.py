"""What has to be true before anything starts; each error names its remedy."""

from __future__ import annotations

from importlib.util import find_spec

import structlog

from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.config import Config
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.tws import tls_files, versions

_log = structlog.get_logger()


def package(config: Config) -> versions.Package:
    """The official client that is installed, if this environment allows it."""
    found = versions.installed()
    allowed = config.active.packages
    version = ".".join(map(str, found.version))
    if allowed and version not in allowed:
        raise ConfigurationError(
            f"environments.{config.environment}.packages",
            f"the official client is {version}, not {' or '.join(allowed)}",
            remedy=f"pip install '{found.distribution}=={allowed[0]}'",
        )
    if not found.tested:
        _log.warning("package_not_tested", package=str(found))
    return found


def tls(config: Config, secrets: Secrets | None = None) -> list[str]:
    """Certificates and keys of the gateways in use can be used; what should be known of them, as text.

    Without ``secrets`` a locked key stays locked, and is not looked at.
    """
    return [
        warning
        for name in config.usable_gateways
        if (given := config.gateways[name].tls) is not None
        for warning in tls_files.check(
            given,
            f"gateways.{name}.tls",
            SystemClock().now_ns() / SECOND,
            secrets.passphrase(name) if secrets is not None else None,
        )
    ]


def extras(config: Config) -> None:
    """What the configuration asks for is installed."""
    if config.redis.url and find_spec("redis") is None:
        raise ConfigurationError(
            "redis", "the Redis client library is not installed", remedy="pip install 'ibkr-adapter[redis]'"
        )
