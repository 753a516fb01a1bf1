"""The first configuration of a desk: the template with every default commented out, but for what was found."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ibkr_adapter.cli.search import Sighting
from ibkr_adapter.config import AccountKind, is_loopback, reading
from ibkr_adapter.config.defaults import DEFAULT_TEMPLATE
from ibkr_adapter.errors import ConfigurationError

CLIENT_ID: Final = 1
"""That of the template's component."""

_HEAD: Final = """\
# ibkr-adapter configuration, begun by `ibkr-adapter init`. What is not commented out was found or chosen then. A line
# that begins with # and no space shows a default: it means the same with and without its mark. Others are examples."""

_HEADER = re.compile(r"(# )?\[+(?P<table>[^\]]+)\]+")
_KEY = re.compile(r"(# )?(?P<key>[a-z_0-9]+) = ")

_NO_DEFAULTS_IF_LIVE: Final = "trading.limits"

Changes = Mapping[tuple[str, str], str]
"""Values as TOML writes them, by table and key."""


def text(sighting: Sighting, client_id: int) -> str:
    """What the file will say; it is loaded once to see that it can be."""
    environment = "production" if sighting.kind is AccountKind.LIVE else "development"
    written = _filled(environment, _changes(environment, sighting, client_id))
    reading.parse(written, "the new configuration")
    return written


def _changes(environment: str, sighting: Sighting, client_id: int) -> Changes:
    gateway = sighting.gateway
    changes = {("gateways.primary", "port"): str(gateway.port)}
    if environment == "production":
        changes["", "environment"] = '"production"'
        changes["environments.production", "account_kind"] = '"live"'
        changes["environments.production", "market_data"] = '"live-only"'
    if len(sighting.accounts) == 1:
        changes[f"environments.{environment}", "account"] = f'"{sighting.accounts[0]}"'
    if gateway.host != "127.0.0.1":
        changes["gateways.primary", "host"] = f'"{gateway.host}"'
    if not is_loopback(gateway.host):
        changes["", "allow_plaintext"] = f'["{gateway.host}"]'
    if sighting.kind is AccountKind.LIVE and not sighting.known_port:
        changes["gateways.primary", "kind"] = '"live"'
    if client_id != CLIENT_ID:
        changes["components.ibkr_adapter", "client_id"] = str(client_id)
    return changes


def _filled(environment: str, changes: Changes) -> str:
    """The template's own lines, each commented out unless it is changed or heads a table in which one is."""
    opened = {table for table, _ in changes}
    left = dict(changes)
    table, example = "", False
    lines = [_HEAD]
    for line in DEFAULT_TEMPLATE.replace("[environments.development]", f"[environments.{environment}]").split("\n")[1:]:
        if (header := _HEADER.match(line)) is not None:
            table = header["table"]
            example = environment == "production" and table == _NO_DEFAULTS_IF_LIVE
            lines.append(line if table in opened else _commented(line, example=example))
            continue
        key = _KEY.match(line)
        value = left.pop((table, key["key"]), None) if key is not None else None
        if value is not None and key is not None:
            lines.append(_assigned(line, key["key"], value))
        else:
            lines.append(_commented(line, example=example))
    assert not left, f"the template has no {left}"
    return "\n".join(lines)


def _commented(line: str, *, example: bool) -> str:
    return line if not line or line.startswith("#") else f"{'# ' if example else '#'}{line}"


def _assigned(line: str, key: str, value: str) -> str:
    _, mark, comment = line.removeprefix("# ").partition(" #")
    return f"{f'{key} = {value}':<31}{mark}{comment}"


def write(path: Path, written: str, *, replace: bool) -> None:
    """As a whole or not at all, readable by its owner alone; an existing file only with ``replace``."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            fresh.replace(path)
        else:
            os.link(fresh, path)
    except FileExistsError:
        raise exists(path) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()


def exists(path: Path) -> ConfigurationError:
    return ConfigurationError("", f"{path} exists already", remedy="--force replaces it, --output names another")
