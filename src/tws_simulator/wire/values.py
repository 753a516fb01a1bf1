"""What a message consists of, once it is read: values by name, and how IB writes that there is none."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]

UNSET_INT = 2**31 - 1
UNSET_LONG = 2**63 - 1
UNSET_FLOAT = 1.7976931348623157e308
_MESSAGE_CHARACTERS_MAX = 200


class MalformedMessage(ValueError):
    """The bytes do not fit the layout of the message they claim to be."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause[:_MESSAGE_CHARACTERS_MAX])
