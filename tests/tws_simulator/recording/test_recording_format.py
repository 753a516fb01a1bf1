"""The file format: what is written is read again, and what is not as it was written is noticed."""

from __future__ import annotations

import stat
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tws_simulator.recording.recordings import FROM, START_NS, TO
from tws_simulator.recording.format import (
    HEAD_BYTES,
    MAGIC,
    PAYLOAD_BYTES_MAX,
    Damaged,
    Direction,
    Ending,
    Kind,
    NotARecording,
    Record,
    Recording,
    Writer,
    encode,
)

HELLO = b"\0\0\0\x1a213\x0020261122 16:30:00 GMT\0"
DAY_NS = 86_400 * 1_000_000_000
RECORDS = [
    Record(Kind.OPENED, START_NS, b'{"client": "127.0.0.1:50000"}', 1),
    Record(Kind.HELLO, START_NS + 1, b"API\0\0\0\0\x09v100..213", 1, TO),
    Record(Kind.HELLO, START_NS + 2, HELLO, 1, FROM),
    Record(Kind.FRAME, START_NS + 3, b"", 1, TO),
    Record(Kind.FRAME, START_NS + 4, bytes(range(40)), 1, FROM),
    Record(Kind.RAW, START_NS + 5, b"rest", 2**32 - 1, FROM),
    Record(Kind.LOST, -1, b"3"),
    Record(Kind.CLOSED, START_NS + 6, b"end", 1, TO),
]


def write(path: Path, records: list[Record] = RECORDS, *, end: bool = True, file_bytes_max: int = 2**30) -> list[Path]:
    writer = Writer(path, "a test", START_NS, file_bytes_max=file_bytes_max)
    for record in records:
        writer.write(record)
    if end:
        writer.close(START_NS + 7)
    else:
        writer.abandon()
    return sorted(path.parent.iterdir())


