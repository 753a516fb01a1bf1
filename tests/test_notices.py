"""The table of message codes: as shipped, with the desk's own rows over it, and replaced while the core runs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter import message_codes
from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import reading
from ibkr_adapter.effects import MessageCodesReplaced, OutsideTrouble
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.events import AlertSeverity, NoticeReceived
from ibkr_adapter.message_codes import Overrides, differences, parse
from ibkr_adapter.notices import Effect, NoticeTable, shipped, shipped_rows
from ibkr_adapter.ops import logging as structured
from ibkr_adapter.ops.message_codes import MessageCodes
from ibkr_adapter.ops.reporting import Reporter
from tests.core.world import World

_PRODUCTION = '[environments.production]\naccount = "U1234567"\n'


def refused(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert caught.value.remedy
    return caught.value


def row(code: int, found: Overrides):
    return NoticeTable(found.rows).of(code)


class TestFile:
    def test_no_file_and_an_empty_one_change_nothing(self) -> None:
        """The shipped rows, none of them the desk's own."""
        for found in (message_codes.load(""), parse("")):
            assert found.rows == shipped_rows()
            assert not found.overridden

    def test_a_row_changes_the_columns_it_names(self) -> None:
        """Everything else stays as shipped; the code is marked as the desk's own."""
        found = parse('[[codes]]\ncode = 2104\nseverity = "warning"\ntext = "our words"\nalert = true')
        was, now = shipped().of(2104), row(2104, found)
        assert (now.severity, now.text, now.alert) == ("warning", "our words", True)
        assert (now.effect, now.scope, now.farm) == (was.effect, was.scope, was.farm)
        assert found.overridden == {2104}
        assert len(found.rows) == len(shipped_rows())
        assert found.warnings == ()

    def test_a_code_that_is_not_in_the_table_is_added(self) -> None:
        """It needs an effect and a text; the rest is that of an unknown code."""
        found = parse('[[codes]]\ncode = 99999\neffect = "inform"\ntext = "of a future release"')
        assert row(99999, found).severity == "warning"
        assert not row(99999, found).unknown
        assert refused('[[codes]]\ncode = 99999\neffect = "inform"').path == "message_codes: code 99999.text"

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ('[[codes]]\ncode = 201\neffect = "terminal"', ["code 201.effect", "'terminal'", "reject_order", "inform"]),
            ('[[codes]]\ncode = 201\nscope = "orders"', ["code 201.scope", "request-or-order"]),
            ('[[codes]]\ncode = 201\nseverity = "bad"', ["code 201.severity", "critical"]),
            ('[[codes]]\ncode = 201\ncategory = "x"', ["code 201.category", "order-rejected"]),
            ('[[codes]]\ncode = 2103\nfarm = "x"', ["code 2103.farm", "history"]),
            ('[[codes]]\ncode = "201"', ["codes[0].code", "not the number"]),
            ("[[codes]]\ncode = 1.5", ["codes[0].code", "not the number"]),
            ("[[codes]]\ncode = true", ["codes[0].code"]),
            ("[[codes]]\ncode = -1", ["codes[0].code"]),
            ('[[codes]]\neffect = "inform"', ["codes[0].code", "missing"]),
            ("[[codes]]\ncode = 201\nalert = 1", ["code 201.alert", "true or false"]),
            ("[[codes]]\ncode = 201\neffect = 5", ["code 201.effect", "expected text"]),
            ('[[codes]]\ncode = 201\ntext = ""', ["code 201.text"]),
            ('[[codes]]\ncode = 201\ntext = "a\\u001b[2J"', ["code 201.text"]),
            ('[[codes]]\ncode = 201\nefect = "inform"', ["code 201.efect", "did you mean effect?"]),
            ("[[codes]]\ncode = 201\n[[codes]]\ncode = 201", ["code 201", "two rows"]),
            ("[[code]]\ncode = 201", ["'code'", "[[codes]]"]),
            ("codes = 5", ["codes", "expected tables"]),
            ("codes = [5]", ["codes", "expected tables"]),
            ("[[codes]\n", ["not TOML"]),
        ],
    )
    def test_what_cannot_be_used_is_refused_as_a_whole(self, text: str, names: list[str]) -> None:
        """The code, the key, what is wrong and the choices."""
        error = refused(text)
        assert all(name in str(error) for name in names), str(error)

    def test_files_that_are_none_are_refused(self, tmp_path: Path) -> None:
        """Missing, a directory, not text, too large, too many rows."""
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        (tmp_path / "large").write_bytes(b"#" * 1_100_000)
        (tmp_path / "many").write_text("".join(f"[[codes]]\ncode = {n}\n" for n in range(3_000)))
        for name in ("missing", "", "binary", "large", "many"):
            with pytest.raises(ConfigurationError) as caught:
                message_codes.load(str(tmp_path / name))
            assert caught.value.path.startswith("message_codes")

    @pytest.mark.parametrize(
        ("code", "effect", "warned"),
        [
            (1100, "inform", "1100.effect: upstream_lost becomes inform"),
            (1101, "inform", "no longer is"),
            (1102, "upstream_lost", "this code alone"),
            (326, "fail_request", "client_id_in_use becomes fail_request"),
            (2104, "upstream_lost", "this code alone"),
            (201, "inform", "no longer asked"),
            (201, "suspect_order", ""),
            (2104, "inform", ""),
        ],
    )
    def test_an_effect_that_blinds_or_stops_us_is_warned_of(self, code: int, effect: str, warned: str) -> None:
        """It is the desk's to decide; that it was decided is said."""
        found = parse(f'[[codes]]\ncode = {code}\neffect = "{effect}"')
        assert bool(found.warnings) == bool(warned)
        assert warned in "".join(found.warnings)

    @pytest.mark.parametrize("code", [1100, 1101, 1102, 326, 100])
    def test_no_steering_effect_is_taken_away_where_money_is_at_stake(self, code: int) -> None:
        """A gate that 1100 does not close is found out by a loss; giving an effect to another code is the desk's."""
        row = f'[[codes]]\ncode = {code}\neffect = "inform"'
        with pytest.raises(ConfigurationError, match="the connection is run by it") as caught:
            parse(row, keep_steering=True)
        assert caught.value.path == f"message_codes: code {code}.effect"
        assert "live account" in caught.value.remedy
        assert [words.partition(" ")[0] for words in parse(row).unsteered] == [str(code)]
        given = '[[codes]]\ncode = 2104\neffect = "upstream_lost"\n[[codes]]\ncode = 1100\ntext = "gone"'
        assert parse(given, keep_steering=True).unsteered == ()

    @pytest.mark.parametrize(
        ("more", "at_stake"),
        [
            ("", False),
            ("[trading]\nenabled = true", True),
            ('environment = "production"\n[gateways.primary]\nport = 4001\n' + _PRODUCTION, True),
        ],
    )
    def test_money_is_at_stake_with_a_live_account_or_with_trading_on(self, more: str, at_stake: bool) -> None:
        """Either is enough."""
        assert message_codes.money_at_stake(reading.parse(more, "desk.toml")) is at_stake

    def test_no_effect_makes_an_order_terminal(self) -> None:
        """There is no such word: the broker is asked first."""
        assert not [effect for effect in Effect if {"cancel", "fill", "terminal", "done"} & set(effect.split("_"))]

    def test_differences_are_told_in_words(self) -> None:
        """Changed columns with both values, rows that came and rows that went."""
        first = parse('[[codes]]\ncode = 2104\neffect = "inform"').rows
        second = parse('[[codes]]\ncode = 99999\neffect = "inform"\ntext = "x"').rows
        assert differences(first, second) == ["2104 effect inform → farm_ok", "99999 added"]
        assert differences(second, shipped_rows()) == ["99999 removed"]
        assert differences(first, first) == []

    @given(st.text(max_size=200))
    def test_no_text_is_anything_but_rows_or_a_message(self, text: str) -> None:
        """Whatever stands in the file: a table, or an error with a key."""
        try:
            found = parse(f"[[codes]]\n{text}")
        except ConfigurationError as error:
            assert error.path.startswith("message_codes")  # noqa: PT017 - both ends are right
        else:
            assert found.rows


