"""All places of secrets in a configuration, under their keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from ibkr_adapter.config.model import Config, Section
from ibkr_adapter.config.places import path_of
from ibkr_adapter.config.secrets import Reference, Source
from ibkr_adapter.config.typing import join
from ibkr_adapter.errors import ConfigurationError

_T = TypeVar("_T", bound=Section)

LITERAL_REMEDY = 'whoever reads the file has it; write "env:NAME", "file:/path" or "vault:path#field" instead'


def anchored(section: _T, path: str, base: Path, warnings: list[str]) -> _T:
    """``section`` with its paths of secrets counted from ``base``; a secret written into the file is warned of."""
    changes: dict[str, object] = {}
    for name in section.__struct_fields__:
        value, where = getattr(section, name), join(path, name)
        if isinstance(value, Section):
            changes[name] = anchored(value, where, base, warnings)
        elif isinstance(value, Reference):
            if value.source is Source.LITERAL:
                warnings.append(f"{where}: the secret itself stands in the file: {LITERAL_REMEDY}")
            elif value.source is Source.FILE:
                changes[name] = replace(value, place=str(path_of(where, value.place, base)))
    return replace(section, **changes) if changes else section


def references(config: Config) -> dict[str, Reference]:
    """Every secret that the service needs, by its key; gateways it does not use are not asked for theirs."""
    used = tuple(f"gateways.{name}." for name in (config.active.gateway, config.active.standby))
    return {
        path: reference
        for path, reference in _found(config, "")
        if not path.startswith("gateways.") or path.startswith(used)
    }


def _found(section: Section, path: str) -> Iterator[tuple[str, Reference]]:
    for name in section.__struct_fields__:
        value, where = getattr(section, name), join(path, name)
        if isinstance(value, Reference):
            if value:
                yield where, value
        elif isinstance(value, Section):
            yield from _found(value, where)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, Section):
                    yield from _found(inner, join(where, key))


def check_vault_named(config: Config) -> None:
    """A secret in Vault needs to know which Vault."""
    for path, reference in references(config).items():
        if reference.source is Source.VAULT and not config.vault.url:
            raise ConfigurationError(path, "stands in Vault, and there is no vault.url", remedy="add [vault] with url")
