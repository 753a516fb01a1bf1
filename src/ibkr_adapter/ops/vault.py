"""Vault's API as far as we need it, blocking: log in, renew, read a secret of the KV engine, version 2.

Whatever goes wrong is a ``VaultTrouble`` in our own words. Nothing that Vault wrote is repeated: an answer, even one
that reports an error, may hold what we sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from ibkr_adapter.config import Secret, Vault
from ibkr_adapter.errors import ConfigurationError, SessionError

try:
    import hvac
    import requests
    from hvac import exceptions as said
except ImportError as error:
    raise ConfigurationError(
        "vault", "the Vault client library is not installed", remedy="pip install 'ibkr-adapter[vault]'"
    ) from error

ANSWER_BYTES_MAX: Final = 1_000_000
VALUE_CHARS_MAX: Final = 64_000


class VaultTrouble(SessionError):
    """Vault gave no usable answer. ``denied``: it does not accept, or no longer accepts, who we are."""

    def __init__(self, message: str, *, remedy: str, denied: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.denied = denied


class Grant(Struct, frozen=True, kw_only=True):
    """The right to read. ``ttl_s`` is ``None`` where it never ends."""

    token: Secret
    ttl_s: int | None
    renewable: bool


class VaultClient:
    """One Vault. Every exchange is bounded by ``timeout_s``; redirects are not followed, proxies not asked."""

    def __init__(self, settings: Vault) -> None:
        self._settings = settings
        session = _Session()
        session.trust_env = False  # no proxy and no .netrc gets to see a token
        session.verify = settings.ca or True
        try:
            self._api = hvac.Client(
                url=settings.url,
                token="",
                timeout=float(settings.timeout_s),
                allow_redirects=False,
                session=session,
                namespace=settings.namespace or None,
            )
        except OSError as error:
            raise ConfigurationError("vault.ca", f"cannot be read: {error.strerror}", remedy="check the path") from None

    def __repr__(self) -> str:
        return f"<VaultClient {self._settings.url}>"

    def log_in(self, role_id: Secret, secret_id: Secret) -> Grant:
        def call() -> Any:
            self._api.token = ""
            return self._api.auth.approle.login(role_id.reveal(), secret_id.reveal(), use_token=False)

        answer = self._ask(call, refused="it does not accept this role id and secret id", mend="issue a new secret id")
        return self._granted(answer.get("auth"))

    def look_up(self, token: Secret) -> Grant:
        """What a token that was given to us is worth."""
        self._api.token = token.reveal()
        answer = self._ask(self._api.auth.token.lookup_self)
        found = answer.get("data")
        if not isinstance(found, dict):
            raise _not_vault(self._settings)
        return _grant(self._settings, token, found.get("ttl"), found.get("renewable"))

    def renew(self) -> Grant:
        return self._granted(self._ask(self._api.auth.token.renew_self).get("auth"))

    def read(self, path: str) -> Mapping[str, object]:
        """The fields of one secret."""
        mount = self._settings.mount

        def call() -> Any:
            return self._api.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)

        outer = self._ask(call).get("data")
        fields = outer.get("data") if isinstance(outer, dict) else None
        if not isinstance(fields, dict):
            raise VaultTrouble(
                f"what {self._settings.url} has at {mount}/{path} is no secret of version 2",
                remedy="set vault.mount to a KV engine of version 2",
            )
        return fields

    def _granted(self, auth: object) -> Grant:
        if not isinstance(auth, dict) or not isinstance(token := auth.get("client_token"), str) or not token:
            raise _not_vault(self._settings)
        self._api.token = token
        return _grant(self._settings, Secret(token), auth.get("lease_duration"), auth.get("renewable"))

    def _ask(self, call: Callable[[], Any], *, refused: str = "", mend: str = "") -> Mapping[str, Any]:
        where = self._settings.url
        try:
            answer = call()
        except said.VaultError as error:
            raise _told(where, error, refused, mend) from None
        except (requests.RequestException, OSError) as error:
            raise _unreachable(self._settings, error) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise _not_vault(self._settings) from None
        if isinstance(answer, requests.Response) and 300 <= answer.status_code < 400:
            raise VaultTrouble(f"{where} sends us elsewhere", remedy="set vault.url to the address that answers")
        if not isinstance(answer, dict) or answer.get("errors"):
            raise _not_vault(self._settings)
        return answer


class _Session(requests.Session):
    """Reads an answer only up to a bound."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        response = super().request(*args, **options | {"stream": True})
        content = bytearray()
        with response:
            for chunk in response.iter_content(16_384):
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise requests.exceptions.ContentDecodingError("too long")
        response._content = bytes(content)  # what `iter_content` would otherwise have kept
        return response


def _grant(settings: Vault, token: Secret, ttl_s: object, renewable: object) -> Grant:
    if type(ttl_s) is not int or ttl_s < 0 or not isinstance(renewable, bool):
        raise _not_vault(settings)
    return Grant(token=token, ttl_s=ttl_s or None, renewable=renewable)


def _not_vault(settings: Vault) -> VaultTrouble:
    return VaultTrouble(
        f"{settings.url} answers, but not as Vault does", remedy="check vault.url and what stands there"
    )


def _told(where: str, error: Exception, refused: str, mend: str) -> VaultTrouble:
    match error:
        case said.InvalidRequest() if refused:
            return VaultTrouble(f"{where}: {refused}", remedy=mend, denied=True)
        case said.Forbidden() | said.Unauthorized():
            remedy = "see that the token is valid and its policy allows to read the secret"
            return VaultTrouble(f"{where}: permission denied", remedy=remedy, denied=True)
        case said.InvalidPath():
            return VaultTrouble(f"{where} has nothing there", remedy="check path and vault.mount; it may be deleted")
        case said.VaultDown() if "sealed" in f"{getattr(error, 'errors', '')} {getattr(error, 'text', '')}".lower():
            return VaultTrouble(f"{where} is sealed", remedy="unseal it")
        case said.VaultDown() | said.BadGateway():
            return VaultTrouble(f"{where} is down", remedy="see the state of Vault")
        case said.VaultNotInitialized():
            return VaultTrouble(f"{where} is not initialized", remedy="initialize it, or correct vault.url")
        case said.RateLimitExceeded():
            return VaultTrouble(f"{where} limits our rate", remedy="see the quotas of Vault")
        case _:
            return VaultTrouble(f"{where} fails: {type(error).__name__}", remedy="see the log of Vault")


def _unreachable(settings: Vault, error: Exception) -> VaultTrouble:
    where = settings.url
    match error:
        case requests.exceptions.SSLError():
            return VaultTrouble(f"{where}: its certificate is not trusted", remedy="set vault.ca to its authority")
        case requests.exceptions.Timeout():
            remedy = "see the state of Vault, or raise vault.timeout_s"
            return VaultTrouble(f"{where} does not answer within {settings.timeout_s} s", remedy=remedy)
        case requests.exceptions.ConnectionError():
            return VaultTrouble(f"{where} cannot be reached", remedy="start it, or correct vault.url")
        case requests.exceptions.ContentDecodingError() | requests.exceptions.InvalidJSONError():
            return _not_vault(settings)
        case OSError() if not isinstance(error, requests.RequestException):
            return VaultTrouble(f"{where}: {error.strerror or type(error).__name__}", remedy="check vault.ca")
        case _:
            return VaultTrouble(f"{where}: {type(error).__name__}", remedy="check vault.url and the state of Vault")
