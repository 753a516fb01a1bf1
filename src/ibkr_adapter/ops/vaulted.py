"""Secrets of Vault over time: each value and our right to read has an end, and is made new at half of its life.

``turn`` does whatever is due and blocks while it asks; everything else only looks. Failing, it keeps what it has and
tries again every ``RETRY_NS``: a value is used until its end, not one moment longer, and ``trouble`` says so from the
first failure on. Vault coming back is found by the next try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import Reference, Secret
from ibkr_adapter.errors import SecretUnavailable
from ibkr_adapter.ops.vault import VALUE_CHARS_MAX, Grant, VaultTrouble

RETRY_NS: Final = 10 * SECOND
NEAR_END_SHARE: Final = 0.9
"""From this share of a life on, its end is near."""


class Reader(Protocol):
    """What ``VaultClient`` does."""

    def renew(self) -> Grant: ...

    def read(self, path: str) -> Mapping[str, object]: ...


class Trouble(Struct, frozen=True, kw_only=True):
    """What is wrong with the source of secrets at this moment. ``near_end``: soon something of it cannot be used."""

    text: str
    remedy: str
    near_end: bool


class _Term(Struct, frozen=True, kw_only=True):
    """A stretch of time at whose half something is made new."""

    from_ns: int
    until_ns: int

    @property
    def half_ns(self) -> int:
        return (self.from_ns + self.until_ns) // 2

    def share(self, now_ns: int) -> float:
        return (now_ns - self.from_ns) / max(1, self.until_ns - self.from_ns)


class Vaulted:
    """The values of ``places`` (configuration key to reference), and the token that reads them.

    ``authenticate`` gives a fresh right to read; ``on_value`` hears of every value before anybody can use it.
    """

    def __init__(
        self,
        places: Mapping[str, Reference],
        reader: Reader,
        *,
        ttl_s: int,
        authenticate: Callable[[], Grant],
        on_value: Callable[[Secret], None],
    ) -> None:
        self._places = dict(places)
        self._reader = reader
        self._ttl_ns = ttl_s * SECOND
        self._authenticate = authenticate
        self._on_value = on_value
        self._grant: Grant | None = None
        self._right: _Term | None = None
        self._terms: dict[str, _Term] = {}
        self._values: dict[str, Secret] = {}
        self._failure: VaultTrouble | None = None
        self._retry_ns = 0

    def __repr__(self) -> str:
        return f"<Vaulted {len(self._values)} of {len(self._places)} values{', failing' if self._failure else ''}>"

    def open(self, now_ns: int) -> None:
        """Read everything once. Raises ``SecretUnavailable``: without its secrets a service does not start."""
        try:
            self._take(self._authenticate(), now_ns)
        except VaultTrouble as trouble:
            raise SecretUnavailable("vault", trouble.message, remedy=trouble.remedy) from None
        for path in self._paths():
            key = next(key for key, place in self._places.items() if place.vault_path == path)
            try:
                self._read(path, now_ns)
            except VaultTrouble as trouble:
                raise SecretUnavailable(key, f"{self._places[key]}: {trouble.message}", remedy=trouble.remedy) from None

    def value(self, place: Reference, now_ns: int) -> Secret:
        """Raises ``SecretUnavailable`` once its time is over."""
        found, term = self._values.get(place.place), self._terms.get(place.vault_path)
        if found is None or term is None or now_ns >= term.until_ns:
            key = next((key for key, known in self._places.items() if known == place), str(place))
            remedy = self._failure.remedy if self._failure else "see the state of Vault"
            raise SecretUnavailable(key, f"{place} was read too long ago to be used", remedy=remedy)
        return found

    def due_ns(self) -> int:
        """When ``turn`` has something to do."""
        if self._failure is not None:
            return self._retry_ns
        halves = [term.half_ns for term in self._all_terms()]
        return min(halves) if halves else 0

    def turn(self, now_ns: int) -> list[str]:
        """Renew and read what is past half of its life; returns the keys whose values are other ones now."""
        changed: list[str] = []
        try:
            if self._right is not None and now_ns >= self._right.half_ns:
                self._prolong(now_ns)
            for path in [path for path, term in self._terms.items() if now_ns >= term.half_ns]:
                changed += self._read_again(path, now_ns)
        except VaultTrouble as trouble:
            self.failed(trouble, now_ns)
        else:
            self._failure = None
        return changed

    def failed(self, trouble: VaultTrouble, now_ns: int) -> None:
        self._failure = trouble
        self._retry_ns = now_ns + RETRY_NS

    def trouble(self, now_ns: int) -> Trouble | None:
        if self._failure is None:
            return None
        terms = self._all_terms()
        left_s = max(0, min((term.until_ns for term in self._terms.values()), default=0) - now_ns) // SECOND
        until = f"what was read is used for {_about(left_s)} more" if left_s else "what was read is no longer used"
        return Trouble(
            text=f"{self._failure.message}; {until}",
            remedy=self._failure.remedy,
            near_end=any(term.share(now_ns) >= NEAR_END_SHARE for term in terms),
        )

    # Our right to read.

    def _prolong(self, now_ns: int) -> None:
        """Renew while Vault lets us; then, or where it does not, get a new token."""
        assert self._grant is not None
        if self._grant.renewable:
            try:
                renewed = self._reader.renew()
            except VaultTrouble as trouble:
                if not trouble.denied:
                    raise
            else:
                enough = renewed.ttl_s is None or renewed.ttl_s >= (self._grant.ttl_s or 0) / 2
                if enough and self._take(renewed, now_ns):
                    return
        if not self._take(self._authenticate(), now_ns):
            raise VaultTrouble(
                "the token of Vault ends and cannot be renewed", remedy="give a renewable token, or use AppRole"
            )

    def _take(self, grant: Grant, now_ns: int) -> bool:
        """Hold ``grant`` from now on; false if it is the old token with no more time than before."""
        self._on_value(grant.token)
        until_ns = None if grant.ttl_s is None else now_ns + grant.ttl_s * SECOND
        same = self._grant is not None and grant.token == self._grant.token
        if same and self._right is not None and until_ns is not None and until_ns <= self._right.until_ns + SECOND:
            return False
        self._grant = grant
        self._right = None if until_ns is None else _Term(from_ns=now_ns, until_ns=until_ns)
        return True

    # The values.

    def _read_again(self, path: str, now_ns: int) -> list[str]:
        """A token that was taken from us is no reason to go without."""
        try:
            return self._read(path, now_ns)
        except VaultTrouble as trouble:
            if not trouble.denied:
                raise
        self._right = None
        self._take(self._authenticate(), now_ns)
        return self._read(path, now_ns)

    def _read(self, path: str, now_ns: int) -> list[str]:
        fields = self._reader.read(path)
        wanted = {key: place for key, place in self._places.items() if place.vault_path == path}
        values: dict[str, Secret] = {}
        for place in wanted.values():
            value = fields.get(place.vault_field)
            if not isinstance(value, str) or not 0 < len(value) <= VALUE_CHARS_MAX:
                raise VaultTrouble(
                    f"there is no text in field {place.vault_field} of {path}", remedy="write it, or correct the name"
                )
            values[place.place] = Secret(value)
        for secret in values.values():
            self._on_value(secret)
        changed = [key for key, place in wanted.items() if self._values.get(place.place) != values[place.place]]
        self._values = self._values | values
        self._terms = self._terms | {path: _Term(from_ns=now_ns, until_ns=now_ns + self._ttl_ns)}
        return changed

    def _paths(self) -> Iterable[str]:
        return dict.fromkeys(place.vault_path for place in self._places.values())

    def _all_terms(self) -> list[_Term]:
        return [*self._terms.values(), *([self._right] if self._right else [])]


def _about(seconds: int) -> str:
    """In steps that do not make a new sentence every second."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return "less than a minute"