def notice(world: World, code: int, text: str = "x") -> NoticeReceived:
    return NoticeReceived(ts_recv_ns=world.now_ns, epoch=world.epoch, req_id=-1, code=code, text=text)


class TestCore:
    def test_new_rows_count_between_two_batches(self) -> None:
        """1100 means what the table says at that moment, for the planes as for the notebook."""
        world = World()
        world.connect()
        blind = parse('[[codes]]\ncode = 1100\neffect = "inform"\ntext = "nothing"')
        world.tell(MessageCodesReplaced(rows=blind.rows))
        world.tell(notice(world, 1100))
        picture = world.engine.snapshot(world.now_ns)
        assert picture.upstream != "lost"
        assert picture.notices[0].meaning == "nothing"
        world.tell(MessageCodesReplaced(rows=shipped_rows()))
        world.tell(notice(world, 1100, "again"))
        assert world.engine.snapshot(world.now_ns).upstream == "lost"

    def test_the_ledger_reads_the_same_table(self) -> None:
        """Engine, orders and whoever else holds the table see one set of rows."""
        world = World()
        rows = parse('[[codes]]\ncode = 201\neffect = "inform"').rows
        world.tell(MessageCodesReplaced(rows=rows))
        assert world.engine.ledger.orders._notices.of(201).effect is Effect.INFORM

    def test_a_code_that_nobody_knows_is_counted_and_harmless(self) -> None:
        """The gate stays as it was, no stream and no order is touched."""
        world = World()
        world.connect()
        before = world.engine.snapshot(world.now_ns)
        for _ in range(1_000):
            world.tell(notice(world, 99999, "of a future release"))
        after = world.engine.snapshot(world.now_ns)
        assert after.counters["notices_unknown"] == after.counters["notice.99999"] == 1_000
        assert (after.gate, after.upstream, after.link.state) == (before.gate, before.upstream, before.link.state)
        assert after.streams == before.streams

    def test_trouble_outside_stands_until_it_is_over(self) -> None:
        """One alert when it begins and one when it has been over for a while; its severity may rise."""
        world = World()
        told = {"key": "vault/unreachable", "text": "sealed", "remedy": "unseal it"}
        world.tell(OutsideTrouble(severity=AlertSeverity.WARNING, **told))
        world.tell(OutsideTrouble(severity=AlertSeverity.CRITICAL, **told))
        world.tell(OutsideTrouble(key="vault/unreachable", severity=None))
        world.wait(60 * SECOND)
        mine = [event for event in world.published if getattr(event, "key", "") == "vault/unreachable"]
        assert [(event.severity.value, event.raised) for event in mine] == [
            ("warning", True),
            ("critical", True),
            ("critical", False),
        ]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structured.configure("info", stream=stream, pretty=False)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(lines: io.StringIO, event: str) -> list[dict]:
    return [line for line in map(json.loads, lines.getvalue().splitlines()) if line["event"] == event]


