"""The TLS of a gateway in a configuration: what has to be said, and files that cannot be used."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from ibkr_adapter.config import Reference, Secret, Source, Tls
from ibkr_adapter.config.reading import parse
from ibkr_adapter.config.showing import show
from ibkr_adapter.errors import ConfigurationError, ExitCode, SecretUnavailable
from ibkr_adapter.tws.tls_files import check, validity
from tests.papers import Papers

PATH = "gateways.primary.tls"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


def text(*lines: str) -> str:
    return "\n".join(['[gateways.primary]\nhost = "gw.desk"\nport = 4002', f"[{PATH}]", *lines])


def refused(act: Callable[[], object]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        act()
    assert caught.value.remedy
    return caught.value


class TestTable:
    def test_a_gateway_with_tls_may_be_anywhere(self, tmp_path: Path) -> None:
        """It is encrypted, so no host has to be named as an exception; paths count from the file's directory."""
        config = parse(text('ca = "ca.pem"', 'certificate = "c.pem"', 'key = "/keys/k.pem"'), "x", base=tmp_path)
        assert config.gateway.tls == Tls(
            ca=str(tmp_path / "ca.pem"), certificate=str(tmp_path / "c.pem"), key="/keys/k.pem"
        )
        assert config.allow_plaintext == ()

    def test_a_fingerprint_may_be_written_as_tools_print_it(self) -> None:
        """Upper case, and with colons."""
        printed = ":".join(["AB"] * 32)
        tls = parse(text("system_ca = true", f'fingerprint = "{printed}"'), "x").gateway.tls
        assert tls is not None
        assert tls.fingerprint == "ab" * 32

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ([], f"{PATH}.ca"),
            (['ca = "ca.pem"', "system_ca = true"], f"{PATH}.ca"),
            (['ca = "ca.pem"', 'certificate = "c.pem"'], f"{PATH}.key"),
            (['ca = "ca.pem"', 'key = "k.pem"'], f"{PATH}.certificate"),
            (['ca = "ca.pem"', 'fingerprint = "abc"'], f"{PATH}.fingerprint"),
            (['ca = "ca.pem"', 'server_name = "a b"'], f"{PATH}.server_name"),
            (['ca = "a\\u0007b"'], f"{PATH}.ca"),
            (['ca = "~nobody-of-this-name/ca.pem"'], f"{PATH}.ca"),
            (['ca = "ca.pem"', "verify = false"], f"{PATH}.verify"),
            (['ca = "ca.pem"', "insecure = true"], f"{PATH}.insecure"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, lines: list[str], path: str) -> None:
        """Nothing switches the verification off, and whom to trust has to be said."""
        assert refused(lambda: parse(text(*lines), "x")).path == path

    def test_an_empty_table_is_no_plaintext(self) -> None:
        """It must not look as if nothing had been asked for."""
        assert refused(lambda: parse("[gateways.primary]\nport = 4002\ntls = {}", "x")).path == f"{PATH}.ca"
        assert refused(lambda: parse("[gateways.primary]\nport = 4002\ntls = true", "x")).path == PATH

    def test_it_is_shown_as_it_is_in_force(self, tmp_path: Path) -> None:
        """And what is shown means the same when it is read again."""
        config = parse(text('ca = "ca.pem"', 'server_name = "tunnel"'), "x", base=tmp_path)
        again = parse(show(config), "y", base=tmp_path / "elsewhere")
        assert again.gateway == config.gateway


