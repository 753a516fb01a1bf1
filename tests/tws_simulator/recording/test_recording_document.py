"""docs/reference/recording-format.md is enough to write a reader, and its example is true."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

from tests.tws_simulator.recording.recordings import FROM, START_NS, TO
from tws_simulator.recording.format import Kind, Record, Writer

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "recording-format.md"
MS = 1_000_000


def example() -> bytes:
    lines = re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} ?)+)", PAGE.read_text(), re.MULTILINE)
    return bytes.fromhex("".join(lines))


def test_the_example_is_what_is_written(tmp_path: Path) -> None:
    """To the byte."""
    writer = Writer(tmp_path / "f", "example", START_NS)
    writer.write(Record(Kind.OPENED, START_NS + MS, b"{}", 1))
    writer.write(Record(Kind.HELLO, START_NS + 2 * MS, b"API\0\0\0\0\x09v100..213", 1, TO))
    writer.write(Record(Kind.FRAME, START_NS + 7 * MS // 2, bytes.fromhex("000000d1 0801"), 1, FROM))
    writer.close(START_NS + 4 * MS)
    assert (tmp_path / "f").read_bytes() == example()


def test_a_reader_made_from_the_page_reads_it() -> None:
    """Twelve lines, the table of the page in each of them."""
    data, at, rows = example(), 8, []
    assert data[:8] == b"TWSREC01"
    while at < len(data):
        kind, direction, connection, time_ns, length, payload_crc, head_crc = struct.unpack_from(">BBIqIII", data, at)
        payload = data[at + 26 : at + 26 + length]
        assert head_crc == zlib.crc32(data[at : at + 22])
        assert payload_crc == zlib.crc32(payload)
        rows.append((at, kind, direction, connection, time_ns - START_NS, length))
        if kind == 0:
            assert json.loads(payload)["part"] == 0
        at += 26 + length
    told = re.findall(r"^\| 0x(\w+) \| (\d) \w+ \| (\d) \| (\d) \| ([\d,]+) \| (\d+) bytes", PAGE.read_text(), re.M)
    assert rows == [(int(o, 16), int(k), int(d), int(c), int(t.replace(",", "")), int(n)) for o, k, d, c, t, n in told]
