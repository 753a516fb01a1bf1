"""The table of client ids: who may connect under which number, and what each can ever do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ibkr_adapter.config.defaults import DEFAULT_COMPONENTS, MAIN, READ_ONLY
from ibkr_adapter.config.model import AccountKind, Capability, Component, Environment, Ha, Redis
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


def as_component(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The file as another component reads it: its places and its port are its own, so that it can run beside the first.

    Places that the file names get the component's name in front; the page listens on any free port.
    """
    if document.get("component", MAIN) == name:
        return document
    own = {**document, "component": name}
    for table, key in (("", "data_dir"), ("store", "path"), ("journal", "directory")):
        holder = own.get(table) if table else own
        given = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(given, str) and given:
            path = Path(given)
            beside = {**holder, key: str(path.with_name(f"{name}-{path.name}") if path.name else path)}
            own = {**own, table: beside} if table else beside
    http = own.get("http", {})
    if isinstance(http, dict) and isinstance(http.get("listen", ""), str):
        host = http.get("listen", "").rpartition(":")[0] or "127.0.0.1"
        own["http"] = {**http, "listen": f"{host}:0"}
    return own


def check_ha(ha: Ha, redis: Redis) -> Ha:
    if not 1 <= ha.lease_ttl_s <= 300:
        raise ConfigurationError("ha.lease_ttl_s", "must be 1 to 300 seconds", remedy="15 is usual")
    if ha.name and not NAME.fullmatch(ha.name):
        raise ConfigurationError("ha.name", "a name is letters, digits, _ and -, at most 40", remedy="rename it")
    if ha.enabled and not redis.url:
        raise ConfigurationError(
            "ha.enabled", "the machines share the client id through Redis, and there is none", remedy="set redis.url"
        )
    return ha


def check_component(name: str, component: Component, environment: Environment) -> None:
    if component.paper_only and environment.account_kind is AccountKind.LIVE:
        raise ConfigurationError("component", f"{name} connects to paper accounts only", remedy="use a paper account")
