"""Where secrets come from, against a stub of Vault over real HTTP. Time is an argument, so no test waits for a TTL."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.config import Config, Reference, Secret, Source
from ibkr_adapter.config.reading import parse
from ibkr_adapter.errors import ExitCode, SecretUnavailable
from ibkr_adapter.ops import logging as structured
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.ops.vaulted import RETRY_NS, Trouble
from tests.vault_stub import ROLE_ID, SECRET_ID, STATIC_TOKEN, VaultStub, running_stub

HOUR = 60 * MINUTE
START_NS = 1_764_000_000 * SECOND
KEY = "redis.password"
PLACE = Reference(Source.VAULT, "desk/redis#password")
CANARY = "canary"


class Clock:
    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> int:
        return self.ns


@pytest.fixture
def stub() -> Iterator[VaultStub]:
    with running_stub() as stub:
        yield stub


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLE_ID", ROLE_ID)
    monkeypatch.setenv("SECRET_ID", SECRET_ID)
    monkeypatch.setenv("VAULT_TOKEN_OF_TEST", STATIC_TOKEN)


@pytest.fixture(autouse=True)
def lines() -> Iterator[io.StringIO]:
    """Every line of every logger, at the most talkative level."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structured.configure("debug", stream=stream, pretty=False)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def config(stub: VaultStub | str, *, redis: str = "vault:desk/redis#password", **vault: object) -> Config:
    url = stub if isinstance(stub, str) else stub.url
    given = {"url": url, "role_id": "env:ROLE_ID", "secret_id": "env:SECRET_ID", "timeout_s": 5, **vault}
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in given.items())
    return parse(f'[redis]\npassword = "{redis}"\n[vault]\n{table}', "desk.toml")


class Held:
    """Opened secrets, the time they live in, and what they told of trouble."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self.secrets, self.clock = secrets, clock
        self.told: list[Trouble | None] = []
        self.trouble_told = asyncio.Event()
        secrets._on_trouble = self._hear

    def _hear(self, trouble: Trouble | None) -> None:
        self.told.append(trouble)
        self.trouble_told.set()

    def value(self) -> str:
        return self.secrets.value(KEY, PLACE).reveal()

    async def wait(self, ns: int) -> Trouble | None:
        """Let time pass; whatever is due is done at the moment it is due."""
        end_ns = self.clock.ns + ns
        vaulted = self.secrets._vaulted
        assert vaulted is not None
        while (due_ns := vaulted.due_ns()) <= end_ns:
            self.clock.ns = max(self.clock.ns, due_ns)
            await self.secrets._turn(vaulted)
        self.clock.ns = end_ns
        self.secrets._tell(vaulted)
        return vaulted.trouble(end_ns)


async def opened(config: Config) -> Held:
    clock = Clock()
    held = Held(Secrets(config, clock), clock)
    await held.secrets.open()
    return held


async def refused(config: Config) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as caught:
        await opened(config)
    assert caught.value.exit_code == ExitCode.SECRET
    assert caught.value.remedy
    assert CANARY not in str(caught.value) + repr(caught.value) + str(caught.value.__context__ or "")
    return caught.value


class TestOnThisMachine:
    async def test_environment_file_and_literal(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is read once, the line break at the end of a file is not part of it."""
        monkeypatch.setenv("REDIS_PASSWORD", "of-environment-canary")
        (tmp_path / "redis").write_text("of-file canary\n")
        for text, value in [
            ("env:REDIS_PASSWORD", "of-environment-canary"),
            (f"file:{tmp_path}/redis", "of-file canary"),
            ("of-itself-canary", "of-itself-canary"),
        ]:
            desk = parse(f'[redis]\npassword = "{text}"', "desk.toml")
            held = await opened(desk)
            assert held.secrets.value(KEY, desk.redis.password) == Secret(value)
            assert CANARY not in repr(held.secrets)

    @pytest.mark.parametrize("text", ["env:NOT_SET_HERE", "file:/nowhere/at/all", "file:/dev/null", "file:/"])
    async def test_a_secret_that_is_not_there_names_its_key(self, text: str) -> None:
        """A variable that is not set, a file that is missing, empty or a directory."""
        error = await refused(parse(f'[redis]\npassword = "{text}"', "desk.toml"))
        assert error.path == KEY
        assert text in error.message

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 70_000, b"\n"])
    async def test_a_file_that_holds_no_secret_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """No text, too much of it, or only a line break."""
        (tmp_path / "secret").write_bytes(content)
        assert (await refused(parse(f'redis.password = "file:{tmp_path}/secret"', "desk.toml"))).path == KEY

    async def test_no_secret_is_no_thread_and_no_question(self) -> None:
        """A configuration without references opens at once."""
        held = await opened(parse("", "desk.toml"))
        assert held.secrets.source(KEY, Reference()) is None


