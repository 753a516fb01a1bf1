"""Who may ask what: the one border between the network and the service.

Three attacks are met here. A page elsewhere that resolves its own name to 127.0.0.1 (DNS rebinding) is stopped by the
Host header; a page elsewhere that posts to us, by Origin; everybody else, by the token. On loopback reading is free.
Beyond it everything needs the token, as bearer or, for a browser that shows the page, as the password of basic
authentication. Changes take the bearer only: basic credentials a browser adds by itself, also for a page not ours.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from math import ceil
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ibkr_adapter.config import Http, is_loopback
from ibkr_adapter.console.patience import Patience
from ibkr_adapter.console.refusal import Refusal

_READS: Final = frozenset({"GET", "HEAD"})
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware; plain, so that streams pass through it unbuffered."""

    def __init__(self, app: ASGIApp, *, token: str, http: Http, now_s: Callable[[], float] | None = None) -> None:
        self._app = app
        self._token = token.encode()
        self._patience = Patience(now_s or monotonic)
        self._reads_are_free = http.loopback and not http.hosts
        self._any_address = not http.loopback
        self._names = _LOOPBACK_NAMES | {host.lower() for host in (http.host, *http.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        address = scope["client"][0] if scope.get("client") else ""
        refusal = self._judge(scope["method"], Headers(scope=scope), address)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _judge(self, method: str, headers: Headers, address: str) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._expected(hosts[0]):
            return Refusal(421, "host", "this address is not served here", "add the name to http.hosts")
        changes = method not in _READS
        if changes and not self._same_origin(headers, hosts[0]):
            return Refusal(403, "origin", "another site asked for this", "use the page or the command line")
        if changes or not self._reads_are_free:
            return self._check_patience(address) or self._check_token(headers, address, bearer_only=changes)
        return None

    def _check_patience(self, address: str) -> Refusal | None:
        """Who guesses has to wait. Nobody on this machine is made to: a guesser could lock the desk out of a cancel."""
        wait_s = 0.0 if is_loopback(address) else self._patience.wait_s(address)
        if not wait_s:
            return None
        return Refusal(
            429,
            "token",
            "too many wrong tokens came from this address",
            "wait, then send the right one",
            headers={"retry-after": str(ceil(wait_s))},
        )

    def _expected(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        return self._any_address and _is_address(name)

    def _same_origin(self, headers: Headers, host: str) -> bool:
        origins: Iterable[str] = headers.getlist("origin")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        return all(origin in (f"http://{host}", f"https://{host}") for origin in origins)

    def _check_token(self, headers: Headers, address: str, *, bearer_only: bool) -> Refusal | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and not bearer_only:
            given = _password(given)
        elif scheme.lower() != "bearer":
            given = ""
        if given and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token):
            return None
        if given:
            self._patience.wrong(address)
        return Refusal(
            401,
            "token",
            "a token is needed" if not given else "this is not the token",
            "send Authorization: Bearer with the token: of http.token, else of service.json in the data directory",
            headers={"www-authenticate": "Bearer" if bearer_only else 'Basic realm="ibkr-adapter", charset="UTF-8"'},
        )


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _password(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
