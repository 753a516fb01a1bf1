"""Planned windows as moments: once a day by the clock on the wall, whatever the offset is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.calendar import LocalTime, weekday
from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.config.reading import parse
from ibkr_adapter.core.link.calendar import CLOSE_BEFORE_NS, Excuse, RestartCalendar, Window, WindowKind

HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEW_YORK = ZoneInfo("America/New_York")
RESTART = Window(name="gateway_restart", start_minute=4 * 60 + 45)
DEFAULTS = parse("", "empty").gateway.windows
PRODUCTION = parse(
    'environment = "production"\n[environments.production]\naccount = "U1234567"\n[gateways.primary]\nport = 4001',
    "live",
).gateway.windows


def at(text: str, fold: int = 0, zone: str = "America/New_York") -> int:
    """A local time as nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * SECOND


def changes(calendar: RestartCalendar, from_ns: int, to_ns: int) -> Iterator[int]:
    """Each moment the calendar names, in order, asked for as the engine does: from one to the next."""
    now_ns: int | None = from_ns
    while (now_ns := calendar.next_change_ns(now_ns)) is not None and now_ns < to_ns:
        yield now_ns


def begun(calendar: RestartCalendar, from_ns: int, to_ns: int) -> list[Excuse]:
    """Every window that began, each once."""
    found = {}
    for moment in changes(calendar, from_ns, to_ns):
        excuse = calendar.at(moment)
        if excuse is not None and excuse.from_ns == moment:
            found[excuse.from_ns] = excuse
    return list(found.values())


class TestOneWindow:
    def test_it_holds_from_its_start_up_to_its_end(self) -> None:
        """Half open, to the nanosecond; the gate is closed a minute earlier."""
        calendar, start_ns = RestartCalendar([RESTART]), at("2026-11-24 04:45")
        excuse = Excuse(
            name="gateway_restart",
            kind=WindowKind.RESTART,
            from_ns=start_ns,
            until_ns=start_ns + 30 * MINUTE,
            kinds=frozenset({WindowKind.RESTART}),
            changes_ns=start_ns + 30 * MINUTE,
        )
        assert calendar.at(start_ns - 1) is None
        assert calendar.at(start_ns) == calendar.at(start_ns + 30 * MINUTE - 1) == excuse
        assert calendar.at(start_ns + 30 * MINUTE) is None
        assert calendar.closing(start_ns - CLOSE_BEFORE_NS - 1) is None
        assert calendar.closing(start_ns - CLOSE_BEFORE_NS) == excuse
        assert calendar.closing(start_ns + 30 * MINUTE) is None
        assert CLOSE_BEFORE_NS == 60 * SECOND

    def test_the_next_change_is_named_exactly(self) -> None:
        """A minute before, start, end, and then the next day's."""
        calendar, start_ns = RestartCalendar([RESTART]), at("2026-11-24 04:45")
        found = list(changes(calendar, start_ns - HOUR, start_ns + DAY))
        ahead_ns = start_ns - CLOSE_BEFORE_NS
        assert found == [ahead_ns, start_ns, start_ns + 30 * MINUTE, ahead_ns + DAY]

    def test_without_windows_nothing_ever_changes(self) -> None:
        """No excuse, no closed gate, no wake-up."""
        calendar = RestartCalendar([])
        now_ns = at("2026-11-24 04:45")
        assert (calendar.at(now_ns), calendar.closing(now_ns), calendar.upcoming(now_ns)) == (None, None, None)
        assert calendar.next_change_ns(now_ns) is None
        assert calendar.excuse(now_ns, now_ns) is None

    def test_time_may_be_asked_for_in_any_order(self) -> None:
        """What is remembered from one question never answers another."""
        calendar, start_ns = RestartCalendar([RESTART]), at("2026-11-24 04:45")
        assert calendar.at(start_ns) is not None
        assert calendar.at(start_ns - HOUR) is None
        assert calendar.at(start_ns + 5 * DAY) is not None
        assert calendar.next_change_ns(start_ns - HOUR) == start_ns - CLOSE_BEFORE_NS

    def test_the_operator_reads_which_windows_there_are(self) -> None:
        """repr names zone and windows."""
        assert repr(RestartCalendar([RESTART], "UTC")) == "<RestartCalendar UTC: gateway_restart>"
        assert repr(RestartCalendar([])) == "<RestartCalendar America/New_York: no windows>"

    def test_a_window_is_said_in_the_time_in_which_it_was_written(self) -> None:
        """Name, weekday and minute, zone."""
        calendar = RestartCalendar(DEFAULTS)
        excuse = calendar.closing(at("2026-11-22 00:59"))
        assert excuse is not None
        assert calendar.words(excuse) == "sunday_login + nightly_reset, Sun 01:00 to Sun 12:00 America/New_York"

    def test_a_zone_that_does_not_exist_is_refused(self) -> None:
        """Nothing is guessed: the configuration finds it first, with the nearest names."""
        for zone in ("America/Nowhere", "", "../etc/passwd", "America"):
            with pytest.raises(ValueError, match="no time zone"):
                RestartCalendar([RESTART], zone)