class TestReload:
    async def test_a_good_file_takes_effect_and_is_logged(self, tmp_path: Path, lines: io.StringIO) -> None:
        """The rows go to the core; the line says what changed."""
        file, told = tmp_path / "codes.toml", []
        file.write_text("")
        codes = MessageCodes(str(file), message_codes.load(str(file)), tell=told.append)
        file.write_text('[[codes]]\ncode = 2104\neffect = "inform"')
        changed, found = await codes.reload()
        assert changed == ["2104 effect farm_ok → inform"]
        assert MessageCodesReplaced(rows=found.rows) in told
        assert codes.in_force is found
        assert logged(lines, "message_codes_reloaded")[0]["changed"] == changed
        codes.close()

    async def test_a_bad_file_keeps_the_last_good_table(self, tmp_path: Path, lines: io.StringIO) -> None:
        """Said in the log and as an alert, which a good file ends."""
        file, told = tmp_path / "codes.toml", []
        file.write_text('[[codes]]\ncode = 2104\neffect = "inform"')
        codes = MessageCodes(str(file), good := message_codes.load(str(file)), tell=told.append)
        file.write_text('[[codes]]\ncode = 2104\neffect = "terminal"')
        with pytest.raises(ConfigurationError):
            await codes.reload()
        assert codes.in_force is good
        assert [(event.key, event.severity) for event in told] == [
            ("message_codes/steering", None),
            ("message_codes/refused", AlertSeverity.WARNING),
        ]
        assert "there is no effect 'terminal'" in told[1].text
        assert logged(lines, "message_codes_refused")[0]["kept"] == "the last good table"
        file.unlink()
        with pytest.raises(ConfigurationError):
            await codes.reload()
        file.write_text("")
        await codes.reload()
        assert told[-3:] == [
            OutsideTrouble(key="message_codes/refused", severity=None),
            MessageCodesReplaced(rows=shipped_rows()),
            OutsideTrouble(key="message_codes/steering", severity=None),
        ]
        codes.close()

    async def test_a_code_that_no_longer_steers_is_an_alert_as_long_as_it_is_so(
        self, tmp_path: Path, lines: io.StringIO
    ) -> None:
        """From the start on, and with one line of the log; a reload that gives the effect back ends it."""
        file, told = tmp_path / "codes.toml", []
        file.write_text('[[codes]]\ncode = 1100\neffect = "inform"')
        codes = MessageCodes(str(file), message_codes.load(str(file)), tell=told.append)
        (trouble,) = told
        assert (trouble.key, trouble.severity) == ("message_codes/steering", AlertSeverity.WARNING)
        assert "1100 is inform and no longer upstream_lost" in trouble.text
        assert len(logged(lines, "message_codes_warning")) == 1
        file.write_text("")
        await codes.reload()
        assert told[-1] == OutsideTrouble(key="message_codes/steering", severity=None)
        codes.close()

    async def test_a_reload_that_takes_a_steering_effect_away_is_refused_where_money_is_at_stake(
        self, tmp_path: Path, lines: io.StringIO
    ) -> None:
        """The last good table stays, and somebody is told why."""
        file, told = tmp_path / "codes.toml", []
        file.write_text("")
        codes = MessageCodes(str(file), good := message_codes.load(str(file)), tell=told.append, keep_steering=True)
        file.write_text('[[codes]]\ncode = 1100\neffect = "inform"')
        with pytest.raises(ConfigurationError):
            await codes.reload()
        assert codes.in_force is good
        assert not [event for event in told if isinstance(event, MessageCodesReplaced)]
        assert (told[-1].key, told[-1].severity) == ("message_codes/refused", AlertSeverity.WARNING)
        codes.close()


class TestLog:
    def test_an_unknown_code_has_one_line_a_minute(self, lines: io.StringIO) -> None:
        """The next one says how many were left out; known codes are written each time."""
        reporter, table = Reporter(1), shipped()
        for second in range(120):
            for code in (99999, 2104):
                event = NoticeReceived(ts_recv_ns=second * SECOND, epoch=1, req_id=-1, code=code, text="x")
                reporter.notice(event, table.of(code), "")
        found = logged(lines, "notice")
        assert [line.get("unwritten") for line in found if line["errorCode"] == 99999] == [None, 59]
        assert sum(line["errorCode"] == 2104 for line in found) == 120

    def test_a_storm_of_unknown_codes_is_bounded(self, lines: io.StringIO) -> None:
        """Beyond 200 codes they share one line."""
        reporter, table = Reporter(1), shipped()
        for code in range(1_000_000, 1_001_000):
            reporter.notice(NoticeReceived(ts_recv_ns=1, epoch=1, req_id=-1, code=code, text="x"), table.of(code), "")
        assert len(logged(lines, "notice")) == 201