class TestFiles:
    def test_files_that_fit_are_taken(self, papers: Papers) -> None:
        """Authority alone, with a certificate of ours, and those of the system."""
        assert check(papers.tls(), PATH, time.time()) == []
        assert check(papers.tls(**papers.ours()), PATH, time.time()) == []
        assert check(Tls(system_ca=True), PATH, time.time()) == []

    def test_a_missing_or_unreadable_file_is_named_by_its_key(self, papers: Papers, tmp_path: Path) -> None:
        """For each of the three; a directory is no file either."""
        for name in ("ca", "certificate", "key"):
            for file in (tmp_path / "nothing.pem", tmp_path):
                error = refused(lambda name=name, file=file: check(papers.tls(**papers.ours() | {name: file}), PATH, 0))
                assert error.path == f"{PATH}.{name}"
                assert str(file) in error.message

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"no certificate\n",
            b"\x30\x82\x01\x0a\xff",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ],
    )
    def test_a_malformed_file_is_named_by_its_key(self, papers: Papers, tmp_path: Path, content: bytes) -> None:
        """Empty, text, DER, and a block that holds no certificate."""
        broken = tmp_path / "broken.pem"
        broken.write_bytes(content)
        for name in ("ca", "certificate", "key"):
            error = refused(lambda name=name: check(papers.tls(**papers.ours() | {name: broken}), PATH, 0))
            assert error.path == f"{PATH}.{name}", error

    def test_a_key_of_another_certificate_is_refused(self, papers: Papers) -> None:
        """A pair that was mixed up."""
        error = refused(lambda: check(papers.tls(certificate=papers.certificate, key=papers.other_key), PATH, 0))
        assert (error.path, error.message) == (f"{PATH}.key", f"{PATH}.key: does not belong to the certificate")

    def test_a_locked_key_is_opened_by_its_passphrase_and_nobody_is_asked(self, papers: Papers, tmp_path: Path) -> None:
        """A service has nobody at its terminal: no passphrase, a wrong one, or none at hand is a refusal."""
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(papers.key.read_bytes(), None)
        locked = tmp_path / "locked.pem"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"open sesame"),
            )
        )
        error = refused(lambda: check(papers.tls(certificate=papers.certificate, key=locked), PATH, 0))
        assert error.path == f"{PATH}.key"
        assert "passphrase" in error.message
        named = replace(
            papers.tls(certificate=papers.certificate, key=locked), key_password=Reference(Source.ENV, "OPENS_THE_KEY")
        )
        locked.chmod(0o600)
        now_s = time.time()
        assert check(named, PATH, now_s) == [], "who merely looks at the file cannot open the key"
        assert check(named, PATH, now_s, lambda: Secret("open sesame")) == []
        wrong = refused(lambda: check(named, PATH, now_s, lambda: Secret("open barley")))
        assert wrong.path == f"{PATH}.key_password"
        assert "barley" not in str(wrong)

        def away() -> Secret:
            raise SecretUnavailable(f"{PATH}.key_password", "was read too long ago", remedy="see the state of Vault")

        assert refused(lambda: check(named, PATH, now_s, away)).remedy == "see the state of Vault"

    def test_our_own_certificate_has_to_be_valid_today(self, papers: Papers) -> None:
        """Told before the start, with the day; not by a tunnel at night."""
        expired = papers.tls(certificate=papers.expired_certificate, key=papers.expired_key)
        yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
        assert f"expired on {yesterday}" in refused(lambda: check(expired, PATH, time.time())).message
        assert "not valid before" in refused(lambda: check(papers.tls(**papers.ours()), PATH, 0)).message

    def test_a_certificate_that_expires_soon_is_told(self, papers: Papers) -> None:
        """Two weeks before its end, as a warning."""
        _, ends_s = validity(papers.certificate.read_text())
        assert check(papers.tls(**papers.ours()), PATH, ends_s - 15 * 86_400) == []
        (warning,) = check(papers.tls(**papers.ours()), PATH, ends_s - 13 * 86_400)
        assert warning.startswith(f"{PATH}.certificate: expires on ")

    def test_a_key_that_others_can_read_is_told(self, papers: Papers, tmp_path: Path) -> None:
        """As a warning: some systems give it to a group on purpose."""
        key = tmp_path / "key.pem"
        key.write_bytes(papers.key.read_bytes())
        key.chmod(0o640)
        (warning,) = check(papers.tls(certificate=papers.certificate, key=key), PATH, time.time())
        assert warning == f"{PATH}.key: others can read {key}: chmod 600 keeps it to this user"

    @pytest.mark.parametrize("year", [2049, 2050, 2199])
    def test_dates_of_either_form_are_read(self, year: int) -> None:
        """Certificates write years up to 2049 with two digits, later ones with four."""
        begins, ends = datetime(1999, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(year, 12, 30, 23, 59, 58, tzinfo=UTC)
        issued = trustme.CA().issue_cert("x.desk", not_before=begins, not_after=ends)
        pem = issued.cert_chain_pems[0].bytes().decode()
        assert validity("# a comment\n" + pem) == (begins.timestamp(), ends.timestamp())


def ibkr_adapter(*command: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "ibkr_adapter", *command]
    return subprocess.run(program, capture_output=True, text=True, timeout=50, check=False)


class TestStart:
    def test_neither_check_nor_service_goes_on_with_files_that_cannot_be_used(self, tmp_path: Path) -> None:
        """The same message from both, and the code of a wrong configuration."""
        file = tmp_path / "desk.toml"
        file.write_text(text('ca = "missing.pem"'))
        for command in (["check-config", str(file)], ["run", "--config", str(file)]):
            ended = ibkr_adapter(*command)
            assert ended.returncode == ExitCode.CONFIGURATION
            assert f"{PATH}.ca: there is no file {tmp_path / 'missing.pem'}" in ended.stderr

    def test_files_of_gateways_that_are_not_in_use_are_left_alone(self, tmp_path: Path) -> None:
        """The keys of production need not be on a developer's machine."""
        file = tmp_path / "desk.toml"
        file.write_text(
            '[gateways.primary]\nport = 7497\n[gateways.other]\nhost = "gw.desk"\nport = 4002\n'
            '[gateways.other.tls]\nca = "missing.pem"\n'
        )
        ended = ibkr_adapter("check-config", str(file))
        assert ended.returncode == 0, ended.stderr
