"""How many idle slots are wanted, by the clock of the schedule's own time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, buffer_of
from hotdesk.api.v1alpha1 import Schedule
from hotdesk.core.group.buffer import is_active, schedule_fault, target

BERLIN = ZoneInfo("Europe/Berlin")
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def schedule(start: str, duration: str = "1h", *, zone: str = "UTC", idle: int = 9, name: str = "peak") -> Schedule:
    return Schedule.model_validate({"name": name, "start": start, "duration": duration, "timeZone": zone, "idle": idle})


def berlin(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


class TestTarget:
    def test_idle_is_the_least(self):
        assert target(buffer_of(3), claimed=0, now=NOW) == 3

    def test_percent_of_the_claimed_is_rounded_up(self):
        assert target(buffer_of(0, percent=10), claimed=11, now=NOW) == 2
        assert target(buffer_of(0, percent=10), claimed=10, now=NOW) == 1

    def test_the_largest_wish_counts(self):
        busy = schedule("0 12 * * *", idle=7)
        assert target(buffer_of(2, percent=50, schedules=(busy,)), claimed=4, now=NOW) == 7
        assert target(buffer_of(2, percent=50, schedules=(busy,)), claimed=40, now=NOW) == 20

    def test_a_schedule_may_want_none_where_idle_wants_some(self):
        assert target(buffer_of(2, schedules=(schedule("0 12 * * *", idle=0),)), claimed=0, now=NOW) == 2

    def test_a_schedule_that_is_over_wants_nothing(self):
        assert target(buffer_of(2, schedules=(schedule("0 10 * * *"),)), claimed=0, now=NOW) == 2

    @given(st.integers(0, 50), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 100))
    def test_more_claims_never_want_fewer(self, idle: int, percent: int, claimed: int, more: int):
        wanted = buffer_of(idle, percent=percent)
        assert idle <= target(wanted, claimed=claimed, now=NOW) <= target(wanted, claimed=claimed + more, now=NOW)


class TestTimes:
    def test_the_start_is_inside_and_the_end_is_outside(self):
        morning = schedule("0 8 * * *", "2h")
        times = ("07:59:59", "08:00:00", "09:59:59", "10:00:00")
        assert [is_active(morning, now=datetime.fromisoformat(f"2026-03-02T{t}+00:00")) for t in times] == [
            False,
            True,
            True,
            False,
        ]

    def test_start_is_written_in_the_schedules_time_zone(self):
        morning = schedule("0 8 * * *", zone="Europe/Berlin")
        assert is_active(morning, now=datetime(2026, 1, 5, 7, 30, tzinfo=UTC))
        assert not is_active(morning, now=datetime(2026, 1, 5, 8, 30, tzinfo=UTC))
        assert is_active(morning, now=datetime(2026, 7, 6, 6, 30, tzinfo=UTC))

    def test_weekdays_are_those_of_the_time_zone(self):
        monday = schedule("0 8 * * MON", zone="Asia/Tokyo")
        assert is_active(monday, now=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))  # Monday 08:30 in Tokyo
        assert not is_active(monday, now=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))

    def test_a_schedule_lasts_over_midnight_and_longer_than_a_day(self):
        weekend = schedule("0 18 * * FRI", "62h")
        assert is_active(weekend, now=datetime(2026, 3, 9, 7, 59, tzinfo=UTC))
        assert not is_active(weekend, now=datetime(2026, 3, 9, 8, tzinfo=UTC))

    @pytest.mark.parametrize("local", ["2026-03-29T00:00", "2026-03-29T08:30", "2026-03-29T08:59"])
    def test_when_summer_time_begins_it_lasts_as_long_as_ever(self, local: str):
        assert is_active(schedule("0 0 * * *", "8h", zone="Europe/Berlin"), now=berlin(local))

    def test_when_summer_time_begins_it_ends_an_hour_later_by_the_clock(self):
        assert not is_active(schedule("0 0 * * *", "8h", zone="Europe/Berlin"), now=berlin("2026-03-29T09:00"))

    @pytest.mark.parametrize(("local", "expected"), [("2026-10-25T06:59", True), ("2026-10-25T07:00", False)])
    def test_when_summer_time_ends_it_lasts_as_long_as_ever(self, local: str, expected: bool):  # noqa: FBT001
        assert is_active(schedule("0 0 * * *", "8h", zone="Europe/Berlin"), now=berlin(local)) is expected

    def test_a_start_that_the_clock_skips_is_not_lost(self):
        night = schedule("30 2 * * *", zone="Europe/Berlin")
        hour = [berlin("2026-03-29T03:00") + timedelta(minutes=minute) for minute in range(90)]
        assert any(is_active(night, now=now) for now in hour)

    def test_a_start_that_the_clock_shows_twice_happens_once(self):
        night = schedule("30 2 * * *", "20m", zone="Europe/Berlin")
        begin = berlin("2026-10-25T02:00")
        active = [is_active(night, now=begin + timedelta(minutes=minute)) for minute in range(180)]
        assert sum(active) == 20

    @given(
        st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001  # a strategy's bounds are naive
        st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        st.integers(1, 40),
    )
    def test_a_daily_schedule_is_active_exactly_in_the_hours_after_a_start(self, at: datetime, zone: str, hours: int):
        now = at.replace(tzinfo=UTC)
        there = ZoneInfo(zone)
        daily = schedule("0 6 * * *", f"{hours}h", zone=zone)  # no zone changes its clock at six
        today = now.astimezone(there).date()
        days = (today - timedelta(days=back) for back in range(-1, 4))
        starts = [datetime(day.year, day.month, day.day, 6, tzinfo=there).astimezone(UTC) for day in days]
        assert is_active(daily, now=now) == any(s <= now < s + timedelta(hours=hours) for s in starts)


class TestFaults:
    @pytest.mark.parametrize(
        "start",
        [
            "",
            "x",
            "* * * *",
            "61 * * * *",
            "0 24 * * *",
            "0 22-6 * * *",
            "0 8 * * FRI-MON",
            "0 0 30 2 *",
            "0 8 * * *  *  *",
        ],
    )
    def test_a_start_that_never_comes_or_means_nothing_is_named(self, start: str):
        fault = schedule_fault([schedule(start, name="odd")], now=JANUARY)
        assert fault is not None
        assert "odd" in fault
        assert "correct" in fault

    @pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", ""])
    def test_an_unknown_time_zone_is_named(self, zone: str):
        made = schedule("0 8 * * *").model_copy(update={"time_zone": zone})
        fault = schedule_fault([made], now=JANUARY)
        assert fault is not None
        assert "timeZone" in fault

    def test_two_that_overlap_are_named_with_the_moment(self):
        one, other = schedule("0 8 * * *", "3h", name="one"), schedule("0 10 * * MON", name="other")
        fault = schedule_fault([one, other], now=JANUARY)
        assert fault is not None
        assert "one and other overlap" in fault
        assert "2026-01-05 at 10:00 UTC" in fault

    def test_one_that_begins_before_it_has_ended_overlaps_itself(self):
        fault = schedule_fault([schedule("0 */2 * * *", "3h", name="dense")], now=JANUARY)
        assert fault is not None
        assert "dense overlaps itself" in fault

    def test_one_may_begin_when_the_other_ends(self):
        assert schedule_fault([schedule("0 8 * * *", "2h"), schedule("0 10 * * *", name="b")], now=JANUARY) is None

    def test_an_overlap_across_time_zones_is_found(self):
        one, other = schedule("0 8 * * *", name="a"), schedule("0 9 * * *", name="b", zone="Europe/Berlin")
        assert schedule_fault([one, other], now=JANUARY) is not None
        assert schedule_fault([one], now=JANUARY) is None

    def test_an_overlap_only_in_summer_is_found_in_winter(self):
        one = schedule("0 7 * * *", name="a")
        other = schedule("0 9 * * *", name="b", zone="Europe/Berlin")  # 08:00 UTC in winter, 07:00 in summer
        assert schedule_fault([one, other], now=JANUARY) is not None

    def test_the_29th_of_february_is_a_day(self):
        assert schedule_fault([schedule("0 8 29 2 *")], now=JANUARY) is None

    def test_one_that_is_always_on_can_be_written(self):
        assert schedule_fault([schedule("0 0 * * *", "24h")], now=JANUARY) is None

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24)), max_size=4))
    def test_daily_schedules_are_refused_exactly_when_two_windows_share_an_hour(self, windows: list[tuple[int, int]]):
        made = [schedule(f"0 {hour} * * *", f"{hours}h", name=f"s{n}") for n, (hour, hours) in enumerate(windows)]
        hours = [(hour + later) % 24 for hour, length in windows for later in range(length)]
        assert (schedule_fault(made, now=JANUARY) is None) == (len(hours) == len(set(hours)))
