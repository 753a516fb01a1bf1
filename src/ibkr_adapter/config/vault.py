"""How Vault is reached: over TLS unless it is on this machine, as ourselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from ibkr_adapter.config.model import Vault, VaultAuth, is_loopback
from ibkr_adapter.config.places import path_of
from ibkr_adapter.config.secrets import Reference, Source
from ibkr_adapter.errors import ConfigurationError

_MOUNT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./-]{0,99}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_./-]{0,200}")


def vault_of(vault: Vault, base: Path, allow_plaintext: Sequence[str]) -> Vault:
    for name in ("role_id", "secret_id", "token"):
        if getattr(vault, name).source is Source.VAULT:
            raise ConfigurationError(
                f"vault.{name}", "Vault cannot hold the key to itself", remedy='as "env:NAME" or "file:/path"'
            )
    if not vault.url:
        return vault
    _check_url(vault.url, allow_plaintext)
    for name in ("role_id", "secret_id") if vault.auth is VaultAuth.APPROLE else ("token",):
        given: Reference = getattr(vault, name)
        if not given:
            raise ConfigurationError(
                f"vault.{name}", f'missing, and auth = "{vault.auth}" needs it', remedy='as "file:/path"'
            )
    if not _MOUNT.fullmatch(vault.mount) or ".." in vault.mount:
        raise ConfigurationError("vault.mount", "not where a secrets engine is mounted", remedy='usually "secret"')
    if not _NAMESPACE.fullmatch(vault.namespace):
        raise ConfigurationError("vault.namespace", "not a namespace", remedy="leave it empty without Enterprise")
    if not 0 < vault.timeout_s <= 60:
        raise ConfigurationError("vault.timeout_s", "must be above 0 and at most 60 seconds", remedy="5 is usual")
    if not 60 <= vault.ttl_s <= 7 * 86_400:
        raise ConfigurationError("vault.ttl_s", "must be from 60 seconds to a week", remedy="3600 is usual")
    return replace(vault, ca=str(path_of("vault.ca", vault.ca, base))) if vault.ca else vault


def _check_url(url: str, allow_plaintext: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
        plain = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
        _ = parts.port
    except ValueError:
        usable = plain = False
    if not usable or not plain:
        raise ConfigurationError("vault.url", "not an address alone", remedy='as "https://vault.desk:8200"')
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host) and host not in allow_plaintext:
        raise ConfigurationError(
            "vault.url",
            f"{host} is not this machine and http is not encrypted",
            remedy=f'use https, or set allow_plaintext = ["{host}"]',
        )
