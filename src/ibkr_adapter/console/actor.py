"""Who asks, for the journal: what the client says of itself, if it can be written down."""

from __future__ import annotations

import re

from starlette.requests import Request

_ACTOR = re.compile(r"[A-Za-z0-9._@:-]{1,64}")


def actor_of(request: Request) -> str:
    given = request.headers.get("x-actor", "")
    return given if _ACTOR.fullmatch(given) else "http"
