"""The table of client ids: who may connect under which number, and what each can ever do."""

from __future__ import annotations

from ibkr_adapter.config.defaults import DEFAULT_COMPONENTS, READ_ONLY
from ibkr_adapter.config.model import AccountKind, Capability, Component, Environment
from ibkr_adapter.config.typing import NAME, File, join, typed
from ibkr_adapter.errors import ConfigurationError


def components_of(file: File) -> dict[str, Component]:
    result = dict(DEFAULT_COMPONENTS)
    for name, table in file.components.items():
        path = join("components", name)
        if not NAME.fullmatch(name):
            raise ConfigurationError(path, "a component's name is letters, digits, _ and -", remedy="rename it")
        result[name] = component = typed(Component, table, path, result.get(name))
        if name in READ_ONLY and component.can(Capability.ORDERS):
            raise ConfigurationError(
                f"{path}.capabilities", f"{name} is read-only", remedy="send orders through ibkr_adapter"
            )
    holders: dict[int, str] = {}
    for name, component in result.items():
        path = f"components.{name}.client_id"
        if component.client_id == 0:
            raise ConfigurationError(path, "0 is never used: it takes over orders made by hand", remedy="1 or higher")
        if not 1 <= component.client_id <= 2**31 - 1:
            raise ConfigurationError(path, "not a client id", remedy="1 to 2147483647")
        if component.client_id in holders:
            raise ConfigurationError(
                path,
                f"{component.client_id} already belongs to {holders[component.client_id]}",
                remedy="give each component an id of its own",
            )
        holders[component.client_id] = name
    return result


def check_component(name: str, component: Component, environment: Environment) -> None:
    if component.paper_only and environment.account_kind is AccountKind.LIVE:
        raise ConfigurationError("component", f"{name} connects to paper accounts only", remedy="use a paper account")
