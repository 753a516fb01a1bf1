"""The planned windows of a configuration: defaults, changes by name, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibkr_adapter.config import Config
from ibkr_adapter.config.reading import parse, simulated
from ibkr_adapter.config.resolving import resolve
from ibkr_adapter.config.restarts import WindowTable, default_windows
from ibkr_adapter.config.showing import show
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.windows import Window, WindowKind
from tests.config.refusals import refused

LIVE = """
environment = "production"
[environments.production]
account = "U1234567"
[gateways.primary]
port = 4001
"""


def gateway(*windows: str, table: str = "") -> str:
    """A gateway with these windows."""
    return f"[gateways.primary]\nport = 4002\n{table}\n" + "".join(
        f"[[gateways.primary.windows]]\n{window}\n" for window in windows
    )


def windows(text: str) -> dict[str, Window]:
    return {window.name: window for window in parse(text, "desk.toml").gateway.windows}


KEYS = st.sampled_from(["name", "at", "days", "minutes", "kind", "patience_minutes"])
PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["04:45", "daily", "gateway_restart"])
ANYTHING = st.recursive(PLAIN, lambda value: st.lists(value) | st.dictionaries(KEYS, value), max_leaves=10)


class TestDefaults:
    def test_every_gateway_knows_its_restart_and_ibs_resets(self) -> None:
        """04:45 daily, IB's nightly and weekend reset, the Sunday login; New York time."""
        assert parse("", "x").gateway.time_zone == "America/New_York"
        found = windows("")
        assert {(w.name, w.kind.value, w.start_minute, w.minutes) for w in found.values()} == {
            ("gateway_restart", "restart", 285, 45),
            ("nightly_reset", "broker", 15, 90),
            ("weekend_reset", "broker", 1380, 240),
            ("sunday_login", "login", 60, 660),
        }
        assert found["gateway_restart"].patience_minutes == 10
        assert found["nightly_reset"].days == frozenset({6, 0, 1, 2, 3, 4})
        assert (found["weekend_reset"].days, found["sunday_login"].days) == (frozenset({4}), frozenset({6}))

    def test_production_restarts_at_five_where_the_other_window_ends(self) -> None:
        """04:45 to 05:00, then 05:00 to 05:30: the defaults do not overlap."""
        found = windows(LIVE)
        assert (found["gateway_restart"].start_minute, found["gateway_restart"].minutes) == (285, 15)
        assert (found["production_restart"].start_minute, found["production_restart"].minutes) == (300, 30)
        assert "production_restart" not in windows("")

    def test_a_simulated_gateway_has_none(self, tmp_path) -> None:
        """It restarts when it is told to, and the demo works at any hour."""
        assert simulated(4002, "DU1234567", tmp_path).gateway.windows == ()

    def test_each_gateway_has_its_own(self) -> None:
        """What one of them changes the others keep."""
        text = gateway('name = "gateway_restart"\nat = "23:45"') + "[gateways.second]\nport = 4002"
        config = parse(text, "x")
        starts = {
            name: [w.start_minute for w in g.windows if w.kind is WindowKind.RESTART]
            for name, g in config.gateways.items()
        }
        assert starts == {"primary": [23 * 60 + 45], "second": [285]}


class TestChanges:
    def test_a_name_that_is_known_changes_only_what_is_given(self) -> None:
        """The rest of it, and every other window, stays."""
        found = windows(gateway('name = "gateway_restart"\nat = "23:45"\npatience_minutes = 25'))
        restart = found["gateway_restart"]
        assert (restart.start_minute, restart.minutes, restart.patience_minutes) == (23 * 60 + 45, 45, 25)
        assert len(found) == 4

    def test_a_new_name_adds_a_window(self) -> None:
        """A restart by default, on every day, for half an hour."""
        found = windows(
            gateway('name = "noon"\nat = "12:00"', 'name = "w"\nat = "20:00"\nkind = "broker"\ndays = ["sat"]')
        )
        assert found["noon"] == Window(name="noon", start_minute=720)
        assert (found["w"].kind, found["w"].days) == (WindowKind.BROKER, frozenset({5}))

    def test_no_minutes_switch_a_window_off(self) -> None:
        """And only that one; a name nobody has is no harm."""
        off = 'name = "sunday_login"\nminutes = 0'
        assert set(windows(gateway(off))) == {"gateway_restart", "nightly_reset", "weekend_reset"}

    def test_an_empty_list_switches_all_off(self) -> None:
        """For a simulator, or a gateway that somebody else watches."""
        assert windows(gateway(table="windows = []")) == {}

    def test_a_window_may_run_into_the_next_day(self) -> None:
        """And Sunday night into Monday, without being taken for two."""
        found = windows(gateway('name = "late"\nkind = "login"\nat = "23:30"\nminutes = 60\ndays = ["sun"]'))
        assert found["late"].start_minute + found["late"].minutes > 24 * 60

    def test_other_zones_are_taken(self) -> None:
        """A gateway's own restart is set in the zone of its machine."""
        assert parse(gateway(table='time_zone = "Europe/London"'), "x").gateway.time_zone == "Europe/London"


