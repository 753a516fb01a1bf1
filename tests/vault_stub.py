"""A stub of Vault: a real HTTP server on loopback that speaks the few routes we use, well or badly on demand.

AppRole login, token lookup and renewal, reads of the KV engine version 2. It is no Vault: it proves what we send and
how we take an answer, not how Vault behaves.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROLE_ID = "role-4f1c"
SECRET_ID = "secret-id-canary-91ab"
STATIC_TOKEN = "hvs.static-canary-55e0"


class VaultStub:
    """``mode`` says how it answers; ``asked`` is every request, as method and path."""

    def __init__(self, secrets: dict[str, dict[str, Any]] | None = None) -> None:
        self.secrets = secrets if secrets is not None else {"desk/redis": {"password": "redis-canary-1f2e"}}
        self.mode = "well"
        self.only = ""
        """A part of a path: other paths are answered well in every mode."""
        self.ttl_s = 3_600
        self.renewable = True
        self.tokens: set[str] = {STATIC_TOKEN}
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        self._logins = 0
        stub = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                stub._answer(self)

            do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self._server = _Server(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="vault-stub", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def revoke(self) -> None:
        """Every token ends now."""
        self.tokens.clear()

    # What it says.

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("content-length") or 0)
        body = request.rfile.read(length)
        self.asked.append((request.command, request.path))
        self.headers.append(dict(request.headers))
        if self.mode != "well" and self.only in request.path:
            self._misbehave(request, body)
            return
        status, document = self._well(request, body)
        _send(request, status, json.dumps(document).encode())

    def _well(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, Any]]:
        path, token = request.path, request.headers.get("x-vault-token", "")
        if path == "/v1/auth/approle/login":
            given = json.loads(body)
            if given != {"role_id": ROLE_ID, "secret_id": SECRET_ID}:
                return 400, {"errors": [f"invalid role or secret ID {given}"]}
            self._logins += 1
            fresh = f"hvs.login-canary-{self._logins}"
            self.tokens.add(fresh)
            return 200, {"auth": {"client_token": fresh, "lease_duration": self.ttl_s, "renewable": self.renewable}}
        if token not in self.tokens:
            return 403, {"errors": [f"permission denied for {token}"]}
        if path == "/v1/auth/token/lookup-self":
            return 200, {"data": {"id": token, "ttl": self.ttl_s, "renewable": self.renewable}}
        if path == "/v1/auth/token/renew-self":
            if not self.renewable:
                return 400, {"errors": ["lease is not renewable"]}
            return 200, {"auth": {"client_token": token, "lease_duration": self.ttl_s, "renewable": self.renewable}}
        fields = self.secrets.get(path.removeprefix("/v1/secret/data/"))
        if fields is None:
            return 404, {"errors": []}
        return 200, {"data": {"data": fields, "metadata": {"version": 1}}}

    def _misbehave(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        said = f"{request.headers.get('x-vault-token')} {body.decode()}"
        match self.mode:
            case "sealed":
                _send(request, 503, b'{"errors": ["Vault is sealed"]}')
            case "down":
                _send(request, 502, b"Bad Gateway")
            case "standby":
                _send(request, 307, b"", location="http://127.0.0.1:1/elsewhere")
            case "denied":
                _send(request, 403, json.dumps({"errors": [f"permission denied for {said}"]}).encode())
            case "uninitialized":
                _send(request, 501, b'{"errors": ["not initialized"]}')
            case "limited":
                _send(request, 429, b'{"errors": ["request limit"]}')
            case "broken":
                _send(request, 500, json.dumps({"errors": [f"cannot handle {said}"]}).encode())
            case "html":
                _send(request, 200, f"<html>{said}</html>".encode())
            case "half":
                _send(request, 200, b'{"data": {"data"')
            case "list":
                _send(request, 200, b"[1, 2]")
            case "empty":
                _send(request, 200, b"{}")
            case "errors":
                _send(request, 200, json.dumps({"errors": [said], "data": {"data": {"password": "lie"}}}).encode())
            case "missing":
                _send(request, 200, b'{"data": {"data": {"other": "x"}, "metadata": {}}}')
            case "number":
                _send(request, 200, b'{"data": {"data": {"password": 12345}, "metadata": {}}}')
            case "endless":
                _send(request, 200, b'{"data": "' + b"x" * 2_000_000 + b'"}')
            case "slow":
                self.released.wait(30)
                request.close_connection = True
            case "drip":
                self._drip(request)
            case "hangs_up":
                request.close_connection = True
            case _:
                raise AssertionError(self.mode)

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        """One byte now and then: each arrives in time, the answer never."""
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        request.wfile.flush()
        with contextlib.suppress(OSError):
            while not self.released.wait(0.02):
                request.wfile.write(b" ")
                request.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has waited long enough hangs up: nothing to report."""


def _send(request: BaseHTTPRequestHandler, status: int, content: bytes, *, location: str = "") -> None:
    with contextlib.suppress(OSError):  # a client that has heard enough hangs up
        request.send_response(status)
        if location:
            request.send_header("Location", location)
        request.send_header("Content-Type", "text/html" if content.startswith(b"<") else "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextlib.contextmanager
def running_stub(secrets: dict[str, dict[str, Any]] | None = None) -> Iterator[VaultStub]:
    stub = VaultStub(secrets)
    stub.start()
    try:
        yield stub
    finally:
        stub.stop()
