from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from ibkr_adapter.config import Reference, Secret, Source
from ibkr_adapter.config.reading import parse
from ibkr_adapter.config.references import references
from ibkr_adapter.config.showing import show
from tests.config.refusals import refused

CANARY = "canary-7f3a-value"

VAULT = """
[vault]
url = "https://vault.desk:8200"
role_id = "env:ROLE_ID"
secret_id = "file:secret_id"
"""


class TestSecret:
    def test_a_secret_shows_itself_to_reveal_alone(self) -> None:
        """Printed, formatted, copied into text, nested or pickled it is three stars."""
        secret = Secret(CANARY)
        assert secret.reveal() == CANARY
        shown = [
            str(secret),
            repr(secret),
            f"{secret}",
            f"{secret:>30}",
            f"{secret!r}",
            str([secret]),
            str({"a": secret}),
        ]
        shown += [json.dumps(secret, default=str), pickle.loads(pickle.dumps(secret)).reveal()]
        assert all("canary" not in text and "***" in text for text in shown)

    def test_a_secret_cannot_be_written_as_json(self) -> None:
        """Without being told how, JSON refuses it; with ``default=str`` it is three stars."""
        with pytest.raises(TypeError):
            json.dumps({"password": Secret(CANARY)})

    def test_a_secret_equals_its_equal_and_has_no_hash(self) -> None:
        """Compared in constant time; a hash would be a trace of it."""
        assert Secret(CANARY) == Secret(CANARY)
        assert Secret(CANARY) != Secret("another")
        assert Secret(CANARY) != CANARY
        with pytest.raises(TypeError):
            hash(Secret(CANARY))

    def test_a_copy_is_the_secret_itself(self) -> None:
        """Copying a configuration does not lose its secrets."""
        assert copy.deepcopy(Secret(CANARY)).reveal() == copy.copy(Secret(CANARY)).reveal() == CANARY


class TestPlaces:
    @pytest.mark.parametrize(
        ("text", "source", "place"),
        [
            ("env:REDIS_PASSWORD", Source.ENV, "REDIS_PASSWORD"),
            ("file:/run/secrets/redis", Source.FILE, "/run/secrets/redis"),
            ("vault:desk/redis#password", Source.VAULT, "desk/redis#password"),
        ],
    )
    def test_a_place_is_kept_as_written(self, text: str, source: Source, place: str) -> None:
        """Environment, file and Vault; shown as in the file, and told no value."""
        config = parse(f'[redis]\npassword = "{text}"\n{VAULT}', "desk.toml")
        assert (config.redis.password.source, config.redis.password.place) == (source, place)
        assert f'password = "{text}"' in show(config)
        assert not [warning for warning in config.warnings if "redis" in warning]

    def test_a_file_counts_from_the_configuration(self, tmp_path: Path) -> None:
        """As every other path of it."""
        config = parse('[redis]\npassword = "file:secret"', "desk.toml", base=tmp_path)
        assert config.redis.password == Reference(Source.FILE, str(tmp_path / "secret"))

    def test_a_secret_in_the_file_is_warned_of_and_never_shown(self) -> None:
        """It works; the warning names the key and the remedy, and nothing repeats it."""
        config = parse(f'[redis]\npassword = "{CANARY}"\n[http]\ntoken = "{CANARY}"', "desk.toml")
        assert config.redis.password.literal == Secret(CANARY)
        assert [warning.partition(":")[0] for warning in config.warnings] == ["http.token", "redis.password"]
        assert "env:NAME" in config.warnings[0]
        assert "canary" not in show(config) + repr(config) + str(config.warnings) + repr(references(config))
        assert 'password = "***"' in show(config)

    def test_a_password_in_the_address_is_warned_of(self) -> None:
        """Its place is redis.password; both at once are refused."""
        config = parse(f'[redis]\nurl = "redis://desk:{CANARY}@localhost"', "desk.toml")
        assert "redis.password" in config.warnings[0]
        assert "canary" not in show(config) + repr(config) + config.warnings[0]
        both = refused(f'[redis]\nurl = "redis://:{CANARY}@localhost"\npassword = "env:X"')
        assert both.path == "redis.password"
        assert "canary" not in str(both)

    @pytest.mark.parametrize(
        "text",
        [f"valut:{CANARY}#b", f"vault:{CANARY}", f"vault:../{CANARY}#f", f"env:{CANARY}", f"Env:{CANARY}", "file:"],
    )
    def test_a_place_that_is_none_names_its_key_and_repeats_nothing(self, text: str) -> None:
        """It may be the secret itself, mistyped."""
        error = refused(f'[redis]\npassword = "{text}"\n{VAULT}')
        assert error.path == "redis.password"
        assert error.remedy
        assert "canary" not in str(error)

    @pytest.mark.parametrize("value", ["5", "true", '["a"]', f'"{"x" * 2_000}"', '"a\\nb"'])
    def test_what_is_no_text_is_refused(self, value: str) -> None:
        """A number, a list, a text too long or with control characters."""
        assert refused(f"[redis]\npassword = {value}").path == "redis.password"


class TestVault:
    def test_a_secret_in_vault_needs_a_vault(self) -> None:
        """Refused by the key of the secret, with the remedy."""
        error = refused('[redis]\npassword = "vault:desk/redis#password"')
        assert (error.path, error.remedy) == ("redis.password", "add [vault] with url")

    @pytest.mark.parametrize(
        ("lines", "key"),
        [
            ('url = "http://vault.desk:8200"', "vault.url"),
            ('url = "https://user:pw@vault.desk"', "vault.url"),
            ('url = "vault.desk:8200"', "vault.url"),
            ('url = "https://vault.desk/?x=1"', "vault.url"),
            ('url = "https://vault.desk"', "vault.role_id"),
            ('url = "https://vault.desk"\nauth = "token"', "vault.token"),
            ('url = "https://vault.desk"\nauth = "ldap"', "vault.auth"),
            ('url = "https://vault.desk"\nauth = "token"\ntoken = "vault:a/b#c"', "vault.token"),
            ('url = "https://vault.desk"\nauth = "token"\ntoken = "env:T"\nmount = "../x"', "vault.mount"),
            ('url = "https://vault.desk"\nauth = "token"\ntoken = "env:T"\ntimeout_s = 0', "vault.timeout_s"),
            ('url = "https://vault.desk"\nauth = "token"\ntoken = "env:T"\nttl_s = 5', "vault.ttl_s"),
        ],
    )
    def test_what_cannot_be_used_names_its_key(self, lines: str, key: str) -> None:
        """Plaintext beyond this machine, credentials in the address, missing credentials, values out of range."""
        assert refused(f"[vault]\n{lines}").path == key

    def test_plaintext_is_for_this_machine_or_a_host_that_is_named(self) -> None:
        """The rule of the gateways."""
        credentials = 'auth = "token"\ntoken = "env:T"'
        assert parse(f'[vault]\nurl = "http://127.0.0.1:8200"\n{credentials}', "x").vault.url
        named = f'allow_plaintext = ["vault.desk"]\n[vault]\nurl = "http://vault.desk:8200"\n{credentials}'
        assert parse(named, "x").vault.url
