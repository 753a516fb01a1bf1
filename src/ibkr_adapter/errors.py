"""Whose fault is it, and can it be tried again: the errors this package raises."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line exits with, one code for each kind of trouble an operator acts on differently."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIGURATION = 3
    PACKAGE = 4
    SECRET = 5
    GATEWAY_REFUSED = 10
    GATEWAY_SILENT = 11
    GATEWAY_CLOSED = 12
    CLIENT_ID_IN_USE = 13
    ACCOUNT_MISMATCH = 14
    UNKNOWN_SYMBOL = 15
    GATEWAY_VERSION = 16
    MARKET_DATA = 17
    GATEWAY_SETTING = 18
    GATEWAY_TLS = 19
    ALREADY_RUNNING = 20
    JOURNAL = 21
    STORE = 22
    ADDRESS_IN_USE = 23
    LEASE_LOST = 25
    NOT_RUNNING = 30
    ORDER_REFUSED = 31
    ORDER_REJECTED = 32


class IbkrError(Exception):
    """Base of all. ``remedy`` says what an operator can do about it; ``exit_code`` is what a command ends with."""

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class LocalError(IbkrError):
    """Raised before anything was sent: ours or the caller's to mend."""


class ConfigurationError(LocalError):
    """A configuration that cannot be used; ``path`` names the key, as in ``trading.limits.order_notional_usd``."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, path: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message, remedy=remedy)
        self.path = path


class PackageError(LocalError):
    """The official client is missing, too old, or not one we have tested."""

    exit_code = ExitCode.PACKAGE


class SecretUnavailable(LocalError):
    """A secret cannot be read where it stands; ``path`` names the key that wants it. No text of it holds a value."""

    exit_code = ExitCode.SECRET

    def __init__(self, path: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{path}: {message}", remedy=remedy)
        self.path = path


class InvalidRequest(LocalError):
    """A field of a command or request is not usable; ``field`` names it."""

    exit_code = ExitCode.USAGE

    def __init__(self, field: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{field}: {message}", remedy=remedy)
        self.field = field


class ReadOnlyClient(LocalError):
    """This component was built without the capability to send orders."""


class AlreadyRunning(LocalError):
    """Another process holds the client id's lease or the journal."""

    exit_code = ExitCode.ALREADY_RUNNING


class AccountMismatch(LocalError):
    """The gateway's accounts are not those of the environment, or not for this component."""

    exit_code = ExitCode.ACCOUNT_MISMATCH


class LeaseLost(LocalError):
    """Another machine has taken our client id: this process must end."""

    exit_code = ExitCode.LEASE_LOST


class LeaseLapsed(LocalError):
    """Our hold on the client id has run out: nothing may use it before it is renewed."""


class JournalError(LocalError):
    """The journal cannot be written or does not verify; trading stops."""

    exit_code = ExitCode.JOURNAL


class StoreError(LocalError):
    """A store cannot be opened or written."""

    exit_code = ExitCode.STORE


class SlowConsumer(LocalError):
    """A subscription that may lose nothing was about to; it has ended."""


class AddressInUse(LocalError):
    """The page's address cannot be listened on."""

    exit_code = ExitCode.ADDRESS_IN_USE


class NotRunning(LocalError):
    """No running service was found to talk to."""

    exit_code = ExitCode.NOT_RUNNING


class SessionError(IbkrError):
    """The connection failed; may be tried again."""


class GatewayRefused(SessionError):
    exit_code = ExitCode.GATEWAY_REFUSED


class HandshakeTimeout(SessionError):
    exit_code = ExitCode.GATEWAY_SILENT


class GatewayClosed(SessionError):
    exit_code = ExitCode.GATEWAY_CLOSED


class UnsupportedServer(SessionError):
    exit_code = ExitCode.GATEWAY_VERSION