class TestRefusals:
    @pytest.mark.parametrize(
        ("zone", "remedy"),
        [
            ("America/NewYork", "did you mean America/New_York"),
            ("america/new_york", "America/New_York"),
            ("New York", "America/New_York"),
            ("Europe/Lodon", "Europe/London"),
            ("EDT", "as America/New_York"),
            ("", "as America/New_York"),
            ("../../etc/passwd", "as America/New_York"),
            ("America", "America"),
        ],
    )
    def test_a_wrong_time_zone_is_refused_with_the_right_one(self, zone: str, remedy: str) -> None:
        """Before anything starts, and nothing is guessed."""
        error = refused(gateway(table=f'time_zone = "{zone}"'))
        assert error.path == "gateways.primary.time_zone"
        assert "no time zone" in error.message
        assert remedy in error.remedy

    @pytest.mark.parametrize(
        ("window", "key", "message"),
        [
            ('name = "r"', "at", "missing"),
            ('at = "04:45"', "name", "missing"),
            ('name = "r"\nat = "4:45"', "at", "no time of day"),
            ('name = "r"\nat = "24:00"', "at", "no time of day"),
            ('name = "r"\nat = "04:45 ET"', "at", "no time of day"),
            ('name = "r"\nat = 04:45:00', "at", "expected text"),
            ('name = "r"\nat = "04:45"\nminutes = 1440', "minutes", "a day or more"),
            ('name = "r"\nat = "04:45"\nminutes = -5', "minutes", "not a length"),
            ('name = "r"\nat = "04:45"\nminutes = "30"', "minutes", "expected whole number"),
            ('name = "r"\nat = "04:45"\nkind = "reboot"', "kind", "invalid"),
            ('name = "r"\nat = "04:45"\ndays = "sunday"', "days", "not days of the week"),
            ('name = "r"\nat = "04:45"\ndays = ["Sun"]', "days", "not days of the week"),
            ('name = "r"\nat = "04:45"\ndays = []', "days", "not days of the week"),
            ('name = "r"\nat = "04:45"\npatience_minutes = 0', "patience_minutes", "not a patience"),
            ('name = "sunday_login"\npatience_minutes = 5', "patience_minutes", "excuses until its end"),
            ('name = "no spaces"\nat = "04:45"', "name", "letters, digits"),
            ('name = "r"\nat = "04:45"\nminuts = 30', "minuts", "unknown key"),
        ],
    )
    def test_a_window_that_means_nothing_is_refused(self, window: str, key: str, message: str) -> None:
        """The key is named, with what is wrong."""
        error = refused(gateway(window))
        assert error.path == f"gateways.primary.windows[0].{key}"
        assert message in error.message

    def test_the_kinds_are_named(self) -> None:
        """Who misspells one is told which there are."""
        assert refused(gateway('name = "r"\nat = "04:45"\nkind = "reboot"')).remedy == "one of restart, broker, login"

    def test_two_windows_of_one_kind_that_overlap_are_both_named(self) -> None:
        """With their times: one of them must go."""
        error = refused(gateway('name = "noon"\nat = "12:00"', 'name = "later"\nat = "12:29"'))
        assert error.path == "gateways.primary.windows"
        assert "noon (12:00–12:30) and later (12:29–12:59) overlap" in error.message

    def test_an_overlap_with_a_default_is_found_too(self) -> None:
        """05:00 in development meets the restart of 04:45."""
        error = refused(gateway('name = "five"\nat = "05:00"'))
        assert "gateway_restart (04:45–05:30) and five (05:00–05:30) overlap" in error.message
        assert "minutes = 0" in error.remedy

    def test_an_overlap_over_midnight_and_over_the_week_is_found(self) -> None:
        """Sunday 23:50 for twenty minutes meets Monday 00:05."""
        late = 'name = "late"\nat = "23:50"\nminutes = 20\ndays = ["sun"]'
        assert "overlap" in refused(gateway(late, 'name = "early"\nat = "00:05"\ndays = ["mon"]')).message
        assert len(windows(gateway(late, 'name = "early"\nat = "00:10"\ndays = ["mon"]'))) == 6

    def test_windows_of_different_kinds_may_overlap(self) -> None:
        """A restart in the middle of IB's reset."""
        assert len(windows(gateway('name = "gateway_restart"\nat = "00:30"'))) == 4

    def test_a_name_given_twice_is_refused(self) -> None:
        """Which of them counts nobody could know."""
        error = refused(gateway('name = "r"\nat = "12:00"', 'name = "r"\nat = "14:00"'))
        assert error.path == "gateways.primary.windows[1].name"
        assert "windows[0]" in error.message

    @pytest.mark.parametrize("value", ["{}", '"none"', "[1]", "[[]]", "false"])
    def test_what_is_no_list_of_tables_is_refused(self, value: str) -> None:
        """One message, no traceback."""
        assert refused(gateway(table=f"windows = {value}")).path.startswith("gateways.primary.windows")

    def test_windows_have_a_bound(self) -> None:
        """Fifty are more than anybody means."""
        many = (f'name = "w{n}"\nat = "{n // 3:02}:{n % 3 * 20:02}"\nminutes = 10' for n in range(51))
        assert "more than 50" in refused(gateway(*many)).message

    @given(ANYTHING)
    def test_whatever_stands_there_is_an_answer(self, value: object) -> None:
        """A configuration or a ConfigurationError, never another exception."""
        document = {"gateways": {"primary": {"port": 4002, "windows": value}}}
        with contextlib.suppress(ConfigurationError):
            assert isinstance(resolve(document, "x", Path("/")), Config)


