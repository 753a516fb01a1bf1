"""What every test has: places of its own, and a Redis for those that ask."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from tests.nothing_skipped import pytest_make_collect_report, pytest_runtest_makereport
from tests.redis_server import redis_server

# How fast a machine is proves nothing. Tests that name their own number of examples keep it in both profiles.
hypothesis.settings.register_profile("any-machine", deadline=None, max_examples=40, stateful_step_count=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1_000, stateful_step_count=50)
hypothesis.settings.load_profile("any-machine")  # `--hypothesis-profile thorough --timeout 0` takes its place

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport", "redis_server"]


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the state home of whoever runs it, or waits for a lock of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole-day", action="store_true", help="play the simulator's trading day whole (two minutes)")
    parser.addoption("--mutations", type=int, default=8_000, help="damaged frames for the simulator (default: 8000)")
    parser.addoption("--garbled", type=int, default=100_000, help="garbled frames for our decoder (default: 100000)")
