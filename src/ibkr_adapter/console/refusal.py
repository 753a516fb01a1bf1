"""The one shape of every error answer: code and field for programs, message and remedy for people."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from ibkr_adapter.console.wire import encode
from ibkr_adapter.errors import ExitCode


class Refusal(Response):
    """``{"error": {code, field, message, remedy, exit_code}}``."""

    media_type = "application/json"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        remedy: str,
        *,
        field: str = "",
        exit_code: ExitCode = ExitCode.USAGE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        error = {"code": code, "field": field, "message": message, "remedy": remedy, "exit_code": int(exit_code)}
        super().__init__(encode({"error": error}), status, headers)
