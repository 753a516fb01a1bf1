"""How one Redis is reached, and whose it must be: for sinks and for leases.

``ib:environment`` behind the configured prefix says which environment the prefix belongs to; who comes first sets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from ibkr_adapter.config import Config, Secret
from ibkr_adapter.errors import ConfigurationError, SecretUnavailable, StoreError

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.credentials import CredentialProvider
    from redis.exceptions import ConnectionError, RedisError
except ImportError as error:
    raise ConfigurationError(
        "redis", "the Redis client library is not installed", remedy="pip install 'ibkr-adapter[redis]'"
    ) from error

if TYPE_CHECKING:
    from ibkr_adapter.ops.secrets import Secrets


class RedisStore:
    """How to reach one Redis, and whose it must be."""

    def __init__(
        self,
        url: str,
        *,
        environment: str,
        prefix: str = "",
        timeout_s: float = 0.25,
        password: Callable[[], Secret] | None = None,
    ) -> None:
        """``timeout_s`` bounds every exchange; a Redis that hangs is a Redis that is down.

        ``password`` is asked at each new connection, so that a new one counts without a restart.
        """
        self.environment = environment
        self.prefix = prefix
        self.timeout_s = timeout_s
        self._url = url
        self._password = password
        self._where = url.rpartition("@")[2].partition("//")[2] or url.rpartition("@")[2]

    @classmethod
    def of(cls, config: Config, secrets: Secrets) -> Self:
        return cls(
            config.redis.url,
            environment=config.environment,
            prefix=config.redis.prefix,
            password=secrets.source("redis.password", config.redis.password),
        )

    def __repr__(self) -> str:
        return f"<RedisStore {self._where} {self.environment} prefix {self.prefix!r}>"

    async def connect(self) -> Redis:
        """A client whose every connection has found, or set, the mark of our environment."""
        client: Redis = Redis.from_url(
            self._url if self._password is None else without_user(self._url),
            credential_provider=None if self._password is None else Credentials(self._url, self._password),
            socket_timeout=self.timeout_s,
            socket_connect_timeout=self.timeout_s,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._greet,
        )
        try:
            async with self.answering():
                await client.ping()
        except BaseException:
            await self.disconnect(client)
            raise
        return client

    async def disconnect(self, client: Redis) -> None:
        async with self.answering():
            await client.aclose()

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Bounds what happens inside, and turns Redis's errors into ours."""
        try:
            async with asyncio.timeout(2 * self.timeout_s):
                yield
        except TimeoutError as error:
            raise StoreError(
                f"Redis at {self._where} did not answer within {self.timeout_s:g} s", remedy="check that it is running"
            ) from error
        except (RedisError, OSError) as error:
            raise StoreError(
                f"Redis at {self._where} failed: {error}", remedy="check that it is running and its configuration"
            ) from error

    async def _greet(self, connection: Any) -> None:
        """On each new connection: the server may have been replaced by another since the last."""
        await connection.on_connect()
        key = f"{self.prefix}ib:environment"
        await connection.send_command("SET", key, self.environment, "NX")
        await connection.read_response()
        await connection.send_command("GET", key)
        answer = await connection.read_response()
        marked = answer.decode() if isinstance(answer, bytes) else str(answer)
        if marked != self.environment:
            await connection.disconnect()
            raise StoreError(
                f"Redis at {self._where} belongs to environment {marked!r}, this is {self.environment!r}",
                remedy=f"use another Redis or another prefix; {key} says whose it is",
            )


class Credentials(CredentialProvider):
    """User of the address, and the password as it is at this moment."""

    def __init__(self, url: str, password: Callable[[], Secret]) -> None:
        self._user = unquote(urlsplit(url).username or "")
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            password = self._password().reveal()
        except SecretUnavailable as error:
            raise ConnectionError(str(error)) from None
        return (self._user, password) if self._user else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()  # at hand: nothing is waited for


def without_user(url: str) -> str:
    """The address without what stands before its @."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
