"""Which official clients are accepted, what they may be offered, and what an operator is told otherwise."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from ibkr_adapter.errors import ExitCode, PackageError
from ibkr_adapter.tws import versions

pytestmark = pytest.mark.wire


def pretend(monkeypatch: pytest.MonkeyPatch, text: str, server_version_max: int = 226) -> None:
    module, constants = ModuleType("ibapi"), ModuleType("ibapi.server_versions")
    module.get_version_string = lambda: text  # type: ignore[attr-defined]  # a stand-in
    constants.MAX_CLIENT_VER = server_version_max  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "ibapi", module)
    monkeypatch.setitem(sys.modules, "ibapi.server_versions", constants)


def test_the_installed_client_is_recognised() -> None:
    """Distribution, version, channel and licence of what these tests run on."""
    package = versions.installed()
    assert package.tested
    assert package.channel == {"ibapi-stable": "stable", "ibapi-latest": "latest"}[package.distribution]
    assert package.licence.startswith("GPL") == (package.version >= (10, 49))
    assert ".".join(map(str, package.version)) in str(package)


@pytest.mark.parametrize("text", ["9.81.01.1", "10.19.04", "10.30.01", "10.37.01"])
def test_a_client_too_old_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Among them the package that the index still calls ibapi, from 2020."""
    pretend(monkeypatch, text)
    with pytest.raises(PackageError, match=r"at least 10\.37\.2") as refused:
        versions.installed()
    assert "ibapi-stable" in refused.value.remedy
    assert refused.value.exit_code is ExitCode.PACKAGE


def test_a_missing_client_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a bare ImportError from somewhere deep."""
    monkeypatch.setitem(sys.modules, "ibapi", None)  # type: ignore[arg-type]  # how Python marks what cannot be imported
    with pytest.raises(PackageError) as refused:
        versions.installed()
    assert "ibapi-stable" in refused.value.remedy


def test_the_oldest_release_is_offered_text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """10.37.2 cannot encode an order above server version 200."""
    pretend(monkeypatch, "10.37.02", 203)
    assert versions.installed().server_version_max == 200
    pretend(monkeypatch, "10.45.01", 223)
    assert versions.installed().server_version_max == 223


def test_an_untested_release_is_accepted_and_known_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer than all we know: usable, but a doctor can say so."""
    pretend(monkeypatch, "10.99.01", 240)
    assert not versions.installed().tested


def test_a_client_from_the_brokers_own_archive_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package metadata at all: the module's own version counts."""
    pretend(monkeypatch, "10.50.02")
    monkeypatch.setattr(versions, "_version_of", lambda distribution: None)
    package = versions.installed()
    assert (package.distribution, package.channel) == ("unpackaged", "unknown")


def test_the_official_client_is_loaded_only_to_connect() -> None:
    """A command that opens no session works without it, and starts sooner."""
    program = "import sys, ibkr_adapter.tws.session, ibkr_adapter.tws.mailbox; sys.exit('ibapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
