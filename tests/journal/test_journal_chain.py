from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import ExitCode, JournalError
from ibkr_adapter.events import FrameSent, JournalEvent
from ibkr_adapter.journal.reader import JournalReader, read
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.verify import main, verify
from tests.journal.golden_events import GOLDEN
from tests.journals import write_journal
from tests.records import commission, echoed, execution, intended, status

EVENTS = [
    intended(),
    FrameSent(ts_recv_ns=1, epoch=1, order_id=11, cancel=False, frame=b"\x00\xff3\x0011\x00"),
    echoed(),
    status(),
    execution(price=500.1 + 1e-13, average_price=1.1e16),
    commission("x", "0.00000001"),
    status(status="Filled", why_held="„locate” \u2028\n"),
    execution("0000e0d5.6.01.02"),
]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight records in three files."""
    directory = tmp_path_factory.mktemp("chain") / "journal"
    write_journal(directory, EVENTS, segment_bytes=1_500)
    return directory


@pytest.fixture
def copy(journal: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(journal, tmp_path / "copy"))


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("journal-*.jsonl"))


def lines(directory: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in files(directory)).splitlines(keepends=True)


def rewrite(directory: Path, to: list[bytes]) -> None:
    """Put lines into a single file."""
    for path in files(directory):
        path.unlink()
    (directory / "journal-0000000000000001.jsonl").write_bytes(b"".join(to))


def is_found(directory: Path) -> bool:
    try:
        return verify(directory).torn_bytes > 0
    except JournalError as error:
        return str(directory) in str(error) and error.remedy != ""


def test_what_was_written_is_read_back_exactly(journal: Path) -> None:
    """Floats, decimals, bytes and any text survive the journal unchanged, across several files."""
    assert len(files(journal)) >= 3
    assert list(read(journal)) == list(enumerate(EVENTS, 1))
    assert list(read(journal, 5, up_to_seq=7)) == [(6, EVENTS[5]), (7, EVENTS[6])]


def test_a_line_is_canonical_json_with_its_hash_at_the_end(journal: Path) -> None:
    """Sorted keys, no padding, decimals as strings, bytes base64: the same record is always the same bytes."""
    line = lines(journal)[1].decode("ascii")
    assert line.startswith(
        '{"body":{"cancel":false,"epoch":1,"frame":"AP8zADExAA==","order_id":11,"ts_recv_ns":1},'
        '"boot":"boot","kind":"frame_sent","prev":"'
    )
    assert line[len('","hash":"}') :].endswith('"}\n')
    assert '"seq":2,"ts_ns":1,"v":1,"hash":"' in line
    assert '"commission":"1E-8"' in lines(journal)[5].decode()


@given(data=st.data())
def test_any_flipped_bit_is_found(journal: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """One bit changed anywhere in any file: the journal does not verify."""
    directory = tmp_path_factory.mktemp("flip")
    shutil.copytree(journal, directory, dirs_exist_ok=True)
    path = data.draw(st.sampled_from(files(directory)))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(JournalError):
        verify(directory)
    shutil.rmtree(directory)


@given(data=st.data())
def test_any_edit_of_lines_is_found(
    journal: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A line deleted (but from the end), repeated, inserted, moved or replaced: the journal does not verify."""
    before = lines(journal)
    after = list(before)
    at = data.draw(st.integers(0, len(before) - 1))
    match data.draw(st.sampled_from(["delete", "insert", "move", "replace"])):
        case "delete":
            del after[at if at < len(before) - 1 else 0]
        case "insert":
            after.insert(at, data.draw(st.sampled_from([*before, b"\n", b"{}\n", b"x\n"])))
        case "move":
            after.insert(data.draw(st.integers(0, len(before) - 1)), after.pop(at))
        case "replace":
            after[at] = data.draw(st.sampled_from([*before, b"\n"]))
    directory = tmp_path_factory.mktemp("edit")
    rewrite(directory, after)
    if after == before:
        assert not is_found(directory)
    else:
        assert is_found(directory)
    shutil.rmtree(directory)


