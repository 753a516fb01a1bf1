"""Who guesses tokens has to wait, and nobody else."""

from __future__ import annotations

import httpx
import pytest

from ibkr_adapter.config.reading import parse
from ibkr_adapter.console import build
from ibkr_adapter.console.patience import ADDRESSES_MAX, WINDOW_S, WRONG_MAX, Patience
from tests.console.fake_service import FakePort

TOKEN = "correct-horse-battery-staple"
CONFIG = parse('[http]\nlisten = "0.0.0.0:8080"', "test")


class Steady:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def client(address: str) -> httpx.AsyncClient:
    application = build(FakePort(), TOKEN, CONFIG)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application, client=(address, 1)), base_url="http://192.168.1.7:8080"
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_after_too_many_wrong_tokens_an_address_is_not_listened_to() -> None:
    """Not even to the right one: it would tell a guesser that it had guessed."""
    async with client("10.0.0.5") as outside:
        for _ in range(WRONG_MAX):
            assert (await outside.get("/v1/snapshot", headers=bearer("guess"))).status_code == 401
        refused = await outside.get("/v1/snapshot", headers=bearer(TOKEN))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= WINDOW_S


async def test_no_token_is_no_guess() -> None:
    """A browser asks once without, each time it is opened."""
    async with client("10.0.0.5") as outside:
        for _ in range(2 * WRONG_MAX):
            assert (await outside.get("/v1/snapshot")).status_code == 401
        assert (await outside.get("/v1/snapshot", headers=bearer(TOKEN))).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_on_this_machine_nobody_is_locked_out(address: str) -> None:
    """A local guesser shares its address with the desk, which may need to cancel."""
    async with client(address) as here:
        for _ in range(2 * WRONG_MAX):
            await here.get("/v1/snapshot", headers=bearer("guess"))
        assert (await here.get("/v1/snapshot", headers=bearer(TOKEN))).status_code == 200


def test_the_wait_ends_when_the_first_of_them_is_old() -> None:
    """A sliding window for each address; others do not wait."""
    clock = Steady()
    patience = Patience(clock)
    for _ in range(WRONG_MAX):
        patience.wrong("a")
        clock.now_s += 1
    assert patience.wait_s("a") == WINDOW_S - WRONG_MAX
    assert patience.wait_s("b") == 0
    clock.now_s += WINDOW_S - WRONG_MAX
    assert patience.wait_s("a") == 0
    patience.wrong("a")
    assert patience.wait_s("a") == 1


def test_addresses_are_remembered_up_to_a_bound() -> None:
    """A guesser with many addresses cannot fill the memory."""
    patience = Patience(Steady())
    for number in range(2 * ADDRESSES_MAX):
        patience.wrong(str(number))
    assert len(patience._wrong) == ADDRESSES_MAX
