"""``/v1/message-codes``: the table in force, and reading the desk's file again."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ibkr_adapter.console.wire import encode
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.message_codes import Overrides, columns_of


class CodesPort(Protocol):
    """As ``ops.message_codes.MessageCodes`` is one."""

    path: str
    in_force: Overrides

    async def reload(self) -> tuple[list[str], Overrides]: ...


def routes(codes: CodesPort) -> list[Route]:
    async def shown(_request: Request) -> Response:
        return _json(table(codes.in_force, codes.path))

    async def reload(_request: Request) -> Response:
        """A bad file is 409 with its key; the table stays."""
        if not codes.path:
            raise ConfigurationError("message_codes", "no file is configured", remedy="set it and restart")
        changed, read = await codes.reload()
        return _json({"changed": changed, "warnings": read.warnings})

    return [
        Route("/v1/message-codes", shown, methods=["GET"]),
        Route("/v1/message-codes/reload", reload, methods=["POST"]),
    ]


def table(found: Overrides, path: str) -> dict[str, object]:
    """What ``GET /v1/message-codes`` answers. ``origin`` is ``shipped`` or ``override``."""
    rows = [
        columns_of(row) | {"origin": "override" if row.code in found.overridden else "shipped"}
        for row in sorted(found.rows, key=lambda row: row.code)
    ]
    return {"file": path, "codes": rows, "warnings": found.warnings}


def _json(body: object) -> Response:
    return Response(encode(body), media_type="application/json")
