"""The page in a real browser, before a service that talks and then falls silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.snapshot import Snapshot, StoppedView
from tests.cli.service_thread import served
from tests.console.chromium import Chromium, executable
from tests.console.fake_service import FakePort, night, quote, snapshot

SPY = "[...document.querySelectorAll('#quote-rows tr')].find((row) => row.cells[0].textContent.startsWith('SPY'))"
QQQ_HELD = "[...document.querySelectorAll('#position-rows tr')].find((row) => row.cells[0].textContent === 'QQQ')"
COLOURS = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = executable()
    if program is None:
        pytest.skip("no chromium on this machine: install Debian's chromium")
    with Chromium.started(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


def simulated() -> Snapshot:
    return replace(snapshot(time.time_ns()), environment="simulated")


def test_the_page_lives_and_says_when_it_no_longer_does(browser: Chromium, tmp_path: Path) -> None:
    """Quotes stand in cells and change, the badge names the environment, silence is said; the console stays empty."""
    port = FakePort(simulated())
    with served(port, tmp_path) as service:
        browser.complaints.clear()
        browser.open(service.url)
        browser.until("document.querySelectorAll('#quote-rows tr').length === 10")
        assert browser.evaluate("document.getElementById('badge').textContent") == "SIMULATED"
        assert browser.evaluate("document.documentElement.dataset.kind") == "simulated"
        assert browser.evaluate(f"{SPY}.cells[2].textContent") == "662.09"
        assert browser.evaluate(f"{SPY}.classList.contains('stale')") is False
        port.publish(quote("SPY", 663.5, time.time_ns()))
        browser.until(f"{SPY}.cells[2].textContent === '663.49'")
        assert browser.evaluate("document.getElementById('lost').hidden") is True
        assert browser.complaints == []
    browser.until("!document.getElementById('lost').hidden")
    assert browser.evaluate("document.getElementById('lost').textContent").startswith("No connection to the service")
    assert browser.evaluate("document.documentElement.dataset.stream") == "lost"


def test_alerts_stand_on_top_with_what_to_do(browser: Chromium, tmp_path: Path) -> None:
    """What was told, critical first, with its remedy; they go when they are over. What only waits is not shown."""
    port = FakePort(night(time.time_ns()))
    with served(port, tmp_path) as service:
        browser.open(service.url)
        browser.until("!document.getElementById('alerts').hidden")
        assert browser.evaluate("document.getElementById('h-alerts').textContent") == "2 alerts, 1 critical"
        first, second = browser.evaluate("[...document.querySelectorAll('#alert-rows li')].map((li) => li.textContent)")
        assert first.startswith("CriticalNo session with primary")
        assert "See that the gateway runs" in first
        assert second.startswith("Warning")
        assert browser.evaluate("document.getElementById('announce').textContent").startswith("Alert: No session")
        top = "document.getElementById('{}').getBoundingClientRect().top"
        assert browser.evaluate(f"{top.format('alerts')} < {top.format('gate-banner')}")
        port.picture = simulated()
        browser.until("document.getElementById('alerts').hidden")


def test_what_holds_us_back_is_on_the_page(browser: Chromium, tmp_path: Path) -> None:
    """Budget, quotas, lease, the gateway's settings and what of a stream is missing; quietly while all is well."""
    port = FakePort(night(time.time_ns()))
    with served(port, tmp_path) as service:
        browser.complaints.clear()
        browser.open(service.url)
        browser.until("document.getElementById('budget').textContent.includes('37 subscriptions')")
        text = {name: f"document.getElementById('{name}').textContent" for name in ("budget", "held", "quotas", "link")}
        assert "Halved" in browser.evaluate(text["budget"])
        assert "60 requests in ten minutes." in browser.evaluate(text["held"])
        assert "Lines87 of 87, learned" in browser.evaluate(text["quotas"])
        assert "LeaseHeld by desk-b" in browser.evaluate(text["link"])
        assert "Keeps ordersYes: sends them late" in browser.evaluate(text["link"])
        streams = browser.evaluate("document.getElementById('streams').textContent")
        assert "1 orphan" in streams
        assert "No session. Missing for 1 min." in streams
        stopped = StoppedView(actor="cli:ann", since_ns=time.time_ns())
        day = simulated()
        off = tuple(replace(each, state="stopped", detail="stopped by cli:ann") for each in day.streams)
        port.picture = replace(day, stopped=stopped, streams=off)
        browser.until("document.getElementById('streams-note').textContent === 'stopped'")
        assert "Stopped by cli:ann." in browser.evaluate("document.getElementById('streams').textContent")
        assert browser.evaluate(f"{SPY}.classList.contains('stale')") is True
        port.picture = simulated()
        browser.until("document.getElementById('streams-note').textContent === '10 of 10 live'")
        assert "Halved" not in browser.evaluate(text["budget"])
        assert browser.complaints == []


