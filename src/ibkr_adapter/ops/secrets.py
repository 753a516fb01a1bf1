"""The values behind a configuration's references: read before anything starts, kept in memory, never written.

Environment and files are read once. Vault is asked on a thread of its own, and asked again at half of each life
(``ops.vaulted``); until then and through its absences the loop and the sessions take what was read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import structlog

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.config import Config, Reference, Secret, Source, VaultAuth
from ibkr_adapter.config.references import references
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.effects import OutsideTrouble
from ibkr_adapter.errors import SecretUnavailable
from ibkr_adapter.events import AlertSeverity
from ibkr_adapter.ops.logging import conceal
from ibkr_adapter.worker import Serial

if TYPE_CHECKING:
    from ibkr_adapter.ops.vault import Grant, VaultClient
    from ibkr_adapter.ops.vaulted import Trouble, Vaulted

FILE_BYTES_MAX: Final = 64_000
EXCHANGES_MAX: Final = 3
"""Opening, or making new what is due, may take as long as this many exchanges with Vault."""

LOOK_EVERY_S: Final = 30.0
"""How often the end of what was read is looked at while Vault is away, so that a warning becomes a critical alert."""

_CREDENTIALS: Final = ("vault.role_id", "vault.secret_id", "vault.token")

VAULT_ALERT: Final = "vault/unreachable"

_log = structlog.get_logger()


class Secrets:
    """What the references of a configuration stand for. ``value`` may be called from any thread, and never waits."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._on_trouble: Callable[[Trouble | None], None] = lambda trouble: None
        self._known: dict[str, Secret] = {}
        self._serial = Serial("vault", bound=4)
        self._vaulted: Vaulted | None = None
        self._told: Trouble | None = None

    def __repr__(self) -> str:
        return f"<Secrets {len(self._known)} local, {self._vaulted or 'no Vault'}>"

    async def open(self) -> None:
        """Read every secret the service needs. Raises ``SecretUnavailable``, which names key and remedy."""
        wanted = references(self._config)
        for key, reference in wanted.items():
            if reference.source is not Source.VAULT and self._needed(key):
                self._known[str(reference)] = found = local(key, reference)
                conceal(found)
        places = {key: place for key, place in wanted.items() if place.source is Source.VAULT}
        if places:
            self._vaulted = await self._in_time(lambda: self._opened(places))

    def value(self, key: str, reference: Reference) -> Secret:
        """Raises ``SecretUnavailable`` where Vault has been away for too long."""
        if reference.source is Source.LITERAL and reference.literal is not None:
            return reference.literal
        if reference.source is Source.VAULT and self._vaulted is not None:
            return self._vaulted.value(reference, self._clock.now_ns())
        try:
            return self._known[str(reference)]
        except KeyError:
            raise SecretUnavailable(key, f"{reference} was not read at the start", remedy="restart") from None

    def source(self, key: str, reference: Reference) -> Callable[[], Secret] | None:
        """Where a consumer gets the present value each time it needs one; ``None`` where nothing is configured."""
        return (lambda: self.value(key, reference)) if reference else None

    def passphrase(self, gateway: str) -> Passphrase | None:
        """What opens the key that we show this gateway's tunnel."""
        tls = self._config.gateways[gateway].tls
        return self.source(f"gateways.{gateway}.tls.key_password", tls.key_password) if tls is not None else None

    async def keep(self, on_trouble: Callable[[Trouble | None], None]) -> None:
        """Make new what is due, until cancelled; at once where nothing stands in Vault.

        ``on_trouble`` hears on the loop what is wrong with Vault, and ``None`` when nothing is any more.
        """
        self._on_trouble = on_trouble
        if self._vaulted is None:
            return
        while True:
            until_due_s = max(0, self._vaulted.due_ns() - self._clock.now_ns()) / SECOND
            await asyncio.sleep(min(until_due_s, LOOK_EVERY_S))
            if self._clock.now_ns() >= self._vaulted.due_ns():
                await self._turn(self._vaulted)
            self._tell(self._vaulted)

    def close(self) -> None:
        """Lets the thread end; one that waits for an answer is left behind with the process."""
        self._serial.stop(0)

    async def _turn(self, vaulted: Vaulted) -> None:
        from ibkr_adapter.ops.vault import VaultTrouble

        asked = asyncio.ensure_future(self._serial.call(lambda: vaulted.turn(self._clock.now_ns())))
        try:
            while not asked.done():
                await asyncio.wait({asked}, timeout=self._patience_s)
                if not asked.done():
                    trouble = VaultTrouble(f"{self._config.vault.url} does not end its answer", remedy="look at it")
                    vaulted.failed(trouble, self._clock.now_ns())
                    self._tell(vaulted)
        finally:
            asked.cancel()
        for key in asked.result():
            _log.info("secret_changed", key=key)

    def _tell(self, vaulted: Vaulted) -> None:
        trouble = vaulted.trouble(self._clock.now_ns())
        if trouble != self._told:
            self._told = trouble
            self._on_trouble(trouble)

    def _needed(self, key: str) -> bool:
        """Credentials of the other way to log in are not asked for."""
        if key not in _CREDENTIALS:
            return True
        vault = self._config.vault
        return bool(vault.url) and (key == "vault.token") == (vault.auth is VaultAuth.TOKEN)

    # On the thread.

    def _opened(self, places: Mapping[str, Reference]) -> Vaulted:
        from ibkr_adapter.ops.vault import VaultClient  # an extra: needed where configured
        from ibkr_adapter.ops.vaulted import Vaulted

        settings = self._config.vault
        client = VaultClient(settings)
        vaulted = Vaulted(
            places,
            client,
            ttl_s=settings.ttl_s,
            authenticate=lambda: self._authenticate(client),
            on_value=conceal,
        )
        vaulted.open(self._clock.now_ns())
        return vaulted

    def _authenticate(self, client: VaultClient) -> Grant:
        """With credentials read anew: what puts them there may have changed them."""
        settings = self._config.vault
        if settings.auth is VaultAuth.TOKEN:
            return client.look_up(local("vault.token", settings.token))
        return client.log_in(local("vault.role_id", settings.role_id), local("vault.secret_id", settings.secret_id))

    async def _in_time(self, opened: Callable[[], Vaulted]) -> Vaulted:
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._serial.call(opened)
        except TimeoutError:
            raise SecretUnavailable(
                "vault",
                f"{self._config.vault.url} does not answer within {self._patience_s:g} s",
                remedy="see the state of Vault, or raise vault.timeout_s",
            ) from None

    @property
    def _patience_s(self) -> float:
        return EXCHANGES_MAX * float(self._config.vault.timeout_s)


