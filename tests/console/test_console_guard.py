from __future__ import annotations

from base64 import b64encode

import httpx
import pytest

from ibkr_adapter.config import Config
from ibkr_adapter.config.reading import parse
from ibkr_adapter.console import build
from tests.console.fake_service import FakePort

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ORDER = {"symbol": "SPY", "action": "BUY", "quantity": 1, "limit_price": 1}


async def ask(
    method: str,
    path: str,
    *,
    host: str = "127.0.0.1:8080",
    headers: dict[str, str] | None = None,
    config: Config | None = None,
    json: object = None,
) -> httpx.Response:
    transport = httpx.ASGITransport(build(FakePort(), TOKEN, config or parse("", "test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path, headers={"Host": host} | (headers or {}), json=json)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080"])
async def test_loopback_names_are_served_without_a_token(host: str) -> None:
    """Reading on this machine is free, under each of its names."""
    assert (await ask("GET", "/v1/snapshot", host=host)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8080", "127.0.0.1.evil.example", "192.168.1.7:8080", "", "a@b", "[::1"])
async def test_another_host_name_is_refused_even_with_the_token(host: str) -> None:
    """A name that was rebound to loopback does not read, nor trade."""
    assert (await ask("GET", "/v1/snapshot", host=host, headers=BEARER)).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Basic " + b64encode(f"desk:{TOKEN}".encode()).decode()},
    ],
)
async def test_a_change_needs_the_bearer_token(headers: dict[str, str]) -> None:
    """Without it, with another, or with credentials that a browser adds by itself: 401, and nothing happens."""
    for method, path in (("POST", "/v1/orders"), ("DELETE", "/v1/orders/k1")):
        answer = await ask(method, path, headers=headers, json=ORDER)
        assert answer.status_code == 401
        assert "token" in answer.json()["error"]["remedy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_asked_for_by_another_site_is_refused(headers: dict[str, str]) -> None:
    """Even with the token."""
    answer = await ask("POST", "/v1/orders", headers=BEARER | headers, json=ORDER)
    assert answer.status_code == 403


async def test_our_own_origin_and_none_at_all_may_change() -> None:
    """The page sends its origin, the command line sends none."""
    for headers in ({}, {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}):
        assert (await ask("POST", "/v1/orders", headers=BEARER | headers, json=ORDER)).status_code == 202


@pytest.mark.parametrize("text", ['[http]\nlisten = "0.0.0.0:8080"', '[http]\nhosts = ["desk.example"]'])
async def test_beyond_loopback_everything_needs_the_token(text: str) -> None:
    """As soon as others can reach us, even the page does: by bearer, or by the password a browser asks for."""
    config = parse(text, "test")
    basic = {"Authorization": "Basic " + b64encode(f"desk:{TOKEN}".encode()).decode()}
    for path in ("/", "/v1/snapshot", "/metrics", "/healthz", "/page.js", "/nothing"):
        refused = await ask("GET", path, config=config)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
    for headers in (BEARER, basic):
        assert (await ask("GET", "/v1/snapshot", config=config, headers=headers)).status_code == 200


async def test_beyond_loopback_addresses_are_served_and_names_only_when_configured() -> None:
    """An address cannot be rebound; a name can, unless it is ours."""
    config = parse('[http]\nlisten = "0.0.0.0:8080"\nhosts = ["desk.example"]', "test")
    for host, status in (("192.168.1.7:8080", 200), ("desk.example", 200), ("evil.example", 421)):
        assert (await ask("GET", "/v1/snapshot", host=host, headers=BEARER, config=config)).status_code == status


async def test_every_answer_carries_the_security_headers() -> None:
    """Pages, data and refusals alike; nothing from elsewhere, no framing, and no permission for other origins."""
    for path, host in (("/", "127.0.0.1"), ("/v1/snapshot", "127.0.0.1"), ("/nothing", "127.0.0.1"), ("/", "evil")):
        headers = (await ask("GET", path, host=host, headers={"Origin": "https://evil.example"})).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


async def test_a_preflight_is_not_answered() -> None:
    """No other site is ever allowed."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await ask("OPTIONS", "/v1/orders", headers=asked)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
