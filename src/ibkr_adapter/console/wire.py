"""What leaves the process as JSON: every field present, decimals as numbers, nothing omitted because it is unset."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ibkr_adapter.snapshot import SinkView, Snapshot

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    return _ENCODER.encode(value)


def plain(value: object) -> Any:
    """Structs as dictionaries of all their fields, with the tag of those that have one."""
    if isinstance(value, Struct):
        tag = value.__struct_config__.tag
        body = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return body if tag is None else {"type": tag, **body}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def picture(snapshot: Snapshot, sinks: tuple[SinkView, ...]) -> dict[str, Any]:
    """The whole state as the API shows it."""
    return {**plain(snapshot), "sinks": plain(sinks)}
