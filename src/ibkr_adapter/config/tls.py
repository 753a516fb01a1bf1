"""The TLS of a gateway, as the file says it; the certificates and keys it names are read where they are used."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from ibkr_adapter.config.model import Tls
from ibkr_adapter.config.places import path_of
from ibkr_adapter.config.typing import HOST, typed
from ibkr_adapter.errors import ConfigurationError

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def tls_of(table: object, path: str, base: Path) -> Tls:
    """``[gateways.X.tls]``, its paths counted from ``base``."""
    tls = typed(Tls, table, path)
    if bool(tls.ca) is tls.system_ca:
        raise ConfigurationError(
            f"{path}.ca",
            "and system_ca exclude each other" if tls.ca else "missing: nothing says whom to trust",
            remedy="the file with the authority that signed the tunnel's certificate; system_ca = true for public ones",
        )
    if bool(tls.certificate) is not bool(tls.key):
        given, missing = ("certificate", "key") if tls.certificate else ("key", "certificate")
        raise ConfigurationError(f"{path}.{missing}", f"missing, and {given} is given", remedy="give both, or neither")
    if tls.server_name and not HOST.fullmatch(tls.server_name):
        raise ConfigurationError(
            f"{path}.server_name", "not a host name or address", remedy="the name in the tunnel's certificate"
        )
    fingerprint = tls.fingerprint.replace(":", "").lower()
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise ConfigurationError(
            f"{path}.fingerprint",
            "not a SHA-256 fingerprint",
            remedy="64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256 -in FILE` prints them",
        )
    named = ((name, getattr(tls, name)) for name in ("ca", "certificate", "key"))
    files = {name: str(path_of(f"{path}.{name}", file, base)) for name, file in named if file}
    return replace(tls, fingerprint=fingerprint, **files)
