from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ibkr_adapter.ops.logging import configure


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def written(event: str, *, pretty: bool = False, level: str = "info", **values: object) -> str:
    stream = io.StringIO()
    configure(level, stream=stream, pretty=pretty)
    structlog.get_logger().info(event, **values)
    return stream.getvalue()


def test_a_record_is_one_line_of_json_with_the_names_of_the_desk() -> None:
    """req_id, client_id and code are logged as reqId, clientId and errorCode, beside event, level and time."""
    line = written("request_failed", req_id=7, client_id=1, symbol="SPY", code=200)
    record = json.loads(line)
    assert line.count("\n") == 1
    assert {"event": "request_failed", "reqId": 7, "clientId": 1, "symbol": "SPY", "errorCode": 200}.items() <= (
        record.items()
    )
    assert record["level"] == "info"
    assert record["timestamp"].endswith("Z")


@pytest.mark.parametrize("pretty", [False, True])
def test_a_message_cannot_forge_a_line_or_move_the_cursor(pretty: bool) -> None:
    """Line breaks, escape sequences and direction marks from a wire are written out, not obeyed."""
    line = written("notice", pretty=pretty, text='fine\n{"event": "forged"}\x1b[2J\u202e\u2028end')
    assert line.count("\n") == 1
    assert not set("\x1b\u202e\u2028") & set(line) or pretty
    assert "\x1b[2J" not in line
    assert "\u202e" not in line


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", "s3cret-value"),
        ("detail", "cannot reach redis://desk:s3cret-value@host:6379/0"),
        ("detail", "Authorization: Bearer s3cret-value"),
        ("url", "https://vault/?token=s3cret-value"),
        ("headers", {"Authorization": "s3cret-value"}),
        ("redis_password", ["s3cret-value"]),
    ],
)
def test_secrets_are_left_out(key: str, value: object, pretty: bool) -> None:
    """By the name of a field, and where an address or a header carries one."""
    line = written("failed", pretty=pretty, **{key: value})
    assert "s3cret" not in line
    assert "***" in line


def test_a_secret_in_a_traceback_is_left_out() -> None:
    """An exception's text is treated like any other field."""
    stream = io.StringIO()
    configure("info", stream=stream, pretty=False)
    try:
        raise ConnectionError("redis://desk:s3cret@host")
    except ConnectionError:
        structlog.get_logger().exception("sink_failed")
    record = json.loads(stream.getvalue())
    assert "s3cret" not in stream.getvalue()
    assert "ConnectionError" in record["exception"]


def test_a_long_field_is_cut() -> None:
    """Four thousand characters say enough; the true length is noted."""
    record = json.loads(written("notice", text="x" * 10_000))
    assert len(record["text"]) < 4_100
    assert "10000 characters" in record["text"]


def test_the_standard_library_logs_the_same_way() -> None:
    """Records of other packages are JSON of the same shape."""
    stream = io.StringIO()
    configure("warning", stream=stream, pretty=False)
    logging.getLogger("uvicorn.error").warning("odd %s", "request\n")
    assert json.loads(stream.getvalue())["event"] == "odd request\\n"


def test_what_is_below_the_level_is_not_written() -> None:
    """At warning an information is silent."""
    assert written("fine", level="warning") == ""


def test_the_default_stream_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to what a command prints; without a terminal it is JSON."""
    configure("info")
    structlog.get_logger().info("ready")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "ready"
