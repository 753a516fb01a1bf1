"""As much of HTTP/1.1 as the control port needs: one request a connection, small, from this machine.

Any page that a browser on this machine shows could make it send requests here. So the Host header must name this
machine (a page's own name could be made to point here), an Origin header is refused (only pages send it), and a body
must say that it is JSON or TOML (no form of a page can).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

BODY_BYTES_MAX = 256 * 1024
HEAD_BYTES_MAX = 8 * 1024
_PATIENCE_S = 10.0

_REQUEST_LINE = re.compile(r"(GET|POST|DELETE|PUT|HEAD|OPTIONS|PATCH) (/[!-~]{0,1000}) HTTP/1\.[01]\Z")
_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
JSON_TYPE, TOML_TYPE = "application/json", "application/toml"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    content_type: str
    body: bytes


class Refused(Exception):
    """Answered with its status and one line."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


Answer = Callable[[Request], Awaitable[Any]]


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    """Read one request, write what ``answer`` makes of it, and close."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        status, content = await _answered(reader, answer)
        async with asyncio.timeout(_PATIENCE_S):
            writer.write(_response(status, content))
            await writer.drain()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _answered(reader: asyncio.StreamReader, answer: Answer) -> tuple[HTTPStatus, Any]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            request = await _read(reader)
        return HTTPStatus.OK, await answer(request)
    except Refused as refusal:
        return refusal.status, {"error": str(refusal)}
    except asyncio.IncompleteReadError:
        return HTTPStatus.BAD_REQUEST, {"error": "the request ends early"}


async def _read(reader: asyncio.StreamReader) -> Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {HEAD_BYTES_MAX} bytes of head") from None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    match = _REQUEST_LINE.match(first)
    if match is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "not a request of HTTP/1.1")
    headers = _headers(lines)
    _expect_friend(headers)
    path, _, query = match[2].partition("?")
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isascii() or not length.isdigit():
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
    if len(length) > 9 or int(length) > BODY_BYTES_MAX:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_BYTES_MAX} bytes")
    body = await reader.readexactly(int(length))
    return Request(match[1], path, query, headers.get("content-type", "").partition(";")[0].strip().lower(), body)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or name in headers:
            raise Refused(HTTPStatus.BAD_REQUEST, "a header is malformed or comes twice")
        headers[name] = value.strip()
    return headers


def _expect_friend(headers: dict[str, str]) -> None:
    name = re.sub(r":\d{1,5}\Z", "", headers.get("host", ""))
    if name.lower() not in _OWN_NAMES:
        raise Refused(HTTPStatus.FORBIDDEN, "the Host header must be 127.0.0.1, localhost or [::1]")
    if "origin" in headers:
        raise Refused(HTTPStatus.FORBIDDEN, "not for pages in a browser")


def _response(status: HTTPStatus, content: Any) -> bytes:
    body = json.dumps(content, ensure_ascii=True).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {JSON_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
