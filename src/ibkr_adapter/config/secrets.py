"""What is secret, and where it stands: a file names the place, and only a running service knows the value."""

from __future__ import annotations

import difflib
import hmac
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NoReturn

from msgspec import Struct

from ibkr_adapter.errors import ConfigurationError

HIDDEN: Final = "***"

_SCHEME = re.compile(r"([A-Za-z]{2,8}):(?!//)")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_VAULT_PLACE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./-]{0,499}#[A-Za-z0-9_.-]{1,100}")
_CHARS_MAX = 1_000
_REMEDY = 'name the place: "env:NAME", "file:/path" or "vault:path#field"'


class Secret:
    """A value that shows itself to ``reveal`` alone; printed, formatted or pickled it is ``***``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """In a time that does not tell how much of it was right."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode("utf-8", "replace"), other._value.encode("utf-8", "replace"))

    __hash__ = None  # type: ignore[assignment]  # a hash of it would be a trace of it

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (HIDDEN,)

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to save")


Passphrase = Callable[[], Secret]
"""Asked when it is needed: a secret may change while a service runs."""


class Source(StrEnum):
    NONE = "none"
    ENV = "env"
    FILE = "file"
    VAULT = "vault"
    LITERAL = "literal"


class Reference(Struct, frozen=True):
    """Where a secret stands. ``place``: a variable's name, a path, or ``path#field`` in Vault.

    ``literal`` is the secret itself, for those who wrote it into the file all the same.
    """

    source: Source = Source.NONE
    place: str = ""
    literal: Secret | None = None

    def __bool__(self) -> bool:
        return self.source is not Source.NONE

    def __str__(self) -> str:
        if self.source is Source.LITERAL:
            return HIDDEN
        return f"{self.source}:{self.place}" if self else ""

    def __repr__(self) -> str:
        return f"Reference({str(self)!r})"

    def __rich_repr__(self) -> Any:
        yield str(self)

    @property
    def vault_path(self) -> str:
        return self.place.partition("#")[0]

    @property
    def vault_field(self) -> str:
        return self.place.partition("#")[2]


def reference(value: object, path: str) -> Reference:
    """What a file says at the key ``path``. No message repeats it: it may be the secret."""
    if not isinstance(value, str):
        raise ConfigurationError(path, "expected text", remedy=_REMEDY)
    if not value:
        return Reference()
    if len(value) > _CHARS_MAX or not value.isprintable():
        raise ConfigurationError(path, f"not printable text of at most {_CHARS_MAX} characters", remedy=_REMEDY)
    scheme, _, place = value.partition(":")
    known = (Source.ENV, Source.FILE, Source.VAULT)
    if scheme in known:
        return Reference(Source(scheme), _checked(Source(scheme), place, path))
    written = _SCHEME.match(value)
    if written and difflib.get_close_matches(written[1].lower(), [str(source) for source in known], n=1, cutoff=0.7):
        raise ConfigurationError(path, f"{written[1]!a} is no place of secrets", remedy=_REMEDY)
    return Reference(Source.LITERAL, "", Secret(value))


def _checked(source: Source, place: str, path: str) -> str:
    match source:
        case Source.ENV if not _ENV_NAME.fullmatch(place):
            raise ConfigurationError(path, "not the name of an environment variable", remedy='as "env:REDIS_PASSWORD"')
        case Source.FILE if not place:
            raise ConfigurationError(path, "no path is given", remedy='as "file:/run/secrets/redis"')
        case Source.VAULT if not _VAULT_PLACE.fullmatch(place) or ".." in place or "//" in place:
            raise ConfigurationError(path, "not a secret's path and field", remedy='as "vault:desk/redis#password"')
        case _:
            return place
