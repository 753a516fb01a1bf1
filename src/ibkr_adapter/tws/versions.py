"""Which official client is installed, and all that differs between its releases.

The same four callbacks and requests that changed most in the past are equal in every supported release: ``error`` has
five arguments, ``cancelOrder`` takes an ``OrderCancel``, fees arrive in ``commissionAndFeesReport``, requests know
protobuf by ``useProtoBuf``. What still differs is here.

- 10.37.2 fails to encode an order for a contract with a primary exchange on server versions above 200 (it names a
  protobuf field that does not exist), so it is never offered more. It therefore never speaks protobuf at all.
- 10.45.1 compares with a server version of ``None`` when a request comes before the handshake; we never ask so early.
- From 10.49 on the package is GPL-3.0-or-later; before, it is under Interactive Brokers' own licence.
"""

from __future__ import annotations

import importlib
import re
from importlib import metadata

from msgspec import Struct

from ibkr_adapter.errors import PackageError

OLDEST = (10, 37, 2)
TESTED = ((10, 37, 2), (10, 45, 1), (10, 50, 2), (10, 51, 1))

_TEXT_ONLY_BEFORE = (10, 43, 0)
_TEXT_ONLY_SERVER_VERSION_MAX = 200
_FREE_SINCE = (10, 49, 0)

_CHANNELS = {"ibapi-stable": "stable", "ibapi-latest": "latest"}
_REMEDY = "install ibapi-stable 10.50.2, and no other package that provides the module ibapi"


class Package(Struct, frozen=True, kw_only=True):
    """The official client as installed. ``server_version_max`` is the highest we offer with it."""

    distribution: str
    version: tuple[int, ...]
    channel: str
    licence: str
    server_version_max: int

    @property
    def tested(self) -> bool:
        return self.version in TESTED

    def __str__(self) -> str:
        version = ".".join(map(str, self.version))
        speaks = f"server versions to {self.server_version_max}"
        return f"{self.distribution} {version} ({self.channel}, {self.licence}, {speaks})"


def installed() -> Package:
    """What is installed; raises ``PackageError`` when it is missing, broken or too old."""
    try:
        module = importlib.import_module("ibapi")
        constants = importlib.import_module("ibapi.server_versions")
        importlib.import_module("google.protobuf")  # some republished packages leave this dependency out
    except ImportError as missing:
        raise PackageError(f"the official client cannot be imported: {missing}", remedy=_REMEDY) from missing
    version = _version(module.get_version_string())
    if version < OLDEST:
        found = ".".join(map(str, version))
        raise PackageError(f"the official client is {found}, at least 10.37.2 is needed", remedy=_REMEDY)
    distribution = _distribution(version)
    return Package(
        distribution=distribution,
        version=version,
        channel=_CHANNELS.get(distribution, "unknown"),
        licence=licence(version),
        server_version_max=server_version_max(version, constants.MAX_CLIENT_VER),
    )


def server_version_max(version: tuple[int, ...], offered: int) -> int:
    """The highest server version at which this release encodes everything we send."""
    return min(offered, _TEXT_ONLY_SERVER_VERSION_MAX) if version < _TEXT_ONLY_BEFORE else offered


def licence(version: tuple[int, ...]) -> str:
    return "GPL-3.0-or-later" if version >= _FREE_SINCE else "IB API Non-Commercial or Commercial License"


def _version(text: str) -> tuple[int, ...]:
    """``10.50.02`` is 10.50.2: the module writes leading zeros, the package index does not."""
    numbers = re.findall(r"\d+", text)
    if not numbers:
        raise PackageError(f"the official client does not tell its version: {text!r}", remedy=_REMEDY)
    return tuple(map(int, numbers[:3]))


def _distribution(version: tuple[int, ...]) -> str:
    """The package that brought the module: of those present, the one with the module's own version."""
    present = [name for name in (*_CHANNELS, "ibapi") if _version_of(name) is not None]
    return next((name for name in present if _version_of(name) == version), present[0] if present else "unpackaged")


def _version_of(distribution: str) -> tuple[int, ...] | None:
    try:
        return _version(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return None
