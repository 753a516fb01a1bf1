"""What OpenSSL says went wrong, as a cause and a sentence with its remedy."""

from __future__ import annotations

import re
import ssl

from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.ending import Ended

_UNKNOWN_AUTHORITY = (
    "was not signed by an authority we trust: give the one that signed it with tls.ca; if it was not replaced on"
    " purpose, somebody may stand between us and the gateway"
)
_OTHER_NAME = "is made out to another name: set tls.server_name to the one it has, if it is the tunnel's"

_NOT_TRUSTED = {
    2: _UNKNOWN_AUTHORITY,
    9: "is not valid yet: check the clocks of both machines",
    10: "has expired: renew it where the tunnel ends",
    18: _UNKNOWN_AUTHORITY,
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    23: "was revoked: replace it where the tunnel ends",
    26: "is not made for a server: have one issued that is",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
"""By the number of OpenSSL's verdict (``X509_V_ERR_...`` in x509_vfy.h)."""

_REFUSED_OURS = {
    "certificate required": "the tunnel wants a certificate of ours: set tls.certificate and tls.key",
    "bad certificate": "the tunnel does not accept our certificate: have one signed by the authority it trusts",
    "unknown ca": "the tunnel does not know the authority of our certificate: have one signed by the one it trusts",
    "certificate expired": "the tunnel finds our certificate expired: have it renewed, and check both clocks",
    "certificate revoked": "the tunnel finds our certificate revoked: have another one issued",
    "certificate unknown": "the tunnel does not accept our certificate: have one signed by the authority it trusts",
    "unsupported certificate": "our certificate is not made for a client: have one issued that is",
    "access denied": "the tunnel does not let our certificate in: have it added there",
    "handshake failure": "the tunnel ended the handshake: it may want a certificate of ours (tls.certificate), or"
    " have no cipher in common with us",
}
"""By the alert with which the peer ends the connection (RFC 8446, 6.2)."""

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_ALERT_(.+)")
_OLD = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION")


def ended_by(failure: ssl.SSLError, *, shaken: bool) -> Ended:
    """The end of a session by what TLS found wrong; ``shaken``: after the handshake was done on our side."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return not_trusted(_NOT_TRUSTED.get(failure.verify_code, f"is refused: {failure.verify_message}"))
    reason = failure.reason or type(failure).__name__
    if reason in _OLD:
        return Ended(LossCause.TLS, "the tunnel speaks no TLS of version 1.2 or later: update it")
    alert = _ALERT.fullmatch(reason)
    said = alert[1].lower().replace("_", " ") if alert else ""
    if said in _REFUSED_OURS:
        return Ended(LossCause.CERTIFICATE_WANTED, _REFUSED_OURS[said])
    when = "" if shaken else " in the handshake"
    what = f"the tunnel says: {said}" if said else reason.lower().replace("_", " ")
    return Ended(LossCause.TLS, f"TLS failed{when}: {what}")


def not_trusted(why: str) -> Ended:
    return Ended(LossCause.CERTIFICATE, f"the tunnel's certificate {why}")