class TestTheWholeYear:
    @pytest.mark.fault("F10", "F13")
    @pytest.mark.parametrize("year", [2026, 2028])
    def test_every_local_day_has_exactly_one_window_of_each_daily_name(self, year: int) -> None:
        """F10, F13: two years from then, both changes of the clock, New Year and 29 February included."""
        daily = [window for window in PRODUCTION if len(window.days) == 7]
        assert [window.name for window in daily] == ["gateway_restart", "production_restart"]
        for window in daily:
            calendar = RestartCalendar([window])
            found = begun(calendar, at(f"{year}-01-01 00:00"), at(f"{year + 2}-01-01 00:00"))
            days = Counter(datetime.fromtimestamp(e.from_ns // SECOND, NEW_YORK).date() for e in found)
            assert len(days) == len(found) == (date(year + 2, 1, 1) - date(year, 1, 1)).days
            for excuse in found:
                local = datetime.fromtimestamp(excuse.from_ns // SECOND, NEW_YORK)
                assert local.hour * 60 + local.minute == window.start_minute
                assert excuse.until_ns - excuse.from_ns == window.minutes * MINUTE
                assert calendar.closing(excuse.from_ns - CLOSE_BEFORE_NS) == excuse
                assert calendar.at(excuse.from_ns - CLOSE_BEFORE_NS) is None

    @pytest.mark.parametrize("minute", range(0, 24 * 60, 15))
    def test_so_has_it_at_whatever_time_the_restart_is(self, minute: int) -> None:
        """Also at times that do not exist, or exist twice, on one of the days."""
        calendar = RestartCalendar([Window(name="r", start_minute=minute, minutes=20)])
        for first in ("2026-03-05", "2026-10-29", "2026-12-29", "2028-02-27"):
            from_ns = at(f"{first} 00:00")
            found = [e for e in begun(calendar, from_ns - 3 * HOUR, from_ns + 7 * DAY) if e.from_ns >= from_ns]
            days = [datetime.fromtimestamp(e.from_ns // SECOND, NEW_YORK).date() for e in found]
            assert days[:6] == [date.fromisoformat(first) + timedelta(days=n) for n in range(6)]

    @pytest.mark.fault("F13")
    @pytest.mark.parametrize(
        "day", ["2026-12-31", "2027-01-01", "2028-02-29", "2026-11-26", "2026-11-27", "2026-12-25"]
    )
    def test_a_gateway_restarts_on_holidays_too(self, day: str) -> None:
        """Year end, 29 February, Thanksgiving, the half day after it, Christmas: a day like any other."""
        excuse = RestartCalendar(DEFAULTS).at(at(f"{day} 04:50"))
        assert excuse is not None
        assert excuse.name == "gateway_restart"

    def test_windows_follow_the_clock_on_the_wall_over_a_change(self) -> None:
        """04:45 is 09:45 UTC in winter and 08:45 in summer, from the very day of the change."""
        calendar = RestartCalendar([RESTART])
        for day, hour in (("2026-03-07", 9), ("2026-03-08", 8), ("2026-10-31", 8), ("2026-11-01", 9)):
            moment_ns = (
                int(datetime.fromisoformat(f"{day} 00:45").replace(tzinfo=UTC).timestamp()) * SECOND + hour * HOUR
            )
            assert calendar.at(moment_ns - 1) is None
            assert calendar.at(moment_ns) is not None


class TestChangesOfTheClock:
    HALF_PAST_TWO = Window(name="r", start_minute=2 * 60 + 30, minutes=30)

    def test_a_time_that_does_not_exist_is_taken_at_its_widest(self) -> None:
        """02:30 on 8 March 2026: a scheduler may mean 01:30 before or 03:30 after the change; both are excused."""
        (excuse,) = begun(RestartCalendar([self.HALF_PAST_TWO]), at("2026-03-08 00:00"), at("2026-03-08 23:00"))
        assert (excuse.from_ns, excuse.until_ns) == (at("2026-03-08 01:30"), at("2026-03-08 04:00"))

    def test_a_time_that_exists_twice_is_excused_both_times(self) -> None:
        """01:30 on 1 November 2026, in summer time and an hour later in winter time: one window over both."""
        window = Window(name="r", start_minute=60 + 30, minutes=30)
        (excuse,) = begun(RestartCalendar([window]), at("2026-11-01 00:00"), at("2026-11-01 23:00"))
        assert excuse.from_ns == at("2026-11-01 01:30")
        assert excuse.until_ns == at("2026-11-01 01:30", fold=1) + 30 * MINUTE

    @pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-11-22"])
    def test_the_sunday_login_ends_by_the_clock_on_the_wall(self, day: str) -> None:
        """Noon, six hours before the futures open, also on the two Sundays of 23 and 25 hours."""
        login = [window for window in DEFAULTS if window.kind is WindowKind.LOGIN]
        (excuse,) = begun(RestartCalendar(login), at(f"{day} 00:00"), at(f"{day} 23:00"))
        assert (excuse.from_ns, excuse.until_ns) == (at(f"{day} 01:00"), at(f"{day} 12:00"))

    def test_the_nightly_reset_lasts_until_its_end_is_shown_for_the_second_time(self) -> None:
        """00:15 to 01:45 on the night on which 01:45 comes twice."""
        calendar = RestartCalendar([window for window in DEFAULTS if window.name == "nightly_reset"])
        excuse = calendar.at(at("2026-11-01 01:00"))
        assert excuse is not None
        assert excuse.until_ns == at("2026-11-01 01:45", fold=1)

    @pytest.mark.parametrize(
        "zone", ["Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]
    )
    def test_each_zone_has_its_own_changes(self, zone: str) -> None:
        """One window on each local day there, over a year; Lord Howe changes by half an hour."""
        calendar = RestartCalendar([Window(name="r", start_minute=4 * 60 + 45)], zone)
        found = begun(calendar, at("2026-01-01 00:00", zone=zone), at("2027-01-01 00:00", zone=zone))
        days = [datetime.fromtimestamp(e.from_ns // SECOND, ZoneInfo(zone)).date() for e in found]
        assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


class TestSeveralWindows:
    def test_the_defaults_of_production_meet_and_do_not_overlap(self) -> None:
        """04:45 to 05:00, then 05:00 to 05:30; closed from 04:44 to 05:30 without a pause."""
        calendar = RestartCalendar(PRODUCTION)
        names = [calendar.at(at(f"2026-11-24 {time}")) for time in ("04:45", "04:59", "05:00", "05:29")]
        assert [excuse.name for excuse in names if excuse] == ["gateway_restart"] * 2 + ["production_restart"] * 2
        minute_ns = at("2026-11-24 04:44")
        while minute_ns < at("2026-11-24 05:30"):
            assert calendar.closing(minute_ns) is not None
            minute_ns += MINUTE
        assert calendar.closing(minute_ns) is None

    def test_the_last_to_end_speaks_for_all_and_names_them(self) -> None:
        """Sunday 04:50: the restart within the login's window. At 01:10: IB's reset, too."""
        calendar = RestartCalendar(DEFAULTS)
        excuse = calendar.at(at("2026-11-22 04:50"))
        assert excuse is not None
        assert (excuse.name, excuse.kind) == ("sunday_login + gateway_restart", WindowKind.LOGIN)
        assert (excuse.from_ns, excuse.until_ns) == (at("2026-11-22 01:00"), at("2026-11-22 12:00"))
        reset = calendar.at(at("2026-11-22 01:10"))
        assert reset is not None
        assert reset.name == "sunday_login + nightly_reset"

    def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(self) -> None:
        """IB's weekend: from Friday 23:00 into Saturday."""
        calendar = RestartCalendar(DEFAULTS)
        for text, name in (
            ("2026-11-27 23:00", "weekend_reset"),
            ("2026-11-28 02:59", "weekend_reset"),
            ("2026-11-28 00:30", "weekend_reset"),
        ):
            excuse = calendar.at(at(text))
            assert excuse is not None
            assert excuse.name == name
        assert calendar.at(at("2026-11-28 03:00")) is None

    def test_the_next_window_is_known_before_it_begins(self) -> None:
        """For the page: from Monday morning on it is Tuesday's reset, and from there the restart."""
        calendar = RestartCalendar(DEFAULTS)
        upcoming = calendar.upcoming(at("2026-11-23 09:30"))
        assert upcoming is not None
        assert (upcoming.name, upcoming.from_ns) == ("nightly_reset", at("2026-11-24 00:15"))
        assert calendar.upcoming(at("2026-11-24 00:15")).name == "gateway_restart"  # type: ignore[union-attr]

    def test_one_window_a_week_is_found_from_everywhere(self) -> None:
        """Also right after it began, when the next is seven days away and a clock change lies between."""
        calendar = RestartCalendar([Window(name="w", days=frozenset({6}), start_minute=0)])
        assert calendar.next_change_ns(at("2026-10-25 00:30")) == at("2026-11-01 00:00") - CLOSE_BEFORE_NS
        assert calendar.next_change_ns(at("2026-11-01 00:30")) == at("2026-11-08 00:00") - CLOSE_BEFORE_NS


WINDOWS = st.lists(
    st.builds(
        Window,
        name=st.sampled_from(["a", "b", "c", "d"]),
        kind=st.sampled_from(WindowKind),
        days=st.frozensets(st.integers(0, 6), min_size=1),
        start_minute=st.integers(0, 1439),
        minutes=st.integers(1, 22 * 60),  # a longer one meets itself on the day of 25 hours
    ),
    max_size=4,
    unique_by=lambda window: window.name,
)
SAMPLED_DAYS = st.sampled_from(["2026-03-08", "2026-11-01", "2026-12-31", "2028-02-28", "2026-07-10"])


@given(windows=WINDOWS, day=SAMPLED_DAYS)
def test_the_named_changes_are_all_there_are(windows: list[Window], day: str) -> None:
    """An oracle looks minute by minute at what another reading of the same calendar holds: no change is missed."""
    calendar, oracle = RestartCalendar(windows), RestartCalendar(windows)
    from_ns = at(f"{day} 00:00") - HOUR

    def look(now_ns: int) -> tuple[object, object]:
        fresh = RestartCalendar(windows) if now_ns % HOUR == 0 else oracle
        return fresh.at(now_ns), fresh.closing(now_ns)

    minutes = [from_ns + n * MINUTE for n in range(26 * 60)]
    looked = {minute_ns: look(minute_ns) for minute_ns in minutes}
    seen = [later for earlier, later in pairwise(minutes) if looked[earlier] != looked[later]]
    assert seen == list(changes(calendar, from_ns, minutes[-1] + 1))


@given(windows=WINDOWS, day=SAMPLED_DAYS, minute=st.integers(0, 1439))
def test_a_window_holds_exactly_when_the_wall_says_so(windows: list[Window], day: str, minute: int) -> None:
    """Away from changes of the clock: by plain arithmetic on the local time and nothing else."""
    moment_ns = at(f"{day} 12:00") + 3 * DAY + minute * MINUTE
    local = datetime.fromtimestamp(moment_ns // SECOND, NEW_YORK)
    of_week = local.weekday() * 1440 + local.hour * 60 + local.minute
    holding = {
        window.name
        for window in windows
        for each in window.days
        if (of_week - each * 1440 - window.start_minute) % (7 * 1440) < window.minutes
    }
    excuse = RestartCalendar(windows).at(moment_ns)
    assert set(excuse.name.split(" + ") if excuse else ()) == holding


class TestExcuses:
    """Until when a loss is not told: B22, B23, B24."""

    CALENDAR = RestartCalendar(DEFAULTS)

    def until(self, now: str, lost: str | None) -> str | None:
        excuse = self.CALENDAR.excuse(at(f"2026-11-24 {now}"), at(f"2026-11-24 {lost}") if lost else None)
        return datetime.fromtimestamp(excuse.until_ns // SECOND, NEW_YORK).strftime("%H:%M") if excuse else None

    def test_a_restart_excuses_ten_minutes_from_the_loss(self) -> None:
        """Lost at 04:46, told at 04:56 and not before."""
        assert self.until("04:46", "04:46") == "04:56"
        assert self.until("04:55", "04:46") == "04:56"
        assert self.until("04:56", "04:46") is None

    def test_a_restart_that_slips_is_excused_for_as_long(self) -> None:
        """05:20, and 05:29: beyond the window's end, for the loss was within."""
        assert self.until("05:29", "05:20") == "05:30"
        assert self.until("05:35", "05:29") == "05:39"
        assert self.until("05:31", "05:30") is None

    def test_a_gateway_whose_clock_is_ahead_is_excused_too(self) -> None:
        """A loss in the minute in which the gate is closed already: ten minutes from the window's start."""
        assert self.until("04:44", "04:44") == "04:55"
        assert self.until("04:43", "04:43") is None

    def test_a_gateway_that_was_down_before_is_excused_once_more(self) -> None:
        """Down since 04:30, and again not told from 04:45 to 04:55: whatever was told stays told."""
        assert self.until("04:40", "04:30") is None
        assert self.until("04:54", "04:30") == "04:55"
        assert self.until("04:55", "04:30") is None

    def test_what_is_wrong_without_a_loss_is_excused_while_a_window_holds(self) -> None:
        """1100 and farms, during a restart and during IB's own reset."""
        assert self.until("04:50", None) == "05:30"
        assert self.until("00:15", None) == "01:45"
        assert self.until("01:45", None) is None

    def test_ibs_reset_excuses_until_its_end_and_no_longer(self) -> None:
        """A loss at 01:40 is told after 01:45."""
        assert self.until("01:40", "01:40") == "01:45"
        assert self.until("01:45", "01:40") is None

    def test_the_login_excuses_a_gateway_that_waits_for_a_person(self) -> None:
        """From Sunday 01:00 until noon; then somebody is told, with hours left before the open."""
        lost_ns = at("2026-11-22 04:46")
        excuse = self.CALENDAR.excuse(at("2026-11-22 11:59"), lost_ns)
        assert excuse is not None
        assert excuse.name == "sunday_login"
        assert self.CALENDAR.excuse(at("2026-11-22 12:00"), lost_ns) is None

    def test_windows_that_hold_together_excuse_by_the_kinds_of_all(self) -> None:
        """The restart of a Sunday ends with its patience, and the login alone goes on; that moment is asked for."""
        lost_ns = at("2026-11-22 04:46")
        both = self.CALENDAR.excuse(at("2026-11-22 04:50"), lost_ns)
        alone = self.CALENDAR.excuse(at("2026-11-22 04:56"), lost_ns)
        assert both is not None
        assert both.kinds == {WindowKind.RESTART, WindowKind.LOGIN}
        assert (both.changes_ns, both.until_ns) == (at("2026-11-22 04:56"), at("2026-11-22 12:00"))
        assert alone is not None
        assert alone.kinds == {WindowKind.LOGIN}

    def test_two_restarts_in_one_window_are_excused_each(self) -> None:
        """B23: back at 04:50, lost again at 04:58: until 05:08."""
        assert self.until("04:47", "04:46") == "04:56"
        assert self.until("05:07", "04:58") == "05:08"


class TestLocalTime:
    @given(st.integers(0, 4_000_000_000))
    def test_every_moment_is_a_reading_of_its_own_local_time(self, second: int) -> None:
        """Day and minute lead back to the moment, as the earlier or the later of the two readings."""
        local = datetime.fromtimestamp(second - second % 60, NEW_YORK)
        clock = LocalTime("America/New_York")
        moment_ns = (second - second % 60) * SECOND
        assert clock.day(moment_ns) == local.toordinal()
        assert moment_ns in clock.moments_ns(local.toordinal(), local.hour * 60 + local.minute)

    @given(st.dates())
    def test_weekdays_count_from_monday(self, day: date) -> None:
        """As everybody else's."""
        assert weekday(day.toordinal()) == day.weekday()