def local(key: str, reference: Reference) -> Secret:
    """The value of a place on this machine. Raises ``SecretUnavailable``."""
    match reference.source:
        case Source.ENV:
            value = os.environ.get(reference.place, "")
            if not value:
                raise SecretUnavailable(key, f"{reference} is not set", remedy="set the variable for the service")
            found = Secret(value)
        case Source.FILE:
            found = _of_file(key, reference)
        case Source.VAULT:
            raise SecretUnavailable(key, f"{reference} is asked for by the service alone", remedy="see its log")
        case _:
            found = reference.literal or Secret("")
    conceal(found)
    return found


def _of_file(key: str, reference: Reference) -> Secret:
    """The whole file without the line break at its end."""
    try:
        with open(reference.place, "rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        value = raw.decode()
    except OSError as error:
        remedy = "give it to this user, or correct the path"
        raise SecretUnavailable(key, f"{reference} cannot be read: {error.strerror}", remedy=remedy) from None
    except UnicodeDecodeError:
        raise SecretUnavailable(key, f"{reference} is not text", remedy="save it as UTF-8") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value or len(raw) > FILE_BYTES_MAX:
        what = "is empty" if not value else f"has more than {FILE_BYTES_MAX} bytes"
        raise SecretUnavailable(key, f"{reference} {what}", remedy="put the secret alone into it")
    return Secret(value)


def alert_of(trouble: Trouble | None) -> OutsideTrouble:
    """One alert from the first failure to the recovery, and one line of the log for each change."""
    if trouble is None:
        _log.info("vault_recovered")
        return OutsideTrouble(key=VAULT_ALERT, severity=None)
    _log.warning("vault_unreachable", detail=trouble.text)
    severity = AlertSeverity.CRITICAL if trouble.near_end else AlertSeverity.WARNING
    return OutsideTrouble(key=VAULT_ALERT, severity=severity, text=trouble.text, remedy=trouble.remedy)
