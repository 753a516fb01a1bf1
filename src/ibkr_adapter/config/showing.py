"""A configuration as text again."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibkr_adapter.config.model import Config, Gateway, Redis, Section
from ibkr_adapter.config.restarts import rows_of
from ibkr_adapter.config.secrets import Reference
from ibkr_adapter.config.typing import join
from ibkr_adapter.windows import Window


def show(config: Config) -> str:
    """The whole configuration as in force, TOML again; what the file did not say is marked ``# default``."""
    lines = [f"# {config.origin}, as in force; secrets are not shown"]
    lines += [f"# warning: {warning}" for warning in config.warnings]
    for name in ("environment", "component", "data_dir", "message_codes", "allow_plaintext"):
        lines.append(_line(config, "", name, getattr(config, name)))
    name = config.environment
    _show_table(lines, config, f"environments.{name}", config.active)
    for name, gateway in config.gateways.items():
        _show_table(lines, config, f"gateways.{name}", gateway)
        _show_windows(lines, config, f"gateways.{name}.windows", gateway.windows)
    for name, component in config.components.items():
        _show_table(lines, config, f"components.{name}", component)
    for name in ("trading", "market_data", "pacing", "http", "store", "journal", "redis", "ha", "vault", "log"):
        _show_table(lines, config, name, getattr(config, name))
    for instrument in config.instruments:
        origin = "" if "instruments" in config.given else "  # default"
        lines += ["", f"[[instruments]]{origin}", f"symbol = {_value(instrument.symbol)}"]
        if instrument.primary_exchange:
            lines.append(f"primary_exchange = {_value(instrument.primary_exchange)}")
    return "\n".join(lines) + "\n"


def _show_table(lines: list[str], config: Config, path: str, section: Section) -> None:
    lines += ["", f"[{path}]"]
    nested: list[tuple[str, Section]] = []
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(section, Gateway) and name == "windows" and section.windows:
            continue  # tables of their own
        if isinstance(value, Section):
            nested.append((f"{path}.{name}", value))
        elif isinstance(section, Redis) and name == "url":
            lines.append(_line(config, path, name, section.shown_url))
        else:
            lines.append(_line(config, path, name, value))
    for inner, value in nested:
        _show_table(lines, config, inner, value)


def _show_windows(lines: list[str], config: Config, path: str, windows: tuple[Window, ...]) -> None:
    """All in force, and the defaults that are switched off, so that it means the same when it is read again."""
    if not windows:
        return  # the table itself says that there are none
    origin = "" if path in config.given else "  # default"
    for row in rows_of(windows, config.environment):
        lines += ["", f"[[{path}]]{origin}", f"name = {_value(row.name)}"]
        if row.minutes == 0:
            lines.append("minutes = 0")
            continue
        lines += [f"{name} = {_value(getattr(row, name))}" for name in ("kind", "days", "at", "minutes")]
        if row.patience_minutes is not None:
            lines.append(f"patience_minutes = {row.patience_minutes}")


def _line(config: Config, path: str, name: str, value: object) -> str:
    if value is None:
        return f"# {name} is not set: {_UNSET.get(name, 'every order is refused')}"
    mark = "" if join(path, name) in config.given else "  # default"
    return f"{name} = {_value(value)}{mark}"


_UNSET = {
    "kind": "by port",
    "tls": "not encrypted",
    "trading": "true for the environment's own gateway, false for a standby",
    "upstream_recycle_s": "never",
    "upstream_failover_s": "never",
}
"""What it means that a key is missing; of a limit, that it refuses."""


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str | Reference):
        return msgspec.json.encode(str(value)).decode()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