def read(path: Path) -> tuple[list[Record], Recording]:
    recording = Recording(path)
    found = [Record(r.kind, r.time_ns, r.payload, r.connection, r.direction) for r in recording]
    return found, recording


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every kind, empty payloads, the largest connection number, times before 1970."""
    write(tmp_path / "f")
    found, recording = read(tmp_path / "f")
    assert found == RECORDS
    assert recording.ending is Ending.CLOSED
    assert recording.header["recorded"] == "a test"
    assert recording.header["created"] == "2026-11-22T16:30:00Z"
    assert recording.server_versions == {1: 213}


def test_only_the_owner_can_read_a_recording(tmp_path: Path) -> None:
    """Account numbers are in it."""
    write(tmp_path / "f")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """Neither the first file nor a later one of a series."""
    (tmp_path / "f").write_text("precious")
    with pytest.raises(FileExistsError):
        Writer(tmp_path / "f", "a test", START_NS)
    (tmp_path / "g.0001").write_text("precious")
    writer = Writer(tmp_path / "g", "a test", START_NS, file_bytes_max=240)
    writer.write(RECORDS[4])
    with pytest.raises(FileExistsError):
        writer.write(RECORDS[4])
    writer.abandon()


def test_each_single_changed_bit_is_found(tmp_path: Path) -> None:
    """At the record it is in, and nothing is given out from there on."""
    path = tmp_path / "f"
    write(path)
    whole = path.read_bytes()
    offsets = [0, len(MAGIC), *(record.offset for record in Recording(path)), len(whole) - HEAD_BYTES - len(b"closed")]
    ends = [end for _, end in pairwise([*offsets, len(whole)])]
    for begin, end, number in zip(offsets, ends, range(len(offsets)), strict=True):
        for at in range(begin, end):
            for bit in range(8):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
                given: list[Record] = []
                with pytest.raises(Damaged) as damage:
                    given.extend(Recording(path))
                assert damage.value.offset == begin, f"bit {bit} of byte {at}"
                assert len(given) == max(0, number - 2)


def test_a_torn_end_is_told_from_damage_at_every_length(tmp_path: Path) -> None:
    """A file cut anywhere behind its header is unfinished or torn; what is before the cut is read."""
    path = tmp_path / "f"
    write(path)
    whole = path.read_bytes()
    offsets = [record.offset for record in Recording(path)]
    end_offset = len(whole) - HEAD_BYTES - len(b"closed")
    for length in range(offsets[0], len(whole)):
        path.write_bytes(whole[:length])
        found, recording = read(path)
        complete = sum(begin <= length for begin in [*offsets[1:], end_offset])
        assert found == RECORDS[:complete]
        at_a_border = length in (*offsets, end_offset)
        assert recording.ending is (Ending.UNFINISHED if at_a_border else Ending.TORN)
        assert recording.torn_at == (None if at_a_border else max(x for x in (*offsets, end_offset) if x < length))
    for length in range(offsets[0]):
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            read(path)


def test_another_file_is_no_recording(tmp_path: Path) -> None:
    """Nor one of a format version to come."""
    for content, what in ((b"hello, world", "no recording"), (b"", "no recording"), (b"TWSREC02", "version b'02'")):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(NotARecording, match=what):
            read(tmp_path / "f")


def test_a_kind_to_come_is_passed_over(tmp_path: Path) -> None:
    """Its checksums are looked at all the same."""
    path = tmp_path / "f"
    write(path, RECORDS[:2], end=False)
    unknown = Record(99, START_NS, b"news", 1)  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes() + encode(unknown) + encode(RECORDS[2]))
    assert read(path)[0] == RECORDS[:3]


def test_what_is_whole_and_still_wrong_is_damage(tmp_path: Path) -> None:
    """A direction that is none, a payload beyond the limit, something behind the end."""
    path = tmp_path / "f"
    wrong = Record(Kind.FRAME, START_NS, b"x", 1, 3)  # type: ignore[arg-type]
    write(path, end=False)
    start = path.read_bytes()
    path.write_bytes(start + encode(wrong))
    with pytest.raises(Damaged, match="no direction 3"):
        read(path)
    path.write_bytes(start + encode(Record(Kind.END, START_NS, b"closed")) + b"\0")
    with pytest.raises(Damaged, match="follows the end"):
        read(path)
    with pytest.raises(ValueError, match="longer than"):
        encode(Record(Kind.FRAME, START_NS, bytes(PAYLOAD_BYTES_MAX + 1)))


def test_a_recording_goes_on_in_the_next_file_before_one_is_too_large(tmp_path: Path) -> None:
    """No file is above the limit, all of them together are the recording, and their names sort."""
    records = RECORDS[:3] + [Record(Kind.FRAME, START_NS + n, bytes(100), 1, FROM) for n in range(50)]
    files = write(tmp_path / "f", records, file_bytes_max=1000)
    assert [each.name for each in files[:3]] == ["f", "f.0001", "f.0002"]
    assert all(each.stat().st_size <= 1000 + HEAD_BYTES + len(b"rotated") for each in files)
    found, recording = read(tmp_path / "f")
    assert found == records
    assert recording.header["part"] == len(files) - 1


def test_each_file_of_a_series_stands_alone(tmp_path: Path) -> None:
    """A later one knows the server version of the connections that were open."""
    records = RECORDS[:3] + [Record(Kind.FRAME, START_NS + n, bytes([n]) * 100, 1, FROM) for n in range(50)]
    write(tmp_path / "f", records, file_bytes_max=1000)
    found, recording = read(tmp_path / "f.0003")
    assert found == records[-len(found) :]
    assert recording.server_versions == {1: 213}


def test_a_closed_connection_is_not_in_the_next_header(tmp_path: Path) -> None:
    """Both its directions have to be closed."""
    closed = [Record(Kind.CLOSED, START_NS, b"end", 1, direction) for direction in (TO, FROM)]
    tomorrow = Record(Kind.OPENED, START_NS + DAY_NS, b"{}", 2)
    write(tmp_path / "f", [*RECORDS[:3], *closed, tomorrow])
    write(tmp_path / "g", [*RECORDS[:3], closed[0], tomorrow])
    assert read(tmp_path / "f.0001")[1].header["connections"] == {}
    assert read(tmp_path / "g.0001")[1].header["connections"] == {"1": {"server_version": 213}}


def test_a_new_day_begins_a_new_file(tmp_path: Path) -> None:
    """In UTC."""
    midnight_ns = (START_NS // DAY_NS + 1) * DAY_NS
    records = [Record(Kind.FRAME, at, b"x", 1, TO) for at in (midnight_ns - 1, midnight_ns, midnight_ns + 5)]
    files = write(tmp_path / "f", records)
    assert len(files) == 2
    assert [record.time_ns for record in read(tmp_path / "f.0001")[0]] == [midnight_ns, midnight_ns + 5]


def test_a_missing_or_foreign_next_file_is_damage(tmp_path: Path) -> None:
    """A gap inside of a recording is never passed over in silence."""
    records = [Record(Kind.FRAME, START_NS, bytes(100), 1, FROM) for _ in range(20)]
    write(tmp_path / "f", records, file_bytes_max=1000)
    later = (tmp_path / "f.0001").read_bytes()
    (tmp_path / "f.0001").unlink()
    with pytest.raises(Damaged, match="it is missing"):
        read(tmp_path / "f")
    (tmp_path / "f.0001").write_bytes(later.replace(b"179536500", b"179536501"))
    with pytest.raises(Damaged):
        read(tmp_path / "f")
    (tmp_path / "f.0001").unlink()
    other = Writer(tmp_path / "f.0001", "another", START_NS + 1)
    other.close(START_NS + 1)
    with pytest.raises(Damaged, match="another series"):
        read(tmp_path / "f")


def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    """What was flushed can be read."""
    writer = Writer(tmp_path / "f", "a test", START_NS)
    writer.write(RECORDS[0])
    writer.flush()
    found, recording = read(tmp_path / "f")
    assert found == RECORDS[:1]
    assert recording.ending is Ending.UNFINISHED
    writer.close(START_NS)


def test_directions_are_numbers_of_the_format() -> None:
    """They are in files, so they never change."""
    assert [each.value for each in Direction] == [0, 1, 2]
    assert [(each.name, each.value) for each in Kind] == list(
        zip(("HEADER", "OPENED", "HELLO", "FRAME", "RAW", "CLOSED", "LOST", "END"), range(8), strict=True)
    )