class TestStart:
    async def test_approle_logs_in_and_reads(self, stub: VaultStub) -> None:
        """Role and secret id for a token, the token for the secret."""
        held = await opened(config(stub))
        assert held.value() == "redis-canary-1f2e"
        assert stub.asked == [("POST", "/v1/auth/approle/login"), ("GET", "/v1/secret/data/desk/redis")]

    async def test_a_token_is_looked_up_and_reads(self, stub: VaultStub) -> None:
        """Its time to live is Vault's word, not ours."""
        held = await opened(config(stub, auth="token", token="env:VAULT_TOKEN_OF_TEST"))
        assert held.value() == "redis-canary-1f2e"
        assert stub.asked[0] == ("GET", "/v1/auth/token/lookup-self")

    async def test_namespace_and_no_environment(self, stub: VaultStub, monkeypatch: pytest.MonkeyPatch) -> None:
        """The namespace is sent; VAULT_TOKEN, VAULT_ADDR and proxies of the environment are not obeyed."""
        for name in ("VAULT_TOKEN", "VAULT_ADDR", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        await opened(config(stub, namespace="desk/"))
        assert [headers.get("X-Vault-Namespace") for headers in stub.headers] == ["desk/", "desk/"]
        assert "X-Vault-Token" not in stub.headers[0]

    async def test_two_fields_of_one_secret_are_read_once(self, stub: VaultStub) -> None:
        """One request for each path."""
        stub.secrets["desk/redis"]["token"] = "console-canary-0123456789"
        desk = parse(
            f'redis.password = "vault:desk/redis#password"\nhttp.token = "vault:desk/redis#token"\n[vault]\n'
            f'url = "{stub.url}"\nrole_id = "env:ROLE_ID"\nsecret_id = "env:SECRET_ID"',
            "desk.toml",
        )
        held = await opened(desk)
        assert held.secrets.value("http.token", desk.http.token) == Secret("console-canary-0123456789")
        assert len(stub.asked) == 2

    @pytest.mark.parametrize(
        ("mode", "words"),
        [
            ("sealed", "is sealed"),
            ("down", "is down"),
            ("standby", "sends us elsewhere"),
            ("denied", "permission denied"),
            ("uninitialized", "not initialized"),
            ("limited", "limits our rate"),
            ("broken", "fails"),
            ("html", "not as Vault does"),
            ("half", "not as Vault does"),
            ("list", "not as Vault does"),
            ("empty", "not as Vault does"),
            ("errors", "not as Vault does"),
            ("endless", "not as Vault does"),
            ("hangs_up", "cannot be reached"),
        ],
    )
    async def test_a_vault_that_fails_or_lies_ends_the_start(self, stub: VaultStub, mode: str, words: str) -> None:
        """E14: what is wrong, at which address, with a remedy; whatever Vault echoes back is not repeated."""
        stub.mode = mode
        error = await refused(config(stub))
        assert error.path == "vault"
        assert words in error.message
        assert stub.url in error.message

    @pytest.mark.parametrize(
        ("mode", "words"),
        [
            ("denied", "permission denied"),
            ("missing", "no text in field password of desk/redis"),
            ("number", "no text in field password of desk/redis"),
            ("empty", "no secret of version 2"),
            ("errors", "not as Vault does"),
            ("html", "not as Vault does"),
        ],
    )
    async def test_a_secret_that_cannot_be_read_names_its_key(self, stub: VaultStub, mode: str, words: str) -> None:
        """E14: the login works, the reading does not: the key that wants it, and where it should stand."""
        stub.mode, stub.only = mode, "/data/"
        error = await refused(config(stub))
        assert error.path == KEY
        assert "vault:desk/redis#password" in error.message
        assert words in error.message

    async def test_a_path_that_is_not_there_names_its_key(self, stub: VaultStub) -> None:
        """404 of the KV engine."""
        error = await refused(config(stub, redis="vault:desk/postgres#password"))
        assert "has nothing there" in error.message

    async def test_a_wrong_secret_id_is_said(self, stub: VaultStub, monkeypatch: pytest.MonkeyPatch) -> None:
        """Although Vault's own answer repeats what was sent, ours does not."""
        monkeypatch.setenv("SECRET_ID", "wrong-canary")
        error = await refused(config(stub))
        assert "does not accept this role id and secret id" in error.message

    async def test_a_vault_that_is_not_there_ends_the_start(self) -> None:
        """Nothing listens at the address."""
        error = await refused(config("http://127.0.0.1:9"))
        assert "cannot be reached" in error.message

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("mode", ["slow", "drip"])
    async def test_a_slow_vault_ends_the_start_in_time(self, stub: VaultStub, mode: str) -> None:
        """E14: silence ends an exchange, and three times that the opening, however busily bytes drip."""
        stub.mode = mode
        began_s = time.monotonic()
        error = await refused(config(stub, timeout_s=0.2))
        assert "does not answer within 0." in error.message
        assert time.monotonic() - began_s < 20

    async def test_a_wrong_authority_is_said(self, stub: VaultStub, tmp_path: Path) -> None:
        """A file that is missing, before a byte is sent."""
        error = await refused(config(stub.url.replace("http:", "https:"), ca=str(tmp_path / "ca.pem")))
        assert "vault.ca" in error.remedy


class TestLater:
    async def test_a_token_is_renewed_at_half_of_its_life(self, stub: VaultStub) -> None:
        """Before that nothing is asked; the value is read again with its own life."""
        held = await opened(config(stub, ttl_s=36_000))
        await held.wait(29 * MINUTE)
        assert len(stub.asked) == 2
        await held.wait(2 * MINUTE)
        assert stub.asked[2:] == [("POST", "/v1/auth/token/renew-self")]

    async def test_a_token_that_cannot_be_renewed_is_replaced_by_a_login(self, stub: VaultStub) -> None:
        """At half of its life, without a word of trouble."""
        stub.renewable = False
        held = await opened(config(stub, ttl_s=36_000))
        assert await held.wait(31 * MINUTE) is None
        assert stub.asked[2:] == [("POST", "/v1/auth/approle/login")]

    async def test_a_token_near_its_longest_life_is_replaced_by_a_login(self, stub: VaultStub) -> None:
        """A renewal that brings less than half is no renewal."""
        held = await opened(config(stub, ttl_s=36_000))
        stub.ttl_s = 600
        await held.wait(31 * MINUTE)
        assert [path for _, path in stub.asked[2:4]] == ["/v1/auth/token/renew-self", "/v1/auth/approle/login"]

    async def test_a_revoked_token_is_replaced_by_a_login(self, stub: VaultStub) -> None:
        """Found at the next reading; the secret id is still good."""
        held = await opened(config(stub))
        stub.revoke()
        stub.secrets["desk/redis"]["password"] = "rotated-canary"
        assert await held.wait(31 * MINUTE) is None
        assert held.value() == "rotated-canary"

    async def test_a_rotated_secret_is_used_and_logged_by_its_key(self, stub: VaultStub, lines: io.StringIO) -> None:
        """Read again at half of its life; the line has the key alone."""
        held = await opened(config(stub))
        stub.secrets["desk/redis"]["password"] = "rotated-canary"
        await held.wait(31 * MINUTE)
        assert held.value() == "rotated-canary"
        changes = [json.loads(line) for line in lines.getvalue().splitlines() if "secret_changed" in line]
        assert [change["key"] for change in changes] == [KEY]

    @pytest.mark.parametrize(
        "mode", ["sealed", "down", "denied", "standby", "html", "errors", "missing", "number", "empty", "hangs_up"]
    )
    @pytest.mark.fault("E14")
    async def test_what_was_read_is_used_until_its_end_and_no_longer(self, stub: VaultStub, mode: str) -> None:
        """E14: told from half of its life, as near its end from nine tenths, then it is no longer handed out."""
        held = await opened(config(stub))
        stub.mode = mode
        assert await held.wait(29 * MINUTE) is None
        at_half = await held.wait(2 * MINUTE)
        assert at_half is not None
        assert not at_half.near_end
        assert at_half.remedy
        assert held.value() == "redis-canary-1f2e"
        near_end = await held.wait(24 * MINUTE)
        assert near_end is not None
        assert near_end.near_end
        assert held.value() == "redis-canary-1f2e"
        over = await held.wait(6 * MINUTE)
        assert over is not None
        assert "no longer used" in over.text
        with pytest.raises(SecretUnavailable) as caught:
            held.value()
        assert caught.value.path == KEY
        assert CANARY not in f"{over} {near_end} {at_half} {caught.value}"

    async def test_vault_coming_back_mends_everything_by_itself(self, stub: VaultStub) -> None:
        """Even after the end of token and value: the next try logs in and reads."""
        held = await opened(config(stub))
        stub.mode = "sealed"
        await held.wait(2 * HOUR)
        stub.mode = "well"
        stub.revoke()
        assert await held.wait(RETRY_NS) is None
        assert held.value() == "redis-canary-1f2e"
        assert held.told[-1] is None
        assert held.told[0] is not None

    async def test_failing_is_retried_every_ten_seconds_and_not_more(self, stub: VaultStub) -> None:
        """A Vault that is down is not stormed."""
        held = await opened(config(stub))
        stub.mode = "down"
        await held.wait(30 * MINUTE)
        before = len(stub.asked)
        await held.wait(MINUTE)
        assert len(stub.asked) - before == 6

    async def test_a_token_given_by_hand_that_ends_is_told_from_its_half(self, stub: VaultStub) -> None:
        """It cannot be renewed and nobody can log in: trouble, until a new one stands at its place."""
        stub.renewable = False
        held = await opened(config(stub, auth="token", token="env:VAULT_TOKEN_OF_TEST", ttl_s=36_000))
        stub.ttl_s = 1_700
        trouble = await held.wait(31 * MINUTE)
        assert trouble is not None
        assert "cannot be renewed" in trouble.text

    async def test_the_loop_is_free_while_vault_is_slow(self, stub: VaultStub) -> None:
        """The question is asked on a thread; an answer that never ends is trouble, and later forgotten."""
        held = await opened(config(stub, timeout_s=0.2))
        stub.mode = "drip"
        vaulted = held.secrets._vaulted
        assert vaulted is not None
        held.clock.ns += 31 * MINUTE
        turn = asyncio.ensure_future(held.secrets._turn(vaulted))
        await held.trouble_told.wait()
        assert not turn.done()
        assert held.told[-1] is not None
        assert "does not end its answer" in held.told[-1].text
        assert held.value() == "redis-canary-1f2e"
        stub.mode = "well"
        stub.released.set()
        await turn
        assert await held.wait(2 * RETRY_NS) is None

    async def test_the_keeper_keeps_itself(self, stub: VaultStub) -> None:
        """The task turns when something is due, and tells trouble and its end."""
        held = await opened(config(stub))
        held.clock.ns += 31 * MINUTE
        stub.mode = "sealed"
        keeper = asyncio.create_task(held.secrets.keep(held._hear))
        await held.trouble_told.wait()
        keeper.cancel()
        await asyncio.wait({keeper})
        assert held.told[0] is not None
        assert "is sealed" in held.told[0].text
        held.secrets.close()


class TestNothingIsTold:
    async def test_no_line_of_any_logger_holds_a_secret(self, stub: VaultStub, lines: io.StringIO) -> None:
        """Everybody at debug, tracebacks, the libraries beneath Vault's client, and whoever logs a value itself."""
        held = await opened(config(stub))
        secret = held.value()
        structlog.get_logger().info("odd", anything=secret, nested={"deep": [secret, {secret: 1}]}, at=f"at {secret}!")
        logging.getLogger("ibapi.client").error("sending %s", secret)
        logging.getLogger("urllib3").debug("headers %r", {"X-Vault-Token": "hvs.login-canary-1"})
        try:
            raise ValueError(f"bad password {secret!r}")
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger("asyncio").exception("task failed for %s", secret)
        stub.mode = "denied"
        await held.wait(2 * HOUR)
        written = lines.getvalue()
        assert len(written.splitlines()) >= 6
        assert "ValueError" in written
        for value in (secret, "hvs.login-canary", SECRET_ID):
            assert value not in written

    @pytest.mark.parametrize("value", ["p@ss/wörd%41 canary", 'quote"back\\slash-canary', "tab\tcanary-line"])
    def test_a_secret_is_left_out_however_it_is_written(self, value: str, lines: io.StringIO) -> None:
        """Percent-encoded in an address, escaped in JSON or in a repr."""
        from urllib.parse import quote

        structured.conceal(Secret(value))
        log: Any = structlog.get_logger()
        log.info("a", url=f"x-{quote(value, safe='')}-y", text=json.dumps({"v": value}), shown=repr([value]), it=value)
        assert "canary" not in lines.getvalue()

    def test_short_values_do_not_tear_words_apart(self, lines: io.StringIO) -> None:
        """A secret of three characters is none."""
        structured.conceal(Secret("the"))
        structlog.get_logger().info("other", text="gather them")
        assert "gather them" in lines.getvalue()
