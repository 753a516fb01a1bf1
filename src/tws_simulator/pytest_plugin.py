"""A simulated gateway as a pytest fixture, for the tests of any software that speaks the TWS API.

    def test_my_client_connects(tws_gateway):
        client.connect("127.0.0.1", tws_gateway.port, clientId=1)

    @pytest.mark.tws_gateway(seed=7, server_version=176)
    def test_with_an_old_gateway(tws_gateway): ...

Pytest finds it by itself. Each test gets a gateway of its own, on a free loopback port and a
thread of its own: it serves blocking, threaded and asyncio clients alike. What goes wrong inside it fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

_MARKER = "tws_gateway"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{_MARKER}(**options): options of `tws_simulator.Gateway` for this test's gateway"
    )


@pytest.fixture
def tws_gateway(request: pytest.FixtureRequest) -> Iterator[GatewayThread]:
    """A running simulated gateway: ``port`` to connect to, ``account``, ``ledger``, and ``call`` to act inside."""
    marker = request.node.get_closest_marker(_MARKER)
    if marker is not None and marker.args:
        raise pytest.UsageError(f"@pytest.mark.{_MARKER} takes options by name only, as {_MARKER}(seed=7)")
    try:
        gateway = Gateway(**(marker.kwargs if marker else {}))
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"@pytest.mark.{_MARKER}: {error}") from error
    with running_gateway(gateway) as running:
        yield running
