"""Certificates for tests: two authorities, and what they sign for a tunnel and for us."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from ibkr_adapter.config import Tls


class Papers:
    """Everything in files of one directory. ``ca`` signed the tunnel's certificate and ours, ``other_ca`` neither."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._authority, stranger = trustme.CA(), trustme.CA()
        self.ca = self._write("ca.pem", self._authority.cert_pem)
        self.other_ca = self._write("other-ca.pem", stranger.cert_pem)
        tunnel = self._authority.issue_cert("127.0.0.1", "localhost", "tunnel.desk")
        self.tunnel_certificate = self._write("tunnel.pem", *tunnel.cert_chain_pems)
        self.tunnel_key = self._write("tunnel-key.pem", tunnel.private_key_pem)
        self.certificate, self.key = self._pair("ours", self._authority)
        self.other_certificate, self.other_key = self._pair("other", stranger)
        self.expired_certificate, self.expired_key = self._expired()

    def _write(self, name: str, *blobs: trustme.Blob) -> Path:
        path = self.directory / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        path.chmod(0o600)
        return path

    def _pair(self, name: str, authority: trustme.CA) -> tuple[Path, Path]:
        issued = authority.issue_cert(f"{name}.desk")
        return (
            self._write(f"{name}.pem", *issued.cert_chain_pems),
            self._write(f"{name}-key.pem", issued.private_key_pem),
        )

    def _expired(self) -> tuple[Path, Path]:
        """Good for 127.0.0.1 and for a client, until yesterday."""
        now = datetime.now(UTC)
        issued = self._authority.issue_cert(
            "127.0.0.1", not_before=now - timedelta(days=2), not_after=now - timedelta(days=1)
        )
        return (
            self._write("expired.pem", *issued.cert_chain_pems),
            self._write("expired-key.pem", issued.private_key_pem),
        )

    def tls(self, **changes: object) -> Tls:
        """What a configuration says that trusts the tunnel."""
        given = {"ca": self.ca} | changes
        return Tls(**{name: str(value) if isinstance(value, Path) else value for name, value in given.items()})

    def ours(self) -> dict[str, Path]:
        return {"certificate": self.certificate, "key": self.key}

    def fingerprint(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.tunnel_certificate.read_text())).hexdigest()

    def tunnel(
        self, *, clients: Path | None = None, certificate: Path | None = None, key: Path | None = None
    ) -> ssl.SSLContext:
        """The far end; with ``clients`` it wants certificates that this authority signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or self.tunnel_certificate, key or self.tunnel_key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return context
