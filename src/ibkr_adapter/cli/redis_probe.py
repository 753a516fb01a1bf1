"""Asks a Redis whose it is, without making it anybody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ibkr_adapter.config import Redis, Secret
from ibkr_adapter.errors import StoreError

TIMEOUT_S: Final = 2.0


def marked(redis: Redis, password: Callable[[], Secret] | None = None) -> str:
    """The environment this Redis belongs to, empty where it belongs to none yet.

    Raises ``StoreError`` when it does not answer.
    """
    from redis import Redis as Client  # an extra: needed where configured
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    from ibkr_adapter.redis_store import Credentials, without_user

    url = redis.url if password is None else without_user(redis.url)
    credentials = None if password is None else Credentials(redis.url, password)
    limits = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    try:
        with Client.from_url(url, credential_provider=credentials, retry=Retry(NoBackoff(), 0), **limits) as client:
            mark = client.get(f"{redis.prefix}ib:environment")
    except (RedisError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        remedy = "start it, or correct redis.url; without it leave redis.url empty"
        raise StoreError(f"{redis.shown_url} does not answer: {reason}", remedy=remedy) from None
    return mark.decode(errors="replace") if isinstance(mark, bytes) else ""