@given(cut=st.integers(0, 10_000))
def test_a_torn_tail_is_cut_and_reported(journal: Path, tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """The file ends anywhere: what is whole stays, what is torn is cut, and writing goes on from there."""
    whole = lines(journal)
    content = b"".join(whole)[:cut]
    directory = tmp_path_factory.mktemp("torn")
    rewrite(directory, [content])
    kept = content.count(b"\n")
    recovery = recover(directory)
    assert recovery.last_seq == kept
    assert recovery.torn_bytes == len(content) - len(b"".join(whole[:kept]))
    assert [event for _, event in recovery.events()] == EVENTS[:kept]
    recovery.close()
    assert write_journal(directory, [status()]) == kept + 1
    assert verify(directory).torn_bytes == 0
    shutil.rmtree(directory)


def test_the_error_names_file_line_and_record(copy: Path) -> None:
    """An operator is told where the journal is broken."""
    path = files(copy)[1]
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"DU1"', b'"DU2"', 1))
    first_seq = int(path.stem.partition("-")[2])
    with pytest.raises(JournalError, match=rf"{path.name} line \d+ \(record [{first_seq}-9]\) is not what was written"):
        recover(copy)


def test_a_record_shortened_inside_the_log_is_not_called_torn(copy: Path) -> None:
    """Only the end of the last file can be torn by a crash; a file that ends early before another is damage."""
    path = files(copy)[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(JournalError, match="does not end as a record ends"):
        verify(copy)


@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_file_is_found(copy: Path, number: int) -> None:
    """Whole files other than the last cannot vanish unnoticed."""
    files(copy)[number].unlink()
    with pytest.raises(JournalError, match=r"begins at record \d+ where \d+ belongs"):
        verify(copy)


def test_a_file_of_another_name_is_refused(copy: Path) -> None:
    """A renamed file is not silently left out."""
    files(copy)[-1].rename(copy / "journal-7.jsonl.bak")
    with pytest.raises(JournalError, match="not a name the journal gives"):
        verify(copy)


def test_a_newer_record_version_is_refused(copy: Path) -> None:
    """A journal of a later release is not guessed at."""
    rewrite(copy, [lines(copy)[0].replace(b'"v":1', b'"v":2')])
    with pytest.raises(JournalError, match="has version 2; this program knows version 1"):
        recover(copy)


def test_an_unknown_kind_of_record_is_refused_with_its_place(copy: Path) -> None:
    """A record that verifies but that this release has no event for stops the reader; it is not skipped."""
    path = files(copy)[0]
    path.write_bytes(path.read_bytes().replace(b'"kind":"order_intended"', b'"kind":"order_dreamt"'))
    with pytest.raises(JournalError, match=rf"{path.name} record 1: a record cannot be read"):
        list(read(copy))


def test_a_journal_of_the_first_release_still_reads() -> None:
    """The golden file of record version 1 verifies and decodes."""
    golden = Path(__file__).parent / "golden" / "v1"
    assert verify(golden).last_hash.hex() == "151c260b1e5fe55aa64e0f322e4ea373d5691f72bca6916cbc9c0fa4dcaec134"
    assert [repr(event) for _, event in read(golden)] == [repr(event) for event in GOLDEN]  # a NaN equals nothing


def test_the_golden_journal_holds_every_kind_of_record() -> None:
    """A kind that is added and not put there could change its form unnoticed."""
    assert {type(event) for event in GOLDEN} == set(get_args(JournalEvent))


def test_a_reader_follows_a_growing_journal(tmp_path: Path) -> None:
    """What is appended later, also in a new file, comes next; a bound holds it back until told otherwise."""
    directory = tmp_path / "journal"
    with JournalReader(directory) as reader:
        assert reader.take(10) == []
        write_journal(directory, EVENTS[:3], segment_bytes=1_000)
        assert [record.seq for record in reader.take(2)] == [1, 2]
        assert [record.seq for record in reader.take(10)] == [3]
        assert reader.take(10) == []
        write_journal(directory, EVENTS[3:6], segment_bytes=1_000)
        assert [record.seq for record in reader.take(10, up_to_seq=5)] == [4, 5]
        assert [record.event for record in reader.take(10)] == EVENTS[5:6]


def test_a_reader_leaves_a_half_written_record_alone(copy: Path) -> None:
    """A line without its end is not there yet; it is read once it is whole."""
    whole = lines(copy)
    rewrite(copy, [*whole[:2], whole[2][:-5]])
    with JournalReader(copy, 1) as reader:
        assert [record.seq for record in reader.take(10)] == [2]
        rewrite_in_place(copy, b"".join(whole[:3]))
        assert [record.seq for record in reader.take(10)] == [3]


def rewrite_in_place(directory: Path, content: bytes) -> None:
    with files(directory)[0].open("r+b") as file:
        file.write(content)


def test_verify_is_a_program(journal: Path, copy: Path) -> None:
    """``python -m ibkr_adapter.journal.verify DIR`` says how many records hold, or fails."""
    command = [sys.executable, "-m", "ibkr_adapter.journal.verify"]
    good = subprocess.run([*command, str(journal)], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout.split(",")[0]) == (0, "8 records")
    files(copy)[0].unlink()
    bad = subprocess.run([*command, str(copy)], capture_output=True, text=True, check=False)
    assert bad.returncode == ExitCode.JOURNAL
    assert "begins at record" in bad.stderr


def test_verify_reports_a_torn_tail_and_misuse(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A service may be writing while it is checked: an unfinished record is told, not an error."""
    path = files(copy)[-1]
    path.write_bytes(path.read_bytes()[:-3])
    assert main([str(copy)]) == ExitCode.OK
    assert "bytes of an unfinished record follow" in capsys.readouterr().out
    assert main([]) == ExitCode.USAGE
    assert main([str(copy / "absent")]) == ExitCode.USAGE


def test_verify_needs_nothing_but_the_vocabulary() -> None:
    """The checker can be read and run apart from the program it checks."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, ibkr_adapter.journal.verify; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {name for name in loaded if name.startswith("ibkr_adapter")} == {
        "ibkr_adapter",
        "ibkr_adapter.errors",
        "ibkr_adapter.journal",
        "ibkr_adapter.journal.chain",
        "ibkr_adapter.journal.verify",
    }
    assert "msgspec" not in loaded
