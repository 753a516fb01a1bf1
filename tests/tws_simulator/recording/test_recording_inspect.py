"""What `inspect` prints of a recording."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tws_simulator.recording.recordings import FROM, SECOND, START_NS, TO, RecordedConnection, writer_at
from tws_simulator.recording.format import Kind, Record, Recording
from tws_simulator.recording.inspect import json_line, line, printable, shown

AAPL = {"conId": 265598, "symbol": "AAPL", "secType": "STK"}
UNKNOWN = (199 + 200).to_bytes(4, "big") + b"\x08\x07\x12\x03abc\x1b[31m"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f"
    writer = writer_at(path)
    writer.write(Record(Kind.RAW, START_NS, b"GET / HTTP/1.1\r\n", 2, TO))
    recorded = RecordedConnection(writer, 213)
    recorded.hears(1.000000007, "managedAccounts", accountsList="DU1234567,DU7654321")
    recorded.hears(2, "position", account="DU1234567", contract=AAPL, position=Decimal("12.50"), avgCost=1.5)
    recorded.hears(3, "error", id=-1, errorCode=2104, errorMsg='a "b" \x1b[2J\u202e\n\x07')
    recorded.frame(FROM, UNKNOWN, 4)
    recorded.frame(FROM, b"\0", 4)
    writer.write(Record(Kind.LOST, START_NS, b"3"))
    writer.write(Record(Kind.CLOSED, START_NS + 5 * SECOND, b"end", 1, TO))
    writer.close(START_NS)
    return path


def lines(path: Path, **options: object) -> list[str]:
    return [line(each, start_ns=START_NS) for each in shown(Recording(path), **options)]  # type: ignore[arg-type]


def test_each_record_is_one_line(path: Path) -> None:
    """Time, connection, direction, name, fields by IB's names; what is not known as hex and printable text."""
    assert lines(path) == [
        "+0.000000000    2 -> raw 16 bytes 474554202f20485454502f312e310d0a |GET / HTTP/1.1..|",
        "+0.000000000    1 -- opened",
        "+0.000000000    1 -> hello v100..226",
        "+0.000000000    1 <- hello 213|20261122 16:30:00 GMT|",
        "+0.000000000    1 -> startApi clientId=1",
        "+1.000000007    1 <- managedAccounts accountsList=DU1234567,DU7654321",
        "+2.000000000    1 <- position account=DU1234567 contract.conId=265598 contract.symbol=AAPL "
        "contract.secType=STK position=12.5 avgCost=1.5",
        '+3.000000000    1 <- error id=-1 errorCode=2104 errorMsg="a \\"b\\" \\u001b[2J\\u202e\\n\\u0007"',
        "+4.000000000    1 <- unknown-199-protobuf 16 bytes 0000018f080712036162631b5b33316d |||......abc.[31m|",
        "+4.000000000    1 <- unknown (malformed) 1 bytes 00 |||",
        "+0.000000000    0 -- lost 3",
        "+5.000000000    1 -> closed end",
    ]


def test_no_line_does_anything_to_a_terminal(path: Path) -> None:
    """Neither control characters nor changes of writing direction are printed, whatever the form."""
    for each in shown(Recording(path)):
        for text in (line(each), json_line(each)):
            assert text.isprintable()
    assert printable("\x1b]0;title\x07\x9b2J\u2028é") == "\\x1b]0;title\\x07\\x9b2J\\u2028é"


def test_the_local_time_has_nanoseconds(path: Path) -> None:
    """As `ls` would show it, with nine digits."""
    (managed,) = shown(Recording(path), only=frozenset({"managedAccounts"}))
    day, clock = line(managed).split()[:2]
    assert day.startswith("2026-11-2")
    assert clock.endswith(":01.000000007")


def test_json_has_one_object_a_line(path: Path) -> None:
    """With the values as they are; decimals are texts."""
    told = [json.loads(json_line(each)) for each in shown(Recording(path))]
    (position,) = [each for each in told if each["name"] == "position"]
    assert position == {
        "time_ns": START_NS + 2 * SECOND,
        "time": "2026-11-22T16:30:02.000000000Z",
        "connection": 1,
        "direction": "from gateway",
        "kind": "frame",
        "name": "position",
        "values": {"account": "DU1234567", "contract": AAPL, "position": "12.5", "avgCost": 1.5},
    }


def test_infinity_is_a_text_in_json(tmp_path: Path) -> None:
    """JSON has no number for it."""
    writer = writer_at(tmp_path / "f")
    RecordedConnection(writer, 213).hears(1, "position", account="A", avgCost=float("inf"))
    writer.close(START_NS)
    (position,) = shown(Recording(tmp_path / "f"), only=frozenset({"position"}))
    assert json.loads(json_line(position), parse_constant=pytest.fail)["values"]["avgCost"] == "Infinity"


def test_names_and_connections_select(path: Path) -> None:
    """Both together, if both are given."""
    assert len(lines(path, only=frozenset({"error", "position"}))) == 2
    assert len(lines(path, connection=2)) == 1
    assert lines(path, connection=2, only=frozenset({"error"})) == []


def test_account_numbers_can_be_covered(path: Path) -> None:
    """Wherever they stand, and in hex too; what is no account stays."""
    told = "\n".join(lines(path, redact=True))
    assert "accountsList=DU*****,DU*****" in told
    assert "1234567" not in told
    assert "conId=265598" in told
    assert UNKNOWN.hex() not in told


def test_text_messages_are_decoded_by_their_version(tmp_path: Path) -> None:
    """Two connections of different versions in one file."""
    writer = writer_at(tmp_path / "f")
    for number, version in ((1, 151), (2, 213)):
        RecordedConnection(writer, version, number=number).hears(1, "nextValidId", orderId=number)
    writer.close(START_NS)
    told = lines(tmp_path / "f", only=frozenset({"nextValidId"}))
    assert [each.split("<- ")[1] for each in told] == ["nextValidId orderId=1", "nextValidId orderId=2"]
