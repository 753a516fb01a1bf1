"""The simulator as a fixture in somebody else's test suite."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_CLIENT = """
    import socket, struct

    def hello(port):
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(b"API\\0" + struct.pack("!I", 9) + b"v100..226")
            length = struct.unpack("!I", peer.recv(4, socket.MSG_WAITALL))[0]
            return peer.recv(length, socket.MSG_WAITALL).split(b"\\0")[0].decode()
"""


@pytest.fixture(autouse=True)
def _plugin(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers -p no:cacheprovider\nasyncio_default_fixture_loop_scope = function"
    )
    pytester.makepyfile(raw_client=_CLIENT)
    pytester.syspathinsert()


def test_the_fixture_gives_a_running_gateway(pytester: pytest.Pytester) -> None:
    """Without any configuration: the plugin comes with the package."""
    pytester.makepyfile(
        """
        from raw_client import hello

        def test_connects(tws_gateway):
            assert hello(tws_gateway.port) == "226"
            assert tws_gateway.account.startswith("DU")
            assert tws_gateway.call(lambda gateway: gateway.ledger.cash_usd) > 0
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_marker_gives_it_options(pytester: pytest.Pytester) -> None:
    """Those of `Gateway`, by name; each test has a gateway of its own."""
    pytester.makepyfile(
        """
        import pytest
        from raw_client import hello

        @pytest.mark.tws_gateway(server_version=176, seed=7)
        def test_an_old_one(tws_gateway):
            assert hello(tws_gateway.port) == "176"

        def test_the_usual_one(tws_gateway):
            assert hello(tws_gateway.port) == "226"
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("server_version=5", "server_version: a whole number from 151 to 226 is expected, not 5"),
        ("colour='blue'", "colour: no option is called so"),
        ("pacin='pace'", 'did you mean "pacing"'),
        ("7", "takes options by name only"),
    ],
)
def test_wrong_options_say_so(pytester: pytest.Pytester, options: str, told: str) -> None:
    """Which marker, and what is wrong with it."""
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.tws_gateway({options})
        def test_never_runs(tws_gateway):
            raise AssertionError
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*@pytest.mark.tws_gateway*{told}*"])
