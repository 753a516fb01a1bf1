"""The record of alerts: a file that outlives its writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.alerts import Alerts, Condition
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import AlertChanged, AlertSeverity
from ibkr_adapter.ops.alerts import ASIDE, NAME, Action, AlertRecord, open_alerts, read_alerts

NOW_NS = 1_795_444_200_000_000_000  # Monday 2026-11-23 09:30 in New York


def alert(key: str = "link/down", *, raised: bool = True, text: str = "no session", after_s: int = 0) -> AlertChanged:
    return AlertChanged(
        ts_recv_ns=NOW_NS + after_s * SECOND,
        key=key,
        severity=AlertSeverity.CRITICAL,
        text=text,
        remedy="see that the gateway runs",
        raised=raised,
        since_ns=NOW_NS - 60 * SECOND,
    )


async def written(directory: Path, *batches: list[AlertChanged], file_bytes_max: int = 4_000_000) -> AlertRecord:
    """One life of the record."""
    record = AlertRecord(directory, file_bytes_max=file_bytes_max)
    await record.open()
    for batch in batches:
        await record.write(batch)
    await record.close()
    return record


def story(directory: Path) -> list[tuple[str, str]]:
    return [(line.action.value, line.key) for line in read_alerts(directory / NAME)]


async def test_each_change_is_one_line(tmp_path: Path) -> None:
    """Beginning, new words, end; with words, remedy and times, readable by its owner alone."""
    await written(tmp_path, [alert()], [alert(text="still none", after_s=300)], [alert(raised=False, after_s=400)])
    lines = list(read_alerts(tmp_path / NAME))
    assert [line.action for line in lines] == [Action.RAISED, Action.UPDATED, Action.RESOLVED]
    assert (lines[0].at, lines[0].key, lines[0].severity) == ("2026-11-23T14:30:00.000+00:00", "link/down", "critical")
    assert (lines[1].text, lines[1].remedy) == ("still none", "see that the gateway runs")
    assert lines[2].since_ns == NOW_NS - 60 * SECOND
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


async def test_what_was_open_is_known_to_the_next_life(tmp_path: Path) -> None:
    """Raised and not resolved, in its last words."""
    await written(tmp_path, [alert(), alert("farm/usfarm"), alert(text="worse"), alert("farm/usfarm", raised=False)])
    (view,) = open_alerts(tmp_path / NAME)
    assert (view.key, view.text, view.severity, view.raised) == ("link/down", "worse", "critical", True)
    assert view.since_ns == NOW_NS - 60 * SECOND


async def test_an_alert_over_a_kill_has_one_beginning_and_one_end(tmp_path: Path) -> None:
    """The core of the next life is given what is open: it tells new words and the end, not the beginning again."""
    await written(tmp_path, [alert()])
    alerts = Alerts(open_alerts(tmp_path / NAME), now_ns=NOW_NS)
    still = Condition(key="link/down", severity=AlertSeverity.CRITICAL, text="refused")
    told: list[AlertChanged] = []
    for second, conditions in ((0, [still]), (400, [still]), (401, []), (800, [])):
        out = Outbox()
        alerts.watch(conditions, NOW_NS + second * SECOND, excuses=lambda since_ns: None, out=out)
        told += [event for event in out.publishes if isinstance(event, AlertChanged)]
    await written(tmp_path, told)
    assert story(tmp_path) == [("raised", "link/down"), ("updated", "link/down"), ("resolved", "link/down")]
    assert open_alerts(tmp_path / NAME) == ()


async def test_a_second_beginning_is_written_as_new_words(tmp_path: Path) -> None:
    """Whatever the core thinks: the file never holds two beginnings without an end between them."""
    await written(tmp_path, [alert()])
    await written(tmp_path, [alert(after_s=9)])
    assert story(tmp_path) == [("raised", "link/down"), ("updated", "link/down")]


async def test_a_torn_last_line_is_removed(tmp_path: Path) -> None:
    """A power cut in the middle of a line: the lines before it count, the next begins on a line of its own."""
    await written(tmp_path, [alert()])
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"at":"2026-11-23T14:')
    assert [view.key for view in open_alerts(tmp_path / NAME)] == ["link/down"]
    await written(tmp_path, [alert(raised=False)])
    assert story(tmp_path) == [("raised", "link/down"), ("resolved", "link/down")]
    assert (tmp_path / NAME).read_bytes().count(b"\n") == 2


async def test_a_damaged_line_costs_nothing_but_itself(tmp_path: Path) -> None:
    """It is passed over: the service starts."""
    await written(tmp_path, [alert("a"), alert("b"), alert("c")])
    first, second, third = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(first + second.replace(b"critical", b"cri\xfftical") + third)
    assert [view.key for view in open_alerts(tmp_path / NAME)] == ["a", "c"]


async def test_a_full_file_is_put_aside_and_what_is_open_goes_on(tmp_path: Path) -> None:
    """The new file begins with it; two files are the most there ever are."""
    batches = [[alert("link/down")]]
    for n in range(40):
        batches += [[alert(f"farm/{n}")], [alert(f"farm/{n}", raised=False)]]
    await written(tmp_path, *batches, file_bytes_max=2_000)
    assert sorted(os.listdir(tmp_path)) == sorted([NAME, ASIDE])
    assert story(tmp_path)[0] == ("carried", "link/down")
    assert (tmp_path / ASIDE).stat().st_size < 3_000
    assert "link/down" in [view.key for view in open_alerts(tmp_path / NAME)]


async def test_a_crash_while_a_file_is_put_aside_loses_nothing(tmp_path: Path) -> None:
    """At every point of it: a half written next file, or none in its place yet."""
    await written(tmp_path, [alert()])
    (tmp_path / f".{NAME}").write_bytes(b'{"at":"20')
    (tmp_path / NAME).rename(tmp_path / ASIDE)
    assert [view.key for view in open_alerts(tmp_path / NAME)] == ["link/down"]
    await written(tmp_path, [alert("farm/usfarm")])
    assert story(tmp_path) == [("carried", "link/down"), ("raised", "farm/usfarm")]


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """The batch comes again, whole: its lines must not be there twice."""
    record = AlertRecord(tmp_path)
    await record.open()
    await record.write([alert()])
    assert record._file is not None
    record._file.close()
    with pytest.raises(ValueError, match="closed"):
        await record.write([alert("b")])
    await record.close()
    await record.open()
    await record.write([alert("b")])
    await record.close()
    assert story(tmp_path) == [("raised", "link/down"), ("raised", "b")]


async def test_without_a_file_nothing_is_open(tmp_path: Path) -> None:
    """The first life of all."""
    assert open_alerts(tmp_path / NAME) == ()
    await written(tmp_path)
    assert story(tmp_path) == []


async def test_long_words_are_cut(tmp_path: Path) -> None:
    """A gateway's text has no bound of its own; a line of ours has, and stays one line."""
    await written(tmp_path, [alert(text="x\n\x00" * 10_000)])
    (line,) = read_alerts(tmp_path / NAME)
    assert len(line.text) == 2_000
    assert (tmp_path / NAME).read_bytes().count(b"\n") == 1