class TestShowing:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            LIVE,
            gateway(table="windows = []"),
            gateway(
                'name = "sunday_login"\nminutes = 0', 'name = "gateway_restart"\nat = "23:45"\npatience_minutes = 7'
            ),
            gateway('name = "w"\nat = "20:00"\nkind = "broker"\ndays = ["sat"]', table='time_zone = "Asia/Tokyo"'),
        ],
    )
    def test_what_is_shown_means_the_same(self, text: str) -> None:
        """Also what is switched off stays off when it is read again."""
        config = parse(text, "desk.toml")
        again = parse(show(config), "again")
        by_name = [sorted(c.gateway.windows, key=lambda w: w.name) for c in (config, again)]
        assert by_name[0] == by_name[1]
        assert replace(again.gateway, windows=()) == replace(config.gateway, windows=())

    def test_what_the_file_did_not_say_is_marked(self) -> None:
        """As every other default."""
        assert "[[gateways.primary.windows]]  # default" in show(parse("", "x"))
        assert "[[gateways.primary.windows]]\n" in show(parse(gateway('name = "noon"\nat = "12:00"'), "x"))


DAYS = {
    "daily": "daily",
    ("fri",): "Friday",
    ("sun",): "Sunday",
    ("sun", "mon", "tue", "wed", "thu", "fri"): "Sunday to Friday",
}


def documented(row: WindowTable, *, only_production: bool) -> tuple[str, ...]:
    note = "in `production` only" if only_production else ""
    return f"`{row.name}`", f"`{row.kind}`", DAYS[row.days], row.at, str(row.minutes), note


def test_the_reference_page_lists_the_windows_in_force() -> None:
    """Name, kind, days, time and length of each window that a file need not write, in production and elsewhere."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text()
    table = page.partition("| name | kind | days | from | minutes | |\n")[2].partition("\n\n")[0]
    told = {row[0]: row for row in (tuple(map(str.strip, line.split("|")[1:-1])) for line in table.splitlines()[1:])}
    usual = {row.name: row for row in default_windows("development")}
    production = {row.name: row for row in default_windows("production")}

    assert set(told) == {f"`{name}`" for name in usual | production}
    for name, row in (production | usual).items():
        *facts, note = documented(row, only_production=name not in usual)
        assert told[f"`{name}`"][:5] == tuple(facts)
        assert note in told[f"`{name}`"][5]
        if name in usual and (there := production[name]).minutes != row.minutes:
            assert told[f"`{name}`"][5] == f"{there.minutes} in `production`"
