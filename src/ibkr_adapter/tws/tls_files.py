"""The certificates and keys of a gateway's TLS: read, and judged before anything starts.

They are read twice: before anything starts, so that a mistake is told then, and again for each connection, so that a
certificate that was renewed is used without a restart. There is no way to leave out the verification.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ibkr_adapter.config.model import Tls
from ibkr_adapter.config.secrets import Passphrase
from ibkr_adapter.errors import ConfigurationError, SecretUnavailable

FILE_BYTES_MAX: Final = 4_000_000
"""A bundle of all public authorities has some 250,000 bytes."""

EXPIRES_SOON_S: Final = 14 * 86_400


def check(tls: Tls, path: str, now_s: float, passphrase: Passphrase | None = None) -> list[str]:
    """Raises ``ConfigurationError`` where the files cannot be used; what is accepted but should be known, as text.

    A locked key is opened only with its ``passphrase``: who merely looks at a file has none.
    """
    locked = bool(tls.key_password) and passphrase is None
    client_context(replace(tls, certificate="", key="") if locked else tls, path, passphrase)
    if not tls.certificate:
        return []
    warnings: list[str] = []
    begins_s, ends_s = validity(_text(f"{path}.certificate", tls.certificate))
    if not begins_s <= now_s:
        raise ConfigurationError(
            f"{path}.certificate", f"not valid before {_date(begins_s)}", remedy="check this machine's clock"
        )
    if now_s >= ends_s:
        raise ConfigurationError(
            f"{path}.certificate", f"expired on {_date(ends_s)}", remedy="have it renewed by whoever signed it"
        )
    if ends_s - now_s < EXPIRES_SOON_S:
        warnings.append(f"{path}.certificate: expires on {_date(ends_s)}")
    if os.stat(tls.key).st_mode & 0o077:
        warnings.append(f"{path}.key: others can read {tls.key}: chmod 600 keeps it to this user")
    return warnings


def client_context(tls: Tls, path: str, passphrase: Passphrase | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, the peer's certificate and name verified. Raises ``ConfigurationError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.system_ca:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        authority = _text(f"{path}.ca", tls.ca)
        try:
            context.load_verify_locations(cadata=authority)
        except (ssl.SSLError, ValueError) as failure:
            raise ConfigurationError(
                f"{path}.ca", f"{tls.ca} has no certificates: {_reason(failure)}", remedy="it must be a PEM file"
            ) from None
    if tls.certificate:
        _load_own(context, tls, path, passphrase)
    return context


def _load_own(context: ssl.SSLContext, tls: Tls, path: str, passphrase: Passphrase | None) -> None:
    _text(f"{path}.certificate", tls.certificate)  # the context does not say which of the two it could not read
    _text(f"{path}.key", tls.key)

    asked: list[None] = []

    def opened() -> str:
        asked.append(None)
        if passphrase is None:
            remedy = "name the place of its passphrase in key_password"
            raise ConfigurationError(f"{path}.key", f"{tls.key} is locked by a passphrase", remedy=remedy)
        try:
            return passphrase().reveal()
        except SecretUnavailable as missing:
            raise ConfigurationError("", missing.message, remedy=missing.remedy) from None

    try:
        context.load_cert_chain(tls.certificate, tls.key, password=opened)
    except ssl.SSLError as failure:
        if failure.reason == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(
                f"{path}.key", "does not belong to the certificate", remedy="give the key it was made with"
            ) from None
        if asked:  # OpenSSL tells a wrong one in several ways
            raise ConfigurationError(
                f"{path}.key_password", f"does not open {tls.key}", remedy="give the one it was locked with"
            ) from None
        file = "key" if _holds_certificate(tls.certificate) else "certificate"
        raise ConfigurationError(
            f"{path}.{file}", f"{getattr(tls, file)} cannot be read: {_reason(failure)}", remedy="it must be a PEM file"
        ) from None


def _holds_certificate(file: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        return False
    return True


def _reason(failure: ssl.SSLError | ValueError) -> str:
    reason = failure.reason if isinstance(failure, ssl.SSLError) else None
    return reason.lower().replace("_", " ") if reason else str(failure.args[-1] if failure.args else failure)


def _text(key: str, file: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigurationError(key, f"there is no file {file}", remedy="check the path") from None
    except OSError as failure:
        raise ConfigurationError(
            key, f"cannot read {file}: {failure.strerror}", remedy="give this user the right to read it"
        ) from None
    if len(raw) > FILE_BYTES_MAX or not raw.isascii():
        raise ConfigurationError(key, f"{file} is not a PEM file", remedy='one begins with "-----BEGIN"')
    return raw.decode("ascii")


def _date(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


# --- When a certificate is valid ----------------------------------------------------------------------------------


_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_UTC_TIME = 0x17
_VERSION = 0xA0


def validity(pem: str) -> tuple[float, float]:
    """From when to when the first certificate of a PEM text is valid, in seconds since 1970.

    The standard library tells this of a peer's certificate only. The text must be one that OpenSSL has read. Source:
    RFC 5280, 4.1: Certificate → tbsCertificate → [version] serialNumber signature issuer validity.
    """
    start = pem.index(_BEGIN)
    der = ssl.PEM_cert_to_DER_cert(pem[start : pem.index(_END, start) + len(_END)] + "\n")
    _, certificate, _ = _element(der, 0)
    _, at, _ = _element(der, certificate)
    if der[at] == _VERSION:
        at = _element(der, at)[2]
    for _ in range(3):
        at = _element(der, at)[2]
    _, begins, _ = _element(der, at)
    _, _, ends = _element(der, begins)
    return _time(der, begins), _time(der, ends)


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, where the content begins, and where the next element does."""
    tag, length, content = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[content : content + size], "big")
        content += size
    return tag, content, content + length


def _time(der: bytes, at: int) -> float:
    tag, content, end = _element(der, at)
    text = der[content:end].decode("ascii")
    if tag == _UTC_TIME:  # two digits: 50 and above are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
