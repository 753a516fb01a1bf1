"""Structured logs on stderr: JSON for machines, aligned columns where a person is watching.

Code writes ``req_id``, ``client_id`` and ``code``; the log says ``reqId``, ``clientId`` and ``errorCode``, the names
the desk's dashboards know. Nothing that came over a wire can forge a line, move a terminal's cursor or carry a secret.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO
from urllib.parse import quote

import structlog

from ibkr_adapter.config import Secret

FIELD_CHARS_MAX: Final = 4_000

_NAMES: Final = {"req_id": "reqId", "client_id": "clientId", "code": "errorCode", "error_code": "errorCode"}

_SECRET_KEYS: Final = re.compile(r"token|passw|secret|authorization|api_?key|credential", re.IGNORECASE)
_SECRET_TEXTS: Final = (
    (re.compile(r"(://)[^/@\s]+@"), r"\1***@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)\b(password|passwd|token|secret)=[^\s&]+"), r"\1=***"),
)

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Line breaks and escape sequences, and the marks that turn the direction of text round."""

CONCEALED_MAX: Final = 1_000
"""Values known to be secret; the oldest goes first. A service has a handful, and each renewal brings one more."""

CONCEALED_CHARS_MIN: Final = 4
"""Shorter values would tear ordinary words apart; a secret of three characters is none."""

_concealed: dict[str, None] = {}
_longest_first: tuple[str, ...] = ()

EventDict = MutableMapping[str, Any]


def configure(level: str = "info", *, stream: TextIO | None = None, pretty: bool | None = None) -> None:
    """Send structlog's and the standard library's records to ``stream`` (stderr), one line each.

    ``pretty``: columns instead of JSON; by default, when the stream is a terminal.
    """
    target = stream if stream is not None else sys.stderr
    columns = target.isatty() if pretty is None else pretty
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
        rename,
        clean,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=columns and target.isatty())
        if columns
        else structlog.processors.JSONRenderer(ensure_ascii=True, sort_keys=False)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("uvicorn.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def rename(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Our names for the fields, and first what every line has."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    return first | {_NAMES.get(name, name): value for name, value in event.items()}


def clean(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Secrets out, control characters escaped, long fields cut."""
    return {_escape(redact(str(key))): _cleaned(str(key), value) for key, value in event.items()}


def _cleaned(key: str, value: object, depth: int = 0) -> object:
    if _SECRET_KEYS.search(key) and value not in (None, "", False):
        return "***"
    if value is None or isinstance(value, bool | int | float):
        return "***" if _concealed and str(value) in _concealed else value
    if depth < 4 and isinstance(value, dict):
        return {_escape(redact(str(k))): _cleaned(str(k), v, depth + 1) for k, v in list(value.items())[:100]}
    if depth < 4 and isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(key, item, depth + 1) for item in list(value)[:100]]
    return _escape(redact(str(value)))


def conceal(secret: Secret) -> None:
    """From now on no line holds this value, however it is written; from any thread."""
    value = secret.reveal()
    if len(value) < CONCEALED_CHARS_MIN:
        return
    written = (value, quote(value, safe=""), quote(value), repr(value)[1:-1], json.dumps(value)[1:-1])
    global _longest_first
    for text in (*written, *(line for line in value.splitlines() if len(line) >= 16)):
        _concealed[text] = None
    while len(_concealed) > CONCEALED_MAX:
        _concealed.pop(next(iter(_concealed)), None)
    _longest_first = tuple(sorted(_concealed.copy(), key=len, reverse=True))


def redact(text: str) -> str:
    """``text`` without values known to be secret, and without credentials in addresses, headers and queries."""
    for value in _longest_first:
        text = text.replace(value, "***")
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _escape(text: str) -> str:
    cut = text if len(text) <= FIELD_CHARS_MAX else f"{text[:FIELD_CHARS_MAX]}… ({len(text)} characters)"
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), cut)