def test_the_window_counts_down(browser: Chromium, tmp_path: Path) -> None:
    """In force: until when in New York, by the second near its end; else when the next one begins."""
    port = FakePort(night(time.time_ns()))
    with served(port, tmp_path) as service:
        browser.open(service.url)
        browser.until("/^Until [0-9:]{5}, 9:[0-9]{2} min$/.test(document.getElementById('plane-window').textContent)")
        assert browser.evaluate("document.getElementById('window-term').textContent") == "Gateway restart"
        assert browser.evaluate("document.getElementById('plane-window').dataset.level") == "warn"
        port.picture = simulated()
        browser.until("/in 3 h 1[67] min$/.test(document.getElementById('plane-window').textContent)")
        assert browser.evaluate("document.getElementById('window-term').textContent") == "Next window"
        port.picture = replace(simulated(), window=None)
        browser.until("document.getElementById('plane-window').textContent === 'None'")


def test_an_expected_loss_looks_expected(browser: Chromium, tmp_path: Path) -> None:
    """Down within a planned window is no alarm; the window that explains it is named."""
    picture = night(time.time_ns())
    link = replace(picture.link, excuse="gateway_restart", excused_until_ns=picture.taken_ns + 300 * SECOND)
    with served(FakePort(replace(picture, link=link, alerts=())), tmp_path) as service:
        browser.open(service.url)
        browser.until("document.getElementById('plane-link').textContent === 'Down, expected'")
        assert browser.evaluate("document.getElementById('plane-link').dataset.level") == "warn"
        assert "Gateway restart, until" in browser.evaluate("document.getElementById('link').textContent")
        assert browser.evaluate("document.getElementById('alerts').hidden") is True


def test_what_is_drawn_from_an_old_quote_is_grey(browser: Chromium, tmp_path: Path) -> None:
    """With the link down neither a quote nor the profit computed from it looks current; what is held does."""
    with served(FakePort(night(time.time_ns())), tmp_path) as service:
        browser.open(service.url)
        browser.until(f"{SPY}.classList.contains('stale') && {QQQ_HELD}.classList.contains('stale')")
        held, price, profit = (
            browser.evaluate(f"getComputedStyle({QQQ_HELD}.cells[{cell}]).color") for cell in (1, 3, 6)
        )
        assert price == profit != held


def test_every_time_is_new_yorks(browser: Chromium, tmp_path: Path) -> None:
    """Whatever zone the browser is in; said once, at the clock."""
    moment_ns = 1_764_000_000 * SECOND  # 11:00 in New York, 16:00 UTC
    port = FakePort()
    fill = replace(port.picture.executions[0], ts_event_ns=moment_ns, ts_recv_ns=moment_ns)
    port.picture = replace(port.picture, executions=(fill,))
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    with served(port, tmp_path) as service:
        browser.open(service.url)
        browser.until("document.querySelectorAll('#execution-rows th').length === 1")
        assert browser.evaluate("document.querySelector('#execution-rows td').textContent") == "11:00:00"
        assert browser.evaluate("document.querySelector('.clock').innerText").endswith("All times New York")
    browser.call("Emulation.setTimezoneOverride", timezoneId="")


def test_light_and_dark_differ_and_both_are_silent(browser: Chromium, tmp_path: Path) -> None:
    """Each scheme has a ground and an ink of its own, and nothing is complained of in either."""
    colours = {}
    complaints: list[str] = []
    for scheme in ("light", "dark"):
        browser.emulate(scheme)
        browser.open("about:blank")
        browser.complaints.clear()
        with served(FakePort(simulated()), tmp_path) as service:
            browser.open(service.url)
            browser.until("document.querySelectorAll('#quote-rows tr').length === 10")
            colours[scheme] = browser.evaluate(COLOURS)
            complaints += browser.complaints
    assert complaints == []
    assert colours == {
        "light": ["rgb(244, 245, 243)", "rgb(27, 33, 39)"],
        "dark": ["rgb(15, 19, 23)", "rgb(223, 229, 234)"],
    }
